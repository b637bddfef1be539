// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "image.h"
#include "native_text.h"
#include "source/source.c"
#include "unit.h"

static const char catalog[] =
    "labels:\n  o: {values: [a, b], closed: true}\n"
    "metrics:\n"
    "  - {name: c_total, type: counter, help: h, component: any, labels: [x]}\n"
    "  - {name: g, type: gauge, help: h, component: any, labels: [x]}\n"
    "  - {name: s, type: histogram, help: h, component: any, labels: [x], buckets: [1, 2]}\n"
    "  - {name: owned, type: gauge, help: h, component: any, labels: [x], owner: source}\n"
    "  - {name: aged, type: gauge, help: h, component: any, labels: [x], ttl: 1h}\n"
    "  - {name: pre_total, type: counter, help: h, component: any, labels: [x, o], precreate: "
    "true, ttl: 1h}\n"
    "  - {name: n, type: histogram, help: h, component: any, labels: [x], buckets: [1, 2],\n"
    "     native: {max_buckets: 5}}\n";

static struct fixture old;
static struct fixture h;
static struct arena_writer writer;
static struct record_image image;

static void open_both(void)
{
    fixture_open(&old, catalog, 1000, 1000);
    rcu_part(); // each fixture joins
    fixture_open(&h, catalog, 1000, 1000);
    writer = (struct arena_writer){0};
    sources_bind(old.sources, old.store, &writer);
}

static void say(struct fixture *to, const char *metric, const char *x, double value)
{
    char line[256];
    snprintf(line, sizeof line, "{\"metric\":\"%s\",\"labels\":{\"x\":\"%s\"},\"value\":%g}",
             metric, x, value);
    ck_assert_msg(fixture_line(to, line).kind == EVENT_APPLIED, "%s", line);
}

// A source with a connection, which speaks from now on.
static struct source *enter(struct fixture *in, const char *name)
{
    uint32_t lease;
    struct source *src =
        fixture_enter(in->sources, &writer, COMPONENT_PROVIDER, name, false, in->p->now_ms, &lease);
    in->origin.owner.updater_id = source_updater_id(in->sources, src);
    in->origin.owner.lease = lease;
    return src;
}

static struct restored restore(void)
{
    image = image_of(&old);
    return image_restore(&h, &image);
}

static void end(void)
{
    image_free(&image);
    fixture_close(&old);
    rcu_join();
    fixture_close(&h);
}

static void fill(struct fixture *to)
{
    say(to, "c_total", "one", 2);
    say(to, "c_total", "two", 0.25);
    say(to, "g", "with \\\"quotes\\\" and \\\\", -7.5);
    say(to, "s", "one", 1.5);
    say(to, "s", "one", 100);
    say(to, "aged", "one", 1);
}

START_TEST(what_was_there_is_there_again_in_the_same_order)
{
    open_both();
    fill(&old);
    fixture_line(&old, "{");
    char *before = strdup(fixture_text_all(&old));
    struct restored done = restore();
    ck_assert_uint_eq(done.series, 5);
    ck_assert_uint_eq(image.damaged, 0);
    ck_assert_str_eq(fixture_text_all(&h), before);
    // It goes on from there.
    fill(&old);
    fill(&h);
    free(before);
    before = strdup(fixture_text_all(&old));
    ck_assert_str_eq(fixture_text_all(&h), before);
    free(before);
    end();
}
END_TEST

// As slots and memory are used again, neither families nor slots rise with the handles.
START_TEST(series_keep_their_order_wherever_their_records_are)
{
    for (int reused = 0; reused < 2; reused++) {
        open_both();
        say(&old, "s", "one", 1);
        say(&old, "g", "one", 1);
        say(&old, "c_total", "one", 3);
        say(&old, "g", "two", 2);
        struct table *t = schema_current(old.store)->families[1].table;
        if (reused) {
            rcu_enter();
            table_remove(t, table_at(t, 0));
            table_remove(t, table_at(t, 1));
            rcu_leave();
            schema_reclaim(old.store);
            say(&old, "g", "a name that needs more memory than the ones before", 4);
            say(&old, "g", "another name that needs more memory than these", 5);
            ck_assert_uint_gt(atomic_load(&table_at(t, 0)->handle),
                              atomic_load(&table_at(t, 1)->handle));
        }
        char *before = strdup(fixture_text_all(&old));
        restore();
        ck_assert_uint_eq(image.damaged, 0);
        ck_assert_str_eq(fixture_text_all(&h), before);
        free(before);
        end();
    }
}
END_TEST

