// SPDX-License-Identifier: Apache-2.0
/*
 * image: what a killed process leaves, taken from the arena of a fixture that is still open.
 */
#ifndef VE_TESTS_IMAGE_H
#define VE_TESTS_IMAGE_H

#include "fixture.h"
#include "source/source_restore.h"
#include "state/redo.h"
#include "state/restore.h"

// The arena's bytes in memory of their own. Not scanned yet.
static inline struct record_image image_of(const struct fixture *h)
{
    struct record_image image = {.size = arena_used(h->store->share.arena)};
    image.base = malloc(image.size);
    fixture_must(image.base != NULL, "no memory");
    memcpy(image.base, h->store->share.base, image.size);
    image.seed = layout_of(image.base)->seed;
    image.lease_from = layout_of(image.base)->lease_from;
    return image;
}

static inline void image_free(struct record_image *image)
{
    record_scan_free(image);
    free(image->base);
    image->base = NULL;
}

// Everything that the daemon does with an image at its start.
static inline struct restored image_restore(struct fixture *h, struct record_image *image)
{
    struct restored done = {0};
    struct restore_owners owners;
    struct arena_writer writer = {0};
    sources_bind(h->sources, h->store, &writer);
    for (unsigned lane = 0; !image->power_cut && lane < LAYOUT_LANES; lane++) {
        redo_replay(layout_redo(image->base, lane), image->base, ARENA_RESERVED, image->size);
    }
    fixture_must(record_scan(image) == 0, "no memory");
    const struct catalog *c = schema_current(h->store)->catalog;
    fixture_must(sources_restore(h->sources, image, c, &writer, h->p->now_ms, &owners) == 0,
                 "no memory");
    fixture_must(restore_series(h->store, image, &owners, &done) == 0, "no memory");
    ingest_restore(h->ingest, image, h->p->now_ms, h->p->now_real_ms);
    restore_owners_free(&owners);
    return done;
}

#endif
