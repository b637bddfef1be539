// SPDX-License-Identifier: Apache-2.0
// A family beside whose walk series go and come again.
#include "expose/sink.h"

static void disturb(struct sink *sink);
#define sink_flow disturb
#include "expose/family.c"
#undef sink_flow

#include "house.h"
#include "unit.h"

enum { SERIES = 40 };

static struct house h;
static unsigned disturbances; // to come, one a walk
static unsigned walked;       // series in this walk
static unsigned walks;
static size_t len_before; // of the text, at the series before

static void make(int i)
{
    char line[100];
    snprintf(line, sizeof line, "{\"metric\":\"a_total\",\"labels\":{\"l\":\"%d\"}}", i);
    ck_assert_int_eq(house_line(&h, line).kind, EVENT_APPLIED);
}

static struct table *table(void)
{
    return schema_current(h.store)->families[0].table;
}

static void open_house(void)
{
    house_open(&h,
               "metrics:\n  - {name: a_total, type: counter, help: A., component: manager, "
               "labels: [l]}\n",
               1000, 1000);
    for (int i = 0; i < SERIES; i++) {
        make(i);
    }
}

// Called behind each series. The first one goes when the walk is past it, and comes again in a slot to come.
static void disturb(struct sink *sink)
{
    bool anew = sink->text->len <= len_before;
    len_before = sink->text->len;
    walked = anew ? 1 : walked + 1;
    walks += anew;
    if (walked != SERIES / 2 || disturbances == 0) {
        return;
    }
    for (uint32_t slot = 0; slot < table_slots(table()); slot++) {
        struct series *s = table_at(table(), slot);
        if (s != NULL) {
            size_t len;
            int key = 0;
            const char *text = series_text(s, &len);
            ck_assert_int_eq(sscanf(text, "l=\"%d", &key), 1);
            ck_assert(table_remove(table(), s));
            make(key);
            disturbances--;
            return;
        }
    }
}

static void write_all_of_it(void)
{
    const struct format format = {.open = false};
    struct sink sink = sink_text(&h.text);
    buf_clear(&h.text);
    buf_str(&h.text, "before\n");
    walks = 0;
    len_before = SIZE_MAX;
    rcu_enter();
    ck_assert_int_eq(family_write(&sink, &format, &schema_current(h.store)->families[0]), 0);
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

START_TEST(a_walk_beside_which_series_went_is_made_again)
{
    for (unsigned n = 0; n < 5; n++) {
        open_house();
        disturbances = n;
        write_all_of_it();
        ck_assert_uint_eq(walks, n + 1);
        for (int i = 0; i < SERIES; i++) {
            ck_assert_uint_eq(shown(i), 1);
        }
        ck_assert_int_eq(strncmp(h.text.p, "before\n# HELP a_total A.\n", 25), 0);
        house_close(&h);
    }
}
END_TEST

START_TEST(under_removals_without_end_the_last_walk_stands)
{
    open_house();
    disturbances = 1000;
    write_all_of_it();
    ck_assert_uint_eq(walks, WALKS_MOST);
    ck_assert_uint_eq(1000 - disturbances, WALKS_MOST);
    for (int i = 0; i < SERIES; i++) {
        ck_assert_uint_ge(shown(i), 1);
    }
    house_close(&h);
}
END_TEST

UNIT_MAIN("family", a_walk_beside_which_series_went_is_made_again,
          under_removals_without_end_the_last_walk_stands)
