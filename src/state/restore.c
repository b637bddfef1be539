// SPDX-License-Identifier: Apache-2.0
#include "state/restore.h"

#include "base/clock.h"
#include "base/rcu.h"
#include "series/key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Whose a signature in the file is.
struct meaning {
    uint64_t signature;
    struct family *family; // NULL: a metric that is no more
    bool same;             // the family's present one
};

// A series that is to be taken over.
struct taken {
    uint64_t order; // family and slot
    uint32_t handle;
};

struct work {
    struct schema *schema;
    struct record_image *image;
    const struct restore_owners *owners;
    struct series_writer writer; // of the first lane
    struct meaning *meanings;
    size_t n_meanings;
    uint64_t *stats_ages; // of each family: when the statistics that were taken were created
    struct taken *taken;
    size_t n_taken;
    uint64_t created_ms; // of counters and histograms, if the file went back
    struct restored done;
};

static int compare_meanings(const void *a, const void *b)
{
    const struct meaning *x = a;
    const struct meaning *y = b;
    return x->signature != y->signature ? (x->signature < y->signature ? -1 : 1)
                                        : y->same - x->same;
}

static struct meaning *meaning_of(const struct work *w, uint64_t signature)
{
    size_t at = 0;
    for (size_t n = w->n_meanings; n > 0;) {
        size_t half = n / 2;
        bool below = w->meanings[at + half].signature < signature;
        at = below ? at + half + 1 : at;
        n = below ? n - half - 1 : half;
    }
    bool found = at < w->n_meanings && w->meanings[at].signature == signature;
    return found ? &w->meanings[at] : NULL;
}

static uint64_t payload_word(const struct record *r, size_t at)
{
    uint64_t word;
    memcpy(&word, (const char *)record_payload(r) + at, sizeof word);
    return word;
}

// Of two statistics of one metric the younger counts.
static void take_stats_of(struct work *w, const struct record *r)
{
    int at = catalog_find_metric(w->schema->catalog, record_text(r), r->text_len);
    struct family *f = at < 0 ? NULL : &w->schema->families[at];
    w->meanings[w->n_meanings++] = (struct meaning){r->signature, f, false};
    if (f == NULL || r->payload != sizeof(struct table_stats) ||
        r->created_ms < w->stats_ages[at]) {
        return;
    }
    w->stats_ages[at] = r->created_ms;
    struct table_stats *stats = f->table->stats;
    atomic_store(&stats->folded, payload_word(r, offsetof(struct table_stats, folded)));
    atomic_store(&stats->expired, payload_word(r, offsetof(struct table_stats, expired)));
    atomic_store(&stats->precreate_skipped,
                 payload_word(r, offsetof(struct table_stats, precreate_skipped)));
}

// Finds out whose the signatures are, and takes the statistics over.
static int take_stats(struct work *w)
{
    size_t n_metrics = w->schema->catalog->n_metrics;
    size_t at = 0;
    w->meanings =
        calloc(n_metrics + record_count(w->image, RECORD_METRIC) + 1, sizeof *w->meanings);
    w->stats_ages = calloc(n_metrics + 1, sizeof *w->stats_ages);
    if (w->meanings == NULL || w->stats_ages == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < n_metrics; i++) {
        struct family *f = &w->schema->families[i];
        w->meanings[w->n_meanings++] = (struct meaning){f->table->signature, f, true};
    }
    for (uint32_t handle; (handle = record_next(w->image, RECORD_METRIC, &at)) != 0;) {
        take_stats_of(w, record_at(w->image->base, handle));
    }
    qsort(w->meanings, w->n_meanings, sizeof *w->meanings, compare_meanings);
    return 0;
}

// ---- Which series, in which order

static int compare_taken(const void *a, const void *b)
{
    const struct taken *x = a;
    const struct taken *y = b;
    return x->order != y->order ? (x->order < y->order ? -1 : 1)
                                : (x->handle > y->handle) - (x->handle < y->handle);
}

enum { DIGIT = 11, DIGITS = 1 << DIGIT, FAMILY = 32 /* its lowest bit */ };

struct order {
    struct taken *taken;
    struct taken *other; // room for as many
    size_t n;
};

// Orders by so many bits, from this one on; what has the same ones stays in order.
static void sort_by(struct order *o, unsigned shift)
{
    size_t next[DIGITS + 1] = {0};
    for (size_t i = 0; i < o->n; i++) {
        next[(o->taken[i].order >> shift) % DIGITS + 1]++;
    }
    if (next[(o->taken[0].order >> shift) % DIGITS + 1] == o->n) {
        return; // all have the same ones
    }
    for (size_t i = 0; i < DIGITS; i++) {
        next[i + 1] += next[i];
    }
    for (size_t i = 0; i < o->n; i++) {
        o->other[next[(o->taken[i].order >> shift) % DIGITS]++] = o->taken[i];
    }
    struct taken *sorted = o->other;
    o->other = o->taken;
    o->taken = sorted;
}