START_TEST(a_series_that_was_never_published_is_not_there)
{
    open_both();
    struct table *t = schema_current(old.store)->families[0].table;
    struct series *s;
    struct series_writer own = {0};
    rcu_enter();
    ck_assert_int_eq(table_make(t, &own, "x=\"1\"", 5, 1, TABLE_WITHIN, &s), 1);
    ck_assert_int_eq(table_make(t, &own, "x=\"2\"", 5, 2, TABLE_WITHIN, &s), 1);
    table_publish(t, s);
    ck_assert_int_eq(table_make(t, &own, "x=\"3\"", 5, 3, TABLE_WITHIN, &s), 1);
    table_publish(t, s);
    table_remove(t, s);
    table_publish(t, s);
    table_persist(t, s); // too late
    rcu_leave();
    restore();
    ck_assert_str_eq(fixture_samples(&h), "c_total{x=\"2\"} 0\n");
    end();
}
END_TEST

START_TEST(of_two_series_with_one_key_the_younger_stays)
{
    for (int younger = 0; younger < 2; younger++) {
        open_both();
        say(&old, "g", "one", 1);
        say(&old, "g", "two", 2);
        const struct table *t = schema_current(old.store)->families[1].table;
        for (uint32_t i = 0; i < 2; i++) {
            // Both become "one", as a page from another time may say.
            struct series *s = table_at(t, i);
            memcpy((char *)(uintptr_t)record_text(s->record), "x=\"one\"", 7);
            s->record->created_ms = i == (uint32_t)younger ? 2000 : 1000;
            record_persist(t->share->base, atomic_load(&s->handle));
        }
        restore();
        ck_assert_str_eq(fixture_samples(&h),
                         younger == 0 ? "g{x=\"one\"} 1\n" : "g{x=\"one\"} 2\n");
        ck_assert_uint_eq(image.damaged, 1);
        end();
    }
}
END_TEST

// What a key may not be, though its check fits.
START_TEST(a_key_that_is_none_of_the_metric_is_left_out)
{
    static const char *const keys[] = {"x=\"\"aaaa",
                                       "y=\"aaaa\"",
                                       "x=\"aaaa,",
                                       "x=\"aa\"aa",
                                       "x=\"a\naa\"",
                                       "x=\"aaa\\\"",
                                       "x=\"a\\aa\"",
                                       ("x=\"a\xff"
                                        "aa\""),
                                       "xx=\"aaa\"",
                                       "x='aaaa'"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        open_both();
        say(&old, "g", "aaaa", 1);
        say(&old, "g", "good", 1);
        struct series *s = table_at(schema_current(old.store)->families[1].table, 0);
        ck_assert_uint_eq(s->record->text_len, strlen(keys[i]));
        memcpy((char *)(uintptr_t)record_text(s->record), keys[i], strlen(keys[i]));
        record_persist(old.store->share.base, atomic_load(&s->handle));
        restore();
        ck_assert_str_eq(fixture_samples(&h), "g{x=\"good\"} 1\n");
        ck_assert_uint_eq(image.damaged, 1);
        end();
    }
}
END_TEST

START_TEST(numbers_that_cannot_be_count_as_nothing)
{
    open_both();
    fill(&old);
    struct family *f = schema_current(old.store)->families;
    char *base = old.store->share.base;
    struct cell_counter *c = record_cell_made(base, table_at(f[0].table, 0)->record, 0);
    struct cell_counter *other = record_cell_made(base, table_at(f[0].table, 1)->record, 0);
    struct cell_histogram *s = record_cell_made(base, table_at(f[2].table, 0)->record, 0);
    atomic_store(&c->whole, CELL_WHOLE_MAX + 1);
    atomic_store(&other->rest, -1);
    atomic_store(&s->sum, (double)INFINITY);
    atomic_store(&s->counts[2], CELL_WHOLE_MAX + 1);
    atomic_store(series_gauge(table_at(f[1].table, 0)), (double)NAN);
    restore();
    ck_assert_uint_eq(image.damaged, 5);
    ck_assert_str_eq(fixture_samples(&h), "c_total{x=\"one\"} 0\n"
                                          "c_total{x=\"two\"} 0\n"
                                          "g{x=\"with \\\"quotes\\\" and \\\\\"} 0\n"
                                          "s_bucket{x=\"one\",le=\"1\"} 0\n"
                                          "s_bucket{x=\"one\",le=\"2\"} 1\n"
                                          "s_bucket{x=\"one\",le=\"+Inf\"} 1\n"
                                          "s_sum{x=\"one\"} 0\n"
                                          "s_count{x=\"one\"} 1\n"
                                          "aged{x=\"one\"} 1\n");
    end();
}
END_TEST

