// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_protobuf: what a reader of its own finds in a family's messages is what was written. The input's parts between NULs
 * are: letters of options, the help, a number, milliseconds, the values of three labels, and names and values of an
 * exemplar's labels. The options: `c`, `g`, `h`: a counter, a gauge, a histogram, else a sample without a known type; `e`: with
 * exemplars; `u`: with a unit; `n`: a histogram has a native form, too; `a`: the native one alone.
 */
#include "base/num.h"
#include "base/text.h"
#include "catalog/load.h"
#include "expose/protobuf.h"
#include "fuzz.h"
#include "series/exemplar.h"
#include "series/key.h"
#include "series/native.h"

#include <math.h>

// The second one's name alone takes a length of two bytes.
#define LONG                                                                                       \
    "label_whose_name_is_longer_than_a_hundred_and_twenty_seven_bytes_so_that_its_length_takes_"   \
    "two_bytes_in_protobuf_0123456789_0123456789_0123456789"
static const char CATALOG[] =
    "metrics:\n"
    "- {name: a_total, type: counter, help: h, labels: [a, " LONG ", provider_type]}\n"
    "- {name: b, type: gauge, help: h, labels: [a, " LONG ", provider_type]}\n"
    "- {name: c, type: histogram, help: h, labels: [a, " LONG
    ", provider_type], buckets: [0.5, 2]}\n";

enum { LABELS = 3, BOUNDS = 2, PAIRS = 8, SERIES = 2, BUCKETS = 60 };

static const char *const NAMES[LABELS] = {"a", LONG, "provider_type"};
static const double LE[BOUNDS + 1] = {0.5, 2, INFINITY};

struct pair {
    struct slice name;
    struct slice value;
};

// What is written, and has to be read.
struct content {
    const struct metric *metric; // NULL: a sample without a known type
    struct slice help;           // without NUL
    const char *unit;
    double number;
    uint64_t ms;
    uint64_t counts[BOUNDS + 1];
    struct slice values[LABELS];
    size_t n_pairs;
    struct pair pairs[PAIRS];
    bool has_exemplars;
    bool is_native_alone;
    struct native_sum native; // of a native histogram
    uint64_t native_count;    // 0: it is none
    struct native_bucket buckets[BUCKETS];
};

// ---- Reading

struct field {
    unsigned number;
    uint64_t varint; // or the bits of a double
    struct slice bytes;
};

static uint64_t take_varint(struct slice *rest, unsigned most)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < most; i++) {
        must(rest->len > 0, "a varint breaks off");
        uint64_t byte = (unsigned char)rest->p[0];
        *rest = (struct slice){rest->p + 1, rest->len - 1};
        n |= (byte & 127) << 7 * i;
        if (byte < 128) {
            return n;
        }
    }
    must(false, "a varint is too long");
    return 0;
}

static struct slice take_bytes(struct slice *rest, uint64_t len)
{
    must(len <= rest->len, "a message is longer than what it is in");
    struct slice bytes = {rest->p, len};
    *rest = (struct slice){rest->p + len, rest->len - len};
    return bytes;
}

static struct field take(struct slice *rest)
{
    uint64_t tag = take_varint(rest, 2);
    struct field f = {.number = (unsigned)(tag >> 3)};
    switch (tag & 7) {
    case 0:
        f.varint = take_varint(rest, 10);
        break;
    case 1:
        memcpy(&f.varint, take_bytes(rest, 8).p, 8);
        break;
    default:
        must((tag & 7) == 2, "another wire type");
        f.bytes = take_bytes(rest, take_varint(rest, 5));
    }
    return f;
}

static struct field take_known(struct slice *rest, unsigned number)
{
    struct field f = take(rest);
    must(f.number == number, "another field than this one");
    return f;
}

