// SPDX-License-Identifier: Apache-2.0
#include "base/rcu.h"
#include "breaks.h"
#include "catalog/load.h"
#include "event/bytes.h"
#include "event/cache.c"
#include "event/event.c"
#include "event/number.h"
#include "expose/expose.h"
#include "forget.h"
#include "line_watch.h"
#include "source/ttl.h"
#include "unit.h"

#include <math.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static bool narrow; // all does without the wide versions (event/bytes), as a CPU may

// In place of that of event/bytes, which is here by another name.
bool cpu_can_wide(void);
#define bytes_can_wide cpu_can_wide
#include "event/bytes.c"
#undef bytes_can_wide

bool bytes_can_wide(void)
{
    return !narrow && cpu_can_wide();
}

// Labels closed and open, an alias, an owned gauge, a ttl, a small limit, an event of several updates.
static const char CATALOG[] =
    "labels:\n"
    "  outcome: {values: [success, error], closed: true, aliases: {ok: success}}\n"
    "metrics:\n"
    "- {name: a_total, type: counter, help: A., labels: [x, outcome], precreate: true}\n"
    "- {name: b_total, type: counter, help: B., labels: [x], series_limit: 6}\n"
    "- {name: c_seconds, type: histogram, help: C., labels: [x], buckets: [0.5, 1, 2.5]}\n"
    "- {name: d, type: gauge, help: D., labels: [x], owner: source}\n"
    "- {name: e, type: gauge, help: E., labels: [x], ttl: 20s}\n"
    "- {name: d_info, type: gauge, help: F., labels: [x], owner: source}\n"
    "events:\n"
    "- {name: done, labels: [x, outcome], value: {unit: seconds, optional: true}, updates: [{add: "
    "a_total},\n"
    "   {observe: c_seconds}, {add: d, by: -1, when: {outcome: error}}]}\n";

enum { LINE_SIZE = 1536, SENDERS = 3, WORKERS = 2, RELOAD = 0, FORGET, END_OF_LIFE };

// One worker's means.
struct lane {
    struct series_writer writer;
    struct event_reader *reader;
};

// One side of the comparison: with a cache or without.
struct side {
    struct series_store *store;
    struct lane lanes[WORKERS];
    struct event_reader *reader; // of the first
};

static struct line_watch watch;

static struct catalog *catalog(void)
{
    struct errs errs = ERRS_INIT;
    struct catalog *c;
    ck_assert_int_eq(catalog_load_bytes(&c, "c", CATALOG, sizeof CATALOG - 1, &errs), 0);
    return c;
}

static const struct schema_settings SETTINGS = {.limit = 60, .limit_per_metric = 20};

static void open_side(struct side *s, uint64_t cache)
{
    *s = (struct side){0};
    ck_assert_int_eq(schema_open(&s->store, catalog(), &SETTINGS, WORKERS, 100, 200), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        struct lane *lane = &s->lanes[i];
        lane->writer.lane = i;
        ck_assert_int_eq(event_reader_new(&lane->reader, s->store, &lane->writer), 0);
        ck_assert_int_eq(cache > 0 ? event_reader_cache(lane->reader, cache) : 0, 0);
    }
    s->reader = s->lanes[0].reader;
}

static void close_side(struct side *s)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        event_reader_free(s->lanes[i].reader);
    }
    schema_close(s->store);
}

static void expose(struct side *s, struct buf *out)
{
    const struct schema *schema = schema_current(s->store);
    struct format_sink sink = format_sink_text(out);
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        const struct table *t = schema->families[i].table;
        ck_assert_int_eq(
            expose_family(&sink, &(struct format){0}, &schema->families[i], TABLE_WALK_ALL), 0);
        buf_addf(out, "count %lu folded %lu expired %lu\n", (unsigned long)t->quota.used,
                 (unsigned long)t->stats->folded, (unsigned long)t->stats->expired);
    }
}

