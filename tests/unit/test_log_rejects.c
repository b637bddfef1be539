// SPDX-License-Identifier: Apache-2.0
// The workers' rings are played here.
#define ingest_take_rejected played_take
#define ingest_missed_rejected played_missed
#include "daemon/log_rejects.c"

#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

static unsigned waiting;
static uint64_t line;
static uint64_t missed;
static unsigned component;
static const char *instance = "";
static enum reject_reason reason = REJECT_bad_op;
static uid_t user = PEER_NOBODY;
static const char *entry = "";
static const char *metric = "";
static bool is_event;
static uint32_t more;
static int reader;

bool played_take(struct ingest *in, struct rejected_line *ret)
{
    (void)in;
    if (waiting == 0) {
        return false;
    }
    waiting--;
    *ret = (struct rejected_line){
        .reason = reason, .component = component, .line = line, .user = user};
    ret->is_event = is_event;
    ret->more = more;
    line += line > 0;
    snprintf(ret->instance, sizeof ret->instance, "%s", instance);
    snprintf(ret->detail, sizeof ret->detail, "d");
    snprintf(ret->entry, sizeof ret->entry, "%s", entry);
    snprintf(ret->metric, sizeof ret->metric, "%s", metric);
    return true;
}

uint64_t played_missed(const struct ingest *in)
{
    (void)in;
    return missed;
}

static struct log_rejects rejects;

static void setup(void)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    reader = ends[0];
    log_rejects_open(&rejects);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
}

// `n` refusals come, and then a tick; checks what is said, each line from its message on.
static void tick(unsigned n, uint64_t now_ms, const char *expected)
{
    static char unknown[] = "unknown";
    static char provider[] = "provider";
    char *components[] = {unknown, provider};
    static struct catalog c = {.n_components = 2};
    memcpy(c.components, components, sizeof components);
    waiting = n;
    log_rejects_tick(&rejects, NULL, &c, now_ms);
    char said[4096];
    struct buf cut = BUF_INIT;
    ssize_t len = read(reader, said, sizeof said - 1);
    said[len > 0 ? len : 0] = '\0';
    char *rest = said;
    for (char *one; (one = strsep(&rest, "\n")) != NULL && one[0] != '\0';) {
        buf_addf(&cut, "%s\n", strstr(one, "level="));
    }
    const char *text = buf_string(&cut);
    ck_assert_str_eq(text != NULL ? text : "", expected);
    buf_free(&cut);
}

#define LINE(n)                                                                                    \
    "level=warn msg=\"line rejected\" reason=bad_op source=unknown line=" #n " detail=d\n"
#define MORE(n) "level=warn msg=\"more lines rejected\" count=" #n "\n"
#define MORE_OF(n, source) "level=warn msg=\"more lines rejected\" count=" #n " source=" source "\n"

START_TEST(five_are_logged_and_the_rest_is_counted_when_the_time_is_over)
{
    setup();
    line = 1;
    tick(0, 0, "");
    tick(2, 50000, LINE(1) LINE(2));
    tick(4, 51000, LINE(3) LINE(4) LINE(5));
    missed = 100;
    tick(7, 52000, "");
    tick(0, 59999, "");
    tick(0, 60000, MORE_OF(8, "unknown"));
    tick(0, 62000, MORE(100));
    tick(0, 90000, "");
    tick(1, 90500, LINE(14));
    tick(1, 100499, LINE(15));
    tick(1, 100500, LINE(16));
    tick(0, 200000, "");
}
END_TEST

START_TEST(what_the_rings_missed_is_logged_even_when_the_time_is_never_over)
{
    setup();
    line = 1;
    missed = 7;
    tick(1, 0, LINE(1));
    log_rejects_end(&rejects);
    tick(0, 1, MORE(7));
    tick(0, 2, "");
}
END_TEST

START_TEST(each_source_has_its_own_rate)
{
    setup();
    component = 1;
    instance = "a";
    more = 500;
    tick(20, 1000,
         "level=warn msg=\"line rejected\" reason=bad_op source=provider/a line=\"\" detail=d "
         "instance=a\n"
         "level=warn msg=\"line rejected\" reason=bad_op source=provider/a line=\"\" detail=d "
         "instance=a\n"
         "level=warn msg=\"line rejected\" reason=bad_op source=provider/a line=\"\" detail=d "
         "instance=a\n"
         "level=warn msg=\"line rejected\" reason=bad_op source=provider/a line=\"\" detail=d "
         "instance=a\n"
         "level=warn msg=\"line rejected\" reason=bad_op source=provider/a line=\"\" detail=d "
         "instance=a\n");
    more = 0;
    instance = "b";
    tick(1, 2000,
         "level=warn msg=\"line rejected\" reason=bad_op source=provider/b line=\"\" detail=d "
         "instance=b\n");
    tick(0, 11000, MORE_OF(10015, "provider/a"));
    tick(0, 12000, "");
    ck_assert_uint_eq(count_read(&rejects.more), 10000);
}
END_TEST

