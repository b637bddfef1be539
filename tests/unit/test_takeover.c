// SPDX-License-Identifier: Apache-2.0
// Connections of one session, with and without several workers.
#include "dialogue.h"
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <sys/un.h>

static const char CATALOG[] =
    "metrics:\n"
    "  - {name: a_total, type: counter, help: h, component: any}\n"
    "  - {name: b_seconds, type: histogram, help: h, component: any, buckets: [1]}\n"
    "  - {name: g, type: gauge, help: h, owner: source}\n"
    "events:\n"
    "  - {name: e, labels: [], value: seconds, updates: [{add: a_total}, {observe: b_seconds}]}\n";

#define A "{\"metric\":\"a_total\"}\n"
#define HELLO(id, rest)                                                                            \
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"s\",\"session\":\"" id "\"" rest "}}\n"
#define WELCOME(applied, known)                                                                    \
    "{\"hello\":{\"protocol\":1,\"applied\":" applied ",\"known\":" known "}}\n"

static struct fixture h;

// What the worker does when it was woken: closes those whose session was taken over, and lets who waits go on.
static const char *go_on(struct dialogue *d)
{
    buf_clear(&d->replies);
    connection_go_on(d->c, h.p, h.ingest->workers[0].input);
    return dialogue_replies(d);
}

START_TEST(the_later_connection_waits_for_the_end_of_the_earlier_one)
{
    struct dialogue one;
    struct dialogue two;
    fixture_open(&h, CATALOG, 100, 100);
    dialogue_open(&one, &h);
    dialogue_open(&two, &h);
    ck_assert_str_eq(dialogue_line(&one, HELLO("x", "") A A), WELCOME("0", "false"));
    dialogue_send(&one, A, strlen(A)); // not read yet
    ck_assert_str_eq(dialogue_line(&two, HELLO("x", "")), "");
    ck_assert(two.c->waiting && !two.c->closing);
    ck_assert(connection_is_taken_over(one.c) && !connection_is_taken_over(two.c));
    ck_assert(atomic_load(&h.ingest->wakeups[0].sessions_changed));
    ck_assert_int_eq(dialogue_read(&one), 0); // it is read no further
    ck_assert_str_eq(go_on(&two), "");
    dialogue_close(&one);
    ck_assert_str_eq(go_on(&two), WELCOME("2", "true"));
    ck_assert(!two.c->waiting);
    ck_assert_str_eq(dialogue_line(&two, A "{\"sync\":1}\n"),
                     "{\"sync\":1,\"applied\":1,\"rejected\":0}\n");
    ck_assert_str_eq(fixture_samples(&h), "a_total 3\n");
    dialogue_close(&two);
    fixture_close(&h);
}
END_TEST

