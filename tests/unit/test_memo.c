// SPDX-License-Identifier: Apache-2.0
#include "event/memo_split.h"
#include "event/memo_store.h"
#include "event/number.h"
#include "expose/family.h"
#include "series/expire.h"
#include "series/rcu.h"
#include "unit.h"

#include <math.h>

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

enum { SENDERS = 3, RELOAD = 0, FORGET, END_OF_LIFE };

// One side of the comparison: with a memo or without.
struct side {
    struct series_store *store;
    struct series_hand hand;
    struct event_reader *reader;
};

static struct catalog *catalog(void)
{
    struct errs errs = ERRS_INIT;
    struct catalog *c;
    ck_assert_int_eq(catalog_load_bytes(&c, "c", CATALOG, sizeof CATALOG - 1, &errs), 0);
    return c;
}

static const struct schema_settings SETTINGS = {.limit = 60, .limit_per_metric = 20};

static bool narrow; // the memo does without the wide versions (line_span.h), as a CPU may

static void open_side(struct side *s, uint64_t memo)
{
    *s = (struct side){0};
    ck_assert_int_eq(schema_open(&s->store, catalog(), &SETTINGS, 1, 100, 200), 0);
    ck_assert_int_eq(event_reader_new(&s->reader, s->store, &s->hand), 0);
    ck_assert_int_eq(memo > 0 ? event_reader_memo(s->reader, memo) : 0, 0);
    if (narrow && memo > 0) {
        s->reader->memo->wide = false;
    }
}

static void close_side(struct side *s)
{
    event_reader_free(s->reader);
    schema_close(s->store);
}

static void expose(struct side *s, struct buf *out)
{
    const struct schema *schema = schema_current(s->store);
    struct sink sink = sink_text(out);
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        const struct table *t = schema->families[i].table;
        ck_assert_int_eq(family_write(&sink, &(struct format){0}, &schema->families[i]), 0);
        buf_addf(out, "count %lu folded %lu expired %lu\n", (unsigned long)t->count,
                 (unsigned long)t->account->folded, (unsigned long)t->account->expired);
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
    char from[512];
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

static int write_line(char *out, size_t size, uint64_t *random)
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
    int len = kind < N_LINES ? snprintf(out, size, LINES[kind], x, number)
              : kind == N_LINES
                  ? snprintf(out, size,
                             "{\"value\":%s,\"metric\":\"c_seconds\",\"labels\":{\"x\":\"%c\"}}",
                             number, x)
                  : snprintf(out, size,
                             "{\"event\":\"done\",\"labels\":{\"outcome\":\"error\"},\"value\":%s}",
                             number);
#pragma GCC diagnostic pop
    if (unit_random(random) % 4 == 0) {
        len = add_blanks(out, size, random);
    }
    if (unit_random(random) % 50 == 0) {
        out[unit_random(random) % (size_t)len] = (char)unit_random(random);
    }
    return len;
}

static bool never(void *ctx, const struct table *t, const struct series *s)
{
    (void)t;
    (void)ctx;
    (void)s;
    return false;
}

