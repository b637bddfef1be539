// SPDX-License-Identifier: Apache-2.0
/*
 * json_memory: where jansson's trees stand. For event/json only.
 *
 * A tree lives as long as its line, so its many pieces are taken one after the other from one chunk, and given back
 * all at once. What jansson gives back by itself meanwhile stays where it is.
 *
 * Shape:   a list of chunks; the first one is kept, further ones are made for large lines.
 * Threads: a memory belongs to the thread that uses it. Between json_memory_use and json_memory_leave all that
 *          jansson wants in that thread comes from there; else from malloc, as in any other thread.
 */
#ifndef VE_EVENT_JSON_MEMORY_H
#define VE_EVENT_JSON_MEMORY_H

#include <stddef.h>

struct json_chunk;

// Zero it before its first use.
struct json_memory {
    struct json_chunk *chunks; // the newest first
    char *at;                  // the rest of the newest
    char *end;
};

void json_memory_use(struct json_memory *m);
void json_memory_leave(void);
// Gives back all that was taken, but for the first chunk.
void json_memory_reset(struct json_memory *m);
void json_memory_free(struct json_memory *m);

#endif
