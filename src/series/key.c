// SPDX-License-Identifier: Apache-2.0
#include "series/key.h"

#include "base/clock.h"
#include "base/invariant.h"
#include "base/text.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

// Of key_hash, in this process. Whoever does not know it cannot choose keys that collide.
static unsigned char secret[XXH3_SECRET_DEFAULT_SIZE];

uint64_t key_random(void)
{
    uint64_t n;
    if (getrandom(&n, sizeof n, GRND_NONBLOCK) != sizeof n) {
        n = clock_mono_ns() * 0x9E3779B97F4A7C15u ^ (uint64_t)getpid();
    }
    return n;
}

__attribute__((constructor)) static void draw_secret(void)
{
    XXH3_generateSecret_fromSeed(secret, key_random());
}

// Most openings are short: to copy as many bytes of each takes less than to find out how many there are.
static void add_opening(struct buf *out, const struct label *l)
{
    size_t len = l->name_len + 2;
    if (len <= CATALOG_OPENING && buf_reserve(out, CATALOG_OPENING)) {
        memcpy(out->p + out->len, l->opening, CATALOG_OPENING);
        out->len += len;
    } else {
        buf_add(out, l->opening, len);
    }
}

void key_build(struct buf *out, const struct metric *m, const struct slice *values)
{
    for (size_t i = 0; i < m->n_labels; i++) {
        if (i > 0) {
            buf_char(out, ',');
        }
        add_opening(out, &m->labels[i]);
        text_label_value(out, values[i].p, values[i].len);
        buf_char(out, '"');
    }
}

uint64_t key_hash(const char *text, size_t len)
{
    return XXH3_64bits_withSecret(text, len, secret, sizeof secret);
}

uint64_t key_hash_with(const void *bytes, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}

void key_split(const struct metric *m, const char *text, struct slice *ret_values)
{
    const char *at = text;
    for (size_t i = 0; i < m->n_labels; i++) {
        at += m->labels[i].name_len + 2;
        const char *end = at;
        while (*end != '"') {
            end += *end == '\\' ? 2 : 1;
        }
        ret_values[i] = (struct slice){at, (size_t)(end - at)};
        at = end + 2;
    }
}

// The bytes of a value up to its closing quote, escapes and all; -1 when it is none.
static int value_len(const char *text, size_t len)
{
    size_t bytes = 0; // unescaped
    for (size_t i = 0; i < len && bytes <= CATALOG_MAX_LABEL_VALUE; i++, bytes++) {
        if (text[i] == '"') {
            return i > 0 && text_is_utf8(text, i) ? (int)i : -1;
        }
        if (text[i] == '\n' || text[i] == '\0') {
            return -1;
        }
        if (text[i] == '\\' && (++i == len || memchr("\\\"n", text[i], 3) == NULL)) {
            return -1;
        }
    }
    return -1;
}

// A bit for eight bytes of which one is no ASCII, a control character or a backslash.
static uint64_t unusual(const char *text, size_t len)
{
    static const uint64_t ones = 0x0101010101010101;
    uint64_t eight = ones * 'a';
    memcpy(&eight, text, len);
    uint64_t backslash = eight ^ ones * '\\';
    return (eight | (eight - ones * ' ') | ((backslash - ones) & ~backslash)) & ones << 7;
}

// Whether there is none of these, as in nearly every key.
static bool is_ordinary(const char *text, size_t len)
{
    uint64_t found = 0;
    size_t i = 0;
    for (; len - i >= sizeof found; i += sizeof found) {
        found |= unusual(text + i, sizeof found);
    }
    return (found | unusual(text + i, len - i)) == 0;
}

// value_len of such a key.
static int ordinary_len(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] != '"') {
        n++;
    }
    return n > 0 && n < len && n <= CATALOG_MAX_LABEL_VALUE ? (int)n : -1;
}

bool key_read(const struct metric *m, const char *text, size_t len, struct slice *ret_values)
{
    bool ordinary = is_ordinary(text, len);
    size_t at = 0;
    for (size_t i = 0; i < m->n_labels; i++) {
        const struct label *l = &m->labels[i];
        if (i > 0 && (at == len || text[at++] != ',')) {
            return false;
        }
        size_t opening = l->name_len + 2;
        if (len - at < opening || memcmp(text + at, l->opening, opening) != 0) {
            return false;
        }
        at += opening;
        int value = ordinary ? ordinary_len(text + at, len - at) : value_len(text + at, len - at);
        if (value < 0) {
            return false;
        }
        ret_values[i] = (struct slice){text + at, (size_t)value};
        at += (size_t)value + 1;
    }
    return at == len;
}

char *key_unescape_value(char *p, const char **at, const char *end)
{
    const char *from = *at;
    for (; from < end && *from != '"'; from++) {
        if (*from == '\\' && from + 1 < end) {
            from++;
            *p++ = *from == 'n' ? '\n' : *from;
        } else {
            *p++ = *from;
        }
    }
    *at = from;
    return p;
}

void key_unescape(struct buf *out, struct slice escaped)
{
    if (escaped.len > 0 && buf_reserve(out, escaped.len)) {
        char *end = key_unescape_value(out->p + out->len, &escaped.p, escaped.p + escaped.len);
        out->len = (size_t)(end - out->p);
    }
}

// ---- Which series are meant

int key_match_label(const struct metric *m, const char *name)
{
    for (size_t i = 0; i < m->n_labels; i++) {
        if (strcmp(m->labels[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void key_match_add(struct key_match *match, int label, struct slice value)
{
    invariant(label >= 0 && match->n < KEY_MATCH_MAX_LABELS, "a match has room for each label");
    text_label_value(&match->values, value.p, value.len);
    match->labels[match->n] = (size_t)label;
    match->ends[match->n++] = match->values.len;
}

bool key_match_has(const struct key_match *match, const struct metric *m, const char *key)
{
    if (match->values.failed) {
        return false;
    }
    struct slice values[CATALOG_MAX_LABELS];
    if (match->n > 0) {
        key_split(m, key, values);
    }
    size_t from = 0;
    for (size_t k = 0; k < match->n; k++) {
        struct slice value = values[match->labels[k]];
        size_t len = match->ends[k] - from;
        if (value.len != len || (len > 0 && memcmp(match->values.p + from, value.p, len) != 0)) {
            return false;
        }
        from = match->ends[k];
    }
    return true;
}

void key_match_clear(struct key_match *match)
{
    match->n = 0;
    buf_clear(&match->values);
}

void key_match_free(struct key_match *match)
{
    buf_free(&match->values);
    *match = KEY_MATCH_INIT;
}
