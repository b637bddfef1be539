// SPDX-License-Identifier: Apache-2.0
/*
 * wire: the event protocol on the client's side: its lines as text, the lines that wait, the daemon's socket and replies.
 *
 * Shape:   a line is one JSON object without its LF, `value` last, as the daemon recognises it best.
 * Bounds:  a line has at most WIRE_LINE_MAX bytes; a queue has the size that it was given; a reply has at most
 *          WIRE_REPLY_MAX bytes, a longer one is skipped, and only what the fields below hold is kept.
 * Threads: one owner for a queue and a reader; the rest are pure functions.
 * Memory:  a queue allocates once; all else is the caller's. Strings are NUL-terminated UTF-8, borrowed for the call.
 * Errors:  0 or -errno. A C library on Linux is all that is needed.
 * Source:  virtrigaud-events(7), protocol 1; RFC 8259 for strings and numbers.
 */
#ifndef VE_CLIENT_WIRE_H
#define VE_CLIENT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define WIRE_SOCKET "/run/virtrigaud-exporter/events.sock"
#define WIRE_SOCKET_ENV "VIRTRIGAUD_EVENTS_SOCKET"

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
    bool event;                        // the name is an event's
    const char *name;                  // as in the daemon's catalogue
    const char *op;                    // "add", "set", "observe"; NULL: the metric's own default
    const char *value;                 // a JSON number as text; NULL: none
    const char *values;                // in its place: JSON numbers with commas between; NULL: none
    uint64_t count;                    // of an event without value: occurrences; 0: one
    const struct wire_label *exemplar; // n_exemplar of them
    size_t n_exemplar;
    const struct wire_label *labels; // n_labels of them
    size_t n_labels;
};

// Who speaks.
struct wire_hello {
    const char *component;
    const char *instance;            // NULL: none
    bool transient;                  // it comes and goes: it is no source that could be down
    unsigned interval_s;             // the daemon hears of it at least so often; 0: no promise
    const struct wire_label *labels; // defaults for every line of the connection
    size_t n_labels;                 // of labels
};

enum wire_reply_kind {
    WIRE_REPLY_OTHER, // ping, and what later protocols may add
    WIRE_REPLY_ERROR,
    WIRE_REPLY_HELLO,
    WIRE_REPLY_FORGET,
    WIRE_REPLY_SYNC
};

// One reply of the daemon. What a reply does not say is 0 or "".
struct wire_reply {
    enum wire_reply_kind kind;
    char id[64];      // sync: its ID as JSON text
    char reason[32];  // error: the reason
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

// After how many milliseconds of silence a sign of life is given, so that the hello's promise is kept even where one is late. 0:
// nothing was promised.
static inline unsigned wire_life_ms(const struct wire_hello *hello)
{
    return hello->interval_s * 1000 / 3;
}

// Writes a hello in the same way, with `lost` unless it is 0.
int wire_hello_line(char *out, size_t size, const struct wire_hello *hello, uint64_t lost);

// Writes the line that has the daemon remove the series with these labels, with its LF, in the same way.
int wire_forget_line(char *out, size_t size, const struct wire_label *labels, size_t n);

// Writes the part of a line that gives an exemplar, with the comma before it, in the same way; `ms` is since 1970. Returns
// -EINVAL, too, for labels that the daemon would reject.
int wire_exemplar(char *out, size_t size, const struct wire_label *labels, size_t n, uint64_t ms);

// Reads one reply (without LF). Returns 0; -EBADMSG when it is none.
int wire_reply_parse(struct wire_reply *ret, const char *line, size_t len);

// Whether a line may be one that the daemon takes for a control line: rather too often than not.
bool wire_is_control(const char *line, size_t len);

// Whether a line is one of those that the daemon passes over.
bool wire_is_blank(const char *line, size_t len);

/* The lines of a client, in order: first those that were written and may have to be written again, then those that wait.
 *
 *     0 ... tail ........... head ............ len ... size
 *           written, kept    to be written
 *
 * `tail` is at the start of a line, `head` may be inside a line. Every line ends with LF. */
struct wire_queue {
    char *buf;
    size_t size;    // of buf
    size_t tail;    // the oldest line
    size_t head;    // the next byte to write
    size_t len;     // bytes in buf
    uint64_t lines; // from tail to len
    uint64_t first; // lines that stood before tail and are forgotten
};

// Returns 0; -ENOMEM.
int wire_queue_init(struct wire_queue *q, size_t size);

void wire_queue_free(struct wire_queue *q);

// Whether a line of len bytes and its LF fit now.
bool wire_queue_has_room(const struct wire_queue *q, size_t len);

// Appends a line, for which there is room, and its LF.
void wire_queue_put(struct wire_queue *q, const char *line, size_t len);

// The next bytes to write. Returns how many.
size_t wire_queue_next(const struct wire_queue *q, const char **ret);

// The same up to the end of the line that head is in.
size_t wire_queue_line_rest(const struct wire_queue *q, const char **ret);

// Notes that n of those bytes were written. Returns how many lines are complete by that.
uint64_t wire_queue_wrote(struct wire_queue *q, size_t n);

// Whether there is anything to be written.
static inline bool wire_queue_has_waiting(const struct wire_queue *q)
{
    return q->head < q->len;
}

// Whether head is inside a line.
bool wire_queue_is_partial(const struct wire_queue *q);

// Forgets the n oldest lines.
void wire_queue_drop(struct wire_queue *q, uint64_t n);

// What was written and is kept shall be written again.
void wire_queue_rewind(struct wire_queue *q);

enum {
    WIRE_REPLY_MAX = 8192, // bytes of a reply
    WIRE_PATH_SIZE =
        sizeof(struct sockaddr_un) - sizeof(sa_family_t) // bytes of a path with its NUL
};

// Replies that are being read from a descriptor.
struct wire_reader {
    char in[WIRE_REPLY_MAX]; // a reply as far as it has come
    size_t len;              // bytes in it
    bool skip;               // it is too long
};

// The path, or for NULL the default, borrowed.
const char *wire_socket_name(const char *path);
// Copies it. Returns 0; -ENAMETOOLONG.
int wire_socket_path(char out[WIRE_PATH_SIZE], const char *path);

// Opens a non-blocking connection. path may be NULL. Returns the descriptor; -errno.
int wire_connect(const char *path);

// Reads what there is, and calls `take` for each whole reply (without LF). Returns 0 when there is no
// more for now; -ECONNRESET at the end; -errno.
int wire_read(struct wire_reader *r, int fd, void (*take)(void *arg, const char *line, size_t len),
              void *arg);

#endif
