// SPDX-License-Identifier: Apache-2.0
#include "event/cache_store.h"

#include "base/invariant.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum {
    STEPS = 16, // entries that are looked at for one that is to be written
    // Of the lines for which others must go, one in so many gets their room: lines that come in turn and are too many
    // for the memory would else replace each other before they come again.
    DENIALS = 8,
    FIRST_BUCKETS = 16,
    FULL = 7,          // entries for each bucket, from which on the index is made larger
    GROWTH = 64 << 10, // bytes by which the ring grows at least
    // From here on the memory is most likely used for as many lines, each of which is looked for somewhere else.
    HUGE_PAGES = 4 << 20,
    LEAST = 1 << 20, // bytes of a ring that is smaller than it was wanted
};

static_assert(sizeof(struct cache_bucket) == 64, "a cache line");
static_assert(sizeof(struct cache_head) == 8, "no holes");

static uint32_t granules(size_t bytes)
{
    return (uint32_t)((bytes + CACHE_GRANULE - 1) / CACHE_GRANULE);
}

static void *map(size_t bytes)
{
    // Mapped and not allocated, so that what is never used takes no memory.
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static struct cache_bucket *map_index(uint32_t n)
{
    return map(n * sizeof(struct cache_bucket));
}

// Reserves the ring, or a smaller one where the system does not allow that much.
static bool reserve_ring(struct cache_store *m, uint64_t bytes)
{
    const uint64_t limit = (uint64_t)UINT32_MAX * CACHE_GRANULE;
    bytes = bytes > limit ? limit : bytes;
    m->reserved = (size_t)bytes / CACHE_GRANULE * CACHE_GRANULE;
    m->ring = map(m->reserved + CACHE_SLACK);
    while (m->ring == NULL && m->reserved > LEAST) {
        m->reserved = m->reserved / 2 / CACHE_GRANULE * CACHE_GRANULE;
        m->ring = map(m->reserved + CACHE_SLACK);
    }
    return m->ring != NULL;
}

int cache_store_init(struct cache_store *m, uint64_t bytes)
{
    *m = (struct cache_store){.n_buckets = FIRST_BUCKETS, .head = 1, .tail = 1, .end = 1};
    m->buckets = map_index(FIRST_BUCKETS);
    if (m->buckets == NULL || !reserve_ring(m, bytes)) {
        cache_store_close(m);
        return -ENOMEM;
    }
    if (m->reserved > HUGE_PAGES) {
        // Only makes it faster, where the system allows it.
        madvise(m->ring + HUGE_PAGES, m->reserved - HUGE_PAGES, MADV_HUGEPAGE);
    }
    return 0;
}

void cache_store_close(struct cache_store *m)
{
    if (m->buckets != NULL) {
        munmap(m->buckets, m->n_buckets * sizeof *m->buckets);
    }
    if (m->ring != NULL) {
        munmap(m->ring, m->reserved + CACHE_SLACK);
    }
    *m = (struct cache_store){0};
}

void cache_store_clear(struct cache_store *m)
{
    m->head = m->tail = m->end = 1;
    m->wrap = 0;
    m->n = 0;
    m->changes++;
    memset(m->buckets, 0, m->n_buckets * sizeof *m->buckets);
    madvise(m->ring, m->reserved, MADV_DONTNEED);
}

uint64_t cache_store_bytes(const struct cache_store *m)
{
    return (uint64_t)m->end * CACHE_GRANULE + m->n_buckets * sizeof *m->buckets;
}

// ---- The index

// The place in its bucket of an entry that is not gone.
static unsigned place_of(const struct cache_bucket *b, uint32_t at)
{
    unsigned i = 0;
    while (b->entries[i] != at) {
        i++;
        invariant(i < CACHE_WAYS, "an entry of the ring is in its bucket");
    }
    return i;
}

static void clear_place(struct cache_bucket *b, unsigned place)
{
    b->entries[place] = 0;
    b->tags[place] = 0;
}

// The place of an entry that was not used lately; CACHE_WAYS when all were.
static unsigned victim_place(struct cache_store *m, struct cache_bucket *b)
{
    unsigned victim = CACHE_WAYS;
    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        struct cache_head *e = cache_store_at(m, b->entries[i]);
        victim = e->used ? victim : i;
        e->used = false;
    }
    if (victim < CACHE_WAYS) {
        ((struct cache_head *)cache_store_at(m, b->entries[victim]))->gone = true;
    }
    return victim;
}

static unsigned free_place(struct cache_store *m, struct cache_bucket *b)
{
    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        if (b->entries[i] == 0) { // without a look at the entries, each of which is somewhere else
            return i;
        }
    }
    return victim_place(m, b);
}

