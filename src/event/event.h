// SPDX-License-Identifier: Apache-2.0
/*
 * event: one line of the event protocol, from its bytes to updates of series.
 *
 * Shape:   event_handle checks a line and, if it is a sample, an event or a batch of them, applies it whole
 *          or not at all. A control line is taken apart only; who reads the socket acts on it. event_prefetch
 *          goes over several lines before they are handled one by one, so that the memory which they need is
 *          on its way meanwhile.
 * Threads: one reader per ingest worker; the thread is in an RCU section.
 * Memory:  a result borrows from the reader and from the line, until the next call.
 * Source:  virtrigaud-events(7).
 */
#ifndef VE_EVENT_EVENT_H
#define VE_EVENT_EVENT_H

#include "event/apply.h"
#include "event/control.h"
#include "event/line.h"
#include "event/origin.h"

enum {
    EVENT_MAX_LINE = LINE_MAX_BYTES, // without the LF
    EVENT_LINES = 32,                // lines that are worth looking at together
};

enum event_kind { EVENT_APPLIED, EVENT_REJECTED, EVENT_CONTROL };

struct event_result {
    enum event_kind kind;
    struct rejection rejection; // of EVENT_REJECTED
    bool hit;                   // applied without parsing
    bool was_hello;             // a hello, accepted or rejected
    struct control control;     // of EVENT_CONTROL
};

struct event_reader;

// Returns 0, -ENOMEM. Borrows the store and the writer.
int event_reader_new(struct event_reader **ret, struct series_store *store,
                     struct series_writer *writer);
void event_reader_free(struct event_reader *r);
// Lets the reader cache lines, in at most about that many bytes. Returns 0, -ENOMEM.
int event_reader_cache(struct event_reader *r, uint64_t bytes);
// origin_number, for as long as the reader lives.
uint64_t event_origin_number(struct event_reader *r, const struct origin *origin, uint64_t source);

// Looks at lines that are about to be handled, most likely for this origin, and stand one behind the other in one piece of
// memory. Any bytes will do; nothing changes but the lines' fields behind `len`.
void event_prefetch(struct event_reader *r, const struct origin *origin, struct line *lines,
                    size_t n);
// Applies the lines of the beginning that are cached, of those that the last event_prefetch saw. Returns how many. None
// of them has a result to speak of; the next one is for event_handle.
size_t event_apply_cached(struct event_reader *r, const struct origin *origin, struct line *lines,
                          size_t n);
// Checks and applies one line that the last event_prefetch saw, for this origin or another one (len <= EVENT_MAX_LINE, not
// blank).
void event_handle(struct event_reader *r, const struct origin *origin, struct line *line,
                  struct event_result *ret);
// Both for a single line.
void event_line(struct event_reader *r, const struct origin *origin, const char *line, size_t len,
                struct event_result *ret);

// place_named for the reader's writer.
void event_precreate(struct event_reader *r, const struct origin_defaults *labels,
                     const struct origin *origin, unsigned component, uint32_t named);

#endif
