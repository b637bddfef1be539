// SPDX-License-Identifier: Apache-2.0
#include "event/cache.h"

#include "base/invariant.h"
#include "event/bytes.h"
#include "event/cache_store.h"
#include "event/recipe.h"
#include "event/template.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum {
    FEW = 4096,         // entries that stand in the CPU's caches anyway, with all that they lead to
    FEW_NATIVE = 256,   // the same where native buckets are among that, which are larger
    PATIENCE = 1 << 20, // lines that are learned before recipes may be forgotten
    // The cache may have so many bytes for each series that there is, and these besides.
    PER_SERIES = 192,
    // From so many entries on, and where so little memory is allowed, they are small rather than fast.
    MANY = 16384,
    LITTLE = 256 << 10,
    BESIDES = 1 << 20,
};

// In the ring. Behind the series: the handles of the lane's blocks of native buckets, one for each native step; then the
// handle of the record whose key shows all values, or the line's values.
struct entry {
    struct cache_head head;
    uint32_t context;
    uint32_t removals; // of all tables, when its series were last known to live
    uint8_t recipe;
    uint8_t by_key; // 0, or the place of the series whose key shows the values + 1
    uint16_t values_len;
    struct recipe_series series[];
};

static_assert(sizeof(struct entry) == 20, "no holes");

struct cache {
    struct cache_store kept;
    struct series_store *store;
    struct series_writer *writer;
    const struct schema *schema; // of the present lines
    uint64_t generation;         // of the catalogue that all entries are of
    uint64_t bytes;
    uint64_t context; // for which lines were looked for last
    uint64_t epoch;   // of context and removals: their bits that entries do not have
    bool wide;
    bool limited;     // cache_is_limited
    uint64_t learned; // lines since there was no recipe
    struct recipes recipes;
    struct recipe_natives natives; // of the present line
};

int cache_new(struct cache **ret, struct series_store *store, struct series_writer *writer,
              uint64_t bytes)
{
    struct cache *m = calloc(1, sizeof *m);
    if (m == NULL || cache_store_init(&m->kept, bytes) < 0) {
        free(m);
        return -ENOMEM;
    }
    m->store = store;
    m->writer = writer;
    m->bytes = bytes;
    m->wide = bytes_can_wide();
    *ret = m;
    return 0;
}

void cache_free(struct cache *m)
{
    if (m != NULL) {
        cache_store_close(&m->kept);
        free(m);
    }
}

static uint64_t removals_of(const struct cache *m)
{
    return atomic_load_explicit(&m->store->share.removals, memory_order_acquire);
}

// Forgets what is of another catalogue, or what entries could not tell apart from the present.
static void keep_up(struct cache *m, uint64_t context)
{
    m->schema = schema_current(m->store);
    uint64_t epoch = context >> 32 << 32 | (uint32_t)(removals_of(m) >> 31);
    if (m->generation != m->schema->generation || m->epoch != epoch) {
        m->generation = m->schema->generation;
        m->epoch = epoch;
        m->recipes.n = 0;
        m->recipes.native = false;
        cache_store_clear(&m->kept);
    }
}

// ---- Finding

static uint32_t hash_of(const struct line *line, uint64_t context)
{
    return (uint32_t)((line->hash ^ context) * 0x9E3779B97F4A7C15u >> 32);
}

// Known where it is passed, so that it is inlined.
typedef bool same_values_fn(const char *a, const char *b, size_t len);

static bool has_same_values(const char *a, const char *b, size_t len)
{
    return memcmp(a, b, len) == 0;
}

#ifdef __x86_64__
BYTES_WIDE_INLINED bool same_values_wide(const char *a, const char *b, size_t len)
{
    return __builtin_expect(len <= LINE_BLOCK, 1) ? bytes_same_two_wide(a, b, len)
                                                  : has_same_values(a, b, len);
}
#endif

// Whether the values are those that are behind an entry's series.
BYTES_INLINED bool has_values(const struct entry *e, const char *values, const struct line *line,
                              same_values_fn *same)
{
    return e->values_len == line->values_len && same(values, line->values, e->values_len);
}

