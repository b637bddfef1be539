// SPDX-License-Identifier: Apache-2.0
#include "series/native.h"

#include "base/invariant.h"
#include "series/cell.h"
#include "series/slab.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- Blocks

static int32_t index_of(uint64_t key)
{
    return (int32_t)(uint32_t)(key >> 2);
}

static bool is_negative(uint64_t key)
{
    return (key & 2) != 0;
}

static uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static uint32_t used(const struct native_block *b)
{
    return atomic_load_explicit(&b->used, memory_order_relaxed);
}

uint32_t native_slots_for(uint32_t buckets)
{
    uint32_t slots = NATIVE_SLOTS_FIRST;
    while (slots / 4 * 3 < buckets) {
        slots *= 2;
    }
    return slots;
}

// Begins a block of zeroed memory, of native_block_size bytes.
static void init_block(struct native_block *b, uint32_t slots, int schema, double zero_threshold)
{
    invariant(slots >= NATIVE_SLOTS_FIRST && slots <= NATIVE_SLOTS_MOST,
              "a native block has as many slots as it may have");
    b->zero_threshold = zero_threshold;
    b->schema = schema;
    atomic_store_explicit(&b->slots, slots, memory_order_relaxed);
}

// The lane has another block from now on.
static void replace_block(struct native_block *b)
{
    atomic_store_explicit(&b->used, NATIVE_REPLACED, memory_order_relaxed);
}

// Whether its bucket is that of a finite number, or the one above (native_sum_add_classic), and so many can have been counted.
static bool is_good_slot(int schema, const struct native_slot *slot)
{
    uint64_t key = load(&slot->key);
    return load(&slot->count) <= CELL_WHOLE_MAX &&
           (key == 0 || ((key & 1) != 0 && key >> 34 == 0 &&
                         index_of(key) >= native_index(schema, DBL_TRUE_MIN) &&
                         index_of(key) <= native_index(schema, DBL_MAX) + 1));
}

bool native_block_is_good(const struct native_block *b, size_t bytes)
{
    uint32_t slots = native_slots(b);
    if (slots == 0 || slots > native_slots_for(NATIVE_BUCKETS_MOST) || (slots & (slots - 1)) != 0 ||
        native_block_size(slots) > bytes || b->schema < NATIVE_SCHEMA_LEAST ||
        b->schema > NATIVE_SCHEMA_MOST || !(b->zero_threshold >= 0) || isinf(b->zero_threshold) ||
        used(b) > slots / 4 * 3) {
        return false;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i <= slots; i++) {
        n += load(&b->slot[i].key) != 0;
        if (!is_good_slot(b->schema, &b->slot[i])) {
            return false;
        }
    }
    return n == used(b) || n == used(b) + 1; // a kill came before it was raised
}

// That of a block; of a wild one, any.
static int schema_of(const struct native_block *b)
{
    return b->schema < NATIVE_SCHEMA_LEAST  ? NATIVE_SCHEMA_LEAST
           : b->schema > NATIVE_SCHEMA_MOST ? NATIVE_SCHEMA_MOST
                                            : b->schema;
}

// The key's slot, or the empty one where it goes. Whose place is taken goes on by steps that buckets as far away have in common:
// then a run of buckets in the place of another one finds another place for all of it. NULL: the block's page was lost.
static struct native_slot *slot_of(struct native_block *b, uint64_t key)
{
    uint32_t slots = native_slots(b);
    if (slots == 0) {
        return NULL;
    }
    uint32_t last = slots - 1;
    uint32_t at = native_place(index_of(key), is_negative(key), last);
    uint32_t far = (uint32_t)index_of(key) / slots << 1 | is_negative(key);
    uint32_t step = (far * 0x9E3779B9u >> __builtin_clz(slots)) | 1; // odd, so that it comes to all
    for (;;) {
        // A quarter of the slots is empty, so this ends.
        struct native_slot *slot = &b->slot[1 + at];
        uint64_t found = load(&slot->key);
        if (found == key || found == 0) {
            return slot;
        }
        at = (at + step) & last;
    }
}

// Adds a key that is not there to an empty slot. Readers see a count of 0 or what is counted.
static void take_slot(struct native_block *b, struct native_slot *slot, uint64_t key)
{
    uint32_t slots = native_slots(b); // 0 if the page was lost meanwhile
    invariant(slots == 0 || used(b) < slots / 4 * 3,
              "a quarter of a native block's slots is empty");
    atomic_store_explicit(&slot->key, key, memory_order_release);
    atomic_store_explicit(&b->used, used(b) + 1, memory_order_relaxed);
}

