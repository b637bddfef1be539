// SPDX-License-Identifier: Apache-2.0
/*
 * exposition: whether bytes are a sane text exposition: every line has its grammar, every sample stands under
 * the TYPE of its family, and a histogram's buckets rise to +Inf, which is its count. For tests and fuzzing.
 */
#ifndef VE_TESTS_EXPOSITION_H
#define VE_TESTS_EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// What was seen so far.
struct exposition {
    const char *family; // name after the last TYPE
    size_t family_len;
    bool histogram;
    double last;     // of the last bucket of the series at hand
    double infinite; // its +Inf bucket
};

static inline bool exposition_starts(const char *s, size_t len, const char *with)
{
    return len >= strlen(with) && memcmp(s, with, strlen(with)) == 0;
}

// The end of {a="b",...}, or NULL when it has no such form. A value's backslash stands before \, " or n.
static inline const char *exposition_labels(const char *at, const char *end)
{
    for (at++; at < end;) {
        const char *equals = memchr(at, '=', (size_t)(end - at));
        if (equals == NULL || equals == at || equals + 1 >= end || equals[1] != '"') {
            return NULL;
        }
        for (at = equals + 2; at < end && *at != '"'; at++) {
            if (*at == '\\' && (++at == end || strchr("\\\"n", *at) == NULL)) {
                return NULL;
            }
        }
        if (at + 1 >= end || (at[1] != ',' && at[1] != '}')) {
            return NULL;
        }
        at += 2;
        if (at[-1] == '}') {
            return at;
        }
    }
    return NULL;
}

static inline const char *exposition_bucket(struct exposition *e, const char *rest, size_t len,
                                            const char *labels_end, double value)
{
    if (exposition_starts(rest, len, "_bucket{")) {
        if (value < e->last) {
            return "a bucket is below the one before it";
        }
        bool infinite = memcmp(labels_end - 10, "le=\"+Inf\"}", 10) == 0;
        e->last = infinite ? 0 : value;
        e->infinite = infinite ? value : e->infinite;
        return NULL;
    }
    if (exposition_starts(rest, len, "_count")) {
        return value == e->infinite ? NULL : "+Inf and count differ";
    }
    return exposition_starts(rest, len, "_sum") ? NULL : "a histogram has an odd suffix";
}

static inline const char *exposition_sample(struct exposition *e, const char *line, size_t len)
{
    const char *end = line + len;
    if (e->family == NULL || len < e->family_len || memcmp(line, e->family, e->family_len) != 0) {
        return "a sample is not of the family that stands above it";
    }
    const char *rest = line + e->family_len;
    const char *at = rest;
    while (at < end && *at != '{' && *at != ' ') {
        at++;
    }
    if (!e->histogram && at != rest) {
        return "a name has a suffix";
    }
    if (at < end && *at == '{' && (at = exposition_labels(at, end)) == NULL) {
        return "labels are malformed";
    }
    if (at + 1 >= end || *at != ' ') {
        return "a sample has no value";
    }
    char *stop;
    double value = strtod(at + 1, &stop);
    if (stop != end || value - value != 0) {
        return "a value is no finite number";
    }
    return e->histogram ? exposition_bucket(e, rest, (size_t)(end - rest), at, value) : NULL;
}

static inline const char *exposition_line(struct exposition *e, const char *line, size_t len)
{
    if (exposition_starts(line, len, "# HELP ")) {
        return NULL;
    }
    if (!exposition_starts(line, len, "# TYPE ")) {
        return exposition_sample(e, line, len);
    }
    const char *space = memchr(line + 7, ' ', len - 7);
    if (space == NULL) {
        return "a TYPE has no type";
    }
    *e = (struct exposition){.family = line + 7, .family_len = (size_t)(space - line - 7)};
    e->histogram = exposition_starts(space + 1, (size_t)(line + len - space - 1), "histogram");
    return NULL;
}

// Returns NULL, or what is wrong with the line that *ret_line then points to. `text` ends with NUL.
static inline const char *exposition_check(const char *text, const char **ret_line)
{
    struct exposition e = {0};
    const char *wrong = NULL;
    for (const char *newline; wrong == NULL && *text != '\0'; text = newline + 1) {
        *ret_line = text;
        newline = strchr(text, '\n');
        if (newline == NULL) {
            return "the last line has no LF";
        }
        wrong = exposition_line(&e, text, (size_t)(newline - text));
    }
    return wrong;
}

#endif
