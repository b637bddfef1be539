// SPDX-License-Identifier: Apache-2.0
// fuzz: what a target needs that compares a function with a naive one.
#ifndef VE_TESTS_FUZZ_H
#define VE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

// A copy of the bytes with a NUL behind them, to be freed.
static inline char *text_of(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    must(text != NULL, "no memory");
    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

#endif