static uint32_t *natives_of(struct entry *e, const struct recipe *r)
{
    return (uint32_t *)(void *)&e->series[r->n];
}

// What is behind these.
static const char *behind(const struct entry *e, const struct recipe *r)
{
    return (const char *)e->series + r->size;
}

// The record of the entry's key.
static uint32_t record_of(const struct entry *e, const struct recipe *r)
{
    uint32_t handle;
    memcpy(&handle, behind(e, r), sizeof handle);
    return handle;
}

// Whether the values are those of a record's key, which shows all of them.
static bool key_has_values(const struct cache *m, const struct recipe_step *step, uint32_t handle,
                           const struct line *line)
{
    const struct record *record = record_at(m->store->share.base, handle);
    const struct metric *metric = step->family->metric;
    const char *key = record_text(record);
    size_t len = record->text_len;
    size_t at = 0;
    struct slice values[CATALOG_MAX_LABELS];
    line_template_values(line, values);
    for (size_t i = 0; i < metric->n_labels; i++) {
        struct slice value = values[step->map[i]];
        at += metric->labels[i].name_len + 2 + (i > 0);
        if (at + value.len >= len || memcmp(key + at, value.p, value.len) != 0 ||
            key[at + value.len] != '"') {
            return false;
        }
        at += value.len + 1;
    }
    return at == len;
}

BYTES_INLINED bool matches(const struct cache *m, const struct entry *e, const struct line *line,
                           same_values_fn *same)
{
    const struct recipe *r = &m->recipes.list[e->recipe];
    const struct template_target *target = &line->template->target;
    if (r->target.what != target->what || r->target.labels != target->labels ||
        e->context != (uint32_t)m->context) {
        return false;
    }
    return e->by_key != 0 ? key_has_values(m, &r->steps[e->by_key - 1], record_of(e, r), line)
                          : has_values(e, behind(e, r), line, same);
}

// Looks at all places where the line's entry may be.
static __attribute__((noinline)) struct entry *search(struct cache *m, const struct line *line)
{
    uint32_t hash = hash_of(line, m->context);
    const struct cache_bucket *b = cache_store_bucket(&m->kept, hash);
    for (uint32_t places = cache_store_places(b, hash); places != 0;) {
        struct entry *e = cache_store_at(&m->kept, b->entries[cache_store_next_place(&places)]);
        if (e->head.hash == hash && matches(m, e, line, has_same_values)) {
            return e;
        }
    }
    return NULL;
}

BYTES_INLINED struct entry *find(struct cache *m, const struct line *line, same_values_fn *same)
{
    bool fresh =
        line->looked == (uint32_t)m->kept.changes; // nothing has changed since cache_prefetch
    if (fresh && line->entry == 0) {
        return NULL;
    }
    struct entry *e = fresh ? cache_store_at(&m->kept, line->entry) : NULL;
    return e != NULL && matches(m, e, line, same) ? e : search(m, line);
}

// ---- Fetching

// The likely entry of each line, whose memory is on its way.
static void find_few(const struct cache *m, struct line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t hash = hash_of(&lines[i], m->context);
        lines[i].entry = cache_store_likely(cache_store_bucket(&m->kept, hash), hash);
        lines[i].looked = (uint32_t)m->kept.changes;
    }
}

// Asks for what applying the line needs besides its entry.
static inline __attribute__((always_inline)) void fetch_series(const struct cache *m,
                                                               const struct entry *e)
{
    const struct recipe *r = &m->recipes.list[e->recipe];
    const char *base = m->store->share.base;
    for (unsigned i = 0; i < r->n; i++) {
        const char *cell = base + (size_t)e->series[i].cell * ARENA_GRANULE;
        __builtin_prefetch(cell, 1);
        __builtin_prefetch(cell + 64, 1);
        if (r->owned && table_has_expiry(r->steps[i].family->table)) {
            table_fetch(r->steps[i].family->table, e->series[i].slot);
        }
    }
    if (e->by_key != 0) {
        const char *record = base + (size_t)record_of(e, r) * ARENA_GRANULE;
        __builtin_prefetch(record);
        __builtin_prefetch(record + 64);
    }
    const uint32_t *natives = (const void *)&e->series[r->n];
    for (unsigned i = 0; i < r->n_native; i++) {
        __builtin_prefetch(base + (size_t)natives[i] * ARENA_GRANULE);
    }
}

