// SPDX-License-Identifier: Apache-2.0
// Who speaks: what a hello may say on a connection, and when.
#include "dialogue.h"
#include "unit.h"

static const char CATALOG[] =
    "labels:\n"
    "  c: {values: [x, y], closed: true}\n"
    "metrics:\n"
    "  - {name: a_total, type: counter, help: h, labels: [o, c], precreate: true}\n"
    "  - {name: g, type: gauge, help: h, owner: source}\n";

#define HELLO(rest) "{\"hello\":{\"component\":\"provider\"" rest "}}\n"
#define WELCOME "{\"hello\":{\"protocol\":1,\"applied\":0,\"known\":true}}\n"
#define LATER(n)                                                                                   \
    "{\"error\":\"bad_control\",\"line\":" n ",\"detail\":\"a later hello may only repeat "        \
    "the first or say lost\"}\n"

static struct fixture h;
static struct dialogue d;

static void open_both(void)
{
    fixture_open(&h, CATALOG, 100, 100);
    dialogue_open(&d, &h);
}

static void close_both(void)
{
    dialogue_close(&d);
    fixture_close(&h);
}

static uint64_t lost(unsigned component)
{
    return ingest_lost(h.ingest, component);
}

START_TEST(a_first_hello_is_welcome)
{
    open_both();
    ck_assert_str_eq(
        dialogue_line(&d, HELLO(",\"instance\":\"vc1\",\"labels\":{\"o\":\"1\"},\"lost\":3")),
        WELCOME);
    ck_assert_str_eq(fixture_samples(&h),
                     "a_total{o=\"1\",c=\"x\"} 0\na_total{o=\"1\",c=\"y\"} 0\n");
    ck_assert_uint_eq(lost(COMPONENT_PROVIDER), 3);
    uint32_t at = 0;
    const struct source *src = sources_next(h.sources, &at);
    ck_assert_ptr_nonnull(src);
    ck_assert(src == d.c->id.source && source_is_connected(src));
    ck_assert_uint_eq(src->component, COMPONENT_PROVIDER);
    ck_assert(src->instance_len == 3 && memcmp(src->instance, "vc1", 3) == 0);
    ck_assert_ptr_null(sources_next(h.sources, &at));
    ck_assert_str_eq(
        dialogue_line(&d, "{\"metric\":\"a_total\",\"labels\":{\"c\":\"x\"}}\nx\n{\"sync\":1}\n"),
        "{\"error\":\"bad_json\",\"line\":3,\"detail\":\"invalid token near 'x'\"}\n"
        "{\"sync\":1,\"applied\":1,\"rejected\":1}\n");
    ck_assert_uint_eq(ingest_applied(h.ingest, COMPONENT_PROVIDER), 1);
    ck_assert_uint_eq(ingest_rejected(h.ingest, COMPONENT_PROVIDER, REJECT_bad_json), 1);
    close_both();
}
END_TEST

START_TEST(blank_lines_may_stand_before_a_hello_and_nothing_else)
{
    open_both();
    ck_assert_str_eq(dialogue_line(&d, "\n \r\n" HELLO("")), WELCOME);
    close_both();
    static const char *const before[] = {"{\"metric\":\"g\",\"value\":1}\n", "[]\n"};
    for (size_t i = 0; i < 2; i++) {
        open_both();
        dialogue_line(&d, before[i]);
        ck_assert_str_eq(dialogue_line(&d, HELLO("")), LATER("2"));
        ck_assert(d.c->closing);
        close_both();
    }
    open_both();
    ck_assert_str_eq(
        dialogue_line(&d, "x\n" HELLO("")),
        "{\"error\":\"bad_json\",\"line\":1,\"detail\":\"invalid token near 'x'\"}\n" LATER("2"));
    close_both();
    open_both();
    ck_assert_str_eq(dialogue_line(&d, "{\"ping\":1}\n" HELLO("") "{\"ping\":2}\n"),
                     "{\"ping\":1}\n" LATER("2"));
    ck_assert(d.c->closing);
    close_both();
}
END_TEST

