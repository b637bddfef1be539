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
 * Thread:  one of its own renders, so that a long rendering keeps no other answer waiting: one job at a time, and the web
 *          thread, which is woken when it is done, takes it back with its outcome. scrape_poke and scrape_take_answer show
 *          whether it still makes progress: between two jobs it answers at once, during a job when that has ended.
 * Bodies:  a rendering lives until the last connection that sends it has finished; its buffer then serves the next
 *          one. RENDERER_BODY_POOL buffers are kept; one whose size was a peak is freed after RENDERER_BODY_QUIET_MAX
 *          renderings that needed less than a quarter of it. A rendering has at most a quarter and RENDERER_BODY_SPARE
 *          bytes more than it needs, unless its buffer is one of a peak.
 * Threads: all functions are the web thread's, but for start and stop, before and after it. The backend's render and
 *          view are called on the renderer's thread.
 * Memory:  a waiting request belongs to its connection; renderings to `bodies`. A job is copied in and out; its owner
 *          also owns what it points to.
 * Source:  start-time fair queueing, P. Goyal and others, 1996, with all costs the same.
 */
#ifndef VE_WEB_SCRAPE_H
#define VE_WEB_SCRAPE_H

#include "base/buf.h"
#include "web/backend.h"
#include "web/conn.h"
#include "web/sd.h"

#include <pthread.h>
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

enum {
    RENDERER_BODY_POOL = 2,
    RENDERER_BODY_QUIET_MAX = 10,
    RENDERER_BODY_SMALL = 64 * 1024,
    RENDERER_BODY_SPARE = 1024 * 1024
};

// All renderings, and the buffers that wait for one.
struct renderer_bodies {
    struct buf pool[RENDERER_BODY_POOL];
    size_t n;       // in the pool
    size_t held;    // bytes of memory of the bodies that were sealed and not released
    unsigned quiet; // renderings in a row that were much smaller than their buffer
};

struct renderer_body {
    struct renderer_bodies *owner;
    struct buf buf;
    size_t held; // its share of owner->held
};

enum { RENDERER_PIECE_KEPT = 2 * FORMAT_SINK_PIECE };

// What has to be rendered.
struct renderer_job {
    const struct status_view_form *view; // in this form; NULL: the exposition,
    struct request_filter *filter;       // of these families (owned; NULL: all),
    enum format_kind format;             // in this format,
    bool compressed;                     // through gzip
    const char *type;                    // what it then is; lives forever
    char *telemetry_path;                // of a view; owned
    char *metric;                        // of a metric's page; owned
    unsigned refresh_s;                  // of a page; 0: it is not loaded again
    struct sd_request *list;             // it is such a list of targets, and no view; owned
    struct renderer_body *body;          // where to; owned
    int result;                          // 0 or -errno
};

enum renderer_state { RENDERER_IDLE, RENDERER_ASKED, RENDERER_DONE };

struct renderer {
    const struct web_backend *backend; // borrowed
    int wake;                          // eventfd: a job is done, or an answer given
    pthread_t thread;
    bool started;
    struct gzip *gzip; // NULL: there is none, and nothing can be compressed
    struct buf piece;  // of text, on its way into gzip

    pthread_mutex_t lock; // of what follows
    pthread_cond_t more;
    enum renderer_state state;
    struct renderer_job job; // while not idle
    bool ended;              // asked to end
    bool asked;              // whether it goes round
    bool answered;
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
    struct renderer renderer;
};

// Returns 0 or -errno.
int scrape_init(struct scrape *s);

// Starts the renderer's thread. Returns 0 or -errno.
int scrape_start(struct scrape *s);
// Ends it, after the job that is under way. Does nothing when it was not started.
void scrape_stop(struct scrape *s);

void scrape_poke(struct scrape *s);
// Whether it has answered since it was asked; true once for each time.
bool scrape_take_answer(struct scrape *s);

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
