// SPDX-License-Identifier: Apache-2.0
#include "client/wire.h"

#include "unit.h"

#include <errno.h>
#include <math.h>
#include <string.h>

START_TEST(a_line_escapes_what_json_must_escape_and_nothing_else)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain", "plain"},
        {"a\"b", "a\\\"b"},
        {"a\\b", "a\\\\b"},
        {"\x01\b\t\n\r\x1f", "\\u0001\\u0008\\u0009\\u000a\\u000d\\u001f"},
        {" /\x7f", " /\x7f"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
         "\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[256], want[256];
        struct wire_label label = {"l", rows[i].in};
        struct wire_sample s = {
            .name = "m", .labels = &label, .n_labels = 1, .op = "set", .value = "1"};
        int n = wire_line(out, sizeof out, &s);
        int m = snprintf(want, sizeof want,
                         "{\"metric\":\"m\",\"labels\":{\"l\":\"%s\"},\"op\":\"set\",\"value\":1}",
                         rows[i].out);
        ck_assert_int_eq(n, m);
        ck_assert_mem_eq(out, want, n);
    }
}
END_TEST

START_TEST(text_that_is_no_utf8_makes_no_line)
{
    static const char *const rows[] = {"\x80",
                                       "\xc0\xaf",
                                       "\xc1\xbf",
                                       "\xc3",
                                       "\xe0\x9f\xbf",
                                       "\xe2\x82",
                                       "\xed\xa0\x80",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80",
                                       "\xff",
                                       "ab\xc3(",
                                       "\xf0\x9f\x98"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[128];
        struct wire_label label = {"l", rows[i]};
        struct wire_sample s = {.name = "m", .labels = &label, .n_labels = 1};
        ck_assert_msg(wire_line(out, sizeof out, &s) == -EINVAL, "row %zu", i);
        struct wire_hello h = {.component = rows[i]};
        ck_assert_msg(wire_hello_line(out, sizeof out, &h, 0) == -EINVAL, "row %zu", i);
    }
}
END_TEST

START_TEST(a_line_that_does_not_fit_is_refused_and_writes_nothing_past_the_end)
{
    struct wire_sample s = {.event = true, .name = "rpc"};
    char out[16];
    for (size_t size = 0; size < 15; size++) {
        memset(out, 'x', sizeof out);
        ck_assert_int_eq(wire_line(out, size, &s), -ENOBUFS);
        ck_assert_int_eq(out[size], 'x');
    }
    ck_assert_int_eq(wire_line(out, 15, &s), 15);
    ck_assert_mem_eq(out, "{\"event\":\"rpc\"}x", 16);
    char *name = malloc(WIRE_LINE_MAX + 1);
    char *line = malloc(WIRE_LINE_MAX);
    memset(name, 'a', WIRE_LINE_MAX);
    name[WIRE_LINE_MAX - 13] = '\0'; // {"metric":""} is 13 bytes
    struct wire_sample longest = {.name = name};
    ck_assert_int_eq(wire_line(line, WIRE_LINE_MAX, &longest), WIRE_LINE_MAX);
    strcat(name, "a");
    ck_assert_int_eq(wire_line(line, WIRE_LINE_MAX, &longest), -EMSGSIZE);
    free(name);
    free(line);
}
END_TEST

START_TEST(a_hello_names_only_what_is_given)
{
    char out[256];
    struct wire_label labels[] = {{"provider", "vc1"}, {"provider_type", "vsphere"}};
    struct wire_hello h = {.component = "provider"};
    int n = wire_hello_line(out, sizeof out, &h, 0);
    ck_assert_int_gt(n, 0);
    out[n] = '\0';
    ck_assert_str_eq(out, "{\"hello\":{\"component\":\"provider\"}}");
    h = (struct wire_hello){
        .component = "provider", .instance = "vc1", .labels = labels, .n_labels = 2};
    n = wire_hello_line(out, sizeof out - 1, &h, 7);
    ck_assert_int_gt(n, 0);
    out[n] = '\0';
    ck_assert_str_eq(out, "{\"hello\":{\"component\":\"provider\",\"instance\":\"vc1\",\"labels\":{"
                          "\"provider\":\"vc1\","
                          "\"provider_type\":\"vsphere\"},\"lost\":7}}");
}
END_TEST