static const char *const LINES[] = {
    "{\"metric\":\"a_total\",\"labels\":{\"x\":\"%c\",\"outcome\":\"ok\"},\"value\":%s}",
    "{\"metric\":\"a_total\",\"labels\":{\"x\":\"%c\",\"outcome\":\"error\"}}%.0s",
    "{\"metric\":\"b_total\",\"labels\":{\"x\":\"%c\"},\"value\":%s }",
    "{\"metric\":\"c_seconds\",\"labels\":{\"x\":\"%c\"},\"value\":%s}",
    "{\"metric\":\"d\",\"labels\":{\"x\":\"%c\"},\"value\":%s}",
    "{\"metric\":\"d\",\"labels\":{\"x\":\"%c\"},\"op\":\"add\",\"value\":%s}",
    "{\"metric\":\"e\",\"labels\":{\"x\":\"%c\"},\"value\":%s}",
    "{\"metric\":\"d_info\",\"labels\":{\"x\":\"%c\"},\"value\":%s}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"%c\",\"outcome\":\"success\"},\"value\":%s}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"%c\",\"outcome\":\"error\"},\"value\":%s}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"%c\",\"outcome\":\"error\"}}%.0s",
    "[{\"metric\":\"b_total\",\"labels\":{\"x\":\"%c\"},\"value\":%s}]",
    "{\"metric\":\"a_total\",\"labels\":{\"x\":\"%c\",\"outcome\":\"ok\"},\"exemplar\":{\"labels\":"
    "{},"
    "\"timestamp\":%s}}",
    "{\"metric\":\"nope%c\",\"value\":%s}",
};

enum { N_LINES = sizeof LINES / sizeof LINES[0] };

static const char *const NUMBERS[] = {
    "1",
    "0",
    "2.5",
    "0.1",
    "-1",
    "-0",
    "01",
    "1.",
    ".5",
    "+1",
    "1e5",
    "1E-3",
    "1e400",
    "-1e400",
    "1e15",
    "1e16",
    "1e308",
    "\"1\"",
    "null",
    "true",
    "-",
    "1e",
    "0x10",
    "NaN",
    "17",
    "0.3",
    "4294967297",
    "1e-400",
    "0.12345678901234567890123",
    "9007199254740993",
    "3.0",
};

// Puts blanks into a line where they mean nothing. Returns its length.
static int add_blanks(char *line, size_t size, uint64_t *random)
{
    char from[LINE_SIZE];
    size_t len = 0;
    bool quoted = false;
    memcpy(from, line, strlen(line) + 1);
    for (const char *p = from; *p != '\0'; p++) {
        quoted ^= *p == '"';
        line[len++] = *p;
        for (uint64_t n = unit_random(random) % 4;
             !quoted && strchr("{,:}\"", *p) != NULL && n > 0 && len + strlen(p) + 1 < size; n--) {
            line[len++] = n == 1 ? '\t' : ' ';
        }
    }
    line[len] = '\0';
    return (int)len;
}

static int write_element(char *out, size_t size, uint64_t *random)
{
    const char *number = NUMBERS[unit_random(random) % (sizeof NUMBERS / sizeof NUMBERS[0])];
    char plain[32];
    if (unit_random(random) % 4 != 0) {
        snprintf(plain, sizeof plain, "%.3f", (double)(unit_random(random) % 4000) / 1000);
        number = plain;
    }
    int x = 'a' + (int)(unit_random(random) % 10);
    size_t kind = unit_random(random) % (N_LINES + 2);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return kind < N_LINES ? snprintf(out, size, LINES[kind], x, number)
           : kind == N_LINES
               ? snprintf(out, size,
                          "{\"value\":%s,\"metric\":\"c_seconds\",\"labels\":{\"x\":\"%c\"}}",
                          number, x)
               : snprintf(out, size,
                          "{\"event\":\"done\",\"labels\":{\"outcome\":\"error\"},\"value\":%s}",
                          number);
#pragma GCC diagnostic pop
}

