// SPDX-License-Identifier: Apache-2.0
#include "web_client.h"

#include "expose/format.h"

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"
#define NOSNIFF "X-Content-Type-Options: nosniff\r\n"
#define PLAIN "Content-Type: text/plain; charset=utf-8\r\n" NOSNIFF
#define VARY "Vary: Accept, Accept-Encoding\r\n"
#define EXPOSITION "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n" NOSNIFF VARY
#define OPENMETRICS                                                                                \
    "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n" NOSNIFF VARY
#define ACCEPT_OPEN "Accept: application/openmetrics-text;version=1.0.0\r\n"
#define BAD "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n" PLAIN

struct exchange {
    const char *request;
    const char *answer; // whole, without its Date
};

static void check_exchanges(const struct fake *f, const struct exchange *e, size_t n)
{
    char out[65536];
    for (size_t i = 0; i < n; i++) {
        client_ask(f, e[i].request, out, sizeof out);
        ck_assert_msg(strcmp(out, e[i].answer) == 0, "%s\ngot:\n%s\nnot:\n%s", e[i].request, out,
                      e[i].answer);
    }
}

START_TEST(each_path_has_its_answer)
{
    static const struct exchange exchanges[] = {
        {"GET /metrics HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 OK\r\nConnection: close\r\n" EXPOSITION
                                            "Content-Length: 12\r\n\r\nrendering 1\n"},
        {"HEAD /metrics HTTP/1.1\r\n" CLOSE,
         "HTTP/1.1 200 OK\r\nConnection: close\r\n" EXPOSITION "Content-Length: 12\r\n\r\n"},
        {"GET /m%65trics?collect=x HTTP/1.1\r\n" CLOSE,
         "HTTP/1.1 200 OK\r\nConnection: close\r\n" EXPOSITION
         "Content-Length: 12\r\n\r\nrendering 3\n"},
        {"GET http://x/metrics?name[]=b&name%5b%5D=a HTTP/1.1\r\n" CLOSE,
         "HTTP/1.1 200 OK\r\nConnection: close\r\n" EXPOSITION
         "Content-Length: 16\r\n\r\na\nb\nrendering 4\n"},
        {"GET /metrics?name[]=%zz HTTP/1.1\r\n" CLOSE,
         BAD "Content-Length: 36\r\n\r\nbad request: the query is malformed\n"},
        {"GET /healthz HTTP/1.1\r\n" CLOSE,
         "HTTP/1.1 200 OK\r\nConnection: close\r\n" PLAIN "Content-Length: 3\r\n\r\nok\n"},
        {"HEAD /-/healthy HTTP/1.1\r\n" CLOSE,
         "HTTP/1.1 200 OK\r\nConnection: close\r\n" PLAIN "Content-Length: 3\r\n\r\n"},
        {"GET /readyz HTTP/1.1\r\n" CLOSE,
         "HTTP/1.1 503 Service Unavailable\r\nConnection: "
         "close\r\n" PLAIN "Content-Length: 10\r\n\r\nnot ready\n"},
        {"POST /metrics HTTP/1.1\r\n" CLOSE,
         "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\n" PLAIN
         "Allow: GET, HEAD\r\nContent-Length: 19\r\n\r\nmethod not allowed\n"},
        {"BREW /nowhere HTTP/1.1\r\n" CLOSE,
         "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\n" PLAIN
         "Allow: GET, HEAD\r\nContent-Length: 19\r\n\r\nmethod not allowed\n"},
        {"PUT /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
         "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\n" PLAIN
         "Allow: GET, HEAD\r\nContent-Length: 19\r\n\r\nmethod not allowed\n"},
        {"GET /-/reload HTTP/1.1\r\n" CLOSE,
         "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\n" PLAIN
         "Allow: POST\r\nContent-Length: 19\r\n\r\nmethod not allowed\n"},
        {"GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n" EXPOSITION
                                          "Content-Length: 12\r\n\r\nrendering 5\n"},
    };
    struct fake f = {.is_ready = false};
    fake_start(&f, 40);
    check_exchanges(&f, exchanges, sizeof exchanges / sizeof exchanges[0]);
    f.is_ready = true;
    char out[4096];
    client_ask(&f, "GET /-/ready HTTP/1.1\r\n" CLOSE, out, sizeof out);
    ck_assert_str_eq(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n" PLAIN
                          "Content-Length: 6\r\n\r\nready\n");
    web_free(f.web);
}
END_TEST

