// SPDX-License-Identifier: Apache-2.0
// The workers and the web thread are played here, and so is systemd.
#define ingest_poke played_ingest_poke
#define ingest_has_answered played_ingest_answered
#define web_poke played_web_poke
#define web_beats played_web_beats
#include "daemon/service.c"

#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// Takes the place of systemd: the abstract socket that the process speaks to.
static int open_manager(void)
{
    char name[64];
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int len = snprintf(name, sizeof name, "@ve-test-service-%d", (int)getpid());
    memcpy(a.sun_path + 1, name + 1, (size_t)len - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, size), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static const char *heard(int fd)
{
    static char text[512];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

START_TEST(each_message_is_as_systemd_wants_it)
{
    int fd = open_manager();
    service_ready("7 series");
    ck_assert_str_eq(heard(fd), "READY=1\nSTATUS=7 series");
    service_status("8 series");
    ck_assert_str_eq(heard(fd), "STATUS=8 series");
    feed_watchdog();
    ck_assert_str_eq(heard(fd), "WATCHDOG=1");
    service_stopping();
    ck_assert_str_eq(heard(fd), "STOPPING=1\nSTATUS=Stopping");
    service_reloading();
    uint64_t us = 0;
    ck_assert_int_eq(sscanf(heard(fd), "RELOADING=1\nMONOTONIC_USEC=%" SCNu64, &us), 1);
    ck_assert_uint_gt(us, 0);
    ck_assert_str_eq(heard(fd), "");
}
END_TEST

START_TEST(without_a_manager_nothing_is_said_and_nothing_is_handed_over)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("LISTEN_FDS");
    service_ready("");
    service_reloading();
    ck_assert_uint_eq(watchdog_us(), 0);
    struct service_fds fds = {.n_web = 9};
    struct buf problem = BUF_INIT;
    ck_assert_int_eq(service_take(&fds, &problem), 0);
    ck_assert_int_eq(fds.stream, -1);
    ck_assert_int_eq(fds.datagram, -1);
    ck_assert_uint_eq(fds.n_web, 0);
    ck_assert_uint_eq(problem.len, 0);
}
END_TEST

START_TEST(the_watchdog_is_that_of_this_process)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_USEC", "30000000", 1);
    ck_assert_uint_eq(watchdog_us(), 30000000);
    setenv("WATCHDOG_PID", pid, 1);
    ck_assert_uint_eq(watchdog_us(), 30000000);
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert_uint_eq(watchdog_us(), 0);
    unsetenv("WATCHDOG_PID");
    static const char *const broken[] = {"", "0", "x", "-1"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        setenv("WATCHDOG_USEC", broken[i], 1);
        ck_assert_uint_eq(watchdog_us(), 0);
    }
}
END_TEST

START_TEST(an_environment_that_makes_no_sense_is_refused)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "many", 1);
    struct service_fds fds = {.n_web = 9};
    struct buf problem = BUF_INIT;
    ck_assert_int_eq(service_take(&fds, &problem), -EINVAL);
    ck_assert_str_eq(buf_string(&problem),
                     "the environment does not say which sockets were passed: Invalid argument");
    ck_assert_uint_eq(fds.n_web, 9);
    buf_free(&problem);
}
END_TEST

static bool answered;
static uint64_t beats;
static unsigned asked;
static unsigned fed;

void played_ingest_poke(struct ingest *in)
{
    (void)in;
    asked++;
    answered = false;
}

bool played_ingest_answered(const struct ingest *in)
{
    (void)in;
    return answered;
}

void played_web_poke(struct web *w)
{
    (void)w;
}

uint64_t played_web_beats(const struct web *w)
{
    (void)w;
    return beats;
}

static struct service_watchdog watchdog;
static int manager = -1;

static void tick(uint64_t now_ms)
{
    service_watchdog_tick(&watchdog, NULL, NULL, now_ms);
    fed += strcmp(heard(manager), "WATCHDOG=1") == 0;
}

static void open_with(uint64_t us)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, us);
    manager = manager < 0 ? open_manager() : manager;
    setenv("WATCHDOG_USEC", text, 1);
    service_watchdog_open(&watchdog);
}

START_TEST(without_a_watchdog_nobody_is_asked)
{
    open_with(0);
    ck_assert_uint_eq(service_watchdog_tick_ms(&watchdog), 1000);
    for (uint64_t ms = 0; ms < 100000; ms += 1000) {
        tick(ms);
    }
    ck_assert_uint_eq(asked, 0);
    ck_assert_uint_eq(fed, 0);
}
END_TEST

START_TEST(it_is_fed_four_times_in_its_period_while_all_answer)
{
    open_with(40 * 1000000);
    for (uint64_t s = 1; s <= 400; s++) {
        tick(s * 1000);
        answered = true;
        beats++;
    }
    ck_assert_uint_eq(asked, 40);
    ck_assert_uint_eq(fed, 40);
}
END_TEST

START_TEST(one_that_does_not_answer_keeps_the_food_back_until_it_does)
{
    open_with(4 * 1000000);
    tick(1000);
    ck_assert_uint_eq(asked, 1);
    beats++; // the web thread alone
    tick(2000);
    tick(100000);
    ck_assert_uint_eq(fed, 0);
    ck_assert_uint_eq(asked, 1);
    answered = true;
    tick(101000);
    ck_assert_uint_eq(fed, 1);
    ck_assert_uint_eq(asked, 2);
    answered = true; // the workers alone
    tick(200000);
    ck_assert_uint_eq(fed, 1);
    beats++;
    tick(201000);
    ck_assert_uint_eq(fed, 2);
}
END_TEST

START_TEST(a_short_period_makes_short_ticks)
{
    static const struct {
        uint64_t us;
        uint64_t ms;
    } table[] = {{1, 10},         {40000, 10},      {44000, 11},           {2000000, 500},
                 {4000000, 1000}, {30000000, 1000}, {UINT64_MAX - 1, 1000}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        open_with(table[i].us);
        ck_assert_uint_eq(service_watchdog_tick_ms(&watchdog), table[i].ms);
    }
}
END_TEST

UNIT_MAIN("service", each_message_is_as_systemd_wants_it,
          without_a_manager_nothing_is_said_and_nothing_is_handed_over,
          the_watchdog_is_that_of_this_process, an_environment_that_makes_no_sense_is_refused,
          without_a_watchdog_nobody_is_asked, it_is_fed_four_times_in_its_period_while_all_answer,
          one_that_does_not_answer_keeps_the_food_back_until_it_does,
          a_short_period_makes_short_ticks)