START_TEST(an_exemplar_is_one_that_the_daemon_takes)
{
    char out[512];
    char longer[200];
    memset(longer, 'x', sizeof longer);
    longer[120] = '\0'; // and 8 of its name
    struct wire_label labels[] = {{"trace_id", "a\"b"}, {"span", ""}};
    static const char want[] = ",\"exemplar\":{\"labels\":{\"trace_id\":\"a\\\"b\",\"span\":\"\"},"
                               "\"timestamp\":1700000000.007}";
    int n = wire_exemplar(out, sizeof out, labels, 2, 1700000000007);
    ck_assert_int_eq(n, (int)strlen(want));
    ck_assert_mem_eq(out, want, (size_t)n);
    const struct wire_label longest = {"trace_id", longer};
    ck_assert_int_gt(wire_exemplar(out, sizeof out, &longest, 1, 0), 0);
    longer[120] = 'x';
    longer[121] = '\0';
    const struct wire_label bad[] = {longest,     {"trace-id", "x"}, {"", "x"},
                                     {NULL, "x"}, {"x", NULL},       {"x", "\xff"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(wire_exemplar(out, sizeof out, &bad[i], 1, 0), -EINVAL);
    }
    labels[1].name = "trace_id";
    ck_assert_int_eq(wire_exemplar(out, sizeof out, labels, 2, 0), -EINVAL);
    ck_assert_int_eq(wire_exemplar(out, sizeof out, labels, 0, 0), -EINVAL);
    ck_assert_int_eq(wire_exemplar(out, sizeof out, NULL, 1, 0), -EINVAL);
}
END_TEST

START_TEST(what_is_to_be_forgotten_is_a_control_line)
{
    char out[128];
    struct wire_reply r;
    struct wire_label labels[] = {{"provider", "vc1"}, {"kind", "VM"}};
    static const char want[] = "{\"forget\":{\"labels\":{\"provider\":\"vc1\",\"kind\":\"VM\"}}}\n";
    ck_assert_int_eq(wire_forget_line(out, sizeof out, labels, 2), (int)strlen(want));
    ck_assert_mem_eq(out, want, strlen(want));
    ck_assert(wire_is_control(out, strlen(want) - 1));
    ck_assert_int_eq(wire_reply_parse(&r, "{\"forget\":{\"series\":3}}", 23), 0);
    ck_assert_int_eq(r.kind, WIRE_REPLY_FORGET);
}
END_TEST

START_TEST(a_number_has_the_fewest_digits_that_read_back)
{
    static const struct {
        double v;
        const char *text;
    } rows[] = {{0, "0"},
                {-0.0, "-0"},
                {1, "1"},
                {-1.5, "-1.5"},
                {0.1, "0.1"},
                {0.84, "0.84"},
                {1e21, "1e+21"},
                {5e-324, "4.94065645841247e-324"},
                {1.0 / 3, "0.3333333333333333"},
                {0.1 + 0.2, "0.30000000000000004"},
                {9007199254740992, "9007199254740992"},
                {1.7976931348623157e308, "1.7976931348623157e+308"}};
    char out[WIRE_NUMBER_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_uint_eq(wire_number(out, rows[i].v), strlen(rows[i].text));
        ck_assert_str_eq(out, rows[i].text);
    }
    ck_assert_uint_eq(wire_number(out, NAN), 0);
    ck_assert_uint_eq(wire_number(out, INFINITY), 0);
    ck_assert_uint_eq(wire_number(out, -INFINITY), 0);
}
END_TEST

START_TEST(any_double_reads_back_as_itself)
{
    uint64_t state = unit_seed() | 1;
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = unit_random(&state);
        double v;
        char out[WIRE_NUMBER_MAX];
        memcpy(&v, &bits, sizeof v);
        if (isfinite(v)) {
            ck_assert_uint_gt(wire_number(out, v), 0);
            ck_assert_msg(strtod(out, NULL) == v && wire_is_number(out), "%s", out);
        }
    }
}
END_TEST

START_TEST(a_number_is_what_json_says)
{
    static const char *const yes[] = {"0",    "-0",  "12",   "-1",      "0.5",
                                      "1.50", "1e3", "1E-3", "1.5e+10", "1e999"};
    static const char *const no[] = {"",     "-",  "01", "-01", "+1",  ".5",  "1.",  "1e",  "1e+",
                                     "0x10", "1 ", " 1", "NaN", "Inf", "1,5", "1_0", "--1", "1.e3"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        ck_assert_msg(wire_is_number(yes[i]), "%s", yes[i]);
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        ck_assert_msg(!wire_is_number(no[i]), "%s", no[i]);
    }
}
END_TEST

