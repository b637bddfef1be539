// SPDX-License-Identifier: Apache-2.0
#include "catalog/load.h"
#include "event/parse.h"
#include "event/sample.h"
#include "unit.h"

#include <jansson.h>

static const char CATALOG[] =
    "metrics:\n"
    "- {name: a_total, type: counter, help: A., labels: [x, y], ignored_labels: [z]}\n"
    "- {name: g, type: gauge, help: G., labels: []}\n"
    "events:\n"
    "- {name: done, labels: [x, y], updates: [{add: a_total}]}\n";

static struct catalog *catalog;
static struct buf values;

static void open_catalog(void)
{
    struct errs errs = ERRS_INIT;
    ck_assert_int_eq(catalog_load_bytes(&catalog, "c", CATALOG, sizeof CATALOG - 1, &errs), 0);
}

static enum reject_reason read_line(struct parser *p, const char *line, struct sample *s,
                                    struct buf *exemplars, struct rejection *why)
{
    struct rejection duplicate;
    parse_reset(p);
    json_t *root = parse_line(p, line, strlen(line), &duplicate, why);
    ck_assert_msg(root != NULL, "%s", line);
    buf_clear(&values);
    return sample_read(s, catalog, root, exemplars, &values, why);
}

START_TEST(it_says_what_the_line_says)
{
    struct parser p = {0};
    struct sample s;
    struct rejection why;
    struct buf exemplars = BUF_INIT;
    open_catalog();
    ck_assert_int_eq(read_line(&p,
                               "{\"value\":2.5,\"exemplar\":{\"timestamp\":9,\"labels\":{\"t\":"
                               "\"a\\\"\",\"u\":\"\xc3\xa9\"}},\"labels\":{\"y\":\"b\",\"z\":7},"
                               "\"metric\":\"a_total\",\"op\":\"add\"}",
                               &s, &exemplars, &why),
                     REJECT_NONE);
    ck_assert_str_eq(s.metric->name, "a_total");
    ck_assert_str_eq(why.name, "a_total");
    ck_assert(s.event == NULL && !why.names_event && s.metric_op == UPDATE_ADD);
    ck_assert(s.value == SAMPLE_NUMBER && s.number == 2.5);
    ck_assert_uint_eq(s.labels.n, 2);
    ck_assert_int_eq(s.labels.state[0], SAMPLE_ABSENT);
    ck_assert_int_eq(s.labels.state[1], SAMPLE_TEXT);
    ck_assert(s.labels.values[1].len == 1 && *s.labels.values[1].p == 'b');
    ck_assert(s.exemplar.present && s.exemplar.well_formed && s.exemplar.bad_label == NULL);
    ck_assert(s.exemplar.has_timestamp && s.exemplar.timestamp == 9);
    ck_assert_uint_eq(s.exemplar.characters, 5);
    ck_assert_str_eq(buf_string(&exemplars), " # {t=\"a\\\"\",u=\"\xc3\xa9\"} ");
    buf_free(&exemplars);
    parse_free(&p);
    catalog_free(catalog);
}
END_TEST

START_TEST(what_has_its_checks_later_is_told)
{
    struct parser p = {0};
    struct sample s;
    struct rejection why;
    struct buf exemplars = BUF_INIT;
    open_catalog();
    ck_assert_int_eq(read_line(&p,
                               "{\"event\":\"done\",\"labels\":{\"x\":1},\"value\":null,"
                               "\"exemplar\":{\"labels\":{\"0\":\"\"}}}",
                               &s, &exemplars, &why),
                     REJECT_NONE);
    ck_assert(s.metric == NULL && s.event != NULL && why.names_event);
    ck_assert_int_eq(s.labels.state[0], SAMPLE_NO_STRING);
    ck_assert_int_eq(s.value, SAMPLE_BAD_VALUE);
    ck_assert_str_eq(s.exemplar.bad_label, "0");
    ck_assert_int_eq(read_line(&p, "{\"metric\":\"g\",\"exemplar\":{\"labels\":{},\"a\":1}}", &s,
                               &exemplars, &why),
                     REJECT_NONE);
    ck_assert(s.exemplar.present && !s.exemplar.well_formed);
    ck_assert_int_eq(s.value, SAMPLE_NO_VALUE);
    ck_assert_int_eq(s.metric_op, UPDATE_SET);
    buf_free(&exemplars);
    parse_free(&p);
    catalog_free(catalog);
}
END_TEST

