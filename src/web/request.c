// SPDX-License-Identifier: Apache-2.0
#include "web/request.h"

#include "base/num.h"
#include "expose/format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    bool list; // may occur in several fields, which together are one list
} known[REQUEST_FIELDS] = {
    [REQUEST_HOST] = {"Host", false},
    [REQUEST_AUTHORIZATION] = {"Authorization", false},
    [REQUEST_SCRAPE_TIMEOUT] = {"X-Prometheus-Scrape-Timeout-Seconds", false},
    [REQUEST_CONTENT_LENGTH] = {"Content-Length", false},
    [REQUEST_TRANSFER_ENCODING] = {"Transfer-Encoding", false},
    [REQUEST_ACCEPT] = {"Accept", true},
    [REQUEST_ACCEPT_ENCODING] = {"Accept-Encoding", true},
    [REQUEST_CONNECTION] = {"Connection", true},
    [REQUEST_EXPECT] = {"Expect", true},
};

static int refuse(struct request_fault *fault, unsigned status, const char *text)
{
    *fault = (struct request_fault){.status = status, .text = text};
    return -EINVAL;
}

static int bad(struct request_fault *fault, const char *text)
{
    return refuse(fault, 400, text);
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_token_char(char c)
{
    return is_alnum(c) || is_one_of(c, "!#$%&'*+-.^_`|~");
}

static bool is_token(struct slice s)
{
    size_t i = 0;
    while (i < s.len && is_token_char(s.p[i])) {
        i++;
    }
    return i == s.len && s.len > 0;
}

static bool is_word(struct slice s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.p, word, s.len) == 0;
}

// Methods are case-sensitive.
static bool is_method(const struct request *r, const char *name)
{
    return r->method.len == strlen(name) && memcmp(r->method.p, name, r->method.len) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.p[0])) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.p[s.len - 1])) {
        s.len--;
    }
    return s;
}

// A line's end at `lf`. Returns the head's length; 0: goes on; -EINVAL.
static long end_line(struct request_scan *s, const char *bytes, size_t lf,
                     struct request_fault *fault)
{
    size_t len = lf - s->line;
    if (len == 0 || bytes[lf - 1] != '\r') {
        return bad(fault, "a line does not end in CR LF");
    }
    bool empty = len == 1;
    if (empty && s->lines > 0) {
        return (long)lf + 1;
    }
    if (empty && s->line > 0) {
        return bad(fault, "no request line");
    }
    s->lines += !empty; // one empty line before a request is left alone, as RFC 9112 2.2 has it
    s->line = lf + 1;
    return 0;
}

// One byte more. Returns as end_line.
static long scan_byte(struct request_scan *s, const char *bytes, size_t i,
                      struct request_fault *fault)
{
    unsigned char c = (unsigned char)bytes[i];
    if (i > s->line && bytes[i - 1] == '\r' && c != '\n') {
        return bad(fault, "a CR that ends no line");
    }
    if (c == '\n') {
        return end_line(s, bytes, i, fault);
    }
    if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f) {
        return bad(fault, "a control character");
    }
    if (s->lines == 0 && i == s->line && c != '\r' && !is_token_char((char)c)) {
        return bad(fault, "no method");
    }
    return 0;
}

long request_scan(struct request_scan *s, const char *bytes, size_t n, struct request_fault *fault)
{
    size_t most = n < REQUEST_HEAD_MAX ? n : REQUEST_HEAD_MAX;
    for (; s->checked < most; s->checked++) {
        long len = scan_byte(s, bytes, s->checked, fault);
        if (len != 0) {
            return len;
        }
    }
    if (most < REQUEST_HEAD_MAX) {
        return 0;
    }
    return s->lines == 0 ? refuse(fault, 414, "the request line is too long")
                         : refuse(fault, 431, "the head is too long");
}

// host [":" port]; a name, an IPv4 address, or an IPv6 one in brackets.
static bool is_host(struct slice host)
{
    const char *s = host.p;
    size_t len = host.len;
    size_t i = 0;
    if (len > 0 && s[0] == '[') {
        for (i = 1; i < len && (is_alnum(s[i]) || is_one_of(s[i], ":.")); i++) {
        }
        if (i < 3 || i == len || s[i++] != ']') {
            return false;
        }
    } else {
        for (; i < len && (is_alnum(s[i]) || is_one_of(s[i], "-._~%!$&'()*+,;=")); i++) {
        }
        if (i == 0) {
            return false;
        }
    }
    if (i < len && s[i] != ':') {
        return false;
    }
    size_t digits = 0;
    for (i++; i < len; i++, digits++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
    }
    return digits <= 5 && len <= REQUEST_HOST_MAX;
}