START_TEST(replies_are_read_in_any_order_of_keys)
{
    struct wire_reply r;
    const char *text = " { \"line\" : 7 , \"detail\":\"a \\\"b\\\" \\\\ \\u0041\\n\", "
                       "\"index\":0,\"error\":\"bad_json\",\"x\":{\"line\":[9,\"}\"]}}\r";
    ck_assert_int_eq(wire_reply_parse(&r, text, strlen(text)), 0);
    ck_assert_int_eq(r.kind, WIRE_REPLY_ERROR);
    ck_assert_str_eq(r.reason, "bad_json");
    ck_assert_str_eq(r.detail, "a \"b\" \\ \\u0041\\n");
    ck_assert_uint_eq(r.line, 7);
    ck_assert(r.in_batch && r.index == 0);
    text = "{\"sync\":\"a,b\",\"applied\":12,\"rejected\":3}";
    ck_assert_int_eq(wire_reply_parse(&r, text, strlen(text)), 0);
    ck_assert_int_eq(r.kind, WIRE_REPLY_SYNC);
    ck_assert_str_eq(r.id, "\"a,b\"");
    ck_assert_uint_eq(r.applied, 12);
    ck_assert_uint_eq(r.rejected, 3);
    text = "{\"hello\":{\"protocol\":1,\"applied\":5,\"known\":true}}";
    ck_assert_int_eq(wire_reply_parse(&r, text, strlen(text)), 0);
    ck_assert_int_eq(r.kind, WIRE_REPLY_HELLO);
    ck_assert_uint_eq(r.applied, 5);
    ck_assert(r.known);
    text = "{ \"hello\" : { \"known\" : false , \"applied\" : 12 } }";
    ck_assert_int_eq(wire_reply_parse(&r, text, strlen(text)), 0);
    ck_assert_int_eq(r.kind, WIRE_REPLY_HELLO);
    ck_assert_uint_eq(r.applied, 12);
    ck_assert(!r.known);
    text = "{\"forget\":{\"series\":3}}";
    ck_assert_int_eq(wire_reply_parse(&r, text, strlen(text)), 0);
    ck_assert_int_eq(r.kind, WIRE_REPLY_FORGET);
}
END_TEST

START_TEST(what_is_no_reply_is_refused_at_any_cut)
{
    const char *text = "{\"error\":\"bad_json\",\"line\":7,\"detail\":\"a \\\"b\"}";
    for (size_t len = 0; len < strlen(text); len++) {
        struct wire_reply r;
        char *copy = malloc(len + 1); // so that a read past the end is seen
        memcpy(copy, text, len);
        char *exact = realloc(copy, len > 0 ? len : 1);
        ck_assert_msg(wire_reply_parse(&r, exact, len) == -EBADMSG, "%zu bytes", len);
        free(exact);
    }
    static const char *const rows[] = {"[]",    "1",          "{}",      "{\"a\"}",
                                       "{a:1}", "{\"a\":1,}", "{\"a\":}"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wire_reply r;
        ck_assert_msg(wire_reply_parse(&r, rows[i], strlen(rows[i])) == -EBADMSG, "%s", rows[i]);
    }
}
END_TEST

START_TEST(long_texts_in_replies_are_cut_and_control_characters_masked)
{
    char text[1200] = "{\"error\":\"";
    memset(text + 10, 'r', 500);
    strcpy(text + 510, "\",\"detail\":\"\x1b[2J");
    memset(text + strlen(text), 'd', 500);
    strcat(text, "\"}");
    struct wire_reply r;
    ck_assert_int_eq(wire_reply_parse(&r, text, strlen(text)), 0);
    ck_assert_uint_eq(strlen(r.reason), sizeof r.reason - 1);
    ck_assert_uint_eq(strlen(r.detail), sizeof r.detail - 1);
    ck_assert_mem_eq(r.detail, "?[2J", 4);
}
END_TEST

UNIT_MAIN("wire", a_line_escapes_what_json_must_escape_and_nothing_else,
          text_that_is_no_utf8_makes_no_line,
          a_line_that_does_not_fit_is_refused_and_writes_nothing_past_the_end,
          a_hello_names_only_what_is_given, a_number_has_the_fewest_digits_that_read_back,
          any_double_reads_back_as_itself, a_number_is_what_json_says,
          replies_are_read_in_any_order_of_keys, what_is_no_reply_is_refused_at_any_cut,
          long_texts_in_replies_are_cut_and_control_characters_masked,
          an_exemplar_is_one_that_the_daemon_takes, what_is_to_be_forgotten_is_a_control_line)