static bool is_zero(double zero_threshold, double v)
{
    return fabs(v) <= zero_threshold;
}

size_t native_find_list(struct native_block *b, const double *values, size_t n, uint16_t *ret)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        bool zero = is_zero(b->zero_threshold, values[i]);
        struct native_slot *slot =
            zero ? b->slot
                 : slot_of(b,
                           native_key(values[i] < 0, native_index(schema_of(b), fabs(values[i]))));
        if (zero || (slot != NULL && load(&slot->key) != 0)) {
            ret[found++] = (uint16_t)(slot - b->slot);
        }
    }
    return found;
}

// Not inlined, since it is seldom needed.
static __attribute__((noinline)) bool make_bucket(struct native_block *b, uint32_t max_buckets,
                                                  struct native_slot *slot, uint64_t key)
{
    bool has_room = used(b) < max_buckets && used(b) < native_slots(b) / 4 * 3;
    if (has_room) {
        take_slot(b, slot, key);
    }
    return has_room;
}

uint32_t native_reserve_any(struct native_block *b, uint32_t max_buckets, double v)
{
    if (is_zero(b->zero_threshold, v)) {
        return native_slots(b) != 0 ? 0 : NATIVE_NO_SLOT;
    }
    uint64_t key = native_key(signbit(v) != 0, native_index(schema_of(b), fabs(v)));
    struct native_slot *slot = slot_of(b, key);
    bool there = slot != NULL && (load(&slot->key) != 0 || make_bucket(b, max_buckets, slot, key));
    return there ? (uint32_t)(slot - b->slot) : NATIVE_NO_SLOT;
}

uint32_t native_reserve_list(struct native_block *b, uint32_t max_buckets, const double *values,
                             uint32_t n, uint16_t *ret)
{
    struct native_search s;
    if (!native_search_begin(&s, b)) {
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot = native_search_reserve(&s, b, max_buckets, values[i]);
        if (slot == NATIVE_NO_SLOT) {
            return i;
        }
        ret[i] = (uint16_t)slot;
    }
    return n;
}

_Atomic uint64_t *native_reserve(struct native_block *b, uint32_t max_buckets, double v)
{
    uint32_t slot = native_reserve_slot(b, max_buckets, v);
    return slot != NATIVE_NO_SLOT ? &b->slot[slot].count : NULL;
}

void native_fetch_all(const struct native_block *b)
{
    enum { CACHE_LINE = 64, MOST = 2048 };
    size_t bytes = native_block_size(native_slots(b));
    for (size_t at = CACHE_LINE; at < bytes && at < MOST; at += CACHE_LINE) {
        __builtin_prefetch((const char *)b + at, 1);
    }
}

void native_fetch(const struct native_block *b, double v)
{
    struct native_search s;
    uint64_t key;
    if (native_search_begin(&s, b) && fabs(v) <= DBL_MAX) {
        __builtin_prefetch(&b->slot[native_likely(&s, v, &key)], 1);
    }
}

// ---- Lists of buckets

static int compare(const void *a, const void *b)
{
    const struct native_bucket *x = a;
    const struct native_bucket *y = b;
    return x->negative != y->negative ? y->negative - x->negative
                                      : (x->index > y->index) - (x->index < y->index);
}

static bool add_bucket(struct native_sum *s, struct native_bucket bucket)
{
    if (s->n == s->room) {
        size_t room = s->room == 0 ? 256 : 2 * s->room;
        struct native_bucket *more = realloc(s->buckets, room * sizeof *more);
        if (more == NULL) {
            s->failed = true;
            return false;
        }
        s->buckets = more;
        s->room = room;
    }
    s->buckets[s->n++] = bucket;
    return true;
}

// Brings buckets into order, and adds up those that are the same.
static void tidy(struct native_sum *s)
{
    if (s->n == 0) {
        return;
    }
    qsort(s->buckets, s->n, sizeof *s->buckets, compare);
    size_t n = 0;
    for (size_t i = 1; i < s->n; i++) {
        if (compare(&s->buckets[n], &s->buckets[i]) == 0) {
            s->buckets[n].count += s->buckets[i].count;
        } else {
            s->buckets[++n] = s->buckets[i];
        }
    }
    s->n = n + 1;
}

