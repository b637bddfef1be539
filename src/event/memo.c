// SPDX-License-Identifier: Apache-2.0
#include "event/memo.h"

#include "event/line.h"
#include "event/line_span.h"
#include "event/memo_split.h"
#include "event/memo_store.h"
#include "event/number.h"

#include <math.h>

// Entries that stand in the CPU's caches anyway, with all that they lead to.
enum { FEW = 4096 };

#define INLINED static inline __attribute__((always_inline))
#define WIDE static __attribute__((noinline)) LINE_WIDE

// What exists in a wide version too. Known where it is passed, so that it is inlined.
typedef bool same_fn(const char *a, const char *b, size_t len);
typedef uint64_t hash_fn(const uint64_t *seeds, uint64_t besides, const char *bytes, size_t len);

// Of all that is compared, the hash is not, since the bytes are.
INLINED bool matches(const struct memo *m, struct memo_entry *e, const struct event_line *line,
                     same_fn *same)
{
    const char *bytes = memo_bytes(e);
    return e->shape == line->shape && e->context == m->context &&
           same(bytes, line->at, line->number_from) &&
           (memo_shape_behind(line->shape) < 2 || // then the shape holds all of it
            memcmp(bytes + line->number_from, line->at + line->number_to, memo_behind(line)) == 0);
}

// Looks at all places where the line's entry may be.
static __attribute__((noinline)) struct memo_entry *search(struct memo *m,
                                                           const struct event_line *line)
{
    const struct memo_bucket *b = memo_bucket_of(m, line->hash);
    for (uint32_t places = memo_places(b, line->hash); places != 0;) {
        unsigned i = memo_next_place(&places);
        if (matches(m, memo_at(m, b->entries[i]), line, line_same)) {
            return memo_at(m, b->entries[i]);
        }
    }
    return NULL;
}

// `fresh`: nothing has changed since memo_look.
INLINED struct memo_entry *find(struct memo *m, const struct event_line *line, bool fresh,
                                same_fn *same)
{
    if (fresh && line->entry == 0) {
        return NULL;
    }
    bool there = fresh && matches(m, memo_at(m, line->entry), line, same);
    return there ? memo_at(m, line->entry) : search(m, line);
}

static void keep_up(struct memo *m, const struct event_reader *r)
{
    if (m->generation != r->schema->generation) {
        memo_renew(m, r->schema->generation);
    }
}

// Sets the line's likely entry, and fetches its beginning or where it is asked for if there is none. Returns that.
INLINED const char *likely(const struct memo *m, struct event_line *line)
{
    line->entry = memo_likely(&m->buckets[line->entry], line->hash);
    const char *e = (const char *)memo_at(m, line->entry);
    e = line->entry != 0 ? e : (const char *)memo_sights_of(m, line->hash);
    __builtin_prefetch(e);
    return e;
}

// This and the next two steps are inlined by force also since a function that only fetches has no effect for the
// compiler, which drops it.
INLINED void split_and_hash(const struct memo *m, uint64_t context, struct event_line *lines,
                            size_t n, hash_fn *hash)
{
    for (size_t i = 0; i < n; i++) {
        memo_split(&lines[i]);
    }
    for (size_t i = 0; i < n; i++) {
        struct event_line *line = &lines[i];
        line->hash = hash(m->seeds, context, line->at, line->number_from);
        line->entry = memo_bucket_at(m, line->hash); // until the next step
        __builtin_prefetch(&m->buckets[line->entry]);
    }
}

INLINED void find_few(const struct memo *m, struct event_line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        likely(m, &lines[i]);
    }
}

static const struct table *table_of(const struct event_reader *r, const struct memo_update *u)
{
    return r->schema->families[u->family].table;
}

// Asks for the series that claim() is going to look at.
static __attribute__((noinline)) void fetch_claimed(const struct event_reader *r,
                                                    const struct memo_entry *e)
{
    for (unsigned i = 0; i < e->n; i++) {
        const struct table *t = table_of(r, &e->updates[i]);
        if (table_claims(t)) {
            table_fetch(t, e->updates[i].slot);
        }
    }
}

INLINED void find_many(const struct memo *m, const struct event_reader *r, struct event_line *lines,
                       size_t n)
{
    const char *base = r->store->share.base;
    for (size_t i = 0; i < n; i++) {
        const char *e = likely(m, &lines[i]);
        size_t more = lines[i].entry != 0 ? 64 : 0;
        __builtin_prefetch(e + more);
        __builtin_prefetch(e + 2 * more);
        __builtin_prefetch(e + 3 * more);
    }
    for (size_t i = 0; i < n; i++) {
        const struct memo_entry *e = memo_at(m, lines[i].entry);
        if (lines[i].entry != 0 && e->n > 0) {
            // Of most lines these are all.
            const char *first = base + (size_t)e->updates[0].cell * ARENA_GRANULE;
            const char *last = base + (size_t)e->updates[e->n - 1].cell * ARENA_GRANULE;
            __builtin_prefetch(first, 1);
            __builtin_prefetch(last, 1);
            __builtin_prefetch(last + 64, 1);
            if (e->claims) {
                fetch_claimed(r, e);
            }
        }
    }
}

INLINED void look(const struct memo *m, const struct event_reader *r, struct event_line *lines,
                  size_t n, hash_fn *hash)
{
    split_and_hash(m, m->context, lines, n, hash);
    if (m->n <= FEW) {
        find_few(m, lines, n);
    } else {
        find_many(m, r, lines, n);
    }
}

WIDE uint64_t hash_wide(const struct memo *m, const struct event_line *line)
{
    return line_hash_wide(m->seeds, m->context, line->at, line->number_from);
}

