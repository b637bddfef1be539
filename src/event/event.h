// SPDX-License-Identifier: Apache-2.0
/*
 * event: one line of the event protocol, from its bytes to updates of series.
 *
 * Shape:   event_judge judges a line and, if it is a sample, an event or a batch of them, applies it whole
 *          or not at all. A control line is taken apart only; who reads the socket acts on it. event_look
 *          goes over several lines before they are judged one by one, so that the memory which they need is
 *          on its way meanwhile.
 * Threads: one reader per ingest worker; the thread stands in an RCU section.
 * Memory:  a verdict borrows from the reader and from the line, until the next call.
 * Source:  virtrigaud-events(7).
 */
#ifndef VE_EVENT_EVENT_H
#define VE_EVENT_EVENT_H

#include "event/control.h"
#include "event/permit.h"
#include "event/reject.h"
#include "series/claim.h"
#include "series/redo.h"
#include "series/schema.h"

enum {
    EVENT_MAX_LINE = 65536,   // bytes without the LF
    EVENT_MAX_DEFAULTS = 16,  // labels of a hello
    EVENT_MAX_EXEMPLAR = 128, // characters of an exemplar's label names and values
    EVENT_LINES = 32,         // lines that are worth looking at together
};

// Labels that a connection's hello named.
struct event_defaults {
    size_t n;
    char *names[EVENT_MAX_DEFAULTS];
    char *values[EVENT_MAX_DEFAULTS]; // without NUL inside
};

// What a line of a session changes besides series. All that it changes is changed as one (series/redo), so that
// it counts once whatever becomes of the process.
struct event_ledger {
    struct redo *redo;          // of the reader's lane
    _Atomic uint64_t *position; // lines of the session that were dealt with
    _Atomic uint64_t *applied;  // lines that were applied, in the account
};

// What a line means besides its bytes.
struct event_origin {
    const struct event_defaults *defaults; // NULL: none
    const struct permit *permit;           // NULL: all
    struct claimant claimant;
    uint64_t now_ms;             // CLOCK_MONOTONIC, for the permit's rate
    uint64_t context;            // event_context of the first three
    struct event_ledger *ledger; // of a session, which takes no batches; NULL: none
};

// A line without its LF, and what event_look found out about it.
struct event_line {
    const char *at;
    uint32_t len;
    uint16_t
        number_from; // its number at the end; both `len` when there is none, 0 when the line is too long
    uint16_t number_to;
    uint32_t shape;    // of its bytes, as the memo compares it; 0: too long for that
    uint32_t entry;    // of the memo, most likely the line's; 0: it has none
    bool number_known; // `number` is its value
    double number;
    uint64_t hash; // of the origin's context and the bytes before the number
};

enum event_kind { EVENT_APPLIED, EVENT_REFUSED, EVENT_CONTROL };

struct event_verdict {
    enum event_kind kind;
    enum reject reason;     // of EVENT_REFUSED
    int index;              // element of the batch that was refused, or -1
    bool remembered;        // applied without parsing
    bool was_hello;         // a hello, accepted or refused
    char name[96];          // the metric or event of the catalogue that it names; "": none
    char detail[160];       // what exactly, for people
    struct control control; // of EVENT_CONTROL
};

struct event_reader;

// Returns 0, -ENOMEM. Borrows the store and the hand.
int event_reader_new(struct event_reader **ret, struct series_store *store,
                     struct series_hand *hand);
void event_reader_free(struct event_reader *r);
// Lets the reader remember lines, in at most about that many bytes. Returns 0, -ENOMEM.
int event_reader_memo(struct event_reader *r, uint64_t bytes);
// A number that stands for the origin's defaults, permit and marks and for this source (a number of its own, since
// marks are used again), for as long as the reader lives: other ones get another number, the same ones usually
// the same.
uint64_t event_context(struct event_reader *r, const struct event_origin *origin, uint64_t source);

// Looks at lines that are about to be judged, most likely for this origin. Any bytes will do; nothing changes
// but the lines' fields behind `len`.
void event_look(struct event_reader *r, const struct event_origin *origin, struct event_line *lines,
                size_t n);
// Applies the lines of the beginning that are remembered, of those that the last event_look saw. Returns how many. None
// of them has a verdict to speak of; the next one is for event_judge.
size_t event_remembered(struct event_reader *r, const struct event_origin *origin,
                        struct event_line *lines, size_t n);
// Judges and applies one line that the last event_look saw, for this origin or another one (len <= EVENT_MAX_LINE, not
// blank).
void event_judge(struct event_reader *r, const struct event_origin *origin, struct event_line *line,
                 struct event_verdict *ret);
// Both for a single line.
void event_line(struct event_reader *r, const struct event_origin *origin, const char *line,
                size_t len, struct event_verdict *ret);

// A line of the session has been dealt with and counts there: in the ledger's account when it was applied, which
// event_line does by itself, or in that of its refusal.
void event_settle(struct event_ledger *ledger, _Atomic uint64_t *account);

// Creates the permitted zero series for which the labels name all that is open, of every metric with `precreate`,
// and leaves the origin's base mark and `named` on them.
void event_precreate(struct event_reader *r, const struct event_defaults *labels,
                     const struct event_origin *origin, uint32_t named);

// Removes the permitted series that carry the origin's base mark and have all these label values. Returns how
// many.
uint64_t event_forget(struct event_reader *r, const struct control_forget *what,
                      const struct event_origin *origin);

#endif