/*
 * Digit by digit of slot, of which there are 32 bits, and family: a million are sorted in a sixth of the time of qsort, which
 * is for little memory. They were found by rising handles, and so mostly by rising slots of each family.
 */
static void sort_taken(struct work *w, bool slots_rise)
{
    struct order o = {w->taken, malloc(w->n_taken * sizeof *o.other), w->n_taken};
    if (o.other == NULL) {
        qsort(w->taken, w->n_taken, sizeof *w->taken, compare_taken);
        return;
    }
    for (unsigned shift = 0; !slots_rise && shift < FAMILY; shift += DIGIT) {
        sort_by(&o, shift);
    }
    sort_by(&o, FAMILY);
    w->taken = o.taken;
    free(o.other);
}

static int list_series(struct work *w)
{
    w->taken = malloc((record_count(w->image, RECORD_SERIES) + 1) * sizeof *w->taken);
    uint32_t *last = calloc(w->schema->catalog->n_metrics + 1, sizeof *last); // slot of each family
    if (w->taken == NULL || last == NULL) {
        free(last);
        return -ENOMEM;
    }
    size_t at = 0;
    bool families_rise = true;
    bool slots_rise = true;
    for (uint32_t handle; (handle = record_next(w->image, RECORD_SERIES, &at)) != 0;) {
        const struct record *r = record_at(w->image->base, handle);
        const struct meaning *m = meaning_of(w, r->signature);
        if (m != NULL && m->same) {
            uint64_t family = (uint64_t)(m->family - w->schema->families);
            families_rise = families_rise &&
                            (w->n_taken == 0 || w->taken[w->n_taken - 1].order >> FAMILY <= family);
            slots_rise = slots_rise && last[family] <= r->slot;
            last[family] = r->slot;
            w->taken[w->n_taken++] = (struct taken){family << FAMILY | r->slot, handle};
        } else if (m != NULL && m->family != NULL) {
            atomic_fetch_add(&m->family->table->stats->expired, 1);
            w->done.reset++;
        } else {
            w->done.gone++;
        }
    }
    free(last);
    if (!families_rise || !slots_rise) {
        sort_taken(w, slots_rise);
    }
    return 0;
}

// ---- One series

static bool read_gauge(struct work *w, struct series *s, const struct record *r)
{
    double v = atomic_load_explicit(&r->number, memory_order_relaxed);
    w->image->damaged += !isfinite(v);
    atomic_store_explicit(series_gauge(s), isfinite(v) ? v : 0, memory_order_relaxed);
    return true;
}

static bool read_counter(struct work *w, struct table *t, struct series *s, uint32_t handle)
{
    const struct record *r = record_at(w->image->base, handle);
    uint64_t whole = 0;
    double rest = 0;
    bool any = false;
    for (unsigned i = 0; i < r->lanes; i++) {
        const struct cell_counter *from = record_image_cell(w->image, handle, i, t->cell_size);
        if (from == NULL) {
            continue;
        }
        double more = atomic_load_explicit(&from->rest, memory_order_relaxed);
        uint64_t n = atomic_load_explicit(&from->whole, memory_order_relaxed);
        bool good = more >= 0 && isfinite(rest + more) && n <= CELL_WHOLE_MAX;
        w->image->damaged += !good;
        whole += good ? n : 0;
        rest += good ? more : 0;
        any = true;
    }
    struct cell_counter *to = any ? table_cell(t, &w->writer, s) : NULL;
    if (to != NULL) {
        atomic_store_explicit(&to->whole, whole, memory_order_relaxed);
        atomic_store_explicit(&to->rest, rest, memory_order_relaxed);
    }
    return !any || to != NULL;
}

// A lane's classic counts, but for those that nobody can have counted. Returns how many of these there are.
static unsigned read_counts(const struct cell_histogram *from, size_t n_bounds,
                            _Atomic uint64_t *ret)
{
    unsigned bad = 0;
    for (size_t b = 0; b <= n_bounds; b++) {
        uint64_t n = atomic_load_explicit(&from->counts[b], memory_order_relaxed);
        bad += n > CELL_WHOLE_MAX;
        atomic_init(&ret[b], n <= CELL_WHOLE_MAX ? n : 0);
    }
    return bad;
}