static bool parse_length(struct slice s, uint64_t *ret)
{
    uint64_t v = 0;
    if (s.len == 0 || s.len > 18) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    *ret = v;
    return true;
}

// scheme "://" authority, when there is one: its length; else 0.
static size_t scheme_len(struct slice target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(schemes[i]);
        if (target.len >= len && strncasecmp(target.p, schemes[i], len) == 0) {
            return len;
        }
    }
    return 0;
}

// Takes scheme and authority off; the authority replaces the Host (RFC 9112 3.2.2).
static int parse_absolute(struct request *r, size_t scheme, struct request_fault *fault)
{
    struct slice rest = {r->target.p + scheme, r->target.len - scheme};
    size_t len = 0;
    while (len < rest.len && rest.p[len] != '/' && rest.p[len] != '?') {
        len++;
    }
    r->value[REQUEST_HOST] = (struct slice){rest.p, len};
    r->target = (struct slice){rest.p + len, rest.len - len};
    r->path_missing = r->target.len == 0 || r->target.p[0] == '?';
    return is_host(r->value[REQUEST_HOST]) ? 0 : bad(fault, "the target has no host");
}

static int parse_target(struct request *r, struct request_fault *fault)
{
    struct slice t = r->target;
    for (size_t i = 0; i < t.len; i++) {
        if ((unsigned char)t.p[i] <= ' ' || (unsigned char)t.p[i] >= 0x7f || t.p[i] == '#') {
            return bad(fault, "the target has characters that none may have");
        }
    }
    if (is_method(r, "CONNECT")) {
        return refuse(fault, 405, "method not allowed");
    }
    size_t scheme = scheme_len(t);
    if (scheme > 0) {
        return parse_absolute(r, scheme, fault);
    }
    bool whole = t.len == 1 && t.p[0] == '*' && is_method(r, "OPTIONS");
    return whole || (t.len > 0 && t.p[0] == '/') ? 0 : bad(fault, "the target is not a path");
}

static int parse_version(struct request *r, struct slice v, struct request_fault *fault)
{
    bool form = v.len == 8 && memcmp(v.p, "HTTP/", 5) == 0 && v.p[5] >= '0' && v.p[5] <= '9' &&
                v.p[6] == '.' && v.p[7] >= '0' && v.p[7] <= '9';
    if (!form) {
        return bad(fault, "no version");
    }
    if (v.p[5] != '1' || v.p[7] > '1') {
        return refuse(fault, 505, "the version is neither HTTP/1.1 nor HTTP/1.0");
    }
    r->http10 = v.p[7] == '0';
    return 0;
}

// method SP target SP version, with one blank each.
static int parse_line(struct request *r, struct slice line, struct request_fault *fault)
{
    const char *end = line.p + line.len;
    const char *first = memchr(line.p, ' ', line.len);
    const char *second = first != NULL ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;
    if (second == NULL) {
        return bad(fault, "the request line is not method, target and version");
    }
    r->method = (struct slice){line.p, (size_t)(first - line.p)};
    r->target = (struct slice){first + 1, (size_t)(second - first - 1)};
    if (!is_token(r->method) || r->method.len > REQUEST_METHOD_MAX) {
        return bad(fault, "the method is none");
    }
    int rc = parse_version(r, (struct slice){second + 1, (size_t)(end - second - 1)}, fault);
    return rc == 0 ? parse_target(r, fault) : rc;
}

// Whether one element of a comma-separated list is `word`.
static bool has_element(struct slice list, const char *word)
{
    size_t from = 0;
    for (size_t i = 0; i <= list.len; i++) {
        if (i == list.len || list.p[i] == ',') {
            if (is_word(trim((struct slice){list.p + from, i - from}), word)) {
                return true;
            }
            from = i + 1;
        }
    }
    return false;
}

// A number of seconds above 0 and up to REQUEST_TIMEOUT_MAX_S; UINT64_MAX for anything else.
static uint64_t parse_timeout(struct slice value)
{
    char text[64];
    double seconds;
    if (value.len >= sizeof text) {
        return UINT64_MAX;
    }
    memcpy(text, value.p, value.len);
    text[value.len] = '\0';
    bool good =
        num_parse_double(text, &seconds) == 0 && seconds > 0 && seconds <= REQUEST_TIMEOUT_MAX_S;
    return good ? (uint64_t)(seconds * 1e9) : UINT64_MAX;
}

// What a field says about the connection and the answer.
static void read_value(struct request *r, enum request_field f, struct slice value,
                       struct negotiate *negotiate)
{
    switch (f) {
    case REQUEST_CONNECTION:
        r->closing = r->closing || has_element(value, "close");
        r->keep_alive = r->keep_alive || has_element(value, "keep-alive");
        break;
    case REQUEST_EXPECT:
        r->expects_continue = r->expects_continue || is_word(value, "100-continue");
        break;
    case REQUEST_ACCEPT:
        negotiate_accept(negotiate, value.p, value.len);
        break;
    case REQUEST_ACCEPT_ENCODING:
        negotiate_encoding(negotiate, value.p, value.len);
        break;
    case REQUEST_SCRAPE_TIMEOUT:
        r->timeout_ns = parse_timeout(value);
        break;
    default:
        break;
    }
}

