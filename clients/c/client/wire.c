// SPDX-License-Identifier: Apache-2.0
#include "client/wire.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EXEMPLAR_CHARACTERS = 128 }; // of its names and values, for the daemon

// Text as far as it fits in p[0..size); len goes on counting.
struct out {
    char *p;
    size_t size;
    size_t len;
    bool bad; // something was no UTF-8
};

static void put(struct out *t, const char *s, size_t n)
{
    if (t->len <= t->size && n <= t->size - t->len) {
        memcpy(t->p + t->len, s, n);
    }
    t->len += n;
}

static void put_str(struct out *t, const char *s)
{
    put(t, s, strlen(s));
}

// The length of the UTF-8 sequence at s; 0 when there is none.
static size_t utf8_len(const unsigned char *s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (s[0] < 0x80) {
        return 1;
    }
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    uint32_t code = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (s[i] & 0x3f);
    }
    return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? 0 : n;
}

static void put_json(struct out *t, const char *s)
{
    put(t, "\"", 1);
    for (size_t n; *s != '\0' && !t->bad; s += n) {
        char escape[8];
        n = utf8_len((const unsigned char *)s);
        t->bad = n == 0;
        if (*s == '"' || *s == '\\') {
            put(t, (const char[]){'\\', *s}, 2);
        } else if ((unsigned char)*s < 0x20) {
            put(t, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*s));
        } else {
            put(t, s, n);
        }
    }
    put(t, "\"", 1);
}

static void put_label_list(struct out *t, const struct wire_label *labels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_str(t, i == 0 ? "\"labels\":{" : ",");
        put_json(t, labels[i].name);
        put(t, ":", 1);
        put_json(t, labels[i].value);
    }
    put_str(t, n > 0 ? "}" : "");
}

static void put_labels(struct out *t, const struct wire_label *labels, size_t n)
{
    put_str(t, n > 0 ? "," : "");
    put_label_list(t, labels, n);
}

static void put_u64(struct out *t, const char *key, uint64_t n)
{
    char text[48];
    put(t, text, (size_t)snprintf(text, sizeof text, "%s%llu", key, (unsigned long long)n));
}

static int out_result(const struct out *t)
{
    if (t->bad) {
        return -EINVAL;
    }
    if (t->len > WIRE_LINE_MAX) {
        return -EMSGSIZE;
    }
    return t->len > t->size ? -ENOBUFS : (int)t->len;
}

// Writes a number that is a whole count of nanoseconds, as durations are, or a whole number: %g would write the same, and
// take ten times as long. Returns its length; 0 when it is neither.
static size_t short_number(char out[WIRE_NUMBER_MAX], double v)
{
    if (!(v >= 0.0001 && v < 1e6)) {
        return 0;
    }
    uint64_t n = (uint64_t)(v * 1e9 + 0.5);
    if ((double)n / 1e9 !=
        v) { // the quotient of two exact numbers is rounded as a decimal fraction is
        return 0;
    }
    char digits[WIRE_NUMBER_MAX];
    size_t at = sizeof digits;
    uint64_t rest = n % 1000000000;
    bool zeros = true; // at the end of the fraction
    for (int i = 0; i < 9; i++, rest /= 10) {
        zeros = zeros && rest % 10 == 0;
        if (!zeros) {
            digits[--at] = (char)('0' + rest % 10);
        }
    }
    if (!zeros) {
        digits[--at] = '.';
    }
    for (n /= 1000000000; n > 0; n /= 10) {
        digits[--at] = (char)('0' + n % 10);
    }
    if (at == sizeof digits || digits[at] == '.') {
        digits[--at] = '0';
    }
    memcpy(out, digits + at, sizeof digits - at);
    out[sizeof digits - at] = '\0';
    return sizeof digits - at;
}

size_t wire_number(char out[WIRE_NUMBER_MAX], double v)
{
    if (!isfinite(v)) {
        return 0;
    }
    size_t len = short_number(out, v);
    if (len > 0) {
        return len;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, WIRE_NUMBER_MAX, "%.*g", digits, v);
        if (strtod(out, NULL) == v) {
            break;
        }
    }
    // The decimal point is the locale's, of any number of bytes; JSON has `.` only.
    char *comma = out + strspn(out, "0123456789+-e");
    size_t n = strcspn(comma, "0123456789e");
    if (n > 0) {
        memmove(comma + 1, comma + n, strlen(comma + n) + 1);
        *comma = '.';
    }
    return strlen(out);
}