static bool read_histogram(struct work *w, struct table *t, struct series *s, uint32_t handle)
{
    const struct record *r = record_at(w->image->base, handle);
    struct cell_histogram *to = NULL;
    double sum = 0;
    for (unsigned i = 0; i < r->lanes; i++) {
        const struct cell_histogram *from = record_image_cell(w->image, handle, i, t->cell_size);
        if (from == NULL) {
            continue;
        }
        to = to != NULL ? to : table_cell(t, &w->writer, s);
        if (to == NULL) {
            return false;
        }
        _Atomic uint64_t counts[CATALOG_MAX_BOUNDS + 1];
        w->image->damaged += read_counts(from, t->n_bounds, counts);
        for (size_t b = 0; b <= t->n_bounds; b++) {
            atomic_fetch_add_explicit(&to->counts[b], atomic_load(&counts[b]),
                                      memory_order_relaxed);
        }
        double more = atomic_load_explicit(&from->sum, memory_order_relaxed);
        w->image->damaged += !isfinite(sum + more);
        sum += isfinite(sum + more) ? more : 0;
        atomic_store_explicit(&to->sum, sum, memory_order_relaxed);
    }
    return true;
}

// The block of a lane of the file, or NULL: none, or it is not whole (counted).
static const struct native_block *native_of(struct work *w, uint32_t handle, unsigned lane)
{
    const struct record *r = record_at(w->image->base, handle);
    uint32_t piece = native_lane_piece(r, lane);
    const struct native_block *b = record_image_piece(w->image, handle, RECORD_MAX_LANES + lane,
                                                      piece, native_block_size(NATIVE_SLOTS_FIRST));
    if (b == NULL) {
        return NULL;
    }
    uint32_t slots = b->slots;
    bool is_good = slots <= native_slots_for(NATIVE_BUCKETS_MOST) &&
                   record_image_piece(w->image, handle, RECORD_MAX_LANES + lane, piece,
                                      native_block_size(slots)) != NULL &&
                   native_block_is_good(b, native_block_size(slots));
    w->image->damaged += !is_good;
    return is_good ? b : NULL;
}

// The native buckets of all lanes become those of the first one. What the file has of them is dropped where the metric has no
// native form any more.
static bool read_native(struct work *w, const struct family *f, struct series *s, uint32_t handle)
{
    struct table *t = f->table;
    const struct record *r = record_at(w->image->base, handle);
    struct native_sum sum = {.n = 0};
    bool any = false;
    native_sum_begin(&sum, &f->native);
    for (unsigned i = 0; f->has_native && i < r->lanes; i++) {
        const struct native_block *b = native_of(w, handle, i);
        const struct cell_histogram *c = record_image_cell(w->image, handle, i, t->cell_size);
        _Atomic uint64_t counts[CATALOG_MAX_BOUNDS + 1] = {0};
        if (c != NULL) {
            read_counts(c, t->n_bounds, counts);
        }
        if (b != NULL && native_lane_has_as_many(b, t->n_bounds, counts)) {
            native_sum_add(&sum, b);
            any = true;
        } else {
            native_sum_add_classic(&sum, f->metric->bounds, t->n_bounds, counts);
        }
    }
    bool good = true;
    if (any) {
        native_sum_end(&sum, f->native.max_buckets);
        good =
            !sum.failed && native_lane_restore(t->share->arena, &w->writer.arena,
                                               atomic_load(&s->handle), w->writer.lane, &sum) == 0;
    }
    native_sum_free(&sum);
    return good;
}

static bool read_values(struct work *w, const struct family *f, struct series *s, uint32_t handle)
{
    struct table *t = f->table;
    switch (t->type) {
    case METRIC_COUNTER:
        return read_counter(w, t, s, handle);
    case METRIC_HISTOGRAM:
        return read_histogram(w, t, s, handle) && read_native(w, f, s, handle);
    default:
        return read_gauge(w, s, record_at(w->image->base, handle));
    }
}

/*
 * Leaves the ids of those who are known again. Whose a lease was may be forgotten, if its source came back
 * often in a short time; then it was one of those who set the series. False when an owned series had owners and
 * none of them is known.
 */
static bool read_ids(struct work *w, struct table *t, struct series *s, uint64_t word)
{
    struct idset_memory memory = table_idset_memory(t, &w->writer);
    uint32_t lease_from = t->share->lease_from;
    bool lived = false;
    bool forgotten = false;
    for (uint32_t old = 0; (old = idset_read(w->image, word, old + 1)) != 0;) {
        uint32_t id = old < w->owners->n ? w->owners->now[old] : 0;
        if (id != 0) {
            idset_add(series_ids(s), id, &memory);
        }
        lived |= old >= w->image->lease_from;
        forgotten |= old >= w->image->lease_from && id == 0;
    }
    for (uint32_t base = 0; forgotten && base < w->owners->n_sources;) {
        base = idset_next(t->share->base, series_ids(s), base + 1, w->owners->n_sources);
        if (base == 0) {
            break;
        }
        uint32_t lease = w->owners->leases[base];
        if (lease != 0) {
            idset_add(series_ids(s), lease, &memory);
        }
    }
    return !t->owned || !lived ||
           idset_next(t->share->base, series_ids(s), lease_from, t->share->max_id) != 0;
}