// Asks for the native buckets of the line's numbers, whose blocks are there.
static void fetch_natives_of(const struct cache *m, const struct line *line)
{
    const struct entry *e = cache_store_at(&m->kept, line->entry);
    const struct recipe *r = &m->recipes.list[e->recipe];
    const uint32_t *natives = (const void *)&e->series[r->n];
    bool live = e->removals == (uint32_t)removals_of(m); // else the blocks may be those of others
    for (unsigned i = 0; live && i < r->n_native; i++) {
        const struct native_block *b = arena_at(m->store->share.base, natives[i]);
        if (line->template->has_list) {
            native_fetch_all(b);
        } else {
            native_fetch(b, line->number);
        }
    }
}

static __attribute__((noinline)) void fetch_natives(const struct cache *m, const struct line *lines,
                                                    size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (lines[i].entry != 0 && lines[i].template != NULL &&
            (lines[i].template->has_number || lines[i].template->has_list)) {
            fetch_natives_of(m, &lines[i]);
        }
    }
}

static __attribute__((noinline)) void find_many(const struct cache *m, struct line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        __builtin_prefetch(cache_store_bucket(&m->kept, hash_of(&lines[i], m->context)));
    }
    find_few(m, lines, n);
    for (size_t i = 0; i < n; i++) {
        const char *e = cache_store_at(&m->kept, lines[i].entry);
        __builtin_prefetch(e);
        __builtin_prefetch(e + 64);
    }
    for (size_t i = 0; i < n; i++) {
        if (lines[i].entry != 0) {
            fetch_series(m, cache_store_at(&m->kept, lines[i].entry));
        }
    }
}

/*
 * Steps, each over all lines, so that what one has asked for is there when the next one needs it. What a line without a
 * template is found to have does not matter.
 */
void cache_prefetch(struct cache *m, const struct origin *origin, struct line *lines, size_t n)
{
    keep_up(m, origin->context);
    m->context = origin->context;
    if (m->kept.n <= FEW) {
        find_few(m, lines, n);
    } else {
        find_many(m, lines, n);
    }
    if (m->recipes.native && m->kept.n > FEW_NATIVE) {
        fetch_natives(m, lines, n);
    }
}

// ---- Applying

// Whether the series are those that were cached, after some series were removed.
static __attribute__((noinline)) bool still_lives(const struct recipe *r, struct entry *e,
                                                  uint32_t removals)
{
    for (unsigned i = 0; i < r->n; i++) {
        const struct series *s = table_at(r->steps[i].family->table, e->series[i].slot);
        if (s == NULL ||
            atomic_load_explicit(&s->uses, memory_order_relaxed) != e->series[i].uses) {
            return false;
        }
    }
    e->removals = removals;
    return true;
}

BYTES_INLINED bool lives(const struct cache *m, const struct recipe *r, struct entry *e)
{
    uint32_t removals = (uint32_t)removals_of(m);
    return e->removals == removals || still_lives(r, e, removals);
}

// One of the series, which lived when it was asked last.
static struct series *series_of(const struct recipe *r, const struct entry *e, unsigned i)
{
    return slab_at(&r->steps[i].family->table->slab, e->series[i].slot);
}

