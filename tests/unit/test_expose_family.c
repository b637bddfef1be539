// SPDX-License-Identifier: Apache-2.0
// A family beside whose walk series go and come again.
#include "expose/format.h"

static void disturb(struct format_sink *sink);
#define format_sink_flush_full disturb
#include "expose/format.c"
#undef format_sink_flush_full

#include "expose/expose.h"

#include "fixture.h"
#include "unit.h"

enum { SERIES = 40 };

static struct fixture h;
static unsigned disturbances; // to come
static unsigned walked;       // series of this walk
static uint32_t scrape;

static void make(int i)
{
    char line[100];
    snprintf(line, sizeof line, "{\"metric\":\"a_total\",\"labels\":{\"l\":\"%d\"}}", i);
    ck_assert_int_eq(fixture_line(&h, line).kind, EVENT_APPLIED);
}

static struct table *table(void)
{
    return schema_current(h.store)->families[0].table;
}

static void open_fixture(void)
{
    fixture_open(&h,
                 "metrics:\n  - {name: a_total, type: counter, help: A., component: manager, "
                 "labels: [l]}\n",
                 1000, 1000);
    for (int i = 0; i < SERIES; i++) {
        make(i);
    }
}

// Called behind each series. The first one goes when the walk is past it, and comes again in a slot to come.
static void disturb(struct format_sink *sink)
{
    (void)sink;
    if (++walked < SERIES / 2 || disturbances == 0) {
        return;
    }
    disturbances--;
    for (uint32_t slot = 0; slot < table_slots(table()); slot++) {
        struct series *s = table_at(table(), slot);
        if (s != NULL) {
            size_t len;
            int key = 0;
            const char *text = series_text(s, &len);
            ck_assert_int_eq(sscanf(text, "l=\"%d", &key), 1);
            ck_assert(table_remove(table(), s));
            make(key);
            return;
        }
    }
}

static void write_family(void)
{
    const struct format format = {.kind = FORMAT_TEXT};
    struct format_sink sink = format_sink_text(&h.text);
    buf_clear(&h.text);
    walked = 0;
    rcu_enter();
    ck_assert_int_eq(expose_family(&sink, &format, &schema_current(h.store)->families[0], scrape),
                     0);
    rcu_leave();
}

// How often each series stands in the text.
static unsigned shown(int i)
{
    char want[40];
    unsigned n = 0;
    snprintf(want, sizeof want, "\na_total{l=\"%d\"} 1\n", i);
    for (const char *at = buf_string(&h.text); (at = strstr(at, want)) != NULL; at++) {
        n++;
    }
    return n;
}

START_TEST(a_series_that_is_made_again_beside_a_walk_is_shown_once)
{
    for (unsigned n = 0; n <= SERIES / 2; n++) {
        open_fixture();
        disturbances = n;
        scrape = table_scrape(&h.store->share);
        write_family();
        ck_assert_uint_eq(disturbances, 0);
        for (int i = 0; i < SERIES; i++) {
            ck_assert_uint_eq(shown(i), 1);
        }
        fixture_close(&h);
    }
}
END_TEST

START_TEST(a_scrape_shows_what_was_there_when_it_began)
{
    open_fixture();
    scrape = table_scrape(&h.store->share);
    make(SERIES);
    write_family();
    ck_assert_uint_eq(shown(SERIES - 1), 1);
    ck_assert_uint_eq(shown(SERIES), 0);
    scrape = table_scrape(&h.store->share);
    write_family();
    ck_assert_uint_eq(shown(SERIES), 1);
    fixture_close(&h);
}
END_TEST

START_TEST(a_family_without_series_that_were_there_is_left_out)
{
    open_fixture();
    scrape = 0; // before anything was made
    write_family();
    ck_assert_uint_eq(h.text.len, 0);
    fixture_close(&h);
}
END_TEST

START_TEST(after_the_last_number_a_scrape_shows_all)
{
    open_fixture();
    atomic_store(&h.store->share.scrapes, UINT32_MAX - 3);
    for (int i = 0; i < 8; i++) {
        make(SERIES + i);
        scrape = table_scrape(&h.store->share);
        write_family();
        for (int known = 0; known <= SERIES + i; known++) {
            ck_assert_uint_eq(shown(known), 1);
        }
    }
    fixture_close(&h);
}
END_TEST

UNIT_MAIN("expose_family", a_series_that_is_made_again_beside_a_walk_is_shown_once,
          a_scrape_shows_what_was_there_when_it_began,
          a_family_without_series_that_were_there_is_left_out,
          after_the_last_number_a_scrape_shows_all)
