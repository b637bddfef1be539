// SPDX-License-Identifier: Apache-2.0
#include "web/request.h"

#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

// Reads a head whole. Returns its status: 0 when it is good.
static unsigned check_head(const char *head, size_t len, struct request *r, const char **text)
{
    struct request_scan scan = {0};
    struct request_fault fault = {0, NULL};
    long n = request_scan(&scan, head, len, &fault);
    ck_assert_msg(n != 0, "not complete: %s", head);
    if (n > 0) {
        ck_assert_int_eq(n, (long)len);
        n = request_parse(r, head, (size_t)n, &fault);
    }
    *text = fault.text;
    ck_assert((n < 0) == (fault.status != 0));
    return fault.status;
}

static const struct {
    unsigned status;
    const char *head;
    const char *text; // NULL: good
} cases[] = {
    {0, GET "\r\n", NULL},
    {0, "\r\n" GET "\r\n", NULL},
    {0, "GET / HTTP/1.0\r\n\r\n", NULL},
    {0, "GET / HTTP/1.1\r\nhost:a:8080\r\n\r\n", NULL},
    {0, "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", NULL},
    {0, "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", NULL},
    {0, "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", NULL},
    {0, "GET / HTTP/1.1\r\nHost:\t a \t\r\n\r\n", NULL},
    {0, "GET http://b:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n", NULL},
    {0, "GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n", NULL},
    {0, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", NULL},
    {0, GET "X: a\tb \xc3\xbc\r\nY:\r\nZ:   \r\n\r\n", NULL},
    {0, GET "Content-Length: 0\r\n\r\n", NULL},
    {0, GET "Accept: a\r\nAccept: b\r\n\r\n", NULL},
    {0, POST "Content-Length: 10 \r\n\r\n", NULL},
    {0, POST "Transfer-Encoding: Chunked \r\n\r\n", NULL},
    {400, "\r\n\r\n", "no request line"},
    {400, " GET / HTTP/1.1\r\n", "no method"},
    {400, ": a\r\n", "no method"},
    {400, "\x16\x03\x01", "a control character"},
    {400, "\x80\x03\x01", "no method"},
    {400, "GET / HTTP/1.1\n", "a line does not end in CR LF"},
    {400, "GET / HTTP/1.1\r\nHost: a\n", "a line does not end in CR LF"},
    {400, GET "\n", "a line does not end in CR LF"},
    {400, "GET / HTTP/1.1\rHost: a\r\n\r\n", "a CR that ends no line"},
    {400, GET "X: a\rb\r\n\r\n", "a CR that ends no line"},
    {400, GET "X: a\r\r\n\r\n", "a CR that ends no line"},
    {400, GET "X: a\x01\r\n\r\n", "a control character"},
    {400, GET "X: a\x7f\r\n\r\n", "a control character"},
    {400, "GET / HTTP/1.1\r\n\r\n", "no Host"},
    {400, GET "Host: a\r\n\r\n", "a header that may stand there once stands there twice"},
    {400, "GET / HTTP/1.1\r\nHost:\r\n\r\n", "the Host is not one"},
    {400, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", "the Host is not one"},
    {400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "the Host is not one"},
    {400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "the Host is not one"},
    {400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "the Host is not one"},
    {400, "GET / HTTP/1.1\r\nHost: a:8o\r\n\r\n", "the Host is not one"},
    {400, "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", "the Host is not one"},
    {400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "the Host is not one"},
    {400, "GET / HTTP/1.1\r\nHost: []\r\n\r\n", "the Host is not one"},
    {400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", "the Host is not one"},
    {400, GET "X[1]: b\r\n\r\n", "a header's name is not a token"},
    {400, GET ": b\r\n\r\n", "a header's name is not a token"},
    {400, GET "X Y: b\r\n\r\n", "a header's name is not a token"},
    {400, GET "X : b\r\n\r\n", "a header's name is not a token"},
    {400, GET "no colon\r\n\r\n", "a header's name is not a token"},
    {400, GET "X: a\r\n b\r\n\r\n", "a folded line"},
    {400, GET "X: a\r\n\tb\r\n\r\n", "a folded line"},
    {400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "a folded line"},
    {400, POST "Content-Length:\r\n 34\r\n\r\n", "a folded line"},
    {400, GET "Authorization: a\r\nAuthorization: b\r\n\r\n",
     "a header that may stand there once stands there twice"},
    {400, POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
     "a header that may stand there once stands there twice"},
    {400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     "a header that may stand there once stands there twice"},
    {400, POST "Content-Length: 1, 1\r\n\r\n", "the Content-Length is not a number"},
    {400, POST "Content-Length: +1\r\n\r\n", "the Content-Length is not a number"},
    {400, POST "Content-Length: 0x1\r\n\r\n", "the Content-Length is not a number"},
    {400, POST "Content-Length:\r\n\r\n", "the Content-Length is not a number"},
    {400, POST "Content-Length: 9999999999999999999\r\n\r\n", "the Content-Length is not a number"},
    {400, POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
     "both Transfer-Encoding and Content-Length"},
    {400, POST "Transfer-Encoding: gzip\r\n\r\n", "a Transfer-Encoding other than chunked"},
    {400, POST "Transfer-Encoding:\r\n\r\n", "a Transfer-Encoding other than chunked"},
    {400, POST "Transfer-Encoding: chunked, gzip\r\n\r\n",
     "a Transfer-Encoding other than chunked"},
    {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
     "a Transfer-Encoding in HTTP/1.0"},
    {400, "GET\r\n\r\n", "the request line is not method, target and version"},
    {400, "GET /\r\n\r\n", "the request line is not method, target and version"},
    {400, "GET\t/ HTTP/1.1\r\n\r\n", "the request line is not method, target and version"},
    {400, "GET  / HTTP/1.1\r\n\r\n", "no version"},
    {400, "GET /  HTTP/1.1\r\n\r\n", "no version"},
    {400, "GET / HTTP/1.1 \r\n\r\n", "no version"},
    {400, "GET /a b HTTP/1.1\r\n\r\n", "no version"},
    {400, "GET / http/1.1\r\n\r\n", "no version"},
    {400, "GET / HTTP/1.11\r\n\r\n", "no version"},
    {400, "G(T / HTTP/1.1\r\n\r\n", "the method is none"},
    {400, "A23456789012345678901234567890123 / HTTP/1.1\r\n\r\n", "the method is none"},
    {400, "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", "the target has characters that none may have"},
    {400, "GET /\xc3\xbc HTTP/1.1\r\nHost: a\r\n\r\n",
     "the target has characters that none may have"},
    {400, "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", "the target has characters that none may have"},
    {400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "the target is not a path"},
    {400, "GET x HTTP/1.1\r\nHost: a\r\n\r\n", "the target is not a path"},
    {400, "GET %2fhealthz HTTP/1.1\r\nHost: a\r\n\r\n", "the target is not a path"},
    {400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "the target is not a path"},
    {400, "GET http:/x HTTP/1.1\r\nHost: a\r\n\r\n", "the target is not a path"},
    {400, "GET http:///healthz HTTP/1.1\r\nHost: a\r\n\r\n", "the target has no host"},
    {400, "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "the target has no host"},
    {400, "GET http://?x HTTP/1.1\r\nHost: a\r\n\r\n", "the target has no host"},
    {405, "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "method not allowed"},
    {505, "PRI * HTTP/2.0\r\n\r\n", "the version is neither HTTP/1.1 nor HTTP/1.0"},
    {505, "GET / HTTP/1.2\r\n\r\n", "the version is neither HTTP/1.1 nor HTTP/1.0"},
    {505, "GET / HTTP/0.9\r\n\r\n", "the version is neither HTTP/1.1 nor HTTP/1.0"},
};

START_TEST(heads_are_checked_as_the_rfcs_say)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request r;
        const char *text;
        unsigned status = check_head(cases[i].head, strlen(cases[i].head), &r, &text);
        ck_assert_msg(status == cases[i].status, "%s: %u", cases[i].head, status);
        ck_assert_pstr_eq(text, cases[i].text);
    }
}
END_TEST

START_TEST(a_nul_is_refused_wherever_it_stands)
{
    static const char head[] = GET "Content-Length: 0\r\nX: y\r\n\r\n";
    for (size_t i = 0; i < sizeof head - 1; i++) {
        char copy[sizeof head];
        struct request r;
        const char *text;
        memcpy(copy, head, sizeof head);
        copy[i] = '\0';
        ck_assert_uint_eq(check_head(copy, i + 1, &r, &text), 400);
    }
}
END_TEST

START_TEST(a_head_is_the_same_in_whatever_pieces_it_comes)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *head = cases[i].head;
        const size_t len = strlen(head);
        struct request_scan whole = {0};
        struct request_fault wanted = {0, NULL};
        long end = request_scan(&whole, head, len, &wanted);
        struct request_scan scan = {0};
        struct request_fault fault = {0, NULL};
        long n = 0;
        size_t came = 0;
        while (came < len && n == 0) {
            n = request_scan(&scan, head, ++came, &fault);
        }
        ck_assert_int_eq(n, end);
        ck_assert_pstr_eq(fault.text, wanted.text);
        ck_assert(n < 0 || came == len);
    }
}
END_TEST

// Feeds `len` bytes, of which the first are `head` and the others `c`.
static unsigned feed(const char *head, char c, size_t len)
{
    char *bytes = malloc(len);
    struct request_scan scan = {0};
    struct request_fault fault = {0, NULL};
    ck_assert_ptr_nonnull(bytes);
    memset(bytes, c, len);
    memcpy(bytes, head, strlen(head));
    long n = request_scan(&scan, bytes, len, &fault);
    free(bytes);
    ck_assert_int_eq(n, fault.status != 0 ? -EINVAL : 0);
    return fault.status;
}

START_TEST(a_head_has_at_most_16_kib)
{
    ck_assert_uint_eq(feed("GET /", 'a', REQUEST_HEAD_MAX - 1), 0);
    ck_assert_uint_eq(feed("GET /", 'a', REQUEST_HEAD_MAX), 414);
    ck_assert_uint_eq(feed("GET /", 'a', 10 * REQUEST_HEAD_MAX), 414);
    ck_assert_uint_eq(feed(GET "X: ", 'a', REQUEST_HEAD_MAX - 1), 0);
    ck_assert_uint_eq(feed(GET "X: ", 'a', REQUEST_HEAD_MAX), 431);
    static char bytes[REQUEST_HEAD_MAX + 100];
    memset(bytes, 'a', sizeof bytes);
    memcpy(bytes, GET "X: ", strlen(GET "X: "));
    memcpy(bytes + REQUEST_HEAD_MAX - 4, "\r\n\r\n", 4);
    struct request r;
    const char *text;
    ck_assert_uint_eq(check_head(bytes, REQUEST_HEAD_MAX, &r, &text), 0);
}
END_TEST

START_TEST(what_is_handed_over_has_one_meaning)
{
    static const struct {
        const char *head;
        const char *written;
    } written[] = {
        {GET "\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"\r\nHEAD /x?a=b&c HTTP/1.1\r\nhOST:  a:1 \r\nX: y\r\n\r\n",
         "HEAD /x HTTP/1.1\r\nHost: a:1\r\n\r\n"},
        {"GET http://b/c?d HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD /c HTTP/1.1\r\nHost: b\r\n\r\n"},
        {"GET http://b?d HTTP/1.0\r\n\r\n",
         "HEAD / HTTP/1.0\r\nHost: b\r\nConnection: close\r\n\r\n"},
        {"GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n",
         "HEAD / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"},
        {GET "Connection: keep-alive ,close\r\n\r\n",
         "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"},
        {GET "accept: a\r\nX: y\r\nAccept:\r\nACCEPT: b;q=1, c\r\nAccept-Encoding: gzip\r\n\r\n",
         "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {POST "Content-Length: 007\r\nExpect: 100-continue\r\n\r\n",
         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nConnection: close\r\n\r\n"},
        {POST "Content-Length: 0\r\n\r\n",
         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
        {POST "Transfer-Encoding: CHUNKED\t\r\n\r\n",
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"},
        {GET "Authorization: Basic x \r\nX-Prometheus-Scrape-Timeout-Seconds: 5\r\nUser-Agent: "
             "z\r\n\r\n",
         "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"get / HTTP/1.1\r\nHost: a\r\n\r\n", "get / HTTP/1.1\r\nHost: a\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        struct request r;
        const char *text;
        struct buf out = BUF_INIT;
        ck_assert_uint_eq(check_head(written[i].head, strlen(written[i].head), &r, &text), 0);
        request_write(&r, &out);
        ck_assert_str_eq(buf_string(&out), written[i].written);
        buf_free(&out);
    }
}
END_TEST

START_TEST(a_host_has_at_most_255_bytes)
{
    char head[512];
    struct request r;
    const char *text;
    int n = snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: %0255d\r\n\r\n", 0);
    ck_assert_uint_eq(check_head(head, (size_t)n, &r, &text), 0);
    n = snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: %0256d\r\n\r\n", 0);
    ck_assert_uint_eq(check_head(head, (size_t)n, &r, &text), 400);
}
END_TEST

UNIT_MAIN("request", heads_are_checked_as_the_rfcs_say, a_nul_is_refused_wherever_it_stands,
          a_head_is_the_same_in_whatever_pieces_it_comes, a_head_has_at_most_16_kib,
          what_is_handed_over_has_one_meaning, a_host_has_at_most_255_bytes)