// Few series, so that a batch means the same one more than once; half of the batches set an info metric over and over.
static int write_batch(char *out, size_t size, uint64_t *random)
{
    bool info = unit_random(random) % 2 == 0;
    int len = snprintf(out, size, "[");
    for (uint64_t n = 1 + unit_random(random) % 5; n > 0; n--) {
        int x = 'a' + (int)(unit_random(random) % 3);
        len += info ? snprintf(out + len, size - (size_t)len,
                               "{\"metric\":\"d_info\",\"labels\":{\"x\":\"%c\"},\"value\":1}", x)
                    : write_element(out + len, size - (size_t)len, random);
        len += snprintf(out + len, size - (size_t)len, "%s", n > 1 ? "," : "]");
    }
    return len;
}

static int write_line(char *out, size_t size, uint64_t *random)
{
    int len = unit_random(random) % 8 == 0 ? write_batch(out, size, random)
                                           : write_element(out, size, random);
    if (unit_random(random) % 4 == 0) {
        len = add_blanks(out, size, random);
    }
    if (unit_random(random) % 50 == 0) {
        out[unit_random(random) % (size_t)len] = (char)unit_random(random);
    }
    return len;
}

// What happens now and then to both sides.
static void disturb(struct side *s, unsigned what, uint32_t now_s)
{
    struct schema_change change;
    struct control_forget forget = {.n_labels = 1, .labels = {{"x", {"c", 1}}}};
    struct sources *nobody;
    struct origin second = {.owner = {.updater_id = 2}};
    const uint64_t lease[IDSET_MAX / 64 + 1] = {[102 / 64] = (uint64_t)1 << 102 % 64};
    switch (what) {
    case RELOAD:
        ck_assert_int_eq(schema_reload(s->store, catalog(), &SETTINGS, &change), 0);
        break;
    case FORGET:
        forget_all(s->store, &forget, &second);
        break;
    case END_OF_LIFE:
        owner_clear(s->store, lease, true);
        break;
    default:
        ck_assert_int_eq(sources_new(&nobody, 1), 0);
        ttl_expire(s->store, nobody, now_s);
        sources_free(nobody);
        schema_reclaim(s->store);
        break;
    }
}

static void compare(struct side *with, struct side *without)
{
    struct buf a = BUF_INIT;
    struct buf b = BUF_INIT;
    expose(with, &a);
    expose(without, &b);
    ck_assert_str_eq(buf_string(&a), buf_string(&b));
    buf_free(&a);
    buf_free(&b);
}

// Who sends a line.
struct sender {
    struct origin with;
    struct origin without;
};

static void set_senders(struct sender *senders, struct lane *with, struct origin_defaults *defaults,
                        uint32_t now_s)
{
    for (unsigned who = 0; who < SENDERS; who++) {
        struct origin *o = &senders[who].without;
        *o = (struct origin){
            .defaults = who == 0 ? NULL : defaults,
            .owner = {.updater_id = 1 + who, .lease = 101 + who, .now_s = now_s},
        };
        senders[who].with = *o;
        senders[who].with.context = event_origin_number(with->reader, o, who);
    }
}

static bool apply_to_both(struct lane *with, struct lane *without, const struct sender *sender,
                          struct line *line)
{
    struct event_result a;
    struct event_result b;
    line_watch_next(&watch, line->bytes, line->len);
    event_handle(with->reader, &sender->with, line, &a);
    event_line(without->reader, &sender->without, line->bytes, line->len, &b);
    ck_assert_msg(a.kind == b.kind && (a.kind != EVENT_REJECTED ||
                                       (a.rejection.reason == b.rejection.reason &&
                                        strcmp(a.rejection.detail, b.rejection.detail) == 0)),
                  "%.*s: %d/%d and %d/%d", (int)line->len, line->bytes, a.kind, a.rejection.reason,
                  b.kind, b.rejection.reason);
    return a.hit;
}

