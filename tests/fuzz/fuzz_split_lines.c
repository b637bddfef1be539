// SPDX-License-Identifier: Apache-2.0
// fuzz_split_lines: bytes to lines, against a loop over bytes, from every of the first places, with and without AVX2.
#include "ingest/split.c"

#include "fuzz.h"

enum { PLACES = 3 };

// As on a CPU without AVX2.
static size_t narrow_lines(const char *at, const char *end, struct line *ret)
{
    size_t n = 0;
#ifdef __SSE2__
    n = split_blocks(&at, end, ret, newlines_sse2);
#endif
    return split_rest(at, end, ret, n);
}

static void compare(const char *at, const char *end,
                    size_t (*cut)(const char *, const char *, struct line *))
{
    struct line lines[EVENT_LINES];
    size_t n;
    while ((n = cut(at, end, lines)) > 0) {
        must(n <= EVENT_LINES, "too many lines");
        for (size_t i = 0; i < n; i++) {
            const char *from = at;
            while (at < end && *at != '\n') {
                at++;
            }
            must(at < end, "a line has no LF");
            must(lines[i].bytes == from && lines[i].len == (size_t)(at - from), "another line");
            at++;
        }
        must(n == EVENT_LINES || memchr(at, '\n', (size_t)(end - at)) == NULL, "a line is left");
    }
    must(memchr(at, '\n', (size_t)(end - at)) == NULL, "lines are left");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < PLACES && i <= size; i++) {
        // Memory of just its size, so that a read beyond it is seen.
        char *bytes = malloc(size - i > 0 ? size - i : 1);
        must(bytes != NULL, "no memory");
        memcpy(bytes, data + i, size - i);
        compare(bytes, bytes + size - i, split_lines);
        compare(bytes, bytes + size - i, narrow_lines);
        free(bytes);
    }
    return 0;
}