START_TEST(what_came_behind_the_hello_is_read_after_its_answer)
{
    // In one piece with the hello, with a line that is not complete, and with nothing.
    static const struct {
        const char *behind;
        const char *answer;
        const char *samples;
    } cases[] = {
        {"", "", "a_total 1\n"},
        {A A, "", "a_total 3\n"},
        {A "{\"sync\":1}\n{\"metric\":", "{\"sync\":1,\"applied\":1,\"rejected\":0}\n",
         "a_total 2\n"},
        {"\n\nx\n", "{\"error\":\"bad_json\",\"line\":4,\"detail\":\"invalid token near 'x'\"}\n",
         "a_total 1\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dialogue one;
        struct dialogue two;
        char text[400];
        fixture_open(&h, CATALOG, 100, 100);
        dialogue_open(&one, &h);
        dialogue_open(&two, &h);
        dialogue_line(&one, HELLO("x", "") A);
        snprintf(text, sizeof text, "%s%s", HELLO("x", ""), cases[i].behind);
        ck_assert_str_eq(dialogue_line(&two, text), "");
        ck_assert_str_eq(fixture_samples(&h), "a_total 1\n");
        dialogue_close(&one);
        snprintf(text, sizeof text, "%s%s", WELCOME("1", "true"), cases[i].answer);
        ck_assert_str_eq(go_on(&two), text);
        ck_assert_str_eq(fixture_samples(&h), cases[i].samples);
        dialogue_line(&two, "\"a_total\"}\n");
        dialogue_close(&two);
        fixture_close(&h);
    }
}
END_TEST

START_TEST(of_two_that_wait_the_latest_gets_it)
{
    struct dialogue one;
    struct dialogue two;
    struct dialogue three;
    fixture_open(&h, CATALOG, 100, 100);
    dialogue_open(&one, &h);
    dialogue_open(&two, &h);
    dialogue_open(&three, &h);
    dialogue_line(&one, HELLO("x", ""));
    dialogue_line(&two, HELLO("x", "") A);
    dialogue_line(&three, HELLO("x", ""));
    ck_assert(connection_is_taken_over(two.c));
    dialogue_close(&one);
    ck_assert_str_eq(go_on(&two), "");
    ck_assert(two.c->closing);
    ck_assert_str_eq(go_on(&three), WELCOME("0", "true"));
    dialogue_close(&two);
    dialogue_close(&three);
    ck_assert_str_eq(fixture_samples(&h), "");
    fixture_close(&h);
}
END_TEST

static uint64_t lost(void)
{
    return ingest_lost(h.ingest, COMPONENT_PROVIDER);
}

START_TEST(the_most_that_a_session_lost_counts)
{
    static const struct {
        const char *hello;
        uint64_t lost;
    } cases[] = {
        {HELLO("x", ",\"lost\":3"), 3},
        {HELLO("x", ",\"lost\":2"), 3},
        {HELLO("x", ""), 3},
        {HELLO("x", ",\"lost\":5"), 5},
        {HELLO("y", ",\"lost\":4"), 9},
        {HELLO("x", ",\"lost\":5"), 9},
    };
    fixture_open(&h, CATALOG, 100, 100);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dialogue d;
        dialogue_open(&d, &h);
        dialogue_line(&d, cases[i].hello);
        ck_assert_uint_eq(lost(), cases[i].lost);
        dialogue_close(&d);
    }
    struct dialogue d;
    dialogue_open(&d, &h);
    dialogue_line(&d, HELLO("x", "") A);
    ck_assert_str_eq(dialogue_line(&d, "{\"hello\":{\"lost\":7}}\n"), WELCOME("1", "true"));
    ck_assert_uint_eq(lost(), 11);
    dialogue_close(&d);
    fixture_close(&h);
}
END_TEST

START_TEST(lines_count_for_the_account_that_is_there_after_a_repair)
{
    struct dialogue d;
    fixture_open(&h, CATALOG, 100, 100);
    dialogue_open(&d, &h);
    dialogue_line(&d, HELLO("x", "") A A);
    ck_assert_uint_eq(ingest_applied(h.ingest, COMPONENT_PROVIDER), 2);
    char *base = h.store->share.base;
    struct record *lost = record_at(base, h.ingest->statistics.handles[COMPONENT_PROVIDER]);
    memset(lost, 0, sizeof *lost); // as a page that was lost
    ingest_repair(h.ingest, false);
    ck_assert_uint_eq(ingest_applied(h.ingest, COMPONENT_PROVIDER), 0);
    dialogue_line(&d, A A A "{\"metric\":\"none\"}\n");
    ck_assert(!d.c->closing);
    ck_assert_uint_eq(ingest_applied(h.ingest, COMPONENT_PROVIDER), 3);
    ck_assert_uint_eq(ingest_rejected(h.ingest, COMPONENT_PROVIDER, REJECT_unknown_metric), 1);
    dialogue_close(&d);
    fixture_close(&h);
}
END_TEST

