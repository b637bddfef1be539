// SPDX-License-Identifier: Apache-2.0
// A worker with its thread and its sockets.
#include "ingest/ingest.h"

#include "fixture.h"
#include "unit.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char CATALOG[] = "metrics:\n"
                              "  - {name: a_total, type: counter, help: h}\n"
                              "  - {name: g, type: gauge, help: h}\n";

#define A "{\"metric\":\"a_total\"}\n"

static struct fixture h;
static char dir[64];

static struct unix_socket open_socket(const char *name, int type)
{
    char path[100];
    struct unix_socket s = UNIX_SOCKET_NONE;
    struct buf problem = BUF_INIT;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    struct unix_socket_settings settings = {
        .path = path, .type = type, .backlog = 16, .mode = 0600};
    ck_assert_int_eq(ingest_open_socket(&s, &settings, &problem), 0);
    return s;
}

static void start(uint32_t connections)
{
    snprintf(dir, sizeof dir, "/tmp/ve-ingest-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    fixture_open(&h, CATALOG, 100, 100);
    ingest_free(h.ingest);
    struct ingest_settings settings = {.workers = 1, .connections = connections};
    settings.stream = open_socket("s", SOCK_STREAM);
    settings.datagram = open_socket("d", SOCK_DGRAM);
    ck_assert_int_eq(ingest_open(&h.ingest, &settings, h.store, h.sources), 0);
    h.self.ingest = h.ingest;
    ck_assert_int_eq(ingest_start(h.ingest), 0);
}

static void finish(void)
{
    fixture_close(&h);
    ck_assert_int_eq(rmdir(dir), 0);
}

static int reach(const char *name, int type)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", dir, name);
    int fd = socket(AF_UNIX, type, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

// Waits for a line; "" when the connection was closed, "nothing" after that many ms.
static const char *hear(int fd, int wait_ms)
{
    static char line[500];
    size_t n = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    do {
        if (poll(&p, 1, wait_ms) == 0) {
            return "nothing";
        }
        if (recv(fd, line + n, 1, 0) <= 0) {
            return "";
        }
    } while (line[n++] != '\n');
    line[n] = '\0';
    return line;
}

START_TEST(clients_are_served_side_by_side)
{
    start(100);
    int fds[20];
    for (int i = 0; i < 20; i++) {
        fds[i] = reach("s", SOCK_STREAM);
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 20; i++) {
            say(fds[i], A A);
        }
    }
    for (int i = 0; i < 20; i++) {
        say(fds[i], "{\"sync\":1}\n");
        ck_assert_str_eq(hear(fds[i], 5000), "{\"sync\":1,\"applied\":20,\"rejected\":0}\n");
    }
    ck_assert_str_eq(fixture_samples(&h), "a_total 400\n");
    ck_assert_uint_eq(ingest_connections(h.ingest), 20);
    ck_assert_uint_eq(count_read(&ingest_statistics(h.ingest, 0)->connections), 20);
    for (int i = 0; i < 20; i++) {
        close(fds[i]);
    }
    ingest_stop(h.ingest);
    finish();
}
END_TEST

START_TEST(one_connection_too_many_is_closed_and_counted)
{
    start(2);
    int one = reach("s", SOCK_STREAM);
    int two = reach("s", SOCK_STREAM);
    say(one, "{\"ping\":1}\n");
    say(two, "{\"ping\":2}\n");
    ck_assert_str_eq(hear(one, 5000), "{\"ping\":1}\n");
    ck_assert_str_eq(hear(two, 5000), "{\"ping\":2}\n");
    int three = reach("s", SOCK_STREAM);
    ck_assert_str_eq(hear(three, 5000), "");
    ck_assert_uint_eq(count_read(&ingest_statistics(h.ingest, 0)->accept_errors), 1);
    ingest_set_connections(h.ingest, 3);
    int four = reach("s", SOCK_STREAM);
    say(four, "{\"ping\":4}\n");
    ck_assert_str_eq(hear(four, 5000), "{\"ping\":4}\n");
    ingest_stop(h.ingest);
    close(one);
    close(two);
    close(three);
    close(four);
    finish();
}
END_TEST

START_TEST(nothing_is_read_during_a_pause)
{
    start(10);
    int fd = reach("s", SOCK_STREAM);
    say(fd, "{\"ping\":1}\n");
    ck_assert_str_eq(hear(fd, 5000), "{\"ping\":1}\n");
    for (int i = 0; i < 50; i++) {
        ingest_pause(h.ingest);
        say(fd, "{\"ping\":2}\n");
        if (i == 0) {
            ck_assert_str_eq(hear(fd, 50), "nothing");
        }
        ingest_resume(h.ingest);
        ck_assert_str_eq(hear(fd, 5000), "{\"ping\":2}\n");
    }
    ingest_stop(h.ingest);
    close(fd);
    finish();
}
END_TEST

START_TEST(a_worker_that_stays_in_one_turn_stands_still)
{
    fixture_open(&h, CATALOG, 100, 100); // none runs, so that time is the test's
    ck_assert(ingest_is_progressing(h.ingest, UINT64_MAX));
    _Atomic uint64_t *since = &h.ingest->workers[0].stats.busy_since_ms;
    atomic_store(since, 1000);
    ck_assert(ingest_is_progressing(h.ingest, 1000 + INGEST_STILL_MS - 1));
    ck_assert(!ingest_is_progressing(h.ingest, 1000 + INGEST_STILL_MS));
    ck_assert(ingest_is_progressing(h.ingest, 999)); // its clock is ahead of the asker's
    atomic_store(since, 0);
    ck_assert(ingest_is_progressing(h.ingest, UINT64_MAX));
    fixture_close(&h);
}
END_TEST

START_TEST(a_stop_deals_with_what_stood_in_the_sockets)
{
    start(10);
    int fd = reach("s", SOCK_STREAM);
    int datagram = reach("d", SOCK_DGRAM);
    say(fd, "{\"ping\":1}\n");
    ck_assert_str_eq(hear(fd, 5000), "{\"ping\":1}\n");
    ingest_pause(h.ingest);
    // In one piece, since many small ones fill a socket soon.
    struct buf lines = BUF_INIT;
    for (int i = 0; i < 3000; i++) {
        buf_str(&lines, A);
    }
    say(fd, buf_string(&lines));
    buf_free(&lines);
    for (int i = 0; i < 5; i++) {
        say(datagram, A);
    }
    int late = reach("s", SOCK_STREAM); // not accepted yet
    say(late, A A);
    ingest_resume(h.ingest);
    ingest_stop(h.ingest);
    ck_assert_str_eq(fixture_samples(&h), "a_total 3007\n");
    close(fd);
    close(late);
    close(datagram);
    finish();
}
END_TEST

START_TEST(nothing_is_settled_before_what_waited_is_applied)
{
    start(10);
    int fd = reach("s", SOCK_STREAM);
    int datagram = reach("d", SOCK_DGRAM);
    say(fd, "{\"ping\":1}\n");
    ck_assert_str_eq(hear(fd, 5000), "{\"ping\":1}\n");
    ingest_pause(h.ingest);
    say(fd, A A);
    say(datagram, A);
    int late = reach("s", SOCK_STREAM); // not accepted yet
    say(late, A);
    uint64_t then = clock_mono_ms();
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_le(ingest_caught_up(h.ingest, then + 1000), then);
    }
    ingest_resume(h.ingest);
    // What is settled for that time, with all that waited at it, may take a while.
    uint64_t end = then + 20000;
    while (ingest_caught_up(h.ingest, clock_mono_ms()) <= then && clock_mono_ms() < end) {
        poll(NULL, 0, 5);
    }
    ck_assert_str_eq(fixture_samples(&h), "a_total 4\n");
    // And when nothing waits, at once.
    uint64_t now;
    do {
        poll(NULL, 0, 5);
        now = clock_mono_ms();
    } while (ingest_caught_up(h.ingest, now) != now && now < end);
    ck_assert_uint_lt(now, end);
    ingest_stop(h.ingest);
    close(fd);
    close(late);
    close(datagram);
    finish();
}
END_TEST

