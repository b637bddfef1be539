// SPDX-License-Identifier: Apache-2.0
#include "source/permission.h"

#include "breaks.h"
#include "fixture.h"
#include "forget.h"
#include "series/idset.h"
#include "unit.h"

static const char CATALOG[] =
    "labels:\n"
    "  c: {values: [x, y], closed: true, aliases: {ex: x}}\n"
    "  p: {values: [\"v\\\"1\", v2], aliases: {one: \"v\\\"1\"}}\n"
    "metrics:\n"
    "  - {name: a_total, type: counter, help: h, labels: [p, c], precreate: true}\n"
    "  - {name: b, type: gauge, help: h, labels: [p]}\n"
    "  - {name: c, type: gauge, help: h}\n"
    "  - {name: d, type: histogram, help: h, buckets: [1], labels: [c]}\n"
    "  - {name: e_total, type: counter, help: h, labels: [c], precreate: true}\n"
    "events:\n"
    "  - {name: both, labels: [p, c], value: {unit: s, optional: true}, updates: [{add: a_total}, "
    "{observe: d}]}\n"
    "  - {name: maybe, labels: [c], updates: [{add: e_total, when: {c: x}}]}\n"
    "  - {name: chosen, labels: [p, c], updates: [{add: e_total, when: {p: [v2, \"v\\\"1\"]}}]}\n";

enum { A = 1, B = 2, C = 4, D = 8, E = 16, ALL = 31 };

static struct fixture h;
static struct rate_limit rate_limit;
static uint8_t metrics;
static struct permission permission;

static void open_with(uint8_t bits)
{
    fixture_open(&h, CATALOG, 100, 100);
    metrics = bits;
    atomic_store(&rate_limit.full_ns, 0);
    permission = (struct permission){
        .number = 5, .name = "sources[1]", .metrics = &metrics, .rate = &rate_limit, .quota_id = 9};
    h.origin.permission = &permission;
    h.origin.now_ms = FIXTURE_NOW_MS;
}

// What a line comes to: "" when it is applied, else the reason, the element and the detail.
static const char *result_of(const char *line)
{
    static char text[256];
    struct event_result v = fixture_line(&h, line);
    text[0] = '\0';
    if (v.kind != EVENT_APPLIED) {
        snprintf(text, sizeof text, "%s %d %s", reject_names[v.rejection.reason],
                 v.rejection.element, v.rejection.detail);
    }
    return text;
}

#define SAMPLE(name, labels) "{\"metric\":\"" name "\",\"labels\":{" labels "},\"value\":1}"
#define P(value) "\"p\":\"" value "\""
#define X "\"c\":\"x\""
#define NOT "not_permitted -1 sources[1] may "

