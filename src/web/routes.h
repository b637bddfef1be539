// SPDX-License-Identifier: Apache-2.0
/*
 * routes: from a request to what answers it, and requests that wait for a reload, which another thread does.
 *
 * Shape:   a path matches whole, after percent-decoding; a decoded NUL never gets so far.
 * Reload:  one at a time. Requests that come while one is under way wait for the next
 *          one, since the running one may have read the files before they came.
 * Bounds:  a body is thrown away: up to ROUTES_BODY_MAX bytes of it for a reload, none for
 *          others. ROUTES_RELOAD_MAX waiting requests; CONN_ANSWER_MS for each, then 504.
 * Threads: routes_reload_done from any; all else on the web thread.
 * Memory:  the result's text is copied.
 */
#ifndef VE_WEB_ROUTES_H
#define VE_WEB_ROUTES_H

#include "web/auth.h"
#include "web/backend.h"
#include "web/conn.h"
#include "web/scrape.h"
#include "web/sd.h"

#include <pthread.h>

enum { ROUTES_RELOAD_MAX = 16, ROUTES_RELOAD_TEXT_MAX = 4096 };

struct routes_reload {
    const struct web_backend *backend;
    struct conns *conns;

    pthread_mutex_t lock; // of what follows
    bool asked;           // the backend was asked and has not answered
    bool done;            // it has answered, and no request has been answered yet
    bool ok;
    char text[ROUTES_RELOAD_TEXT_MAX + 1];
};

// Returns 0 or -errno.
int routes_reload_init(struct routes_reload *r, const struct web_backend *backend,
                       struct conns *conns);
void routes_reload_destroy(struct routes_reload *r);

// Takes the backend's answer. Returns whether one was expected.
bool routes_reload_done(struct routes_reload *r, bool ok, const char *text);

// Answers those whose reload has ended or who have waited too long, and begins the next one.
// `stopping`: answers all.
void routes_reload_serve(struct routes_reload *r, bool stopping);

enum { ROUTES_BODY_MAX = 4096, ROUTES_BODY_DROP = 65536 };

struct routes {
    const struct web_backend *backend;
    const char *telemetry_path;
    bool lifecycle;
    struct scrape *scrape;
    struct routes_reload *reload;
    struct auth *auth;
    const char *external_address; // of all targets of /sd; NULL: the Host of the request
    struct conns *conns;
    struct stats *stats;
};

// Whether a path is one of those that cannot be the telemetry path.
bool routes_is_taken(const char *path);

// libmicrohttpd's access handler: called for the head, for pieces of the body, at the request's
// end, and when a suspended request is resumed. Returns false when the connection must end.
bool routes_handle(struct routes *r, struct conn *c, const char *method, size_t *upload_size);

#endif
