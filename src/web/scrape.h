// SPDX-License-Identifier: Apache-2.0
/*
 * scrape: requests that wait for a rendering, and their place among those in flight.
 *
 * Shape:   libmicrohttpd's round only collects requests; scrape_serve, after the round, renders.
 *          So a rendering begins after the arrival of all that it answers, and those that came
 *          during it find the next one. A rendering serves all that want the same in the same form,
 *          and is not sent to whom it comes too late for. The page and /status go the same way,
 *          since they too cost a walk and memory.
 * Bounds:  max_requests whose rendering is being sent. Those that wait cost no more than their
 *          connection, and wait for a place for SCRAPE_WAIT_MS at most. No new rendering beyond
 *          SCRAPE_HELD_MAX bytes that are not yet sent.
 * Threads: the web thread only.
 * Memory:  a waiting request belongs to its connection; renderings to `bodies`.
 */
#ifndef VE_WEB_SCRAPE_H
#define VE_WEB_SCRAPE_H

#include "web/body.h"
#include "web/conn.h"
#include "web/web.h"

// Longer than CONN_STALL_MS and a look at the progress: who came with a crowd of stalled ones gets
// a place.
enum {
    SCRAPE_WAIT_MS = 500,
    SCRAPE_HELD_MAX = 256 * 1024 * 1024,
    SCRAPE_PIECE_KEPT = 2 * SINK_PIECE
};

struct scrape {
    const struct web_backend *backend;
    struct conns *conns;
    struct stats *stats;
    const char *telemetry_path;
    unsigned max_requests;
    struct bodies bodies; // as rendered
    struct bodies packed; // through gzip
    struct buf piece;     // of text, on its way into gzip
    struct gzip *gzip;    // made when it is first wanted
};

// Suspends a request until its rendering is there, or until it is refused with 503. Takes
// `filter` (NULL: all). Its form and its deadline are set before.
void scrape_add(struct scrape *s, struct conn *c, struct web_filter *filter);

// The same for a view.
void scrape_add_view(struct scrape *s, struct conn *c, const struct view_form *form);

// Renders for those that wait, as far as there is room.
void scrape_serve(struct scrape *s);

// Gives back the memory of renderings, once nothing is being sent any more.
void scrape_destroy(struct scrape *s);

#endif