int wire_line(char *out, size_t size, const struct wire_sample *s)
{
    struct out t = {.p = out, .size = size};
    put_str(&t, s->event ? "{\"event\":" : "{\"metric\":");
    put_json(&t, s->name);
    put_labels(&t, s->labels, s->n_labels);
    if (s->op != NULL) {
        put_str(&t, ",\"op\":");
        put_json(&t, s->op);
    }
    if (s->n_exemplar > 0) {
        put_str(&t, ",\"exemplar\":{");
        put_label_list(&t, s->exemplar, s->n_exemplar);
        put(&t, "}", 1);
    }
    if (s->count > 0) {
        put_u64(&t, ",\"count\":", s->count);
    }
    if (s->value != NULL) {
        put_str(&t, ",\"value\":");
        put_str(&t, s->value);
    }
    if (s->values != NULL) {
        put_str(&t, ",\"values\":[");
        put_str(&t, s->values);
        put(&t, "]", 1);
    }
    put(&t, "}", 1);
    return out_result(&t);
}

int wire_hello_line(char *out, size_t size, const struct wire_hello *hello, uint64_t lost)
{
    struct out t = {.p = out, .size = size};
    put_str(&t, "{\"hello\":{\"component\":");
    put_json(&t, hello->component);
    if (hello->instance != NULL) {
        put_str(&t, ",\"instance\":");
        put_json(&t, hello->instance);
    }
    put_str(&t, hello->transient ? ",\"transient\":true" : "");
    if (hello->interval_s > 0) {
        put_u64(&t, ",\"interval\":", hello->interval_s);
    }
    put_labels(&t, hello->labels, hello->n_labels);
    if (lost > 0) {
        put_u64(&t, ",\"lost\":", lost);
    }
    put_str(&t, "}}");
    return out_result(&t);
}

int wire_forget_line(char *out, size_t size, const struct wire_label *labels, size_t n)
{
    struct out t = {.p = out, .size = size};
    put_str(&t, "{\"forget\":{");
    put_label_list(&t, labels, n);
    put_str(&t, "}}\n");
    return out_result(&t);
}

static bool is_label_name(const char *s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    return *s != '\0' && strchr(letters, *s) != NULL &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") ==
               strlen(s);
}

static size_t characters(const char *s)
{
    size_t n = 0;
    for (; *s != '\0'; s++) {
        n += ((unsigned char)*s & 0xc0) != 0x80;
    }
    return n;
}

static bool has_name(const struct wire_label *labels, size_t n, const char *name)
{
    while (n > 0 && strcmp(labels[n - 1].name, name) != 0) {
        n--;
    }
    return n > 0;
}

int wire_exemplar(char *out, size_t size, const struct wire_label *labels, size_t n, uint64_t ms)
{
    struct out t = {.p = out, .size = size};
    char time[48];
    size_t length = 0;
    if (n == 0 || n > EXEMPLAR_CHARACTERS || labels == NULL) {
        return -EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        if (labels[i].name == NULL || labels[i].value == NULL || !is_label_name(labels[i].name) ||
            has_name(labels, i, labels[i].name)) {
            return -EINVAL;
        }
        length += characters(labels[i].name) + characters(labels[i].value);
    }
    t.bad = length > EXEMPLAR_CHARACTERS;
    put_str(&t, ",\"exemplar\":{");
    put_label_list(&t, labels, n);
    put(&t, time,
        (size_t)snprintf(time, sizeof time, ",\"timestamp\":%llu.%03u}",
                         (unsigned long long)(ms / 1000), (unsigned)(ms % 1000)));
    return out_result(&t);
}

static const char *skip_digits(const char *s)
{
    return s + strspn(s, "0123456789");
}

bool wire_is_number(const char *s)
{
    s += *s == '-';
    const char *end = *s == '0' ? s + 1 : skip_digits(s);
    if (end == s) {
        return false;
    }
    if (*end == '.') {
        s = end + 1;
        end = skip_digits(s);
        if (end == s) {
            return false;
        }
    }
    if (*end == 'e' || *end == 'E') {
        s = end + 1;
        s += *s == '+' || *s == '-';
        end = skip_digits(s);
        if (end == s) {
            return false;
        }
    }
    return *end == '\0';
}

// A reply being read: JSON of the daemon's own making, so places are found, not grammar checked.
struct span {
    const char *p;
    const char *end;
};

static void skip_blanks(struct span *s)
{
    while (s->p < s->end && strchr(" \t\r", *s->p) != NULL && *s->p != '\0') {
        s->p++;
    }
}

// Takes one value (a string, or anything up to the comma or bracket that ends it) off the front.
static struct span take_value(struct span *s)
{
    skip_blanks(s);
    struct span value = {.p = s->p, .end = s->end};
    int depth = 0;
    bool quoted = false;
    for (; s->p < s->end; s->p++) {
        char c = *s->p;
        if (quoted) {
            s->p += c == '\\' && s->p + 1 < s->end;
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth > 0 && (c == '}' || c == ']')) {
            depth--;
        } else if (depth == 0 && strchr(",:}] \t\r", c) != NULL) {
            break;
        }
    }
    value.end = s->p;
    return value;
}