static void lower_to(struct native_sum *s, int schema)
{
    for (; s->schema > schema; s->schema--) {
        for (size_t i = 0; i < s->n; i++) {
            s->buckets[i].index = native_halve(s->buckets[i].index);
        }
    }
    tidy(s);
}

// Buckets that do not reach above the threshold go into the zero bucket.
static void widen_to(struct native_sum *s, double zero_threshold)
{
    size_t n = 0;
    s->zero_threshold = zero_threshold;
    for (size_t i = 0; i < s->n; i++) {
        if (native_bound(s->schema, s->buckets[i].index) <= zero_threshold) {
            s->zero_count += s->buckets[i].count;
        } else {
            s->buckets[n++] = s->buckets[i];
        }
    }
    s->n = n;
}

static double smallest_bound(const struct native_sum *s)
{
    int32_t least = INT32_MAX;
    for (size_t i = 0; i < s->n; i++) {
        least = s->buckets[i].index < least ? s->buckets[i].index : least;
    }
    return native_bound(s->schema, least);
}

// As few buckets as there may be; where the zero bucket has to be widened, as few as `widened`.
static void limit(struct native_sum *s, uint32_t max_buckets, uint32_t widened)
{
    tidy(s);
    while (s->n > max_buckets && s->schema > NATIVE_SCHEMA_LEAST) {
        lower_to(s, s->schema - 1);
    }
    for (size_t most = max_buckets; s->n > most; most = widened) {
        widen_to(s, smallest_bound(s));
    }
}

void native_sum_begin(struct native_sum *s, const struct native_form *form)
{
    s->schema = form->schema;
    s->zero_threshold = form->zero_threshold;
    s->zero_count = 0;
    s->n = 0;
    s->failed = false;
}

void native_sum_add(struct native_sum *s, const struct native_block *b)
{
    if (b->schema < s->schema) {
        lower_to(s, b->schema);
    }
    s->zero_count += load(&b->slot[0].count);
    for (uint32_t i = 1, slots = native_slots(b); i <= slots; i++) {
        uint64_t key = atomic_load_explicit(&b->slot[i].key, memory_order_acquire);
        uint64_t count = load(&b->slot[i].count);
        if (key == 0 || count == 0) {
            continue;
        }
        struct native_bucket bucket = {is_negative(key), index_of(key), count};
        for (int schema = b->schema; schema > s->schema; schema--) {
            bucket.index = native_halve(bucket.index);
        }
        if (!add_bucket(s, bucket)) {
            return;
        }
    }
    if (b->zero_threshold > s->zero_threshold) {
        s->zero_threshold = b->zero_threshold;
    }
}

void native_sum_add_classic(struct native_sum *s, const double *le, size_t n_bounds,
                            const _Atomic uint64_t *counts)
{
    for (size_t i = 0; i <= n_bounds; i++) {
        uint64_t count = atomic_load_explicit(&counts[i], memory_order_acquire);
        double v = le[i < n_bounds ? i : n_bounds - 1];
        if (count == 0) {
            continue;
        }
        if (is_zero(s->zero_threshold, v)) {
            s->zero_count += count;
            continue;
        }
        struct native_bucket bucket = {v < 0, native_index(s->schema, fabs(v)), count};
        bucket.index += i == n_bounds ? v > 0 ? 1 : -1 : 0;
        if (!add_bucket(s, bucket)) {
            return;
        }
    }
}

uint64_t native_sum_end(struct native_sum *s, uint32_t max_buckets)
{
    widen_to(s, s->zero_threshold);
    // No wider than has to be: else it would be narrower again when a lane's own zero bucket was widened, which is a reset to
    // Prometheus.
    limit(s, max_buckets, max_buckets);
    uint64_t count = s->zero_count;
    for (size_t i = 0; i < s->n; i++) {
        count += s->buckets[i].count;
    }
    return count;
}

void native_sum_free(struct native_sum *s)
{
    free(s->buckets);
    *s = (struct native_sum){.n = 0};
}

// ---- Rebuilding

// How a block has to be rebuilt so that a value has a bucket.
struct plan {
    uint32_t slots;
    int schema;
    double zero_threshold;
};