// Gives the series that have owners or a ttl this one. Returns false when one of them is gone.
static __attribute__((noinline)) bool own(const struct cache *m, const struct origin *origin,
                                          const struct recipe *r, struct entry *e)
{
    if (!lives(m, r, e)) {
        return false;
    }
    for (unsigned i = 0; i < r->n; i++) {
        struct table *t = r->steps[i].family->table;
        if (table_has_expiry(t) &&
            owner_add(t, m->writer, series_of(r, e, i), &origin->owner, OWNER_DROPS_OTHERS) != 0) {
            return false;
        }
    }
    return true;
}

// The block of a native step whose handle is not, or no more, that of a block that counts.
static __attribute__((noinline)) struct native_block *
find_block(const struct cache *m, const struct series *s, uint32_t *handle)
{
    *handle = native_lane_piece(s->record, m->writer->lane);
    return native_lane_block(m->store->share.base, s->record, m->writer->lane);
}

// The block in which the worker counts the observations of a native step, or NULL: a plan has to make it. `handle` is that of
// the block of an earlier line, which may have been rebuilt.
static inline struct native_block *block_of(const struct cache *m, const struct recipe *r,
                                            const struct entry *e, unsigned step, uint32_t *handle)
{
    struct native_block *b = arena_at(m->store->share.base, *handle);
    return __builtin_expect(*handle != 0 && native_block_is_current(b), 1)
               ? b
               : find_block(m, series_of(r, e, step), handle);
}

// Finds where the line's observations are counted in native buckets, of series that live. Returns false if one has no bucket.
static __attribute__((noinline)) bool find_natives(struct cache *m, const struct recipe *r,
                                                   struct entry *e, const struct line *line)
{
    uint32_t *handle = natives_of(e, r);
    recipe_natives_begin(&m->natives);
    for (unsigned i = 0; m->natives.n_blocks < r->n_native; i++) {
        if (r->steps[i].native) {
            struct native_block *b = block_of(m, r, e, i, handle++);
            if (b == NULL || !recipe_natives_add(&m->natives, &r->steps[i], line, b)) {
                return false;
            }
        }
    }
    return true;
}

// Whether what the recipe's entry says may be done now.
static bool is_usable(struct cache *m, const struct origin *origin, const struct recipe *r,
                      struct entry *e, const struct line *line)
{
    if (origin->permission != NULL &&
        !permission_take_events(origin->permission, origin->now_ms, 1)) {
        m->limited = true;
        return false;
    }
    if ((r->owned ? !own(m, origin, r, e) : !lives(m, r, e)) ||
        (r->n_native > 0 && !find_natives(m, r, e, line))) {
        permission_return_events(origin->permission, 1);
        return false;
    }
    return true;
}

static inline void mark_used(struct entry *e)
{
    if (!e->head.used) { // else its cache line stays as it is
        e->head.used = true;
    }
}

// Applies a line of an entry. Returns whether it did.
static __attribute__((noinline)) bool apply_any(struct cache *m, const struct origin *origin,
                                                const struct recipe *r, struct entry *e,
                                                const struct line *line)
{
    if (!recipe_fits(r, line, origin->transaction) || !is_usable(m, origin, r, e, line)) {
        return false;
    }
    char *base = m->store->share.base;
    if (origin->transaction != NULL) {
        recipe_apply_in_session(r, e->series, base, line, &m->natives, origin->transaction);
    } else {
        recipe_apply(r, e->series, base, line, &m->natives);
    }
    return true;
}

// Applies a line of a recipe that is simple but for one native step. Returns whether it did.
BYTES_INLINED bool apply_native_one(struct cache *m, const struct recipe *r, struct entry *e,
                                    double number, cell_bucket_fn *bucket)
{
    if (!recipe_takes(r, number) || !lives(m, r, e)) {
        return false;
    }
    const struct recipe_step *s = &r->steps[r->native_step];
    struct native_block *b = block_of(m, r, e, r->native_step, natives_of(e, r));
    uint32_t slot =
        b != NULL ? native_reserve_slot(b, s->family->native.max_buckets, recipe_value(s, number))
                  : NATIVE_NO_SLOT;
    if (slot == NATIVE_NO_SLOT) {
        return false;
    }
    apply_native(&b->slot[slot].count);
    recipe_apply_one(r, e->series, m->store->share.base, number, bucket);
    return true;
}