static _Atomic bool adapted;

static void *add_up(void *sum)
{
    while (!atomic_load(&adapted)) {
        *(uint64_t *)sum += ingest_applied(h.ingest, COMPONENT_PROVIDER) +
                            ingest_lost(h.ingest, COMPONENT_PROVIDER) +
                            ingest_rejected(h.ingest, COMPONENT_PROVIDER, REJECT_bad_json);
    }
    return NULL;
}

// What the web thread does while a reload makes room for the accounts of its catalogue; for ThreadSanitizer.
START_TEST(accounts_are_read_while_a_reload_opens_them)
{
    pthread_t reader;
    uint64_t sum = 0;
    start(8);
    atomic_store(&adapted, false);
    ck_assert_int_eq(pthread_create(&reader, NULL, add_up, &sum), 0);
    for (int i = 0; i < 200; i++) {
        ingest_pause(h.ingest);
        ck_assert_int_eq(ingest_adapt(h.ingest, schema_current(h.store)->catalog), 0);
        ingest_resume(h.ingest);
    }
    atomic_store(&adapted, true);
    pthread_join(reader, NULL);
    ck_assert_uint_eq(sum, 0);
    ingest_stop(h.ingest);
    finish();
}
END_TEST

START_TEST(a_refused_hello_is_answered_before_the_connection_ends)
{
    start(10);
    int fd = reach("s", SOCK_STREAM);
    say(fd, "{\"hello\":{\"component\":\"nobody\"}}\n" A);
    ck_assert_str_eq(hear(fd, 5000), "{\"error\":\"bad_control\",\"line\":1,\"detail\":"
                                     "\"component is none that the catalogue knows\"}\n");
    ck_assert_str_eq(hear(fd, 5000), "");
    ingest_stop(h.ingest);
    ck_assert_str_eq(fixture_samples(&h), "");
    close(fd);
    finish();
}
END_TEST

UNIT_MAIN("ingest", clients_are_served_side_by_side, one_connection_too_many_is_closed_and_counted,
          nothing_is_read_during_a_pause, a_worker_that_stays_in_one_turn_stands_still,
          a_stop_deals_with_what_stood_in_the_sockets,
          nothing_is_settled_before_what_waited_is_applied,
          accounts_are_read_while_a_reload_opens_them,
          a_refused_hello_is_answered_before_the_connection_ends)