START_TEST(too_many_sessions_are_refused_and_leave_no_trace)
{
    struct dialogue d[FIXTURE_SESSIONS + 1];
    fixture_open(&h, CATALOG, 100, 100);
    for (int i = 0; i <= FIXTURE_SESSIONS; i++) {
        char hello[200];
        snprintf(hello, sizeof hello,
                 "{\"hello\":{\"component\":\"manager\",\"session\":\"%d\"}}\n" A, i);
        dialogue_open(&d[i], &h);
        ck_assert_str_eq(dialogue_line(&d[i], hello),
                         i < FIXTURE_SESSIONS ? WELCOME("0", "false")
                                              : "{\"error\":\"bad_control\",\"line\":1,\"detail\":"
                                                "\"too many sessions\"}\n");
    }
    ck_assert(d[FIXTURE_SESSIONS].c->closing);
    ck_assert_str_eq(fixture_samples(&h), "a_total 4\n");
    ck_assert_uint_eq(ingest_rejected(h.ingest, COMPONENT_MANAGER, REJECT_bad_control), 1);
    ck_assert_uint_eq(ingest_applied(h.ingest, COMPONENT_MANAGER), FIXTURE_SESSIONS);
    for (int i = 0; i <= FIXTURE_SESSIONS; i++) {
        dialogue_close(&d[i]);
    }
    fixture_close(&h);
}
END_TEST

