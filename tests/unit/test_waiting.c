// SPDX-License-Identifier: Apache-2.0
// Requests that wait: for a rendering, for a reload, for the end.
#include "web_client.h"

#include "expose/format.h"

#include <sys/resource.h>

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"
#define SCRAPE "GET /metrics HTTP/1.1\r\n" CLOSE
#define RELOAD "POST /-/reload HTTP/1.1\r\n" CLOSE

enum {
    MS = 1000,
    SOON_MS = 60000
}; // the latter is what a busy machine may take for what happens at once

// Waits until the counter has the value.
static void await(const _Atomic unsigned *counter, unsigned value)
{
    for (int i = 0; i < SOON_MS && *counter < value; i++) {
        usleep(MS);
    }
    ck_assert_uint_eq(*counter, value);
}

static void check_answer(int fd, const char *want)
{
    static char out[1 << 20];
    long n = client_read(fd, out, sizeof out, NULL, SOON_MS);
    ck_assert_msg(n >= 0 && strstr(out, want) != NULL, "not \"%s\" in: %s", want, out);
    close(fd);
}

static int ask(const struct fake *f, const char *request)
{
    int fd = client_connect(f, 0);
    client_send(fd, request);
    return fd;
}

START_TEST(one_rendering_serves_all_who_want_the_same_form)
{
    struct fake f = {.render_ms = 300};
    fake_start(&f, 40);
    int first = ask(&f, SCRAPE);
    await(&f.renderings, 1);
    int packed = ask(&f, "GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip\r\n" CLOSE);
    int plain = ask(&f, SCRAPE);
    int packed_too = ask(&f, "GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip\r\n" CLOSE);
    int plain_too = ask(&f, SCRAPE);
    int hurried = ask(&f, "GET /metrics HTTP/1.1\r\n"
                          "X-Prometheus-Scrape-Timeout-Seconds: 0.3\r\n" CLOSE);
    int open = ask(&f, "GET /metrics HTTP/1.1\r\n"
                       "Accept: application/openmetrics-text;version=1.0.0\r\n" CLOSE);
    check_answer(first, "\r\n\r\nrendering 1\n");
    check_answer(packed,
                 format_gzip_is_supported() ? "Content-Encoding: gzip\r\n" : "rendering 2\n");
    check_answer(packed_too,
                 format_gzip_is_supported() ? "Content-Encoding: gzip\r\n" : "rendering 2\n");
    check_answer(plain,
                 format_gzip_is_supported() ? "\r\n\r\nrendering 3\n" : "\r\n\r\nrendering 2\n");
    check_answer(plain_too,
                 format_gzip_is_supported() ? "\r\n\r\nrendering 3\n" : "\r\n\r\nrendering 2\n");
    check_answer(hurried, "HTTP/1.1 503 "); // it came before rendering 2 began
    check_answer(open, format_gzip_is_supported() ? "open rendering 4\n" : "open rendering 3\n");
    ck_assert_uint_eq(f.renderings, format_gzip_is_supported() ? 4 : 3);
    web_free(f.web);
}
END_TEST

START_TEST(a_request_that_comes_during_a_rendering_gets_the_next_one)
{
    struct fake f = {.render_ms = 300};
    fake_start(&f, 40);
    int first = ask(&f, SCRAPE);
    await(&f.renderings, 1);
    int second = ask(&f, SCRAPE);
    int third = ask(&f, SCRAPE);
    int other = ask(&f, "GET /metrics?name[]=a HTTP/1.1\r\n" CLOSE);
    check_answer(first, "\r\n\r\nrendering 1\n");
    check_answer(second, "\r\n\r\nrendering 2\n");
    check_answer(third, "\r\n\r\nrendering 2\n");
    check_answer(other, "\r\n\r\na\nrendering 3\n");
    ck_assert_uint_eq(f.renderings, 3);
    const struct stats *stats = web_stats(f.web);
    ck_assert_uint_eq(stats->shown.by_format[FORMAT_TEXT], 4);
    uint64_t counted = 0;
    for (size_t i = 0; i <= stats->shown.n_bounds; i++) {
        counted += stats->shown.buckets[i];
    }
    ck_assert_uint_eq(counted, 4);
    ck_assert_uint_eq(stats->shown.buckets[0], 0);
    ck_assert_uint_ge(stats->shown.sum_ns, 4 * 300000000ull);
    web_free(f.web);
}
END_TEST

