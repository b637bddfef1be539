// SPDX-License-Identifier: Apache-2.0
/*
 * rejected: what a worker reports of the lines that it rejected, for the log and the page.
 *
 * Shape:   a ring with room for REJECTED_RING of them, of which one source has REJECTED_SHARE at most: further ones are
 *          counted with its last entry, so that a source that sends nothing but nonsense hides no other. When the
 *          ring is full, they are only counted: a worker never waits.
 * Bounds:  of a line's text REJECTED_TEXT bytes are kept, and only while `texts` says so.
 * Threads: one writer, the worker; one reader. `written` is released after the entry and acquired before it
 *          is read; `taken` likewise, before the place is used again. `more` is added to by the writer until the
 *          reader leaves REJECTED_TAKEN in it.
 */
#ifndef VE_INGEST_REJECTED_H
#define VE_INGEST_REJECTED_H

#include "event/event.h"
#include "source/permission.h"
#include "source/source.h"

enum { REJECTED_RING = 16, REJECTED_SHARE = 6, REJECTED_TEXT = 256 };
#define REJECTED_TAKEN UINT32_MAX

struct rejected_line {
    enum reject_reason
        reason; // REJECT_NONE: none, but its user runs in another unit than its role names, in `detail`
    uid_t user;                                            // PEER_NOBODY: not known
    char entry[sizeof((struct permission_role *)0)->name]; // of the permissions; "": none
    unsigned component;
    char instance[SOURCE_MAX_NAME + 1];               // "" when it has none
    uint64_t line;                                    // of its connection, from 1; 0: of a datagram
    char metric[sizeof((struct rejection *)0)->name]; // or event; "": none known
    bool is_event;                                    // that is the name of an event
    uint32_t more;                                    // of this source, that are not reported
    const struct source *source;                      // to distinguish sources, not to look at
    char detail[sizeof((struct rejection *)0)->detail];
    size_t line_len;          // bytes of the line, as far as they are known
    size_t text_len;          // bytes of it in `text`, any bytes
    char text[REJECTED_TEXT]; // its beginning
};

struct rejected_lines {
    _Atomic uint32_t written;
    _Atomic uint32_t taken;
    _Atomic uint64_t missed; // found no room
    _Atomic bool texts;      // the text of lines is kept too
    _Atomic uint32_t more[REJECTED_RING];
    struct rejected_line ring[REJECTED_RING];
};

void rejected_put(struct rejected_lines *r, const struct source *src,
                  const struct permission_client *who, uint64_t line, const struct rejection *why,
                  struct slice text);
// Takes the oldest one. Returns whether there was one.
bool rejected_take(struct rejected_lines *r, struct rejected_line *ret);

#endif
