// SPDX-License-Identifier: Apache-2.0
#include "series/restore.h"

#include "base/clock.h"
#include "series/key.h"
#include "series/rcu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// What a signature in the file stands for.
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
    const struct restore_marks *marks;
    struct series_hand hand; // of the first lane
    struct meaning *meanings;
    size_t n_meanings;
    uint64_t *account_ages; // of each family: when the account that was taken was created
    struct taken *taken;
    size_t n_taken;
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

// Of two accounts of one metric the younger counts.
static void take_account(struct work *w, const struct record *r)
{
    int at = catalog_find_metric(w->schema->catalog, record_text(r), r->text_len);
    struct family *f = at < 0 ? NULL : &w->schema->families[at];
    w->meanings[w->n_meanings++] = (struct meaning){r->signature, f, false};
    if (f == NULL || r->payload != sizeof(struct table_account) ||
        r->created_ms < w->account_ages[at]) {
        return;
    }
    w->account_ages[at] = r->created_ms;
    struct table_account *account = f->table->account;
    atomic_store(&account->folded, payload_word(r, offsetof(struct table_account, folded)));
    atomic_store(&account->expired, payload_word(r, offsetof(struct table_account, expired)));
    atomic_store(&account->precreate_skipped,
                 payload_word(r, offsetof(struct table_account, precreate_skipped)));
}