START_TEST(only_what_is_named_may_be_pushed)
{
    static const struct {
        uint8_t may;
        const char *line;
        const char *want;
    } cases[] = {
        {A, SAMPLE("a_total", P("q") "," X), ""},
        {ALL - A, SAMPLE("a_total", P("q") "," X), NOT "not push a_total"},
        {B, SAMPLE("b", P("q")), ""},
        {0, SAMPLE("b", P("q")), NOT "not push b"},
        {ALL - C, "{\"metric\":\"c\",\"value\":1}", NOT "not push c"},
        {A | D, "{\"event\":\"both\",\"labels\":{" P("q") "," X "},\"value\":1}", ""},
        {A, "{\"event\":\"both\",\"labels\":{" P("q") "," X "},\"value\":1}", NOT "not push d"},
        {A, "{\"event\":\"both\",\"labels\":{" P("q") "," X "}}", ""}, // observes nothing
        {D, "{\"event\":\"both\",\"labels\":{" P("q") "," X "}}", NOT "not push a_total"},
        {0, "{\"event\":\"maybe\",\"labels\":{" X "}}", NOT "not push e_total"},
        {0, "{\"event\":\"maybe\",\"labels\":{\"c\":\"y\"}}", ""},
        {0, "[]", ""},
        {B | C, "[" SAMPLE("b", P("q")) ",{\"metric\":\"c\",\"value\":1}]", ""},
        {B, "[" SAMPLE("b", P("q")) ",{\"metric\":\"c\",\"value\":1}]",
         "not_permitted 1 sources[1] may not push c"},
        // The checks before come first, those behind later.
        {0, SAMPLE("z", P("q")), "unknown_metric -1 the catalogue has no metric \"z\""},
        {0, "{\"metric\":\"c\",\"value\":1,\"exemplar\":{}}",
         "bad_exemplar -1 a gauge has no exemplar"},
        {0, "{\"metric\":\"c\",\"value\":null}", "bad_value -1 the value is no finite number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_with(cases[i].may);
        ck_assert_msg(strcmp(result_of(cases[i].line), cases[i].want) == 0, "%zu %s: %s", i,
                      cases[i].line, result_of(cases[i].line));
        fixture_close(&h);
    }
}
END_TEST

START_TEST(a_label_has_the_value_it_must_have_where_it_is_declared)
{
    static const struct {
        const char *line;
        const char *want;
    } cases[] = {
        {SAMPLE("b", P("v\\\"1")), ""},
        {SAMPLE("b", P("one")), ""}, // an alias of it
        {SAMPLE("b", P("v2")), NOT "push b with p=\"one\" only"},
        {SAMPLE("b", P("v\\\"11")), NOT "push b with p=\"one\" only"},
        {SAMPLE("a_total", P("v\\\"1") "," X), ""},
        {SAMPLE("a_total", P("v2") "," X), NOT "push a_total with p=\"one\" only"},
        {"{\"metric\":\"c\",\"value\":1}", ""},
        {SAMPLE("d", X), ""},
        {"{\"event\":\"both\",\"labels\":{" P("v2") "," X "}}",
         NOT "push a_total with p=\"one\" only"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_with(ALL);
        permission.labels[permission.n_labels++] = (struct permission_label){"p", "one"};
        ck_assert_msg(strcmp(result_of(cases[i].line), cases[i].want) == 0, "%s: %s", cases[i].line,
                      result_of(cases[i].line));
        // A hello's value is no different.
        struct origin_defaults d = {.n = 1, .names = {strdup("p")}, .values = {strdup("v2")}};
        h.origin.defaults = &d;
        ck_assert_str_eq(result_of("{\"metric\":\"b\",\"value\":1}"),
                         NOT "push b with p=\"one\" only");
        free(d.names[0]);
        free(d.values[0]);
        fixture_close(&h);
    }
    open_with(ALL);
    permission.labels[permission.n_labels++] = (struct permission_label){"c", "unheard of"};
    ck_assert_str_eq(result_of(SAMPLE("d", X)), NOT "push d with c=\"unheard of\" only");
    fixture_close(&h);
}
END_TEST

// No metric that the event updates has it.
START_TEST(a_label_that_a_condition_alone_reads_is_bound_too)
{
    open_with(ALL);
    permission.n_labels = 1;
    permission.labels[0] = (struct permission_label){"p", "one"};
    ck_assert_str_eq(result_of("{\"event\":\"chosen\",\"labels\":{" X "," P("v2") "}}"),
                     NOT "push chosen with p=\"one\" only");
    ck_assert_str_eq(result_of("{\"event\":\"chosen\",\"labels\":{" P("other") "}}"),
                     NOT "push chosen with p=\"one\" only");
    ck_assert_str_eq(result_of("{\"event\":\"chosen\",\"labels\":{" X "," P("one") "}}"), "");
    ck_assert_str_eq(result_of("{\"event\":\"chosen\",\"labels\":{" X "," P("v\\\"1") "}}"), "");
    ck_assert_str_eq(result_of("{\"event\":\"maybe\",\"labels\":{" X "}}"), "");
    fixture_close(&h);
}
END_TEST

START_TEST(who_may_push_nothing_is_told_why)
{
    open_with(ALL);
    permission.denied = "no";
    ck_assert_str_eq(result_of(SAMPLE("b", P("q"))), "not_permitted -1 no");
    ck_assert_str_eq(result_of("[]"), "not_permitted -1 no");
    ck_assert_str_eq(result_of("{\"event\":\"maybe\",\"labels\":{\"c\":\"y\"}}"),
                     "not_permitted -1 no");
    ck_assert_int_eq(fixture_line(&h, "{\"ping\":1}").kind, EVENT_CONTROL);
    ck_assert_str_eq(fixture_samples(&h), "");
    fixture_close(&h);
}
END_TEST

START_TEST(a_hello_precreates_and_forget_removes_what_is_permitted)
{
    open_with(A | E);
    struct origin_defaults d = {.n = 1, .names = {strdup("p")}, .values = {strdup("one")}};
    struct control_forget all = {.n_labels = 1, .labels = {{"c", {"ex", 2}}}};
    rcu_enter();
    permission.labels[permission.n_labels++] = (struct permission_label){"p", "v2"};
    event_precreate(h.p->reader, &d, &h.origin, COMPONENT_PROVIDER, fixture_named(&h.origin.owner));
    ck_assert_str_eq(fixture_samples(&h), "e_total{c=\"x\"} 0\ne_total{c=\"y\"} 0\n");
    permission.labels[0].value = "one";
    permission.labels[permission.n_labels++] = (struct permission_label){"c", "ex"};
    metrics = A;
    event_precreate(h.p->reader, &d, &h.origin, COMPONENT_PROVIDER, fixture_named(&h.origin.owner));
    ck_assert_str_eq(fixture_samples(&h),
                     "a_total{p=\"v\\\"1\",c=\"x\"} 0\ne_total{c=\"x\"} 0\ne_total{c=\"y\"} 0\n");
    ck_assert_uint_eq(atomic_load(&h.store->share.quotas[9]), 3);
    metrics = E;
    ck_assert_uint_eq(forget_all(h.store, &all, &h.origin), 1);
    metrics = A;
    permission.labels[1].value = "y";
    ck_assert_uint_eq(forget_all(h.store, &all, &h.origin), 0);
    h.origin.permission = NULL;
    ck_assert_uint_eq(forget_all(h.store, &all, &h.origin), 1);
    rcu_leave();
    ck_assert_uint_eq(atomic_load(&h.store->share.quotas[9]), 1);
    free(d.names[0]);
    free(d.values[0]);
    fixture_close(&h);
}
END_TEST

START_TEST(siblings_that_may_not_be_pushed_are_not_made)
{
    open_with(ALL);
    permission.labels[permission.n_labels++] = (struct permission_label){"c", "x"};
    ck_assert_str_eq(result_of(SAMPLE("a_total", P("q") "," X)), "");
    ck_assert_str_eq(fixture_samples(&h), "a_total{p=\"q\",c=\"x\"} 1\n");
    permission.n_labels = 0;
    ck_assert_str_eq(result_of(SAMPLE("a_total", P("r") "," X)), "");
    ck_assert_str_eq(fixture_samples(&h), "a_total{p=\"q\",c=\"x\"} 1\na_total{p=\"r\",c=\"x\"} 1\n"
                                          "a_total{p=\"r\",c=\"y\"} 0\n");
    fixture_close(&h);
}
END_TEST

#define LIMITED "rate_limited -1 sources[1] has pushed its events of this second"

START_TEST(a_second_s_worth_may_come_at_once_and_then_the_rate)
{
    open_with(ALL);
    permission.interval_ns = 100000000; // ten a second
    for (int i = 0; i < 10; i++) {
        ck_assert_str_eq(result_of(SAMPLE("b", P("q"))), "");
    }
    ck_assert_str_eq(result_of(SAMPLE("b", P("q"))), LIMITED);
    // What is refused costs nothing, and what is no event neither.
    h.origin.now_ms += 99;
    ck_assert_str_eq(result_of(SAMPLE("b", P("q"))), LIMITED);
    ck_assert_int_eq(fixture_line(&h, "{\"ping\":1}").kind, EVENT_CONTROL);
    h.origin.now_ms += 1;
    ck_assert_str_eq(result_of(SAMPLE("z", P("q"))),
                     "unknown_metric -1 the catalogue has no metric \"z\"");
    ck_assert_str_eq(result_of(SAMPLE("b", P("q"))), "");
    ck_assert_str_eq(result_of(SAMPLE("b", P("q"))), LIMITED);
    h.origin.now_ms += 3600000;
    for (int i = 0; i < 10; i++) {
        ck_assert_str_eq(result_of(SAMPLE("b", P("q"))), "");
    }
    ck_assert_str_eq(result_of(SAMPLE("b", P("q"))), LIMITED);
    fixture_close(&h);
}
END_TEST

START_TEST(a_batch_costs_its_elements_and_a_larger_one_a_full_bucket)
{
    open_with(ALL);
    permission.interval_ns = 250000000; // four a second
#define ONE SAMPLE("b", P("q"))
    ck_assert_str_eq(result_of("[" ONE "," ONE "," ONE "]"), "");
    ck_assert_str_eq(result_of("[" ONE "," ONE "]"), LIMITED);
    ck_assert_str_eq(result_of("[]"), "");
    ck_assert_str_eq(result_of(ONE), "");
    h.origin.now_ms += 999;
    ck_assert_str_eq(result_of("[" ONE "," ONE "," ONE "," ONE "," ONE "," ONE "]"), LIMITED);
    h.origin.now_ms += 1;
    ck_assert_str_eq(result_of("[" ONE "," ONE "," ONE "," ONE "," ONE "," ONE "]"), "");
    h.origin.now_ms += 749; // six events take a second and a half, and one must have room
    ck_assert_str_eq(result_of(ONE), LIMITED);
    h.origin.now_ms += 1;
    ck_assert_str_eq(result_of(ONE), "");
    fixture_close(&h);
}
END_TEST

START_TEST(a_rate_holds_for_any_number_of_events_in_a_long_time)
{
    uint64_t seed = unit_seed() | 1;
    for (int round = 0; round < 200; round++) {
        uint64_t rate = 1 + unit_random(&seed) % 5000;
        struct permission p = {.interval_ns = 1000000000 / rate, .rate = &rate_limit};
        uint64_t now = 1000 + unit_random(&seed) % 100000;
        uint64_t begin = now;
        uint64_t passed = 0;
        uint64_t largest = 0;
        atomic_store(&rate_limit.full_ns, 0);
        for (int i = 0; i < 3000; i++) {
            uint64_t n = 1 + unit_random(&seed) % (i % 50 == 0 ? 2 * rate : 3);
            largest = n > largest ? n : largest;
            passed += permission_take_events(&p, now, n) ? n : 0;
            now += unit_random(&seed) % 20;
        }
        uint64_t most = rate + largest + (now - begin + 1) * rate / 1000 + rate / 100 + 2;
        ck_assert_msg(passed <= most, "%llu a second: %llu in %llu ms", (unsigned long long)rate,
                      (unsigned long long)passed, (unsigned long long)(now - begin));
    }
}
END_TEST

START_TEST(a_cached_line_costs_what_a_parsed_one_does)
{
    open_with(ALL);
    permission.interval_ns = 100000000;
    ck_assert_int_eq(event_reader_cache(h.p->reader, 1 << 20), 0);
    for (int i = 0; i < 10; i++) {
        struct event_result v = fixture_line(&h, ONE);
        ck_assert_int_eq(v.kind, EVENT_APPLIED);
        ck_assert_int_eq(v.hit, i >= 2);
    }
    struct event_result v = fixture_line(&h, ONE);
    ck_assert_int_eq(v.kind, EVENT_REJECTED);
    ck_assert_int_eq(v.rejection.reason, REJECT_rate_limited);
    ck_assert_int_eq(v.rejection.element, -1);
    ck_assert_str_eq(v.rejection.detail, "sources[1] has pushed its events of this second");
    ck_assert(!v.was_hello);
    // One whose series is gone is parsed, and paid for once.
    struct control_forget all = {.n_labels = 1, .labels = {{"p", {"q", 1}}}};
    rcu_enter();
    ck_assert_uint_eq(forget_all(h.store, &all, &h.origin), 1);
    rcu_leave();
    h.origin.now_ms += 1000;
    for (int i = 0; i < 10; i++) {
        ck_assert_str_eq(result_of(ONE), "");
    }
    ck_assert_str_eq(result_of(ONE), LIMITED);
    fixture_close(&h);
}
END_TEST

START_TEST(what_is_refused_for_want_of_room_costs_nothing)
{
    open_with(ALL);
    permission.interval_ns = 100000000;
    permission.series = 1;
    ck_assert_str_eq(result_of(ONE), "");
    uint64_t spent = atomic_load(&rate_limit.full_ns);
    for (int i = 0; i < 20; i++) {
        ck_assert_str_eq(result_of(SAMPLE("b", P("another"))),
                         "rate_limited -1 sources[1] has its 1 series");
        ck_assert_str_eq(result_of("[" ONE "," SAMPLE("b", P("another")) "]"),
                         "rate_limited 1 sources[1] has its 1 series");
    }
    ck_assert_uint_eq(atomic_load(&rate_limit.full_ns), spent);
    fixture_close(&h);
}
END_TEST

START_TEST(another_permit_is_another_context)
{
    open_with(ALL);
    ck_assert_int_eq(event_reader_cache(h.p->reader, 1 << 20), 0);
    struct permission narrow = permission;
    narrow.number = 6;
    narrow.denied = "no";
    h.origin.context = event_origin_number(h.p->reader, &h.origin, 1);
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(result_of(ONE), "");
    }
    struct origin wide = h.origin;
    h.origin.permission = &narrow;
    h.origin.context = event_origin_number(h.p->reader, &h.origin, 1);
    ck_assert_uint_ne(h.origin.context, wide.context);
    ck_assert_str_eq(result_of(ONE), "not_permitted -1 no");
    h.origin.permission = NULL;
    h.origin.context = event_origin_number(h.p->reader, &h.origin, 1);
    ck_assert_uint_ne(h.origin.context, wide.context);
    h.origin.permission = &permission;
    ck_assert_uint_eq(event_origin_number(h.p->reader, &h.origin, 1), wide.context);
    fixture_close(&h);
}
END_TEST

START_TEST(series_beyond_the_quota_are_refused_and_none_is_left_behind)
{
    open_with(ALL);
    permission.series = 3;
    ck_assert_str_eq(result_of(SAMPLE("b", P("1"))), "");
    ck_assert_str_eq(
        result_of("[" SAMPLE("b", P("2")) "," SAMPLE("b", P("3")) "," SAMPLE("b", P("4")) "]"),
        "rate_limited 2 sources[1] has its 3 series");
    ck_assert_str_eq(result_of(SAMPLE("b", P("2"))), "");
    ck_assert_str_eq(result_of(SAMPLE("b", P("1"))), "");
    ck_assert_str_eq(result_of(SAMPLE("b", P("3"))), "");
    ck_assert_str_eq(result_of(SAMPLE("b", P("4"))), "rate_limited -1 sources[1] has its 3 series");
    ck_assert_str_eq(fixture_samples(&h), "b{p=\"1\"} 1\nb{p=\"2\"} 1\nb{p=\"3\"} 1\n");
    // Zero series come whole or not at all.
    permission.series = 4;
    ck_assert_str_eq(result_of(SAMPLE("e_total", X)), "");
    ck_assert_uint_eq(
        count_read(&schema_current(h.store)->families[4].table->stats->precreate_skipped), 1);
    ck_assert_str_eq(result_of(SAMPLE("e_total", "\"c\":\"y\"")),
                     "rate_limited -1 sources[1] has its 4 series");
    // Others are not held up.
    h.origin.permission = NULL;
    ck_assert_str_eq(result_of(SAMPLE("e_total", "\"c\":\"y\"")), "");
    fixture_close(&h);
}
END_TEST

static void leave_a_count_that_nobody_is_in(void)
{
    static struct permission_registry registry;
    uint32_t count = 0;
    struct permission_client client = {.counts = true, .place = &count};
    permission_open(&registry);
    permission_end(&client, &registry);
}

START_TEST(a_broken_invariant_ends_the_process)
{
    breaks("a released place of a connection was reserved", leave_a_count_that_nobody_is_in);
}
END_TEST

UNIT_MAIN("permission", only_what_is_named_may_be_pushed,
          a_label_has_the_value_it_must_have_where_it_is_declared,
          a_label_that_a_condition_alone_reads_is_bound_too, who_may_push_nothing_is_told_why,
          a_hello_precreates_and_forget_removes_what_is_permitted,
          siblings_that_may_not_be_pushed_are_not_made,
          a_second_s_worth_may_come_at_once_and_then_the_rate,
          a_batch_costs_its_elements_and_a_larger_one_a_full_bucket,
          a_rate_holds_for_any_number_of_events_in_a_long_time,
          a_cached_line_costs_what_a_parsed_one_does,
          what_is_refused_for_want_of_room_costs_nothing, another_permit_is_another_context,
          series_beyond_the_quota_are_refused_and_none_is_left_behind,
          a_broken_invariant_ends_the_process)
