// SPDX-License-Identifier: Apache-2.0
#include "event/memo_store.h"

#include "series/key.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

// Of the memory, one byte in so many goes to the index and to the sights.
enum { INDEX_SHARE = 16, SIGHT_SHARE = 32 };
// Entries that are looked at for one that is to be written.
enum { STEPS = 16 };
// Of the lines for which others must go, one in so many gets their room: lines that come in turn and are too many
// for the memory would else replace each other before they are seen again.
enum { WISHES = 8 };

// A memory this large is most likely told to be so for as many lines, each of which is looked for somewhere else.
enum { HUGE_PAGES = 64 << 20 };

static_assert(sizeof(struct memo_bucket) == 64, "a cache line");
static_assert(sizeof(struct memo_sights) == 64, "a cache line");
static_assert(sizeof(struct memo_update) == 24, "no holes");
static_assert(sizeof(struct memo_entry) == 32, "no holes");

static uint32_t granules(size_t bytes)
{
    return (uint32_t)((bytes + MEMO_GRANULE - 1) / MEMO_GRANULE);
}

int memo_new(struct memo **ret, uint64_t bytes)
{
    struct memo *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return -ENOMEM;
    }
    bytes =
        bytes > (uint64_t)UINT32_MAX * MEMO_GRANULE ? (uint64_t)UINT32_MAX * MEMO_GRANULE : bytes;
    m->n_buckets = bytes / INDEX_SHARE / sizeof *m->buckets + 1;
    m->n_sights = bytes / SIGHT_SHARE / sizeof *m->sights + 1;
    size_t index = m->n_buckets * sizeof *m->buckets;
    size_t sights = m->n_sights * sizeof *m->sights;
    m->bytes = index + sights > bytes ? index + sights : bytes;
    // Mapped and not allocated, so that what is never used takes no memory.
    char *at = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        free(m);
        return -ENOMEM;
    }
    if (m->bytes >= HUGE_PAGES) {
        madvise(at, m->bytes, MADV_HUGEPAGE); // only makes it faster, where the system allows it
    }
    m->buckets = (struct memo_bucket *)(void *)at;
    m->sights = (struct memo_sights *)(void *)(at + index);
    m->ring = at + index + sights;
    m->end = (uint32_t)((m->bytes - index - sights) / MEMO_GRANULE);
    m->head = m->tail = 1;
    for (unsigned i = 0; i < LINE_SEEDS; i++) {
        m->seeds[i] = key_hash((const char *)&i, sizeof i);
    }
    m->wide = line_can_wide();
    *ret = m;
    return 0;
}

void memo_free(struct memo *m)
{
    if (m != NULL) {
        munmap(m->buckets, m->bytes);
        free(m);
    }
}

void memo_renew(struct memo *m, uint64_t generation)
{
    m->generation = generation;
    m->head = m->tail = 1;
    m->wrap = 0;
    m->n = 0;
    m->changes++;
    bool zeroed = madvise(m->buckets, m->bytes, MADV_DONTNEED) == 0;
    if (!zeroed) { // the memory is locked
        memset(m->buckets, 0, m->n_buckets * sizeof *m->buckets);
    }
}

static uint32_t mark_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32) | 1;
}

bool memo_sighted(const struct memo *m, uint64_t hash)
{
    const struct memo_sights *s = memo_sights_of(m, hash);
    uint32_t seen = 0;
    for (unsigned i = 0; i < MEMO_SIGHTS; i++) {
        seen |= s->marks[i] == mark_of(hash);
    }
    return seen != 0;
}

bool memo_seen(struct memo *m, uint64_t hash)
{
    bool seen = memo_sighted(m, hash);
    if (!seen) {
        memo_sights_of(m, hash)->marks[m->sighted++ % MEMO_SIGHTS] = mark_of(hash);
    }
    return seen;
}

// The place in its bucket of an entry that is not gone.
static unsigned place_of(const struct memo_bucket *b, uint32_t at)
{
    unsigned i = 0;
    while (b->entries[i] != at) {
        i++;
        assert(i < MEMO_WAYS);
    }
    return i;
}

static bool fits(const struct memo *m, uint32_t size)
{
    if (m->n == 0) {
        return m->end > size;
    }
    if (m->wrap != 0) {
        return m->tail - m->head >= size;
    }
    return m->end - m->head >= size || m->tail - 1 >= size;
}

// Takes a place in the ring for what fits.
static uint32_t take(struct memo *m, uint32_t size)
{
    assert(fits(m, size));
    if (m->n == 0) {
        m->head = m->tail = 1;
        m->wrap = 0;
    } else if (m->wrap == 0 && m->end - m->head < size) {
        m->wrap = m->head;
        m->head = 1;
    }
    uint32_t at = m->head;
    m->head += size;
    m->n++;
    return at;
}

// Gives the oldest entry's place back; its bytes stay until the place is taken again.
static uint32_t pop(struct memo *m)
{
    uint32_t at = m->tail;
    m->tail += memo_at(m, at)->size;
    m->n--;
    if (m->tail == m->wrap) {
        m->tail = 1;
        m->wrap = 0;
    }
    return at;
}

// Drops the oldest entry, or writes it anew when it was used.
static void turn(struct memo *m)
{
    uint32_t from = pop(m);
    struct memo_entry *e = memo_at(m, from);
    m->changes++;
    if (e->gone) {
        return;
    }
    struct memo_bucket *b = memo_bucket_of(m, e->hash);
    unsigned place = place_of(b, from);
    if (!e->used) {
        b->entries[place] = 0;
        b->tags[place] = 0;
        return;
    }
    e->used = false;
    uint32_t size = e->size;
    uint32_t to = take(m, size); // it fits, at least where it was
    memmove(memo_at(m, to), e, (size_t)size * MEMO_GRANULE);
    b->entries[place] = to;
}

bool memo_room(struct memo *m, size_t bytes)
{
    uint32_t size = granules(bytes);
    if (fits(m, size)) {
        return true;
    }
    if (m->n == 0 || m->wishes++ % WISHES != 0) {
        return false;
    }
    for (unsigned i = 0; i < STEPS && m->n > 0 && !fits(m, size); i++) {
        turn(m);
    }
    return fits(m, size);
}

// A free place of the bucket, or that of an entry that was not used lately; MEMO_WAYS when all were.
static unsigned free_place(struct memo *m, struct memo_bucket *b)
{
    unsigned victim = MEMO_WAYS;
    for (unsigned i = 0; i < MEMO_WAYS; i++) {
        if (b->entries[i] == 0) {
            return i;
        }
        victim = memo_at(m, b->entries[i])->used ? victim : i;
    }
    for (unsigned i = 0; i < MEMO_WAYS; i++) {
        memo_at(m, b->entries[i])->used = false;
    }
    if (victim < MEMO_WAYS) {
        memo_at(m, b->entries[victim])->gone = true;
    }
    return victim;
}

struct memo_entry *memo_add(struct memo *m, uint64_t hash, size_t bytes)
{
    struct memo_bucket *b = memo_bucket_of(m, hash);
    unsigned place = free_place(m, b);
    if (place == MEMO_WAYS) {
        return NULL;
    }
    uint32_t size = granules(bytes);
    uint32_t at = take(m, size);
    m->changes++;
    b->entries[place] = at;
    b->tags[place] = memo_tag(hash);
    struct memo_entry *e = memo_at(m, at);
    *e = (struct memo_entry){.hash = hash, .size = (uint16_t)size};
    return e;
}
