// SPDX-License-Identifier: Apache-2.0
// What was written is read by a reader of its own.
#include "expose/protobuf.h"

#include "series/key.h"
#include "unit.h"

#include <math.h>

// A field: its number and wire type, and where its content is.
struct field {
    unsigned tag;
    uint64_t number; // a varint, or the bits of a double
    struct slice bytes;
};

static uint64_t read_varint(struct slice *rest)
{
    uint64_t n = 0;
    for (unsigned shift = 0;; shift += 7) {
        ck_assert_uint_gt(rest->len, 0);
        ck_assert_uint_lt(shift, 64);
        unsigned char byte = (unsigned char)*rest->p;
        *rest = (struct slice){rest->p + 1, rest->len - 1};
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return n;
        }
    }
}

static struct slice take(struct slice *rest, uint64_t len)
{
    ck_assert_uint_le(len, rest->len);
    struct slice taken = {rest->p, len};
    *rest = (struct slice){rest->p + len, rest->len - len};
    return taken;
}

// The next field with this number and wire type, those before it left out.
static struct field next(struct slice *rest, unsigned tag)
{
    struct field f;
    do {
        ck_assert_msg(rest->len > 0, "no field %02x", tag);
        f = (struct field){.tag = (unsigned)read_varint(rest)};
        if ((f.tag & 7) == 0) {
            f.number = read_varint(rest);
        } else if ((f.tag & 7) == 1) {
            memcpy(&f.number, take(rest, 8).p, 8);
        } else {
            ck_assert_uint_eq(f.tag & 7, 2);
            f.bytes = take(rest, read_varint(rest));
        }
    } while (f.tag != tag);
    return f;
}