static bool take_char(struct span *s, char c)
{
    skip_blanks(s);
    if (s->p == s->end || *s->p != c) {
        return false;
    }
    s->p++;
    return true;
}

static bool has_text(struct span s, const char *text)
{
    return (size_t)(s.end - s.p) == strlen(text) && memcmp(s.p, text, strlen(text)) == 0;
}

static uint64_t span_u64(struct span s)
{
    uint64_t v = 0;
    for (; s.p < s.end && *s.p >= '0' && *s.p <= '9' && v <= (UINT64_MAX - 9) / 10; s.p++) {
        v = v * 10 + (uint64_t)(*s.p - '0');
    }
    return v;
}

// Copies JSON text unchanged.
static void span_copy(struct span s, char *out, size_t size)
{
    size_t n = (size_t)(s.end - s.p) < size ? (size_t)(s.end - s.p) : size - 1;
    memcpy(out, s.p, n);
    out[n] = '\0';
}

// Copies a string's content. Quotes, slashes and backslashes are unescaped; other escapes stay as
// they are, so that what is printed stays one line.
static void span_text(struct span s, char *out, size_t size)
{
    size_t n = 0;
    if (s.end - s.p < 2 || *s.p != '"') {
        return;
    }
    for (s.p++, s.end--; s.p < s.end && n + 1 < size; s.p++) {
        if (*s.p == '\\' && s.p + 1 < s.end && strchr("\"\\/", s.p[1]) != NULL) {
            s.p++;
        }
        out[n++] = (unsigned char)*s.p < 0x20 || *s.p == 0x7f ? '?' : *s.p;
    }
    out[n] = '\0';
}

// Takes the next member of an object, after its brace or a comma. Returns 0; -EBADMSG.
static int take_member(struct span *s, struct span *key, struct span *value)
{
    *key = take_value(s);
    if (key->p == key->end || *key->p != '"' || !take_char(s, ':')) {
        return -EBADMSG;
    }
    *value = take_value(s);
    return value->p == value->end ? -EBADMSG : 0;
}

static void hello_members(struct wire_reply *r, struct span s)
{
    struct span key;
    struct span value;
    for (bool on = take_char(&s, '{'); on && take_member(&s, &key, &value) == 0;
         on = take_char(&s, ',')) {
        if (has_text(key, "\"applied\"")) {
            r->applied = span_u64(value);
        } else if (has_text(key, "\"known\"")) {
            r->known = has_text(value, "true");
        }
    }
}

static void reply_member(struct wire_reply *r, struct span key, struct span value)
{
    if (has_text(key, "\"error\"")) {
        r->kind = WIRE_REPLY_ERROR;
        span_text(value, r->reason, sizeof r->reason);
    } else if (has_text(key, "\"hello\"")) {
        r->kind = WIRE_REPLY_HELLO;
        hello_members(r, value);
    } else if (has_text(key, "\"forget\"")) {
        r->kind = WIRE_REPLY_FORGET;
    } else if (has_text(key, "\"sync\"")) {
        r->kind = WIRE_REPLY_SYNC;
        span_copy(value, r->id, sizeof r->id);
    } else if (has_text(key, "\"detail\"")) {
        span_text(value, r->detail, sizeof r->detail);
    } else if (has_text(key, "\"line\"")) {
        r->line = span_u64(value);
    } else if (has_text(key, "\"index\"")) {
        r->in_batch = true;
        r->index = span_u64(value);
    } else if (has_text(key, "\"applied\"")) {
        r->applied = span_u64(value);
    } else if (has_text(key, "\"rejected\"")) {
        r->rejected = span_u64(value);
    }
}

int wire_reply_parse(struct wire_reply *ret, const char *line, size_t len)
{
    struct span s = {.p = line, .end = line + len};
    struct wire_reply r = {.kind = WIRE_REPLY_OTHER};
    if (!take_char(&s, '{')) {
        return -EBADMSG;
    }
    do {
        struct span key;
        struct span value;
        if (take_member(&s, &key, &value) < 0) {
            return -EBADMSG;
        }
        reply_member(&r, key, value);
    } while (take_char(&s, ','));
    if (!take_char(&s, '}')) {
        return -EBADMSG;
    }
    *ret = r;
    return 0;
}