// What happens now and then to both sides.
static void disturb(struct side *s, unsigned what, uint32_t now_s)
{
    struct schema_change change;
    struct control_forget forget = {.n_labels = 1, .labels = {{"x", {"c", 1}}}};
    struct event_origin second = {.claimant = {.base = 2}};
    uint32_t life = 102;
    switch (what) {
    case RELOAD:
        ck_assert_int_eq(schema_reload(s->store, catalog(), &SETTINGS, &change), 0);
        break;
    case FORGET:
        event_forget(s->reader, &forget, &second);
        break;
    case END_OF_LIFE:
        expire_marks(s->store, &life, 1, true);
        break;
    default:
        expire_old(s->store, now_s, never, NULL);
        expire_reclaim(s->store);
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
    struct event_origin with;
    struct event_origin without;
};

static void set_senders(struct sender *senders, struct side *with, struct event_defaults *defaults,
                        uint32_t now_s)
{
    for (unsigned who = 0; who < SENDERS; who++) {
        struct event_origin *o = &senders[who].without;
        *o = (struct event_origin){
            .defaults = who == 0 ? NULL : defaults,
            .claimant = {.base = 1 + who, .life = 101 + who, .now_s = now_s},
        };
        senders[who].with = *o;
        senders[who].with.context = event_context(with->reader, o, who);
    }
}

static bool judge(struct side *with, struct side *without, const struct sender *sender,
                  struct event_line *line)
{
    struct event_verdict a;
    struct event_verdict b;
    event_judge(with->reader, &sender->with, line, &a);
    event_line(without->reader, &sender->without, line->at, line->len, &b);
    ck_assert_msg(a.kind == b.kind && (a.kind != EVENT_REFUSED ||
                                       (a.reason == b.reason && strcmp(a.detail, b.detail) == 0)),
                  "%.*s: %d/%d and %d/%d", (int)line->len, line->at, a.kind, a.reason, b.kind,
                  b.reason);
    return a.remembered;
}

// Judges lines that are looked at together, for the first one's sender. Returns how many were remembered.
static unsigned run_batch(struct side *with, struct side *without, uint32_t now_s, uint64_t *random)
{
    static char texts[EVENT_LINES][512];
    struct event_line lines[EVENT_LINES];
    struct sender senders[SENDERS];
    char name[] = "x";
    char value[] = "q";
    struct event_defaults defaults = {.n = 1, .names = {name}, .values = {value}};
    set_senders(senders, with, &defaults, now_s);
    size_t n = 1 + unit_random(random) % EVENT_LINES;
    for (size_t i = 0; i < n; i++) {
        lines[i].at = texts[i];
        lines[i].len = (uint32_t)write_line(texts[i], sizeof texts[i], random);
    }
    unsigned who = unit_random(random) % SENDERS;
    unsigned remembered = 0;
    rcu_enter();
    event_look(with->reader, &senders[who].with, lines, n);
    for (size_t i = 0; i < n; i++) {
        who = unit_random(random) % 4 == 0 ? unit_random(random) % SENDERS : who;
        remembered += judge(with, without, &senders[who], &lines[i]);
        if (unit_random(random) % 200 == 0) {
            disturb(with, FORGET, now_s);
            disturb(without, FORGET, now_s);
        }
    }
    rcu_leave();
    return remembered;
}

static uint64_t run_both(uint64_t memo, unsigned batches, uint64_t *random)
{
    struct side with;
    struct side without;
    rcu_join();
    open_side(&with, memo);
    open_side(&without, 0);
    uint64_t remembered = 0;
    for (unsigned i = 0; i < batches; i++) {
        uint32_t now_s = 100 + i / 12;
        remembered += run_batch(&with, &without, now_s, random);
        if (unit_random(random) % 25 == 0) {
            unsigned what = unit_random(random) % 6;
            disturb(&with, what, now_s);
            disturb(&without, what, now_s);
            compare(&with, &without);
        }
    }
    compare(&with, &without);
    close_side(&with);
    close_side(&without);
    rcu_part();
    return remembered;
}

START_TEST(remembering_changes_no_series_and_no_refusal)
{
    uint64_t random = unit_seed() | 1;
    ck_assert_uint_gt(run_both(1 << 20, 4000, &random), 10000);
}
END_TEST

START_TEST(too_little_memory_for_all_lines_changes_nothing_either)
{
    uint64_t random = unit_seed() | 1;
    run_both(24 << 10, 2000, &random);
}
END_TEST

START_TEST(a_cpu_without_wide_instructions_changes_nothing_either)
{
    uint64_t random = unit_seed() | 1;
    narrow = true;
    ck_assert_uint_gt(run_both(1 << 20, 2000, &random), 5000);
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

// One reader with a memo, and who sends it lines.
static const struct event_origin ALONE = {.claimant = {.base = 1, .life = 101}};

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

START_TEST(a_line_is_remembered_at_its_third_sight)
{
    struct side s;
    struct event_verdict v;
    static const char line[] = "{\"metric\":\"b_total\",\"labels\":{\"x\":\"a\"},\"value\":2}";
    begin_alone(&s);
    for (int sight = 1; sight <= 4; sight++) {
        event_line(s.reader, &ALONE, line, sizeof line - 1, &v);
        ck_assert_int_eq(v.kind, EVENT_APPLIED);
        ck_assert_int_eq(v.remembered, sight > 2);
    }
    struct buf out = BUF_INIT;
    struct sink sink = sink_text(&out);
    ck_assert_int_eq(
        family_write(&sink, &(struct format){0}, &schema_current(s.store)->families[1]), 0);
    ck_assert_str_eq(buf_string(&out),
                     "# HELP b_total B.\n# TYPE b_total counter\nb_total{x=\"a\"} 8\n");
    buf_free(&out);
    end_alone(&s);
}
END_TEST

START_TEST(a_line_that_says_what_others_said_is_planned_no_more)
{
    static const struct {
        const char *line;
        bool planned;
        bool applied;
    } lines[] = {
        {"{\"event\":\"done\", \"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":1}", true,
         true},
        {"{\"event\":\"done\",  \"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":2}", true,
         true},
        {"{\"event\":\"done\",   \"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":3}", false,
         true},
        {"{\"value\":4e0,\"event\":\"done\",\"labels\":{\"x\":\"a\",\"outcome\":\"ok\"}}", false,
         true},
        {"{\"event\":\"done\",\"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\": 5}", false,
         true},
        // What the parser may refuse, or what says more or something else, is its own.
        {"{\"event\":\"done\",\"labels\":{ \"x\":\"a\",\"outcome\":\"ok\"},\"value\":1e16}", true,
         true},
        {"{\"event\":\"done\",\"labels\":{ \"x\":\"\\u0061\",\"outcome\":\"ok\"},\"value\":1}",
         true, true},
        {"{\"event\":\"done\",\"labels\":{ \"x\":\"a\",\"outcome\":\"error\"},\"value\":1}", true,
         true},
        {"{\"event\":\"done\",\"labels\":{ \"x\":\"a\",\"outcome\":\"ok\"}}", true, true},
        {"{\"event\":\"done\", "
         "\"op\":\"add\",\"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":1}",
         false, false},
        {"{\"event\":\"done\", \"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":\"1\"}", false,
         false},
        {"{\"event\":\"done\", \"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"values\":1}", false,
         false},
        {"{\"event\":\"done\", \"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":1e400}", false,
         false},
    };
    struct side s;
    struct event_verdict v;
    begin_alone(&s);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        event_line(s.reader, &ALONE, lines[i].line, strlen(lines[i].line), &v);
        ck_assert_msg((v.kind == EVENT_APPLIED) == lines[i].applied, "%s", lines[i].line);
        ck_assert_msg((s.reader->n_plan > 0) == lines[i].planned, "%s", lines[i].line);
        ck_assert(!v.remembered);
    }
    struct buf out = BUF_INIT;
    expose(&s, &out);
    ck_assert_ptr_nonnull(strstr(buf_string(&out), "a_total{x=\"a\",outcome=\"success\"} 8\n"));
    ck_assert_ptr_nonnull(strstr(buf_string(&out), "c_seconds_count{x=\"a\"} 8\n"));
    buf_free(&out);
    end_alone(&s);
}
END_TEST

