// SPDX-License-Identifier: Apache-2.0
#include "source/source_restore.h"

#include "series/idset.h"
#include "source/owner.h"

#include <errno.h>
#include <stdlib.h>

// The ids of a source of the file are those of its new entry. The leases that it had are one from now on.
static void translate(struct restore_owners *owners, const struct source_past *past,
                      uint32_t n_past, const struct sources *s, const struct source *src)
{
    for (unsigned kind = 0; kind < OWNER_ID_KINDS; kind++) {
        uint32_t old = kind * n_past + past->entry + 1;
        if (old < owners->n) {
            owners->now[old] = kind * owners->n_sources + source_updater_id(s, src);
        }
    }
    if (src->lease == 0) {
        return;
    }
    owners->leases[source_updater_id(s, src)] = src->lease;
    for (unsigned i = 0; past->lived && i < SOURCE_SAVED_LEASES; i++) {
        uint32_t old = past->leases[i];
        if (old > OWNER_ID_KINDS * n_past && old < owners->n) {
            owners->now[old] = src->lease;
        }
    }
}

int sources_restore(struct sources *s, const struct record_image *image, const struct catalog *c,
                    struct arena_writer *writer, uint64_t now_ms, struct restore_owners *ret)
{
    uint32_t n_past = (image->lease_from - 1) / OWNER_ID_KINDS;
    struct restore_owners owners = {.n = IDSET_MAX + 1, .n_sources = sources_entries(s)};
    owners.now = calloc(owners.n, sizeof *owners.now);
    owners.leases = calloc(owners.n_sources + 1, sizeof *owners.leases);
    if (owners.now == NULL || owners.leases == NULL) {
        restore_owners_free(&owners);
        return -ENOMEM;
    }
    size_t at = 0;
    for (uint32_t handle; (handle = record_next(image, RECORD_SOURCE, &at)) != 0;) {
        struct source_past past;
        if (!source_record_read(record_at(image->base, handle), c, &past) || past.entry >= n_past) {
            continue;
        }
        past.heard_mono += (uint64_t)(int32_t)image->shift_s * 1000;
        const struct source *src = source_recall(s, writer, &past, now_ms);
        if (src != NULL) {
            translate(&owners, &past, n_past, s, src);
        }
    }
    *ret = owners;
    return 0;
}
