// SPDX-License-Identifier: Apache-2.0
#include "expose/protobuf.h"

#include "series/exemplar.h"
#include "series/key.h"
#include "series/native.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    LENGTH = 4,          // bytes of a padded length: 28 bits
    SHORT = 3,           // the same of what is below 2 MiB
    SMALL = 2,           // the same of what is below 16 KiB
    VARINT = 10,         // bytes of a number at most
    SECONDS = 5,         // bytes of seconds since 1970, from 1978 to 3058, and of nanoseconds
    ONE_BYTE = 128,      // lengths below take one byte,
    TWO_BYTES = 1 << 14, // and these two
    PAIR_SMALL = 6,      // of a LabelPair besides name and value, with lengths of one byte
    PIECE = 32,          // bytes that are copied at once, whatever is needed of them
    BLOCK = 16,          // the same of values
    FIXED = 8,
    PAIR_REST = 4 + 2 * SHORT + VARINT, // of a LabelPair besides name and value
    // A bucket without its exemplar; an exemplar, whose labels are at most so much longer than in its text.
    BUCKET = 1 + LENGTH + 1 + VARINT + 1 + FIXED,
    TIMESTAMP = 2 + 2 * (1 + SECONDS),
    EXEMPLAR = 1 + LENGTH + 4 * EXEMPLAR_TEXT + 1 + FIXED + TIMESTAMP,
};

// Field numbers and wire types, as they stand before a field.
enum {
    FAMILY_NAME = 0x0a,
    FAMILY_HELP = 0x12,
    FAMILY_TYPE = 0x18,
    FAMILY_METRIC = 0x22,
    FAMILY_UNIT = 0x2a,
    TYPE_UNTYPED = 3,
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
    HISTOGRAM_SCHEMA = 0x28,
    HISTOGRAM_ZERO_THRESHOLD = 0x31,
    HISTOGRAM_ZERO_COUNT = 0x38,
    HISTOGRAM_NEGATIVE_SPAN = 0x4a,
    HISTOGRAM_NEGATIVE_DELTAS = 0x52, // packed
    HISTOGRAM_POSITIVE_SPAN = 0x62,
    HISTOGRAM_POSITIVE_DELTAS = 0x6a,
    HISTOGRAM_EXEMPLARS = 0x0182,
    SPAN_OFFSET = 0x08,
    SPAN_LENGTH = 0x10,
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

// The 8 bytes of a number, lowest first.
static char *put_bytes(char *p, uint64_t n)
{
    n = htole64(n);
    memcpy(p, &n, FIXED);
    return p + FIXED;
}

static char *put_double(char *p, int field, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    *p++ = (char)field;
    return put_bytes(p, bits);
}

// A number below 2^35 in five bytes, whatever it is; three more are written behind it.
static char *put_padded(char *p, int field, uint64_t n)
{
    uint64_t groups = (n & 0x7f) | (n & 0x3f80) << 1 | (n & 0x1fc000) << 2 | (n & 0xfe00000) << 3 |
                      (n & 0x7f0000000) << 4;
    *p++ = (char)field;
    put_bytes(p, groups | 0x80808080);
    return p + SECONDS;
}

// A length in so many bytes, in place: mostly one or two.
static inline void set_length(char *at, unsigned bytes, size_t len)
{
    if (bytes > 1) {
        *at++ = (char)(len | 0x80);
        len >>= 7;
    }
    for (unsigned i = 2; i < bytes; i++, len >>= 7) {
        *at++ = (char)(len | 0x80);
    }
    *at = (char)(len & 0x7f);
}

static inline char *end_message(char *at, unsigned bytes, char *end)
{
    set_length(at, bytes, (size_t)(end - at) - bytes);
    return end;
}

// A Timestamp, always of TIMESTAMP bytes; three more are written behind it.
static char *put_timestamp(char *p, int field, uint64_t ms)
{
    *p++ = (char)field;
    *p++ = TIMESTAMP - 2;
    p = put_padded(p, TIMESTAMP_SECONDS, ms / 1000);
    return put_padded(p, TIMESTAMP_NANOS, ms % 1000 * 1000000);
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

// The lengths of a LabelPair that begins at `pair`, and of its value.
static char *end_pair(char *pair, char *value, char *end)
{
    set_length(value - SHORT, SHORT, (size_t)(end - value));
    return end_message(pair + 1, SHORT, end);
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
    for (uint64_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], type) == 0) {
            return i;
        }
    }
    return TYPE_UNTYPED;
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
    if (!buf_reserve(out, name_len + len + PAIR_REST)) {
        return;
    }
    char *pair = out->p + out->len;
    char *p = begin_pair(pair, name, name_len);
    memcpy(p, value, len);
    out->len = (size_t)(end_pair(pair, p, p + len) - out->p);
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

