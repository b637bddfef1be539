// SPDX-License-Identifier: Apache-2.0
#include "catalog/load.h"
#include "event/line_template.h"
#include "event/parse.h"

static unsigned read_templates; // how often line_template_read was called

static bool count_read(struct line_template *t, const struct catalog *c, const char *at,
                       const char *end, const struct sample *s)
{
    read_templates++;
    return line_template_read(t, c, at, end, s);
}

#define line_template_read count_read
#include "event/template.c"
#undef line_template_read

#include "unit.h"

#include <jansson.h>
#include <sys/mman.h>

static const char CATALOG[] =
    "metrics:\n"
    "- {name: a_total, type: counter, help: A., labels: [x, y], ignored_labels: [z]}\n"
    "- {name: g, type: gauge, help: G., labels: []}\n"
    "- {name: a_name_as_long_as_those_of_many_metrics_are_total, type: counter, help: H., labels: "
    "[y]}\n"
    "events:\n"
    "- {name: done, labels: [x, y], value: {unit: seconds, optional: true}, updates: [{add: "
    "a_total}]}\n";

// Lines of as many templates.
static const char *const LINES[] = {
    "{\"metric\":\"a_total\",\"labels\":{\"x\":\"one\",\"y\":\"two\"},\"value\":1.5}",
    "{\"metric\":\"a_total\",\"labels\":{\"y\":\"one\",\"x\":\"two\",\"z\":\"three\"}}",
    "{\"metric\":\"g\",\"op\":\"add\",\"value\":-1}",
    "{\"value\":12,\"event\":\"done\",\"labels\":{\"x\":\"one\",\"y\":\"two\"}}",
    "{\"labels\":{\"x\":\"one\",\"y\":\"two\"},\"event\":\"done\",\"value\":1e5}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"one\",\"y\":\"two\"},\"exemplar\":{\"labels\":"
    "{\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"u\":\"\"},\"timestamp\":1700000000.5},"
    "\"value\":0.25}",
    "{\"event\":\"done\",\"value\":12.5,\"labels\":{\"x\":\"one\",\"y\":\"two\"}}",
    ("{\"event\":\"done\",\"labels\":{\"x\":\"one\",\"y\":\"two\"},\"value\":3.25,\"exemplar\":{"
     "\"labels\":{\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"},\"timestamp\":1700000000.5}}"),
    "{\"metric\":\"a_name_as_long_as_those_of_many_metrics_are_total\",\"labels\":{\"y\":\"one\"}}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"one\",\"y\":\"two\"},\"count\":17}",
    "{\"count\":1e3,\"event\":\"done\",\"labels\":{\"x\":\"one\",\"y\":\"two\"}}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"one\",\"y\":\"two\"},\"values\":[1.5,2,-0.25]}",
    "{\"values\":[1.5e3],\"event\":\"done\",\"labels\":{\"x\":\"one\",\"y\":\"two\"}}",
    ("{\"event\":\"done\",\"values\":[0.5,12345678.5],\"labels\":{\"x\":\"one\",\"y\":\"two\"},"
     "\"exemplar\":{\"labels\":{\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"},"
     "\"timestamp\":1700000000.5}}"),
    "{\"event\":\"done\",\"labels\":{\"x\":\"one\"},\"count\":5,\"exemplar\":{\"labels\":{}}}",
};

enum { N = sizeof LINES / sizeof LINES[0] };

static struct catalog *catalog;
static struct templates *all;
static struct parser parser;
static struct buf values; // of lists

static void open_all(void)
{
    struct errs errs = ERRS_INIT;
    ck_assert_int_eq(catalog_load_bytes(&catalog, "c", CATALOG, sizeof CATALOG - 1, &errs), 0);
    all = templates_new();
    parser = (struct parser){0};
}

static void close_all(void)
{
    templates_free(all);
    parse_free(&parser);
    catalog_free(catalog);
}

// What the parser says of a line. Returns whether it is a sample.
static bool read_line(const char *text, size_t len, struct sample *s, struct buf *exemplar)
{
    struct rejection duplicate;
    struct rejection why;
    buf_clear(&values);
    parse_reset(&parser);
    json_t *root = parse_line(&parser, text, len, &duplicate, &why);
    return root != NULL && json_is_object(root) &&
           sample_read(s, catalog, root, exemplar, &values, &why) == REJECT_NONE;
}

