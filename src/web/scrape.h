// SPDX-License-Identifier: Apache-2.0
/*
 * scrape: requests that wait for a rendering, and their place among those in flight.
 *
 * Shape:   libmicrohttpd's round only collects requests; scrape_serve, after the round, gives the renderer its next
 *          job and answers with what it has done. A rendering begins after the arrival of all that it answers, and
 *          those that come during it wait for the next one. A rendering serves all that ask for the same in the same
 *          form, and is not sent to whom it comes too late for. The page, /status and lists of targets go the same
 *          way, since they too cost a walk and memory.
 * Order:   a request has a place from before its rendering until its body is sent. Expositions have `max` places, the
 *          page and its like have SCHEDULER_VIEWS of their own, and each of the two one more, for a peer that holds
 *          none. A peer is an address and, where one was asked for, a user. The peer that holds least is first to get
 *          a place. For one that finds none the slow bodies are cut, then a request of the peer that holds most, and
 *          at least two more than it does. Those that have places are rendered for in the order of a fair queue: each
 *          gets a number; the lowest is first, of equal ones the one that came first. Of a peer that asks n times the
 *          last request gets a number n - 1 above that of a newcomer, who so waits for one request of each other peer
 *          at most. Peers that differ only in what their hash drops may be taken for one.
 * Bounds:  those that wait for one cost no more than their connection, and wait for SCRAPE_WAIT_MS at most. No new
 *          rendering of an exposition beyond SCRAPE_HELD_MAX bytes that are not yet sent, but for one of a peer that
 *          none is sent to; nor of a list beyond SCRAPE_LISTS_MAX.
 * Threads: the web thread only.
 * Memory:  a waiting request belongs to its connection; renderings to `bodies`.
 * Source:  start-time fair queueing, P. Goyal and others, 1996, with all costs the same.
 */
#ifndef VE_WEB_SCRAPE_H
#define VE_WEB_SCRAPE_H

#include "web/conn.h"
#include "web/renderer.h"

#include <stdint.h>

// Longer than the credit of a body lasts: who came with many slow ones gets a place, even when what they took at
// once hid that at first.
enum {
    SCRAPE_WAIT_MS = 5000,
    SCRAPE_HELD_MAX = 256 * 1024 * 1024,
    SCRAPE_LISTS_MAX = 64 * 1024 * 1024
};

enum { FAIR_QUEUE_SLOTS = 1024 };

struct fair_queue {
    uint64_t now; // the number that went last
    uint64_t
        next[FAIR_QUEUE_SLOTS]; // by who, what the next one of these gets unless it is in the past
};

enum {
    SCHEDULER_VIEWS = 8,
    SCHEDULER_GRACE_MS = 2000 // how long one waits before a body that is not slow is cut
};

struct scheduler {
    struct conns *conns;
    unsigned max;
    struct fair_queue queue;
};

struct scrape {
    const struct web_backend *backend;
    struct conns *conns;
    struct stats *stats;
    const char *telemetry_path;
    unsigned max_requests;
    struct renderer_bodies bodies;     // as rendered
    struct renderer_bodies compressed; // through gzip
    struct renderer_bodies views;      // of the page and its like; each is small
    struct renderer_bodies lists;      // of targets; none is kept for the next one
    struct scheduler scheduler;
    struct renderer *renderer;
};

// Suspends a request until its rendering is there, or until it is refused with 503. Takes
// `filter` (NULL: all). Its form and its deadline are set before.
void scrape_add(struct scrape *s, struct conn *c, struct request_filter *filter);

// The same for a view, or, with the connection's `view_metric`, for the page of a metric.
void scrape_add_view(struct scrape *s, struct conn *c, const struct status_view_form *form);

// The same for a list of targets; takes the request.
void scrape_add_list(struct scrape *s, struct conn *c, struct sd_request *request);

// Answers with what was rendered, and starts the next rendering for those that wait, if there is room.
void scrape_serve(struct scrape *s);

// Gives back the memory of renderings, once nothing is being sent any more.
void scrape_destroy(struct scrape *s);

#endif