// Both forms of what is before a label's value, each with PIECE bytes of room to be copied with it.
static void add_label(struct protobuf_family *f, const struct label *label)
{
    size_t each = label->name_len + PAIR_REST + PIECE;
    if (!buf_reserve(&f->text, 2 * each)) {
        return;
    }
    char *p = f->text.p + f->text.len;
    memset(p, 0, 2 * each);
    begin_pair(p, label->name, label->name_len);
    p += each;
    p[0] = METRIC_LABEL;
    p[2] = PAIR_NAME;
    p[3] = (char)label->name_len;
    memcpy(p + 4, label->name, label->name_len);
    p[4 + label->name_len] = PAIR_VALUE;
    f->text.len += 2 * each;
}

void protobuf_family_init(struct protobuf_family *f, const struct metric *m)
{
    *f = (struct protobuf_family){
        .type = m->type, .n_bounds = m->n_bounds, .bounds = m->bounds, .n_labels = m->n_labels};
    for (size_t i = 0; i < m->n_labels; i++) {
        add_label(f, &m->labels[i]);
    }
    const char *p = f->text.p;
    for (size_t i = 0; i < m->n_labels && !f->text.failed; i++) {
        char number[VARINT];
        size_t len = m->labels[i].name_len;
        size_t each = len + PAIR_REST + PIECE;
        size_t large = len + 3 + 2 * SHORT + (size_t)(put_varint(number, len) - number);
        size_t most = ONE_BYTE - 1 - (PAIR_SMALL - 2); // of name and value
        f->labels[i] = (struct protobuf_label){.small = {p + each, len + PAIR_SMALL},
                                               .large = {p, large},
                                               .name_len = len,
                                               .small_end = len < most ? most - len + 1 : 0};
        p += 2 * each;
    }
}

void protobuf_family_close(struct protobuf_family *f)
{
    buf_free(&f->text);
}

#ifdef __SSE2__
// As key_unescape_value where nothing is escaped, with BLOCK bytes of room behind the copy.
static inline char *put_plain_value(char *p, const char **at, const char *end)
{
    const __m128i quote = _mm_set1_epi8('"');
    for (const char *from = *at; (size_t)(end - from) >= BLOCK; from += BLOCK, p += BLOCK) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)from);
        _mm_storeu_si128((__m128i *)(void *)p, block);
        unsigned quotes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block, quote));
        *at = from;
        if (quotes != 0) {
            *at += __builtin_ctz(quotes);
            return p + __builtin_ctz(quotes);
        }
        *at += BLOCK;
    }
    return key_unescape_value(p, at, end);
}
#else
static inline char *put_plain_value(char *p, const char **at, const char *end)
{
    return key_unescape_value(p, at, end);
}
#endif

// Writes the lengths of a label whose value of so many bytes was written as if they were small.
static inline char *end_label(const struct protobuf_label *l, char *pair, size_t len)
{
    char *value = pair + l->small.len;
    if (len < l->small_end) {
        pair[1] = (char)(l->small.len - 2 + len);
        value[-1] = (char)len;
        return value + len;
    }
    memmove(pair + l->large.len, value, len);
    memcpy(pair, l->large.p, l->large.len);
    return end_pair(pair, pair + l->large.len, pair + l->large.len + len);
}

static inline char *put_before(char *p, const struct slice *before)
{
    memcpy(p, before->p, PIECE);
    if (before->len > PIECE) {
        memcpy(p, before->p, before->len);
    }
    return p + before->len;
}

// The key has no escapes, as nearly always: the last value ends with it.
static char *put_plain_labels(const struct protobuf_family *f, char *p, const char *at,
                              const char *end)
{
    for (size_t i = 0; i < f->n_labels; i++) {
        const struct protobuf_label *l = &f->labels[i];
        char *pair = p;
        char *value = put_before(p, &l->small);
        at += l->name_len + 2; // ="
        at = at < end ? at : end - 1;
        if (i + 1 < f->n_labels) {
            p = put_plain_value(value, &at, end);
        } else {
            memcpy(value, at, (size_t)(end - 1 - at));
            p = value + (end - 1 - at);
        }
        p = end_label(l, pair, (size_t)(p - value));
        at += 2; // ",
    }
    return p;
}