// As if nothing had been compared in vain.
static void match_all(struct line *lines, size_t n)
{
    all->budgets = (struct budgets){0};
    template_match(all, 1, 0, lines, n);
}

static void learn(const char *text)
{
    struct sample s;
    struct buf exemplar = BUF_INIT;
    struct line line = {.bytes = text, .len = (uint32_t)strlen(text)};
    match_all(&line, 1);
    if (line.template == NULL) {
        ck_assert_msg(read_line(text, strlen(text), &s, &exemplar), "%s", text);
        template_learn(all, catalog, &line, &s);
    }
    buf_free(&exemplar);
}

static bool matches(const char *text, size_t len)
{
    struct line line = {.bytes = text, .len = (uint32_t)len};
    match_all(&line, 1);
    return line.template != NULL;
}

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

// Whether the line has a template. If it has, what it says must be what the parser says.
static bool check(const char *text, size_t len)
{
    struct line line = {.bytes = text, .len = (uint32_t)len};
    struct sample want;
    struct sample is;
    struct buf exemplars[2] = {BUF_INIT, BUF_INIT};
    struct buf list = BUF_INIT;
    match_all(&line, 1);
    if (line.template == NULL) {
        return false;
    }
    ck_assert_msg(read_line(text, len, &want, &exemplars[0]), "%.*s", (int)len, text);
    line_template_fill(&line, &is, &exemplars[1], &list);
    bool same = want.metric == is.metric && want.event == is.event && want.value == is.value &&
                want.metric_op == is.metric_op && same_bits(want.number, is.number) &&
                want.count == is.count && want.n_values == is.n_values &&
                want.exemplar.present == is.exemplar.present;
    if (want.n_values > 0) {
        same &= memcmp(values.p + want.values_at, list.p + is.values_at,
                       want.n_values * sizeof(double)) == 0;
    }
    for (size_t i = 0; i < want.labels.n; i++) {
        same &= want.labels.state[i] == is.labels.state[i] &&
                (is.labels.state[i] == SAMPLE_ABSENT ||
                 (want.labels.values[i].len == is.labels.values[i].len &&
                  memcmp(want.labels.values[i].p, is.labels.values[i].p, is.labels.values[i].len) ==
                      0));
    }
    if (want.exemplar.present) {
        same &= want.exemplar.well_formed && want.exemplar.bad_label == NULL &&
                want.exemplar.characters == is.exemplar.characters &&
                want.exemplar.has_timestamp == is.exemplar.has_timestamp &&
                same_bits(want.exemplar.timestamp, is.exemplar.timestamp) &&
                strcmp(buf_string(&exemplars[0]), buf_string(&exemplars[1])) == 0;
    }
    ck_assert_msg(same, "%.*s", (int)len, text);
    buf_free(&exemplars[0]);
    buf_free(&exemplars[1]);
    buf_free(&list);
    return true;
}

static void learn_all(void)
{
    // One after the other, since more than two may share a place of the window.
    for (size_t k = 0; k < N; k++) {
        for (int i = 0; i < 2; i++) {
            ck_assert(!matches(LINES[k], strlen(LINES[k])));
            learn(LINES[k]);
        }
    }
    for (size_t k = 0; k < N; k++) {
        ck_assert_msg(check(LINES[k], strlen(LINES[k])), "%s", LINES[k]);
    }
}

static void both_versions(void (*test)(void))
{
    for (int wide = 0; wide < 2; wide++) {
        open_all();
        all->wide &= wide == 1;
        learn_all();
        test();
        close_all();
    }
}

static void try_bytes(void)
{
    for (size_t k = 0; k < N; k++) {
        char line[512];
        size_t len = strlen(LINES[k]);
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                memcpy(line, LINES[k], len);
                line[at] = (char)c;
                check(line, len); // in place of a byte
                memmove(line + at + 1, line + at, len - at);
                line[at] = (char)c;
                memcpy(line + at + 1, LINES[k] + at, len - at);
                check(line, len + 1); // and before it
            }
            memcpy(line, LINES[k], len);
            memmove(line + at, line + at + 1, len - at - 1);
            check(line, len - 1); // without it
        }
    }
}

START_TEST(any_byte_anywhere_says_what_the_parser_says)
{
    both_versions(try_bytes);
}
END_TEST

