// SPDX-License-Identifier: Apache-2.0
#include "event/memo.h"

#include "event/line.h"
#include "event/memo_store.h"
#include "event/number.h"

#include <math.h>

// What may stand at a line's end: in a number, and behind it.
enum { IN_NUMBER = 1, BEHIND = 2 };
static const uint8_t AT_END[256] = {
    ['0'] = IN_NUMBER, ['1'] = IN_NUMBER, ['2'] = IN_NUMBER, ['3'] = IN_NUMBER, ['4'] = IN_NUMBER,
    ['5'] = IN_NUMBER, ['6'] = IN_NUMBER, ['7'] = IN_NUMBER, ['8'] = IN_NUMBER, ['9'] = IN_NUMBER,
    ['.'] = IN_NUMBER, ['-'] = IN_NUMBER, ['+'] = IN_NUMBER, ['e'] = IN_NUMBER, ['E'] = IN_NUMBER,
    ['}'] = BEHIND,    [' '] = BEHIND,    ['\t'] = BEHIND,   ['\r'] = BEHIND,
};

// The same for any number, which is read later, and for none. What is behind it begins at `to`.
static __attribute__((noinline)) void split_slowly(struct event_line *line, uint32_t to)
{
    const unsigned char *at = (const unsigned char *)line->at;
    uint32_t from = to;
    while (from > 0 && AT_END[at[from - 1]] == IN_NUMBER) {
        from--;
    }
    bool starts = from < to && (at[from] == '-' || (unsigned)(at[from] - '0') < 10);
    bool number = starts && to < line->len; // else what ends here may go on
    line->number_known = false;
    line->number_from = number ? from : line->len;
    line->number_to = number ? to : line->len;
}

/*
 * The number is the last thing before closing braces and blanks. A letter e at its beginning belongs to the
 * text before it ("true", "false"): then there is no number.
 */
void memo_split(struct event_line *line)
{
    const unsigned char *at = (const unsigned char *)line->at;
    uint32_t to = line->len;
    while (to > 0 && AT_END[at[to - 1]] == BEHIND) {
        to--;
    }
    if (to < line->len && to >= NUMBER_TAIL) {
        size_t len = number_tail(line->at + to, &line->number);
        if (len > 0) {
            line->number_known = true;
            line->number_from = to - (uint32_t)len;
            line->number_to = to;
            return;
        }
    }
    split_slowly(line, to);
}

// The bytes before the number and what else the meaning hangs on.
static uint64_t hash_of(const struct event_reader *r, const struct event_origin *origin,
                        const struct event_line *line)
{
    return key_hash(line->at, line->number_from) ^ (origin->context * 0x9E3779B97F4A7C15u) ^
           (r->schema->generation << 32);
}

static bool same_bytes(const char *a, const char *b, size_t len)
{
    size_t i = 0;
    while (i < len && a[i] == b[i]) {
        i++;
    }
    return i == len;
}

static inline bool matches(struct memo_entry *e, const struct event_origin *origin, uint64_t shape,
                           const struct event_line *line)
{
    const char *bytes = memo_bytes(e);
    uint64_t other = (e->hash ^ line->hash) | (e->context ^ origin->context) | (e->shape ^ shape);
    return other == 0 && memcmp(bytes, line->at, line->number_from) == 0 &&
           same_bytes(bytes + line->number_from, line->at + line->number_to,
                      line->len - line->number_to); // a brace or two
}

// Looks at all places where the line's entry may be.
static __attribute__((noinline)) struct memo_entry *search(struct memo *m,
                                                           const struct event_origin *origin,
                                                           uint64_t shape,
                                                           const struct event_line *line)
{
    const struct memo_bucket *b = memo_bucket_of(m, line->hash);
    for (uint64_t places = memo_places(b, line->hash); places != 0;) {
        unsigned i = memo_next_place(&places);
        if (b->entries[i] != 0 && matches(memo_at(m, b->entries[i]), origin, shape, line)) {
            return memo_at(m, b->entries[i]);
        }
    }
    return NULL;
}

static inline struct memo_entry *find(struct memo *m, const struct event_reader *r,
                                      const struct event_origin *origin,
                                      const struct event_line *line)
{
    uint64_t shape = memo_shape(r->schema, line);
    bool there = line->looked == m->changes && line->entry != 0 &&
                 matches(memo_at(m, line->entry), origin, shape, line);
    return there ? memo_at(m, line->entry) : search(m, origin, shape, line);
}

/*
 * Steps, each over all lines, so that what one has asked for is there when the next one needs it, and that many lines
 * are at the same step where it takes a chain of instructions. The fetches stand in here because a function that does
 * nothing else has no effect for the compiler, which drops it.
 */
void memo_look(struct memo *m, const struct event_reader *r, const struct event_origin *origin,
               struct event_line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct event_line *line = &lines[i];
        line->context = origin->context;
        line->looked = m->changes;
        line->hash = 0;
        if (line->len <= MEMO_MAX_LINE) {
            memo_split(line);
        }
    }
    for (size_t i = 0; i < n; i++) {
        struct event_line *line = &lines[i];
        if (line->len <= MEMO_MAX_LINE) {
            line->hash = hash_of(r, origin, line);
            __builtin_prefetch(memo_bucket_of(m, line->hash));
        }
    }
    for (size_t i = 0; i < n; i++) {
        lines[i].entry = memo_likely(m, lines[i].hash);
        const char *e = (const char *)memo_at(m, lines[i].entry);
        e = lines[i].entry != 0 ? e : (const char *)memo_sights_of(m, lines[i].hash);
        __builtin_prefetch(e);
        __builtin_prefetch(e + 64);
        __builtin_prefetch(e + 128);
        __builtin_prefetch(e + 192);
    }
    const char *base = r->store->share.base;
    for (size_t i = 0; i < n; i++) {
        const struct memo_entry *e = memo_at(m, lines[i].entry);
        if (lines[i].entry != 0 && e->n > 0) {
            // Of most lines these are all.
            const char *first = base + (size_t)e->updates[0].cell * ARENA_GRANULE;
            const char *last = base + (size_t)e->updates[e->n - 1].cell * ARENA_GRANULE;
            __builtin_prefetch(first, 1);
            __builtin_prefetch(last, 1);
            __builtin_prefetch(last + 64, 1);
        }
    }
}

