// SPDX-License-Identifier: Apache-2.0
#include "event/parse.h"

#include "base/text.h"
#include "event/number.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 16 << 10, ALIGN = 16 };

struct parse_chunk {
    struct parse_chunk *next;
    size_t size; // with this struct
};

static _Thread_local struct parser *present; // NULL: malloc

// Adds a chunk with room for `size`, each larger than the previous one, and takes that.
static __attribute__((noinline)) void *take_from_new_chunk(struct parser *p, size_t size)
{
    size_t want = p->chunks != NULL ? p->chunks->size * 2 : CHUNK;
    want = size > want - ALIGN ? size + ALIGN : want;
    struct parse_chunk *c = malloc(want);
    if (c == NULL) {
        return NULL;
    }
    c->next = p->chunks;
    c->size = want;
    p->chunks = c;
    p->rest = (char *)c + ALIGN + size;
    p->end = (char *)c + want;
    return (char *)c + ALIGN;
}

static void *take(size_t size)
{
    struct parser *p = present;
    if (p == NULL) {
        return malloc(size);
    }
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    if ((size_t)(p->end - p->rest) < size) {
        return take_from_new_chunk(p, size);
    }
    void *piece = p->rest;
    p->rest += size;
    return piece;
}

static void give_back(void *piece)
{
    if (present == NULL) {
        free(piece);
    }
}

static void install(void)
{
    json_set_alloc_funcs(take, give_back);
}

static void use(struct parser *p)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    present = p;
}

static void leave(void)
{
    present = NULL;
}

void parse_reset(struct parser *p)
{
    while (p->chunks != NULL && p->chunks->next != NULL) {
        struct parse_chunk *next = p->chunks->next;
        free(p->chunks);
        p->chunks = next;
        p->end = (char *)next + next->size;
    }
    p->rest = p->chunks != NULL ? (char *)p->chunks + ALIGN : NULL;
}

void parse_free(struct parser *p)
{
    parse_reset(p);
    free(p->chunks);
    buf_free(&p->scratch);
    *p = (struct parser){0};
}

// Whole numbers are read as doubles too: what counts is the value, not whether it fits 64 bits.
static const size_t FLAGS = JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
}

/*
 * Overwrites every number beyond a double by null, in one pass, so that a line full of them takes no longer
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
        while (i < b->len && is_number_char(b->p[i])) {
            i++;
        }
        if (number_is_valid(b->p + from, i - from) && isinf(strtod(b->p + from, NULL))) {
            memset(b->p + from, ' ', i - from);
            memcpy(b->p + from, "null", 4);
        }
        i += i == from;
    }
}

// The end of the string that begins with the quote at `i`: behind its other quote, or the end of the bytes.
static size_t string_end(const struct buf *b, size_t i)
{
    for (i++; i < b->len && b->p[i] != '"'; i++) {
        i += b->p[i] == '\\';
    }
    return i < b->len ? i + 1 : b->len;
}

/*
 * jansson takes no NUL in a key, which is JSON all the same. So each such escape in a key becomes that of a noncharacter,
 * which is just as unknown to every object that a line may hold.
 */
static void rename_nul_keys(struct buf *b)
{
    for (size_t i = 0; i < b->len;) {
        if (b->p[i] != '"') {
            i++;
            continue;
        }
        size_t end = string_end(b, i);
        size_t next = end;
        while (next < b->len && is_space(b->p[next])) {
            next++;
        }
        for (; next < b->len && b->p[next] == ':' && i + 6 < end; i++) {
            if (b->p[i] == '\\' && memcmp(b->p + i, "\\u0000", 6) == 0) {
                memcpy(b->p + i, "\\uffff", 6);
            }
            i += b->p[i] == '\\';
        }
        i = end;
    }
}

// What to change in a copy of a line that jansson cannot read though it is JSON; NULL: nothing.
static void (*repair_of(const json_error_t *err))(struct buf *)
{
    enum json_error_code code = json_error_code(err);
    return code == json_error_numeric_overflow   ? blank_overflows
           : code == json_error_null_byte_in_key ? rename_nul_keys
                                                 : NULL;
}

// Parses; where a number is beyond a double or a key holds NUL, a copy in which that reads otherwise. Each of the two is
// repaired everywhere at once, so there are three parses at most.
static json_t *load(const char *line, size_t len, size_t flags, struct buf *scratch,
                    json_error_t *err)
{
    json_t *root = json_loadb(line, len, flags, err);
    void (*repair)(struct buf *) = root == NULL ? repair_of(err) : NULL;
    buf_clear(scratch);
    for (int i = 0; i < 2 && repair != NULL; i++) {
        if (i == 0) {
            buf_add(scratch, line, len);
        }
        if (buf_string(scratch) == NULL) {
            break;
        }
        repair(scratch);
        root = json_loadb(scratch->p, scratch->len, flags, err);
        repair = root == NULL ? repair_of(err) : NULL;
    }
    return root;
}

// The position of the array's element that holds the byte at `at`; -1 when the line is no array.
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

static json_t *reject(struct rejection *why, enum reject_reason reason, const char *text)
{
    reject_set(why, reason, "%s", text);
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

json_t *parse_line(struct parser *p, const char *line, size_t len, struct rejection *duplicate,
                   struct rejection *why)
{
    why->element = duplicate->element = -1;
    if (!text_is_plain(line, len)) {
        if (!text_is_utf8(line, len)) {
            return reject(why, REJECT_bad_utf8, "not well-formed UTF-8");
        }
        if (memchr(line, 0, len) != NULL) {
            return reject(why, REJECT_bad_json, "a NUL byte");
        }
    }
    if (len >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0) {
        return reject(why, REJECT_bad_json, "a byte order mark stands before the line");
    }
    json_error_t err;
    json_error_t twice;
    twice.position = INT_MIN; // no place: no key stands twice
    use(p);
    json_t *root = load_line(line, len, &p->scratch, &err, &twice);
    leave();
    if (root == NULL) {
        return json_error_code(&err) == json_error_out_of_memory
                   ? reject(why, REJECT_rate_limited, "out of memory")
                   : reject(why, REJECT_bad_json, err.text);
    }
    bool is_twice = twice.position != INT_MIN;
    if (json_is_array(root) && is_twice) {
        duplicate->element = twice.position < 0 ? 0 : element_at(line, (size_t)twice.position);
        reject_set(duplicate, REJECT_duplicate_field, "%s", twice.text);
    } else if (!json_is_array(root) && !json_is_object(root)) {
        return reject(why, REJECT_not_an_object, "neither an object nor an array of objects");
    } else if (is_twice) {
        return reject(why, REJECT_duplicate_field, twice.text);
    }
    return root;
}

void parse_raw_value(const char *line, size_t len, const char **ret, size_t *ret_len)
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
