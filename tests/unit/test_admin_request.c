// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin_request.c"

#include "breaks.h"
#include "unit.h"

#include <string.h>

static struct admin_request r;

static const char *read_line(const char *line, struct buf *detail)
{
    struct parser p = {0};
    buf_clear(detail);
    const char *reason = admin_request_read(&r, &p, line, strlen(line), detail);
    parse_free(&p);
    return reason;
}

START_TEST(what_is_no_request_is_refused_with_a_reason)
{
    static const struct {
        const char *line;
        const char *reason;
        const char *detail;
    } table[] = {
        {"[]", "bad_request", "a request is an object with one key, the command"},
        {"{}", "bad_request", "a request is an object with one key, the command"},
        {"{\"status\":{},\"reload\":{}}", "bad_request",
         "a request is an object with one key, the command"},
        {"{\"no\":{}}", "unknown_command", "this version has no such command"},
        {"{\"status\":1}", "bad_request", "the value of the command is an object"},
        {"{\"status\":{\"a\":1}}", "bad_request", "status does not take all of these keys"},
        {"{\"series\":{}}", "bad_request", "series needs metric"},
        {"{\"series\":{\"metric\":1}}", "bad_request", "metric is a name"},
        {"{\"series\":{\"metric\":\"\"}}", "bad_request", "metric is a name"},
        {"{\"series\":{\"metric\":\"a\\u0000b\"}}", "bad_request", "metric is a name"},
        {"{\"series\":{\"metric\":\"a\",\"labels\":[]}}", "bad_request", "labels are an object"},
        {"{\"series\":{\"metric\":\"a\",\"labels\":{\"l\":1}}}", "bad_request",
         "the value of a label is a string"},
        {"{\"rejects\":{\"follow\":1}}", "bad_request", "follow is true or false"},
        {"{\"forget\":{\"component\":\"c\"}}", "bad_request", "forget needs instance"},
        {"{\"forget\":{\"component\":\"c\",\"instance\":\"\"}}", "bad_request",
         "instance is a name"},
        {"{\"forget\":{\"component\":\"c\",\"instance\":\"i\",\"series\":\"yes\"}}", "bad_request",
         "series is true or false"},
        {"{\"delete\":{\"metric\":\"a\"}}", "missing_label", "delete needs labels"},
        {"{\"delete\":{\"metric\":\"a\",\"labels\":{}}}", "missing_label",
         "delete needs at least one label"},
    };
    struct buf detail = BUF_INIT;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *reason = read_line(table[i].line, &detail);
        ck_assert_msg(reason != NULL, "%s", table[i].line);
        ck_assert_str_eq(reason, table[i].reason);
        ck_assert_str_eq(buf_string(&detail), table[i].detail);
    }
    buf_free(&detail);
}
END_TEST

START_TEST(a_request_has_at_most_so_many_labels)
{
    struct buf line = BUF_INIT;
    struct buf detail = BUF_INIT;
    for (unsigned n = KEY_MATCH_MAX_LABELS; n <= KEY_MATCH_MAX_LABELS + 1; n++) {
        buf_clear(&line);
        buf_str(&line, "{\"delete\":{\"metric\":\"a\",\"labels\":{");
        for (unsigned i = 0; i < n; i++) {
            buf_addf(&line, "%s\"l%u\":\"v\"", i > 0 ? "," : "", i);
        }
        buf_str(&line, "}}}");
        const char *reason = read_line(buf_string(&line), &detail);
        if (n == KEY_MATCH_MAX_LABELS) {
            ck_assert_ptr_null(reason);
            ck_assert_uint_eq(r.n_labels, n);
        } else {
            ck_assert_str_eq(reason, "bad_request");
            ck_assert_str_eq(buf_string(&detail), "more than 16 labels");
        }
    }
    buf_free(&line);
    buf_free(&detail);
}
END_TEST

START_TEST(a_request_is_read_whole)
{
    struct buf detail = BUF_INIT;
    ck_assert_ptr_null(read_line("{\"forget\":{\"component\":\"provider\",\"instance\":"
                                 "\"a\\u0000b\",\"series\":true}}",
                                 &detail));
    ck_assert_int_eq(r.command, ADMIN_FORGET);
    ck_assert_str_eq(r.component, "provider");
    ck_assert_uint_eq(r.instance.len, 3);
    ck_assert_mem_eq(r.instance.p, "a\0b", 3);
    ck_assert(r.with_series && !r.follow);
    ck_assert_ptr_null(
        read_line("{\"series\":{\"metric\":\"m\",\"labels\":{\"l\":\"\\u00e4\"}}}", &detail));
    ck_assert_int_eq(r.command, ADMIN_SERIES);
    ck_assert_str_eq(r.metric, "m");
    ck_assert_uint_eq(r.n_labels, 1);
    ck_assert_str_eq(r.labels[0].name, "l");
    ck_assert_uint_eq(r.labels[0].value.len, 2);
    ck_assert_ptr_null(read_line("{\"rejects\":{\"follow\":true}}", &detail));
    ck_assert(r.command == ADMIN_REJECTS && r.follow && r.n_labels == 0);
    buf_free(&detail);
}
END_TEST

static void read_more_than_may_be(void)
{
    static const char line[ADMIN_REQUEST_MAX + 1];
    struct parser p = {0};
    struct buf detail = BUF_INIT;
    admin_request_read(&r, &p, line, sizeof line, &detail);
}

static void copy_more_than_the_line_has(void)
{
    r.used = sizeof r.bytes - 1;
    copy(&r, "x", 1);
}

START_TEST(a_broken_invariant_ends_the_process)
{
    breaks("a request is not longer than it may be", read_more_than_may_be);
    breaks("the texts of a request are no longer than its line", copy_more_than_the_line_has);
}
END_TEST

UNIT_MAIN("admin_request", what_is_no_request_is_refused_with_a_reason,
          a_request_has_at_most_so_many_labels, a_request_is_read_whole,
          a_broken_invariant_ends_the_process)