// Whether the record is what this metric's series are like. Finds the values in its key.
static bool is_of_family(const struct family *f, const struct record *r, struct slice *ret_values)
{
    return (r->lanes == 0) == (f->table->type == METRIC_GAUGE) &&
           (r->payload == sizeof(struct series_saved) ||
            (f->table->type == METRIC_HISTOGRAM &&
             r->payload == sizeof(struct series_saved) + native_lane_payload(r->lanes))) &&
           key_read(f->metric, record_text(r), r->text_len, ret_values);
}

static int take_series(struct work *w, struct family *f, uint32_t handle)
{
    const struct record *r = record_at(w->image->base, handle);
    struct table *t = f->table;
    struct slice values[CATALOG_MAX_LABELS];
    if (!is_of_family(f, r, values)) {
        w->image->damaged++;
        return 0;
    }
    if (!schema_is_allowed(f->metric, values)) {
        atomic_fetch_add(&t->stats->expired, 1);
        w->done.reset++;
        return 0;
    }
    uint32_t touched = atomic_load_explicit(&r->touched, memory_order_relaxed);
    const struct series_spec what = {.text = record_text(r),
                                     .len = r->text_len,
                                     .folded = (r->flags & SERIES_FOLDED) != 0,
                                     .created_ms = r->created_ms,
                                     .touched_s = touched + w->image->ttl_shift_s};
    struct series *s = table_add(t, &w->writer, &what);
    if (s == NULL) {
        return -ENOMEM;
    }
    bool good = read_values(w, f, s, handle);
    if (!good || !read_ids(w, t, s, payload_word(r, offsetof(struct series_saved, ids)))) {
        table_discard(t, s);
        atomic_fetch_add(&t->stats->expired, good);
        return good ? 0 : -ENOMEM;
    }
    table_publish(t, s);
    w->done.series++;
    return 0;
}

// What a file that went back holds was perhaps scraped with a higher value: for a scraper it is a new counter.
static void renew_family(const struct family *f, uint64_t created_ms)
{
    uint32_t slots = f->table->type == METRIC_GAUGE ? 0 : table_slots(f->table);
    rcu_enter();
    for (uint32_t i = 0; i < slots; i++) {
        struct series *s = table_at(f->table, i);
        if (s != NULL) {
            s->record->created_ms = created_ms;
            table_persist(f->table, s);
            record_repair_cells(f->table->share->base, atomic_load(&s->handle)); // tagged with it
            native_lane_repair(f->table->share->base, atomic_load(&s->handle), f->table->n_bounds);
        }
    }
    rcu_leave();
}

// Takes those of one family, from `first` to before `end`.
static int take_family(struct work *w, struct family *f, size_t first, size_t end)
{
    int rc = 0;
    for (size_t i = first; rc >= 0 && i < end; i++) {
        rc = take_series(w, f, w->taken[i].handle);
    }
    uint64_t doubled = table_index(f->table);
    w->image->damaged += doubled;
    w->done.series -= doubled;
    if (w->image->power_cut || w->image->behind) {
        renew_family(f, w->created_ms);
    }
    return rc;
}

static int take_all(struct work *w)
{
    int rc = take_stats(w);
    rc = rc < 0 ? rc : list_series(w);
    for (size_t i = 0, end; rc >= 0 && i < w->n_taken; i = end) {
        uint64_t family = w->taken[i].order >> FAMILY;
        for (end = i + 1; end < w->n_taken && w->taken[end].order >> FAMILY == family; end++) {
        }
        rc = take_family(w, &w->schema->families[family], i, end);
    }
    return rc;
}

void restore_owners_free(struct restore_owners *owners)
{
    free(owners->now);
    free(owners->leases);
}

int restore_series(struct series_store *store, struct record_image *image,
                   const struct restore_owners *owners, struct restored *ret)
{
    struct work w = {.schema = schema_current(store),
                     .image = image,
                     .owners = owners,
                     .created_ms = clock_real_ms()};
    int rc = take_all(&w);
    free(w.meanings);
    free(w.stats_ages);
    free(w.taken);
    *ret = w.done;
    return rc < 0 ? rc : 0;
}
