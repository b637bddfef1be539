// SPDX-License-Identifier: Apache-2.0
/*
 * source_state: what of the sources outlives the process, and what becomes of it.
 *
 * Shape:   each source has a record with its name, its latest lives, and what was last heard of it. After a
 *          restart a source that was known is known again, as one that went at the start: SOURCE_GRACE_MS later
 *          its owned series go, unless it comes back.
 * Threads: sources_bind while no worker runs or all stand still; sources_save, sources_restore: the main thread.
 *          A source's record is made by the worker that meets it first.
 */
#ifndef VE_INGEST_SOURCE_STATE_H
#define VE_INGEST_SOURCE_STATE_H

#include "ingest/source.h"
#include "series/restore.h"

// Tells where records stand and what components are called: at the start, and after each reload.
void sources_bind(struct sources *s, struct series_store *store, struct arena_hand *hand);

// Makes the records anew that were lost with their pages (arena_torn); while no worker runs.
void sources_mend(struct sources *s, struct arena_hand *hand);

// Writes down what changes with every line.
void sources_save(struct sources *s);

struct sources_past;

// Makes the sources of a scanned image known. Returns 0, -ENOMEM. What it returns says how marks of the file read
// now, and goes back with sources_past_free.
int sources_restore(struct sources *s, struct record_image *image, struct arena_hand *hand,
                    uint64_t now_ms, struct sources_past **ret);
struct restore_marks sources_past_marks(struct sources_past *past);
void sources_past_free(struct sources_past *past);

#endif
