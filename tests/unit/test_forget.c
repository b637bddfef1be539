// SPDX-License-Identifier: Apache-2.0
#include "event/event.h"

#include "dialogue.h"
#include "fixture.h"
#include "forget.h"
#include "unit.h"

static const char CATALOG[] =
    "labels:\n"
    "  k: {values: [one], aliases: {uno: one}}\n"
    "  c: {values: [x, y], closed: true}\n"
    "metrics:\n"
    "  - {name: a_total, type: counter, help: h, labels: [k, p]}\n"
    "  - {name: b, type: gauge, help: h, labels: [p]}\n"
    "  - {name: z_total, type: counter, help: h, labels: [p, c], precreate: true}\n";

static struct fixture h;
static struct owner other; // another source than the fixture's own

static void open_two(void)
{
    fixture_open(&h, CATALOG, 100, 100);
    uint32_t lease;
    const struct source *src =
        fixture_enter(h.sources, NULL, COMPONENT_PROVIDER, "vc1", false, h.p->now_ms, &lease);
    other = (struct owner){.updater_id = source_updater_id(h.sources, src),
                           .precreator_id = source_precreator_id(h.sources, src),
                           .lease = lease};
}

static void say(const struct owner *who, const char *line)
{
    struct owner own = h.origin.owner;
    h.origin.owner = *who;
    struct event_result v = fixture_line(&h, line);
    ck_assert_msg(v.kind == EVENT_APPLIED, "%s: %s", line, v.rejection.detail);
    h.origin.owner = own;
}

// How many series a source's forget removes.
static uint64_t forget(const struct owner *who, const char *labels)
{
    struct origin origin = {.owner = *who};
    struct event_result v;
    char line[300];
    snprintf(line, sizeof line, "{\"forget\":{\"labels\":%s}}", labels);
    rcu_enter();
    event_line(h.p->reader, &h.origin, line, strlen(line), &v);
    ck_assert_msg(v.kind == EVENT_CONTROL, "%s: %s", line, v.rejection.detail);
    uint64_t n = forget_all(h.store, &v.control.forget, &origin);
    rcu_leave();
    return n;
}

#define A(k, p) "{\"metric\":\"a_total\",\"labels\":{\"k\":\"" k "\",\"p\":\"" p "\"}}"
#define B(p) "{\"metric\":\"b\",\"labels\":{\"p\":\"" p "\"},\"value\":1}"

START_TEST(series_with_all_these_values_go)
{
    open_two();
    const struct owner *own = &h.origin.owner;
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
    ck_assert_str_eq(fixture_samples(&h), "b{p=\"2\"} 1\n");
    fixture_close(&h);
}
END_TEST

START_TEST(only_what_this_source_updated_goes)
{
    open_two();
    say(&h.origin.owner, B("1"));
    say(&other, B("2"));
    say(&other, B("1"));
    ck_assert_uint_eq(forget(&other, "{\"p\":\"2\"}"), 1);
    ck_assert_uint_eq(forget(&h.origin.owner, "{\"p\":\"2\"}"), 0);
    say(&h.origin.owner, B("3"));
    ck_assert_uint_eq(forget(&other, "{\"p\":\"3\"}"), 0);
    ck_assert_uint_eq(forget(&other, "{\"p\":\"1\"}"), 1);
    ck_assert_str_eq(fixture_samples(&h), "b{p=\"3\"} 1\n");
    fixture_close(&h);
}
END_TEST

START_TEST(what_it_precreated_goes_too)
{
    open_two();
    char name[] = "p";
    char value[] = "1";
    struct origin_defaults d = {.n = 1, .names = {name}, .values = {value}};
    rcu_enter();
    event_precreate(h.p->reader, &d, &(struct origin){.owner = other}, COMPONENT_PROVIDER,
                    fixture_named(&other));
    rcu_leave();
    ck_assert_uint_eq(forget(&h.origin.owner, "{\"p\":\"1\"}"), 0);
    ck_assert_uint_eq(forget(&other, "{\"c\":\"z\"}"), 0);
    ck_assert_uint_eq(forget(&other, "{\"c\":\"x\"}"), 1);
    ck_assert_uint_eq(forget(&other, "{\"p\":\"1\"}"), 1);
    ck_assert_str_eq(fixture_samples(&h), "");
    fixture_close(&h);
}
END_TEST