// Learns what the signatures stand for, and takes the accounts over.
static int take_accounts(struct work *w)
{
    size_t n_metrics = w->schema->catalog->n_metrics;
    size_t at = 0;
    w->meanings =
        calloc(n_metrics + record_count(w->image, RECORD_METRIC) + 1, sizeof *w->meanings);
    w->account_ages = calloc(n_metrics + 1, sizeof *w->account_ages);
    if (w->meanings == NULL || w->account_ages == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < n_metrics; i++) {
        struct family *f = &w->schema->families[i];
        w->meanings[w->n_meanings++] = (struct meaning){f->table->signature, f, true};
    }
    for (uint32_t handle; (handle = record_next(w->image, RECORD_METRIC, &at)) != 0;) {
        take_account(w, record_at(w->image->base, handle));
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

static int list_series(struct work *w)
{
    w->taken = malloc((record_count(w->image, RECORD_SERIES) + 1) * sizeof *w->taken);
    if (w->taken == NULL) {
        return -ENOMEM;
    }
    size_t at = 0;
    bool in_order = true;
    for (uint32_t handle; (handle = record_next(w->image, RECORD_SERIES, &at)) != 0;) {
        const struct record *r = record_at(w->image->base, handle);
        const struct meaning *m = meaning_of(w, r->signature);
        if (m != NULL && m->same) {
            uint64_t family = (uint64_t)(m->family - w->schema->families);
            struct taken t = {family << 32 | r->slot, handle};
            in_order = in_order && (w->n_taken == 0 || w->taken[w->n_taken - 1].order <= t.order);
            w->taken[w->n_taken++] = t;
        } else if (m != NULL && m->family != NULL) {
            atomic_fetch_add(&m->family->table->account->expired, 1);
            w->done.anew++;
        } else {
            w->done.gone++;
        }
    }
    if (!in_order) {
        qsort(w->taken, w->n_taken, sizeof *w->taken, compare_taken);
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
    struct cell_counter *to = any ? table_cell(t, &w->hand, s) : NULL;
    if (to != NULL) {
        atomic_store_explicit(&to->whole, whole, memory_order_relaxed);
        atomic_store_explicit(&to->rest, rest, memory_order_relaxed);
    }
    return !any || to != NULL;
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
        to = to != NULL ? to : table_cell(t, &w->hand, s);
        if (to == NULL) {
            return false;
        }
        for (size_t b = 0; b <= t->n_bounds; b++) {
            uint64_t n = atomic_load_explicit(&from->counts[b], memory_order_relaxed);
            atomic_fetch_add_explicit(&to->counts[b], n, memory_order_relaxed);
        }
        double more = atomic_load_explicit(&from->sum, memory_order_relaxed);
        w->image->damaged += !isfinite(sum + more);
        sum += isfinite(sum + more) ? more : 0;
        atomic_store_explicit(&to->sum, sum, memory_order_relaxed);
    }
    return true;
}

static bool read_values(struct work *w, struct table *t, struct series *s, uint32_t handle)
{
    switch (t->type) {
    case METRIC_COUNTER:
        return read_counter(w, t, s, handle);
    case METRIC_HISTOGRAM:
        return read_histogram(w, t, s, handle);
    default:
        return read_gauge(w, s, record_at(w->image->base, handle));
    }
}

/*
 * Leaves the marks of those who are known again. Whose a life was may be forgotten, if its source came back
 * often in a short time; then it was one of those who set the series. False when an owned series had owners and
 * none of them is known.
 */
static bool read_marks(struct work *w, struct table *t, struct series *s, uint64_t word)
{
    struct marks_room room = table_room(t, &w->hand);
    uint32_t life_from = t->share->life_from;
    bool lived = false;
    bool forgotten = false;
    for (uint32_t old = 0; (old = marks_read(w->image, word, old + 1)) != 0;) {
        uint32_t mark = w->marks->translate(w->marks->ctx, old);
        if (mark != 0) {
            marks_add(series_marks(s), mark, &room);
        }
        lived |= old >= w->image->life_from;
        forgotten |= old >= w->image->life_from && mark == 0;
    }
    uint32_t bases = (life_from - 1) / 2;
    for (uint32_t base = 0; forgotten && base < bases;) {
        base = marks_next(t->share->base, series_marks(s), base + 1, bases);
        if (base == 0) {
            break;
        }
        uint32_t life = w->marks->life_of(w->marks->ctx, base);
        if (life != 0) {
            marks_add(series_marks(s), life, &room);
        }
    }
    return !t->owned || !lived ||
           marks_next(t->share->base, series_marks(s), life_from, t->share->most_marks) != 0;
}

// Whether the record is what this metric's series are like.
static bool fits(const struct family *f, const struct record *r)
{
    return (r->lanes == 0) == (f->table->type == METRIC_GAUGE) &&
           r->payload == sizeof(struct series_saved) &&
           key_is_good(f->metric, record_text(r), r->text_len);
}

// A new series with the record's key. Of two records with one key the younger counts. Returns as table_make.
static int make_series(struct work *w, struct table *t, const struct record *r, struct series **ret)
{
    uint64_t hash = key_hash(record_text(r), r->text_len);
    bool beyond = (r->flags & SERIES_BEYOND) != 0;
    for (;;) {
        if (!beyond) {
            table_take_anyway(t);
        }
        int rc = table_make(t, &w->hand, record_text(r), r->text_len, hash,
                            beyond ? TABLE_BEYOND : TABLE_RESERVED, ret);
        if (rc != 0) {
            return rc;
        }
        w->image->damaged++;
        if ((*ret)->record->created_ms >= r->created_ms) {
            return 0;
        }
        w->done.series -= table_remove(t, *ret);
    }
}

static int take_series(struct work *w, struct family *f, uint32_t handle)
{
    const struct record *r = record_at(w->image->base, handle);
    struct table *t = f->table;
    if (!fits(f, r)) {
        w->image->damaged++;
        return 0;
    }
    if (!schema_allows(f->metric, record_text(r))) {
        atomic_fetch_add(&t->account->expired, 1);
        w->done.anew++;
        return 0;
    }
    struct series *s = NULL;
    int rc = make_series(w, t, r, &s);
    if (rc <= 0) {
        return rc;
    }
    s->record->created_ms = r->created_ms;
    uint32_t touched = atomic_load_explicit(&r->touched, memory_order_relaxed);
    atomic_store_explicit(series_touched(s), touched + w->image->shift_s, memory_order_relaxed);
    bool good = read_values(w, t, s, handle);
    if (!good || !read_marks(w, t, s, payload_word(r, offsetof(struct series_saved, marks)))) {
        table_undo(t, s);
        atomic_fetch_add(&t->account->expired, good);
        return good ? 0 : -ENOMEM;
    }
    table_show(t, s);
    w->done.series++;
    return 0;
}

static int take_all(struct work *w)
{
    int rc = take_accounts(w);
    rc = rc < 0 ? rc : list_series(w);
    for (size_t i = 0; rc >= 0 && i < w->n_taken; i++) {
        rcu_enter();
        rc = take_series(w, &w->schema->families[w->taken[i].order >> 32], w->taken[i].handle);
        rcu_leave();
    }
    return rc;
}

int restore_series(struct series_store *store, struct record_image *image,
                   const struct restore_marks *marks, struct restored *ret)
{
    struct work w = {.schema = schema_current(store), .image = image, .marks = marks};
    int rc = take_all(&w);
    free(w.meanings);
    free(w.account_ages);
    free(w.taken);
    *ret = w.done;
    return rc < 0 ? rc : 0;
}
