// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_request: the bytes of a connection, which begin with a request's head.
 *
 * Beside web/request reads them a second reader, which shares no code with it and works another way: it cuts the head at
 * its lines first and looks at the pieces. Both must find the same heads good, and understand the same. And what
 * web/request hands over to libmicrohttpd must be a head again, with the same meaning, that ends where its bytes end.
 */
#include "web/request.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LINES = REQUEST_HEAD_MAX / 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

// What the second reader understands: texts with NULs, in one buffer that is cut up.
struct second {
    char *text;
    size_t head;
    char *method;
    char *target; // "/" put before it where there was no path
    char *version;
    char *host; // NULL: none
    long long length;
    bool chunked;
    bool close;
};

static bool is_made_of(const char *s, const char *set)
{
    return *s != '\0' && s[strspn(s, set)] == '\0';
}

#define DIGITS "0123456789"
#define ALNUM DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TOKEN ALNUM "!#$%&'*+-.^_`|~"

static bool second_host(const char *host)
{
    char copy[256];
    if (strlen(host) > 255) {
        return false;
    }
    strcpy(copy, host);
    char *name = copy;
    char *after;
    if (copy[0] == '[') {
        after = strchr(copy, ']');
        if (after == NULL) {
            return false;
        }
        *after++ = '\0';
        name++;
        if (!is_made_of(name, ALNUM ":.") || strlen(name) < 2) {
            return false;
        }
    } else {
        after = copy + strcspn(copy, ":");
        bool port = *after == ':';
        *after = '\0';
        if (!is_made_of(name, ALNUM "-._~%!$&'()*+,;=")) {
            return false;
        }
        *after = port ? ':' : '\0';
    }
    return *after == '\0' || (*after == ':' && strlen(after + 1) <= 5 &&
                              (after[1] == '\0' || is_made_of(after + 1, DIGITS)));
}

// Where the empty line ends, when everything before it is lines with CR LF of allowed bytes; 0: not there; -1: bad.
static long second_end(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n && i < REQUEST_HEAD_MAX; i++) {
        unsigned char c = (unsigned char)bytes[i];
        bool after_cr = i > 0 && bytes[i - 1] == '\r';
        if (after_cr != (c == '\n') || (iscntrl(c) && strchr("\t\r\n", c) == NULL) || c == 0) {
            return -1;
        }
        if (i >= 3 && memcmp(bytes + i - 3, "\r\n\r\n", 4) == 0) {
            return i == 3 ? -1 : (long)i + 1;
        }
    }
    return n < REQUEST_HEAD_MAX ? 0 : -1;
}

static char *trimmed(char *s)
{
    s += strspn(s, " \t");
    size_t len = strlen(s);
    while (len > 0 && strchr(" \t", s[len - 1]) != NULL) {
        s[--len] = '\0';
    }
    return s;
}

static bool second_line(struct second *r, char *line)
{
    r->method = strsep(&line, " ");
    r->target = line != NULL ? strsep(&line, " ") : NULL;
    r->version = line;
    if (line == NULL || strchr(line, ' ') != NULL) {
        return false;
    }
    if (!is_made_of(r->method, TOKEN) || strlen(r->method) > 32) {
        return false;
    }
    for (const char *p = r->target; *p != '\0'; p++) {
        if (!isgraph((unsigned char)*p) || *p == '#') {
            return false;
        }
    }
    return strcmp(r->version, "HTTP/1.1") == 0 || strcmp(r->version, "HTTP/1.0") == 0;
}

static bool second_target(struct second *r)
{
    size_t scheme = strncasecmp(r->target, "http://", 7) == 0    ? 7
                    : strncasecmp(r->target, "https://", 8) == 0 ? 8
                                                                 : 0;
    if (strcmp(r->method, "CONNECT") == 0) {
        return false;
    }
    if (scheme == 0) {
        return r->target[0] == '/' ||
               (strcmp(r->target, "*") == 0 && strcmp(r->method, "OPTIONS") == 0);
    }
    // There is room before the path: the scheme stands there.
    char *host = r->target + scheme;
    size_t len = strcspn(host, "/?");
    char *rest = host + len;
    memmove(r->target, host, len);
    r->host = r->target;
    r->target = rest;
    if (*rest != '/') {
        *--r->target = '/';
    }
    r->host[len] = '\0';
    return second_host(r->host);
}

static bool second_field(struct second *r, char *line, unsigned seen[3])
{
    char *value = strchr(line, ':');
    if (value == NULL) {
        return false;
    }
    *value++ = '\0';
    value = trimmed(value);
    if (!is_made_of(line, TOKEN)) {
        return false;
    }
    if (strcasecmp(line, "Host") == 0) {
        r->host = r->host != NULL ? r->host : value;
        return second_host(value) && seen[0]++ == 0;
    }
    if (strcasecmp(line, "Content-Length") == 0) {
        r->length = strlen(value) <= 18 && is_made_of(value, DIGITS) ? atoll(value) : -1;
        return r->length >= 0 && seen[1]++ == 0;
    }
    if (strcasecmp(line, "Transfer-Encoding") == 0) {
        r->chunked = true;
        return strcasecmp(value, "chunked") == 0 && seen[2]++ == 0;
    }
    return true;
}

// Whether the line is a field that has one value.
static bool is_single(const char *line, const char *name)
{
    return strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':';
}