static const struct table *table_of(const struct event_reader *r, const struct memo_update *u)
{
    return r->schema->families[u->family].table;
}

static struct series *series_of(const struct event_reader *r, const struct memo_update *u)
{
    struct series *s = table_at(table_of(r, u), u->slot);
    bool same = s != NULL && atomic_load_explicit(&s->uses, memory_order_relaxed) == u->uses;
    return same ? s : NULL;
}

// Whether the updates' series are those that were remembered, after some series were removed.
static __attribute__((noinline)) bool still_lives(const struct event_reader *r,
                                                  struct memo_entry *e, uint64_t removals)
{
    for (unsigned i = 0; i < e->n; i++) {
        if (series_of(r, &e->updates[i]) == NULL) {
            return false;
        }
    }
    e->removals = removals;
    return true;
}

static inline bool lives(const struct event_reader *r, struct memo_entry *e)
{
    uint64_t removals = atomic_load_explicit(&r->store->share.removals, memory_order_acquire);
    return e->removals == removals || still_lives(r, e, removals);
}

// Claims what must be claimed whenever it is updated. Returns false when a series is gone.
static bool claim(const struct event_reader *r, const struct event_origin *origin,
                  const struct memo_entry *e)
{
    for (unsigned i = 0; i < e->n; i++) {
        struct table *t = r->schema->families[e->updates[i].family].table;
        struct series *s = series_of(r, &e->updates[i]);
        if (s == NULL || (table_claims(t) && claim_series(t, r->hand, s, &origin->claimant) != 0)) {
            return false;
        }
    }
    return true;
}

static bool read_number(const struct event_line *line, double *ret)
{
    if (line->number_known) {
        *ret = line->number;
        return true;
    }
    return number_read(line->at + line->number_from, line->number_to - line->number_from, ret);
}

static bool number_fits(const struct event_reader *r, const struct memo_entry *e, double v)
{
    if (fabs(v) > MEMO_MAX_NUMBER) {
        return false;
    }
    for (unsigned i = 0; v < 0 && i < e->n; i++) {
        if (e->updates[i].takes_number && table_of(r, &e->updates[i])->type == METRIC_COUNTER) {
            return false;
        }
    }
    return true;
}

// The entry of a line that may be applied as it says, and is paid for. Sets the line's number.
static struct memo_entry *find_usable(struct memo *m, struct event_reader *r,
                                      const struct event_origin *origin,
                                      const struct event_line *line, double *ret)
{
    struct memo_entry *e = find(m, r, origin, line);
    if (e == NULL || (e->has_number && (!read_number(line, ret) || !number_fits(r, e, *ret)))) {
        return NULL;
    }
    r->limited = origin->permit != NULL && !permit_spend(origin->permit, origin->now_ms, 1);
    if (r->limited) {
        return NULL;
    }
    if (!lives(r, e) || (e->claims && !claim(r, origin, e))) {
        permit_give_back(origin->permit, 1);
        return NULL;
    }
    return e;
}

static void *target_of(char *base, const struct memo_update *u)
{
    return (char *)arena_at(base, u->cell) + u->behind * sizeof(double);
}

static double value_of(const struct memo_update *u, double number)
{
    return u->takes_number ? number : u->constant;
}

// Here a remembered line changes its series.
static void apply(const struct event_reader *r, const struct memo_entry *e, double number)
{
    char *base = r->store->share.base;
    for (const struct memo_update *u = e->updates; u < e->updates + e->n; u++) {
        const struct metric *m = r->schema->families[u->family].metric;
        line_apply(m, u->step, target_of(base, u), value_of(u, number));
    }
}

// The same in a session, whose redo record changes them: apart, so that the loop above stays short.
static __attribute__((noinline)) void apply_in_session(const struct event_reader *r,
                                                       const struct memo_entry *e, double number,
                                                       struct event_ledger *ledger)
{
    char *base = r->store->share.base;
    for (const struct memo_update *u = e->updates; u < e->updates + e->n; u++) {
        const struct metric *m = r->schema->families[u->family].metric;
        line_note(ledger->redo, m, u->step, target_of(base, u), value_of(u, number));
    }
    event_settle(ledger, ledger->applied);
}

size_t memo_apply(struct memo *m, struct event_reader *r, const struct event_origin *origin,
                  struct event_line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct event_line *line = &lines[i];
        double number = 0;
        if (line->context != origin->context) {
            memo_look(m, r, origin, line, 1);
        }
        struct memo_entry *e =
            line->len <= MEMO_MAX_LINE ? find_usable(m, r, origin, line, &number) : NULL;
        if (e == NULL) {
            return i;
        }
        if (origin->ledger != NULL) {
            apply_in_session(r, e, number, origin->ledger);
        } else {
            apply(r, e, number);
        }
        if (!e->used) { // else its cache line stays as it is
            e->used = true;
        }
    }
    return n;
}