START_TEST(values_are_one_a_list_or_a_count)
{
    static const struct {
        const char *rest;
        enum sample_value value;
        uint32_t count;
        double number;
        const char *why;
    } cases[] = {
        {"", SAMPLE_NO_VALUE, 1, 0, NULL},
        {",\"value\":3", SAMPLE_NUMBER, 1, 3, NULL},
        {",\"values\":[4]", SAMPLE_LIST, 1, 4, NULL},
        {",\"values\":[4,-5.5,6]", SAMPLE_LIST, 3, 6, NULL},
        {",\"count\":1", SAMPLE_NO_VALUE, 1, 0, NULL},
        {",\"count\":1e6", SAMPLE_NO_VALUE, 1000000, 0, NULL},
        {",\"count\":1000001", SAMPLE_BAD_VALUE, 1, 0, "count"},
        {",\"count\":0", SAMPLE_BAD_VALUE, 1, 0, "count"},
        {",\"count\":-1", SAMPLE_BAD_VALUE, 1, 0, "count"},
        {",\"count\":1.5", SAMPLE_BAD_VALUE, 1, 0, "count"},
        {",\"count\":\"1\"", SAMPLE_BAD_VALUE, 1, 0, "count"},
        {",\"count\":null", SAMPLE_BAD_VALUE, 1, 0, "count"},
        {",\"count\":1e300", SAMPLE_BAD_VALUE, 1, 0, "count"},
        {",\"value\":null", SAMPLE_BAD_VALUE, 1, 0, "the value"},
        {",\"values\":[]", SAMPLE_BAD_VALUE, 1, 0, "values"},
        {",\"values\":1", SAMPLE_BAD_VALUE, 1, 0, "values"},
        {",\"values\":{\"0\":1}", SAMPLE_BAD_VALUE, 1, 0, "values"},
        {",\"values\":null", SAMPLE_BAD_VALUE, 1, 0, "values"},
        {",\"values\":[1,null]", SAMPLE_BAD_VALUE, 2, 0, "one of the values"},
        {",\"values\":[1,1e999]", SAMPLE_BAD_VALUE, 2, 0, "one of the values"},
        {",\"values\":[[1]]", SAMPLE_BAD_VALUE, 1, 0, "one of the values"},
        {",\"value\":1,\"values\":[1]", SAMPLE_BAD_VALUE, 1, 0, "only one"},
        {",\"value\":1,\"count\":1", SAMPLE_BAD_VALUE, 1, 0, "only one"},
        {",\"count\":1,\"values\":[1]", SAMPLE_BAD_VALUE, 1, 0, "only one"},
    };
    struct parser p = {0};
    struct sample s;
    struct rejection why;
    struct buf exemplars = BUF_INIT;
    open_catalog();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[200];
        snprintf(line, sizeof line, "{\"event\":\"done\"%s}", cases[i].rest);
        ck_assert_int_eq(read_line(&p, line, &s, &exemplars, &why), REJECT_NONE);
        ck_assert_msg(s.value == cases[i].value && s.count == cases[i].count, "%s: %d, %u", line,
                      (int)s.value, s.count);
        ck_assert(s.value == SAMPLE_BAD_VALUE || s.number == cases[i].number);
        ck_assert_msg(s.value != SAMPLE_BAD_VALUE ||
                          strncmp(s.bad_value, cases[i].why, strlen(cases[i].why)) == 0,
                      "%s: %s", line, s.value == SAMPLE_BAD_VALUE ? s.bad_value : "");
    }
    ck_assert_int_eq(read_line(&p, "{\"metric\":\"g\",\"count\":2}", &s, &exemplars, &why),
                     REJECT_unknown_field);
    ck_assert_int_eq(read_line(&p, "{\"metric\":\"g\",\"values\":[1,2.5]}", &s, &exemplars, &why),
                     REJECT_NONE);
    ck_assert_uint_eq(s.n_values, 2);
    ck_assert(memcmp(values.p + s.values_at, (double[]){1, 2.5}, 2 * sizeof(double)) == 0);
    buf_free(&values);
    buf_free(&exemplars);
    parse_free(&p);
    catalog_free(catalog);
}
END_TEST

START_TEST(structure_is_checked_in_order)
{
    static const struct {
        const char *line;
        enum reject_reason reason;
    } cases[] = {
        {"{\"metric\":\"g\",\"a\":1,\"op\":\"x\"}", REJECT_unknown_field},
        {"{\"metric\":\"g\",\"event\":\"done\"}", REJECT_unknown_field},
        {"{\"metric\":\"nope\",\"op\":\"x\"}", REJECT_unknown_metric},
        {"{\"event\":7}", REJECT_unknown_event},
        {"{\"event\":\"done\",\"op\":\"add\"}", REJECT_bad_op},
        {"{\"metric\":\"g\",\"op\":\"observe\"}", REJECT_bad_op},
        {"{\"metric\":\"g\",\"labels\":[]}", REJECT_bad_label_value},
        {"{\"metric\":\"a_total\",\"labels\":{\"q\":\"\"}}", REJECT_unknown_label},
    };
    struct parser p = {0};
    struct sample s;
    struct rejection why;
    struct buf exemplars = BUF_INIT;
    open_catalog();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(read_line(&p, cases[i].line, &s, &exemplars, &why) == cases[i].reason, "%s",
                      cases[i].line);
    }
    buf_free(&exemplars);
    parse_free(&p);
    catalog_free(catalog);
}
END_TEST

UNIT_MAIN("sample", it_says_what_the_line_says, what_has_its_checks_later_is_told,
          values_are_one_a_list_or_a_count, structure_is_checked_in_order)