START_TEST(who_comes_back_with_its_session_keeps_its_gauges)
{
    static const struct {
        const char *hello; // of the one that comes back
        unsigned away_ms;
        const char *samples; // long after
    } cases[] = {
        {HELLO("x", ""), 5000, "g 1\n"},
        {HELLO("x", ""), SOURCE_GRACE_MS - 1, "g 1\n"},
        {HELLO("x", ""), SOURCE_GRACE_MS, ""},
        {HELLO("y", ""), 5000, ""},
        {"{\"hello\":{\"component\":\"provider\",\"instance\":\"s\"}}\n", 5000, ""},
        {"{\"hello\":{\"component\":\"provider\",\"instance\":\"t\",\"session\":\"x\"}}\n", 5000,
         ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dialogue d;
        fixture_open(&h, CATALOG, 100, 100);
        dialogue_open(&d, &h);
        dialogue_line(&d, HELLO("x", "") "{\"metric\":\"g\",\"value\":1}\n");
        dialogue_close(&d);
        h.p->now_ms += cases[i].away_ms;
        sources_tick(h.sources, h.store, h.p->now_ms);
        dialogue_open(&d, &h);
        dialogue_line(&d, cases[i].hello);
        sources_tick(h.sources, h.store, h.p->now_ms + 10 * SOURCE_GRACE_MS);
        ck_assert_str_eq(fixture_samples(&h), cases[i].samples);
        dialogue_close(&d);
        fixture_close(&h);
    }
}
END_TEST

enum { WORKERS = 3, CLIENTS = 4, SESSIONS = 2, TRIES = 150 };

static char path[100];
static _Atomic unsigned turn;

static int reach(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

// Reads a line; false at the end of the connection.
static bool hear(int fd, char *line, size_t size)
{
    size_t n = 0;
    while (n + 1 < size) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ck_assert_int_eq(poll(&p, 1, 20000), 1);
        if (recv(fd, line + n, 1, 0) <= 0) {
            return false;
        }
        if (line[n++] == '\n') {
            line[n] = '\0';
            return true;
        }
    }
    return false;
}

// A client that lies: it says that it is somebody else, sends lines, good and bad, and breaks off anywhere.
static void *fight(void *seed)
{
    uint64_t random = (uint64_t)(uintptr_t)seed;
    for (int i = 0; i < TRIES; i++) {
        char line[400];
        int fd = reach();
        int len = snprintf(line, sizeof line,
                           "{\"hello\":{\"component\":\"provider\",\"instance\":\"s\","
                           "\"session\":\"%u\"}}\n",
                           (unsigned)(unit_random(&random) >> 20) % SESSIONS);
        send(fd, line, (size_t)len, MSG_NOSIGNAL);
        if (unit_random(&random) % 4 != 0 && hear(fd, line, sizeof line)) {
            static const char lines[] =
                "{\"event\":\"e\",\"value\":1}\nnonsense\n\n[]\n{\"ping\":1}\n"
                "{\"event\":\"e\",\"value\":0.5}\n";
            for (uint64_t n = unit_random(&random) % 20; n > 0; n--) {
                send(fd, lines, unit_random(&random) % sizeof lines, MSG_NOSIGNAL);
            }
        }
        close(fd);
        atomic_fetch_add(&turn, 1);
    }
    return NULL;
}

static uint64_t position(const char *id)
{
    char line[400];
    unsigned long long applied;
    int fd = reach();
    int len = snprintf(
        line, sizeof line,
        "{\"hello\":{\"component\":\"provider\",\"instance\":\"s\",\"session\":\"%s\"}}\n", id);
    ck_assert_int_eq(send(fd, line, (size_t)len, MSG_NOSIGNAL), len);
    ck_assert(hear(fd, line, sizeof line));
    ck_assert_int_eq(sscanf(line, "{\"hello\":{\"protocol\":1,\"applied\":%llu,", &applied), 1);
    close(fd);
    return applied;
}

// Until every connection that was made before is over: one that is late would take its session over.
static void wait_for_the_end_of_all(void)
{
    char line[400];
    int fd = reach(); // accepted after all of them
    ck_assert_int_eq(send(fd, "{\"ping\":1}\n", 11, MSG_NOSIGNAL), 11);
    ck_assert(hear(fd, line, sizeof line));
    close(fd);
    for (int i = 0; ingest_connections(h.ingest) > 0; i++) {
        ck_assert_int_lt(i, 20000);
        usleep(1000);
    }
}

START_TEST(clients_that_fight_for_sessions_across_workers_count_each_line_once)
{
    fixture_open_lanes(&h, CATALOG, 100, 100, WORKERS);
    ingest_free(h.ingest);
    snprintf(path, sizeof path, "/tmp/ve-takeover-%d", (int)getpid());
    struct buf problem = BUF_INIT;
    struct unix_socket_settings how = {
        .path = path, .type = SOCK_STREAM, .backlog = 16, .mode = 0600};
    struct ingest_settings settings = {
        .workers = WORKERS, .connections = 1000, .sessions = 10, .cache_bytes = 1 << 20};
    settings.datagram = UNIX_SOCKET_NONE;
    ck_assert_int_eq(ingest_open_socket(&settings.stream, &how, &problem), 0);
    ck_assert_int_eq(ingest_open(&h.ingest, &settings, h.store, h.sources), 0);
    h.self.ingest = h.ingest;
    ck_assert_int_eq(ingest_start(h.ingest), 0);
    pthread_t threads[CLIENTS];
    for (uintptr_t i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, fight, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(atomic_load(&turn), CLIENTS * TRIES);
    wait_for_the_end_of_all();
    uint64_t counted = position("0") + position("1");
    ingest_stop(h.ingest);
    uint64_t refused = 0;
    for (unsigned r = 0; r < REJECT_COUNT; r++) {
        refused += ingest_rejected(h.ingest, COMPONENT_PROVIDER, r);
    }
    uint64_t applied = ingest_applied(h.ingest, COMPONENT_PROVIDER);
    ck_assert_uint_gt(applied, 0);
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_eq(counted, applied + refused);
    char samples[200];
    snprintf(samples, sizeof samples, "a_total %llu\n", (unsigned long long)applied);
    ck_assert_ptr_eq(strstr(fixture_samples(&h), samples), h.text.p);
    snprintf(samples, sizeof samples, "b_seconds_count %llu\n", (unsigned long long)applied);
    ck_assert_ptr_nonnull(strstr(h.text.p, samples));
    fixture_close(&h);
}
END_TEST

UNIT_MAIN("takeover", the_later_connection_waits_for_the_end_of_the_earlier_one,
          what_came_behind_the_hello_is_read_after_its_answer, of_two_that_wait_the_latest_gets_it,
          the_most_that_a_session_lost_counts,
          lines_count_for_the_account_that_is_there_after_a_repair,
          too_many_sessions_are_refused_and_leave_no_trace,
          who_comes_back_with_its_session_keeps_its_gauges,
          clients_that_fight_for_sessions_across_workers_count_each_line_once)