START_TEST(openmetrics_is_for_whom_it_is_named_by)
{
    static const struct exchange exchanges[] = {
        {"GET /metrics HTTP/1.1\r\n" ACCEPT_OPEN CLOSE,
         "HTTP/1.1 200 OK\r\nConnection: close\r\n" OPENMETRICS
         "Content-Length: 17\r\n\r\nopen rendering 1\n"},
        {"HEAD /metrics HTTP/1.1\r\n" ACCEPT_OPEN CLOSE,
         "HTTP/1.1 200 OK\r\nConnection: close\r\n" OPENMETRICS "Content-Length: 17\r\n\r\n"},
        {"GET /metrics?name[]=b HTTP/1.1\r\nAccept: a/b\r\n" ACCEPT_OPEN CLOSE,
         "HTTP/1.1 200 OK\r\nConnection: close\r\n" OPENMETRICS
         "Content-Length: 19\r\n\r\nb\nopen rendering 3\n"},
        {"GET /metrics HTTP/1.1\r\nAccept: text/plain,*/*\r\n" CLOSE,
         "HTTP/1.1 200 OK\r\nConnection: close\r\n" EXPOSITION
         "Content-Length: 12\r\n\r\nrendering 4\n"},
    };
    struct fake f = {.is_ready = true};
    fake_start(&f, 40);
    check_exchanges(&f, exchanges, sizeof exchanges / sizeof exchanges[0]);
    const struct stats *stats = web_stats(f.web);
    ck_assert_uint_eq(stats->shown.by_format[FORMAT_TEXT], 1);
    ck_assert_uint_eq(stats->shown.by_format[FORMAT_OPENMETRICS], 3);
    web_free(f.web);
}
END_TEST

START_TEST(a_compressed_answer_says_so_and_head_says_the_same)
{
    struct fake f = {.is_ready = true, .body = 4096};
    char get[8192];
    char head[8192];
    fake_start(&f, 40);
    client_ask(&f, "GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip\r\n" CLOSE, get, sizeof get);
    // So that both renderings have numbers of one digit and the same text.
    f.renderings = 0;
    client_ask(&f, "HEAD /metrics HTTP/1.1\r\nAccept-Encoding: gzip\r\n" CLOSE, head, sizeof head);
    size_t len = strlen(head);
    ck_assert_mem_eq(get, head, len);
    if (format_gzip_is_supported()) {
        ck_assert_ptr_nonnull(strstr(head, "\r\nContent-Encoding: gzip\r\n" VARY));
        ck_assert_mem_eq(get + len, "\x1f\x8b\x08", 3);
    }
    web_free(f.web);
}
END_TEST

START_TEST(a_rendering_that_comes_too_late_is_not_sent)
{
    struct fake f = {.is_ready = true, .render_ms = 100};
    char out[4096];
    fake_start(&f, 40);
    client_ask(&f, "GET /metrics HTTP/1.1\r\nX-Prometheus-Scrape-Timeout-Seconds: 0.05\r\n" CLOSE,
               out, sizeof out);
    ck_assert_str_eq(out, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n" PLAIN
                          "Content-Length: 68\r\n\r\n"
                          "not rendered within the time of X-Prometheus-Scrape-Timeout-Seconds\n");
    ck_assert_uint_eq(f.renderings, 1);
    client_ask(&f, "GET /metrics HTTP/1.1\r\nX-Prometheus-Scrape-Timeout-Seconds: 5\r\n" CLOSE, out,
               sizeof out);
    ck_assert_ptr_nonnull(strstr(out, "\r\n\r\nrendering 2\n"));
    client_ask(&f, "GET /metrics HTTP/1.1\r\nX-Prometheus-Scrape-Timeout-Seconds: -1\r\n" CLOSE,
               out, sizeof out);
    ck_assert_ptr_nonnull(strstr(out, "\r\n\r\nrendering 3\n"));
    const struct stats *stats = web_stats(f.web);
    ck_assert_uint_eq(stats->scrapes_refused, 1);
    ck_assert_uint_eq(stats->shown.by_format[FORMAT_TEXT], 2);
    web_free(f.web);
}
END_TEST

START_TEST(other_paths_are_not_found)
{
    static const char *const paths[] = {"/metrics/",  "//metrics",  "/Metrics",
                                        "/metric",    "/healthz/",  "/-/",
                                        "/metrics;x", "/./metrics", "/favicon.ico"};
    struct fake f = {.is_ready = true};
    fake_start(&f, 40);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char request[256];
        char out[4096];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" CLOSE, paths[i]);
        client_ask(&f, request, out, sizeof out);
        ck_assert_str_eq(out, "HTTP/1.1 404 Not Found\r\nConnection: close\r\n" PLAIN
                              "Content-Length: 10\r\n\r\nnot found\n");
    }
    ck_assert_uint_eq(f.renderings, 0);
    web_free(f.web);
}
END_TEST

