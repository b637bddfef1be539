// SPDX-License-Identifier: Apache-2.0
#include "emit/wire.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void put_labels(struct out *t, const struct wire_label *labels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_str(t, i == 0 ? ",\"labels\":{" : ",");
        put_json(t, labels[i].name);
        put(t, ":", 1);
        put_json(t, labels[i].value);
    }
    put_str(t, n > 0 ? "}" : "");
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

size_t wire_number(char out[WIRE_NUMBER_MAX], double v)
{
    if (!isfinite(v)) {
        return 0;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, WIRE_NUMBER_MAX, "%.*g", digits, v);
        if (strtod(out, NULL) == v) {
            break;
        }
    }
    // The point is the locale's, of any number of bytes; JSON knows one.
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
    if (s->value != NULL) {
        put_str(&t, ",\"value\":");
        put_str(&t, s->value);
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
    put_labels(&t, hello->labels, hello->n_labels);
    if (lost > 0) {
        char text[48];
        put(&t, text,
            (size_t)snprintf(text, sizeof text, ",\"lost\":%llu", (unsigned long long)lost));
    }
    put_str(&t, "}}");
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

static bool span_is(struct span s, const char *text)
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

// Copies JSON text as it stands.
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
        if (span_is(key, "\"applied\"")) {
            r->applied = span_u64(value);
        } else if (span_is(key, "\"known\"")) {
            r->known = span_is(value, "true");
        }
    }
}

static void reply_member(struct wire_reply *r, struct span key, struct span value)
{
    if (span_is(key, "\"error\"")) {
        r->kind = WIRE_REPLY_ERROR;
        span_text(value, r->reason, sizeof r->reason);
    } else if (span_is(key, "\"hello\"")) {
        r->kind = WIRE_REPLY_HELLO;
        hello_members(r, value);
    } else if (span_is(key, "\"sync\"")) {
        r->kind = WIRE_REPLY_SYNC;
        span_copy(value, r->id, sizeof r->id);
    } else if (span_is(key, "\"detail\"")) {
        span_text(value, r->detail, sizeof r->detail);
    } else if (span_is(key, "\"line\"")) {
        r->line = span_u64(value);
    } else if (span_is(key, "\"index\"")) {
        r->in_batch = true;
        r->index = span_u64(value);
    } else if (span_is(key, "\"applied\"")) {
        r->applied = span_u64(value);
    } else if (span_is(key, "\"rejected\"")) {
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
        if (span_is(key, "\"metric\"") || span_is(key, "\"event\"")) {
            return false;
        }
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            control |= span_is(key, keys[i]);
        }
        // Whatever an escape may spell.
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
