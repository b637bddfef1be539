// SPDX-License-Identifier: Apache-2.0
/*
 * routes: from a request to what answers it.
 *
 * Shape:   a path matches whole, after percent-decoding; a decoded NUL never gets so far.
 * Bounds:  a body is thrown away: up to ROUTES_BODY_MAX bytes of it for a reload, none for
 *          others.
 * Threads: the web thread only.
 */
#ifndef VE_WEB_ROUTES_H
#define VE_WEB_ROUTES_H

#include "web/auth.h"
#include "web/reload.h"
#include "web/scrape.h"
#include "web/sd.h"

enum { ROUTES_BODY_MAX = 4096, ROUTES_BODY_DROP = 65536 };

struct routes {
    const struct web_backend *backend;
    const char *telemetry_path;
    bool lifecycle;
    struct scrape *scrape;
    struct reload *reload;
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