// Each number as a count, in front and behind, and at every place of a list.
static void try_counts(const char *const *numbers, size_t n)
{
    static const char *const forms[] = {
        "{\"event\":\"done\",\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"count\":@}",
        "{\"count\":@,\"event\":\"done\",\"labels\":{\"x\":\"a\",\"y\":\"b\"}}",
        "{\"event\":\"done\",\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"values\":[@]}",
        "{\"event\":\"done\",\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"values\":[@,0.5]}",
        "{\"event\":\"done\",\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"values\":[1,2e3,@]}",
        "{\"event\":\"done\",\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"values\":[7 ,@ , 8 ]}",
        "{\"event\":\"done\",\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"values\":@}",
        "{\"values\":[1.25,@],\"event\":\"done\",\"labels\":{\"x\":\"a\",\"y\":\"b\"}}",
    };
    static const char *const more[] = {
        "1000000", "1000001", "999999.5",   "1e6",
        "1e7",     "10e-1",   "1.0",        "0.999999999999999999999",
        "-1",      "[1]",     "[]",         "{}",
        "",        "1,",      ",1",         "1,2",
        "1,\"2\"", "1]",      "[1",         "1,,2",
        "1e309",   "-1e309",  "4294967297",
    };
    char line[512];
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        for (size_t k = 0; k < n + sizeof more / sizeof more[0]; k++) {
            size_t hole = strcspn(forms[i], "@");
            int len = snprintf(line, sizeof line, "%.*s%s%s", (int)hole, forms[i],
                               k < n ? numbers[k] : more[k - n], forms[i] + hole + 1);
            check(line, (size_t)len);
        }
    }
}

static void try_values(void)
{
    static const char *const texts[] = {
        "a",
        "",
        "\xc3\xa9",
        "\xed\xa0\x80",
        "\xff",
        "a\\n",
        "a value of more than thirty-two bytes, as few are",
        "a value of just thirty-two bytes",
        "\x7f",
        "a\tb",
    };
    static const char *const numbers[] = {
        "0",
        "-0",
        "1",
        "12345678901234567890",
        "0.1",
        "1e5",
        "1E-5",
        "1e400",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "null",
        "\"1\"",
        "123456789012345",
        "1 2",
        "- 1",
        "1e308",
        "4.9e-324",
        "0x1",
        "",
        "true",
        "9007199254740993",
        "0.12345678901234567890123456789012345678901234567890",
        "1.5 ",
        " 1.5",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
            char line[512];
            int len = snprintf(line, sizeof line,
                               "{\"metric\":\"a_total\",\"labels\":{\"x\":\"%s\",\"y\":\"b\"},"
                               "\"value\":%s}",
                               texts[i], numbers[k]);
            check(line, (size_t)len);
            len =
                snprintf(line, sizeof line,
                         "{\"value\":%s,\"event\":\"done\",\"labels\":{\"x\":\"%s\",\"y\":\"%s\"}}",
                         numbers[k], texts[i], texts[i]);
            check(line, (size_t)len);
            len = snprintf(line, sizeof line,
                           "{\"event\":\"done\",\"labels\":{\"x\":\"one\",\"y\":\"two\"},"
                           "\"exemplar\":{\"labels\":{\"trace_id\":\"%s\",\"u\":\"\"},"
                           "\"timestamp\":%s}, \"value\":0.25}",
                           texts[i], numbers[k]);
            check(line, (size_t)len);
        }
    }
    try_counts(numbers, sizeof numbers / sizeof numbers[0]);
}

START_TEST(all_forms_of_numbers_and_texts_read_as_the_parser_reads_them)
{
    both_versions(try_values);
}
END_TEST