#define Z(c) "{\"metric\":\"z_total\",\"labels\":{\"p\":\"1\",\"c\":\"" c "\"},\"value\":2}"

static void precreate(const struct owner *who)
{
    char name[] = "p";
    char value[] = "1";
    struct origin_defaults d = {.n = 1, .names = {name}, .values = {value}};
    rcu_enter();
    event_precreate(h.p->reader, &d, &(struct origin){.owner = *who}, COMPONENT_PROVIDER,
                    fixture_named(who));
    rcu_leave();
}

START_TEST(a_group_is_not_owned_by_who_names_it_or_updates_one_of_it)
{
    open_two();
    const struct owner *own = &h.origin.owner;
    say(own, Z("x")); // and pre-creates y
    precreate(&other);
    ck_assert_uint_eq(forget(&other, "{\"p\":\"1\"}"), 0);
    say(&other, Z("y")); // now it is nobody's for having been pre-created
    ck_assert_uint_eq(forget(own, "{\"c\":\"y\"}"), 0);
    say(own, Z("y"));
    ck_assert_uint_eq(forget(&other, "{\"c\":\"x\"}"), 0);
    ck_assert_str_eq(fixture_samples(&h),
                     "z_total{p=\"1\",c=\"x\"} 2\nz_total{p=\"1\",c=\"y\"} 4\n");
    ck_assert_uint_eq(forget(&other, "{\"p\":\"1\"}"), 1);
    ck_assert_uint_eq(forget(own, "{\"p\":\"1\"}"), 1);
    fixture_close(&h);
}
END_TEST

START_TEST(what_somebody_else_updated_stays_after_a_precreation)
{
    open_two();
    precreate(&other);
    say(&h.origin.owner, Z("x"));
    ck_assert_uint_eq(forget(&other, "{\"p\":\"1\"}"), 1);
    ck_assert_str_eq(fixture_samples(&h), "z_total{p=\"1\",c=\"x\"} 2\n");
    say(&other, Z("x"));
    ck_assert_uint_eq(forget(&other, "{\"p\":\"1\"}"), 1);
    fixture_close(&h);
}
END_TEST

START_TEST(values_are_compared_as_they_were_before_escaping)
{
    open_two();
    say(&other, B("a\\\"b\\\\c\\n"));
    say(&other, B("a"));
    ck_assert_uint_eq(forget(&other, "{\"p\":\"a\\\\\\\"b\"}"), 0);
    ck_assert_uint_eq(forget(&other, "{\"p\":\"a\\\"b\\\\c\\n\"}"), 1);
    ck_assert_str_eq(fixture_samples(&h), "b{p=\"a\"} 1\n");
    fixture_close(&h);
}
END_TEST

START_TEST(a_forgotten_series_begins_anew)
{
    open_two();
    say(&other, A("a", "1"));
    say(&other, A("a", "1"));
    ck_assert_uint_eq(forget(&other, "{\"p\":\"1\"}"), 1);
    say(&other, A("a", "1"));
    ck_assert_str_eq(fixture_samples(&h), "a_total{k=\"a\",p=\"1\"} 1\n");
    ck_assert_uint_eq(count_read(&h.store->share.quota.used), 1);
    fixture_close(&h);
}
END_TEST

// Makes that many series of b, as the connection's source.
static void make_many(struct dialogue *d, int n)
{
    for (int i = 0; i < n; i++) {
        char line[80];
        snprintf(line, sizeof line, B("%d") "\n", i);
        dialogue_line(d, line);
    }
}

