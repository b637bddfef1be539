// SPDX-License-Identifier: Apache-2.0
/*
 * dialogue_words: what fuzz_dialogue's inputs are made of, and how the fuzzer changes them: by whole steps, and by
 * letters, numbers and clients in them, so that most of what it tries has a meaning.
 */
#ifndef VE_TESTS_DIALOGUE_WORDS_H
#define VE_TESTS_DIALOGUE_WORDS_H

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,
                                 size_t two_size, uint8_t *out, size_t max, unsigned seed);

// X stands for a letter, N for a number, V for a value of a closed label.
static const char *const WORDS_LINES[] = {
    "{\"metric\":\"a_total\",\"labels\":{\"x\":\"X\",\"outcome\":\"V\"},\"value\":N}",
    "{\"metric\":\"a_total\",\"labels\":{\"x\":\"X\",\"outcome\":\"V\"}}",
    "{\"metric\":\"a_total\",\"labels\":{\"outcome\":\"V\"},\"value\":N}",
    "{\"metric\":\"b_total\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"metric\":\"c_seconds\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"metric\":\"c_seconds\",\"value\":N}",
    "{\"metric\":\"d\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"metric\":\"d\",\"labels\":{\"x\":\"X\"},\"op\":\"add\",\"value\":N}",
    "{\"metric\":\"e\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"metric\":\"f_info\",\"labels\":{\"x\":\"X\"},\"value\":1}",
    "{\"metric\":\"f_info\",\"labels\":{\"x\":\"X\"},\"value\":1}", // twice as often
    "{\"metric\":\"g\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"metric\":\"h_total\",\"labels\":{\"x\":\"X\",\"k\":\"V\"},\"value\":N}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"outcome\":\"V\"},\"value\":N}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"outcome\":\"V\"}}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"outcome\":\"V\"},\"values\":[N,N,N]}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"outcome\":\"V\"},\"count\":N}",
    "{\"event\":\"pair\",\"labels\":{\"x\":\"X\"},\"values\":[N]}",
    "{\"metric\":\"c_seconds\",\"labels\":{\"x\":\"X\"},\"values\":[N,N]}",
    "{\"event\": \"done\", \"labels\": {\"outcome\": \"V\", \"x\": \"X\"}, \"value\": N}",
    "{\"value\":N,\"event\":\"pair\",\"labels\":{\"x\":\"X\"}}",
    "{\"event\":\"pair\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"metric\":\"b_total\",\"labels\":{\"x\":\"X\"},\"exemplar\":{\"labels\":{\"t\":\"X\"}}}",
    "{\"metric\":\"nope\",\"labels\":{\"x\":\"X\"},\"value\":N}",
};

static const char *const WORDS_CONTROLS[] = {
    "{\"sync\":N}",
    "{\"ping\":\"X\"}",
    "{\"forget\":{\"labels\":{\"x\":\"X\"}}}",
    "{\"forget\":{\"labels\":{\"outcome\":\"V\"}}}",
    "{\"hello\":{\"lost\":N}}",
    "",
    "no JSON X",
};

static const char *const WORDS_HELLOS[] = {
    "{\"hello\":{\"component\":\"manager\"}}",
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"i\"}}",
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"i\",\"interval\":N}}",
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"i\",\"labels\":{\"x\":\"X\"}}}",
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"j\",\"labels\":{\"x\":\"X\"}}}",
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"i\",\"session\":\"X\"}}",
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"j\",\"session\":\"X\",\"lost\":N}}",
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"X\",\"lost\":N}}",
};

static const char *const WORDS_NUMBERS[] = {"1",    "0",     "2.5",    "-1",   "1e400",     "01",
                                            "1e16", "0.1",   "\"1\"",  "null", "-0",        "1.",
                                            "3e2",  "1e308", "2e-308", "7",    "1700000000"};
static const char *const WORDS_VALUES[] = {"ok", "success", "error", "u", "v", "requeue"};
static const char *const WORDS_TIMES[] = {"0",     "999",   "1000",  "2999",     "3000",  "5000",
                                          "20000", "30000", "61000", "86400000", "400000"};

#define WORDS_ONE_OF(table, random) ((table)[words_below(random, sizeof(table) / sizeof *(table))])

static inline uint64_t words_below(uint64_t *random, uint64_t n)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (*random >> 11) % n;
}

// With one of so many letters each.
static inline void words_fill(struct buf *out, const char *piece, unsigned letters,
                              uint64_t *random)
{
    for (; *piece != '\0'; piece++) {
        if (*piece == 'X') {
            buf_char(out, (char)('a' + words_below(random, letters)));
        } else if (*piece == 'N') {
            buf_str(out, words_below(random, 3) == 0 ? WORDS_ONE_OF(WORDS_NUMBERS, random) : "1");
        } else if (*piece == 'V') {
            buf_str(out, WORDS_ONE_OF(WORDS_VALUES, random));
        } else {
            buf_char(out, *piece);
        }
    }
}

static inline void words_batch(struct buf *out, uint64_t *random)
{
    const char *piece = WORDS_ONE_OF(WORDS_LINES, random);
    bool same = words_below(random, 2) == 0; // one metric, of which few series
    buf_char(out, '[');
    for (uint64_t n = 1 + words_below(random, 4); n > 0; n--) {
        words_fill(out, same ? piece : WORDS_ONE_OF(WORDS_LINES, random), same ? 2 : 6, random);
        buf_str(out, n > 1 ? "," : "");
    }
    buf_char(out, ']');
}

