// SPDX-License-Identifier: Apache-2.0
/*
 * Threads that write exemplars to the same few places while others read them: what is read is one that was
 * written, whole. Each is one letter over and over, as long as the letter says, and so are its value and its time.
 */
#include "series/exemplar.h"

#include "stress.h"

enum { WRITERS = 2, READERS = 2, SERIES = 3, BUCKETS = 5 };

struct work {
    struct table *table;
    struct series *series[SERIES];
    uint64_t rounds;
    _Atomic unsigned writing; // writers that have not ended
    _Atomic uint64_t kept;
    _Atomic uint64_t read;
};

static size_t len_of(char letter)
{
    return (size_t)(letter - 'A' + 1) * (EXEMPLAR_LABELS / 26);
}

static void write_some(struct work *w, unsigned i)
{
    uint64_t seed = i + 1;
    for (uint64_t n = 0; n < w->rounds; n++) {
        uint64_t r = stress_random(&seed);
        char text[EXEMPLAR_LABELS];
        char letter = (char)('A' + r % 26);
        memset(text, letter, sizeof text);
        rcu_enter();
        if (exemplar_keep(table_exemplars(w->table, w->series[r / 26 % SERIES]), r / 128 % BUCKETS,
                          text, len_of(letter), letter, (uint64_t)letter * 1000)) {
            atomic_fetch_add(&w->kept, 1);
        }
        rcu_leave();
    }
    atomic_fetch_sub(&w->writing, 1);
}

static void look(struct work *w, const struct series *s, size_t bucket)
{
    char text[EXEMPLAR_TEXT];
    const struct exemplars *all = series_exemplars(s);
    size_t len = all != NULL ? exemplar_read(all, bucket, text) : 0;
    if (len == 0) {
        return;
    }
    char numbers[40];
    size_t n = (size_t)snprintf(numbers, sizeof numbers, "%d %d.000", text[0], text[0]);
    STRESS_CHECK(len == len_of(text[0]) + n && memcmp(text + len - n, numbers, n) == 0,
                 "%zu bytes of %c", len, text[0]);
    for (size_t i = 1; i < len - n; i++) {
        STRESS_CHECK(text[i] == text[0], "%c and %c", text[0], text[i]);
    }
    atomic_fetch_add(&w->read, 1);
}

static void work(void *arg, unsigned i)
{
    struct work *w = arg;
    if (i < WRITERS) {
        write_some(w, i);
        return;
    }
    do {
        rcu_enter();
        for (size_t k = 0; k < SERIES * BUCKETS; k++) {
            look(w, w->series[k % SERIES], k / SERIES);
        }
        rcu_leave();
    } while (atomic_load(&w->writing) > 0);
}

int main(void)
{
    struct table_share share = {0};
    struct series_writer writer = {0};
    struct work w = {.rounds = stress_scaled(2000000), .writing = WRITERS};
    rcu_join();
    stress_share(&share, 1, 100);
    w.table = stress_table(&share, METRIC_HISTOGRAM, 100);
    rcu_enter();
    for (unsigned i = 0; i < SERIES; i++) {
        STRESS_CHECK(stress_place(w.table, &writer, i, &w.series[i]) == 1, "series");
        table_publish(w.table, w.series[i]);
    }
    rcu_leave();
    stress_run(WRITERS + READERS, work, &w);
    STRESS_CHECK(w.kept > 0 && w.read > 0, "%" PRIu64 " kept, %" PRIu64 " read", w.kept, w.read);
    STRESS_CHECK(share.exemplars == SERIES * BUCKETS, "%" PRIu64 " places", share.exemplars);
    table_free(w.table);
    STRESS_CHECK(share.exemplars == 0, "%" PRIu64 " places are left", share.exemplars);
    arena_free(share.arena);
    rcu_part();
    printf("%" PRIu64 " kept, %" PRIu64 " read\n", w.kept, w.read);
    return 0;
}
