// SPDX-License-Identifier: Apache-2.0
/*
 * reload: requests that wait for a reload, which another thread does.
 *
 * Shape:   one reload at a time. Requests that come while one is under way wait for the next
 *          one, since the running one may have read the files before they came.
 * Bounds:  RELOAD_MAX waiting requests; CONN_ANSWER_MS for each, then 504.
 * Threads: reload_done from any; all else on the web thread.
 * Memory:  the result's text is copied.
 */
#ifndef VE_WEB_RELOAD_H
#define VE_WEB_RELOAD_H

#include "web/backend.h"
#include "web/conn.h"

#include <pthread.h>

enum { RELOAD_MAX = 16, RELOAD_TEXT_MAX = 4096 };

struct reload {
    const struct web_backend *backend;
    struct conns *conns;

    pthread_mutex_t lock; // of what follows
    bool asked;           // the backend was asked and has not answered
    bool done;            // it has answered, and no request has been answered yet
    bool ok;
    char text[RELOAD_TEXT_MAX + 1];
};

// Returns 0 or -errno.
int reload_init(struct reload *r, const struct web_backend *backend, struct conns *conns);
void reload_destroy(struct reload *r);

// Suspends a request until a reload that begins now or later has ended, or answers it with 503.
// Returns false when that failed.
bool reload_add(struct reload *r, struct conn *c);

// Takes the backend's answer. Returns whether one was expected.
bool reload_done(struct reload *r, bool ok, const char *text);

// Answers those whose reload has ended or who have waited too long, and begins the next one.
// `stopping`: answers all.
void reload_serve(struct reload *r, bool stopping);

#endif
