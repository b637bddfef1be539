// SPDX-License-Identifier: Apache-2.0
// The workers' rings are played here.
#define ingest_take_refusal played_take
#define ingest_missed_refusals played_missed
#include "daemon/refused.c"

#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

static unsigned waiting;
static uint64_t line;
static uint64_t missed;
static unsigned component;
static const char *instance = "";
static enum reject reason = REJECT_bad_op;
static uid_t user = PEER_NOBODY;
static const char *entry = "";
static const char *metric = "";
static int reader;

bool played_take(struct ingest *in, struct refusal *ret)
{
    (void)in;
    if (waiting == 0) {
        return false;
    }
    waiting--;
    *ret = (struct refusal){.reason = reason, .component = component, .line = line, .user = user};
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

static struct refused refused;
static struct recent recent;

static void setup(void)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    reader = ends[0];
    recent_open(&recent);
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
    refused_tick(&refused, &recent, NULL, &c, now_ms);
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
    "level=warn msg=\"line refused\" reason=bad_op source=unknown line=" #n " detail=d\n"
#define MORE(n) "level=warn msg=\"more lines refused\" count=" #n "\n"

START_TEST(five_are_told_and_the_rest_is_counted_when_the_time_is_over)
{
    setup();
    line = 1;
    tick(0, 0, "");
    tick(2, 50000, LINE(1) LINE(2));
    tick(4, 51000, LINE(3) LINE(4) LINE(5));
    missed = 100;
    tick(7, 52000, "");
    tick(0, 59999, "");
    tick(0, 60000, MORE(108));
    tick(0, 90000, "");
    tick(1, 90500, LINE(14));
    tick(1, 100499, LINE(15));
    tick(1, 100500, LINE(16));
    tick(0, 200000, "");
}
END_TEST

START_TEST(what_the_rings_missed_is_told_even_when_the_time_is_never_over)
{
    setup();
    line = 1;
    missed = 7;
    tick(1, 0, LINE(1));
    refused_end(&refused);
    tick(0, 1, MORE(7));
    refused_end(&refused);
    tick(0, 2, "");
}
END_TEST

START_TEST(a_source_is_its_component_and_its_instance)
{
    setup();
    component = 1;
    instance = "vc 1\"";
    tick(1, 0,
         "level=warn msg=\"line refused\" reason=bad_op source=\"provider/vc 1\\\"\" line=\"\" "
         "detail=d\n");
    component = 9; // a reload took it away
    instance = "";
    tick(1, 0, "level=warn msg=\"line refused\" reason=bad_op source=unknown line=\"\" detail=d\n");
}
END_TEST

START_TEST(who_it_was_is_told_where_it_is_known)
{
    setup();
    line = 4;
    user = 1001;
    tick(1, 1000,
         "level=warn msg=\"line refused\" reason=bad_op source=unknown line=4 detail=d uid=1001\n");
    entry = "sources[3]";
    metric = "m";
    tick(1, 1001,
         "level=warn msg=\"line refused\" reason=bad_op source=unknown line=5 detail=d uid=1001 "
         "entry=sources[3] metric=m\n");
    user = PEER_NOBODY;
    tick(1, 1002,
         "level=warn msg=\"line refused\" reason=bad_op source=unknown line=6 detail=d "
         "entry=sources[3] metric=m\n");
    reason = REJECT_NONE;
    user = 0;
    tick(1, 1003,
         "level=warn msg=\"a source runs in another unit than its entry says\" source=unknown "
         "unit=d "
         "uid=0 entry=sources[3]\n");
}
END_TEST

UNIT_MAIN("refused", who_it_was_is_told_where_it_is_known,
          five_are_told_and_the_rest_is_counted_when_the_time_is_over,
          what_the_rings_missed_is_told_even_when_the_time_is_never_over,
          a_source_is_its_component_and_its_instance)
