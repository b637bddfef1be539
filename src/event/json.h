// SPDX-License-Identifier: Apache-2.0
/*
 * json: a line's bytes to a tree, with the reasons that concern the bytes alone. For event/ only.
 *
 * Bounds:  as jansson's: 2,048 levels. A number beyond a double reads as null, so that the checks before
 *          that of the value come first.
 * Source:  RFC 8259, read by jansson.
 */
#ifndef VE_EVENT_JSON_H
#define VE_EVENT_JSON_H

#include "base/buf.h"
#include "event/json_memory.h"
#include "event/reject.h"

#include <stdbool.h>
#include <string.h>

typedef struct json_t json_t; // jansson's

enum { JSON_REFUSAL_TEXT = 160 };

struct json_refusal {
    enum reject reason;
    int index; // of the batch's element that is wrong, or -1
    char text[JSON_REFUSAL_TEXT];
};

// Returns a tree that stands in the memory until that is reset, or NULL and why. `scratch` holds a copy of the line
// where one is needed.
json_t *json_line(struct json_memory *memory, const char *line, size_t len, struct buf *scratch,
                  struct json_refusal *ret);

// Whether an object's key, as jansson gives it, is this word.
static inline bool json_key_is(const char *key, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(key, word, strlen(word)) == 0;
}

// The bytes of the value in a line {"key":value} that json_line accepted and that has this one key.
void json_raw_value(const char *line, size_t len, const char **ret, size_t *ret_len);

#endif
