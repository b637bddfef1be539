// SPDX-License-Identifier: Apache-2.0
#include "event/json_memory.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

enum { CHUNK = 16 << 10, ALIGN = 16 };

struct json_chunk {
    struct json_chunk *next;
    size_t size; // with this struct
};

static _Thread_local struct json_memory *present; // NULL: malloc

// Adds a chunk with room for `size`, each larger than the one before, and takes that.
static __attribute__((noinline)) void *take_from_new_chunk(struct json_memory *m, size_t size)
{
    size_t want = m->chunks != NULL ? m->chunks->size * 2 : CHUNK;
    want = size > want - ALIGN ? size + ALIGN : want;
    struct json_chunk *c = malloc(want);
    if (c == NULL) {
        return NULL;
    }
    c->next = m->chunks;
    c->size = want;
    m->chunks = c;
    m->at = (char *)c + ALIGN + size;
    m->end = (char *)c + want;
    return (char *)c + ALIGN;
}

static void *take(size_t size)
{
    struct json_memory *m = present;
    if (m == NULL) {
        return malloc(size);
    }
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    if ((size_t)(m->end - m->at) < size) {
        return take_from_new_chunk(m, size);
    }
    void *piece = m->at;
    m->at += size;
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

void json_memory_use(struct json_memory *m)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    present = m;
}

void json_memory_leave(void)
{
    present = NULL;
}

void json_memory_reset(struct json_memory *m)
{
    while (m->chunks != NULL && m->chunks->next != NULL) {
        struct json_chunk *next = m->chunks->next;
        free(m->chunks);
        m->chunks = next;
        m->end = (char *)next + next->size;
    }
    m->at = m->chunks != NULL ? (char *)m->chunks + ALIGN : NULL;
}

void json_memory_free(struct json_memory *m)
{
    json_memory_reset(m);
    free(m->chunks);
    *m = (struct json_memory){0};
}