// Returns how many lines of the beginning are applied. Those of simple recipes, which are most, are applied here.
BYTES_INLINED size_t apply_lines(struct cache *m, const struct origin *origin, struct line *lines,
                                 size_t n, same_values_fn *same, cell_bucket_fn *bucket)
{
    char *base = m->store->share.base;
    bool simple = origin->permission == NULL && origin->transaction == NULL;
    for (size_t i = 0; i < n; i++) {
        struct line *line = &lines[i];
        bool plain = line->template != NULL && !line->template->has_exemplar;
        struct entry *e = plain ? find(m, line, same) : NULL;
        if (e == NULL) {
            return i;
        }
        const struct recipe *r = &m->recipes.list[e->recipe];
        if (simple && r->simple) {
            if (!recipe_takes(r, line->number) || !lives(m, r, e)) {
                return i;
            }
            recipe_apply_one(r, e->series, base, line->number, bucket);
        } else if (simple && r->native_one) {
            if (!apply_native_one(m, r, e, line->number, bucket)) {
                return i;
            }
        } else if (!apply_any(m, origin, r, e, line)) {
            return i;
        }
        mark_used(e);
    }
    return n;
}

#ifdef __x86_64__
BYTES_WIDE size_t apply_lines_wide(struct cache *m, const struct origin *origin, struct line *lines,
                                   size_t n)
{
    return apply_lines(m, origin, lines, n, same_values_wide, cell_bucket_wide);
}
#else
#define apply_lines_wide apply_lines_plain
#endif

static size_t apply_lines_plain(struct cache *m, const struct origin *origin, struct line *lines,
                                size_t n)
{
    return apply_lines(m, origin, lines, n, has_same_values, cell_bucket);
}

static void begin(struct cache *m, const struct origin *origin, struct line *lines, size_t n)
{
    m->limited = false;
    if (m->context != origin->context) {
        cache_prefetch(m, origin, lines, n);
    }
}

size_t cache_apply(struct cache *m, const struct origin *origin, struct line *lines, size_t n)
{
    begin(m, origin, lines, n);
    return m->wide ? apply_lines_wide(m, origin, lines, n) : apply_lines_plain(m, origin, lines, n);
}

// Whether an element of a batch whose recipe is not simple may be applied, but for its owner and its native buckets.
static __attribute__((noinline)) bool may_in_batch(const struct cache *m, const struct recipe *r,
                                                   struct entry *e, const struct line *line)
{
    return recipe_fits(r, line, NULL) && !r->drops && lives(m, r, e);
}

// Makes what may stay if the batch is rejected after all: so only when nothing else is to be asked.
static bool prepare_batch(struct cache *m, const struct origin *origin, const struct line *lines,
                          size_t n, struct entry **entries)
{
    for (size_t i = 0; i < n; i++) {
        const struct recipe *r = &m->recipes.list[entries[i]->recipe];
        if (r->owned && !own(m, origin, r, entries[i])) {
            return false;
        }
    }
    for (size_t i = 0; m->recipes.native && i < n; i++) {
        const struct recipe *r = &m->recipes.list[entries[i]->recipe];
        if (r->n_native > 0 && !find_natives(m, r, entries[i], &lines[i])) {
            return false;
        }
    }
    return true;
}

static __attribute__((noinline)) void apply_in_batch(struct cache *m, const struct recipe *r,
                                                     struct entry *e, const struct line *line)
{
    if (r->n_native > 0 && !find_natives(m, r, e, line)) {
        invariant(arena_is_corrupt(m->store->share.arena), "a bucket that was found is there");
        return; // its page was lost since, and so is its series
    }
    recipe_apply(r, e->series, m->store->share.base, line, &m->natives);
}