START_TEST(of_many_sources_some_are_logged_and_counted)
{
    setup();
    char name[16];
    component = 1;
    log_set_level(LOG_LEVEL_ERROR);
    for (unsigned i = 0; i < LOG_REJECTS_SOURCES; i++) {
        snprintf(name, sizeof name, "i%u", i);
        instance = name;
        tick(1, 1000, "");
    }
    log_set_level(LOG_LEVEL_INFO);
    instance = "late";
    tick(3, 1001, "");
    tick(0, 11001, MORE(3));
    line = 8;
    tick(1, 11002,
         "level=warn msg=\"line rejected\" reason=bad_op source=provider/late line=8 detail=d "
         "instance=late\n");
}
END_TEST

START_TEST(a_source_is_its_component_and_its_instance)
{
    setup();
    component = 1;
    instance = "vc 1\"";
    tick(1, 0,
         "level=warn msg=\"line rejected\" reason=bad_op source=\"provider/vc 1\\\"\" line=\"\" "
         "detail=d instance=\"vc 1\\\"\"\n");
    component = 9; // a reload took it away
    instance = "";
    tick(1, 0,
         "level=warn msg=\"line rejected\" reason=bad_op source=unknown line=\"\" detail=d\n");
}
END_TEST

START_TEST(who_it_was_is_logged_where_it_is_known)
{
    setup();
    line = 4;
    user = 1001;
    tick(
        1, 1000,
        "level=warn msg=\"line rejected\" reason=bad_op source=unknown line=4 detail=d uid=1001\n");
    entry = "sources[3]";
    metric = "m";
    tick(1, 1001,
         "level=warn msg=\"line rejected\" reason=bad_op source=unknown line=5 detail=d uid=1001 "
         "entry=sources[3] metric=m\n");
    is_event = true;
    metric = "rpc";
    user = PEER_NOBODY;
    tick(1, 1002,
         "level=warn msg=\"line rejected\" reason=bad_op source=unknown line=6 detail=d "
         "entry=sources[3] event=rpc\n");
    reason = REJECT_NONE;
    metric = "";
    user = 0;
    tick(1, 1003,
         "level=warn msg=\"a source runs in a unit other than its entry in sources names\" "
         "source=unknown "
         "unit=d "
         "uid=0 entry=sources[3]\n");
}
END_TEST

static void keep_lines(uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n <= to; n++) {
        struct rejected_line rejected = {.line = n};
        keep(&rejects, &rejected, 1000 + n);
    }
}

static void check_read(uint64_t latest, uint64_t oldest)
{
    struct log_rejects_entry e;
    uint64_t at = UINT64_MAX;
    for (uint64_t n = latest; n >= oldest && n > 0; n--) {
        ck_assert(log_rejects_read(&rejects, &at, &e));
        ck_assert_uint_eq(e.line.line, n);
        ck_assert_uint_eq(e.at_ms, 1000 + n);
    }
    ck_assert(!log_rejects_read(&rejects, &at, &e));
}

START_TEST(the_page_has_the_latest_first_and_the_oldest_gives_way)
{
    log_rejects_open(&rejects);
    check_read(0, 1);
    keep_lines(1, 3);
    check_read(3, 1);
    keep_lines(4, LOG_REJECTS_RING);
    check_read(LOG_REJECTS_RING, 1);
    keep_lines(LOG_REJECTS_RING + 1, LOG_REJECTS_RING + 7);
    check_read(LOG_REJECTS_RING + 7, 8);
}
END_TEST

START_TEST(a_reader_of_the_page_s_lines_that_is_overtaken_ends)
{
    struct log_rejects_entry e;
    uint64_t at = UINT64_MAX;
    log_rejects_open(&rejects);
    keep_lines(1, LOG_REJECTS_RING);
    ck_assert(log_rejects_read(&rejects, &at, &e));
    keep_lines(LOG_REJECTS_RING + 1, 3 * LOG_REJECTS_RING);
    ck_assert(!log_rejects_read(&rejects, &at, &e));
}
END_TEST

START_TEST(who_follows_gets_each_line_once_or_is_overtaken)
{
    struct log_rejects_entry e;
    uint64_t next = 0;
    log_rejects_open(&rejects);
    ck_assert(!log_rejects_next(&rejects, &next, &e));
    keep_lines(1, 2);
    ck_assert(log_rejects_next(&rejects, &next, &e));
    ck_assert_uint_eq(e.line.line, 1);
    ck_assert(log_rejects_next(&rejects, &next, &e));
    ck_assert_uint_eq(e.line.line, 2);
    ck_assert(!log_rejects_next(&rejects, &next, &e));
    keep_lines(3, 3 + LOG_REJECTS_RING);
    ck_assert(log_rejects_next(&rejects, &next, &e));
    ck_assert_uint_eq(e.line.line, 4);
    ck_assert_uint_eq(next, 4);
}
END_TEST

UNIT_MAIN("log_rejects", who_follows_gets_each_line_once_or_is_overtaken,
          each_source_has_its_own_rate, of_many_sources_some_are_logged_and_counted,
          who_it_was_is_logged_where_it_is_known,
          five_are_logged_and_the_rest_is_counted_when_the_time_is_over,
          what_the_rings_missed_is_logged_even_when_the_time_is_never_over,
          a_source_is_its_component_and_its_instance,
          the_page_has_the_latest_first_and_the_oldest_gives_way,
          a_reader_of_the_page_s_lines_that_is_overtaken_ends)
