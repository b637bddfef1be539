// SPDX-License-Identifier: Apache-2.0
// Words that were most likely meant.
#include "base/text.h"

enum { NEAREST_MAX = 128 }; // bytes of a word that may still be a slip of the pen

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

// Edits (insert, delete, replace, swap of neighbours) between two words of at most NEAREST_MAX
// bytes.
static unsigned distance(const char *a, size_t la, const char *b, size_t lb)
{
    unsigned rows[3][NEAREST_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= lb; j++) {
        last[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= la; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned d = least(last[j], row[j - 1]) + 1;
            d = least(d, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                d = least(d, before[j - 2] + 1);
            }
            row[j] = d;
        }
        unsigned *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[lb];
}

const char *text_nearest(const char *word, const char *const *words, size_t n)
{
    size_t len = strnlen(word, NEAREST_MAX + 1);
    if (len > NEAREST_MAX) {
        return NULL;
    }
    unsigned limit = len < 6 ? 1 : (unsigned)len / 3;
    const char *best = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t other = strnlen(words[i], NEAREST_MAX + 1);
        size_t apart = other > len ? other - len : len - other;
        if (other > NEAREST_MAX || apart > limit) {
            continue;
        }
        unsigned d = distance(word, len, words[i], other);
        if (d < limit || (d == limit && best == NULL)) {
            best = words[i];
            limit = d;
        }
    }
    return best;
}