// Applies lines that one worker looks at together, for the first one's sender. Returns how many were recognised.
static unsigned run_batch(struct side *with, struct side *without, uint32_t now_s, uint64_t *random)
{
    static char texts[EVENT_LINES][LINE_SIZE];
    struct line lines[EVENT_LINES];
    unsigned worker = unit_random(random) % WORKERS;
    struct lane *one = &with->lanes[worker];
    struct sender senders[SENDERS];
    char name[] = "x";
    char value[] = "q";
    struct origin_defaults defaults = {.n = 1, .names = {name}, .values = {value}};
    set_senders(senders, one, &defaults, now_s);
    size_t n = 1 + unit_random(random) % EVENT_LINES;
    for (size_t i = 0; i < n; i++) {
        lines[i].bytes = texts[i];
        lines[i].len = (uint32_t)write_line(texts[i], sizeof texts[i], random);
    }
    unsigned who = unit_random(random) % SENDERS;
    unsigned recognised = 0;
    rcu_enter();
    event_prefetch(one->reader, &senders[who].with, lines, n);
    for (size_t i = 0; i < n; i++) {
        who = unit_random(random) % 4 == 0 ? unit_random(random) % SENDERS : who;
        recognised += apply_to_both(one, &without->lanes[worker], &senders[who], &lines[i]);
        if (unit_random(random) % 200 == 0) {
            disturb(with, FORGET, now_s);
            disturb(without, FORGET, now_s);
        }
    }
    rcu_leave();
    return recognised;
}

// Runs so many batches, and up to four times as many until so many lines were recognised: how soon they are differs with the
// seed. Returns how many were.
static uint64_t run_both(uint64_t cache, unsigned batches, uint64_t least, uint64_t *random)
{
    struct side with;
    struct side without;
    rcu_join();
    open_side(&with, cache);
    open_side(&without, 0);
    line_watch_begin(&watch);
    uint64_t recognised = 0;
    for (unsigned i = 0; i < batches || (recognised < least && i < 4 * batches); i++) {
        uint32_t now_s = 100 + i / 12;
        recognised += run_batch(&with, &without, now_s, random);
        if (unit_random(random) % 25 == 0) {
            unsigned what = unit_random(random) % 6;
            disturb(&with, what, now_s);
            disturb(&without, what, now_s);
            compare(&with, &without);
        }
    }
    line_watch_end(&watch);
    compare(&with, &without);
    close_side(&with);
    close_side(&without);
    rcu_part();
    return recognised;
}

START_TEST(recognising_changes_no_series_and_no_rejection)
{
    uint64_t random = unit_seed() | 1;
    ck_assert_uint_ge(run_both(1 << 20, 8000, 10001, &random), 10001);
}
END_TEST

START_TEST(too_little_memory_for_all_lines_changes_nothing_either)
{
    uint64_t random = unit_seed() | 1;
    run_both(24 << 10, 2000, 0, &random);
}
END_TEST

START_TEST(a_cpu_without_wide_instructions_changes_nothing_either)
{
    uint64_t random = unit_seed() | 1;
    narrow = true;
    ck_assert_uint_ge(run_both(1 << 20, 4000, 5001, &random), 5001);
}
END_TEST

START_TEST(numbers_read_as_strtod_reads_them)
{
    static const char *const good[] = {"0",       "-0",    "1",      "10",
                                       "0.5",     "1e5",   "1E+5",   "1e-5",
                                       "12.25",   "1e22",  "1e23",   "123456789012345678",
                                       "0.1",     "1e308", "5e-324", "9007199254740993",
                                       "0.000001"};
    static const char *const bad[] = {"",   "-",   "01", "1.",   ".5", "+1",  "1e", "1e+", "0x1",
                                      "e1", "--1", "1-", "1.e1", "00", "-01", "1 ", "nan"};
    double v;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_msg(number_read(good[i], strlen(good[i]), &v), "%s", good[i]);
        double want = strtod(good[i], NULL);
        ck_assert_msg(memcmp(&v, &want, sizeof v) == 0, "%s: %a and not %a", good[i], v, want);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!number_read(bad[i], strlen(bad[i]), &v), "%s", bad[i]);
    }
}
END_TEST

