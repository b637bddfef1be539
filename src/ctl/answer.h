// SPDX-License-Identifier: Apache-2.0
/*
 * answer: the daemon's admin socket from the client's side: requests, and the lines of their answers.
 *
 * Bounds:  a line of at most ANSWER_LINE_MAX bytes.
 * Threads: one.
 * Memory:  answer_close gives all back. A row stays until the next one is read.
 */
#ifndef VE_CTL_ANSWER_H
#define VE_CTL_ANSWER_H

#include "base/buf.h"

#define ANSWER_SOCKET "/run/virtrigaud-exporter/admin.sock"
#define ANSWER_SOCKET_ENV "VIRTRIGAUD_ADMIN_SOCKET"

enum { ANSWER_LINE_MAX = 64 << 20 };

typedef struct json_t json_t; // jansson's

struct answer {
    int fd; // -1: none
    const char *path;
    struct buf in;
    size_t used;      // of `in`: lines that were read
    json_t *row;      // the latest one
    const char *line; // it as text, one line, of which a terminal obeys nothing
    struct buf safe;  // such a text, where it had to be made
};

#define ANSWER_NONE ((struct answer){.fd = -1})

// Connects to the path, or where the environment says. Each wait takes timeout_ms at most. Returns 0 or -errno; then `path`
// is what was tried.
int answer_open(struct answer *a, const char *path, unsigned timeout_ms);
void answer_close(struct answer *a);

// Sends a request, of which the LF is added. Returns 0 or -errno.
int answer_ask(struct answer *a, struct buf *request);
// Waits for the next line without an end, instead of for timeout_ms.
void answer_be_patient(struct answer *a);
// Reads the next line. Returns 0 with `row` and `line`; -ETIMEDOUT; -ECONNRESET when the daemon has closed the connection;
// -EBADMSG when the line is no JSON object; -EINTR after a signal, and then it can be called again; or another -errno.
int answer_read(struct answer *a);

// What of the row has the key, if that is its only or first one; else NULL.
const json_t *answer_get(const struct answer *a, const char *key);

#endif