// Takes the next line off and reads it as a field. Returns which, REQUEST_FIELDS for others, or -EINVAL.
static int next_field(struct slice *lines, struct slice *value, struct request_fault *fault)
{
    const char *lf = memchr(lines->p, '\n', lines->len);
    struct slice line = {lines->p, (size_t)(lf - lines->p - 1)};
    lines->len -= line.len + 2;
    lines->p += line.len + 2;
    const char *colon = memchr(line.p, ':', line.len);
    if (is_blank(line.p[0])) {
        return bad(fault, "a folded line");
    }
    struct slice name = {line.p, colon != NULL ? (size_t)(colon - line.p) : 0};
    if (!is_token(name)) {
        return bad(fault, "a header's name is not a token");
    }
    *value = trim((struct slice){colon + 1, line.len - name.len - 1});
    int f = 0;
    while (f < REQUEST_FIELDS && !is_word(name, known[f].name)) {
        f++;
    }
    return f;
}

static int parse_fields(struct request *r, struct slice lines, struct request_fault *fault)
{
    struct negotiate negotiate;
    negotiate_begin(&negotiate);
    while (lines.len > 0) {
        struct slice value;
        int f = next_field(&lines, &value, fault);
        if (f < 0) {
            return f;
        }
        if (f == REQUEST_FIELDS) {
            continue;
        }
        if (r->n[f]++ > 0 && !known[f].list) {
            return bad(fault, "a header that may stand there once stands there twice");
        }
        if (f == REQUEST_HOST && !is_host(value)) {
            return bad(fault, "the Host is not one");
        }
        if (f != REQUEST_HOST || r->value[f].p == NULL) {
            r->value[f] = value; // the authority of a target goes before the Host
        }
        read_value(r, (enum request_field)f, value, &negotiate);
    }
    r->form = negotiate_end(&negotiate);
    r->form.gzip = r->form.gzip && format_gzip_is_supported();
    return 0;
}

static int check_fields(struct request *r, struct request_fault *fault)
{
    const bool coding = r->n[REQUEST_TRANSFER_ENCODING] > 0;
    const bool length = r->n[REQUEST_CONTENT_LENGTH] > 0;
    if (!r->http10 && r->n[REQUEST_HOST] == 0) {
        return bad(fault, "no Host");
    }
    if (coding && !is_word(r->value[REQUEST_TRANSFER_ENCODING], "chunked")) {
        return bad(fault, "a Transfer-Encoding other than chunked");
    }
    if (coding && r->http10) {
        return bad(fault, "a Transfer-Encoding in HTTP/1.0");
    }
    if (coding && length) {
        return bad(fault, "both Transfer-Encoding and Content-Length");
    }
    if (length && !parse_length(r->value[REQUEST_CONTENT_LENGTH], &r->length)) {
        return bad(fault, "the Content-Length is not a number");
    }
    r->chunked = coding;
    r->closing = r->closing || (r->http10 && !r->keep_alive) || request_has_body(r);
    r->expects_continue = r->expects_continue && !r->http10 && request_has_body(r);
    return 0;
}

int request_parse(struct request *r, const char *head, size_t len, struct request_fault *fault)
{
    *r = (struct request){.timeout_ns = UINT64_MAX};
    size_t skipped = head[0] == '\r' ? 2 : 0;
    const char *line = head + skipped;
    const char *lf = memchr(line, '\n', len - skipped);
    const char *fields = lf + 1;
    const struct slice lines = {fields, len - (size_t)(fields - head) - 2};
    int rc = parse_line(r, (struct slice){line, (size_t)(lf - line - 1)}, fault);
    rc = rc == 0 ? parse_fields(r, lines, fault) : rc;
    return rc == 0 ? check_fields(r, fault) : rc;
}

bool request_has_body(const struct request *r)
{
    return r->chunked || r->length > 0;
}

bool request_is_get_or_head(const struct request *r)
{
    return is_method(r, "GET") || is_method(r, "HEAD");
}

static void add(struct buf *out, struct slice s)
{
    buf_add(out, s.p, s.len);
}

