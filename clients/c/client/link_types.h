// SPDX-License-Identifier: Apache-2.0
/* link_types: what a link is given, and what it says of itself. */
#ifndef VE_CLIENT_LINK_TYPES_H
#define VE_CLIENT_LINK_TYPES_H

#include "client/wire.h"

enum {
    LINK_BUFFER_MIN = 4096,   // smallest buffer
    LINK_BUFFER_AUTO = 262144 // buffer when none is asked for
};

// What became of lines.
enum link_end {
    LINK_ANSWERED,   // the daemon has dealt with them, and all rejections among them were reported
    LINK_UNANSWERED, // it has dealt with them, and some rejections may not have been reported
    LINK_LOST,       // they were written, and will not be written again
    LINK_RETURNED, // the daemon has not dealt with them; they leave the queue, and the caller may send them again
    LINK_ROLLED_BACK // they were acknowledged, and are in no count of the daemon any more
};

struct link_config {
    const char *path; // the daemon's socket; NULL: what the environment says, else WIRE_SOCKET
    const struct wire_hello *hello; // who speaks; NULL: no hello
    bool session;                   // lines survive the daemon's death; needs a hello
    size_t buffer;                  // bytes that may wait; 0: LINK_BUFFER_AUTO
    unsigned wait_ms;               // how long a send waits for room
    // Called for each rejection that the daemon reports, from inside the calls below; must not call
    // the client. Its `line` is the number of the line among those that a send took, from 1; 0: the
    // hello. NULL: rejections are counted only.
    void (*on_rejection)(void *arg, const struct wire_reply *rejection);
    // In a session, of a caller whose lines stand for any number of calls: called when the n oldest lines end (of
    // LINK_ROLLED_BACK, the n that were acknowledged last). Returns what is added to `lost` for LINK_LOST and
    // LINK_ROLLED_BACK. With it, what waits is returned when a session is resumed, in the place of being written again.
    // NULL: the number of lines. Must not call the link.
    uint64_t (*on_end)(void *arg, enum link_end end, uint64_t n);
    // Called when the hello is answered and lines may be written. NULL: not needed. Must not call the link.
    void (*on_ready)(void *arg);
    // Called when the daemon has dealt with a link_forget; `refusal` is NULL unless it was rejected. Must not call the link.
    void (*on_forgotten)(void *arg, const struct wire_reply *refusal);
    void *arg;              // for the four
    unsigned retry_last_ms; // longest pause between attempts to connect; 0: 10 s
};

struct link_stats {
    uint64_t sent;    // lines that a send took, or dropped
    uint64_t lost;    // of those: dropped, or not to be sent again though they may not have arrived
    uint64_t unknown; // written before a break, answer not known; see Account
    uint64_t applied; // acknowledged as applied
    uint64_t rejected; // acknowledged as refused
    uint64_t waiting;  // not written or not acknowledged yet
    uint64_t refused;  // rejections reported
    bool connected;    // connected, and the hello (if any) answered
    bool old;          // to a daemon that does not know `interval` in a hello
    int error;         // why not connected, -errno
};

#endif