// The line's entry if it may be applied and removes nothing, or NULL.
BYTES_INLINED struct entry *find_for_batch(struct cache *m, const struct line *line,
                                           same_values_fn *same)
{
    struct entry *e = line->template->has_exemplar ? NULL : find(m, line, same);
    if (e == NULL) {
        return NULL;
    }
    const struct recipe *r = &m->recipes.list[e->recipe];
    bool may =
        r->simple ? recipe_takes(r, line->number) && lives(m, r, e) : may_in_batch(m, r, e, line);
    return may ? e : NULL;
}

// Finds the entries of all lines, or returns false.
BYTES_INLINED bool find_batch(struct cache *m, const struct line *lines, size_t n,
                              struct entry **ret, same_values_fn *same)
{
    for (size_t i = 0; i < n; i++) {
        ret[i] = find_for_batch(m, &lines[i], same);
        if (ret[i] == NULL) {
            return false;
        }
    }
    return true;
}

static bool find_batch_plain(struct cache *m, const struct line *lines, size_t n,
                             struct entry **ret)
{
    return find_batch(m, lines, n, ret, has_same_values);
}

#ifdef __x86_64__
BYTES_WIDE bool find_batch_wide(struct cache *m, const struct line *lines, size_t n,
                                struct entry **ret)
{
    return find_batch(m, lines, n, ret, same_values_wide);
}
#else
#define find_batch_wide find_batch_plain
#endif

bool cache_apply_batch(struct cache *m, const struct origin *origin, struct line *lines, size_t n)
{
    struct entry *entries[TEMPLATE_BATCH];
    begin(m, origin, lines, n);
    bool found =
        m->wide ? find_batch_wide(m, lines, n, entries) : find_batch_plain(m, lines, n, entries);
    if (!found) {
        return false;
    }
    if (!permission_take_events(origin->permission, origin->now_ms, n)) {
        m->limited = true;
        return false;
    }
    if (!prepare_batch(m, origin, lines, n, entries)) {
        permission_return_events(origin->permission, n);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const struct recipe *r = &m->recipes.list[entries[i]->recipe];
        if (r->simple) {
            recipe_apply_one(r, entries[i]->series, m->store->share.base, lines[i].number,
                             cell_bucket);
        } else {
            apply_in_batch(m, r, entries[i], &lines[i]);
        }
        mark_used(entries[i]);
    }
    return true;
}

bool cache_is_limited(const struct cache *m)
{
    return m->limited;
}

bool cache_plan_exemplar(struct cache *m, struct line *line, struct plan *p)
{
    begin(m, p->origin, line, 1);
    struct entry *e = find(m, line, has_same_values);
    const struct recipe *r = e != NULL ? &m->recipes.list[e->recipe] : NULL;
    if (e == NULL || !r->exemplars || r->several || !recipe_fits(r, line, p->origin->transaction) ||
        !is_usable(m, p->origin, r, e, line)) {
        return false;
    }
    for (unsigned i = 0; i < r->n; i++) {
        const struct recipe_step *s = &r->steps[i];
        struct plan_update *u = plan_add_placed(p, series_of(r, e, i));
        if (u == NULL) {
            permission_return_events(p->origin->permission, 1);
            return false;
        }
        u->family = s->family;
        u->op = s->op;
        u->value = recipe_value(s, line->number);
        u->cell = s->step < APPLY_SET ? arena_at(m->store->share.base, e->series[i].cell) : NULL;
    }
    mark_used(e);
    return true;
}

// ---- Learning

// Whether this update may be cached: its series is the very one that the line names.
static bool is_plain(const struct plan *p, const struct plan_update *u)
{
    size_t len;
    const char *text = series_text(u->series, &len);
    return !u->folded && fabs(u->value) <= RECIPE_MAX_NUMBER &&
           fabs(u->each) <= RECIPE_MAX_NUMBER / SAMPLE_MAX_COUNT && len == u->key_len &&
           memcmp(text, plan_key(p, u), len) == 0;
}

