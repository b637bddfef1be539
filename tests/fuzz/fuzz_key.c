// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_key: a series' key. The input's parts between NULs are values: their key is what a naive writer writes, and they
 * come back from it. A match with any of them means the key, and one with another value does not. The whole input is a
 * key that somebody left in a file: it is good if a naive reader can take it apart, and writes it again byte for byte.
 */
#include "base/text.h"
#include "catalog/load.h"
#include "fuzz.h"
#include "series/key.h"

enum { LABELS = 3 };

static const char *const NAMES[LABELS] = {"a", "provider_type",
                                          "a_label_whose_name_is_rather_long"};

static const char CATALOG[] =
    "metrics: [{name: m_total, type: counter, help: h, labels: [a, provider_type, "
    "a_label_whose_name_is_rather_long]}]\n";

static const struct metric *metric(void)
{
    static struct catalog *c;
    if (c == NULL) {
        struct errs errs = ERRS_INIT;
        must(catalog_load_bytes(&c, "c", CATALOG, strlen(CATALOG), &errs) == 0, "the catalogue");
    }
    return &c->metrics[0];
}

static void write_value(struct buf *out, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        switch (value.p[i]) {
        case '\\':
            buf_str(out, "\\\\");
            break;
        case '"':
            buf_str(out, "\\\"");
            break;
        case '\n':
            buf_str(out, "\\n");
            break;
        default:
            buf_char(out, value.p[i]);
        }
    }
}

static void write_key(struct buf *out, const struct slice *values)
{
    for (size_t i = 0; i < LABELS; i++) {
        buf_addf(out, "%s%s=\"", i > 0 ? "," : "", NAMES[i]);
        write_value(out, values[i]);
        buf_char(out, '"');
    }
}

// The values are those of the key.
static void match(const struct slice *values, const char *key)
{
    struct key_match match = KEY_MATCH_INIT;
    for (size_t i = 0; i < LABELS; i++) {
        int label = key_match_label(metric(), NAMES[i]);
        must(label == (int)i, "another label");
        key_match_add(&match, label, values[i]);
        must(key_match_has(&match, metric(), key), "a key without its values");
    }
    key_match_clear(&match);
    key_match_add(&match, 0, values[1]);
    bool same = values[0].len == values[1].len &&
                (values[0].len == 0 || memcmp(values[0].p, values[1].p, values[0].len) == 0);
    must(key_match_has(&match, metric(), key) == same, "whether it has another value");
    key_match_free(&match);
    must(key_match_label(metric(), "provider") < 0, "a label by the beginning of its name");
}

static void build(const uint8_t *data, size_t size)
{
    struct slice values[LABELS] = {{"", 0}, {"", 0}, {"", 0}};
    struct slice back[LABELS];
    struct slice read[LABELS];
    struct buf key = BUF_INIT;
    struct buf naive = BUF_INIT;
    struct buf value = BUF_INIT;
    bool good = true;
    const char *at = (const char *)data;
    const char *end = at + size;
    for (size_t i = 0; i < LABELS; i++) {
        const char *nul = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
        values[i] = (struct slice){at, (size_t)((nul != NULL ? nul : end) - at)};
        at = nul != NULL ? nul + 1 : end;
        good &= values[i].len > 0 && values[i].len <= CATALOG_MAX_LABEL_VALUE &&
                text_is_utf8(values[i].p, values[i].len);
    }
    key_build(&key, metric(), values);
    write_key(&naive, values);
    must(key.len == naive.len && memcmp(key.p, naive.p, key.len) == 0, "another key");
    must(key_read(metric(), key.p, key.len, read) == good, "whether a built key is good");
    must(key_hash(key.p, key.len) == key_hash(naive.p, naive.len), "another hash");
    key_split(metric(), key.p, back);
    match(values, key.p);
    for (size_t i = 0; i < LABELS; i++) {
        must(!good || (read[i].p == back[i].p && read[i].len == back[i].len), "another value");
        buf_clear(&value);
        key_unescape(&value, back[i]);
        must(value.len == values[i].len &&
                 (value.len == 0 || memcmp(value.p, values[i].p, value.len) == 0),
             "a value comes back as another one");
    }
    buf_free(&key);
    buf_free(&naive);
    buf_free(&value);
}

// The value up to its quote, and past that; NULL when it has none.
static const char *read_value(struct buf *out, const char *at, const char *end)
{
    for (; at < end && *at != '"'; at++) {
        if (*at == '\\') {
            if (++at == end) {
                return NULL;
            }
            buf_char(out, *at == 'n' ? '\n' : *at);
        } else {
            buf_char(out, *at);
        }
    }
    return at < end ? at + 1 : NULL;
}

// Whether somebody's bytes are a key.
static bool is_key(const char *at, size_t len)
{
    struct buf text[LABELS] = {BUF_INIT, BUF_INIT, BUF_INIT};
    struct slice values[LABELS];
    struct buf again = BUF_INIT;
    const char *all = at;
    const char *end = at + len;
    bool good = true;
    for (size_t i = 0; good && i < LABELS; i++) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        at = quote != NULL ? read_value(&text[i], quote + 1, end) : NULL;
        good = at != NULL;
        values[i] = (struct slice){text[i].len > 0 ? text[i].p : "", text[i].len};
        good &= text[i].len > 0 && text[i].len <= CATALOG_MAX_LABEL_VALUE &&
                text_is_utf8(values[i].p, values[i].len) &&
                memchr(values[i].p, '\0', values[i].len) == NULL;
    }
    if (good) {
        write_key(&again, values);
    }
    good = good && again.len == len && memcmp(again.p, all, len) == 0;
    for (size_t i = 0; i < LABELS; i++) {
        buf_free(&text[i]);
    }
    buf_free(&again);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice values[LABELS];
    build(data, size);
    must(key_read(metric(), (const char *)data, size, values) == is_key((const char *)data, size),
         "whether a key is good");
    return 0;
}