static double next_double(struct slice *rest, unsigned tag)
{
    double v;
    uint64_t bits = next(rest, tag).number;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static bool is(struct slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static const struct format_head HEAD = {
    .name = "a_seconds", .help = "\"H\"\\\n", .type = "histogram", .unit = "seconds"};

START_TEST(a_family_says_what_it_is)
{
    struct buf out = BUF_INIT;
    size_t begun = protobuf_begin(&out, &HEAD);
    protobuf_end(&out, begun);
    protobuf_end(&out, PROTOBUF_NOT_OPEN);
    struct slice rest = {out.p, out.len};
    ck_assert_uint_eq(read_varint(&rest), rest.len);
    ck_assert(is(next(&rest, 0x0a).bytes, HEAD.name));
    ck_assert(is(next(&rest, 0x12).bytes, HEAD.help));
    ck_assert_uint_eq(next(&rest, 0x18).number, 4);
    ck_assert(is(next(&rest, 0x2a).bytes, "seconds"));
    ck_assert_uint_eq(rest.len, 0);
    buf_free(&out);
}
END_TEST

START_TEST(samples_have_labels_and_a_value)
{
    static const struct {
        const char *type;
        unsigned tag;
    } cases[] = {{"counter", 0x1a}, {"gauge", 0x12}, {"unknown", 0x2a}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_INIT;
        struct buf labels = BUF_INIT;
        protobuf_label(&labels, "a", "x\"\\\n", 4);
        protobuf_label(&labels, "b", "", 0);
        protobuf_sample(&out, cases[i].type, &labels, -2.5);
        struct slice rest = {out.p, out.len};
        struct slice metric = next(&rest, 0x22).bytes;
        ck_assert_uint_eq(rest.len, 0);
        struct slice pair = next(&metric, 0x0a).bytes;
        ck_assert(is(next(&pair, 0x0a).bytes, "a") && is(next(&pair, 0x12).bytes, "x\"\\\n"));
        pair = next(&metric, 0x0a).bytes;
        ck_assert(is(next(&pair, 0x0a).bytes, "b") && is(next(&pair, 0x12).bytes, ""));
        struct slice value = next(&metric, cases[i].tag).bytes;
        ck_assert_double_eq(next_double(&value, 0x09), -2.5);
        buf_free(&labels);
        buf_free(&out);
    }
}
END_TEST

// The long one takes a length of two bytes.
#define LONG                                                                                       \
    "x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x1" \
    "23456789x123456789x123456789x1234567"
static struct label labels[3] = {
    {.name = (char[]){"one"}, .name_len = 3, .opening = (char[40]){"one=\""}},
    {.name = (char[]){LONG}, .name_len = sizeof LONG - 1, .opening = (char[]){LONG "=\""}},
    {.name = (char[]){"b"}, .name_len = 1, .opening = (char[40]){"b=\""}}};
enum { LABELS = sizeof labels / sizeof labels[0] };
static const struct metric metric = {.n_labels = LABELS, .labels = labels};

START_TEST(any_label_values_are_read_as_they_were_sent)
{
    static const char bytes[] = "ab\"\\\n,={} \xc3\xa9n";
    uint64_t random = unit_seed() | 1;
    struct protobuf_family f;
    protobuf_family_init(&f, &metric);
    for (int round = 0; round < 20000; round++) {
        char text[LABELS][300];
        struct slice values[LABELS];
        for (int i = 0; i < LABELS; i++) {
            size_t len = unit_random(&random) % (round % 10 == 0 ? 257 : 40);
            bool is_plain = unit_random(&random) % 2 == 0;
            for (size_t k = 0; k < len; k++) {
                text[i][k] = is_plain ? 'a' : bytes[unit_random(&random) % (sizeof bytes - 1)];
            }
            values[i] = (struct slice){text[i], len};
        }
        struct buf key = BUF_INIT;
        struct buf out = BUF_INIT;
        key_build(&key, &metric, values);
        struct format_series s = {.labels = {key.p, key.len},
                                  .whole = (uint64_t)round,
                                  .created_ms = 1700000000000u + (uint64_t)round / 2};
        protobuf_series(&out, &f, &s);
        struct slice rest = {out.p, out.len};
        struct slice message = next(&rest, 0x22).bytes;
        ck_assert_uint_eq(rest.len, 0);
        for (int i = 0; i < LABELS; i++) {
            struct slice pair = next(&message, 0x0a).bytes;
            ck_assert(is(next(&pair, 0x0a).bytes, labels[i].name));
            struct slice value = next(&pair, 0x12).bytes;
            ck_assert(value.len == values[i].len && memcmp(value.p, values[i].p, value.len) == 0);
            ck_assert_uint_eq(pair.len, 0);
        }
        struct slice counter = next(&message, 0x1a).bytes;
        ck_assert_double_eq(next_double(&counter, 0x09), round);
        struct slice created = next(&counter, 0x1a).bytes;
        ck_assert_uint_eq(next(&created, 0x08).number, 1700000000u + (uint64_t)round / 2000);
        ck_assert(round % 1000 == 0 ||
                  next(&created, 0x10).number == (uint64_t)(round / 2 % 1000) * 1000000);
        buf_free(&key);
        buf_free(&out);
    }
    protobuf_family_close(&f);
}
END_TEST

START_TEST(a_histogram_has_cumulative_buckets_and_no_infinite_one)
{
    static const double bounds[] = {0.5, 2};
    static const uint64_t counts[] = {3, 300, 1};
    struct protobuf_family f = {.type = METRIC_HISTOGRAM, .bounds = bounds, .n_bounds = 2};
    const struct format_series s = {.counts = counts, .sum = INFINITY};
    struct buf out = BUF_INIT;
    protobuf_series(&out, &f, &s);
    struct slice rest = {out.p, out.len};
    struct slice message = next(&rest, 0x22).bytes;
    struct slice h = next(&message, 0x3a).bytes;
    ck_assert_uint_eq(next(&h, 0x08).number, 304);
    ck_assert_double_eq(next_double(&h, 0x11), DBL_MAX);
    for (size_t i = 0; i < 2; i++) {
        struct slice bucket = next(&h, 0x1a).bytes;
        ck_assert_uint_eq(next(&bucket, 0x08).number, i == 0 ? 3 : 303);
        ck_assert_double_eq(next_double(&bucket, 0x11), bounds[i]);
        ck_assert_uint_eq(bucket.len, 0);
    }
    ck_assert_uint_eq(h.len, 0);
    buf_free(&out);
}
END_TEST

UNIT_MAIN("protobuf", a_family_says_what_it_is, samples_have_labels_and_a_value,
          any_label_values_are_read_as_they_were_sent,
          a_histogram_has_cumulative_buckets_and_no_infinite_one)