START_TEST(owned_series_wait_for_their_source_and_go_without_it)
{
    open_both();
    struct source *one = enter(&old, "one");
    say(&old, "owned", "one", 1);
    enter(&old, "two");
    say(&old, "owned", "two", 2);
    say(&old, "owned", "both", 3);
    enter(&old, "one");
    say(&old, "owned", "both", 3);
    atomic_store(&one->heard_real, 123456);
    sources_save(old.sources);
    restore();
    ck_assert_str_eq(fixture_samples(&h),
                     "owned{x=\"one\"} 1\nowned{x=\"two\"} 2\nowned{x=\"both\"} 3\n");
    uint32_t at = 0;
    const struct source *src = sources_next(h.sources, &at);
    ck_assert_str_eq(src->instance, "one");
    ck_assert_uint_eq(src->heard_real, 123456);
    ck_assert(!source_is_connected(src));
    // One comes back and says what it had; the other does not.
    h.p->now_ms += 20000;
    sources_tick(h.sources, h.store, h.p->now_ms);
    uint32_t lease;
    fixture_enter(h.sources, &writer, COMPONENT_PROVIDER, "one", true, h.p->now_ms, &lease);
    ck_assert_uint_eq(lease, src->lease);
    h.p->now_ms += SOURCE_GRACE_MS;
    sources_tick(h.sources, h.store, h.p->now_ms);
    ck_assert_str_eq(fixture_samples(&h), "owned{x=\"one\"} 1\nowned{x=\"both\"} 3\n");
    end();
}
END_TEST

START_TEST(an_owned_series_whose_leases_are_forgotten_is_that_of_those_who_set_it)
{
    open_both();
    enter(&old, "one");
    say(&old, "owned", "early", 1);
    for (int i = 0; i < 6; i++) { // more leases than are written down
        source_leave(old.sources, &old.sources->entries[old.origin.owner.updater_id - 1],
                     old.p->now_ms);
        enter(&old, "one");
    }
    say(&old, "owned", "late", 2);
    restore();
    ck_assert_str_eq(fixture_samples(&h), "owned{x=\"early\"} 1\nowned{x=\"late\"} 2\n");
    h.p->now_ms += SOURCE_GRACE_MS;
    sources_tick(h.sources, h.store, h.p->now_ms);
    ck_assert_str_eq(fixture_samples(&h), "");
    end();
}
END_TEST

START_TEST(an_owned_series_of_nobody_who_is_known_is_left_out)
{
    open_both();
    struct source *src = enter(&old, "one");
    say(&old, "owned", "one", 1);
    free_record(old.sources, src);
    restore();
    ck_assert_str_eq(fixture_samples(&h), "");
    const struct table *t = schema_current(h.store)->families[3].table;
    ck_assert_uint_eq(atomic_load(&t->stats->expired), 1);
    ck_assert_uint_eq(atomic_load(&t->quota.used), 0);
    end();
}
END_TEST

