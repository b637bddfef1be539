// SPDX-License-Identifier: Apache-2.0
#include "source/peer.c"

#include "unit.h"

#include <grp.h>
#include <sys/un.h>
#include <sys/wait.h>

static int fds[2];

static void open_pair(int type)
{
    ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
}

static void close_pair(void)
{
    close(fds[0]);
    close(fds[1]);
}

START_TEST(the_kernel_tells_who_connected)
{
    struct peer p;
    open_pair(SOCK_STREAM);
    peer_of_stream(&p, fds[0]);
    ck_assert_uint_eq(p.uid, geteuid());
    ck_assert_uint_eq(p.gid, getegid());
    ck_assert_int_eq(p.pid, getpid());
    ck_assert(p.has_groups);
    ck_assert(peer_is_in_group(&p, getegid()));
    ck_assert(!peer_is_in_group(&p, 54321));
    peer_drop(&p);
    close_pair();
}
END_TEST

START_TEST(a_process_that_has_ended_has_no_start)
{
    struct peer p;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sa_family_t); // the kernel chooses a name
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr, len), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    len = sizeof addr;
    getsockname(listener, (struct sockaddr *)&addr, &len);
    int hold[2];
    ck_assert_int_eq(pipe(hold), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(hold[1]);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        _exit(connect(fd, (struct sockaddr *)&addr, len) < 0 || read(hold[0], &byte, 1) != 0);
    }
    int fd = accept(listener, NULL, NULL);
    peer_of_stream(&p, fd);
    ck_assert_int_eq(p.pid, child);
    struct process_other self;
    ck_assert_int_eq(process_read_other(getpid(), &self), 0);
    ck_assert_uint_ge(peer_start_ticks(&p, fd), self.start_ticks);
    close(hold[0]);
    close(hold[1]);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(peer_start_ticks(&p, fd), 0);
    // Its number again, as another process': the kernel knows which one connected.
    p.pid = getpid();
    int pidfd;
    len = sizeof pidfd;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0 || errno != ENOPROTOOPT) {
        ck_assert_uint_eq(peer_start_ticks(&p, fd), 0);
    }
    peer_drop(&p);
    close(fd);
    close(listener);
}
END_TEST

// In a process of its own: with these supplementary groups, does a connection show each of them?
static void with_groups(size_t n)
{
    pid_t child = fork();
    if (child == 0) {
        gid_t groups[100] = {0};
        struct peer p;
        for (size_t i = 0; i < n; i++) {
            groups[i] = (gid_t)(60000 + i);
        }
        bool good = setgroups(n, groups) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0;
        peer_of_stream(&p, fds[0]);
        good = good && p.has_groups && p.n_groups == n;
        for (size_t i = 0; i < n; i++) {
            good = good && peer_is_in_group(&p, groups[i]);
        }
        good = good && !peer_is_in_group(&p, (gid_t)(60000 + n));
        _exit(good ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "with %zu groups", n);
}

START_TEST(supplementary_groups_are_seen_however_many)
{
    if (geteuid() != 0) {
        return; // only root may set them
    }
    static const size_t numbers[] = {0, 1, 16, 17, 100};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        with_groups(numbers[i]);
    }
}
END_TEST

START_TEST(what_is_no_connection_has_no_peer)
{
    struct peer p;
    int fd = open("/dev/null", O_RDONLY);
    peer_of_stream(&p, fd);
    ck_assert_uint_eq(p.uid, PEER_NOBODY);
    ck_assert(!p.has_groups && p.n_groups == 0 && p.pid == 0);
    ck_assert(!peer_is_in_group(&p, 0));
    peer_drop(&p);
    close(fd);
}
END_TEST

// Receives a datagram and who sent it. Returns its length.
static ssize_t receive(char *text, size_t size, struct peer *ret)
{
    struct peer_control control;
    struct iovec data = {.iov_base = text, .iov_len = size};
    struct msghdr m = {.msg_iov = &data,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fds[0], &m, MSG_DONTWAIT);
    peer_of_datagram(ret, &m);
    return n;
}

START_TEST(a_datagram_says_who_sent_it_once_it_was_asked_for)
{
    struct peer p;
    char text[8];
    open_pair(SOCK_DGRAM);
    ck_assert_int_eq(send(fds[1], "ab", 2, 0), 2);
    ck_assert_int_eq(receive(text, sizeof text, &p), 2);
    ck_assert_uint_eq(p.uid, PEER_NOBODY);
    ck_assert_int_eq(peer_ask(fds[0]), 0);
    ck_assert_int_eq(send(fds[1], "cde", 3, 0), 3);
    ck_assert_int_eq(receive(text, sizeof text, &p), 3);
    ck_assert(memcmp(text, "cde", 3) == 0);
    ck_assert_uint_eq(p.uid, geteuid());
    ck_assert_uint_eq(p.gid, getegid());
    ck_assert_int_eq(p.pid, getpid());
    ck_assert(!p.has_groups);
    ck_assert_int_eq(peer_ask(-1), -EBADF);
    close_pair();
}
END_TEST

START_TEST(a_path_of_control_groups_names_the_deepest_unit)
{
    static const struct {
        const char *path;
        const char *unit; // NULL: none
    } cases[] = {
        {"/system.slice/a.service", "a.service"},
        {"/system.slice/a.service/payload", "a.service"},
        {"/user.slice/user-1.slice/user@1.service/app.slice/b@2.service", "b@2.service"},
        {"/user.slice/session-3.scope", "session-3.scope"},
        {"/user.slice", NULL},
        {"/", NULL},
        {"", NULL},
        {"/.service", ".service"},
        {"/0123456789012345.service", NULL}, // no room
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char unit[20] = "";
        char *path = strdup(cases[i].path);
        ck_assert_int_eq(unit_of_path(path, unit, sizeof unit), cases[i].unit != NULL);
        ck_assert(cases[i].unit == NULL || strcmp(unit, cases[i].unit) == 0);
        free(path);
    }
}
END_TEST

START_TEST(a_process_that_is_not_there_has_no_unit)
{
    char unit[64];
    ck_assert(!peer_unit(0, unit, sizeof unit));
    ck_assert(!peer_unit(-1, unit, sizeof unit));
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert(!peer_unit(child, unit, sizeof unit));
}
END_TEST

UNIT_MAIN("peer", the_kernel_tells_who_connected, a_process_that_has_ended_has_no_start,
          supplementary_groups_are_seen_however_many, what_is_no_connection_has_no_peer,
          a_datagram_says_who_sent_it_once_it_was_asked_for,
          a_path_of_control_groups_names_the_deepest_unit, a_process_that_is_not_there_has_no_unit)