// Whether there is room for one more recipe. Where there is none it begins with no recipe and no entry, which must not happen
// often.
static bool make_room_for_recipe(struct cache *m)
{
    if (m->recipes.n < RECIPE_MOST - 1) {
        return true;
    }
    if (m->learned < PATIENCE) {
        return false;
    }
    m->learned = 0;
    m->recipes.n = 0;
    m->recipes.native = false;
    cache_store_clear(&m->kept);
    return true;
}

// The series whose key shows all values as they stand in the line, + 1; 0: none does.
static uint8_t shown_by(const struct cache *m, const struct recipe *r,
                        const struct plan_update *updates, const struct line *line)
{
    for (unsigned i = 0; i < r->n; i++) {
        uint32_t shown = 0;
        for (size_t k = 0; k < updates[i].family->metric->n_labels; k++) {
            shown |= 1U << r->steps[i].map[k];
        }
        uint32_t handle = atomic_load_explicit(&updates[i].series->handle, memory_order_relaxed);
        if (shown == line->template->given && key_has_values(m, &r->steps[i], handle, line)) {
            return (uint8_t)(i + 1);
        }
    }
    return 0;
}

static void fill(const struct cache *m, struct entry *e, const struct plan_update *updates,
                 const struct recipe *r)
{
    uint32_t *native = natives_of(e, r);
    for (unsigned i = 0; i < r->n; i++) {
        const struct plan_update *u = &updates[i];
        const void *cell = u->cell != NULL ? u->cell : (const void *)u->series->record;
        e->series[i] = (struct recipe_series){
            .slot = u->series->record->slot,
            .uses = atomic_load_explicit(&u->series->uses, memory_order_relaxed),
            .cell = arena_handle(m->store->share.base, cell),
        };
        if (r->steps[i].native) {
            *native++ = native_lane_piece(u->series->record, m->writer->lane);
        }
    }
    e->context = (uint32_t)m->context;
    e->recipe = (uint8_t)(r - m->recipes.list);
    // So that the first hit looks whether the series live.
    e->removals = (uint32_t)removals_of(m) - 1;
}

// As many bytes as the cache may take now.
static uint64_t most(const struct cache *m)
{
    uint64_t series = atomic_load_explicit(&m->store->share.quota.used, memory_order_relaxed);
    uint64_t wanted = series * PER_SERIES + BESIDES;
    return wanted < m->bytes ? wanted : m->bytes;
}

void cache_learn(struct cache *m, const struct plan *p, size_t from, size_t n,
                 const struct line *line)
{
    const struct plan_update *updates = p->updates + from;
    bool may =
        n <= RECIPE_UPDATES && line->values_len <= LINE_VALUES && m->context == p->origin->context;
    for (size_t i = 0; may && i < n; i++) {
        may = is_plain(p, &updates[i]);
    }
    if (!may || !make_room_for_recipe(m)) {
        return;
    }
    unsigned recipe = recipe_find(&m->recipes, m->schema, updates, n, line->template);
    m->learned++;
    const struct recipe *r = &m->recipes.list[recipe];
    bool small = m->kept.n >= MANY || m->bytes < LITTLE;
    uint8_t by_key = small ? shown_by(m, r, updates, line) : 0;
    size_t size =
        sizeof(struct entry) + r->size + (by_key != 0 ? sizeof(uint32_t) : line->values_len);
    if (!cache_store_reserve(&m->kept, size, most(m))) {
        return;
    }
    struct entry *old = search(m, line);
    if (old != NULL) {
        cache_store_drop(&m->kept, &old->head);
    }
    struct entry *e = cache_store_add(&m->kept, hash_of(line, m->context), size);
    if (e == NULL) {
        return;
    }
    fill(m, e, updates, r);
    e->by_key = by_key;
    char *end = (char *)e->series + r->size;
    if (by_key != 0) {
        const struct plan_update *u = &updates[by_key - 1];
        uint32_t handle = atomic_load_explicit(&u->series->handle, memory_order_relaxed);
        memcpy(end, &handle, sizeof handle);
    } else {
        e->values_len = (uint16_t)line->values_len;
        memcpy(end, line->values, line->values_len);
    }
}
