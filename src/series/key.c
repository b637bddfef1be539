// SPDX-License-Identifier: Apache-2.0
#include "series/key.h"

#include "base/clock.h"
#include "base/text.h"

#include <sys/random.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

// Of key_hash, in this process. Whoever does not know it cannot choose keys that collide.
static struct {
    uint64_t seed;
    unsigned char secret[XXH3_SECRET_DEFAULT_SIZE]; // made of it, for long texts
} secret;

__attribute__((constructor)) static void draw(void)
{
    if (getrandom(&secret.seed, sizeof secret.seed, GRND_NONBLOCK) != sizeof secret.seed) {
        secret.seed = clock_mono_ns() * 0x9E3779B97F4A7C15u ^ (uint64_t)getpid();
    }
    XXH3_generateSecret_fromSeed(secret.secret, secret.seed);
}

void key_build(struct buf *out, const struct metric *m, const struct slice *values)
{
    for (size_t i = 0; i < m->n_labels; i++) {
        if (i > 0) {
            buf_char(out, ',');
        }
        buf_str(out, m->labels[i].name);
        buf_add(out, "=\"", 2);
        text_label_value(out, values[i].p, values[i].len);
        buf_char(out, '"');
    }
}

uint64_t key_hash(const char *text, size_t len)
{
    return XXH3_64bits_withSecretandSeed(text, len, secret.secret, sizeof secret.secret,
                                         secret.seed);
}

uint64_t key_hash_with(const void *bytes, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}

void key_split(const struct metric *m, const char *text, struct slice *ret_values)
{
    const char *at = text;
    for (size_t i = 0; i < m->n_labels; i++) {
        at += strlen(m->labels[i].name) + 2;
        const char *end = at;
        while (*end != '"') {
            end += *end == '\\' ? 2 : 1;
        }
        ret_values[i] = (struct slice){at, (size_t)(end - at)};
        at = end + 2;
    }
}

void key_unescape(struct buf *out, struct slice escaped)
{
    for (size_t i = 0; i < escaped.len; i++) {
        char c = escaped.p[i];
        if (c == '\\' && i + 1 < escaped.len) {
            i++;
            c = escaped.p[i] == 'n' ? '\n' : escaped.p[i];
        }
        buf_char(out, c);
    }
}