START_TEST(a_forget_ends_the_read_and_is_done_in_steps)
{
    enum { SERIES = 5 * CONNECTION_FORGET };
    struct dialogue d;
    struct dialogue other_one;
    char *input;
    fixture_open(&h, CATALOG, SERIES + 10, SERIES + 10);
    input = h.ingest->workers[0].input;
    dialogue_open(&d, &h);
    dialogue_open(&other_one, &h);
    dialogue_line(&d, "{\"hello\":{\"component\":\"provider\",\"instance\":\"i\"}}\n");
    make_many(&d, SERIES);
    static const char forgets[] = "{\"forget\":{\"labels\":{\"p\":\"7\"}}}\n"
                                  "{\"forget\":{\"labels\":{\"p\":\"8\"}}}\n"
                                  "{\"sync\":1}\n{\"metric\":\"b\"";
    static const char rest[] = ",\"labels\":{\"p\":\"8\"},\"value\":2}\n{\"ping\":1}\n";
    buf_clear(&d.replies);
    dialogue_send(&d, forgets, strlen(forgets));
    ck_assert_int_gt(connection_read(d.c, h.p, input), 0);
    ck_assert_ptr_nonnull(d.c->forget);
    dialogue_send(&d, rest, strlen(rest));
    int steps = 0;
    for (; d.c->forget != NULL; steps++) {
        // Nothing more is read of it, and others are served.
        ck_assert_int_eq(connection_read(d.c, h.p, input), 0);
        ck_assert_str_eq(dialogue_line(&other_one, "{\"ping\":2}\n"), "{\"ping\":2}\n");
        connection_go_on(d.c, h.p, input);
    }
    ck_assert_int_ge(steps, 2 * 5);
    ck_assert_int_gt(connection_read(d.c, h.p, input), 0);
    char want[200];
    snprintf(want, sizeof want,
             "{\"forget\":{\"series\":1}}\n{\"forget\":{\"series\":1}}\n"
             "{\"sync\":1,\"applied\":%d,\"rejected\":0}\n{\"ping\":1}\n",
             SERIES);
    ck_assert_str_eq(dialogue_replies(&d), want);
    ck_assert_uint_eq(atomic_load(&h.store->share.quota.used), SERIES - 2 + 1);
    dialogue_close(&other_one);
    dialogue_close(&d);
    fixture_close(&h);
}
END_TEST

START_TEST(who_goes_in_the_middle_of_a_forget_leaves_nothing_behind)
{
    struct dialogue d;
    fixture_open(&h, CATALOG, 3 * CONNECTION_FORGET, 3 * CONNECTION_FORGET);
    dialogue_open(&d, &h);
    dialogue_line(&d, "{\"hello\":{\"component\":\"provider\",\"instance\":\"i\"}}\n");
    make_many(&d, 2 * CONNECTION_FORGET);
    static const char forget[] = "{\"forget\":{\"labels\":{\"p\":\"7\"}}}\n{\"ping\":1}\n";
    dialogue_send(&d, forget, strlen(forget));
    connection_read(d.c, h.p, h.ingest->workers[0].input);
    ck_assert_ptr_nonnull(d.c->forget);
    dialogue_close(&d);
    fixture_close(&h);
}
END_TEST

START_TEST(a_reload_in_the_middle_of_a_forget_begins_it_anew)
{
    struct control_forget what = {.n_labels = 1, .labels = {{"p", {"1", 1}}}};
    struct schema_settings settings = {100, 100};
    struct schema_change change;
    struct errs errs = ERRS_INIT;
    struct catalog *c = NULL;
    open_two();
    say(&h.origin.owner, A("one", "1"));
    say(&h.origin.owner, B("1"));
    struct control_forgetting *f = control_forget_new(&what);
    rcu_enter();
    ck_assert(!control_forget_step(f, h.store, &h.origin, 1));
    rcu_leave();
    static const char fewer[] = "metrics:\n  - {name: b, type: gauge, help: h, labels: [p]}\n";
    ck_assert_int_eq(catalog_load_bytes(&c, "c.yaml", fewer, strlen(fewer), &errs), 0);
    ck_assert_int_eq(schema_reload(h.store, c, &settings, &change), 0);
    rcu_enter();
    while (!control_forget_step(f, h.store, &h.origin, 1)) {
    }
    rcu_leave();
    ck_assert_uint_eq(control_forget_end(f), 2);
    ck_assert_str_eq(fixture_samples(&h), "");
    fixture_close(&h);
}
END_TEST

UNIT_MAIN("forget", series_with_all_these_values_go, only_what_this_source_updated_goes,
          what_it_precreated_goes_too, a_group_is_not_owned_by_who_names_it_or_updates_one_of_it,
          what_somebody_else_updated_stays_after_a_precreation,
          values_are_compared_as_they_were_before_escaping, a_forgotten_series_begins_anew,
          a_forget_ends_the_read_and_is_done_in_steps,
          who_goes_in_the_middle_of_a_forget_leaves_nothing_behind,
          a_reload_in_the_middle_of_a_forget_begins_it_anew)