static char *put_labels(const struct protobuf_family *f, char *p, const struct slice *key)
{
    if (key->len == 0) {
        return p;
    }
    const char *at = key->p;
    const char *end = at + key->len;
    if (memchr(at, '\\', key->len) == NULL) {
        return put_plain_labels(f, p, at, end);
    }
    for (size_t i = 0; i < f->n_labels; i++) {
        const struct protobuf_label *l = &f->labels[i];
        char *pair = p;
        char *value = put_before(p, &l->small);
        at += l->name_len + 2;
        at = at < end ? at : end;
        p = end_label(l, pair, (size_t)(key_unescape_value(value, &at, end) - value));
        at += 2;
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
        char *pair = p;
        at = memchr(at, '=', (size_t)(end - at));
        char *value = begin_pair(p, name, (size_t)(at - name));
        at += 2;
        p = end_pair(pair, value, key_unescape_value(value, &at, end));
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

static char *put_kept_exemplar(const struct exemplars *kept, size_t place, char *p, int field)
{
    char text[EXEMPLAR_TEXT];
    size_t len = exemplar_read(kept, place, text);
    return len > 0 ? put_exemplar(p, field, text, len) : p;
}

static inline char *put_exemplar_at(const struct format_series *s, size_t place, char *p, int field)
{
    return s->exemplars != NULL ? put_kept_exemplar(s->exemplars, place, p, field) : p;
}

// The bytes of a length of what is shorter than 128 bytes but for an exemplar.
static unsigned length_with_exemplar(const struct format_series *s)
{
    return s->exemplars != NULL ? LENGTH : 1;
}

// The time of creation, likewise.
static inline char *put_created(struct protobuf_family *f, char *p, int field, uint64_t ms)
{
    if (ms != f->created_ms) {
        put_timestamp(f->created, field, ms);
        f->created_ms = ms;
    }
    memcpy(p, f->created, BLOCK);
    return p + TIMESTAMP;
}

static char *put_counter(struct protobuf_family *f, const struct format_series *s, char *p)
{
    unsigned bytes = length_with_exemplar(s);
    *p++ = METRIC_COUNTER_VALUE;
    char *message = p;
    p = put_double(p + bytes, NUMBER, format_finite((double)s->whole + s->rest));
    p = put_exemplar_at(s, 0, p, COUNTER_EXEMPLAR);
    p = s->created_ms > 0 ? put_created(f, p, COUNTER_CREATED, s->created_ms) : p;
    return end_message(message, bytes, p);
}

static char *put_gauge(const struct format_series *s, char *p)
{
    *p++ = METRIC_GAUGE_VALUE;
    *p++ = 1 + FIXED;
    return put_double(p, NUMBER, s->value);
}

static char *put_bucket(const struct protobuf_family *f, const struct format_series *s, char *p,
                        size_t i, uint64_t total)
{
    char *from = p;
    unsigned bytes = length_with_exemplar(s);
    *p++ = HISTOGRAM_BUCKET;
    p = put_number(p + bytes, BUCKET_COUNT, total);
    p = put_double(p, BUCKET_BOUND, i < f->n_bounds ? f->bounds[i] : INFINITY);
    char *end = put_exemplar_at(s, i, p, BUCKET_EXEMPLAR);
    // That above all bounds has the count of the histogram, so it is there for its exemplar only.
    return i == f->n_bounds && end == p ? from : end_message(from + 1, bytes, end);
}

// ---- Native histograms

static uint64_t zigzag(int64_t n)
{
    return (uint64_t)n << 1 ^ (uint64_t)(n >> 63);
}

// Empty buckets that do not end a span.
enum { GAP = 2 };

// How many of the buckets from the first one on are in its span.
static size_t in_span(const struct native_bucket *b, size_t n)
{
    size_t i = 1;
    while (i < n && b[i].index - b[i - 1].index <= GAP + 1) {
        i++;
    }
    return i;
}

static char *put_spans(char *p, int field, const struct native_bucket *b, size_t n)
{
    int32_t next = 0;
    for (size_t i = 0; i < n;) {
        size_t len = in_span(b + i, n - i);
        int32_t last = b[i + len - 1].index;
        *p++ = (char)field;
        char *message = p;
        p = put_number(p + 1, SPAN_OFFSET, zigzag(b[i].index - next) & UINT32_MAX);
        p = end_message(message, 1, put_number(p, SPAN_LENGTH, (uint64_t)(last - b[i].index + 1)));
        next = last + 1;
        i += len;
    }
    return p;
}

static char *put_deltas(char *p, int field, const struct native_bucket *b, size_t n)
{
    *p++ = (char)field;
    char *message = p;
    uint64_t before = 0;
    p += LENGTH;
    for (size_t i = 0; i < n; i++) {
        bool follows = i > 0 && b[i].index - b[i - 1].index <= GAP + 1;
        for (int32_t k = b[i].index - 1; follows && k > b[i - 1].index; k--) {
            p = put_varint(p, zigzag(-(int64_t)before));
            before = 0;
        }
        p = put_varint(p, zigzag((int64_t)(b[i].count - before)));
        before = b[i].count;
    }
    return end_message(message, LENGTH, p);
}

// Bytes of a bucket at most: with a span of its own, or behind empty ones.
enum { NATIVE_BUCKET = 2 + 2 * (1 + VARINT) + (GAP + 1) * VARINT };

static char *put_native(const struct native_sum *s, char *p)
{
    size_t negative = 0;
    while (negative < s->n && s->buckets[negative].negative) {
        negative++;
    }
    p = put_number(p, HISTOGRAM_SCHEMA, zigzag(s->schema) & UINT32_MAX);
    p = put_double(p, HISTOGRAM_ZERO_THRESHOLD, s->zero_threshold);
    p = put_number(p, HISTOGRAM_ZERO_COUNT, s->zero_count);
    if (negative > 0) {
        p = put_spans(p, HISTOGRAM_NEGATIVE_SPAN, s->buckets, negative);
        p = put_deltas(p, HISTOGRAM_NEGATIVE_DELTAS, s->buckets, negative);
    }
    if (negative < s->n) {
        p = put_spans(p, HISTOGRAM_POSITIVE_SPAN, s->buckets + negative, s->n - negative);
        p = put_deltas(p, HISTOGRAM_POSITIVE_DELTAS, s->buckets + negative, s->n - negative);
    }
    return p;
}

// The tag takes two bytes.
static char *put_native_exemplar(const struct format_series *s, size_t place, char *p)
{
    *p = (char)HISTOGRAM_EXEMPLARS;
    char *end = put_exemplar_at(s, place, p + 1, HISTOGRAM_EXEMPLARS >> 8);
    return end == p + 1 ? p : end;
}

static char *put_histogram(struct protobuf_family *f, const struct format_series *s, char *p)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= f->n_bounds; i++) {
        count += s->counts[i];
    }
    // Those of the native buckets were counted first.
    count = s->native != NULL ? s->native_count : count;
    *p++ = METRIC_HISTOGRAM_VALUE;
    char *message = p;
    p = put_number(p + LENGTH, HISTOGRAM_COUNT, count);
    p = put_double(p, HISTOGRAM_SUM, format_finite(s->sum));
    uint64_t total = 0;
    for (size_t i = 0; i <= f->n_bounds && !f->is_native_alone; i++) {
        total += s->counts[i];
        p = put_bucket(f, s, p, i, total);
    }
    p = s->native != NULL ? put_native(s->native, p) : p;
    for (size_t i = 0; i <= f->n_bounds && f->is_native_alone; i++) {
        p = put_native_exemplar(s, i, p);
    }
    p = s->created_ms > 0 ? put_created(f, p, HISTOGRAM_CREATED, s->created_ms) : p;
    return end_message(message, LENGTH, p);
}

void protobuf_series(struct buf *out, struct protobuf_family *f, const struct format_series *s)
{
    size_t places = f->type == METRIC_HISTOGRAM ? f->n_bounds + 1 : f->type == METRIC_COUNTER;
    size_t each = BUCKET + (s->exemplars != NULL ? EXEMPLAR : 0);
    size_t room = 2 * (1 + LENGTH) + f->text.len + s->labels.len + 1 + VARINT + 1 + FIXED +
                  TIMESTAMP + PIECE + places * each;
    if (s->native != NULL) {
        room += 8 * (1 + VARINT) + s->native->n * NATIVE_BUCKET;
    }
    if (f->text.failed || !buf_reserve(out, room)) {
        out->failed = true;
        return;
    }
    unsigned bytes = room < TWO_BYTES ? SMALL : LENGTH;
    char *p = out->p + out->len;
    *p++ = FAMILY_METRIC;
    char *message = p;
    p = put_labels(f, p + bytes, &s->labels);
    p = f->type == METRIC_COUNTER     ? put_counter(f, s, p)
        : f->type == METRIC_HISTOGRAM ? put_histogram(f, s, p)
                                      : put_gauge(s, p);
    out->len = (size_t)(end_message(message, bytes, p) - out->p);
}
