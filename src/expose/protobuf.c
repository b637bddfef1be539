// SPDX-License-Identifier: Apache-2.0
#include "expose/protobuf.h"

#include "series/exemplar.h"

#include <math.h>
#include <stdlib.h>

enum {
    LENGTH = 4,  // bytes of a padded length: 28 bits
    SHORT = 3,   // the same of what is below 2 MiB
    VARINT = 10, // bytes of a number at most
    FIXED = 8,
    // A bucket without its exemplar; an exemplar, whose labels are at most so much longer than in its text.
    BUCKET = 1 + LENGTH + 1 + VARINT + 1 + FIXED,
    TIMESTAMP = 2 + 2 * (1 + VARINT),
    EXEMPLAR = 1 + LENGTH + 4 * EXEMPLAR_TEXT + 1 + FIXED + TIMESTAMP,
};

// Field numbers and wire types, as they stand before a field.
enum {
    FAMILY_NAME = 0x0a,
    FAMILY_HELP = 0x12,
    FAMILY_TYPE = 0x18,
    FAMILY_METRIC = 0x22,
    FAMILY_UNIT = 0x2a,
    METRIC_LABEL = 0x0a,
    METRIC_GAUGE_VALUE = 0x12,
    METRIC_COUNTER_VALUE = 0x1a,
    METRIC_UNTYPED_VALUE = 0x2a,
    METRIC_HISTOGRAM_VALUE = 0x3a,
    PAIR_NAME = 0x0a,
    PAIR_VALUE = 0x12,
    NUMBER = 0x09, // of a counter, a gauge or an untyped one
    COUNTER_EXEMPLAR = 0x12,
    COUNTER_CREATED = 0x1a,
    HISTOGRAM_COUNT = 0x08,
    HISTOGRAM_SUM = 0x11,
    HISTOGRAM_BUCKET = 0x1a,
    HISTOGRAM_CREATED = 0x7a,
    BUCKET_COUNT = 0x08,
    BUCKET_BOUND = 0x11,
    BUCKET_EXEMPLAR = 0x1a,
    EXEMPLAR_LABEL = 0x0a,
    EXEMPLAR_VALUE = 0x11,
    EXEMPLAR_TIMESTAMP = 0x1a,
    TIMESTAMP_SECONDS = 0x08,
    TIMESTAMP_NANOS = 0x10,
};

// ---- The wire. Each returns the end of what it wrote; there is room.

static char *put_varint(char *p, uint64_t n)
{
    for (; n > 0x7f; n >>= 7) {
        *p++ = (char)(n | 0x80);
    }
    *p++ = (char)n;
    return p;
}

static char *put_number(char *p, int field, uint64_t n)
{
    *p++ = (char)field;
    return put_varint(p, n);
}

static char *put_double(char *p, int field, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    *p++ = (char)field;
    for (int i = 0; i < FIXED; i++) {
        p[i] = (char)(bits >> 8 * i);
    }
    return p + FIXED;
}

// A length in so many bytes, in place.
static void set_length(char *at, unsigned bytes, size_t len)
{
    for (unsigned i = 0; i + 1 < bytes; i++) {
        at[i] = (char)(len >> 7 * i | 0x80);
    }
    at[bytes - 1] = (char)(len >> 7 * (bytes - 1) & 0x7f);
}

static char *end_message(char *at, unsigned bytes, char *end)
{
    set_length(at, bytes, (size_t)(end - at) - bytes);
    return end;
}

static char *put_timestamp(char *p, int field, uint64_t ms)
{
    *p++ = (char)field;
    char *at = p++; // shorter than 128 bytes
    p = put_number(p, TIMESTAMP_SECONDS, ms / 1000);
    if (ms % 1000 > 0) {
        p = put_number(p, TIMESTAMP_NANOS, ms % 1000 * 1000000);
    }
    *at = (char)(p - at - 1);
    return p;
}

// A LabelPair but for its value, which is copied behind it.
static char *begin_pair(char *p, const char *name, size_t len)
{
    *p++ = METRIC_LABEL;
    p += SHORT;
    *p++ = PAIR_NAME;
    p = put_varint(p, len);
    memcpy(p, name, len);
    p += len;
    *p++ = PAIR_VALUE;
    return p + SHORT;
}

// ---- Families

static void add_text(struct buf *out, int field, const char *text, size_t len)
{
    char begin[1 + VARINT];
    buf_add(out, begin, (size_t)(put_number(begin, field, len) - begin));
    buf_add(out, text, len);
}

static uint64_t type_of(const char *type)
{
    static const char *const names[] = {"counter", "gauge", "summary", "untyped", "histogram"};
    uint64_t i = 0;
    while (i < 4 && strcmp(names[i], type) != 0) {
        i++;
    }
    return i;
}