static bool is_same(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static void expect_double(struct field f, double wanted)
{
    double v;
    memcpy(&v, &f.varint, sizeof v);
    must(v == wanted || (isnan(v) && isnan(wanted)), "another number");
}

static void expect_pair(struct slice pair, struct slice name, struct slice value)
{
    must(is_same(take_known(&pair, 1).bytes, name), "another label");
    must(is_same(take_known(&pair, 2).bytes, value), "another value of a label");
    must(pair.len == 0, "a label has more");
}

static void expect_time(struct slice time, uint64_t ms)
{
    must(take_known(&time, 1).varint == ms / 1000, "other seconds");
    must(take_known(&time, 2).varint == ms % 1000 * 1000000, "other nanoseconds");
    must(time.len == 0, "a time has more");
}

static void expect_exemplar(struct slice exemplar, const struct content *c)
{
    for (size_t i = 0; i < c->n_pairs; i++) {
        expect_pair(take_known(&exemplar, 1).bytes, c->pairs[i].name, c->pairs[i].value);
    }
    expect_double(take_known(&exemplar, 2), c->number);
    expect_time(take_known(&exemplar, 3).bytes, c->ms);
    must(exemplar.len == 0, "an exemplar has more");
}

static int64_t from_zigzag(uint64_t n)
{
    return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
}

// The next message's spans and the deltas behind them, if there are any of this sign: they are the buckets from *at on.
static void expect_buckets(struct slice *h, const struct content *c, bool negative, size_t *at)
{
    const struct native_sum *s = &c->native;
    unsigned span_field = negative ? 9 : 12;
    int64_t starts[BUCKETS];
    uint64_t lengths[BUCKETS];
    size_t n = 0;
    int64_t index = 0;
    if (*at == s->n || s->buckets[*at].negative != negative) {
        return;
    }
    struct field f = take(h);
    for (; f.number == span_field; f = take(h)) {
        int64_t offset = from_zigzag(take_known(&f.bytes, 1).varint);
        must(n < BUCKETS && (n == 0 || offset >= 0), "a span goes back");
        starts[n] = index + offset;
        lengths[n] = take_known(&f.bytes, 2).varint;
        must(f.bytes.len == 0 && lengths[n] > 0, "a span has more, or nothing");
        index = starts[n] + (int64_t)lengths[n];
        n++;
    }
    must(f.number == span_field + 1, "spans without deltas");
    int64_t count = 0;
    for (size_t i = 0; i < n; i++) {
        for (uint64_t k = 0; k < lengths[i]; k++) {
            count += from_zigzag(take_varint(&f.bytes, 10));
            const struct native_bucket *b = &s->buckets[*at];
            bool is_it =
                *at < s->n && b->negative == negative && b->index == starts[i] + (int64_t)k;
            must((uint64_t)count == (is_it ? b->count : 0), "another count of a native bucket");
            *at += is_it;
        }
    }
    must(f.bytes.len == 0, "more deltas than buckets");
}

static void expect_native(struct slice *h, const struct content *c)
{
    size_t at = 0;
    must((int32_t)from_zigzag(take_known(h, 5).varint) == c->native.schema, "another schema");
    expect_double(take_known(h, 6), c->native.zero_threshold);
    must(take_known(h, 7).varint == c->native.zero_count, "another zero bucket");
    expect_buckets(h, c, true, &at);
    expect_buckets(h, c, false, &at);
    must(at == c->native.n, "a native bucket is missing");
}

static void expect_histogram(struct slice h, const struct content *c, bool has_exemplars)
{
    uint64_t total = 0;
    uint64_t classic = c->counts[0] + c->counts[1] + c->counts[2];
    must(take_known(&h, 1).varint == (c->native_count > 0 ? c->native_count : classic),
         "another count");
    expect_double(take_known(&h, 2), format_finite(c->number));
    for (size_t i = 0; i < (size_t)BOUNDS + has_exemplars && !c->is_native_alone; i++) {
        struct slice bucket = take_known(&h, 3).bytes;
        total += c->counts[i];
        must(take_known(&bucket, 1).varint == total, "another count of a bucket");
        expect_double(take_known(&bucket, 2), LE[i]);
        if (has_exemplars) {
            expect_exemplar(take_known(&bucket, 3).bytes, c);
        }
        must(bucket.len == 0, "a bucket has more");
    }
    if (c->native_count > 0) {
        expect_native(&h, c);
    }
    for (size_t i = 0; i <= BOUNDS && c->is_native_alone && has_exemplars; i++) {
        expect_exemplar(take_known(&h, 16).bytes, c);
    }
    if (c->ms > 0) {
        expect_time(take_known(&h, 15).bytes, c->ms);
    }
    must(h.len == 0, "a histogram has more");
}

static void expect_counter(struct slice counter, const struct content *c, bool has_exemplars)
{
    expect_double(take_known(&counter, 1), format_finite((double)c->counts[0] + c->number));
    if (has_exemplars) {
        expect_exemplar(take_known(&counter, 2).bytes, c);
    }
    if (c->ms > 0) {
        expect_time(take_known(&counter, 3).bytes, c->ms);
    }
    must(counter.len == 0, "a counter has more");
}

static void expect_metric(struct slice metric, const struct content *c, bool has_exemplars)
{
    for (size_t i = 0; i < LABELS; i++) {
        expect_pair(take_known(&metric, 1).bytes, slice_of(NAMES[i]), c->values[i]);
    }
    struct field f = take(&metric);
    must(metric.len == 0, "a metric has more");
    if (c->metric != NULL && c->metric->type == METRIC_COUNTER) {
        must(f.number == 3, "no counter");
        expect_counter(f.bytes, c, has_exemplars);
    } else if (c->metric != NULL && c->metric->type == METRIC_HISTOGRAM) {
        must(f.number == 7, "no histogram");
        expect_histogram(f.bytes, c, has_exemplars);
    } else {
        must(f.number == (c->metric != NULL ? 2 : 5), "no number");
        expect_double(take_known(&f.bytes, 1), c->number);
        must(f.bytes.len == 0, "a number has more");
    }
}

static void expect_family(struct slice body, const struct content *c)
{
    struct slice family = take_bytes(&body, take_varint(&body, 5));
    must(body.len == 0, "more than one family");
    must(is_same(take_known(&family, 1).bytes, slice_of(c->metric ? c->metric->name : "d")),
         "another name");
    must(is_same(take_known(&family, 2).bytes, c->help), "another help");
    static const uint64_t types[] = {
        [METRIC_COUNTER] = 0, [METRIC_GAUGE] = 1, [METRIC_HISTOGRAM] = 4};
    must(take_known(&family, 3).varint == (c->metric != NULL ? types[c->metric->type] : 3),
         "another type");
    if (c->unit[0] != '\0') {
        must(is_same(take_known(&family, 5).bytes, slice_of(c->unit)), "another unit");
    }
    for (int i = 0; i < SERIES; i++) {
        expect_metric(take_known(&family, 4).bytes, c, c->has_exemplars && i > 0);
    }
    must(family.len == 0, "a family has more");
}

// ---- Writing

// Puts the exemplar into each place of a series, as an event leaves it there.
static void keep_exemplars(struct exemplar_row row, struct content *c)
{
    struct buf text = BUF_INIT;
    buf_str(&text, " # {");
    for (size_t i = 0; i < c->n_pairs; i++) {
        buf_str(&text, i > 0 ? "," : "");
        buf_add(&text, c->pairs[i].name.p, c->pairs[i].name.len);
        buf_str(&text, "=\"");
        text_label_value(&text, c->pairs[i].value.p, c->pairs[i].value.len);
        buf_char(&text, '"');
    }
    buf_str(&text, "} ");
    must(!text.failed, "no memory");
    for (size_t i = 0; i < row.n_places; i++) {
        // One that is too long is not kept, so there is none.
        c->has_exemplars = exemplar_keep(row, i, text.p, text.len, c->number, c->ms);
    }
    buf_free(&text);
}

static void write_series(struct buf *out, struct content *c)
{
    struct protobuf_family family;
    struct buf key = BUF_INIT;
    _Atomic(struct exemplars *) kept = NULL;
    _Atomic uint64_t n_kept = 0;
    struct exemplar_row row = {&kept, c->metric->type == METRIC_HISTOGRAM ? BOUNDS + 1 : 1,
                               &n_kept};
    if (c->has_exemplars) {
        keep_exemplars(row, c);
    }
    key_build(&key, c->metric, c->values);
    protobuf_family_init(&family, c->metric);
    family.is_native_alone = c->is_native_alone;
    struct format_series s = {.labels = {key.p, key.len},
                              .created_ms = c->ms,
                              .whole = c->counts[0],
                              .rest = c->number,
                              .value = c->number,
                              .counts = c->counts,
                              .sum = c->number,
                              .native = c->native_count > 0 ? &c->native : NULL,
                              .native_count = c->native_count};
    protobuf_series(out, &family, &s);
    s.exemplars = c->has_exemplars ? kept : NULL;
    protobuf_series(out, &family, &s);
    protobuf_family_close(&family);
    exemplars_free(row);
    buf_free(&key);
}

static void write_samples(struct buf *out, const struct content *c)
{
    for (int i = 0; i < SERIES; i++) {
        struct buf labels = BUF_INIT;
        for (size_t k = 0; k < LABELS; k++) {
            protobuf_label(&labels, NAMES[k], c->values[k].p, c->values[k].len);
        }
        protobuf_sample(out, "unknown", &labels, c->number);
        buf_free(&labels);
    }
}

static void write_and_read(struct content *c)
{
    struct buf out = BUF_INIT;
    char *help = text_of((const uint8_t *)c->help.p, c->help.len);
    const struct format_head head = {.name = c->metric != NULL ? c->metric->name : "d",
                                     .help = help,
                                     .type = c->metric ? catalog_type_names[c->metric->type]
                                                       : "unknown",
                                     .unit = c->unit};
    size_t begun = protobuf_begin(&out, &head);
    if (c->metric != NULL) {
        write_series(&out, c);
    } else {
        write_samples(&out, c);
    }
    protobuf_end(&out, begun);
    must(!out.failed, "no memory");
    expect_family((struct slice){out.p, out.len}, c);
    // Where there is no room for all, what there is stays as it is.
    struct buf none = {.max = out.len / 2};
    protobuf_end(&none, protobuf_begin(&none, &head));
    if (c->metric != NULL) {
        write_series(&none, c);
    }
    must(none.failed || c->metric == NULL, "no room, and it does not fail");
    buf_free(&none);
    buf_free(&out);
    free(help);
}

// ---- The input

static struct slice part(const char **at, const char *end)
{
    const char *from = *at;
    const char *nul = from < end ? memchr(from, '\0', (size_t)(end - from)) : NULL;
    *at = nul != NULL ? nul + 1 : end;
    return (struct slice){from, (size_t)((nul != NULL ? nul : end) - from)};
}

static bool has_option(struct slice options, char c)
{
    return options.len > 0 && memchr(options.p, c, options.len) != NULL;
}

static double number_of(struct slice text)
{
    char number[64] = "";
    memcpy(number, text.p, text.len < sizeof number ? text.len : sizeof number - 1);
    return strtod(number, NULL);
}

static const struct metric *metric_of(struct slice options)
{
    static struct catalog *catalog;
    if (catalog == NULL) {
        struct errs errs = ERRS_INIT;
        must(catalog_load_bytes(&catalog, "c", CATALOG, strlen(CATALOG), &errs) == 0,
             "the catalogue");
    }
    for (size_t i = 0; i < catalog->n_metrics; i++) {
        if (has_option(options, "cgh"[i])) {
            return &catalog->metrics[i];
        }
    }
    return NULL;
}

// Buckets that follow from the number and the time: some side by side, some with gaps, of both signs.
static void make_native(struct content *c)
{
    uint64_t random = c->ms | 1;
    size_t n = (size_t)fmin(fabs(c->number), BUCKETS);
    size_t negative = n / 3;
    c->native = (struct native_sum){.schema = (int)(c->ms % 13) + NATIVE_SCHEMA_LEAST,
                                    .zero_threshold = NATIVE_ZERO_THRESHOLD,
                                    .zero_count = c->ms % 1000 + 1,
                                    .buckets = c->buckets,
                                    .n = n};
    c->native_count = c->native.zero_count;
    int32_t index = -(int32_t)(c->ms % 300000);
    for (size_t i = 0; i < n; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        index = i == negative ? -(int32_t)(random >> 50) : index;
        index += 1 + (int32_t)(random >> 60) % 6 * (int32_t)(random >> 40 & 1);
        c->buckets[i] =
            (struct native_bucket){i < negative, index, 1 + (random >> (1 + random % 63))};
        c->native_count += c->buckets[i].count;
    }
}

// A label that an event may give an exemplar: events with others are rejected.
static bool is_good_pair(struct slice name)
{
    char *text = text_of((const uint8_t *)name.p, name.len);
    bool is_good = text_is_label_name(text);
    free(text);
    return is_good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data;
    const char *end = at + size;
    struct content c = {.unit = ""};
    struct slice options = part(&at, end);
    c.metric = metric_of(options);
    c.unit = has_option(options, 'u') ? "seconds" : "";
    c.has_exemplars =
        c.metric != NULL && c.metric->type != METRIC_GAUGE && has_option(options, 'e');
    c.help = part(&at, end);
    c.number = number_of(part(&at, end));
    c.number = isfinite(c.number) ? c.number : 0; // as all that comes in events
    c.ms = (uint64_t)fmin(fmax(number_of(part(&at, end)), 0), 3e13);
    for (size_t i = 0; i <= BOUNDS; i++) {
        c.counts[i] = (uint64_t)c.ms % (uint64_t)(100 + 1000 * i);
    }
    if (c.metric != NULL && c.metric->type == METRIC_HISTOGRAM && has_option(options, 'n')) {
        make_native(&c);
        c.is_native_alone = has_option(options, 'a');
    }
    for (size_t i = 0; i < LABELS; i++) {
        c.values[i] = part(&at, end);
    }
    while (at < end && c.n_pairs < PAIRS) {
        struct pair p = {.name = part(&at, end)};
        p.value = part(&at, end);
        if (is_good_pair(p.name)) {
            c.pairs[c.n_pairs++] = p;
        }
    }
    write_and_read(&c);
    return 0;
}
