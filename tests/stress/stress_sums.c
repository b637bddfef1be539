// SPDX-License-Identifier: Apache-2.0
/*
 * Many writers on many series of two metrics, and walkers beside them. Every sum is exact at the end, and so is every native
 * bucket; a walker sees whole histograms that only grow, in an order that stays, and whose native buckets, of which there are
 * so few that they are rebuilt with lower schemas, are never behind the classic ones.
 */
#include "stress.h"

enum { WRITERS = 4, WALKERS = 2, KEYS = 2000, VALUES = 64 };

static const struct native_form NATIVE = {4, 12, NATIVE_ZERO_THRESHOLD};

struct work {
    struct table *counters;
    struct table *histograms;
    uint64_t updates;
    _Atomic unsigned writing;
    unsigned lowered; // histograms at the end
    _Atomic uint64_t walks;
    uint64_t whole[WRITERS][KEYS]; // what each writer has added
    double rest[WRITERS][KEYS];
    uint64_t buckets[WRITERS][KEYS][5];
    double sum[WRITERS][KEYS];
    uint32_t observed[WRITERS][KEYS][VALUES]; // quarters
};

static void update(struct work *w, struct series_writer *writer, unsigned key, uint64_t r)
{
    struct series *s;
    unsigned i = writer->lane;
    int made = stress_place(w->counters, writer, key, &s);
    STRESS_CHECK(made >= 0, "error %d", made);
    double add = r % 4 == 0 ? (double)(r / 4 % 64) / 64 : (double)(r / 4 % 1000);
    cell_count(table_cell(w->counters, writer, s), add);
    table_publish(w->counters, s);
    if (add == (double)(uint64_t)add) {
        w->whole[i][key] += (uint64_t)add;
    } else {
        w->rest[i][key] += add;
    }
    made = stress_place(w->histograms, writer, key, &s);
    STRESS_CHECK(made >= 0, "error %d", made);
    unsigned quarters = (r >> 20) % VALUES;
    double v = quarters / 4.0;
    size_t bucket = cell_bucket(stress_bounds, 4, v);
    struct cell_histogram *c = table_cell(w->histograms, writer, s);
    STRESS_CHECK(table_reserve_native(w->histograms, writer, s, stress_bounds, &NATIVE, v) == 0,
                 "memory");
    struct native_block *b = native_lane_block(w->histograms->share->base, s->record, i);
    _Atomic uint64_t *count = native_reserve(b, NATIVE.max_buckets, v);
    uint64_t before = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, before + 1, memory_order_release);
    cell_observe(c, bucket, v);
    table_publish(w->histograms, s);
    w->buckets[i][key][bucket]++;
    w->sum[i][key] += v;
    w->observed[i][key][quarters]++;
}

static void write_series(struct work *w, unsigned lane)
{
    struct series_writer writer = {.lane = lane};
    uint64_t seed = 77 + lane;
    for (uint64_t n = 0; n < w->updates; n += 16) {
        rcu_enter();
        for (int i = 0; i < 16; i++) {
            uint64_t r = stress_random(&seed);
            update(w, &writer, (unsigned)(r >> 40) % KEYS, r);
        }
        rcu_leave();
    }
    atomic_fetch_sub(&w->writing, 1);
}

struct seen {
    uint64_t count[KEYS];
    uint64_t natives[KEYS];
    uint32_t slot[KEYS]; // + 1
    uint64_t round[KEYS];
};

static void walk(struct work *w, struct seen *seen, uint64_t round)
{
    struct native_sum native = {.n = 0};
    for (uint32_t i = 0; i < table_slots(w->histograms); i++) {
        struct series *s = table_at(w->histograms, i);
        if (s == NULL) {
            continue;
        }
        unsigned key = stress_key_of(s);
        STRESS_CHECK(seen->round[key] < round, "key %u stands there twice", key);
        STRESS_CHECK(seen->slot[key] == 0 || seen->slot[key] == i + 1, "key %u has moved", key);
        uint64_t counts[5];
        double sum;
        table_read_histogram(w->histograms, s, counts, &sum);
        uint64_t count = counts[0] + counts[1] + counts[2] + counts[3] + counts[4];
        STRESS_CHECK(count >= seen->count[key], "key %u has shrunk", key);
        STRESS_CHECK(sum >= (double)(counts[1] + counts[2] * 2 + counts[3] * 4 + counts[4] * 8),
                     "the sum of key %u is behind its buckets", key);
        uint64_t natives = table_read_native(w->histograms, s, stress_bounds, &NATIVE, &native);
        STRESS_CHECK(natives >= count && natives >= seen->natives[key] && !native.failed,
                     "the native buckets of key %u are behind", key);
        seen->natives[key] = natives;
        seen->count[key] = count;
        seen->slot[key] = i + 1;
        seen->round[key] = round;
    }
    native_sum_free(&native);
}