size_t protobuf_begin(struct buf *out, const struct format_head *head)
{
    char type[1 + VARINT];
    size_t begun = out->len;
    buf_add(out, (char[LENGTH]){0}, LENGTH);
    add_text(out, FAMILY_NAME, head->name, strlen(head->name));
    add_text(out, FAMILY_HELP, head->help, strlen(head->help));
    buf_add(out, type, (size_t)(put_number(type, FAMILY_TYPE, type_of(head->type)) - type));
    if (head->unit[0] != '\0') {
        add_text(out, FAMILY_UNIT, head->unit, strlen(head->unit));
    }
    return begun;
}

void protobuf_end(struct buf *out, size_t begun)
{
    if (begun != PROTOBUF_NOT_OPEN && !out->failed) {
        set_length(out->p + begun, LENGTH, out->len - begun - LENGTH);
    }
}

// ---- Samples of other metrics

void protobuf_label(struct buf *out, const char *name, const char *value, size_t len)
{
    size_t name_len = strlen(name);
    if (!buf_reserve(out, name_len + len + 2 * SHORT + VARINT + 3)) {
        return;
    }
    char *from = out->p + out->len;
    char *p = begin_pair(from, name, name_len);
    set_length(p - SHORT, SHORT, len);
    memcpy(p, value, len);
    end_message(from + 1, SHORT, p + len);
    out->len = (size_t)(p + len - out->p);
}

void protobuf_sample(struct buf *out, const char *type, const struct buf *labels, double value)
{
    int field = strcmp(type, "counter") == 0 ? METRIC_COUNTER_VALUE
                : strcmp(type, "gauge") == 0 ? METRIC_GAUGE_VALUE
                                             : METRIC_UNTYPED_VALUE;
    char number[2 + 1 + FIXED] = {(char)field, 1 + FIXED};
    put_double(number + 2, NUMBER, value);
    char begin[1 + LENGTH] = {FAMILY_METRIC};
    set_length(begin + 1, LENGTH, labels->len + sizeof number);
    buf_add(out, begin, sizeof begin);
    buf_add(out, labels->p, labels->len);
    buf_add(out, number, sizeof number);
    out->failed |= labels->failed;
}

// ---- Series of the catalogue's metrics

void protobuf_labels_init(struct protobuf_labels *l, const struct metric *m)
{
    size_t from[CATALOG_MAX_LABELS];
    *l = (struct protobuf_labels){.n = m->n_labels};
    for (size_t i = 0; i < m->n_labels; i++) {
        const struct label *label = &m->labels[i];
        from[i] = l->text.len;
        l->name_len[i] = label->name_len;
        if (buf_reserve(&l->text, label->name_len + VARINT + 2 * SHORT + 3)) {
            char *at = l->text.p + l->text.len;
            memset(at, 0, label->name_len + VARINT + 2 * SHORT + 3);
            l->text.len = (size_t)(begin_pair(at, label->name, label->name_len) - l->text.p);
        }
    }
    for (size_t i = 0; i < m->n_labels && !l->text.failed; i++) {
        size_t to = i + 1 < m->n_labels ? from[i + 1] : l->text.len;
        l->before[i] = (struct slice){l->text.p + from[i], to - from[i]};
    }
}

void protobuf_labels_free(struct protobuf_labels *l)
{
    buf_free(&l->text);
}

// A value up to its quote, as it was before escaping. *at is set to the quote.
static char *put_value(char *p, const char **at, const char *end)
{
    for (const char *from = *at; from < end; from++) {
        if (*from == '"') {
            *at = from;
            return p;
        }
        if (*from == '\\' && from + 1 < end) {
            from++;
            *p++ = *from == 'n' ? '\n' : *from;
        } else {
            *p++ = *from;
        }
    }
    *at = end;
    return p;
}

// The same where nothing is escaped, as nearly always.
static char *put_plain_value(char *p, const char **at, const char *end)
{
    const char *quote = memchr(*at, '"', (size_t)(end - *at));
    size_t len = quote != NULL ? (size_t)(quote - *at) : 0;
    if (quote == NULL || memchr(*at, '\\', len) != NULL) {
        return put_value(p, at, end);
    }
    memcpy(p, *at, len);
    *at = quote;
    return p + len;
}

static char *put_labels(const struct protobuf_labels *l, char *p, const struct slice *key)
{
    const char *at = key->p;
    const char *end = at + key->len;
    for (size_t i = 0; i < l->n; i++) {
        char *from = p;
        memcpy(p, l->before[i].p, l->before[i].len);
        p += l->before[i].len;
        char *value = p;
        at += l->name_len[i] + 2; // ="
        p = put_plain_value(p, &at, end);
        set_length(value - SHORT, SHORT, (size_t)(p - value));
        end_message(from + 1, SHORT, p);
        at += 2; // ",
    }
    return p;
}