bool wire_is_control(const char *line, size_t len)
{
    static const char *const keys[] = {"\"hello\"", "\"sync\"", "\"ping\"", "\"forget\""};
    struct span s = {.p = line, .end = line + len};
    struct span key;
    struct span value;
    bool control = false;
    for (bool on = take_char(&s, '{'); on && take_member(&s, &key, &value) == 0;
         on = take_char(&s, ',')) {
        if (has_text(key, "\"metric\"") || has_text(key, "\"event\"")) {
            return false;
        }
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            control |= has_text(key, keys[i]);
        }
        // An escape may hide such a key.
        control |= memchr(key.p, '\\', (size_t)(key.end - key.p)) != NULL;
    }
    return control;
}

bool wire_is_blank(const char *line, size_t len)
{
    struct span s = {.p = line, .end = line + len};
    skip_blanks(&s);
    return s.p == s.end;
}

// ---- Lines that wait

int wire_queue_init(struct wire_queue *q, size_t size)
{
    *q = (struct wire_queue){.buf = malloc(size), .size = size};
    return q->buf == NULL ? -ENOMEM : 0;
}

void wire_queue_free(struct wire_queue *q)
{
    free(q->buf);
}

bool wire_queue_has_room(const struct wire_queue *q, size_t len)
{
    return q->size - (q->len - q->tail) > len;
}

void wire_queue_put(struct wire_queue *q, const char *line, size_t len)
{
    if (q->size - q->len <= len) {
        memmove(q->buf, q->buf + q->tail, q->len - q->tail);
        q->len -= q->tail;
        q->head -= q->tail;
        q->tail = 0;
    }
    memcpy(q->buf + q->len, line, len);
    q->buf[q->len + len] = '\n';
    q->len += len + 1;
    q->lines++;
}

size_t wire_queue_next(const struct wire_queue *q, const char **ret)
{
    *ret = q->buf + q->head;
    return q->len - q->head;
}

size_t wire_queue_line_rest(const struct wire_queue *q, const char **ret)
{
    size_t n = wire_queue_next(q, ret);
    const char *lf = memchr(*ret, '\n', n);
    return lf == NULL ? 0 : (size_t)(lf - *ret) + 1;
}

uint64_t wire_queue_wrote(struct wire_queue *q, size_t n)
{
    uint64_t lines = 0;
    const char *end = q->buf + q->head + n;
    for (const char *p = q->buf + q->head; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) {
        lines++;
    }
    q->head += n;
    return lines;
}

bool wire_queue_is_partial(const struct wire_queue *q)
{
    return q->head > q->tail && q->buf[q->head - 1] != '\n';
}

void wire_queue_drop(struct wire_queue *q, uint64_t n)
{
    q->lines -= n;
    q->first += n;
    for (; n > 0; n--) {
        const char *p = q->buf + q->tail;
        q->tail += (size_t)((const char *)memchr(p, '\n', q->len - q->tail) - p) + 1;
    }
    q->head = q->head < q->tail ? q->tail : q->head;
}

void wire_queue_rewind(struct wire_queue *q)
{
    q->head = q->tail;
}

// ---- The socket

enum { READS_AT_ONCE = 16 }; // a daemon that never stops talking does not hold the caller

const char *wire_socket_name(const char *path)
{
    const char *env = getenv(WIRE_SOCKET_ENV);
    return path != NULL ? path : env != NULL && *env != '\0' ? env : WIRE_SOCKET;
}

int wire_socket_path(char out[WIRE_PATH_SIZE], const char *path)
{
    path = wire_socket_name(path);
    size_t len = strlen(path);
    if (len >= WIRE_PATH_SIZE) {
        return -ENAMETOOLONG;
    }
    memcpy(out, path, len + 1);
    return 0;
}

int wire_connect(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (wire_socket_path(addr.sun_path, path) < 0) {
        return -ENAMETOOLONG;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)&addr, sizeof addr) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static void take_bytes(struct wire_reader *r, size_t n,
                       void (*take)(void *arg, const char *line, size_t len), void *arg)
{
    char *start = r->in;
    char *end = r->in + r->len + n;
    for (char *lf; (lf = memchr(start, '\n', (size_t)(end - start))) != NULL; start = lf + 1) {
        if (!r->skip) {
            take(arg, start, (size_t)(lf - start));
        }
        r->skip = false;
    }
    r->len = (size_t)(end - start);
    memmove(r->in, start, r->len);
    if (r->len == sizeof r->in) {
        r->skip = true;
        r->len = 0;
    }
}

int wire_read(struct wire_reader *r, int fd, void (*take)(void *arg, const char *line, size_t len),
              void *arg)
{
    for (int i = 0; i < READS_AT_ONCE; i++) {
        ssize_t n = recv(fd, r->in + r->len, sizeof r->in - r->len, 0);
        if (n == 0) {
            return -ECONNRESET;
        }
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        }
        take_bytes(r, (size_t)n, take, arg);
    }
    return 0;
}