START_TEST(a_later_hello_may_repeat_the_first_and_say_lost)
{
    static const struct {
        const char *line;
        uint64_t lost; // afterwards; 0: refused
    } cases[] = {
        {HELLO(",\"instance\":\"vc1\",\"lost\":5"), 5},
        {HELLO(",\"lost\":5"), 5},
        {HELLO(",\"lost\":9"), 9},
        {"{\"hello\":{\"lost\":9}}\n", 9},
        {HELLO(",\"labels\":{\"o\":\"1\"},\"lost\":9"), 9},
        {HELLO(",\"labels\":{\"o\":\"2\"},\"lost\":9"), 0},
        {HELLO(",\"labels\":{\"o\":\"1\",\"p\":\"1\"},\"lost\":9"), 0},
        {HELLO(",\"labels\":{},\"lost\":9"), 0},
        {HELLO(",\"interval\":10,\"transient\":false,\"lost\":9"), 9},
        {HELLO(",\"interval\":11,\"lost\":9"), 0},
        {HELLO(",\"transient\":true,\"lost\":9"), 0},
        {HELLO(",\"lost\":4"), 5},
        {HELLO(""), 5},
        {HELLO(",\"instance\":\"vc2\",\"lost\":9"), 0},
        {"{\"hello\":{\"component\":\"manager\",\"lost\":9}}\n", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_both();
        dialogue_line(&d, HELLO(",\"instance\":\"vc1\",\"interval\":10,\"labels\":{\"o\":\"1\"},"
                                "\"lost\":5"));
        bool good = cases[i].lost > 0;
        ck_assert_str_eq(dialogue_line(&d, cases[i].line), good ? WELCOME : LATER("2"));
        ck_assert(d.c->closing != good);
        ck_assert_uint_eq(lost(COMPONENT_PROVIDER), good ? cases[i].lost : 5);
        close_both();
    }
}
END_TEST

START_TEST(a_first_hello_names_its_component)
{
    static const char *const lines[] = {"{\"hello\":{}}\n",
                                        "{\"hello\":{\"instance\":\"a\",\"lost\":1}}\n"};
    for (size_t i = 0; i < 2; i++) {
        open_both();
        ck_assert_str_eq(
            dialogue_line(&d, lines[i]),
            "{\"error\":\"bad_control\",\"line\":1,\"detail\":\"hello names no component\"}\n");
        ck_assert(d.c->closing);
        close_both();
    }
}
END_TEST

START_TEST(a_refused_hello_closes_after_its_reply)
{
    open_both();
    ck_assert_str_eq(
        dialogue_line(&d, HELLO(",\"session\":\"\"") "{\"metric\":\"g\",\"value\":1}\n"),
        "{\"error\":\"bad_control\",\"line\":1,\"detail\":\"session is no string of 1 to 256 "
        "bytes\"}\n");
    ck_assert(d.c->closing);
    ck_assert_str_eq(fixture_samples(&h), "");
    ck_assert_uint_eq(ingest_rejected(h.ingest, COMPONENT_UNKNOWN, REJECT_bad_control), 1);
    close_both();
}
END_TEST

START_TEST(other_refused_control_lines_leave_the_connection_open)
{
    open_both();
    ck_assert_str_eq(
        dialogue_line(&d,
                      "{\"sync\":null}\n{\"forget\":{\"labels\":{\"o\":\"1\"}}}\n{\"sync\":2}\n"),
        "{\"error\":\"bad_control\",\"line\":1,\"detail\":\"the id is neither a number nor a "
        "string\"}\n"
        "{\"error\":\"bad_control\",\"line\":2,\"detail\":\"forget needs a hello before\"}\n"
        "{\"sync\":2,\"applied\":0,\"rejected\":2}\n");
    ck_assert(!d.c->closing);
    close_both();
}
END_TEST

START_TEST(a_client_that_begins_anew_adds_to_lost)
{
    open_both();
    static const char *const counts[] = {"5", "7", "7", "2"};
    static const uint64_t sums[] = {5, 7, 7, 9};
    for (size_t i = 0; i < 4; i++) {
        struct dialogue once;
        char line[100];
        snprintf(line, sizeof line, HELLO(",\"instance\":\"i\",\"lost\":%s"), counts[i]);
        dialogue_open(&once, &h);
        ck_assert_str_eq(dialogue_line(&once, line), WELCOME);
        ck_assert_uint_eq(lost(COMPONENT_PROVIDER), sums[i]);
        dialogue_close(&once);
    }
    // Without an instance nobody knows who it is: each connection reports for itself.
    for (uint64_t i = 1; i <= 2; i++) {
        struct dialogue once;
        dialogue_open(&once, &h);
        dialogue_line(&once, "{\"hello\":{\"component\":\"manager\",\"lost\":4}}\n");
        dialogue_line(&once, "{\"hello\":{\"component\":\"manager\",\"lost\":6}}\n");
        ck_assert_uint_eq(lost(COMPONENT_MANAGER), 6 * i);
        dialogue_close(&once);
    }
    close_both();
}
END_TEST

START_TEST(lost_is_counted_by_connection)
{
    open_both();
    struct dialogue second;
    dialogue_open(&second, &h);
    dialogue_line(&d, HELLO(",\"instance\":\"i\",\"lost\":5"));
    dialogue_line(&second, HELLO(",\"instance\":\"i\",\"lost\":3"));
    dialogue_line(&d, "{\"hello\":{\"lost\":6}}\n");
    dialogue_line(&second, "{\"hello\":{\"lost\":4}}\n");
    ck_assert_uint_eq(lost(COMPONENT_PROVIDER), 6 + 4);
    dialogue_line(&second, "{\"hello\":{\"lost\":1}}\n");
    dialogue_line(&second, "{\"hello\":{\"lost\":4}}\n");
    ck_assert_uint_eq(lost(COMPONENT_PROVIDER), 6 + 4);
    dialogue_close(&second);
    close_both();
}
END_TEST

START_TEST(more_sources_than_there_is_room_for_are_refused)
{
    fixture_open(&h, CATALOG, 100, 100);
    struct dialogue many[FIXTURE_SOURCES + 1];
    for (int i = 0; i <= FIXTURE_SOURCES; i++) {
        char line[100];
        snprintf(line, sizeof line, HELLO(",\"instance\":\"%d\""), i);
        dialogue_open(&many[i], &h);
        ck_assert_str_eq(
            dialogue_line(&many[i], line),
            i < FIXTURE_SOURCES
                ? WELCOME
                : "{\"error\":\"bad_control\",\"line\":1,\"detail\":\"too many sources\"}\n");
    }
    for (int i = 0; i <= FIXTURE_SOURCES; i++) {
        dialogue_close(&many[i]);
    }
    fixture_close(&h);
}
END_TEST

START_TEST(owned_series_go_with_the_last_connection_and_a_grace)
{
    open_both();
    struct dialogue second;
    dialogue_open(&second, &h);
    dialogue_line(&d, HELLO(",\"instance\":\"i\"") "{\"metric\":\"g\",\"value\":1}\n");
    dialogue_line(&second, HELLO(",\"instance\":\"i\""));
    dialogue_close(&d);
    h.p->now_ms += 40000;
    sources_tick(h.sources, h.store, h.p->now_ms);
    ck_assert_str_eq(fixture_samples(&h), "g 1\n");
    dialogue_close(&second);
    sources_tick(h.sources, h.store, h.p->now_ms + SOURCE_GRACE_MS - 1);
    ck_assert_str_eq(fixture_samples(&h), "g 1\n");
    sources_tick(h.sources, h.store, h.p->now_ms + SOURCE_GRACE_MS);
    ck_assert_str_eq(fixture_samples(&h), "");
    fixture_close(&h);
}
END_TEST

START_TEST(a_source_that_comes_back_keeps_what_it_sets_again)
{
    fixture_open(&h,
                 "metrics:\n"
                 "  - {name: g, type: gauge, help: h, labels: [l], owner: source}\n"
                 "  - {name: x_info, type: gauge, help: h, labels: [v], owner: source}\n",
                 100, 100);
    dialogue_open(&d, &h);
    dialogue_line(
        &d, HELLO(",\"instance\":\"i\"") "{\"metric\":\"g\",\"labels\":{\"l\":\"1\"},\"value\":1}\n"
                                         "{\"metric\":\"g\",\"labels\":{\"l\":\"2\"},\"value\":2}\n"
                                         "{\"metric\":\"x_info\",\"labels\":{\"v\":\"1\"},"
                                         "\"value\":1}\n");
    dialogue_close(&d);
    h.p->now_ms += 5000;
    dialogue_open(&d, &h);
    dialogue_line(
        &d,
        HELLO(",\"instance\":\"i\"") "{\"metric\":\"g\",\"labels\":{\"l\":\"2\"},\"value\":2}\n");
    sources_tick(h.sources, h.store, h.p->now_ms + SOURCE_GRACE_MS - 1);
    ck_assert_str_eq(fixture_samples(&h), "g{l=\"1\"} 1\ng{l=\"2\"} 2\nx_info{v=\"1\"} 1\n");
    sources_tick(h.sources, h.store, h.p->now_ms + SOURCE_GRACE_MS);
    ck_assert_str_eq(fixture_samples(&h), "g{l=\"2\"} 2\n");
    close_both();
}
END_TEST

START_TEST(a_line_that_only_looks_like_a_hello_counts_its_client)
{
    fixture_open(&h, "metrics:\n  - {name: g, type: gauge, help: h, labels: [l], owner: source}\n",
                 100, 100);
    dialogue_open(&d, &h);
    dialogue_line(&d, "{\"metric\":\"g\",\"labels\":{\"l\":\"hello\"},\"value\":1}\n");
    source_leave(h.sources, d.c->id.source, h.p->now_ms); // the one that the fixture holds
    ck_assert(source_is_connected(d.c->id.source));
    dialogue_close(&d);
    sources_tick(h.sources, h.store, h.p->now_ms + SOURCE_GRACE_MS - 1);
    ck_assert_str_eq(fixture_samples(&h), "g{l=\"hello\"} 1\n");
    sources_tick(h.sources, h.store, h.p->now_ms + SOURCE_GRACE_MS);
    ck_assert_str_eq(fixture_samples(&h), "");
    fixture_close(&h);
}
END_TEST

START_TEST(an_info_series_goes_when_its_source_sends_a_new_one)
{
    fixture_open(&h,
                 "metrics:\n  - {name: x_info, type: gauge, help: h, labels: [v], owner: source}\n",
                 100, 100);
    struct dialogue other;
    dialogue_open(&d, &h);
    dialogue_open(&other, &h);
    dialogue_line(&d, HELLO(",\"instance\":\"i\"") "{\"metric\":\"x_info\",\"labels\":{\"v\":\"1\"}"
                                                   ",\"value\":1}\n");
    dialogue_line(&other, HELLO(",\"instance\":\"j\"") "{\"metric\":\"x_info\",\"labels\":{\"v\":"
                                                       "\"1\"},\"value\":1}\n");
    dialogue_line(&d, "{\"metric\":\"x_info\",\"labels\":{\"v\":\"2\"},\"value\":1}\n");
    ck_assert_str_eq(fixture_samples(&h), "x_info{v=\"1\"} 1\nx_info{v=\"2\"} 1\n");
    dialogue_line(&other, "{\"metric\":\"x_info\",\"labels\":{\"v\":\"2\"},\"value\":1}\n");
    ck_assert_str_eq(fixture_samples(&h), "x_info{v=\"2\"} 1\n");
    dialogue_close(&other);
    close_both();
}
END_TEST

START_TEST(one_that_comes_and_goes_owns_nothing_and_is_no_source)
{
    fixture_open(&h,
                 "metrics:\n"
                 "  - {name: g, type: gauge, help: h, labels: [l], owner: source}\n"
                 "  - {name: x_info, type: gauge, help: h, labels: [v], owner: source}\n"
                 "  - {name: a_total, type: counter, help: h, labels: []}\n",
                 100, 100);
    dialogue_open(&d, &h);
    ck_assert_str_eq(dialogue_line(&d, HELLO(",\"instance\":\"i\",\"transient\":true")), WELCOME);
    ck_assert_uint_eq(d.c->id.source->instance_len, 0);
    uint32_t at = 0;
    ck_assert_ptr_null(sources_next(h.sources, &at));
    dialogue_line(&d, "{\"metric\":\"g\",\"labels\":{\"l\":\"1\"},\"value\":1}\n"
                      "{\"metric\":\"g\",\"labels\":{\"l\":\"1\"},\"value\":2}\n"
                      "{\"metric\":\"x_info\",\"labels\":{\"v\":\"1\"},\"value\":1}\n"
                      "{\"metric\":\"x_info\",\"labels\":{\"v\":\"2\"},\"value\":1}\n"
                      "{\"metric\":\"a_total\"}\n");
    // A later hello may repeat what the first one said.
    dialogue_line(&d, HELLO(",\"instance\":\"i\",\"transient\":true"));
    ck_assert(!d.c->closing);
    dialogue_close(&d);
    h.p->now_ms += 10 * SOURCE_GRACE_MS;
    sources_tick(h.sources, h.store, h.p->now_ms);
    ck_assert_str_eq(fixture_samples(&h),
                     "g{l=\"1\"} 2\nx_info{v=\"1\"} 1\nx_info{v=\"2\"} 1\na_total 1\n");
    // That it is there keeps nothing of the anonymous source.
    dialogue_open(&d, &h);
    dialogue_line(&d, HELLO("") "{\"metric\":\"g\",\"labels\":{\"l\":\"2\"},\"value\":1}\n");
    dialogue_close(&d);
    dialogue_open(&d, &h);
    dialogue_line(&d, HELLO(",\"transient\":true"));
    h.p->now_ms += 2 * SOURCE_GRACE_MS;
    sources_tick(h.sources, h.store, h.p->now_ms);
    ck_assert_ptr_null(strstr(fixture_samples(&h), "l=\"2\""));
    dialogue_close(&d);
    // A source that sets one of them owns it alone, and takes it along.
    dialogue_open(&d, &h);
    dialogue_line(
        &d, HELLO(",\"instance\":\"i\"") "{\"metric\":\"g\",\"labels\":{\"l\":\"1\"},\"value\":3}\n"
                                         "{\"metric\":\"x_info\",\"labels\":{\"v\":\"2\"},"
                                         "\"value\":1}\n");
    dialogue_close(&d);
    h.p->now_ms += 10 * SOURCE_GRACE_MS;
    sources_tick(h.sources, h.store, h.p->now_ms);
    ck_assert_str_eq(fixture_samples(&h), "x_info{v=\"1\"} 1\na_total 1\n");
    fixture_close(&h);
}
END_TEST

UNIT_MAIN("connection_hello", a_first_hello_is_welcome, a_first_hello_names_its_component,
          blank_lines_may_stand_before_a_hello_and_nothing_else,
          a_later_hello_may_repeat_the_first_and_say_lost, a_refused_hello_closes_after_its_reply,
          other_refused_control_lines_leave_the_connection_open,
          a_client_that_begins_anew_adds_to_lost, lost_is_counted_by_connection,
          more_sources_than_there_is_room_for_are_refused,
          owned_series_go_with_the_last_connection_and_a_grace,
          a_source_that_comes_back_keeps_what_it_sets_again,
          a_line_that_only_looks_like_a_hello_counts_its_client,
          an_info_series_goes_when_its_source_sends_a_new_one,
          one_that_comes_and_goes_owns_nothing_and_is_no_source)
