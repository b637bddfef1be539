// SPDX-License-Identifier: Apache-2.0
#include "event/event.h"

#include "house.h"
#include "unit.h"

static const char CATALOG[] =
    "labels:\n"
    "  k: {values: [one], aliases: {uno: one}}\n"
    "  c: {values: [x, y], closed: true}\n"
    "metrics:\n"
    "  - {name: a_total, type: counter, help: h, labels: [k, p]}\n"
    "  - {name: b, type: gauge, help: h, labels: [p]}\n"
    "  - {name: z_total, type: counter, help: h, labels: [p, c], precreate: true}\n";

static struct house h;
static struct claimant other; // another source than the house's own

static void open_two(void)
{
    house_open(&h, CATALOG, 100, 100);
    uint32_t life;
    const struct source *src = source_enter(h.sources, NULL, COMPONENT_PROVIDER,
                                            (struct slice){"vc1", 3}, h.p->now_ms, &life);
    other = (struct claimant){.base = source_base(h.sources, src), .life = life};
}

static void say(const struct claimant *who, const char *line)
{
    struct claimant own = h.origin.claimant;
    h.origin.claimant = *who;
    struct event_verdict v = house_line(&h, line);
    ck_assert_msg(v.kind == EVENT_APPLIED, "%s: %s", line, v.detail);
    h.origin.claimant = own;
}

// How many series a source's forget removes.
static uint64_t forget(const struct claimant *who, const char *labels)
{
    struct event_origin origin = {.claimant = *who};
    struct event_verdict v;
    char line[300];
    snprintf(line, sizeof line, "{\"forget\":{\"labels\":%s}}", labels);
    rcu_enter();
    event_line(h.p->reader, &h.origin, line, strlen(line), &v);
    ck_assert_msg(v.kind == EVENT_CONTROL, "%s: %s", line, v.detail);
    uint64_t n = event_forget(h.p->reader, &v.control.forget, &origin);
    rcu_leave();
    return n;
}

#define A(k, p) "{\"metric\":\"a_total\",\"labels\":{\"k\":\"" k "\",\"p\":\"" p "\"}}"
#define B(p) "{\"metric\":\"b\",\"labels\":{\"p\":\"" p "\"},\"value\":1}"

START_TEST(series_with_all_these_values_go)
{
    open_two();
    const struct claimant *own = &h.origin.claimant;
    say(own, A("uno", "1"));
    say(own, A("two", "1"));
    say(own, A("uno", "2"));
    say(own, B("1"));
    say(own, B("2"));
    ck_assert_uint_eq(forget(own, "{\"k\":\"one\",\"p\":\"1\"}"), 1);
    ck_assert_uint_eq(forget(own, "{\"k\":\"one\",\"p\":\"1\"}"), 0);
    ck_assert_uint_eq(forget(own, "{\"p\":\"1\"}"), 2);
    ck_assert_uint_eq(forget(own, "{\"k\":\"uno\"}"), 1);
    ck_assert_uint_eq(forget(own, "{\"p\":\"2\",\"unheard\":\"of\"}"), 0);
    ck_assert_str_eq(house_samples(&h), "b{p=\"2\"} 1\n");
    house_close(&h);
}
END_TEST

START_TEST(only_what_this_source_updated_goes)
{
    open_two();
    say(&h.origin.claimant, B("1"));
    say(&other, B("2"));
    say(&other, B("1"));
    ck_assert_uint_eq(forget(&other, "{\"p\":\"2\"}"), 1);
    ck_assert_uint_eq(forget(&h.origin.claimant, "{\"p\":\"2\"}"), 0);
    say(&h.origin.claimant, B("3"));
    ck_assert_uint_eq(forget(&other, "{\"p\":\"3\"}"), 0);
    ck_assert_uint_eq(forget(&other, "{\"p\":\"1\"}"), 1);
    ck_assert_str_eq(house_samples(&h), "b{p=\"3\"} 1\n");
    house_close(&h);
}
END_TEST

START_TEST(what_it_precreated_goes_too)
{
    open_two();
    char name[] = "p";
    char value[] = "1";
    struct event_defaults d = {.n = 1, .names = {name}, .values = {value}};
    rcu_enter();
    event_precreate(h.p->reader, &d, &(struct event_origin){.claimant = other}, 7);
    rcu_leave();
    ck_assert_uint_eq(forget(&h.origin.claimant, "{\"p\":\"1\"}"), 0);
    ck_assert_uint_eq(forget(&other, "{\"c\":\"z\"}"), 0);
    ck_assert_uint_eq(forget(&other, "{\"c\":\"x\"}"), 1);
    ck_assert_uint_eq(forget(&other, "{\"p\":\"1\"}"), 1);
    ck_assert_str_eq(house_samples(&h), "");
    house_close(&h);
}
END_TEST

START_TEST(values_are_compared_as_they_were_before_escaping)
{
    open_two();
    say(&other, B("a\\\"b\\\\c\\n"));
    say(&other, B("a"));
    ck_assert_uint_eq(forget(&other, "{\"p\":\"a\\\\\\\"b\"}"), 0);
    ck_assert_uint_eq(forget(&other, "{\"p\":\"a\\\"b\\\\c\\n\"}"), 1);
    ck_assert_str_eq(house_samples(&h), "b{p=\"a\"} 1\n");
    house_close(&h);
}
END_TEST

START_TEST(a_forgotten_series_begins_anew)
{
    open_two();
    say(&other, A("a", "1"));
    say(&other, A("a", "1"));
    ck_assert_uint_eq(forget(&other, "{\"p\":\"1\"}"), 1);
    say(&other, A("a", "1"));
    ck_assert_str_eq(house_samples(&h), "a_total{k=\"a\",p=\"1\"} 1\n");
    ck_assert_uint_eq(count_read(&h.store->share.count), 1);
    house_close(&h);
}
END_TEST

UNIT_MAIN("forget", series_with_all_these_values_go, only_what_this_source_updated_goes,
          what_it_precreated_goes_too, values_are_compared_as_they_were_before_escaping,
          a_forgotten_series_begins_anew)
