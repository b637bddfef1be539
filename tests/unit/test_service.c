// SPDX-License-Identifier: Apache-2.0
#include "daemon/service.h"
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
    service_feed_watchdog();
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
    ck_assert_uint_eq(service_watchdog_us(), 0);
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
    ck_assert_uint_eq(service_watchdog_us(), 30000000);
    setenv("WATCHDOG_PID", pid, 1);
    ck_assert_uint_eq(service_watchdog_us(), 30000000);
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert_uint_eq(service_watchdog_us(), 0);
    unsetenv("WATCHDOG_PID");
    static const char *const broken[] = {"", "0", "x", "-1"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        setenv("WATCHDOG_USEC", broken[i], 1);
        ck_assert_uint_eq(service_watchdog_us(), 0);
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

UNIT_MAIN("service", each_message_is_as_systemd_wants_it,
          without_a_manager_nothing_is_said_and_nothing_is_handed_over,
          the_watchdog_is_that_of_this_process, an_environment_that_makes_no_sense_is_refused)