// Between two pages that must not be touched.
static void try_pages(void)
{
    char *room =
        mmap(NULL, 3 * BYTES_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(room, MAP_FAILED);
    ck_assert_int_eq(mprotect(room, BYTES_PAGE, PROT_NONE), 0);
    ck_assert_int_eq(mprotect(room + 2L * BYTES_PAGE, BYTES_PAGE, PROT_NONE), 0);
    for (size_t k = 0; k < N; k++) {
        size_t len = strlen(LINES[k]);
        for (size_t cut = 0; cut <= len; cut++) {
            size_t n = len - cut;
            memcpy(room + BYTES_PAGE, LINES[k], n);
            ck_assert(check(room + BYTES_PAGE, n) == (cut == 0));
            memcpy(room + 2L * BYTES_PAGE - n, LINES[k], n);
            ck_assert(check(room + 2L * BYTES_PAGE - n, n) == (cut == 0));
            memcpy(room + 2L * BYTES_PAGE - n, LINES[k] + cut, n); // and its end alone
            check(room + 2L * BYTES_PAGE - n, n);
        }
        // What stands behind the line is not of it.
        memcpy(room + BYTES_PAGE + 100, LINES[k], len);
        for (size_t n = 0; n < len; n++) {
            ck_assert(!check(room + BYTES_PAGE + 100, n));
        }
    }
    // Several lines, the last of which are at the page's end.
    for (size_t k = 0; k + 2 < N; k++) {
        struct line lines[3];
        char *to = room + 2L * BYTES_PAGE;
        for (size_t i = 3; i-- > 0;) {
            size_t len = strlen(LINES[k + i]);
            *--to = '\n';
            to -= len;
            memcpy(to, LINES[k + i], len);
            lines[i] = (struct line){.bytes = to, .len = (uint32_t)len};
        }
        match_all(lines, 3);
        for (size_t i = 0; i < 3; i++) {
            ck_assert_ptr_nonnull(lines[i].template);
        }
    }
    struct line elements[TEMPLATE_BATCH];
    char batch[] = "[{\"metric\":\"g\",\"op\":\"add\",\"value\":1}]";
    size_t n = sizeof batch - 1;
    struct line line = {.bytes = room + BYTES_PAGE, .len = (uint32_t)n};
    memcpy(room + BYTES_PAGE, batch, n);
    ck_assert_uint_eq(template_match_batch(all, 1, &line, elements), 1);
    line.bytes = room + 2L * BYTES_PAGE - n;
    memcpy(room + 2L * BYTES_PAGE - n, batch, n);
    ck_assert_uint_eq(template_match_batch(all, 1, &line, elements), 1);
    munmap(room, 3 * BYTES_PAGE);
}

// A line with a list of n numbers. Returns its length.
static size_t write_list(char *to, const char *number, size_t n)
{
    size_t len = (size_t)sprintf(
        to, "{\"event\":\"done\",\"labels\":{\"x\":\"one\",\"y\":\"two\"},\"values\":[");
    for (size_t i = 0; i < n; i++) {
        len += (size_t)sprintf(to + len, "%s%s", i > 0 ? "," : "", number);
    }
    return len + (size_t)sprintf(to + len, "]}");
}

static void try_lists(void)
{
    static const char *const numbers[] = {"1", "0.12345678901234567", "-1.5e-3"};
    static char line[2 * LINE_MAX_BYTES];
    for (size_t n = 0; n <= SAMPLE_MAX_VALUES + 1; n = n < 40 || n >= 998 ? n + 1 : n * 5 / 4) {
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            size_t len = write_list(line, numbers[i], n < 998 ? n : n < 1002 ? n : 1001);
            ck_assert(check(line, len) == (n > 0 && n <= SAMPLE_MAX_VALUES));
        }
    }
    // Those of lines that are matched together are kept, up to what there is room for.
    struct line lines[TEMPLATE_LINES];
    size_t at = 0;
    for (size_t i = 0; i < TEMPLATE_LINES; i++) {
        lines[i] = (struct line){.bytes = line + at};
        lines[i].len = (uint32_t)write_list(line + at, i % 2 == 0 ? "3" : "4 ", 1 + i * 30);
        at += lines[i].len;
        line[at++] = '\n';
    }
    match_all(lines, TEMPLATE_LINES);
    for (size_t i = 0; i < TEMPLATE_LINES; i++) {
        ck_assert_ptr_nonnull(lines[i].template);
        ck_assert_uint_eq(lines[i].n, 1 + i * 30);
        for (size_t k = 0; k < lines[i].n; k++) {
            ck_assert(lines[i].list[k] == (i % 2 == 0 ? 3 : 4));
        }
    }
    // A batch that is matched meanwhile changes none of them.
    static char batch[LINE_MAX_BYTES];
    static struct line elements[TEMPLATE_BATCH];
    batch[0] = '[';
    size_t len = 1 + write_list(batch + 1, "5", 1000);
    batch[len++] = ',';
    len += write_list(batch + len, "6", 7);
    batch[len++] = ']';
    struct line one = {.bytes = batch, .len = (uint32_t)len};
    ck_assert_uint_eq(template_match_batch(all, 1, &one, elements), 2);
    ck_assert(elements[0].n == 1000 && elements[0].list[999] == 5);
    ck_assert(elements[1].n == 7 && elements[1].list[6] == 6);
    ck_assert(lines[0].list[0] == 3 && lines[31].list[930] == 4);
}