// From the text behind a sample, ` # {a="b",c="d"} 0.5 1700000000.5`, which exemplar_read gave.
static char *put_exemplar(char *p, int field, const char *text, size_t len)
{
    const char *at = text + strlen(" # {");
    const char *end = text + len;
    *p++ = (char)field;
    char *message = p;
    p += LENGTH;
    while (at < end && *at != '}') {
        const char *name = at;
        char *from = p;
        at = memchr(at, '=', (size_t)(end - at));
        p = begin_pair(p, name, (size_t)(at - name));
        char *value = p;
        at += 2;
        p = put_value(p, &at, end);
        set_length(value - SHORT, SHORT, (size_t)(p - value));
        end_message(from + 1, SHORT, p);
        at++;
        at += at < end && *at == ',';
    }
    char number[EXEMPLAR_TEXT + 1];
    size_t rest = (size_t)(end - at);
    memcpy(number, at, rest);
    number[rest] = '\0';
    char *next;
    p = put_double(p, EXEMPLAR_VALUE, strtod(number + strlen("} "), &next));
    p = put_timestamp(p, EXEMPLAR_TIMESTAMP, (uint64_t)(strtod(next, NULL) * 1000 + 0.5));
    return end_message(message, LENGTH, p);
}

static char *put_exemplar_at(const struct protobuf_series *s, size_t place, char *p, int field)
{
    char text[EXEMPLAR_TEXT];
    size_t len = s->exemplars != NULL ? exemplar_read(s->exemplars, place, text) : 0;
    return len > 0 ? put_exemplar(p, field, text, len) : p;
}

static double clip(double v)
{
    return v > __DBL_MAX__ ? __DBL_MAX__ : v < -__DBL_MAX__ ? -__DBL_MAX__ : v;
}

static char *put_counter(const struct protobuf_series *s, char *p)
{
    *p++ = METRIC_COUNTER_VALUE;
    char *message = p;
    p = put_double(p + LENGTH, NUMBER, clip(s->value));
    p = put_exemplar_at(s, 0, p, COUNTER_EXEMPLAR);
    p = s->created_ms > 0 ? put_timestamp(p, COUNTER_CREATED, s->created_ms) : p;
    return end_message(message, LENGTH, p);
}

static char *put_gauge(const struct protobuf_series *s, char *p)
{
    *p++ = METRIC_GAUGE_VALUE;
    *p++ = 1 + FIXED;
    return put_double(p, NUMBER, s->value);
}

static char *put_bucket(const struct protobuf_series *s, char *p, size_t i, uint64_t total)
{
    char *from = p;
    *p++ = HISTOGRAM_BUCKET;
    p = put_number(p + LENGTH, BUCKET_COUNT, total);
    p = put_double(p, BUCKET_BOUND, i < s->n_bounds ? s->bounds[i] : INFINITY);
    char *end = put_exemplar_at(s, i, p, BUCKET_EXEMPLAR);
    // That above all bounds has the count of the histogram, so it is there for its exemplar only.
    return i == s->n_bounds && end == p ? from : end_message(from + 1, LENGTH, end);
}

static char *put_histogram(const struct protobuf_series *s, char *p)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= s->n_bounds; i++) {
        count += s->counts[i];
    }
    *p++ = METRIC_HISTOGRAM_VALUE;
    char *message = p;
    p = put_number(p + LENGTH, HISTOGRAM_COUNT, count);
    p = put_double(p, HISTOGRAM_SUM, clip(s->sum));
    uint64_t total = 0;
    for (size_t i = 0; i <= s->n_bounds; i++) {
        total += s->counts[i];
        p = put_bucket(s, p, i, total);
    }
    p = s->created_ms > 0 ? put_timestamp(p, HISTOGRAM_CREATED, s->created_ms) : p;
    return end_message(message, LENGTH, p);
}

void protobuf_series(struct buf *out, const struct protobuf_labels *l, enum metric_type type,
                     const struct protobuf_series *s)
{
    size_t places = type == METRIC_HISTOGRAM ? s->n_bounds + 1 : type == METRIC_COUNTER;
    size_t each = BUCKET + (s->exemplars != NULL ? EXEMPLAR : 0);
    size_t room = 2 * (1 + LENGTH) + l->text.len + s->key.len + 1 + VARINT + 1 + FIXED + TIMESTAMP +
                  places * each;
    if (l->text.failed || !buf_reserve(out, room)) {
        out->failed = true;
        return;
    }
    char *p = out->p + out->len;
    *p++ = FAMILY_METRIC;
    char *message = p;
    p = put_labels(l, p + LENGTH, &s->key);
    p = type == METRIC_COUNTER     ? put_counter(s, p)
        : type == METRIC_HISTOGRAM ? put_histogram(s, p)
                                   : put_gauge(s, p);
    out->len = (size_t)(end_message(message, LENGTH, p) - out->p);
}