START_TEST(a_rendering_keeps_nothing_else_waiting)
{
    struct fake f = {.is_ready = true, .held = true};
    fake_start(&f, 40);
    int first = ask(&f, SCRAPE);
    await(&f.renderings, 1);
    int second = ask(&f, SCRAPE);
    int page = ask(&f, "GET / HTTP/1.1\r\n" CLOSE);
    int gone = ask(&f, SCRAPE);
    check_answer(ask(&f, "GET /healthz HTTP/1.1\r\n" CLOSE), "\r\n\r\nok\n");
    check_answer(ask(&f, "GET /readyz HTTP/1.1\r\n" CLOSE), "\r\n\r\nready\n");
    check_answer(ask(&f, "GET /nothing HTTP/1.1\r\n" CLOSE), "HTTP/1.1 404 ");
    close(gone);
    usleep(5100 * MS); // for longer than one waits for a place
    ck_assert_uint_eq(f.renderings, 1);
    f.held = false;
    check_answer(first, "\r\n\r\nrendering 1\n");
    check_answer(second, "\r\n\r\nrendering 2\n");
    check_answer(page, "<dt>Version</dt>");
    web_free(f.web);
}
END_TEST

START_TEST(a_rendering_that_stands_still_is_no_progress)
{
    struct fake f = {.held = true};
    fake_start(&f, 40);
    int fd = ask(&f, SCRAPE);
    await(&f.renderings, 1);
    web_poke(f.web);
    usleep(200 * MS);
    ck_assert_uint_eq(web_beats(f.web), 0);
    f.held = false;
    check_answer(fd, "rendering 1\n");
    for (int i = 0; i < SOON_MS && web_beats(f.web) == 0; i++) {
        usleep(MS);
    }
    ck_assert_uint_eq(web_beats(f.web), 1);
    web_free(f.web);
}
END_TEST

START_TEST(the_end_waits_for_the_rendering_that_is_under_way)
{
    struct fake f = {.render_ms = 1500}; // longer than the end waits for what is sent
    fake_start(&f, 40);
    int fd = ask(&f, SCRAPE);
    await(&f.renderings, 1);
    ck_assert_uint_eq(f.ended, 0);
    web_stop(f.web);
    ck_assert_uint_eq(f.ended, 1);
    close(fd);
    web_free(f.web);
}
END_TEST

START_TEST(a_client_that_leaves_while_it_waits_does_no_harm)
{
    struct fake f = {.render_ms = 100};
    fake_start(&f, 40);
    int first = ask(&f, SCRAPE);
    await(&f.renderings, 1);
    for (int i = 0; i < 20; i++) {
        close(ask(&f, SCRAPE));
    }
    int last = ask(&f, SCRAPE);
    check_answer(first, "rendering 1\n");
    check_answer(last, "\r\n\r\nrendering 2\n");
    web_free(f.web);
}
END_TEST

START_TEST(a_scrape_that_finds_no_place_gets_503)
{
    static char out[64 << 20];
    struct fake f = {.body = 60 << 20};
    fake_start(&f, 1);
    int slow = client_connect(&f, 65536);
    client_send(slow, SCRAPE);
    await(&f.renderings, 1);
    int other = ask(&f, SCRAPE);
    // Moves all the time, so it is not cut for the other's sake.
    uint64_t begin = clock_mono_ms();
    size_t n = 0;
    struct pollfd answered = {.fd = other, .events = POLLIN};
    while (poll(&answered, 1, 0) == 0 && clock_mono_ms() - begin < 20000) {
        ssize_t r = recv(slow, out + n, 20000, 0);
        ck_assert_int_gt(r, 0);
        n += (size_t)r;
        usleep(10 * MS);
    }
    ck_assert_uint_ge(clock_mono_ms() - begin, 4900);
    long m = client_read(other, out, sizeof out, NULL, SOON_MS);
    ck_assert_int_gt(m, 0);
    ck_assert_ptr_eq(strstr(out, "HTTP/1.1 503 Service Unavailable\r\n"), out);
    ck_assert_ptr_nonnull(strstr(out, "\r\nRetry-After: 1\r\n"));
    ck_assert_ptr_nonnull(strstr(out, "\r\n\r\ntoo many scrapes at once\n"));
    close(other);
    close(slow);
    check_answer(ask(&f, "GET /healthz HTTP/1.1\r\n" CLOSE), "\r\n\r\nok\n");
    const struct stats *stats = web_stats(f.web);
    ck_assert_uint_eq(stats->scrapes_refused, 1);
    ck_assert_uint_eq(f.renderings, 1);
    web_free(f.web);
}
END_TEST