START_TEST(lists_have_one_to_a_thousand_numbers)
{
    both_versions(try_lists);
}
END_TEST

START_TEST(no_other_page_is_touched)
{
    both_versions(try_pages);
}
END_TEST

static void try_batches(void)
{
    struct line elements[TEMPLATE_BATCH];
    char batch[65536];
    size_t len = 0;
    for (size_t i = 0; i < 20; i++) {
        len += (size_t)sprintf(batch + len, "%c%s", i == 0 ? '[' : ',', LINES[i % N]);
    }
    batch[len++] = ']';
    struct line line = {.bytes = batch, .len = (uint32_t)len};
    ck_assert_uint_eq(template_match_batch(all, 1, &line, elements), 20);
    for (size_t i = 0; i < 20; i++) {
        ck_assert_uint_eq(elements[i].len, strlen(LINES[i % N]));
        ck_assert_mem_eq(elements[i].bytes, LINES[i % N], elements[i].len);
        ck_assert_ptr_nonnull(elements[i].template);
    }
    static const char *const bad[] = {
        "[]",
        "[",
        "",
        "{}",
        "[{\"metric\":\"g\",\"op\":\"add\",\"value\":1},]",
        "[{\"metric\":\"g\",\"op\":\"add\",\"value\":1}]]",
        "[{\"metric\":\"g\",\"op\":\"add\",\"value\":1}",
        "[{\"metric\":\"g\",\"op\":\"add\",\"value\":1},{\"metric\":\"g\"}]",
        ("[{\"metric\":\"g\",\"op\":\"add\",\"value\":1}{\"metric\":\"g\",\"op\":\"add\",\"value\":"
         "1}]"),
        "[[{\"metric\":\"g\",\"op\":\"add\",\"value\":1}]]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        line = (struct line){.bytes = bad[i], .len = (uint32_t)strlen(bad[i])};
        ck_assert_msg(template_match_batch(all, 1, &line, elements) == 0, "%s", bad[i]);
    }
    // What looks like the end of an element is in a string.
    static const char inside[] =
        "[{\"metric\":\"a_total\",\"labels\":{\"x\":\"},{\",\"y\":\"},\"},\"value\":1.5},"
        "{\"metric\":\"a_total\",\"labels\":{\"x\":\"[\",\"y\":\"]\"},\"value\":2}]";
    line = (struct line){.bytes = inside, .len = sizeof inside - 1};
    ck_assert_uint_eq(template_match_batch(all, 1, &line, elements), 2);
    ck_assert(elements[0].number == 1.5 && elements[1].number == 2);
    // As many elements as there may be, and one more.
    for (size_t n = TEMPLATE_BATCH; n <= TEMPLATE_BATCH + 1; n++) {
        len = 0;
        for (size_t i = 0; i < n; i++) {
            len += (size_t)sprintf(batch + len, "%c{\"metric\":\"g\",\"op\":\"add\",\"value\":%zu}",
                                   i == 0 ? '[' : ',', i);
        }
        batch[len++] = ']';
        line = (struct line){.bytes = batch, .len = (uint32_t)len};
        ck_assert_uint_eq(template_match_batch(all, 1, &line, elements),
                          n <= TEMPLATE_BATCH ? n : 0);
    }
    ck_assert(elements[TEMPLATE_BATCH - 1].number == TEMPLATE_BATCH - 1);
    static const char blanks[] = "[ {\"metric\": \"g\", \"op\": \"add\", \"value\": 1} , "
                                 "{\"metric\": \"g\", \"op\": \"add\", \"value\": 2} ]\r";
    line = (struct line){.bytes = blanks, .len = sizeof blanks - 1};
    ck_assert_uint_eq(template_match_batch(all, 1, &line, elements), 2);
    ck_assert(elements[1].number == 2);
}

START_TEST(a_batch_is_a_sequence_of_lines)
{
    both_versions(try_batches);
}
END_TEST

START_TEST(another_catalogue_begins_with_none)
{
    open_all();
    learn_all();
    struct line line = {.bytes = LINES[0], .len = (uint32_t)strlen(LINES[0])};
    template_match(all, 2, 0, &line, 1);
    ck_assert_ptr_null(line.template);
    close_all();
}
END_TEST

