// SPDX-License-Identifier: Apache-2.0
/*
 * record: what outlives the process. A record is in the arena. When the arena is a file, a later process finds the record
 * there by its check.
 *
 * Shape:   the head, a payload of its kind, one handle of a cell for each lane, and the text that names it.
 *          The check is a keyed hash over all that never changes (kind, text, creation, ...), so that no text can be
 *          taken for a record. It is 0 until the record is persisted, and again once it is withdrawn: what a kill leaves
 *          half made is not found. Words and cells may change at any time.
 *          A cell begins with a tag, a keyed word of its record and lane, since after a power cut its page may be older
 *          than its record's, and hold what was there before. Numbers have no check, so of a file that was closed nothing
 *          counts that is in a span whose sum differs (layout).
 * Order:   make, fill in, record_persist. A line of a session persists the series that it made before it commits its redo
 *          record, since replaying does not (table_persist).
 * Threads: record_new, record_cell: with the thread's own writer. persist and withdraw: any; of two that do both at once
 *          the caller decides which is last. A cell is its lane's.
 * Memory:  record_free gives back the record and its cells, when no other thread can reach them.
 */
#ifndef VE_SERIES_RECORD_H
#define VE_SERIES_RECORD_H

#include "series/arena.h"

enum { RECORD_MAX_PAYLOAD = 2048, RECORD_MAX_LANES = LAYOUT_LANES };

// Never renumbered. What the fields mean for each kind:
enum record_kind {
    RECORD_SERIES =
        1, // text: its key. word: a gauge's double. slot: its place. A cell per lane: its numbers.
    RECORD_METRIC,    // text: the metric's name. Payload: struct table_stats.
    RECORD_COMPONENT, // text: the component's name. A cell per lane: its lines (ingest).
    RECORD_SOURCE, // text: component, NUL, instance. slot: its entry. Payload and word: source/source.
    RECORD_SESSION, // text: who and which. word: its position. flags: source/session.
    RECORD_KINDS,
};

struct record {
    _Atomic uint64_t check; // 0: not persisted
    union {
        _Atomic uint64_t word;
        _Atomic double number;
    };
    uint64_t signature;  // of a series' metric: schema_signature
    uint64_t created_ms; // CLOCK_REALTIME
    uint32_t slot;
    _Atomic uint32_t
        touched; // of a series: second of the last update, kept only where the metric has a ttl
    uint16_t text_len;
    uint16_t payload; // bytes, a multiple of 8
    uint8_t kind;     // enum record_kind
    uint8_t lanes;    // handles of cells
    uint8_t flags;    // of its kind
    uint8_t magic;    // RECORD_MAGIC
};

enum { RECORD_MAGIC = 0xA7 };

struct record_spec {
    enum record_kind kind;
    uint8_t flags;
    uint8_t lanes;    // at most RECORD_MAX_LANES
    uint16_t payload; // bytes, at most RECORD_MAX_PAYLOAD
    uint32_t slot;
    uint64_t signature;
    uint64_t created_ms;
    const char *text;
    size_t text_len;
};

// A record that is not persisted, its word, payload and cells zero. Returns its handle; 0: no memory, or too
// long.
uint32_t record_new(struct arena *a, struct arena_writer *writer, const struct record_spec *spec);
void record_persist(char *base, uint32_t handle);
void record_withdraw(char *base, uint32_t handle);
// Withdraws it and gives its memory back; `cell_size` is that of its cells.
void record_free(struct arena *a, uint32_t handle, size_t cell_size);

// Whether it has not been lost with its page (arena_is_corrupt), which then reads as zeros.
static inline bool record_is_there(const struct record *r)
{
    return r->magic == RECORD_MAGIC;
}
static inline struct record *record_at(char *base, uint32_t handle)
{
    return arena_at(base, handle);
}
static inline void *record_payload(const struct record *r)
{
    return (char *)r + sizeof *r;
}
static inline _Atomic uint32_t *record_lanes(const struct record *r)
{
    return (_Atomic uint32_t *)(void *)((char *)r + sizeof *r + r->payload);
}
static inline const char *record_text(const struct record *r)
{
    return (const char *)r + sizeof *r + r->payload + r->lanes * sizeof(uint32_t);
}
static inline size_t record_size(const struct record *r)
{
    return sizeof *r + r->payload + r->lanes * sizeof(uint32_t) + r->text_len;
}

// The lane's cell of `size` bytes, its tag among them, made when it is not there. NULL: no memory.
void *record_cell(struct arena *a, struct arena_writer *writer, uint32_t handle, unsigned lane,
                  size_t size);
// What begins what belongs to the record and a lane, a cell or another piece of the arena: 8 bytes that the lane has there.
uint64_t record_tag(char *base, uint32_t handle, unsigned lane);
// The lane's cell if it was made, or NULL.
static inline void *record_cell_made(char *base, const struct record *r, unsigned lane)
{
    uint32_t cell = atomic_load_explicit(&record_lanes(r)[lane], memory_order_acquire);
    return cell == 0 ? NULL : arena_at(base, cell);
}

// Whether a persisted record is what it was: pages of a file may be lost (arena_is_corrupt).
bool record_is_whole(char *base, uint32_t handle);
// Makes a cell whose page was lost an empty one again, for each lane.
void record_repair_cells(char *base, uint32_t handle);

// ---- Reading a file that an earlier process left

// A file's bytes, of which nothing is trusted, and the records found in them.
struct record_image {
    char *base;
    uint64_t size;
    uint64_t seed;
    uint32_t lease_from; // layout.lease_from
    bool power_cut;      // pages may be of different ages: sessions and redo records are void
    bool behind;         // the series changed elsewhere after this: sessions are rolled back
    uint32_t shift_s;    // makes a monotonic second of the file one of this boot, modulo 2^32
    uint32_t
        ttl_shift_s; // makes the second of an update one as old now as it was when the file was last in use
    uint32_t *handles; // of records, by kind and ascending
    size_t n;
    size_t first[RECORD_KINDS + 1];  // where each kind begins in them
    uint64_t damaged;                // records and cells that do not check out
    uint64_t span;                   // bytes; 0: the file was not closed, and has no sums
    uint64_t good[LAYOUT_SUMS / 64]; // bits: which spans are what they were
};

// Whether the bytes are what they were when the file was closed, as far as it has sums.
bool record_image_is_intact(const struct record_image *image, uint64_t at, uint64_t bytes);

// Finds the records. Reads base, size and seed. Returns 0, -ENOMEM.
int record_scan(struct record_image *image);
void record_scan_free(struct record_image *image);
// What else belongs to the record and a lane (record_tag), `size` bytes from the handle `piece` on, or NULL likewise.
const void *record_image_piece(struct record_image *image, uint32_t handle, unsigned lane,
                               uint32_t piece, size_t size);
// The record's cell of `size` bytes for a lane, or NULL: none, or it does not check out (counted).
const void *record_image_cell(struct record_image *image, uint32_t handle, unsigned lane,
                              size_t size);
// How many there are of a kind.
static inline size_t record_count(const struct record_image *image, enum record_kind kind)
{
    return image->first[kind + 1] - image->first[kind];
}
// Walks the records of a kind in the order of their handles. *at starts at 0. Returns a handle, 0 at the end.
uint32_t record_next(const struct record_image *image, enum record_kind kind, size_t *at);

#endif