static struct plan plan_block(const struct native_block *b, uint32_t max_buckets, double v)
{
    struct native_bucket all[NATIVE_BUCKETS_MOST + 1];
    struct native_sum s = {.schema = b->schema,
                           .zero_threshold = b->zero_threshold,
                           .buckets = all,
                           .room = sizeof all / sizeof all[0]};
    for (uint32_t i = 1; i <= native_slots(b) && s.n < NATIVE_BUCKETS_MOST; i++) {
        uint64_t key = load(&b->slot[i].key);
        if (key != 0) {
            s.buckets[s.n++] = (struct native_bucket){is_negative(key), index_of(key), 0};
        }
    }
    s.buckets[s.n++] = (struct native_bucket){v < 0, native_index(schema_of(b), fabs(v)), 0};
    // Half of them at once, so that this is seldom.
    limit(&s, max_buckets, max_buckets / 2);
    // Room for as many again, since a block with more buckets tends to get more.
    uint32_t slots = native_slots_for((uint32_t)s.n);
    slots = slots < native_slots(b) ? native_slots(b) : slots;
    return (struct plan){slots, s.schema, s.zero_threshold};
}

// Fills a new block (init_block) with what another one has.
static void rebuild_block(struct native_block *to, const struct native_block *from)
{
    uint64_t zero = load(&from->slot[0].count);
    for (uint32_t i = 1, slots = native_slots(from); i <= slots; i++) {
        uint64_t key = load(&from->slot[i].key);
        uint64_t count = load(&from->slot[i].count);
        if (key == 0) {
            continue;
        }
        int32_t index = index_of(key);
        for (int schema = from->schema; schema > to->schema; schema--) {
            index = native_halve(index);
        }
        if (native_bound(to->schema, index) <= to->zero_threshold) {
            zero += count;
            continue;
        }
        key = native_key(is_negative(key), index);
        struct native_slot *slot = slot_of(to, key);
        if (slot == NULL) {
            return; // the page of the new block was lost already
        }
        if (load(&slot->key) == 0) {
            take_slot(to, slot, key);
        }
        atomic_store_explicit(&slot->count, load(&slot->count) + count, memory_order_relaxed);
    }
    atomic_store_explicit(&to->slot[0].count, zero, memory_order_relaxed);
}

// Fills a new block with a sum, which has the block's schema and zero threshold.
static void fill_block(struct native_block *b, const struct native_sum *sum)
{
    atomic_store_explicit(&b->slot[0].count, sum->zero_count, memory_order_relaxed);
    for (size_t i = 0; i < sum->n; i++) {
        uint64_t key = native_key(sum->buckets[i].negative, sum->buckets[i].index);
        struct native_slot *slot = slot_of(b, key);
        if (slot == NULL) {
            return;
        }
        take_slot(b, slot, key);
        atomic_store_explicit(&slot->count, sum->buckets[i].count, memory_order_relaxed);
    }
}

// ---- Of a series

static _Atomic uint32_t *handles(const struct record *r)
{
    bool has_place = r->payload >= sizeof(struct series_saved) + native_lane_payload(r->lanes);
    return has_place ? (_Atomic uint32_t *)(void *)((char *)record_payload(r) +
                                                    sizeof(struct series_saved))
                     : NULL;
}

uint32_t native_lane_piece(const struct record *r, unsigned lane)
{
    const _Atomic uint32_t *all = handles(r);
    return all != NULL ? atomic_load_explicit(&all[lane], memory_order_acquire) : 0;
}

struct native_block *native_lane_block(char *base, const struct record *r, unsigned lane)
{
    uint32_t handle = native_lane_piece(r, lane);
    struct native_block *b = handle != 0 ? arena_at(base, handle) : NULL;
    return b != NULL && native_slots(b) != 0 ? b : NULL;
}

// A new block of the lane, which nobody sees yet; 0: no memory.
static uint32_t make(struct arena *a, struct arena_writer *writer, uint32_t record, unsigned lane,
                     struct plan plan)
{
    uint32_t handle = arena_alloc(a, writer, native_block_size(plan.slots));
    if (handle != 0) {
        struct native_block *b = arena_at(arena_base(a), handle);
        memset(b, 0, native_block_size(plan.slots));
        init_block(b, plan.slots, plan.schema, plan.zero_threshold);
        b->tag = record_tag(arena_base(a), record, RECORD_MAX_LANES + lane);
    }
    return handle;
}

static int publish(_Atomic uint32_t *all, unsigned lane, uint32_t made)
{
    if (made == 0) {
        return -ENOMEM;
    }
    atomic_store_explicit(&all[lane], made, memory_order_release);
    return 0;
}

