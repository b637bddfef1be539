// SPDX-License-Identifier: Apache-2.0
#include "series/record.h"

#include "series/key.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct record) % sizeof(uint64_t) == 0, "the payload is aligned");

// What the check is of, besides the text.
struct identity {
    uint64_t signature;
    uint64_t created_ms;
    uint32_t handle;
    uint32_t slot;
    uint16_t text_len;
    uint16_t payload;
    uint8_t kind;
    uint8_t lanes;
    uint8_t flags;
    uint8_t magic;
};
static_assert(sizeof(struct identity) == 32, "no bytes between the members");

static uint64_t check_of(const struct record *r, uint32_t handle, uint64_t seed)
{
    struct identity id = {
        .signature = r->signature,
        .created_ms = r->created_ms,
        .handle = handle,
        .slot = r->slot,
        .text_len = r->text_len,
        .payload = r->payload,
        .kind = r->kind,
        .lanes = r->lanes,
        .flags = r->flags,
        .magic = r->magic,
    };
    uint64_t check =
        key_hash_with(record_text(r), r->text_len, key_hash_with(&id, sizeof id, seed));
    return check != 0 ? check : 1;
}

static uint64_t tag_of(const struct record *r, uint32_t handle, unsigned lane, uint64_t seed)
{
    uint64_t words[3] = {r->created_ms, r->signature, (uint64_t)handle << 32 | lane};
    return key_hash_with(words, sizeof words, seed);
}

uint64_t record_tag(char *base, uint32_t handle, unsigned lane)
{
    return tag_of(record_at(base, handle), handle, lane, layout_of(base)->seed);
}

uint32_t record_new(struct arena *a, struct arena_writer *writer, const struct record_spec *spec)
{
    assert(spec->lanes <= RECORD_MAX_LANES && spec->payload <= RECORD_MAX_PAYLOAD &&
           spec->payload % sizeof(uint64_t) == 0);
    size_t size = sizeof(struct record) + spec->payload + spec->lanes * sizeof(uint32_t);
    if (spec->text_len > UINT16_MAX || size + spec->text_len > ARENA_MAX_PIECE) {
        return 0;
    }
    uint32_t handle = arena_alloc(a, writer, size + spec->text_len);
    if (handle == 0) {
        return 0;
    }
    struct record *r = record_at(arena_base(a), handle);
    r->signature = spec->signature;
    r->created_ms = spec->created_ms;
    r->slot = spec->slot;
    r->text_len = (uint16_t)spec->text_len;
    r->payload = spec->payload;
    r->kind = (uint8_t)spec->kind;
    r->lanes = spec->lanes;
    r->flags = spec->flags;
    r->magic = RECORD_MAGIC;
    memcpy((char *)r + size, spec->text, spec->text_len);
    return handle;
}

void record_persist(char *base, uint32_t handle)
{
    struct record *r = record_at(base, handle);
    atomic_store(&r->check, check_of(r, handle, layout_of(base)->seed));
}

void record_withdraw(char *base, uint32_t handle)
{
    atomic_store(&record_at(base, handle)->check, 0);
}

void record_free(struct arena *a, uint32_t handle, size_t cell_size)
{
    char *base = arena_base(a);
    struct record *r = record_at(base, handle);
    record_withdraw(base, handle);
    for (unsigned i = 0; cell_size > 0 && i < r->lanes; i++) {
        uint32_t cell = atomic_load_explicit(&record_lanes(r)[i], memory_order_acquire);
        if (cell != 0) {
            arena_release(a, cell, cell_size);
        }
    }
    arena_release(a, handle, record_size(r));
}

void *record_cell(struct arena *a, struct arena_writer *writer, uint32_t handle, unsigned lane,
                  size_t size)
{
    char *base = arena_base(a);
    struct record *r = record_at(base, handle);
    void *made = record_cell_made(base, r, lane);
    if (made != NULL) {
        return made;
    }
    uint32_t cell = arena_alloc(a, writer, size);
    if (cell == 0) {
        return NULL;
    }
    uint64_t tag = record_tag(base, handle, lane);
    memcpy(arena_at(base, cell), &tag, sizeof tag);
    atomic_store_explicit(&record_lanes(r)[lane], cell, memory_order_release);
    return arena_at(base, cell);
}

bool record_is_whole(char *base, uint32_t handle)
{
    const struct record *r = record_at(base, handle);
    return r->magic == RECORD_MAGIC &&
           atomic_load(&r->check) == check_of(r, handle, layout_of(base)->seed);
}

void record_repair_cells(char *base, uint32_t handle)
{
    const struct record *r = record_at(base, handle);
    for (unsigned lane = 0; lane < r->lanes; lane++) {
        void *cell = record_cell_made(base, r, lane);
        uint64_t tag = tag_of(r, handle, lane, layout_of(base)->seed);
        if (cell != NULL) {
            memcpy(cell, &tag, sizeof tag);
        }
    }
}

// ---- Reading

// A piece of at most a page lies in one, a larger one begins with one.
static bool is_well_placed(uint64_t at, uint64_t bytes, uint64_t size)
{
    uint64_t in_page = at % ARENA_PAGE;
    return at >= ARENA_RESERVED && at <= size && bytes <= size - at &&
           (in_page == 0 || in_page + bytes <= ARENA_PAGE);
}