START_TEST(ages_go_on_also_on_another_boot)
{
    static const struct {
        uint32_t saved_s; // monotonic second of the update in the file
        uint32_t shift_s;
        uint32_t now_s;
        bool goes;
    } cases[] = {
        {1000, 0, 1000 + 3600, false},
        {1000, 0, 1000 + 3601, true},
        // Ten minutes went by without a process.
        {1000, 600, 1000 + 600 + 3600, false},
        {1000, 600, 1000 + 600 + 3601, true},
        // Updated 3000 s before the file's end at 5000; this boot began 10 s ago.
        {2000, 10u - 5000u, 10 + 600, false},
        {2000, 10u - 5000u, 10 + 601, true},
        {5000, 10u - 5000u, 10, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_both();
        say(&old, "aged", "one", 1);
        atomic_store(series_touched(table_at(schema_current(old.store)->families[4].table, 0)),
                     cases[i].saved_s);
        image = image_of(&old);
        image.ttl_shift_s = cases[i].shift_s;
        image_restore(&h, &image);
        ttl_expire(h.store, h.sources, cases[i].now_s);
        ck_assert_msg((*fixture_samples(&h) == '\0') == cases[i].goes, "case %zu", i);
        end();
    }
}
END_TEST

START_TEST(zero_series_wait_for_the_source_that_named_them)
{
    open_both();
    struct source *src = enter(&old, "one");
    static char x[] = "x";
    static char v[] = "v";
    struct origin_defaults labels = {.n = 1, .names = {x}, .values = {v}};
    rcu_enter();
    old.origin.owner.precreator_id = source_precreator_id(old.sources, src);
    event_precreate(old.p->reader, &labels, &old.origin, COMPONENT_PROVIDER,
                    source_namer_id(old.sources, src));
    rcu_leave();
    restore();
    const char *both = "pre_total{x=\"v\",o=\"a\"} 0\npre_total{x=\"v\",o=\"b\"} 0\n";
    uint32_t long_after = (uint32_t)(clock_mono_ms() / 1000) + 7200;
    sources_tick(h.sources, h.store, h.p->now_ms + SOURCE_GRACE_MS - 1);
    ttl_expire(h.store, h.sources, long_after);
    ck_assert_str_eq(fixture_samples(&h), both);
    uint32_t lease;
    src = fixture_enter(h.sources, &writer, COMPONENT_PROVIDER, "one", false, h.p->now_ms, &lease);
    sources_tick(h.sources, h.store, h.p->now_ms + SOURCE_GRACE_MS);
    ttl_expire(h.store, h.sources, long_after);
    ck_assert_str_eq(fixture_samples(&h), both);
    const struct owner maker = {.updater_id = source_updater_id(h.sources, src),
                                .precreator_id = source_precreator_id(h.sources, src)};
    int pre = catalog_find_metric(schema_current(h.store)->catalog, "pre_total", 9);
    const struct table *t = schema_current(h.store)->families[pre].table;
    ck_assert(owner_has_series(t, table_at(t, 0), &maker) &&
              owner_has_series(t, table_at(t, 1), &maker));
    source_leave(h.sources, src, h.p->now_ms);
    ttl_expire(h.store, h.sources, long_after);
    ck_assert_str_eq(fixture_samples(&h), "");
    end();
}
END_TEST

START_TEST(a_forget_finds_what_its_source_set_before_the_restart)
{
    open_both();
    enter(&old, "other"); // so that numbers differ
    enter(&old, "one");
    say(&old, "g", "one", 1);
    enter(&old, "two");
    say(&old, "g", "two", 1);
    free_record(old.sources, &old.sources->entries[CATALOG_MAX_COMPONENTS]);
    restore();
    const struct table *t = schema_current(h.store)->families[1].table;
    uint32_t at = 0;
    for (const struct source *src; (src = sources_next(h.sources, &at)) != NULL;) {
        for (uint32_t i = 0; i < 2; i++) {
            size_t len;
            const char *key = series_text(table_at(t, i), &len);
            ck_assert_int_eq(idset_has(t->share->base, series_ids(table_at(t, i)),
                                       source_updater_id(h.sources, src)),
                             strncmp(key + 3, src->instance, 3) == 0);
        }
    }
    end();
}
END_TEST

enum { MIXED = 60 };

static void put_mixed(double factor, unsigned from)
{
    char name[16];
    for (unsigned i = from; i < from + MIXED; i++) {
        snprintf(name, sizeof name, "v%03u", i);
        say(&old, "c_total", name, factor * (i + 1));
        say(&old, "s", name, factor * (i + 1));
    }
}

// Takes every third series away, so that others get its memory.
static void thin_out(struct table *t)
{
    rcu_enter();
    for (uint32_t i = 0; i < table_slots(t); i += 3) {
        struct series *s = table_at(t, i);
        if (s != NULL) {
            table_remove(t, s);
        }
    }
    rcu_leave();
}

// A power cut leaves each page as it was at some time: what is found is of one of these times, or nothing.
START_TEST(pages_of_different_ages_make_no_other_numbers)
{
    uint64_t seed = unit_seed() | 1;
    for (int round = 0; round < 60; round++) {
        open_both();
        struct record_image images[3];
        put_mixed(1, 0);
        images[0] = image_of(&old);
        thin_out(schema_current(old.store)->families[0].table);
        thin_out(schema_current(old.store)->families[2].table);
        schema_reclaim(old.store);
        put_mixed(1000, MIXED);
        images[1] = image_of(&old);
        thin_out(schema_current(old.store)->families[0].table);
        schema_reclaim(old.store);
        put_mixed(1000000, MIXED / 2);
        images[2] = image_of(&old);
        image = images[2];
        for (uint64_t at = ARENA_RESERVED; at < image.size; at += ARENA_PAGE) {
            const struct record_image *from = &images[unit_random(&seed) % 3];
            size_t len = image.size - at < ARENA_PAGE ? image.size - at : ARENA_PAGE;
            if (at + len <= from->size) {
                memcpy(image.base + at, from->base + at, len);
            }
        }
        image.power_cut = true;
        image_restore(&h, &image);
        const struct family *f = &schema_current(h.store)->families[0];
        unsigned found = 0;
        for (uint32_t i = 0; i < table_slots(f->table); i++) {
            struct series *s = table_at(f->table, i);
            uint64_t whole;
            double rest;
            if (s == NULL) {
                continue; // an older one gave way to it
            }
            table_read_counter(f->table, s, &whole, &rest);
            unsigned name = (unsigned)strtoul(record_text(s->record) + 4, NULL, 10);
            bool good = false;
            for (int k = 0; k < 8; k++) { // any of its three updates, or none
                good |= whole == (uint64_t)(name + 1) *
                                     ((k & 1) + (k & 2) / 2 * 1000u + (k & 4) / 4 * 1000000u);
            }
            ck_assert_msg(good && rest == 0, "v%03u is %lu", name, (unsigned long)whole);
            found++;
        }
        ck_assert_uint_gt(found, MIXED / 2);
        free(images[0].base);
        free(images[1].base);
        end();
    }
}
END_TEST

// Their values may be lower than what was scraped before; of two with one key the younger still stays.
START_TEST(counters_of_a_file_that_went_back_are_created_now)
{
    for (int back = 0; back < 3; back++) {
        open_both();
        fill(&old);
        const struct schema *was = schema_current(old.store);
        for (int f = 0; f < 3; f++) {
            struct table *t = was->families[f].table;
            for (uint32_t i = 0; i < table_slots(t); i++) {
                struct series *s = table_at(t, i);
                s->record->created_ms = 1000 + i;
                if (f == 0) { // both become "one"
                    memcpy((char *)(uintptr_t)record_text(s->record), "x=\"one\"", 7);
                }
                record_persist(t->share->base, atomic_load(&s->handle));
                record_repair_cells(t->share->base, atomic_load(&s->handle));
            }
        }
        uint64_t before = clock_real_ms();
        image = image_of(&old);
        image.power_cut = back == 1;
        image.behind = back == 2;
        image_restore(&h, &image);
        rcu_enter();
        for (int f = 0; f < 3; f++) {
            const struct table *t = schema_current(h.store)->families[f].table;
            bool renewed = back != 0 && t->type != METRIC_GAUGE;
            unsigned n = 0;
            for (uint32_t i = 0; i < table_slots(t); i++) {
                const struct series *s = table_at(t, i);
                if (s == NULL) {
                    continue;
                }
                n++;
                ck_assert_int_eq(s->record->created_ms >= before, renewed);
                ck_assert(renewed || s->record->created_ms == (f == 0 ? 1001 : 1000));
            }
            ck_assert_uint_eq(n, 1);
        }
        rcu_leave();
        ck_assert_ptr_nonnull(strstr(fixture_samples(&h), "c_total{x=\"one\"} 0.25\n"));
        // It is in the file like that: the next process finds the numbers.
        struct record_image again = image_of(&h);
        ck_assert_int_eq(record_scan(&again), 0);
        unsigned cells = 0;
        size_t at = 0;
        for (uint32_t handle; (handle = record_next(&again, RECORD_SERIES, &at)) != 0;) {
            const struct record *r = record_at(again.base, handle);
            for (unsigned lane = 0; lane < r->lanes; lane++) {
                cells += record_image_cell(&again, handle, lane, 8) != NULL;
            }
        }
        ck_assert_uint_eq(cells, 2);
        image_free(&again);
        end();
    }
}
END_TEST

START_TEST(native_buckets_are_there_again)
{
    for (int back = 0; back < 3; back++) {
        struct buf before = BUF_INIT;
        struct buf after = BUF_INIT;
        open_both();
        for (int i = 0; i < 40; i++) {
            say(&old, "n", "one", i / 4.0 - 2);
            say(&old, "n", i < 20 ? "two" : "three", 1);
        }
        native_text(old.store, &before);
        image = image_of(&old);
        image.power_cut = back == 1;
        image.behind = back == 2;
        image_restore(&h, &image);
        ck_assert_uint_eq(image.damaged, 0);
        native_text(h.store, &after);
        ck_assert_str_eq(buf_string(&after), buf_string(&before));
        // It is in the file like that, also where the series are created now, and goes on.
        struct record_image again = image_of(&h);
        ck_assert_int_eq(record_scan(&again), 0);
        unsigned blocks = 0;
        size_t at = 0;
        for (uint32_t handle; (handle = record_next(&again, RECORD_SERIES, &at)) != 0;) {
            const struct record *r = record_at(again.base, handle);
            uint32_t piece = r->lanes > 0 ? native_lane_piece(r, 0) : 0;
            blocks += record_image_piece(&again, handle, RECORD_MAX_LANES, piece,
                                         native_block_size(NATIVE_SLOTS_FIRST)) != NULL;
        }
        ck_assert_uint_eq(blocks, 3);
        ck_assert_uint_eq(again.damaged, 0);
        image_free(&again);
        say(&h, "n", "two", 1);
        buf_clear(&after);
        native_text(h.store, &after);
        ck_assert_ptr_nonnull(strstr(buf_string(&after), "+0=21\n"));
        buf_free(&before);
        buf_free(&after);
        end();
    }
}
END_TEST

// As after a power cut, if their pages were written at different times: either may be behind.
START_TEST(native_buckets_that_are_not_as_many_are_those_of_the_classic_ones)
{
    static const uint64_t counts[] = {2, 7};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct buf after = BUF_INIT;
        open_both();
        for (int k = 0; k < 4; k++) {
            say(&old, "n", "one", 0.3);
            say(&old, "n", "two", 0.3);
        }
        const struct series *s = table_at(schema_current(old.store)->families[6].table, 0);
        struct cell_histogram *c = record_cell_made(old.store->share.base, s->record, 0);
        atomic_store(&c->counts[0], counts[i]);
        restore();
        native_text(h.store, &after); // fails if they differ
        ck_assert_ptr_nonnull(strstr(buf_string(&after), i == 0 ? " +0=2\n" : " +0=7\n"));
        ck_assert_ptr_nonnull(strstr(buf_string(&after), " +-13=4\n"));
        buf_free(&after);
        end();
    }
}
END_TEST

UNIT_MAIN("restore", what_was_there_is_there_again_in_the_same_order,
          series_keep_their_order_wherever_their_records_are,
          a_series_that_was_never_published_is_not_there,
          of_two_series_with_one_key_the_younger_stays,
          a_key_that_is_none_of_the_metric_is_left_out, numbers_that_cannot_be_count_as_nothing,
          owned_series_wait_for_their_source_and_go_without_it,
          an_owned_series_whose_leases_are_forgotten_is_that_of_those_who_set_it,
          an_owned_series_of_nobody_who_is_known_is_left_out, ages_go_on_also_on_another_boot,
          zero_series_wait_for_the_source_that_named_them,
          a_forget_finds_what_its_source_set_before_the_restart,
          pages_of_different_ages_make_no_other_numbers,
          counters_of_a_file_that_went_back_are_created_now, native_buckets_are_there_again,
          native_buckets_that_are_not_as_many_are_those_of_the_classic_ones)