static void write_body_fields(const struct request *r, struct buf *out)
{
    if (r->chunked) {
        buf_str(out, "Transfer-Encoding: chunked\r\n");
    } else if (r->n[REQUEST_CONTENT_LENGTH] > 0) {
        buf_addf(out, "Content-Length: %" PRIu64 "\r\n", r->length);
    }
    if (r->closing) {
        buf_str(out, "Connection: close\r\n");
    } else if (r->http10) {
        buf_str(out, "Connection: Keep-Alive\r\n");
    }
}

void request_write(const struct request *r, struct buf *out)
{
    const char *query = memchr(r->target.p, '?', r->target.len);
    struct slice path = {r->target.p,
                         query != NULL ? (size_t)(query - r->target.p) : r->target.len};
    if (request_is_get_or_head(r)) {
        buf_str(out, "HEAD ");
    } else {
        add(out, r->method);
        buf_char(out, ' ');
    }
    buf_str(out, r->path_missing ? "/" : "");
    add(out, path);
    buf_str(out, r->http10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
    if (r->value[REQUEST_HOST].len > 0) {
        buf_str(out, "Host: ");
        add(out, r->value[REQUEST_HOST]);
        buf_str(out, "\r\n");
    }
    write_body_fields(r, out);
    buf_str(out, "\r\n");
}

// ---- The target

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

long request_decode(char *s, size_t len, bool form)
{
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '%') {
            int high = i + 2 < len ? hex_digit(s[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(s[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0)) {
                return -EINVAL;
            }
            s[out++] = (char)(high * 16 + low);
            i += 2;
        } else {
            s[out++] = form && s[i] == '+' ? ' ' : s[i];
        }
    }
    s[out] = '\0';
    return (long)out;
}

static bool is_printable(const char *s)
{
    while ((unsigned char)*s > ' ' && *s != 0x7f) {
        s++;
    }
    return *s == '\0';
}

int request_split_target(char *target, char **ret_path, char **ret_query)
{
    if (!is_printable(target)) {
        return -EINVAL;
    }
    char *path = target;
    char *query = strchr(path, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    if (request_decode(path, strlen(path), false) < 0) {
        return -EINVAL;
    }
    *ret_path = path;
    *ret_query = query;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int filter_add(struct request_filter *f, const char *name)
{
    if (f->n == REQUEST_FILTER_NAMES || strlen(name) > REQUEST_FILTER_NAME_MAX) {
        return -E2BIG;
    }
    if (f->name == NULL) {
        f->name = calloc(REQUEST_FILTER_NAMES, sizeof *f->name);
        if (f->name == NULL) {
            return -ENOMEM;
        }
    }
    f->name[f->n] = strdup(name);
    if (f->name[f->n] == NULL) {
        return -ENOMEM;
    }
    f->n++;
    return 0;
}

int request_next_param(char **query, char **ret_name, char **ret_value)
{
    char *name = strsep(query, "&");
    if (name == NULL) {
        return 0;
    }
    char *value = strchr(name, '=');
    if (value != NULL) {
        *value++ = '\0';
    } else {
        value = name + strlen(name);
    }
    if (request_decode(name, strlen(name), true) < 0 ||
        (*value != '\0' && request_decode(value, strlen(value), true) < 0)) {
        return -EINVAL;
    }
    *ret_name = name;
    *ret_value = value;
    return 1;
}

static void filter_sort(struct request_filter *f)
{
    qsort(f->name, f->n, sizeof *f->name, compare_names);
    size_t kept = 1;
    for (size_t i = 1; i < f->n; i++) {
        if (strcmp(f->name[i], f->name[kept - 1]) == 0) {
            free(f->name[i]);
        } else {
            f->name[kept++] = f->name[i];
        }
    }
    f->n = kept;
}

int request_filter_read(struct request_filter **ret, char *query)
{
    struct request_filter *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return -ENOMEM;
    }
    int r;
    char *name;
    char *value;
    while ((r = request_next_param(&query, &name, &value)) > 0) {
        r = strcmp(name, "name[]") == 0 ? filter_add(f, value) : 0;
        if (r < 0) {
            break;
        }
    }
    if (r < 0 || f->n == 0) {
        request_filter_free(f);
        f = NULL;
    } else {
        filter_sort(f);
    }
    if (r == 0) {
        *ret = f;
    }
    return r;
}

bool request_filter_has(const struct request_filter *f, const char *name)
{
    return f == NULL || bsearch(&name, f->name, f->n, sizeof *f->name, compare_names) != NULL;
}

bool request_filter_is_same(const struct request_filter *a, const struct request_filter *b)
{
    if (a == NULL || b == NULL || a->n != b->n) {
        return a == b;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->name[i], b->name[i]) != 0) {
            return false;
        }
    }
    return true;
}

void request_filter_free(struct request_filter *f)
{
    if (f == NULL) {
        return;
    }
    for (size_t i = 0; i < f->n; i++) {
        free(f->name[i]);
    }
    free(f->name);
    free(f);
}
