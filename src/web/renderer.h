// SPDX-License-Identifier: Apache-2.0
/*
 * renderer: the thread that renders, so that a long rendering keeps no other answer waiting.
 *
 * Shape:   one job at a time. The web thread gives one to an idle renderer, is woken when it is done, and takes it
 *          back with its outcome.
 * Bodies:  a rendering lives until the last connection that sends it has finished; its buffer then serves the next
 *          one. RENDERER_BODY_POOL buffers are kept; one whose size was a peak is freed after RENDERER_BODY_QUIET_MAX
 *          renderings that needed less than a quarter of it. A rendering has at most a quarter and RENDERER_BODY_SPARE bytes more than it
 *          needs, unless its buffer is one of a peak.
 * Watch:   renderer_poke and renderer_take_answer show whether the thread still makes progress. Between two jobs it
 *          answers at once, during a job when that has ended.
 * Threads: all functions, and bodies, are the web thread's, but for start and stop, before and after it. The
 *          backend's render and view are called on the renderer's thread.
 * Memory:  a job is copied in and out; its owner also owns what it points to.
 */
#ifndef VE_WEB_RENDERER_H
#define VE_WEB_RENDERER_H

#include "base/buf.h"
#include "web/backend.h"
#include "web/sd.h"

#include <pthread.h>

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

// Returns a body with an empty buffer, or NULL.
struct renderer_body *renderer_body_new(struct renderer_bodies *all);

// Says that it is complete: its memory counts from now on.
void renderer_body_seal(struct renderer_body *b);

// Gives it back; `body` is a struct renderer_body.
void renderer_body_free(void *body);

void renderer_bodies_free(struct renderer_bodies *all);

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

// Returns 0 or -errno.
int renderer_init(struct renderer *r);
void renderer_destroy(struct renderer *r);

// Starts the thread. Returns 0 or -errno.
int renderer_start(struct renderer *r);
// Ends it, after the job that is under way. Does nothing when it was not started.
void renderer_stop(struct renderer *r);

// Whether what is compressed can be had. The first call asks for the memory.
bool renderer_can_compress(struct renderer *r);

bool renderer_is_idle(struct renderer *r);
// Gives it a job (takes what that owns) while it is idle.
void renderer_start_job(struct renderer *r, const struct renderer_job *job);
// Whether one is done, which is then in *ret, and the renderer idle.
bool renderer_take_result(struct renderer *r, struct renderer_job *ret);

void renderer_poke(struct renderer *r);
// Whether it has answered since it was asked; true once for each time.
bool renderer_take_answer(struct renderer *r);

void renderer_job_free(struct renderer_job *job);

#endif
