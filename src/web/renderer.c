// SPDX-License-Identifier: Apache-2.0
#include "web/renderer.h"

#include "base/rcu.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>

// ---- Bodies

struct renderer_body *renderer_body_new(struct renderer_bodies *all)
{
    struct renderer_body *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return NULL;
    }
    b->owner = all;
    if (all->n > 0) {
        b->buf = all->pool[--all->n];
    }
    return b;
}

static bool is_much_too_big(const struct buf *b)
{
    return b->cap > RENDERER_BODY_SMALL && b->len < b->cap / 4;
}

// A buffer grows by doubling; what a large one did not need of that goes back, without a copy. An eighth stays, so that the
// next rendering, which is about as long, need not grow it again. That of a peak stays.
static void trim(struct buf *b)
{
    if (is_much_too_big(b) || b->cap - b->len <= b->len / 4 + RENDERER_BODY_SPARE) {
        return;
    }
    size_t size = b->len + b->len / 8;
    char *p = realloc(b->p, size);
    if (p != NULL) {
        b->p = p;
        b->cap = size;
    }
}

void renderer_body_seal(struct renderer_body *b)
{
    struct renderer_bodies *all = b->owner;
    trim(&b->buf);
    b->held = b->buf.cap;
    all->held += b->held;
    all->quiet = is_much_too_big(&b->buf) ? all->quiet + 1 : 0;
}

void renderer_body_free(void *body)
{
    struct renderer_body *b = body;
    struct renderer_bodies *all = b->owner;
    all->held -= b->held;
    bool peak = all->quiet >= RENDERER_BODY_QUIET_MAX && is_much_too_big(&b->buf);
    if (all->n < RENDERER_BODY_POOL && !peak) {
        buf_clear(&b->buf);
        all->pool[all->n++] = b->buf;
    } else {
        buf_free(&b->buf);
    }
    free(b);
}

void renderer_bodies_free(struct renderer_bodies *all)
{
    while (all->n > 0) {
        buf_free(&all->pool[--all->n]);
    }
}

// ---- The thread

int renderer_init(struct renderer *r)
{
    int rc = pthread_mutex_init(&r->lock, NULL);
    if (rc != 0) {
        return -rc;
    }
    rc = pthread_cond_init(&r->more, NULL);
    if (rc != 0) {
        pthread_mutex_destroy(&r->lock);
    }
    return -rc;
}

void renderer_job_free(struct renderer_job *job)
{
    request_filter_free(job->filter);
    free(job->telemetry_path);
    free(job->metric);
    if (job->list != NULL) {
        sd_request_free(job->list);
    }
    if (job->body != NULL) {
        renderer_body_free(job->body);
    }
    *job = (struct renderer_job){.result = 0};
}

void renderer_destroy(struct renderer *r)
{
    if (r->state != RENDERER_IDLE) {
        renderer_job_free(&r->job);
    }
    gzip_free(r->gzip);
    buf_free(&r->piece);
    pthread_cond_destroy(&r->more);
    pthread_mutex_destroy(&r->lock);
}

static int write_view(struct renderer *r, const struct renderer_job *job, struct buf *out)
{
    const struct status_view_request request = {.form = job->view,
                                                .telemetry_path = job->telemetry_path,
                                                .metric = job->metric,
                                                .refresh_s = job->refresh_s};
    int rc = r->backend->view(r->backend->ctx, &request, out);
    return rc < 0 || !out->failed ? rc : -ENOMEM;
}

static int write_exposition(struct renderer *r, const struct renderer_job *job, struct buf *out)
{
    struct format_sink sink =
        job->compressed ? format_sink_gzip(&r->piece, r->gzip, out) : format_sink_text(out);
    int rc = r->backend->render(r->backend->ctx, job->filter, job->format, &sink);
    rc = rc < 0 ? rc : format_sink_end(&sink);
    if (job->compressed) {
        buf_shrink(&r->piece, RENDERER_PIECE_KEPT);
    }
    return rc;
}

static int write_job(struct renderer *r, const struct renderer_job *job)
{
    struct buf *out = &job->body->buf;
    if (job->list != NULL) {
        return sd_list_write(job->list, r->backend, out);
    }
    return job->view != NULL ? write_view(r, job, out) : write_exposition(r, job, out);
}

static void work(struct renderer *r)
{
    pthread_mutex_lock(&r->lock);
    while (!r->ended) {
        bool wake = r->asked;
        if (r->asked) {
            r->asked = false;
            r->answered = true;
        }
        if (r->state == RENDERER_ASKED) {
            struct renderer_job *job = &r->job; // no other thread looks at it before it is done
            pthread_mutex_unlock(&r->lock);
            job->result = write_job(r, job);
            pthread_mutex_lock(&r->lock);
            r->state = RENDERER_DONE;
            wake = true;
        }
        if (wake) {
            eventfd_write(r->wake, 1);
        } else {
            pthread_cond_wait(&r->more, &r->lock);
        }
    }
    pthread_mutex_unlock(&r->lock);
}

static void *thread_main(void *arg)
{
    struct renderer *r = arg;
    rcu_join();
    work(r);
    rcu_part();
    return NULL;
}

int renderer_start(struct renderer *r)
{
    int rc = pthread_create(&r->thread, NULL, thread_main, r);
    r->started = rc == 0;
    if (r->started) {
        pthread_setname_np(r->thread, "render");
    }
    return -rc;
}

void renderer_stop(struct renderer *r)
{
    if (r->started) {
        pthread_mutex_lock(&r->lock);
        r->ended = true;
        pthread_cond_signal(&r->more);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
        r->started = false;
    }
}

bool renderer_can_compress(struct renderer *r)
{
    return r->gzip != NULL || gzip_new(&r->gzip) == 0;
}

bool renderer_is_idle(struct renderer *r)
{
    pthread_mutex_lock(&r->lock);
    bool idle = r->state == RENDERER_IDLE;
    pthread_mutex_unlock(&r->lock);
    return idle;
}

void renderer_start_job(struct renderer *r, const struct renderer_job *job)
{
    pthread_mutex_lock(&r->lock);
    r->job = *job;
    r->state = RENDERER_ASKED;
    pthread_cond_signal(&r->more);
    pthread_mutex_unlock(&r->lock);
}

bool renderer_take_result(struct renderer *r, struct renderer_job *ret)
{
    pthread_mutex_lock(&r->lock);
    bool done = r->state == RENDERER_DONE;
    if (done) {
        *ret = r->job;
        r->state = RENDERER_IDLE;
    }
    pthread_mutex_unlock(&r->lock);
    return done;
}

void renderer_poke(struct renderer *r)
{
    pthread_mutex_lock(&r->lock);
    r->asked = true;
    pthread_cond_signal(&r->more);
    pthread_mutex_unlock(&r->lock);
}

bool renderer_take_answer(struct renderer *r)
{
    pthread_mutex_lock(&r->lock);
    bool answered = r->answered;
    r->answered = false;
    pthread_mutex_unlock(&r->lock);
    return answered;
}