START_TEST(random_decimals_read_as_strtod_reads_them)
{
    uint64_t random = unit_seed() | 1;
    for (int i = 0; i < 200000; i++) {
        char text[64];
        uint64_t digits = unit_random(&random) >> unit_random(&random) % 64;
        int len = i % 2 == 0
                      ? snprintf(text, sizeof text, "%lu.%03lu", (unsigned long)(digits % 1000000),
                                 (unsigned long)(digits >> 40) % 1000)
                      : snprintf(text, sizeof text, "%lue%d", (unsigned long)digits,
                                 (int)(unit_random(&random) % 60) - 30);
        double v;
        ck_assert(number_read(text, (size_t)len, &v));
        double want = strtod(text, NULL);
        ck_assert_msg(memcmp(&v, &want, sizeof v) == 0, "%s: %a and not %a", text, v, want);
    }
}
END_TEST

// One reader with a cache, and who sends it lines.
static const struct origin ALONE = {.owner = {.updater_id = 1, .lease = 101}};

static void begin_alone(struct side *s)
{
    rcu_join();
    open_side(s, 1 << 20);
    rcu_enter();
}

static void end_alone(struct side *s)
{
    rcu_leave();
    close_side(s);
    rcu_part();
}

START_TEST(a_line_is_recognised_when_its_template_came_twice)
{
    struct side s;
    struct event_result v;
    begin_alone(&s);
    for (int sight = 1; sight <= 4; sight++) {
        char line[64];
        int len = snprintf(line, sizeof line,
                           "{\"metric\":\"b_total\",\"labels\":{\"x\":\"%d\"},\"value\":2}", sight);
        event_line(s.reader, &ALONE, line, (size_t)len, &v);
        ck_assert_int_eq(v.kind, EVENT_APPLIED);
        ck_assert_int_eq(v.hit, sight > 2);
    }
    struct buf out = BUF_INIT;
    struct format_sink sink = format_sink_text(&out);
    ck_assert_int_eq(expose_family(&sink, &(struct format){0},
                                   &schema_current(s.store)->families[1], TABLE_WALK_ALL),
                     0);
    ck_assert_str_eq(buf_string(&out),
                     "# HELP b_total B.\n# TYPE b_total counter\nb_total{x=\"1\"} 2\n"
                     "b_total{x=\"2\"} 2\nb_total{x=\"3\"} 2\nb_total{x=\"4\"} 2\n");
    buf_free(&out);
    end_alone(&s);
}
END_TEST

