// SPDX-License-Identifier: Apache-2.0
#include "event/json.h"

#include "base/text.h"
#include "event/line.h"
#include "event/number.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// Whole numbers are read as doubles too: what counts is the value, not whether it fits 64 bits.
static const size_t FLAGS = JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool in_number(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
}

/*
 * Overwrites every number beyond a double by null, in one pass, so that a line full of them costs no more
 * than two parses. Such a number has more than four characters.
 */
static void blank_overflows(struct buf *b)
{
    size_t i = 0;
    while (i < b->len) {
        size_t from = i;
        if (b->p[i] == '"') {
            for (i++; i < b->len && b->p[i] != '"'; i++) {
                i += b->p[i] == '\\';
            }
            i++;
            continue;
        }
        while (i < b->len && in_number(b->p[i])) {
            i++;
        }
        if (number_is(b->p + from, i - from) && isinf(strtod(b->p + from, NULL))) {
            memset(b->p + from, ' ', i - from);
            memcpy(b->p + from, "null", 4);
        }
        i += i == from;
    }
}

// Parses; where a number is beyond a double, parses a copy in which it reads null.
static json_t *load(const char *line, size_t len, size_t flags, struct buf *scratch,
                    json_error_t *err)
{
    json_t *root = json_loadb(line, len, flags, err);
    if (root == NULL && json_error_code(err) == json_error_numeric_overflow) {
        buf_clear(scratch);
        buf_add(scratch, line, len);
        if (buf_string(scratch) != NULL) {
            blank_overflows(scratch);
            root = json_loadb(scratch->p, scratch->len, flags, err);
        }
    }
    return root;
}

// The position of the array's element that the byte at `at` stands in; -1 when the line is no array.
static int element_at(const char *line, size_t at)
{
    size_t i = 0;
    while (i < at && is_space(line[i])) {
        i++;
    }
    if (i >= at || line[i] != '[') {
        return -1;
    }
    int depth = 0;
    int element = 0;
    for (bool quoted = false; i < at; i++) {
        char c = line[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            depth++;
        } else if (c == ']' || c == '}') {
            depth--;
        } else if (c == ',' && depth == 1) {
            element++;
        }
    }
    return element;
}

static json_t *refuse(struct json_refusal *ret, enum reject reason, int index, const char *text)
{
    ret->reason = reason;
    ret->index = index;
    snprintf(ret->text, sizeof ret->text, "%s", text);
    return NULL;
}

// Why a value is neither an object nor an array of samples and events, or NULL.
static const char *shape_problem(json_t *root, int *ret_index)
{
    *ret_index = -1;
    if (json_is_object(root)) {
        return NULL;
    }
    if (!json_is_array(root)) {
        return "neither an object nor an array of objects";
    }
    size_t i;
    json_t *element;
    json_array_foreach(root, i, element)
    {
        if (!json_is_object(element) || control_is(element)) {
            *ret_index = (int)i;
            return "a batch holds samples and events only";
        }
    }
    return NULL;
}

// The tree of a line. Sets the error; `twice` is where a key stands for the second time, or has no position.
static json_t *load_line(const char *line, size_t len, struct buf *scratch, json_error_t *err,
                         json_error_t *twice)
{
    json_t *root = load(line, len, FLAGS | JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, scratch, err);
    if (root == NULL && json_error_code(err) == json_error_duplicate_key) {
        // What comes behind may be no JSON at all, which is checked first.
        *twice = *err;
        root = load(line, len, FLAGS | JSON_DECODE_ANY, scratch, err);
    }
    return root;
}

json_t *json_line(struct json_memory *memory, const char *line, size_t len, struct buf *scratch,
                  struct json_refusal *ret)
{
    if (!text_is_plain(line, len)) {
        if (!text_is_utf8(line, len)) {
            return refuse(ret, REJECT_bad_utf8, -1, "not well-formed UTF-8");
        }
        if (memchr(line, 0, len) != NULL) {
            return refuse(ret, REJECT_bad_json, -1, "a NUL byte");
        }
    }
    json_error_t err;
    json_error_t twice;
    twice.position = INT_MIN; // no place: no key stands twice
    json_memory_use(memory);
    json_t *root = load_line(line, len, scratch, &err, &twice);
    json_memory_leave();
    if (root == NULL) {
        return json_error_code(&err) == json_error_out_of_memory
                   ? refuse(ret, REJECT_rate_limited, -1, "out of memory")
                   : refuse(ret, REJECT_bad_json, -1, err.text);
    }
    int index;
    const char *problem = shape_problem(root, &index);
    if (problem == NULL && twice.position == INT_MIN) {
        return root;
    }
    if (problem != NULL) {
        return refuse(ret, REJECT_not_an_object, index, problem);
    }
    index = twice.position < 0 ? -1 : element_at(line, (size_t)twice.position);
    return refuse(ret, REJECT_duplicate_field, index, twice.text);
}

void json_raw_value(const char *line, size_t len, const char **ret, size_t *ret_len)
{
    const char *p = line;
    const char *end = line + len;
    while (*p != '"') { // the brace and spaces
        p++;
    }
    for (p++; *p != '"'; p++) { // the key
        p += *p == '\\';
    }
    while (*p != ':') {
        p++;
    }
    for (p++; is_space(*p);) {
        p++;
    }
    while (is_space(end[-1])) {
        end--;
    }
    end--; // the brace
    while (is_space(end[-1])) {
        end--;
    }
    *ret = p;
    *ret_len = (size_t)(end - p);
}