START_TEST(a_reload_is_answered_when_it_has_ended)
{
    struct fake f = {.is_ready = true};
    fake_start(&f, 40);
    int first = ask(&f, RELOAD);
    await(&f.reloads, 1);
    // It may have begun before these came: they wait for the next.
    int second = ask(&f, RELOAD);
    int third = ask(&f, RELOAD);
    check_answer(ask(&f, "GET /healthz HTTP/1.1\r\n" CLOSE), "\r\n\r\nok\n");
    ck_assert_uint_eq(f.reloads, 1);
    web_reload_done(f.web, true, "reloaded\n");
    check_answer(first, "HTTP/1.1 200 OK\r\n");
    await(&f.reloads, 2);
    web_reload_done(f.web, false, "catalog.yaml:3:1: no\n");
    char out[4096];
    ck_assert_int_gt(client_read(second, out, sizeof out, NULL, SOON_MS), 0);
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 500 Internal Server Error\r\n", 36), 0);
    ck_assert_ptr_nonnull(strstr(out, "\r\n\r\ncatalog.yaml:3:1: no\n"));
    close(second);
    check_answer(third, "catalog.yaml:3:1: no\n");
    web_reload_done(f.web, true, "nobody asked");
    f.reload_at_once = true;
    check_answer(ask(&f, RELOAD), "\r\n\r\nreloaded\n");
    ck_assert_uint_eq(f.reloads, 3);
    web_free(f.web);
}
END_TEST

START_TEST(the_body_of_a_reload_is_ignored_up_to_a_size)
{
    static const struct {
        const char *head;
        size_t body;
        const char *answer;
    } cases[] = {
        {"Content-Length: 3\r\n\r\n", 3, "HTTP/1.1 200 OK\r\n"},
        {"Content-Length: 4096\r\n\r\n", 4096, "HTTP/1.1 200 OK\r\n"},
        {"Content-Length: 4097\r\n\r\n", 0, "HTTP/1.1 413 Content Too Large\r\n"},
        {"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 0, "HTTP/1.1 200 OK\r\n"},
        {"Transfer-Encoding: chunked\r\n\r\n", 5000, "HTTP/1.1 413 Content Too Large\r\n"},
    };
    struct fake f = {.reload_at_once = true};
    fake_start(&f, 40);
    static const char start[] = "POST /-/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static char body[8192];
        size_t n = 0;
        if (cases[i].body == 5000) { // five chunks of 1000 bytes
            for (int k = 0; k < 5; k++) {
                n += (size_t)sprintf(body + n, "3e8\r\n%01000d\r\n", 0);
            }
            n += (size_t)sprintf(body + n, "0\r\n\r\n");
        } else {
            memset(body, 'x', cases[i].body);
            n = cases[i].body;
        }
        int fd = client_connect(&f, 0);
        client_send(fd, start);
        client_send(fd, cases[i].head);
        client_send_bytes(fd, body, n);
        check_answer(fd, cases[i].answer);
    }
    ck_assert_uint_eq(f.reloads, 3);
    web_free(f.web);
}
END_TEST

// Returns how long the end takes while reloads wait.
static uint64_t end_with_reloads(void)
{
    enum { ALLOWED = 16 };
    struct fake f = {.is_ready = true};
    fake_start(&f, 40);
    int fd[ALLOWED];
    for (int i = 0; i < ALLOWED; i++) {
        fd[i] = ask(&f, RELOAD);
    }
    await(&f.reloads, 1);
    usleep(50 * MS);
    check_answer(ask(&f, RELOAD), "HTTP/1.1 503 Service Unavailable\r\n");
    // Those that wait when the end comes are told so.
    uint64_t begin = clock_mono_ms();
    web_stop(f.web);
    uint64_t took = clock_mono_ms() - begin;
    for (int i = 0; i < ALLOWED; i++) {
        check_answer(fd[i], "the exporter is stopping\n");
    }
    web_free(f.web);
    return took;
}

START_TEST(too_many_reloads_get_503)
{
    uint64_t took = UINT64_MAX;
    for (int i = 0; i < 5 && took >= 900; i++) { // where much else runs, some ends take longer
        took = end_with_reloads();
    }
    ck_assert_uint_lt(took, 900);
}
END_TEST