START_TEST(lines_that_all_look_different_push_out_none_in_use)
{
    open_all();
    learn_all();
    for (int i = 0; i < 20000; i++) {
        char line[256];
        // The names of exemplars' labels are fixed bytes; each comes twice.
        snprintf(
            line, sizeof line,
            "{\"metric\":\"a_total\",\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"exemplar\":{\"labels\":"
            "{\"l%d\":\"\"}}}",
            i / 2);
        learn(line);
        for (size_t k = 0; k < N; k++) {
            ck_assert_msg(matches(LINES[k], strlen(LINES[k])), "%d: %s", i, LINES[k]);
        }
    }
    close_all();
}
END_TEST

// Lines that look like no other one but the next ones, of which there are `times`, `group` such ones in turn.
static void flood_from(unsigned first, unsigned lines, unsigned times, unsigned group)
{
    for (unsigned i = first; i < first + lines; i++) {
        char line[256];
        snprintf(
            line, sizeof line,
            "{\"metric\":\"a_total\",\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"exemplar\":{\"labels\":"
            "{\"l%u\":\"\"}}}",
            i / (times * group) * group + i % group);
        learn(line);
    }
}

static void flood(unsigned lines, unsigned times, unsigned group)
{
    flood_from(0, lines, times, group);
}

START_TEST(templates_of_lines_that_come_no_more_are_seldom_looked_for)
{
    static const unsigned floods[][2] = {{1, 1}, {2, 1}, {2, 16}, {2, 100}, {2, 500}};
    for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
        open_all();
        learn_all();
        read_templates = 0;
        flood(20000, floods[i][0], floods[i][1]);
        ck_assert_uint_lt(read_templates, 20000 / 32 + 300);
        close_all();
    }
}
END_TEST

START_TEST(of_lines_that_are_matched_together_one_becomes_a_template)
{
    struct sample s;
    struct buf exemplar = BUF_INIT;
    static char room[2 * N][512]; // so that wide loads stay in it
    struct line lines[2 * N] = {{0}};
    open_all();
    for (size_t i = 0; i < 2 * N; i++) {
        strcpy(room[i], LINES[i / 2]);
        lines[i].bytes = room[i];
        lines[i].len = (uint32_t)strlen(LINES[i / 2]);
    }
    match_all(lines, 2 * N);
    read_templates = 0;
    for (size_t i = 0; i < 2 * N; i++) {
        ck_assert(read_line(lines[i].bytes, lines[i].len, &s, &exemplar));
        template_learn(all, catalog, &lines[i], &s);
    }
    ck_assert_uint_eq(read_templates, 2);
    for (size_t k = 0; k < N; k++) {
        ck_assert(matches(LINES[k], strlen(LINES[k])) == (k == 0));
    }
    buf_free(&exemplar);
    close_all();
}
END_TEST

START_TEST(a_flood_does_not_push_out_what_is_in_use)
{
    static const unsigned times[] = {1, 2, 5};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        open_all();
        learn_all();
        for (int n = 0; n < 60; n++) {
            ck_assert(matches(LINES[0], strlen(LINES[0])));
        }
        for (int n = 0; n < 200; n++) {
            flood_from((unsigned)n * 100, 100, times[i], 1);
            ck_assert(matches(LINES[0], strlen(LINES[0])));
        }
        close_all();
    }
}
END_TEST

// Once a template is known to be worth it, it is made although others come and come no more.
START_TEST(among_lines_that_come_once_a_new_template_is_found)
{
    open_all();
    int i = 0;
    for (; i < 5000 && !matches(LINES[0], strlen(LINES[0])); i++) {
        char line[256];
        snprintf(
            line, sizeof line,
            "{\"metric\":\"a_total\",\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"exemplar\":{\"labels\":"
            "{\"l%d\":\"\"}}}",
            i);
        learn(line);
        if (i % 3 == 0) {
            learn(LINES[0]);
        }
    }
    ck_assert_int_lt(i, 5000);
    close_all();
}
END_TEST

START_TEST(an_exemplar_that_is_none_has_no_template)
{
    static const char *const odd[] = {
        "{}",
        "1",
        "{\"labels\":1}",
        "{\"labels\":{\"1\":\"\"}}",
        "{\"labels\":{\"a\":1}}",
        "{\"labels\":{},\"timestamp\":\"1\"}",
        "{\"labels\":{},\"more\":1}",
    };
    open_all();
    for (size_t i = 0; i < 3 * sizeof odd / sizeof odd[0]; i++) {
        char line[256];
        snprintf(line, sizeof line,
                 "{\"metric\":\"a_total\",\"labels\":{\"x\":\"a\",\"y\":\"b\"},\"exemplar\":%s}",
                 odd[i % (sizeof odd / sizeof odd[0])]);
        ck_assert_msg(!matches(line, strlen(line)), "%s", line);
        learn(line);
    }
    close_all();
}
END_TEST