int native_lane_restore(struct arena *a, struct arena_writer *writer, uint32_t handle,
                        unsigned lane, const struct native_sum *sum)
{
    char *base = arena_base(a);
    _Atomic uint32_t *all = handles(record_at(base, handle));
    struct plan plan = {native_slots_for((uint32_t)sum->n), sum->schema, sum->zero_threshold};
    uint32_t made = all != NULL ? make(a, writer, handle, lane, plan) : 0;
    if (made != 0) {
        fill_block(arena_at(base, made), sum);
    }
    return publish(all, lane, made);
}

static int begin(struct arena *a, struct arena_writer *writer, uint32_t handle, unsigned lane,
                 const struct native_form *form, const struct native_classic *classic)
{
    struct native_sum sum = {.n = 0};
    native_sum_begin(&sum, form);
    native_sum_add_classic(&sum, classic->bounds, classic->n_bounds, classic->counts);
    native_sum_end(&sum, form->max_buckets);
    int rc = sum.failed ? -ENOMEM : native_lane_restore(a, writer, handle, lane, &sum);
    native_sum_free(&sum);
    return rc;
}

int native_lane_reserve(struct arena *a, struct arena_writer *writer, uint32_t handle,
                        unsigned lane, const struct native_form *form,
                        const struct native_classic *classic, double v)
{
    char *base = arena_base(a);
    const struct record *r = record_at(base, handle);
    _Atomic uint32_t *all = handles(r);
    if (all == NULL) {
        return -ENOMEM;
    }
    struct native_block *b = native_lane_block(base, r, lane);
    if (b == NULL) {
        int rc = begin(a, writer, handle, lane, form, classic);
        if (rc < 0) {
            return rc;
        }
        b = native_lane_block(base, r, lane);
    }
    if (native_reserve(b, form->max_buckets, v) != NULL) {
        return 0;
    }
    uint32_t made = make(a, writer, handle, lane, plan_block(b, form->max_buckets, v));
    if (made != 0) {
        struct native_block *next = arena_at(base, made);
        rebuild_block(next, b);
        next->previous = arena_handle(base, b);
        native_reserve(next, form->max_buckets, v);
    }
    int rc = publish(all, lane, made);
    if (rc == 0) {
        replace_block(b);
    }
    return rc;
}

bool native_lane_has_as_many(const struct native_block *b, size_t n_bounds,
                             const _Atomic uint64_t *counts)
{
    uint64_t more = 0; // than the classic ones
    for (uint32_t i = 0, slots = native_slots(b); i <= slots; i++) {
        more += atomic_load_explicit(&b->slot[i].count, memory_order_relaxed);
    }
    for (size_t i = 0; i <= n_bounds; i++) {
        more -= atomic_load_explicit(&counts[i], memory_order_relaxed);
    }
    return more == 0;
}

static bool is_whole(char *base, const struct record *r, unsigned lane, size_t n_bounds,
                     const struct native_block *b)
{
    const struct cell_histogram *c = record_cell_made(base, r, lane);
    return c != NULL && native_block_is_good(b, native_block_size(b->slots)) &&
           native_lane_has_as_many(b, n_bounds, c->counts);
}

void native_lane_repair(char *base, uint32_t handle, size_t n_bounds)
{
    const struct record *r = record_at(base, handle);
    _Atomic uint32_t *all = handles(r);
    for (unsigned i = 0; all != NULL && i < r->lanes; i++) {
        struct native_block *b = native_lane_block(base, r, i);
        if (b != NULL && is_whole(base, r, i, n_bounds, b)) {
            b->tag = record_tag(base, handle, RECORD_MAX_LANES + i);
        } else {
            atomic_store_explicit(&all[i], 0, memory_order_release);
            if (b != NULL) {
                replace_block(b);
            }
        }
    }
}

void native_lane_free(struct arena *a, const struct record *r)
{
    char *base = arena_base(a);
    _Atomic uint32_t *all = handles(r);
    for (unsigned i = 0; all != NULL && i < r->lanes; i++) {
        uint32_t handle = atomic_exchange(&all[i], 0);
        while (handle != 0) {
            const struct native_block *b = arena_at(base, handle);
            uint32_t slots = native_slots(b); // 0: its page is lost, and not used again
            uint32_t previous = b->previous;
            if (slots != 0) {
                arena_release(a, handle, native_block_size(slots));
            }
            handle = previous;
        }
    }
}