START_TEST(a_reload_can_be_forbidden)
{
    static const char *const addresses[] = {"127.0.0.1:0"};
    struct fake f = {.is_ready = true};
    struct web_settings settings = {
        .addresses = addresses, .n_addresses = 1, .telemetry_path = "/m", .max_requests = 1};
    struct web_backend backend = fake_backend(&f);
    struct buf why = BUF_INIT;
    ck_assert_int_eq(web_open(&f.web, &settings, &backend, &why), 0);
    ck_assert_int_eq(web_start(f.web), 0);
    int fd = ask(&f, RELOAD);
    char out[4096];
    ck_assert_int_gt(client_read(fd, out, sizeof out, NULL, SOON_MS), 0);
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 403 Forbidden\r\n", 24), 0);
    ck_assert_ptr_nonnull(strstr(out, "\r\n\r\nLifecycle API is not enabled.\n"));
    close(fd);
    check_answer(ask(&f, "GET /m HTTP/1.1\r\n" CLOSE), "rendering 1\n");
    check_answer(ask(&f, SCRAPE), "HTTP/1.1 404 Not Found\r\n");
    ck_assert_uint_eq(f.reloads, 0);
    web_free(f.web);
}
END_TEST

// Returns whether one who reads when the end comes has it all.
static bool end_with_a_reader(void)
{
    struct fake f = {.body = 3 << 20};
    fake_start(&f, 40);
    int fd = client_connect(&f, 4096);
    client_send(fd, SCRAPE);
    await(&f.renderings, 1);
    pid_t reader = fork();
    if (reader == 0) {
        static char out[4 << 20];
        const int more =
            sizeof out; // in fewer steps, on a busy machine within the second that the end waits
        usleep(200 * MS);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &more, sizeof more);
        long n = client_read(fd, out, sizeof out, NULL, SOON_MS);
        _exit(n > (3 << 20) ? 0 : 1);
    }
    close(fd);
    web_stop(f.web);
    int status = -1;
    ck_assert_int_eq(waitpid(reader, &status, 0), reader);
    web_free(f.web);
    return status == 0;
}

START_TEST(what_is_being_sent_at_the_end_arrives_whole)
{
    bool whole = false;
    for (int i = 0; i < 5 && !whole;
         i++) { // where much else runs, some take longer than the end waits
        whole = end_with_a_reader();
    }
    ck_assert(whole);
}
END_TEST

// Returns how long the end takes while some do not read.
static uint64_t end_with_silent_readers(void)
{
    struct fake f = {.body = 3 << 20};
    fake_start(&f, 40);
    int stalled = client_connect(&f, 4096);
    client_send(stalled, SCRAPE);
    await(&f.renderings, 1);
    int silent = client_connect(&f, 0);
    usleep(50 * MS);
    uint64_t begin = clock_mono_ms();
    web_stop(f.web);
    uint64_t took = clock_mono_ms() - begin;
    close(stalled);
    close(silent);
    web_free(f.web);
    return took;
}

START_TEST(the_end_waits_a_second_for_those_who_do_not_read)
{
    uint64_t took = UINT64_MAX;
    for (int i = 0; i < 5 && took >= 1500; i++) {
        took = end_with_silent_readers();
        ck_assert_uint_ge(took, 900);
    }
    ck_assert_uint_lt(took, 1500);
}
END_TEST

START_TEST(requests_that_find_no_place_in_the_library_wait_for_one)
{
    enum { CLIENTS = 30 };
    const struct rlimit few = {.rlim_cur = 128, .rlim_max = 128}; // room for 16 at once
    struct fake f = {.render_ms = 200};
    int fd[CLIENTS];
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    fake_start(&f, 40);
    for (size_t i = 0; i < CLIENTS; i++) {
        fd[i] = ask(&f, SCRAPE);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        check_answer(fd[i], "\r\n\r\nrendering ");
    }
    web_free(f.web);
}
END_TEST

UNIT_MAIN("waiting", requests_that_find_no_place_in_the_library_wait_for_one,
          one_rendering_serves_all_who_want_the_same_form,
          a_request_that_comes_during_a_rendering_gets_the_next_one,
          a_rendering_keeps_nothing_else_waiting, a_rendering_that_stands_still_is_no_progress,
          the_end_waits_for_the_rendering_that_is_under_way,
          a_client_that_leaves_while_it_waits_does_no_harm, a_scrape_that_finds_no_place_gets_503,
          a_reload_is_answered_when_it_has_ended, the_body_of_a_reload_is_ignored_up_to_a_size,
          too_many_reloads_get_503, a_reload_can_be_forbidden,
          what_is_being_sent_at_the_end_arrives_whole,
          the_end_waits_a_second_for_those_who_do_not_read)