START_TEST(what_the_parser_might_read_otherwise_is_parsed)
{
    static const struct {
        const char *line;
        bool parsed;
        bool planned;
        bool applied;
    } lines[] = {
        {"{\"event\":\"done\", \"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":1}", true,
         true, true},
        {"{\"event\":\"done\",  \"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":2}", true,
         true, true},
        {"{\"event\":\"done\",   \"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":3}", false,
         true, true},
        // Now its series are cached.
        {"{\"event\":\"done\",\"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\": 5}", false,
         false, true},
        {"{\"event\":\"done\",\"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":4e0}\r", false,
         false, true},
        {"{\"event\":\"done\",\"labels\":{ \"x\":\"a\",\"outcome\":\"ok\"},\"value\":1e16}", false,
         true, true},
        {"{\"event\":\"done\",\"labels\":{ \"x\":\"a\",\"outcome\":\"error\"},\"value\":1}", false,
         true, true},
        {"{\"event\":\"done\",\"labels\":{ \"x\":\"a\",\"outcome\":\"no\"},\"value\":1}", false,
         false, false},
        {"{\"value\":4e0,\"event\":\"done\",\"labels\":{\"x\":\"a\",\"outcome\":\"ok\"}}", true,
         true, true},
        {"{\"event\":\"done\",\"labels\":{ \"x\":\"\\u0061\",\"outcome\":\"ok\"},\"value\":1}",
         true, true, true},
        {"{\"event\":\"done\",\"labels\":{ \"x\":\"a\",\"outcome\":\"ok\"}}", true, true, true},
        {"{\"event\":\"done\", "
         "\"op\":\"add\",\"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":1}",
         true, false, false},
        {"{\"event\":\"done\", \"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":\"1\"}", true,
         false, false},
        {"{\"event\":\"done\", \"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"valves\":1}", true,
         false, false},
        {"{\"event\":\"done\", \"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":1e400}", true,
         false, false},
    };
    struct side s;
    struct event_result v;
    begin_alone(&s);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        s.reader->plan.n = 0;
        event_line(s.reader, &ALONE, lines[i].line, strlen(lines[i].line), &v);
        ck_assert_msg((v.kind == EVENT_APPLIED) == lines[i].applied, "%s", lines[i].line);
        ck_assert_msg((s.reader->plan.n > 0) == lines[i].planned, "%s", lines[i].line);
        ck_assert_msg(v.hit == !lines[i].parsed, "%s", lines[i].line);
    }
    struct buf out = BUF_INIT;
    expose(&s, &out);
    ck_assert_ptr_nonnull(strstr(buf_string(&out), "a_total{x=\"a\",outcome=\"success\"} 9\n"));
    ck_assert_ptr_nonnull(strstr(buf_string(&out), "c_seconds_count{x=\"a\"} 9\n"));
    buf_free(&out);
    end_alone(&s);
}
END_TEST

// It is accepted twice, since its series is made anew in between. A third time the sum would not be finite.
START_TEST(a_number_that_may_end_sums_is_planned_wherever_it_stands)
{
    static const char line[] =
        "{\"value\":1e308,\"event\":\"done\",\"labels\":{\"x\":\"a\",\"outcome\":\"success\"}}";
    struct side s;
    struct event_result v;
    begin_alone(&s);
    for (int sight = 1; sight <= 2; sight++) {
        struct control_forget all = {0};
        forget_all(s.store, &all, &ALONE);
        event_line(s.reader, &ALONE, line, sizeof line - 1, &v);
        ck_assert_int_eq(v.kind, EVENT_APPLIED);
    }
    event_line(s.reader, &ALONE, line, sizeof line - 1, &v);
    ck_assert_int_eq(v.kind, EVENT_REJECTED);
    ck_assert_str_eq(v.rejection.detail, "the sum would not be finite");
    end_alone(&s);
}
END_TEST

// Teaches a reader a line, and says of it what event_prefetch found.
static uint32_t looked_for(struct side *s, struct line *line)
{
    struct event_result v;
    struct line one = *line;
    for (int i = 0; i < 3; i++) {
        event_line(s->reader, &ALONE, line->bytes, line->len, &v);
        ck_assert_int_eq(v.kind, EVENT_APPLIED);
    }
    event_prefetch(s->reader, &ALONE, &one, 1);
    return one.looked;
}

