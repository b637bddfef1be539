// SPDX-License-Identifier: Apache-2.0
#include "event/control.h"

#include "fixture.h"
#include "unit.h"

static struct fixture h;

START_TEST(malformed_control_lines_are_refused_with_what_is_wrong)
{
    fixture_open(&h, NULL, 100, 100);
    static const struct {
        const char *line;
        const char *detail;
        bool hello;
    } cases[] = {
        {"{\"sync\":1,\"ping\":2}", "a control line has one key", false},
        {"{\"ping\":1,\"x\":2}", "a control line has one key", false},
        {"{\"hello\":{\"component\":\"manager\"},\"sync\":1}", "a control line has one key", true},
        {"{\"sync\":null}", "the id is neither a number nor a string", false},
        {"{\"sync\":true}", "the id is neither a number nor a string", false},
        {"{\"ping\":[]}", "the id is neither a number nor a string", false},
        {"{\"ping\":{}}", "the id is neither a number nor a string", false},
        {"{\"hello\":1}", "hello is no object", true},
        {"{\"hello\":{\"component\":\"unknown\"}}", "component is none that the catalogue knows",
         true},
        {"{\"hello\":{\"component\":\"managers\"}}", "component is none that the catalogue knows",
         true},
        {"{\"hello\":{\"component\":7}}", "component is none that the catalogue knows", true},
        {"{\"hello\":{\"component\":\"manager\\u0000\"}}",
         "component is none that the catalogue knows", true},
        {"{\"hello\":{\"component\":\"manager\",\"instance\":\"\"}}",
         "instance is no string of 1 to 256 bytes", true},
        {"{\"hello\":{\"component\":\"manager\",\"instance\":\"a\\u0000b\"}}",
         "instance is no string of 1 to 256 bytes", true},
        {"{\"hello\":{\"component\":\"manager\",\"instance\":5}}",
         "instance is no string of 1 to 256 bytes", true},
        {"{\"hello\":{\"component\":\"manager\",\"labels\":[]}}", "labels is no object", true},
        {"{\"hello\":{\"component\":\"manager\",\"labels\":{\"a-b\":\"c\"}}}",
         "label \"a-b\" is no label with a string of 1 to 256 bytes", true},
        {"{\"hello\":{\"component\":\"manager\",\"labels\":{\"a\":\"\"}}}",
         "label \"a\" is no label with a string of 1 to 256 bytes", true},
        {"{\"hello\":{\"component\":\"manager\",\"labels\":{\"a\":1}}}",
         "label \"a\" is no label with a string of 1 to 256 bytes", true},
        {"{\"hello\":{\"component\":\"manager\",\"lost\":-1}}", "lost is no count", true},
        {"{\"hello\":{\"component\":\"manager\",\"lost\":1.5}}", "lost is no count", true},
        {"{\"hello\":{\"component\":\"manager\",\"lost\":\"1\"}}", "lost is no count", true},
        {"{\"hello\":{\"component\":\"manager\",\"lost\":1e999}}", "lost is no count", true},
        {"{\"hello\":{\"component\":\"manager\",\"lost\":9007199254740994}}", "lost is no count",
         true},
        {"{\"hello\":{\"component\":\"manager\",\"session\":\"\"}}",
         "session is no string of 1 to 256 bytes", true},
        {"{\"hello\":{\"component\":\"manager\",\"session\":7}}",
         "session is no string of 1 to 256 bytes", true},
        {"{\"hello\":{\"component\":\"manager\",\"session\":null}}",
         "session is no string of 1 to 256 bytes", true},
        {"{\"hello\":{\"component\":\"manager\",\"session\":\"a\\u0000b\"}}",
         "session is no string of 1 to 256 bytes", true},
        {"{\"hello\":{\"component\":\"manager\",\"transient\":1}}",
         "transient is neither true nor false", true},
        {"{\"hello\":{\"component\":\"manager\",\"interval\":0}}",
         "interval is no whole number of seconds from 1 to 3600", true},
        {"{\"hello\":{\"component\":\"manager\",\"interval\":3601}}",
         "interval is no whole number of seconds from 1 to 3600", true},
        {"{\"hello\":{\"component\":\"manager\",\"interval\":1.5}}",
         "interval is no whole number of seconds from 1 to 3600", true},
        {"{\"hello\":{\"component\":\"manager\",\"interval\":\"10\"}}",
         "interval is no whole number of seconds from 1 to 3600", true},
        {"{\"hello\":{\"component\":\"manager\",\"interval\":1e999}}",
         "interval is no whole number of seconds from 1 to 3600", true},
        {"{\"hello\":{\"component\":\"manager\",\"protocol\":1}}",
         "unknown key \"protocol\" in hello", true},
        {"{\"forget\":{}}", "forget wants labels, and nothing else", false},
        {"{\"forget\":1}", "forget wants labels, and nothing else", false},
        {"{\"forget\":{\"labels\":{\"a\":\"b\"},\"x\":1}}", "forget wants labels, and nothing else",
         false},
        {"{\"forget\":{\"labels\":{}}}", "forget wants at least one label", false},
        {"{\"forget\":{\"labels\":\"a\"}}", "labels is no object", false},
        {"{\"forget\":{\"labels\":{\"a\":null}}}",
         "label \"a\" is no label with a string of 1 to 256 bytes", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event_result v = fixture_line(&h, cases[i].line);
        ck_assert_msg(v.kind == EVENT_REJECTED && v.rejection.reason == REJECT_bad_control, "%s",
                      cases[i].line);
        ck_assert_str_eq(v.rejection.detail, cases[i].detail);
        ck_assert_msg(v.was_hello == cases[i].hello, "%s", cases[i].line);
        ck_assert_int_eq(v.rejection.element, -1);
    }
    fixture_close(&h);
}
END_TEST

START_TEST(beside_metric_or_event_a_control_key_is_an_unknown_field)
{
    fixture_open(&h, NULL, 100, 100);
    static const char *const lines[] = {
        "{\"sync\":1,\"metric\":\"virtrigaud_queue_depth\"}",
        "{\"event\":\"rpc\",\"hello\":{}}",
        "{\"metric\":null,\"ping\":1}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct event_result v = fixture_line(&h, lines[i]);
        ck_assert_int_eq(v.rejection.reason, REJECT_unknown_field);
        ck_assert(!v.was_hello);
    }
    fixture_close(&h);
}
END_TEST

START_TEST(an_id_is_kept_as_it_stood)
{
    fixture_open(&h, NULL, 100, 100);
    static const char *const ids[] = {
        "1",     "-0.0",         "1e5",   "\"x\\u00e9\"",
        "\"\"",  "\"\\u0000\"",  "1E+2",  "123456789012345678901234567890",
        "1e999", "\"a\\\"} b\"", "-1e400"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char line[100];
        snprintf(line, sizeof line, "{\"%s\": %s }", i % 2 == 0 ? "sync" : "ping", ids[i]);
        struct event_result v;
        rcu_enter();
        event_line(h.p->reader, &h.origin, line, strlen(line), &v);
        rcu_leave();
        ck_assert_msg(v.kind == EVENT_CONTROL, "%s: %s", line, v.rejection.detail);
        ck_assert_int_eq(v.control.kind, i % 2 == 0 ? CONTROL_SYNC : CONTROL_PING);
        ck_assert_uint_eq(v.control.id.len, strlen(ids[i]));
        ck_assert(memcmp(v.control.id.p, ids[i], v.control.id.len) == 0);
    }
    fixture_close(&h);
}
END_TEST

START_TEST(a_hello_is_taken_apart)
{
    fixture_open(&h, NULL, 100, 100);
    struct event_result v = fixture_line(
        &h, "{\"hello\":{\"component\":\"provider\",\"instance\":\"vc1\",\"labels\":{\"a\":\"b\"},"
            "\"lost\":7,\"transient\":true,\"interval\":3600}}");
    ck_assert_int_eq(v.kind, EVENT_CONTROL);
    ck_assert(v.was_hello);
    const struct control_hello *hello = &v.control.hello;
    ck_assert_int_eq(v.control.kind, CONTROL_HELLO);
    ck_assert_uint_eq(hello->component, COMPONENT_PROVIDER);
    ck_assert_uint_eq(hello->instance.len, 3);
    ck_assert(memcmp(hello->instance.p, "vc1", 3) == 0);
    ck_assert(hello->has_labels && hello->n_labels == 1);
    ck_assert_str_eq(hello->labels[0].name, "a");
    ck_assert(hello->labels[0].value.len == 1 && hello->labels[0].value.p[0] == 'b');
    ck_assert(hello->has_lost && hello->lost == 7);
    ck_assert(hello->has_transient && hello->transient && hello->interval_s == 3600);

    v = fixture_line(&h, "{\"hello\":{}}");
    ck_assert_int_eq(v.kind, EVENT_CONTROL);
    ck_assert_uint_eq(hello->component, COMPONENT_UNKNOWN);

    v = fixture_line(&h, "{\"hello\":{\"component\":\"manager\"}}");
    ck_assert_int_eq(v.kind, EVENT_CONTROL);
    ck_assert_uint_eq(hello->component, COMPONENT_MANAGER);
    ck_assert(hello->instance.len == 0 && !hello->has_labels && !hello->has_lost);
    ck_assert(!hello->has_transient && hello->interval_s == 0);
    fixture_close(&h);
}
END_TEST

// A hello with n labels whose values have `len` bytes.
static struct event_result hello_with(int n, int len)
{
    struct buf line = BUF_INIT;
    buf_str(&line, "{\"hello\":{\"component\":\"manager\",\"labels\":{");
    for (int i = 0; i < n; i++) {
        buf_addf(&line, "%s\"l%d\":\"%0*d\"", i > 0 ? "," : "", i, len, 7);
    }
    buf_str(&line, "}}}");
    struct event_result v = fixture_bytes(&h, line.p, line.len);
    buf_free(&line);
    return v;
}

START_TEST(the_labels_of_a_hello_have_bounds)
{
    fixture_open(&h, NULL, 100, 100);
    ck_assert_int_eq(hello_with(CONTROL_MAX_LABELS, 256).kind, EVENT_CONTROL);
    ck_assert_int_eq(hello_with(1, 257).rejection.reason, REJECT_bad_control);
    struct event_result v = hello_with(CONTROL_MAX_LABELS + 1, 1);
    ck_assert_int_eq(v.rejection.reason, REJECT_bad_control);
    ck_assert_str_eq(v.rejection.detail, "too many labels");
    fixture_close(&h);
}
END_TEST

UNIT_MAIN("control", malformed_control_lines_are_refused_with_what_is_wrong,
          beside_metric_or_event_a_control_key_is_an_unknown_field, an_id_is_kept_as_it_stood,
          a_hello_is_taken_apart, the_labels_of_a_hello_have_bounds)
