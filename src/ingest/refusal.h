// SPDX-License-Identifier: Apache-2.0
/*
 * refusal: what a worker tells of the lines that it refused, for the log and the page.
 *
 * Shape:   a ring with room for REFUSAL_RING of them. When it is full, further ones are only counted: a
 *          worker never waits, and a source that sends nothing but nonsense costs no more than its replies.
 * Bounds:  of a line's text REFUSAL_TEXT bytes are kept, and only while `texts` says so.
 * Threads: one writer, the worker; one reader. `written` is released after the entry and acquired before it
 *          is read; `taken` likewise, before the place is used again.
 */
#ifndef VE_INGEST_REFUSAL_H
#define VE_INGEST_REFUSAL_H

#include "event/event.h"
#include "ingest/admit.h"
#include "ingest/source.h"

enum { REFUSAL_RING = 16, REFUSAL_TEXT = 256 };

struct refusal {
    enum reject
        reason; // REJECT_NONE: none, but its user runs in another unit than is said, in `detail`
    uid_t user; // PEER_NOBODY: not known
    char entry[sizeof((struct rights_entry *)0)->name]; // of the rights; "": none
    unsigned component;
    char instance[CONTROL_MAX_NAME + 1]; // "" when it has none
    uint64_t line;                       // of its connection, from 1; 0: of a datagram
    char metric[sizeof((struct event_verdict *)0)->name]; // or event; "": none known
    char detail[sizeof((struct event_verdict *)0)->detail];
    size_t line_len;         // bytes of the line, as far as they are known
    size_t text_len;         // bytes of it in `text`, any bytes
    char text[REFUSAL_TEXT]; // its beginning
};

struct refusals {
    _Atomic uint32_t written;
    _Atomic uint32_t taken;
    _Atomic uint64_t missed; // found no room
    _Atomic bool texts;      // the text of lines is kept too
    struct refusal ring[REFUSAL_RING];
};

void refusal_put(struct refusals *r, const struct source *src, const struct admission *who,
                 uint64_t line, enum reject reason, const char *metric, const char *detail,
                 struct slice text);
// Takes the oldest one. Returns whether there was one.
bool refusal_take(struct refusals *r, struct refusal *ret);

#endif