// Puts an entry of the ring into the index. Returns whether there was a place.
static bool put(struct cache_store *m, uint32_t at)
{
    struct cache_head *e = cache_store_at(m, at);
    struct cache_bucket *b = cache_store_bucket(m, e->hash);
    unsigned place = free_place(m, b);
    if (place < CACHE_WAYS) {
        b->entries[place] = at;
        b->tags[place] = cache_store_tag(e->hash);
    }
    return place < CACHE_WAYS;
}

static void put_range(struct cache_store *m, uint32_t from, uint32_t to)
{
    while (from < to) {
        struct cache_head *e = cache_store_at(m, from);
        e->gone = e->gone || !put(m, from);
        from += e->size;
    }
}

// Makes the index larger once it is full. Without memory it serves on, with fewer entries.
static void widen(struct cache_store *m)
{
    if (m->n <= (size_t)m->n_buckets * FULL || m->n_buckets > UINT32_MAX / 2) {
        return;
    }
    uint32_t n = m->n_buckets + m->n_buckets / 8;
    struct cache_bucket *wider = map_index(n);
    if (wider != NULL) {
        munmap(m->buckets, m->n_buckets * sizeof *m->buckets);
        m->buckets = wider;
        m->n_buckets = n;
        m->changes++;
        put_range(m, m->tail, m->wrap != 0 ? m->wrap : m->head);
        put_range(m, 1, m->wrap != 0 ? m->head : 1);
    }
}

// ---- The ring

static bool can_fit(const struct cache_store *m, uint32_t size)
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
static uint32_t take(struct cache_store *m, uint32_t size)
{
    invariant(can_fit(m, size), "the ring has room for what is written");
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
static uint32_t pop(struct cache_store *m)
{
    uint32_t at = m->tail;
    m->tail += ((struct cache_head *)cache_store_at(m, at))->size;
    m->n--;
    if (m->tail == m->wrap) {
        m->tail = 1;
        m->wrap = 0;
    }
    return at;
}

// Drops the oldest entry, or writes it again when it was used.
static void turn(struct cache_store *m)
{
    uint32_t from = pop(m);
    struct cache_head *e = cache_store_at(m, from);
    m->changes++;
    if (e->gone) {
        return;
    }
    struct cache_bucket *b = cache_store_bucket(m, e->hash);
    unsigned place = place_of(b, from);
    if (!e->used) {
        clear_place(b, place);
        return;
    }
    e->used = false;
    uint32_t size = e->size;
    uint32_t to = take(m, size); // it fits, at least where it was
    memmove(cache_store_at(m, to), e, (size_t)size * CACHE_GRANULE);
    b->entries[place] = to;
}

// Makes the ring longer. While entries stand above the head the end cannot move.
static void lengthen(struct cache_store *m, uint32_t size, uint64_t most)
{
    most = most < m->reserved ? most : m->reserved;
    uint64_t want = ((uint64_t)m->head + size) * CACHE_GRANULE + GROWTH;
    want = want < most ? want : most;
    if (m->wrap == 0 && want / CACHE_GRANULE > m->end) {
        m->end = (uint32_t)(want / CACHE_GRANULE);
    }
}

bool cache_store_reserve(struct cache_store *m, size_t bytes, uint64_t most)
{
    uint32_t size = granules(bytes);
    uint64_t index = m->n_buckets * sizeof *m->buckets;
    if (m->wrap != 0 || m->end - m->head < size) {
        lengthen(m, size, most > index ? most - index : 0);
    }
    if (can_fit(m, size)) {
        return true;
    }
    if (m->n == 0 || m->denials++ % DENIALS != 0) {
        return false;
    }
    for (unsigned i = 0; i < STEPS && m->n > 0 && !can_fit(m, size); i++) {
        turn(m);
    }
    return can_fit(m, size);
}

void *cache_store_add(struct cache_store *m, uint32_t hash, size_t bytes)
{
    widen(m);
    uint32_t size = granules(bytes);
    uint32_t at = take(m, size);
    m->changes++;
    struct cache_head *e = cache_store_at(m, at);
    *e = (struct cache_head){.hash = hash, .size = (uint16_t)size};
    e->gone = !put(m, at);
    return e->gone ? NULL : e;
}

void cache_store_drop(struct cache_store *m, struct cache_head *entry)
{
    if (!entry->gone) {
        uint32_t at = (uint32_t)((size_t)((char *)entry - m->ring) / CACHE_GRANULE);
        struct cache_bucket *b = cache_store_bucket(m, entry->hash);
        clear_place(b, place_of(b, at));
        entry->gone = true;
        m->changes++;
    }
}