bool record_image_is_intact(const struct record_image *image, uint64_t at, uint64_t bytes)
{
    bool good = true;
    if (image->span == 0) {
        return true;
    }
    for (uint64_t i = at / image->span; good && i * image->span < at + bytes; i++) {
        good = i < LAYOUT_SUMS && (image->good[i / 64] >> i % 64 & 1) != 0;
    }
    return good;
}

enum look { LOOK_NOTHING, LOOK_DAMAGED, LOOK_RECORD };

// What is at a place, of whose bytes nothing is known.
static enum look look_at(const struct record_image *image, uint64_t at)
{
    const struct record *r = (const void *)(image->base + at);
    uint64_t check = atomic_load_explicit(&r->check, memory_order_relaxed);
    // A released piece begins with a handle of 32 bits.
    if (check == 0 || at + sizeof *r > image->size || r->magic != RECORD_MAGIC || r->kind == 0 ||
        r->kind >= RECORD_KINDS || r->lanes > RECORD_MAX_LANES || r->payload > RECORD_MAX_PAYLOAD ||
        r->payload % sizeof(uint64_t) != 0 || !is_well_placed(at, record_size(r), image->size)) {
        return LOOK_NOTHING;
    }
    if (check == check_of(r, (uint32_t)(at / ARENA_GRANULE), image->seed)) {
        return record_image_is_intact(image, at, record_size(r)) ? LOOK_RECORD : LOOK_DAMAGED;
    }
    return check > UINT32_MAX ? LOOK_DAMAGED : LOOK_NOTHING;
}

static bool keep_handle(struct record_image *image, size_t *cap, uint32_t handle)
{
    if (image->n == *cap) {
        size_t more = *cap == 0 ? 1024 : *cap * 2;
        uint32_t *grown = realloc(image->handles, more * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        image->handles = grown;
        *cap = more;
    }
    image->handles[image->n++] = handle;
    return true;
}

// Puts the handles of each kind side by side: most are those of series, and who wants others need not meet them.
static int sort_by_kind(struct record_image *image)
{
    uint32_t *sorted = malloc((image->n + 1) * sizeof *sorted);
    size_t to[RECORD_KINDS + 1] = {0};
    if (sorted == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < image->n; i++) {
        to[record_at(image->base, image->handles[i])->kind + 1]++;
    }
    for (size_t kind = 1; kind <= RECORD_KINDS; kind++) {
        to[kind] += to[kind - 1];
    }
    memcpy(image->first, to, sizeof to);
    for (size_t i = 0; i < image->n; i++) {
        sorted[to[record_at(image->base, image->handles[i])->kind]++] = image->handles[i];
    }
    free(image->handles);
    image->handles = sorted;
    return 0;
}

static int find_all(struct record_image *image)
{
    size_t cap = 0;
    uint64_t size = image->size / ARENA_GRANULE * ARENA_GRANULE;
    for (uint64_t at = ARENA_RESERVED; at < size;) {
        enum look look = look_at(image, at);
        image->damaged += look == LOOK_DAMAGED;
        if (look != LOOK_RECORD) {
            at += ARENA_GRANULE;
            continue;
        }
        if (!keep_handle(image, &cap, (uint32_t)(at / ARENA_GRANULE))) {
            return -ENOMEM;
        }
        size_t bytes = record_size((const void *)(image->base + at));
        at += (bytes + ARENA_GRANULE - 1) / ARENA_GRANULE * ARENA_GRANULE;
    }
    return 0;
}

int record_scan(struct record_image *image)
{
    image->handles = NULL;
    image->n = 0;
    image->damaged = 0;
    int rc = find_all(image);
    rc = rc < 0 ? rc : sort_by_kind(image);
    if (rc < 0) {
        record_scan_free(image);
    }
    return rc;
}

void record_scan_free(struct record_image *image)
{
    free(image->handles);
    image->handles = NULL;
    image->n = 0;
}

const void *record_image_cell(struct record_image *image, uint32_t handle, unsigned lane,
                              size_t size)
{
    const struct record *r = record_at(image->base, handle);
    uint32_t cell = atomic_load_explicit(&record_lanes(r)[lane], memory_order_relaxed);
    return record_image_piece(image, handle, lane, cell, size);
}

const void *record_image_piece(struct record_image *image, uint32_t handle, unsigned lane,
                               uint32_t piece, size_t size)
{
    const struct record *r = record_at(image->base, handle);
    if (piece == 0) {
        return NULL;
    }
    uint64_t at = (uint64_t)piece * ARENA_GRANULE;
    uint64_t tag = 0;
    if (is_well_placed(at, size, image->size)) {
        memcpy(&tag, image->base + at, sizeof tag);
    }
    if (tag != tag_of(r, handle, lane, image->seed) || !record_image_is_intact(image, at, size)) {
        image->damaged++;
        return NULL;
    }
    return image->base + at;
}

uint32_t record_next(const struct record_image *image, enum record_kind kind, size_t *at)
{
    return *at < record_count(image, kind) ? image->handles[image->first[kind] + (*at)++] : 0;
}