START_TEST(the_number_is_cut_out_at_the_end_only)
{
    static const struct {
        const char *line;
        const char *number;
    } cuts[] = {
        {"{\"value\":12.5}", "12.5"},
        {"{\"value\":-1e5 } ", "-1e5"},
        {"{\"value\":\"1\"}", ""},
        {"{\"value\":true}", ""},
        {"{\"value\":1,\"a\":{}}", ""},
        {"[1]", ""},
        {"{\"a\":{\"b\":7}}", "7"},
        {"12", ""},
        {"", ""},
        {"{\"value\":+1}", ""},
        {"}}}", ""},
    };
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        struct event_line line = {.at = cuts[i].line, .len = (uint32_t)strlen(cuts[i].line)};
        memo_split(&line);
        uint32_t len = line.number_to - line.number_from;
        ck_assert_msg(len == strlen(cuts[i].number) &&
                          memcmp(line.at + line.number_from, cuts[i].number, len) == 0,
                      "%s", line.at);
    }
}
END_TEST

// It is accepted twice, since its series is made anew in between. A third time the sum would not be finite.
START_TEST(a_number_that_may_end_sums_is_not_remembered_wherever_it_stands)
{
    static const char line[] =
        "{\"value\":1e308,\"event\":\"done\",\"labels\":{\"x\":\"a\",\"outcome\":\"success\"}}";
    struct side s;
    struct event_verdict v;
    begin_alone(&s);
    for (int sight = 1; sight <= 2; sight++) {
        struct control_forget all = {0};
        event_forget(s.reader, &all, &ALONE);
        event_line(s.reader, &ALONE, line, sizeof line - 1, &v);
        ck_assert_int_eq(v.kind, EVENT_APPLIED);
    }
    event_line(s.reader, &ALONE, line, sizeof line - 1, &v);
    ck_assert_int_eq(v.kind, EVENT_REFUSED);
    ck_assert_str_eq(v.detail, "the sum would not be finite");
    end_alone(&s);
}
END_TEST

UNIT_MAIN("memo", remembering_changes_no_series_and_no_refusal,
          too_little_memory_for_all_lines_changes_nothing_either,
          a_cpu_without_wide_instructions_changes_nothing_either, numbers_read_as_strtod_reads_them,
          random_decimals_read_as_strtod_reads_them, a_line_is_remembered_at_its_third_sight,
          a_line_that_says_what_others_said_is_planned_no_more,
          the_number_is_cut_out_at_the_end_only,
          a_number_that_may_end_sums_is_not_remembered_wherever_it_stands)