static void run(void *arg, unsigned i)
{
    struct work *w = arg;
    if (i < WRITERS) {
        write_series(w, i);
        return;
    }
    struct seen *seen = calloc(1, sizeof *seen);
    STRESS_CHECK(seen != NULL, "memory");
    for (uint64_t round = 1; atomic_load(&w->writing) > 0; round++) {
        rcu_enter();
        walk(w, seen, round);
        rcu_leave();
        atomic_fetch_add(&w->walks, 1);
    }
    free(seen);
}

static void compare_native(struct work *w, unsigned key, const struct series *s)
{
    struct native_sum native = {.n = 0};
    table_read_native(w->histograms, s, stress_bounds, &NATIVE, &native);
    STRESS_CHECK(!native.failed && native.n <= NATIVE.max_buckets &&
                     native.zero_threshold == NATIVE_ZERO_THRESHOLD,
                 "key %u", key);
    w->lowered += native.schema < NATIVE.schema;
    for (unsigned quarters = 0; quarters < VALUES; quarters++) {
        double v = quarters / 4.0;
        int32_t index = v > 0 ? native_index(native.schema, v) : 0;
        uint64_t *count = v > 0 ? NULL : &native.zero_count;
        for (size_t b = 0; b < native.n && v > 0; b++) {
            count = native.buckets[b].index == index ? &native.buckets[b].count : count;
        }
        for (unsigned i = 0; i < WRITERS; i++) {
            uint32_t n = w->observed[i][key][quarters];
            STRESS_CHECK(n == 0 || (count != NULL && *count >= n), "key %u: %g", key, v);
            *(n > 0 ? count : &native.zero_count) -= n;
        }
    }
    for (size_t b = 0; b < native.n; b++) {
        STRESS_CHECK(native.buckets[b].count == 0, "key %u: bucket %d", key,
                     native.buckets[b].index);
    }
    STRESS_CHECK(native.zero_count == 0, "key %u: zero bucket", key);
    native_sum_free(&native);
}

static void compare(struct work *w, unsigned key)
{
    uint64_t whole = 0;
    double rest = 0;
    uint64_t buckets[5] = {0};
    double sum = 0;
    for (unsigned i = 0; i < WRITERS; i++) {
        whole += w->whole[i][key];
        rest += w->rest[i][key];
        sum += w->sum[i][key];
        for (int b = 0; b < 5; b++) {
            buckets[b] += w->buckets[i][key][b];
        }
    }
    char text[32];
    size_t len = stress_key(text, sizeof text, key);
    struct series *s = table_find(w->counters, text, len, key_hash(text, len));
    if (s == NULL) {
        STRESS_CHECK(whole == 0 && rest == 0, "key %u is lost", key);
        return;
    }
    uint64_t got_whole;
    double got_rest;
    table_read_counter(w->counters, s, &got_whole, &got_rest);
    STRESS_CHECK(got_whole == whole && got_rest == rest, "key %u: %" PRIu64 " instead of %" PRIu64,
                 key, got_whole, whole);
    s = table_find(w->histograms, text, len, key_hash(text, len));
    STRESS_CHECK(s != NULL, "key %u", key);
    uint64_t got[5];
    double got_sum;
    table_read_histogram(w->histograms, s, got, &got_sum);
    STRESS_CHECK(memcmp(got, buckets, sizeof got) == 0 && got_sum == sum, "key %u", key);
    compare_native(w, key, s);
}

int main(void)
{
    struct work *w = calloc(1, sizeof *w);
    struct table_share share = {0};
    rcu_join();
    // Two that make one key hold two places for a moment.
    stress_share(&share, WRITERS, 2 * (KEYS + WRITERS));
    w->counters = stress_table(&share, METRIC_COUNTER, KEYS + WRITERS);
    w->histograms = stress_table(&share, METRIC_HISTOGRAM, KEYS + WRITERS);
    w->updates = stress_scaled(3000000);
    w->writing = WRITERS;
    stress_run(WRITERS + WALKERS, run, w);
    rcu_enter();
    for (unsigned key = 0; key < KEYS; key++) {
        compare(w, key);
    }
    rcu_leave();
    STRESS_CHECK(w->lowered > KEYS / 2, "%u of %d schemas fell", w->lowered, KEYS);
    printf("%d writers, %" PRIu64 " updates each, %" PRIu64 " series, %" PRIu64 " walks: exact\n",
           WRITERS, w->updates, atomic_load(&share.quota.used), atomic_load(&w->walks));
    table_free(w->counters);
    table_free(w->histograms);
    arena_free(share.arena);
    free(w);
    rcu_part();
    return 0;
}
