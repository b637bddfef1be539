// SPDX-License-Identifier: Apache-2.0
#include "catalog/load.h"
#include "event/line_template.h"
#include "event/parse.h"
#include "unit.h"

#include <jansson.h>

static const char CATALOG[] =
    "metrics:\n"
    "- {name: a_total, type: counter, help: A., labels: [x, y], ignored_labels: [z]}\n";

static struct catalog *catalog;
static struct parser parser;
static struct line_template template;

// Whether a line, which the parser accepts, has a template.
static bool read_line(const char *text)
{
    struct rejection duplicate;
    struct rejection why;
    struct sample s;
    struct buf exemplar = BUF_INIT;
    struct buf values = BUF_INIT;
    parse_reset(&parser);
    json_t *root = parse_line(&parser, text, strlen(text), &duplicate, &why);
    ck_assert_msg(root != NULL, "%s", text);
    ck_assert_int_eq(sample_read(&s, catalog, root, &exemplar, &values, &why), REJECT_NONE);
    buf_free(&exemplar);
    buf_free(&values);
    return line_template_read(&template, catalog, text, text + strlen(text), &s);
}

static void open_catalog(void)
{
    struct errs errs = ERRS_INIT;
    ck_assert_int_eq(catalog_load_bytes(&catalog, "c", CATALOG, sizeof CATALOG - 1, &errs), 0);
    parser = (struct parser){0};
}

static void close_catalog(void)
{
    parse_free(&parser);
    catalog_free(catalog);
}

static void expect_step(unsigned i, enum template_hole hole, const char *text)
{
    const struct template_step *s = &template.steps[i];
    ck_assert_uint_lt(i, template.n_steps);
    ck_assert_int_eq(s->hole, hole);
    ck_assert_uint_eq(s->len, strlen(text));
    ck_assert_mem_eq(s->text, text, s->len);
}

START_TEST(holes_are_where_lines_differ)
{
    open_catalog();
    ck_assert(read_line("{\"metric\":\"a_total\",\"labels\":{\"y\":\"b\",\"z\":\"c\",\"x\":\"a\"},"
                        "\"exemplar\":{\"labels\":{\"t\":\"u\"},\"timestamp\":1.5},\"value\":2}"));
    ck_assert_uint_eq(template.n_steps, 7);
    expect_step(0, TEMPLATE_LABEL, "{\"metric\":\"a_total\",\"labels\":{\"y\":\"");
    expect_step(1, TEMPLATE_IGNORED, "\",\"z\":\"");
    expect_step(2, TEMPLATE_LABEL, "\",\"x\":\"");
    expect_step(3, TEMPLATE_EXEMPLAR, "\"},\"exemplar\":{\"labels\":{\"t\":\"");
    expect_step(4, TEMPLATE_TIMESTAMP, "\"},\"timestamp\":");
    expect_step(5, TEMPLATE_NUMBER, "},\"value\":");
    expect_step(6, TEMPLATE_END, "}");
    ck_assert(template.has_number && template.has_exemplar && template.given == 3);
    ck_assert_uint_eq(template.steps[3].name_len, 1);
    close_catalog();
}
END_TEST

START_TEST(the_target_tells_what_is_updated)
{
    static const char *const lines[] = {
        "{\"metric\":\"a_total\",\"labels\":{\"x\":\"a\",\"y\":\"b\"}}",
        "{\"metric\":\"a_total\",\"labels\":{\"y\":\"b\",\"x\":\"a\"}}",
        "{\"metric\":\"a_total\",\"labels\":{\"x\":\"a\"}}",
        "{\"metric\":\"a_total\",\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"value\":1}",
    };
    struct template_target seen[4];
    open_catalog();
    for (size_t i = 0; i < 4; i++) {
        ck_assert(read_line(lines[i]));
        seen[i] = template.target;
        for (size_t k = 0; k < i; k++) {
            ck_assert(seen[k].what != seen[i].what || seen[k].labels != seen[i].labels);
        }
    }
    // The order of other keys does not matter.
    ck_assert(
        read_line("{\"value\":1,\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"metric\":\"a_total\"}"));
    ck_assert(template.target.what == seen[3].what && template.target.labels == seen[3].labels);
    close_catalog();
}
END_TEST

START_TEST(what_has_too_much_of_something_has_none)
{
    struct buf line = BUF_INIT;
    open_catalog();
    buf_str(
        &line,
        "{\"metric\":\"a_total\",\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"exemplar\":{\"labels\":{");
    for (int i = 0; i < LINE_MAX_HOLES; i++) {
        buf_addf(&line, "%s\"l%d\":\"\"", i > 0 ? "," : "", i);
    }
    buf_str(&line, "}}}");
    ck_assert(!read_line(buf_string(&line)));
    buf_clear(&line);
    buf_str(&line, "{\"metric\":\"a_total\",\"exemplar\":{\"labels\":{\"");
    for (int i = 0; i < TEMPLATE_TEXT; i++) {
        buf_char(&line, 'l');
    }
    buf_str(&line, "\":\"\"}}}");
    ck_assert(!read_line(buf_string(&line)));
    ck_assert(!read_line("{\"metric\":\"a_total\",\"labels\":{\"x\":1}}"));
    buf_free(&line);
    close_catalog();
}
END_TEST

START_TEST(a_copy_is_of_itself)
{
    static struct line_template copy;
    open_catalog();
    ck_assert(
        read_line("{\"metric\":\"a_total\",\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"value\":1}"));
    line_template_move(&copy, &template);
    ck_assert(copy.is_quick);
    ck_assert_uint_eq(copy.head_len, copy.steps[0].len);
    for (unsigned i = 0; i < copy.n_steps; i++) {
        ck_assert(copy.steps[i].text >= copy.text &&
                  copy.steps[i].text < copy.text + TEMPLATE_TEXT);
    }
    ck_assert(copy.labels[1].presence == 0 && copy.labels[1].len == 0);
    ck_assert(copy.labels[2].presence != 0 && copy.labels[2].len == copy.steps[1].len);
    close_catalog();
}
END_TEST

UNIT_MAIN("line_template", holes_are_where_lines_differ, the_target_tells_what_is_updated,
          what_has_too_much_of_something_has_none, a_copy_is_of_itself)
