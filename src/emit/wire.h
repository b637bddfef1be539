// SPDX-License-Identifier: Apache-2.0
/*
 * wire: spells the lines of the event protocol and reads the daemon's replies.
 *
 * Shape:   a line is one JSON object without its LF, `value` last, as the daemon likes it best.
 * Bounds:  a line has at most WIRE_LINE_MAX bytes; of a reply only what the fields below hold is
 * kept. Threads: pure functions. No allocation; a C library is all they need. Memory:  the
 * caller's; strings are NUL-terminated UTF-8 and borrowed for the call. Source:
 * virtrigaud-events(7), protocol 1; RFC 8259 for strings and numbers.
 */
#ifndef VE_EMIT_WIRE_H
#define VE_EMIT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_LINE_MAX = 65536, // bytes of a line without its LF
    WIRE_NUMBER_MAX = 32   // bytes of a number with its NUL
};

struct wire_label {
    const char *name;
    const char *value;
};

// One metric's sample or one event.
struct wire_sample {
    bool event;                      // the name is an event's
    const char *name;                // as in the daemon's catalogue
    const char *op;                  // "add", "set", "observe"; NULL: the metric's own default
    const char *value;               // a JSON number as text; NULL: none
    const struct wire_label *labels; // n_labels of them
    size_t n_labels;
};

// Who speaks.
struct wire_hello {
    const char *component;
    const char *instance;            // NULL: none
    const struct wire_label *labels; // defaults for every line of the connection
    size_t n_labels;                 // of labels
};

enum wire_reply_kind {
    WIRE_REPLY_OTHER, // ping, forget, and what later protocols may add
    WIRE_REPLY_ERROR,
    WIRE_REPLY_HELLO,
    WIRE_REPLY_SYNC
};

// One reply of the daemon. What a reply does not say is 0 or "".
struct wire_reply {
    enum wire_reply_kind kind;
    char id[64];      // sync: its ID as JSON text
    char reason[32];  // error: the reason's word
    char detail[256]; // error: the detail, cut when longer; no control character in it
    uint64_t line;    // error: the line of this connection, from 1, control lines counted
    bool in_batch;    // error: `index` is known
    uint64_t index;   // error: which element of a batch, from 0
    bool known;       // hello: the session is one that the daemon knows
    uint64_t
        applied; // sync: lines of this connection that were applied; hello: the session's position
    uint64_t rejected; // sync: lines of this connection that were refused
};

// Writes a number, NUL-terminated: the fewest of 15, 16 or 17 digits that read back as the same
// double. Returns its length; 0 when it is not finite.
size_t wire_number(char out[WIRE_NUMBER_MAX], double v);

// Whether the text is a JSON number.
bool wire_is_number(const char *s);

// Writes a line without LF or NUL. Returns its length; -EINVAL for text that is no UTF-8; -EMSGSIZE
// for more than WIRE_LINE_MAX bytes; -ENOBUFS when only `size` is too small.
int wire_line(char *out, size_t size, const struct wire_sample *sample);

// Writes a hello in the same way, with `lost` unless it is 0.
int wire_hello_line(char *out, size_t size, const struct wire_hello *hello, uint64_t lost);

// Reads one reply (without LF). Returns 0; -EBADMSG when it is none.
int wire_reply_parse(struct wire_reply *ret, const char *line, size_t len);

// Whether a line may be one that the daemon takes for a control line: rather too often than not.
bool wire_is_control(const char *line, size_t len);

// Whether a line is one of those that the daemon passes over.
bool wire_is_blank(const char *line, size_t len);

#endif