// A batch is looked for by itself, and a template that is made after a line is for those that are looked for next.
START_TEST(what_is_looked_for_in_between_leaves_other_lines_as_they_are)
{
    static const char text[] = "{\"metric\":\"e\",\"labels\":{\"x\":\"a\"},\"value\":1}\n"
                               "[{\"metric\":\"e\",\"labels\":{\"x\":\"b\"},\"value\":1},"
                               "{\"metric\":\"e\",\"labels\":{\"x\":\"c\"},\"value\":1}]\n"
                               "{\"metric\":\"b_total\",\"labels\":{\"x\":\"a\"}}\n"
                               "{\"metric\":\"b_total\",\"labels\":{\"x\":\"b\"}}\n"
                               "{\"metric\":\"e\",\"labels\":{\"x\":\"a\"},\"value\":1}\n";
    enum { N = 5 };
    struct side s;
    struct event_result v;
    struct line lines[N] = {{0}};
    begin_alone(&s);
    const char *at = text;
    for (size_t i = 0; i < N; i++) {
        lines[i].bytes = at;
        lines[i].len = (uint32_t)strcspn(at, "\n");
        at += lines[i].len + 1;
    }
    uint32_t before = looked_for(&s, &lines[0]);
    event_prefetch(s.reader, &ALONE, lines, N);
    const struct line last = lines[N - 1];
    ck_assert(last.template != NULL && last.entry != 0 && last.looked == before);
    for (size_t i = 1; i + 1 < N; i++) {
        event_handle(s.reader, &ALONE, &lines[i], &v);
        ck_assert_int_eq(v.kind, EVENT_APPLIED);
    }
    ck_assert_uint_eq(lines[N - 1].looked, before);
    event_handle(s.reader, &ALONE, &lines[N - 1], &v);
    ck_assert(v.kind == EVENT_APPLIED && v.hit);
    ck_assert(lines[N - 1].looked == before && lines[N - 2].template == NULL);
    event_prefetch(s.reader, &ALONE, &lines[N - 2], 1);
    ck_assert_ptr_nonnull(lines[N - 2].template);
    end_alone(&s);
}
END_TEST

// ---- What must never be done

static void make_a_recipe_where_there_is_no_room(void)
{
    static struct recipes recipes = {.n = RECIPE_MOST};
    recipe_find(&recipes, NULL, NULL, 1, NULL);
}

// An observation of a series that has no native buckets yet, in an arena whose pages are lost or not.
static void apply_in_a_batch(bool lost)
{
    struct side s;
    open_side(&s, 1 << 20);
    struct schema *schema = schema_current(s.store);
    struct arena *arena = s.store->share.arena;
    int fd = memfd_create("arena", MFD_CLOEXEC);
    ck_assert_int_eq(arena_attach(arena, fd), 0);
    arena_guard(arena);
    struct family *f = &schema->families[catalog_find_metric(schema->catalog, "c_seconds", 9)];
    struct recipe r = {.n = 1, .n_native = 1, .steps = {{.family = f, .native = true}}};
    struct entry *e = calloc(1, sizeof *e + sizeof e->series[0] + sizeof(uint32_t));
    struct line line = {0};
    struct series *series;
    rcu_join();
    table_make(f->table, &s.lanes[0].writer, "", 0, 0, TABLE_WITHIN, &series);
    ck_assert_int_eq(lost ? ftruncate(fd, 0) : 0, 0);
    apply_in_batch(s.reader->cache, &r, e, &line);
}

static void apply_in_a_batch_without_preparing(void)
{
    apply_in_a_batch(false);
}

START_TEST(a_page_that_is_lost_within_a_batch_does_not_end_the_process)
{
    pid_t child = fork();
    if (child == 0) {
        apply_in_a_batch(true);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_broken_invariant_ends_the_process)
{
    breaks("there is room for a recipe", make_a_recipe_where_there_is_no_room);
    breaks("a bucket that was found is there", apply_in_a_batch_without_preparing);
}
END_TEST

UNIT_MAIN("cache", recognising_changes_no_series_and_no_rejection,
          too_little_memory_for_all_lines_changes_nothing_either,
          a_cpu_without_wide_instructions_changes_nothing_either, numbers_read_as_strtod_reads_them,
          random_decimals_read_as_strtod_reads_them,
          a_line_is_recognised_when_its_template_came_twice,
          what_the_parser_might_read_otherwise_is_parsed,
          a_number_that_may_end_sums_is_planned_wherever_it_stands,
          what_is_looked_for_in_between_leaves_other_lines_as_they_are,
          a_page_that_is_lost_within_a_batch_does_not_end_the_process,
          a_broken_invariant_ends_the_process)