// Returns whether the head is good.
static bool second_read(struct second *r, const char *bytes, size_t n)
{
    static const char *const single[] = {"Authorization", "X-Prometheus-Scrape-Timeout-Seconds"};
    unsigned once[2] = {0};
    unsigned seen[3] = {0};
    long end = second_end(bytes, n);
    *r = (struct second){.head = (size_t)(end > 0 ? end : 0)};
    r->text = strndup(bytes, r->head);
    must(r->text != NULL, "no memory");
    if (end <= 0) {
        return false;
    }
    char *rest = r->text + (memcmp(r->text, "\r\n", 2) == 0 ? 2 : 0);
    char *next = strstr(rest, "\r\n");
    *next = '\0';
    char *first = rest;
    if (!second_line(r, first) || !second_target(r)) {
        return false;
    }
    for (rest = next + 2; (next = strstr(rest, "\r\n")) != rest; rest = next + 2) {
        *next = '\0';
        for (size_t i = 0; i < 2; i++) {
            once[i] += is_single(rest, single[i]);
        }
        if (!second_field(r, rest, seen)) {
            return false;
        }
    }
    bool new = strcmp(r->version, "HTTP/1.1") == 0;
    return once[0] <= 1 && once[1] <= 1 && (seen[0] > 0 || !new) &&
           !(seen[2] > 0 && (!new || seen[1] > 0));
}

static bool is_text(struct slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static void same(const struct request *r, const struct second *s)
{
    const char *target = s->target + (r->path_missing ? 1 : 0);
    must(is_text(r->method, s->method), "another method");
    must(is_text(r->target, target), "another target");
    must(s->host == NULL ? r->value[REQUEST_HOST].len == 0
                         : is_text(r->value[REQUEST_HOST], s->host),
         "another host");
    must(r->chunked == s->chunked, "another coding");
    must(r->chunked || r->length == (uint64_t)s->length, "another length");
    must(r->http10 == (strcmp(s->version, "HTTP/1.0") == 0), "another version");
}

// What is handed over means the same to the second reader, but for GET and the query.
static void check_written(const struct request *r)
{
    struct buf out = BUF_INIT;
    struct second s;
    request_write(r, &out);
    must(!out.failed, "no memory");
    must(out.len <= REQUEST_HEAD_MAX + 64, "what is handed over is too long");
    must(second_end(out.p, out.len) != -1 || out.len > REQUEST_HEAD_MAX, "not a head");
    if (out.len <= REQUEST_HEAD_MAX) {
        must(second_read(&s, out.p, out.len), "what is handed over is not good");
        must(s.head == out.len, "what is handed over goes on after its head");
        must(request_is_get_or_head(r) ? strcmp(s.method, "HEAD") == 0
                                       : is_text(r->method, s.method),
             "handed over with another method");
        must(strchr(s.target, '?') == NULL, "handed over with a query");
        must(s.chunked == r->chunked && (s.chunked || (uint64_t)s.length == r->length),
             "handed over with another body");
        must(s.host == NULL ? r->value[REQUEST_HOST].len == 0
                            : is_text(r->value[REQUEST_HOST], s.host),
             "handed over with another host");
        free(s.text);
    }
    buf_free(&out);
}

static void on_target(const struct second *s)
{
    char *path;
    char *query;
    char *target = strdup(s->target);
    struct request_filter *f = NULL;
    must(target != NULL, "no memory");
    if (request_split_target(target, &path, &query) == 0 && query != NULL &&
        request_filter_read(&f, query) == 0 && f != NULL) {
        must(f->n >= 1 && f->n <= REQUEST_FILTER_NAMES, "a filter has an odd number of names");
        for (size_t i = 0; i < f->n; i++) {
            must(strlen(f->name[i]) <= REQUEST_FILTER_NAME_MAX, "a name is too long");
            must(i == 0 || strcmp(f->name[i - 1], f->name[i]) < 0, "names are not sorted");
            must(request_filter_has(f, f->name[i]), "a filter does not find its name");
        }
        must(request_filter_is_same(f, f), "a filter is not the same as itself");
        request_filter_free(f);
    }
    free(target);
}

// The head's end when its bytes come one by one; -EINVAL, 0.
static long in_pieces(const char *bytes, size_t n)
{
    struct request_scan scan = {0};
    struct request_fault fault;
    long end = 0;
    for (size_t came = 1; came <= n && end == 0; came++) {
        end = request_scan(&scan, bytes, came, &fault);
    }
    return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct request_scan scan = {0};
    struct request_fault fault = {0, NULL};
    struct request r;
    struct second s;
    long end = size > 0 ? request_scan(&scan, bytes, size, &fault) : 0;
    must(end == in_pieces(bytes, size), "pieces make another head");
    bool good = end > 0 && request_parse(&r, bytes, (size_t)end, &fault) == 0;
    must(end == 0 || good == (fault.text == NULL), "nobody says what is wrong");
    must(fault.text == NULL || fault.status >= 400, "an odd status");
    bool second = second_read(&s, bytes, size);
    must(good == second, "two readers differ");
    if (good) {
        must((size_t)end == s.head, "two readers find another end");
        same(&r, &s);
        check_written(&r);
        on_target(&s);
    }
    free(s.text);
    return 0;
}
