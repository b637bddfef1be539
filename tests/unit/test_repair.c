// SPDX-License-Identifier: Apache-2.0

#include "base/rcu.h"
#include "series_unit.h"

static const char CATALOG[] =
    "metrics:\n"
    "  - {name: a_total, type: counter, help: h, component: any, labels: [l]}\n";

static struct series_store *store;
static struct table *t;

static void begin(uint64_t limit)
{
    rcu_join();
    store = unit_store(CATALOG, limit, limit);
    t = unit_table(store, "a_total");
}

static void end(void)
{
    schema_close(store);
    rcu_part();
}

// A series with a cell, and with more ids than fit its word.
static struct series *add_full(const char *key)
{
    rcu_enter();
    struct series *s = unit_add(t, key);
    struct cell_counter *c = table_cell(t, &unit_writer, s);
    ck_assert_ptr_nonnull(c);
    cell_count(c, 3);
    struct idset_memory room = table_idset_memory(t, &unit_writer);
    for (uint32_t id = 1; id <= 5; id++) {
        ck_assert_int_eq(idset_add(series_ids(s), id, &room), 1);
    }
    rcu_leave();
    return s;
}

// As if another process had written these bytes over the record and its payload, or its page had been lost.
static void overwrite(struct series *s, int byte)
{
    memset(s->record, byte, sizeof *s->record + sizeof(struct series_saved));
}

static uint64_t counted(void)
{
    ck_assert_uint_eq(atomic_load(&t->quota.used), atomic_load(&store->share.quota.used));
    return atomic_load(&t->quota.used);
}

START_TEST(a_lost_folded_series_gives_no_place_back)
{
    static const int bytes[] = {0, 0xEE, 0xFF};
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        begin(1);
        rcu_enter();
        unit_add(t, "l=\"1\"");
        struct series *s = NULL;
        uint64_t hash = key_hash("l=\"other\"", 9);
        ck_assert_int_eq(table_make(t, &unit_writer, "l=\"other\"", 9, hash, TABLE_FOLDED, &s), 1);
        table_publish(t, s);
        rcu_leave();
        overwrite(s, bytes[i]);
        ck_assert_uint_eq(schema_repair(store), 1);
        ck_assert_uint_eq(counted(), 1);
        ck_assert_uint_eq(unit_reclaim(t), 1);
        ck_assert_str_eq(unit_keys(t), "l=\"1\" ");
        end();
    }
}
END_TEST

START_TEST(foreign_bytes_in_place_of_a_record_are_not_followed)
{
    for (int byte = 0; byte <= 0xFF; byte += 0x11) {
        begin(100);
        struct series *whole = add_full("l=\"whole\"");
        struct series *lost = add_full("l=\"lost\"");
        struct series *removed = add_full("l=\"removed\"");
        rcu_enter();
        ck_assert(table_remove(t, removed));
        rcu_leave();
        overwrite(lost, byte);
        overwrite(removed, byte);
        ck_assert_uint_eq(schema_repair(store), 1);
        ck_assert_uint_eq(counted(), 1);
        ck_assert_uint_eq(unit_reclaim(t), 2);
        // Their slots are used again, and nothing of the one that is whole.
        for (int i = 0; i < 20; i++) {
            char key[16];
            snprintf(key, sizeof key, "l=\"%d\"", i);
            add_full(key);
        }
        uint64_t sum;
        double rest;
        table_read_counter(t, whole, &sum, &rest);
        ck_assert_uint_eq(sum, 3);
        ck_assert(unit_ids_has(whole, 5));
        ck_assert_uint_eq(counted(), 21);
        end();
    }
}
END_TEST

UNIT_MAIN("repair", a_lost_folded_series_gives_no_place_back,
          foreign_bytes_in_place_of_a_record_are_not_followed)
