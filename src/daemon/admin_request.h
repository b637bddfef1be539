// SPDX-License-Identifier: Apache-2.0
/*
 * admin_request: a line of the admin socket taken apart.
 *
 * Shape:   a JSON object with one key, the command; its value is an object with what the command takes, and nothing else.
 *          virtrigaud-ctl(1) describes the commands.
 * Bounds:  ADMIN_REQUEST_MAX bytes; KEY_MATCH_MAX_LABELS labels.
 * Threads: one owner.
 * Memory:  texts are copied into the request.
 */
#ifndef VE_DAEMON_ADMIN_REQUEST_H
#define VE_DAEMON_ADMIN_REQUEST_H

#include "base/buf.h"
#include "event/parse.h"
#include "series/key.h"

enum { ADMIN_REQUEST_MAX = 16384 };

enum admin_command {
    ADMIN_STATUS,
    ADMIN_SOURCES,
    ADMIN_SERIES,
    ADMIN_REJECTS,
    ADMIN_FORGET,
    ADMIN_DELETE,
    ADMIN_RELOAD
};

struct admin_label {
    const char *name;
    struct slice value;
};

struct admin_request {
    enum admin_command command;
    const char *metric;    // series, delete
    const char *component; // forget
    struct slice instance; // forget; not empty
    bool with_series;      // forget: what it pushed goes too
    bool follow;           // rejects: also those that are still to come
    size_t n_labels;       // series, delete: delete has one at least
    struct admin_label labels[KEY_MATCH_MAX_LABELS];
    size_t used; // of `bytes`
    char bytes[ADMIN_REQUEST_MAX + KEY_MATCH_MAX_LABELS + 2];
};

// Reads a line of at most ADMIN_REQUEST_MAX bytes without its LF. Returns NULL; or why it is none, one word, with what
// exactly in `detail`.
const char *admin_request_read(struct admin_request *ret, struct parser *p, const char *line,
                               size_t len, struct buf *detail);

#endif