static void flood_of(uint64_t context, unsigned from)
{
    for (unsigned i = from; i < from + 2000; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "{\"event\":\"done\",\"labels\":{\"x\":\"one\",\"y\":\"two\"},\"value\":3,"
                 "\"exemplar\":{"
                 "\"labels\":{\"l%u\":\"\"}}}",
                 i);
        struct line line = {.bytes = text, .len = (uint32_t)strlen(text)};
        template_match(all, 1, context, &line, 1);
        ck_assert_ptr_null(line.template);
    }
}

static unsigned matched(uint64_t context, unsigned times)
{
    unsigned n = 0;
    for (unsigned i = 0; i < times; i++) {
        struct line line = {.bytes = LINES[0], .len = (uint32_t)strlen(LINES[0])};
        line.template = &all->fresh; // of another line that was there
        template_match(all, 1, context, &line, 1);
        ck_assert_ptr_ne(line.template, &all->fresh);
        n += line.template != NULL;
    }
    return n;
}

// Lines of an origin that nearly match templates are left to the parser until it sends others; other origins do not notice.
START_TEST(an_origin_whose_lines_nearly_match_is_compared_seldom)
{
    open_all();
    learn_all();
    flood_of(1, 0);
    flood_of(1, 2000);
    ck_assert_uint_le(matched(1, 36), 1);
    ck_assert_uint_eq(matched(2, 36), 36);
    ck_assert_uint_gt(matched(1, 1000), 300);
    ck_assert_uint_eq(matched(1, 1000), 1000);
    close_all();
}
END_TEST

// The same of batches.
START_TEST(an_origin_whose_batches_nearly_match_is_compared_seldom)
{
    static struct line elements[TEMPLATE_BATCH];
    char text[1024] = "[";
    open_all();
    learn_all();
    for (unsigned i = 0; i < 5; i++) {
        sprintf(text + strlen(text), "%s,", LINES[0]);
    }
    size_t len = strlen(text);
    strcpy(text + len, "{\"metric\":\"g\",\"value\":null}]");
    struct line bad = {.bytes = text, .len = (uint32_t)strlen(text)};
    struct line good = {.bytes = LINES[0], .len = (uint32_t)strlen(LINES[0])};
    template_match(all, 1, 1, &good, 1);
    for (unsigned i = 0; i < 1000; i++) {
        ck_assert_uint_eq(template_match_batch(all, 1, &bad, elements), 0);
    }
    strcpy(text + len - 1, "]");
    bad.len = (uint32_t)len;
    ck_assert_uint_eq(template_match_batch(all, 1, &bad, elements), 0);
    unsigned n = 0;
    for (unsigned i = 0; i < 10000; i++) {
        n += template_match_batch(all, 1, &bad, elements) == 5;
    }
    ck_assert_uint_gt(n, 4000);
    ck_assert_uint_eq(template_match_batch(all, 1, &bad, elements), 5);
    close_all();
}
END_TEST

// What a batch costs the budget does not depend on the lines before it.
START_TEST(a_batch_is_charged_for_itself_alone)
{
    static struct line elements[TEMPLATE_BATCH];
    static const char near[] =
        "{\"metric\":\"a_total\",\"labels\":{\"x\":\"one\",\"y\":\"two\"},\"more\":1}";
    static const char batch[] =
        "[{\"metric\":\"g\",\"op\":\"add\",\"value\":1},{\"metric\":\"g\",\"value\":null}]";
    const char *const before[] = {LINES[0], near};
    uint32_t charged[2];
    open_all();
    learn_all();
    for (unsigned i = 0; i < 2; i++) {
        struct line line = {.bytes = before[i], .len = (uint32_t)strlen(before[i])};
        struct line bad = {.bytes = batch, .len = sizeof batch - 1};
        match_all(&line, 1);
        ck_assert((line.template == NULL) == (i == 1));
        uint32_t lost = all->budget->lost;
        ck_assert_uint_eq(template_match_batch(all, 1, &bad, elements), 0);
        charged[i] = all->budget->lost - lost;
    }
    ck_assert_uint_gt(charged[0], 0);
    ck_assert_uint_eq(charged[1], charged[0]);
    close_all();
}
END_TEST