static inline void words_line(struct buf *out, uint64_t *random)
{
    switch (words_below(random, 8)) {
    case 0:
    case 1:
        words_batch(out, random);
        break;
    case 2:
    case 3:
        words_fill(out, WORDS_ONE_OF(WORDS_CONTROLS, random), 3, random);
        break;
    default:
        words_fill(out, WORDS_ONE_OF(WORDS_LINES, random), words_below(random, 4) == 0 ? 6 : 3,
                   random);
        break;
    }
}

static inline void words_datagram(struct buf *out, uint64_t *random)
{
    if (words_below(random, 2) == 0) {
        buf_str(out, "D ");
        words_fill(out, WORDS_ONE_OF(WORDS_HELLOS, random), 3, random);
        buf_char(out, '\n');
    }
    for (uint64_t n = 1 + words_below(random, 2); n > 0; n--) {
        buf_str(out, words_below(random, 8) == 0 ? "D-" : "D ");
        words_line(out, random);
        buf_char(out, '\n');
    }
    buf_addf(out, "S%u", (unsigned)words_below(random, 2));
}

// A new step, or some that belong together.
static inline void words_step(struct buf *out, uint64_t *random)
{
    unsigned k = (unsigned)words_below(random, 4);
    switch (words_below(random, 16)) {
    case 0:
    case 1:
        buf_addf(out, "X%u\n%u ", k, k);
        words_fill(out, WORDS_ONE_OF(WORDS_HELLOS, random), 3, random);
        break;
    case 2:
        words_datagram(out, random);
        break;
    case 3:
        buf_addf(out, "T%s", WORDS_ONE_OF(WORDS_TIMES, random));
        break;
    case 4:
        buf_addf(out, "%c%u", "EXCRF"[words_below(random, 5)], (unsigned)words_below(random, 8));
        break;
    case 5:
    case 6:
        for (uint64_t n = 1 + words_below(random, 2); n > 0; n--) {
            buf_addf(out, "!%u %u ", k, (unsigned)words_below(random, 24));
            words_line(out, random);
            buf_char(out, '\n');
        }
        buf_addf(out, "%u ", (k + 2) % 4);
        words_line(out, random);
        break;
    case 7:
        buf_addf(out, "%u%c", k, "+-*"[words_below(random, 3)]);
        words_line(out, random);
        break;
    default:
        buf_addf(out, "%u ", k);
        words_line(out, random);
        break;
    }
    buf_char(out, '\n');
}

// Where a step begins that is chosen from all; its length, with its LF, in *ret_len.
static inline size_t words_choose(const uint8_t *data, size_t size, uint64_t *random,
                                  size_t *ret_len)
{
    size_t from = size > 0 ? words_below(random, size) : 0;
    while (from > 0 && data[from - 1] != '\n') {
        from--;
    }
    const uint8_t *end = size > from ? memchr(data + from, '\n', size - from) : NULL;
    *ret_len = end != NULL ? (size_t)(end - data) + 1 - from : size - from;
    return from;
}

// Another letter, number or client in a step.
static inline void words_change(struct buf *out, const char *step, size_t len, uint64_t *random)
{
    size_t at = words_below(random, len);
    for (size_t i = 0; i < len; i++) {
        bool single = i > 0 && i + 1 < len && step[i - 1] == '"' && step[i + 1] == '"';
        if (i == 0 && step[0] >= '0' && step[0] <= '3' && at % 4 == 0) {
            buf_char(out, (char)('0' + words_below(random, 4)));
        } else if (single && (i >= at || at % 4 == 1)) {
            buf_char(out, (char)('a' + words_below(random, 3)));
            at = len;
        } else if (i >= at && i > 1 && step[i] >= '0' && step[i] <= '9') {
            buf_str(out, WORDS_ONE_OF(WORDS_NUMBERS, random));
            at = len;
        } else {
            buf_char(out, step[i]);
        }
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    uint64_t random = (uint64_t)seed * 0x9E3779B97F4A7C15u | 1;
    size_t len;
    size_t other_len;
    size_t from = words_choose(data, size, &random, &len);
    size_t other = words_choose(data, size, &random, &other_len);
    uint64_t how = words_below(&random, 12);
    if (how == 0 && LLVMFuzzerMutate != NULL) {
        return LLVMFuzzerMutate(data, size, max);
    }
    struct buf out = {.max = max};
    buf_add(&out, data, from);
    if (how <= 6 || len == 0) {
        for (uint64_t n = 1 + words_below(&random, 6); n > 0; n--) {
            words_step(&out, &random); // more
        }
        buf_add(&out, data + from, size - from);
    } else if (how == 7) {
        buf_add(&out, data + from + len, size - from - len); // one less
    } else if (how == 8) {
        buf_add(&out, data + other, other_len); // once more
        buf_add(&out, data + from, size - from);
    } else if (how == 9) {
        words_step(&out, &random); // another one
        buf_add(&out, data + from + len, size - from - len);
    } else {
        words_change(&out, (const char *)data + from, len, &random);
        buf_add(&out, data + from + len, size - from - len);
    }
    if (!out.failed && out.len > 0) {
        memcpy(data, out.p, out.len);
        size = out.len;
    }
    buf_free(&out);
    return size;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,
                                 size_t two_size, uint8_t *out, size_t max, unsigned seed)
{
    uint64_t random = (uint64_t)seed * 0x9E3779B97F4A7C15u | 1;
    size_t ignored;
    size_t head = words_choose(one, one_size, &random, &ignored);
    size_t from = words_choose(two, two_size, &random, &ignored);
    size_t tail = two_size - from < max - head ? two_size - from : max - head;
    memcpy(out, one, head < max ? head : max);
    memcpy(out + head, two + from, tail);
    return head + tail;
}

#endif
