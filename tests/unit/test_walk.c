// SPDX-License-Identifier: Apache-2.0
#include "series/table.h"

#include "series_unit.h"

static const char CATALOG[] =
    "metrics:\n"
    "  - {name: c_total, type: counter, help: C., labels: [a]}\n"
    "  - {name: g, type: gauge, help: G., labels: [a]}\n"
    "  - {name: h, type: histogram, help: H., labels: [a], buckets: [1, 2]}\n";

static const char *const NAMES[] = {"c_total", "g", "h"};

// As many series as that, each third of them removed again; `cells`: with numbers.
static void fill(struct table *t, uint32_t n, bool cells)
{
    for (uint32_t i = 0; i < n; i++) {
        char key[32];
        snprintf(key, sizeof key, "a=\"%u\"", i);
        struct series *s = unit_add(t, key);
        if (cells && t->cell_size > 0) {
            ck_assert_ptr_nonnull(table_cell(t, &unit_writer, s));
        }
        if (i % 3 == 1) {
            ck_assert(table_remove(t, s));
        }
    }
}

START_TEST(a_walk_gives_what_a_look_at_every_slot_gives)
{
    static const uint32_t sizes[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 128, 129, 1000};
    rcu_join();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t m = 0; m < 3; m++) {
            struct series_store *store = unit_store(CATALOG, 10000, 10000);
            struct table *t = unit_table(store, NAMES[m]);
            rcu_enter();
            fill(t, sizes[i], i % 2 == 0);
            struct table_walk walk = table_walk_begin(t, TABLE_WALK_ALL);
            for (uint32_t slot = 0; slot < table_slots(t); slot++) {
                const struct series *s = table_at(t, slot);
                if (s != NULL) {
                    ck_assert_ptr_eq(table_walk_next(&walk), s);
                }
            }
            ck_assert_ptr_null(table_walk_next(&walk));
            ck_assert_ptr_null(table_walk_next(&walk));
            rcu_leave();
            schema_close(store);
        }
    }
    rcu_part();
}
END_TEST

START_TEST(a_walk_may_begin_at_any_slot)
{
    rcu_join();
    struct series_store *store = unit_store(CATALOG, 10000, 10000);
    struct table *t = unit_table(store, NAMES[0]);
    rcu_enter();
    fill(t, 600, false);
    for (uint32_t first = 0; first < table_slots(t); first++) {
        struct table_walk walk = table_walk_begin(t, TABLE_WALK_ALL);
        walk.slot = first;
        const struct series *s = NULL;
        for (uint32_t slot = first; s == NULL && slot < table_slots(t); slot++) {
            s = table_at(t, slot);
        }
        ck_assert_ptr_eq(table_walk_next(&walk), s);
    }
    rcu_leave();
    schema_close(store);
    rcu_part();
}
END_TEST

UNIT_MAIN("walk", a_walk_gives_what_a_look_at_every_slot_gives, a_walk_may_begin_at_any_slot)