static uint64_t hash_of(const struct memo *m, const struct event_line *line)
{
    return m->wide ? hash_wide(m, line)
                   : line_hash(m->seeds, m->context, line->at, line->number_from);
}

WIDE void look_wide(const struct memo *m, const struct event_reader *r, struct event_line *lines,
                    size_t n)
{
    look(m, r, lines, n, line_hash_wide);
}

/*
 * Steps, each over all lines, so that what one has asked for is there when the next one needs it, and that many lines
 * are at the same step where it takes a chain of instructions.
 */
void memo_look(struct memo *m, const struct event_reader *r, const struct event_origin *origin,
               struct event_line *lines, size_t n)
{
    keep_up(m, r);
    m->looked = m->changes;
    m->context = origin->context;
    if (m->wide) {
        look_wide(m, r, lines, n);
    } else {
        look(m, r, lines, n, line_hash);
    }
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

INLINED bool lives(const struct event_reader *r, struct memo_entry *e)
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
        if (!table_claims(t)) {
            continue;
        }
        struct series *s = series_of(r, &e->updates[i]);
        if (s == NULL || claim_series(t, r->hand, s, &origin->claimant) != 0) {
            return false;
        }
    }
    return true;
}

// Whether a number that is not known yet, if the line has one, may be applied as the entry says.
static __attribute__((noinline)) bool
number_fits(const struct event_reader *r, const struct memo_entry *e, struct event_line *line)
{
    if (!memo_has_number(line)) {
        return true;
    }
    uint32_t len = line->number_to - line->number_from;
    if (!number_read(line->at + line->number_from, len, &line->number) ||
        fabs(line->number) > MEMO_MAX_NUMBER) {
        return false;
    }
    for (unsigned i = 0; line->number < 0 && i < e->n; i++) {
        if (e->updates[i].takes_number && table_of(r, &e->updates[i])->type == METRIC_COUNTER) {
            return false;
        }
    }
    return true;
}

// Whether the line may be applied as its entry says; then it is paid for.
INLINED bool is_usable(struct event_reader *r, const struct event_origin *origin,
                       struct memo_entry *e, struct event_line *line)
{
    if (!line->number_known && !number_fits(r, e, line)) {
        return false;
    }
    if (origin->permit != NULL && !permit_spend(origin->permit, origin->now_ms, 1)) {
        r->limited = true;
        return false;
    }
    if (!lives(r, e) || (e->claims && !claim(r, origin, e))) {
        permit_give_back(origin->permit, 1);
        return false;
    }
    return true;
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
INLINED void apply(const struct event_reader *r, const struct memo_entry *e, double number)
{
    char *base = r->store->share.base;
    const struct family *families = r->schema->families;
    for (const struct memo_update *u = e->updates, *end = u + e->n; u < end; u++) {
        void *cell = arena_at(base, u->cell);
        if (u->step == STEP_OBSERVE) {
            line_observe(&families[u->family], cell, value_of(u, number));
        } else if (!u->whole || !cell_count_whole(cell, (uint64_t)(int64_t)u->constant)) {
            line_apply(&families[u->family], u->step, target_of(base, u), value_of(u, number));
        }
    }
}

// The same in a session, whose redo record changes them: apart, so that the loop above stays short.
static __attribute__((noinline)) void apply_in_session(const struct event_reader *r,
                                                       const struct memo_entry *e, double number,
                                                       struct event_ledger *ledger)
{
    char *base = r->store->share.base;
    const struct family *families = r->schema->families;
    for (const struct memo_update *u = e->updates, *end = u + e->n; u < end; u++) {
        line_note(ledger->redo, &families[u->family], u->step, target_of(base, u),
                  value_of(u, number));
    }
    event_settle(ledger, ledger->applied);
}

// Returns how many lines of the beginning are applied.
INLINED size_t apply_lines(struct memo *m, struct event_reader *r,
                           const struct event_origin *origin, struct event_line *lines, size_t n,
                           same_fn *same)
{
    bool fresh = m->looked == m->changes;
    for (size_t i = 0; i < n; i++) {
        struct event_line *line = &lines[i];
        struct memo_entry *e = find(m, line, fresh, same);
        if (e == NULL || !is_usable(r, origin, e, line)) {
            return i;
        }
        if (origin->ledger != NULL) {
            apply_in_session(r, e, line->number, origin->ledger);
        } else {
            apply(r, e, line->number);
        }
        if (!e->used) { // else its cache line stays as it is
            e->used = true;
        }
    }
    return n;
}

WIDE size_t apply_lines_wide(struct memo *m, struct event_reader *r,
                             const struct event_origin *origin, struct event_line *lines, size_t n)
{
    return apply_lines(m, r, origin, lines, n, line_same_wide);
}

size_t memo_apply(struct memo *m, struct event_reader *r, const struct event_origin *origin,
                  struct event_line *lines, size_t n)
{
    keep_up(m, r);
    if (m->context != origin->context) {
        memo_look(m, r, origin, lines, n);
    }
    return m->wide ? apply_lines_wide(m, r, origin, lines, n)
                   : apply_lines(m, r, origin, lines, n, line_same);
}

bool memo_is_seen(const struct memo *m, const struct event_line *line)
{
    return line->shape == 0 || memo_sighted(m, line->hash);
}

void memo_note(struct memo *m, const struct event_line *line)
{
    memo_seen(m, line->hash);
}

bool memo_apply_spelling(struct memo *m, struct event_reader *r, const struct event_origin *origin,
                         struct event_line *spelling)
{
    spelling->hash = hash_of(m, spelling);
    spelling->entry = memo_likely(memo_bucket_of(m, spelling->hash), spelling->hash);
    return memo_apply(m, r, origin, spelling, 1) == 1;
}