START_TEST(bad_heads_are_refused_and_end_the_connection)
{
    static const char *const heads[] = {
        "GET /metrics HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nX[]: b\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "GET /metrics%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%z HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        "GET /metrics HTTP/1.1\nHost: a\n\n",
        ("POST /-/reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
         "Content-Length: 3\r\n\r\n0\r\n\r\n"),
        "POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "POST /-/reload HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /-/reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    };
    struct fake f = {.is_ready = true};
    fake_start(&f, 40);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        char request[512];
        char out[4096];
        // What follows must not be taken for a request.
        snprintf(request, sizeof request, "%sGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", heads[i]);
        client_ask(&f, request, out, sizeof out);
        ck_assert_msg(strncmp(out, "HTTP/1.1 400 Bad Request\r\n", 26) == 0, "%s: %s", heads[i],
                      out);
        ck_assert_ptr_nonnull(strstr(out, "Connection: close\r\n"));
        ck_assert_ptr_null(strstr(out, " 200 "));
    }
    ck_assert_uint_eq(f.renderings, 0);
    ck_assert_uint_eq(f.reloads, 0);
    const struct stats *stats = web_stats(f.web);
    ck_assert_uint_ge(stats->requests_bad, 10);
    web_free(f.web);
}
END_TEST

START_TEST(an_endless_head_is_refused)
{
    static char out[65536];
    struct fake f = {.is_ready = true};
    fake_start(&f, 40);
    int fd = client_connect(&f, 0);
    client_send(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n");
    char line[1024];
    memset(line, 'a', sizeof line);
    memcpy(line, "X: ", 3);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    for (int i = 0; i < 20 && send(fd, line, sizeof line, MSG_NOSIGNAL) > 0; i++) {
    }
    ck_assert_int_gt(client_read(fd, out, sizeof out, "\r\n\r\n", 2000), 0);
    ck_assert_ptr_nonnull(strstr(out, "HTTP/1.1 431 "));
    close(fd);
    web_free(f.web);
}
END_TEST

START_TEST(a_connection_is_kept_and_pipelined_requests_are_answered_in_order)
{
    static char out[65536];
    struct fake f = {.is_ready = true};
    fake_start(&f, 40);
    int fd = client_connect(&f, 0);
    for (int i = 1; i <= 3; i++) {
        char want[32];
        snprintf(want, sizeof want, "rendering %d\n", i);
        client_send(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        ck_assert_int_gt(client_read(fd, out, sizeof out, want, 2000), 0);
        ck_assert_ptr_null(strstr(out, "Connection: close"));
    }
    client_send(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
                    "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
                    "GET /nowhere HTTP/1.1\r\n" CLOSE);
    ck_assert_int_gt(client_read(fd, out, sizeof out, NULL, 2000), 0);
    const char *first = strstr(out, "\r\n\r\nok\n");
    const char *second = strstr(out, "\r\n\r\nrendering 4\n");
    const char *third = strstr(out, "\r\n\r\nnot found\n");
    ck_assert(first != NULL && second != NULL && third != NULL);
    ck_assert(first < second && second < third);
    close(fd);
    const struct stats *stats = web_stats(f.web);
    ck_assert_uint_eq(stats->accepted, 1);
    ck_assert_uint_eq(stats->shown.by_format[FORMAT_TEXT], 4);
    web_free(f.web);
}
END_TEST

START_TEST(the_landing_page_is_html)
{
    static char out[65536];
    struct fake f = {.is_ready = true};
    fake_start(&f, 40);
    client_ask(&f, "GET / HTTP/1.1\r\n" CLOSE, out, sizeof out);
    ck_assert_ptr_nonnull(strstr(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                                      "Content-Type: text/html; charset=utf-8\r\n" NOSNIFF));
    ck_assert_ptr_nonnull(strstr(out, "<dt>Version</dt><dd>1.2.3, revision r</dd>"));
    ck_assert_ptr_nonnull(strstr(out, "help &lt;x&gt;"));
    ck_assert_ptr_null(strstr(out, "Server:"));
    const struct stats *stats = web_stats(f.web);
    ck_assert_uint_eq(stats->shown.by_format[FORMAT_TEXT], 0);
    web_free(f.web);
}
END_TEST

// The body of the answer to GET of a target.
static const char *body_of(const struct fake *f, const char *target)
{
    static char out[65536];
    char head[256];
    snprintf(head, sizeof head, "GET %s HTTP/1.1\r\n" CLOSE, target);
    client_ask(f, head, out, sizeof out);
    ck_assert_ptr_nonnull(strstr(out, "\r\n\r\n"));
    return strstr(out, "\r\n\r\n") + 4;
}

START_TEST(the_page_of_a_metric_is_that_of_its_name)
{
    struct fake f = {.is_ready = true};
    fake_start(&f, 40);
    ck_assert_str_eq(body_of(&f, "/metric/a_total"), "a_total 0");
    ck_assert_str_eq(body_of(&f, "/metric/a%3Ctotal%3E/b?refresh=15&x=1"), "a<total>/b 15");
    ck_assert_str_eq(body_of(&f, "/metric/a?refresh=0"), "a 5");
    ck_assert_str_eq(body_of(&f, "/metric/a?refresh=3601"), "a 3600");
    ck_assert_str_eq(body_of(&f, "/metric/a?refresh=18446744073709551615"), "a 3600");
    ck_assert_str_eq(body_of(&f, "/metric/no"), "no such metric\n");
    static const char *const bad[] = {"/?refresh=1s", "/?refresh=-1", "/metric/a?refresh=",
                                      "/metric/a?refresh=18446744073709551616", "/?%zz"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_str_eq(body_of(&f, bad[i]), "bad request: the query is malformed\n");
    }
    ck_assert_ptr_nonnull(strstr(body_of(&f, "/?refresh=7"), "content=\"7\""));
    const struct stats *stats = web_stats(f.web);
    ck_assert_uint_eq(stats->scrapes_failed, 0);
    web_free(f.web);
}
END_TEST

START_TEST(the_last_scrape_is_kept_with_its_peer_and_status)
{
    struct stats_last_scrape last;
    char peer[STATS_PEER];
    struct fake f = {.is_ready = true};
    fake_start(&f, 40);
    body_of(&f, "/");
    web_last_scrape(f.web, &last);
    ck_assert_uint_eq(last.at_ms, 0);
    body_of(&f, "/metrics");
    web_last_scrape(f.web, &last);
    ck_assert_uint_eq(last.status, 200);
    ck_assert_uint_gt(last.at_ms, 0);
    ck_assert_uint_gt(last.ns, 0);
    stats_name_peer(&last.peer, peer);
    ck_assert_int_eq(strncmp(peer, "127.0.0.1:", 10), 0);
    f.render_result = -ENOMEM;
    body_of(&f, "/metrics");
    web_last_scrape(f.web, &last);
    ck_assert_uint_eq(last.status, 500);
    web_free(f.web);
}
END_TEST

START_TEST(a_failed_rendering_says_why)
{
    char out[4096];
    struct fake f = {.render_result = -ENOMEM};
    fake_start(&f, 40);
    client_ask(&f, "GET /metrics HTTP/1.1\r\n" CLOSE, out, sizeof out);
    ck_assert_str_eq(out, "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n" PLAIN
                          "Content-Length: 38\r\n\r\ncannot render: Cannot allocate memory\n");
    const struct stats *stats = web_stats(f.web);
    ck_assert_uint_eq(stats->scrapes_failed, 1);
    ck_assert_uint_eq(stats->shown.by_format[FORMAT_TEXT], 0);
    web_free(f.web);
}
END_TEST

// Waits until the loop has slept for half a second.
static uint64_t sleeping_beats(const struct fake *f)
{
    uint64_t before = UINT64_MAX;
    for (unsigned same = 0, i = 0; same < 10; i++, usleep(50000)) {
        ck_assert_uint_lt(i, 1200);
        same = web_beats(f->web) == before ? same + 1 : 0;
        before = web_beats(f->web);
    }
    return before;
}

START_TEST(an_idle_loop_sleeps_and_a_poke_makes_it_go_round)
{
    struct fake f = {.is_ready = true};
    fake_start(&f, 40);
    uint64_t before = sleeping_beats(&f);
    web_poke(f.web);
    for (unsigned i = 0; web_beats(f.web) == before; i++, usleep(50000)) {
        ck_assert_uint_lt(i, 1200);
    }
    ck_assert_uint_eq(sleeping_beats(&f), before + 1);
    // An open connection does not keep it awake either.
    int fd = client_connect(&f, 0);
    sleeping_beats(&f);
    close(fd);
    web_free(f.web);
}
END_TEST

UNIT_MAIN("web", each_path_has_its_answer, openmetrics_is_for_whom_it_is_named_by,
          a_compressed_answer_says_so_and_head_says_the_same,
          a_rendering_that_comes_too_late_is_not_sent, other_paths_are_not_found,
          bad_heads_are_refused_and_end_the_connection, an_endless_head_is_refused,
          a_connection_is_kept_and_pipelined_requests_are_answered_in_order,
          the_landing_page_is_html, the_page_of_a_metric_is_that_of_its_name,
          the_last_scrape_is_kept_with_its_peer_and_status, a_failed_rendering_says_why,
          an_idle_loop_sleeps_and_a_poke_makes_it_go_round)