// Of lines that are matched together no more are compared than the budget has left, so that none of it is lost twice.
START_TEST(lines_matched_together_stop_where_the_budget_is_spent)
{
    static char text[TEMPLATE_LINES][4096];
    struct line lines[TEMPLATE_LINES];
    open_all();
    learn_all();
    for (unsigned i = 0; i < TEMPLATE_LINES; i++) {
        size_t len = write_list(text[i], "1.5", 500) - 1;
        strcpy(text[i] + len, ",\"more\":1}"); // the list is good
        lines[i] = (struct line){.bytes = text[i], .len = (uint32_t)strlen(text[i])};
    }
    for (int wide = 1; wide >= 0; wide--) {
        all->wide &= wide == 1;
        all->budgets = (struct budgets){0};
        all->budgets.list[0].lost = BUDGET_MOST - 5000;
        template_match(all, 1, 0, lines, TEMPLATE_LINES);
        ck_assert_uint_gt(all->spent, 5000);
        ck_assert_uint_lt(all->spent, 5000 + 2 * TEMPLATE_TRIES * lines[0].len + lines[0].len);
        for (unsigned i = 0; i < TEMPLATE_LINES; i++) {
            ck_assert_ptr_null(lines[i].template);
        }
    }
    close_all();
}
END_TEST

// Lines that have templates are worth it however many others they are compared with, and however long their lists are.
START_TEST(lines_with_templates_cost_no_budget)
{
    char text[8][1024];
    open_all();
    for (unsigned i = 0; i < 8; i++) {
        char *to =
            text[i] +
            sprintf(text[i],
                    "{\"event\":\"done\",\"labels\":{\"x\":\"one\",\"y\":\"two\"},\"values\":[1");
        for (unsigned k = 0; k < 200; k++) {
            to += sprintf(to, ",1");
        }
        sprintf(to, "],\"exemplar\":{\"labels\":{\"l%u\":\"\"}}}", i);
        learn(text[i]);
        learn(text[i]);
    }
    for (unsigned i = 0; i < 8000; i++) {
        struct line line = {.bytes = text[i % 8], .len = (uint32_t)strlen(text[i % 8])};
        template_match(all, 1, 0, &line, 1);
        ck_assert_ptr_nonnull(line.template);
    }
    close_all();
}
END_TEST

START_TEST(lengths_have_limits)
{
    open_all();
    learn_all();
    static char line[4 * LINE_MAX_MATCH];
    static char value[2 * LINE_MAX_MATCH];
    size_t usual = (size_t)sprintf(
        line, "{\"metric\":\"a_total\",\"labels\":{\"x\":\"\",\"y\":\"two\"},\"value\":1.5}");
    for (size_t n = 1; n < LINE_MAX_MATCH + 200 - usual;
         n += n == 2000 ? LINE_MAX_MATCH - 3000 : 1) {
        memset(value, 'v', n);
        value[n] = '\0';
        size_t len = (size_t)sprintf(
            line, "{\"metric\":\"a_total\",\"labels\":{\"x\":\"%s\",\"y\":\"two\"},\"value\":1.5}",
            value);
        ck_assert(check(line, len) == (len <= LINE_MAX_MATCH));
    }
    close_all();
}
END_TEST

UNIT_MAIN("template", any_byte_anywhere_says_what_the_parser_says,
          all_forms_of_numbers_and_texts_read_as_the_parser_reads_them,
          lists_have_one_to_a_thousand_numbers, no_other_page_is_touched,
          a_batch_is_a_sequence_of_lines, another_catalogue_begins_with_none,
          lines_that_all_look_different_push_out_none_in_use,
          templates_of_lines_that_come_no_more_are_seldom_looked_for,
          a_flood_does_not_push_out_what_is_in_use,
          of_lines_that_are_matched_together_one_becomes_a_template,
          among_lines_that_come_once_a_new_template_is_found,
          an_exemplar_that_is_none_has_no_template,
          an_origin_whose_lines_nearly_match_is_compared_seldom,
          an_origin_whose_batches_nearly_match_is_compared_seldom,
          a_batch_is_charged_for_itself_alone,
          lines_matched_together_stop_where_the_budget_is_spent,
          lines_with_templates_cost_no_budget, lengths_have_limits)
