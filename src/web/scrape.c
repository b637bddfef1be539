// SPDX-License-Identifier: Apache-2.0
#include "web/scrape.h"

#include "base/clock.h"
#include "base/rcu.h"

#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

// ---- A fair queue: serves peers in turn, however often each of them asks

// A number for `who`, a hash.
static uint64_t fair_queue_add(struct fair_queue *t, uint64_t who)
{
    uint64_t *next = &t->next[who % FAIR_QUEUE_SLOTS];
    uint64_t turn = *next > t->now ? *next : t->now;
    *next = turn + 1;
    return turn;
}

// The one with this number was served.
static void fair_queue_serve(struct fair_queue *t, uint64_t turn)
{
    t->now = turn > t->now ? turn : t->now;
}

// One of `who` left unserved.
static void fair_queue_cancel(struct fair_queue *t, uint64_t who)
{
    uint64_t *next = &t->next[who % FAIR_QUEUE_SLOTS];
    *next -= *next > t->now;
}

// ---- Who is rendered for next, and who is cut for others

static const enum conn_state admitted[] = {CONN_QUEUE, CONN_RENDER, CONN_BODY};

enum { ADMITTED = sizeof admitted / sizeof admitted[0] };

static enum conn_kind kind_of(const struct conn *c)
{
    return c->view != NULL ? CONN_VIEWS : CONN_EXPOSITIONS;
}

static size_t max_of(const struct scheduler *s, enum conn_kind kind)
{
    return kind == CONN_VIEWS ? SCHEDULER_VIEWS : s->max;
}

static size_t count_state(const struct scheduler *s, enum conn_state state, enum conn_kind kind,
                          const struct conn *whose)
{
    size_t n = 0;
    for (const struct conn *c = s->conns->list[state].head; c != NULL; c = c->next) {
        n += conn_is_kind(c, kind) && (whose == NULL || conn_is_of_same(c, whose));
    }
    return n;
}

// How many of this kind have places; of the peer of `c`, or of all when that is NULL.
static size_t scheduler_count(const struct scheduler *s, enum conn_kind kind, const struct conn *c)
{
    size_t n = 0;
    for (size_t i = 0; i < ADMITTED; i++) {
        n += count_state(s, admitted[i], kind, c);
    }
    return n;
}

static uint64_t flow_of(const struct conn *c)
{
    return c->peer ^ c->user ^ (c->view != NULL ? UINT64_MAX : 0);
}

// Of those that wait for a place, the first one whose peer holds least. *ret_held is how many that are.
static struct conn *least_served(const struct scheduler *s, enum conn_kind kind, size_t *ret_held)
{
    struct conn *best = NULL;
    for (struct conn *c = s->conns->list[CONN_SCRAPE].head; c != NULL; c = c->next) {
        if (conn_is_kind(c, kind)) {
            size_t n = scheduler_count(s, kind, c);
            if (best == NULL || n < *ret_held) {
                best = c;
                *ret_held = n;
            }
            if (n == 0) {
                break;
            }
        }
    }
    return best;
}

// Gives places to those that wait for one in CONN_SCRAPE, who are then in CONN_QUEUE.
static void scheduler_admit(struct scheduler *s, enum conn_kind kind)
{
    size_t own = 0;
    // Terminates: each time one less waits.
    for (struct conn *c; (c = least_served(s, kind, &own)) != NULL;) {
        size_t taken = scheduler_count(s, kind, NULL);
        size_t max = max_of(s, kind);
        if (taken > max || (taken == max && own > 0)) {
            break;
        }
        c->start_tag = fair_queue_add(&s->queue, flow_of(c));
        c->denied_ms = 0;
        conn_move(s->conns, c, CONN_QUEUE);
    }
    for (struct conn *c = s->conns->list[CONN_SCRAPE].head; c != NULL; c = c->next) {
        if (conn_is_kind(c, kind) && c->denied_ms == 0) {
            c->denied_ms = s->conns->now_ms;
        }
    }
}

// Of those of that kind that wait for a place, the one for which another request is cut next; or NULL.
static struct conn *scheduler_first_denied(const struct scheduler *s, enum conn_kind kind)
{
    size_t own = 0;
    return least_served(s, kind, &own);
}

static size_t held(const struct scheduler *s, enum conn_kind kind, bool sent, const struct conn *c)
{
    return sent ? count_state(s, CONN_BODY, kind, c) : scheduler_count(s, kind, c);
}

// One of the peer that holds most, and `least` or more; or NULL.
static const struct conn *most_served(const struct scheduler *s, enum conn_kind kind, bool sent,
                                      size_t least)
{
    const struct conn *best = NULL;
    size_t most = least - 1;
    for (size_t i = 0; i < ADMITTED; i++) {
        for (struct conn *c = s->conns->list[admitted[i]].head; c != NULL; c = c->next) {
            size_t n = conn_is_kind(c, kind) ? held(s, kind, sent, c) : 0;
            if (n > most) {
                best = c;
                most = n;
            }
        }
    }
    return best;
}

// Of the peer of `whose`: the last one that waits for the renderer, or else the slowest body.
static struct conn *last_of(const struct scheduler *s, enum conn_kind kind, bool sent,
                            const struct conn *whose)
{
    struct conn *last = NULL;
    for (struct conn *c = s->conns->list[CONN_QUEUE].head; c != NULL && !sent; c = c->next) {
        if (conn_is_kind(c, kind) && conn_is_of_same(c, whose)) {
            last = c;
        }
    }
    for (struct conn *c = s->conns->list[CONN_BODY].head; c != NULL; c = c->next) {
        if (conn_is_kind(c, kind) && conn_is_of_same(c, whose) &&
            (last == NULL || (last->state == CONN_BODY && c->credit < last->credit))) {
            last = c;
        }
    }
    return last;
}

// The one that is cut for `c`: slow, or of the peer that holds most; NULL: none. With `sent` only one whose
// body is being sent will do.
static struct conn *scheduler_victim(const struct scheduler *s, const struct conn *c, bool sent)
{
    enum conn_kind kind = kind_of(c);
    struct conn *slow = conns_slowest(s->conns, kind);
    if (slow != NULL) {
        return slow;
    }
    const struct conn *most = most_served(s, kind, sent, held(s, kind, sent, c) + 2);
    struct conn *last = most != NULL ? last_of(s, kind, sent, most) : NULL;
    bool early = c->denied_ms == 0 || s->conns->now_ms - c->denied_ms < SCHEDULER_GRACE_MS;
    return last != NULL && last->state == CONN_BODY && early ? NULL : last;
}

// Whose turn it is among those in CONN_QUEUE for which `fits`; or NULL.
static struct conn *scheduler_next(const struct scheduler *s,
                                   bool (*fits)(void *ctx, const struct conn *c), void *ctx)
{
    struct conn *best = NULL;
    for (struct conn *c = s->conns->list[CONN_QUEUE].head; c != NULL; c = c->next) {
        if ((best == NULL || c->start_tag < best->start_tag) && fits(ctx, c)) {
            best = c;
        }
    }
    return best;
}

// It is being rendered for.
static void scheduler_start(struct scheduler *s, struct conn *c)
{
    fair_queue_serve(&s->queue, c->start_tag);
    conn_move(s->conns, c, CONN_RENDER);
}

// It is refused.
static void scheduler_cancel(struct scheduler *s, const struct conn *c)
{
    if (c->state == CONN_QUEUE) {
        fair_queue_cancel(&s->queue, flow_of(c));
    }
}

// ---- Renderings

// Returns a body with an empty buffer, or NULL.
static struct renderer_body *renderer_body_new(struct renderer_bodies *all)
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

// Says that it is complete: its memory counts from now on.
static void renderer_body_seal(struct renderer_body *b)
{
    struct renderer_bodies *all = b->owner;
    trim(&b->buf);
    b->held = b->buf.cap;
    all->held += b->held;
    all->quiet = is_much_too_big(&b->buf) ? all->quiet + 1 : 0;
}

// Gives it back; `body` is a struct renderer_body.
static void renderer_body_free(void *body)
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

static void renderer_bodies_free(struct renderer_bodies *all)
{
    while (all->n > 0) {
        buf_free(&all->pool[--all->n]);
    }
}

// ---- The thread that renders

static void renderer_job_free(struct renderer_job *job)
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

static int write_view(struct renderer *r, const struct renderer_job *job, struct buf *out)
{
    const struct status_view_request request = {.form = job->view,
                                                .telemetry_path = job->telemetry_path,
                                                .metric = job->metric,
                                                .refresh_s = job->refresh_s};
    int rc = r->backend->view(r->backend->ctx, &request, out);
    return rc < 0 || !out->failed ? rc : -ENOMEM;
}

static bool is_wanted(const void *filter, const char *name)
{
    return request_filter_has(filter, name);
}

static int write_exposition(struct renderer *r, const struct renderer_job *job, struct buf *out)
{
    struct format_sink sink =
        job->compressed ? format_sink_gzip(&r->piece, r->gzip, out) : format_sink_text(out);
    const struct web_backend *b = r->backend;
    const struct expose_filter named = {.wants = is_wanted, .ctx = job->filter};
    const struct format how = {.kind = job->format, .created = atomic_load(&b->self->created)};
    int rc = b->render(&sink, b->store, b->self, job->filter != NULL ? &named : NULL, &how);
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
            pthread_mutex_unlock(&r->lock); // the one that wakes up takes it
            eventfd_write(r->wake, 1);
            pthread_mutex_lock(&r->lock);
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

int scrape_start(struct scrape *s)
{
    struct renderer *r = &s->renderer;
    int rc = pthread_create(&r->thread, NULL, thread_main, r);
    r->started = rc == 0;
    if (r->started) {
        pthread_setname_np(r->thread, "render");
    }
    return -rc;
}

void scrape_stop(struct scrape *s)
{
    struct renderer *r = &s->renderer;
    if (r->started) {
        pthread_mutex_lock(&r->lock);
        r->ended = true;
        pthread_cond_signal(&r->more);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
        r->started = false;
    }
}

// Whether what is compressed can be had. The first call asks for the memory.
static bool renderer_can_compress(struct renderer *r)
{
    return r->gzip != NULL || format_gzip_new(&r->gzip) == 0;
}

static bool renderer_is_idle(struct renderer *r)
{
    pthread_mutex_lock(&r->lock);
    bool idle = r->state == RENDERER_IDLE;
    pthread_mutex_unlock(&r->lock);
    return idle;
}

// Gives it a job (takes what that owns) while it is idle.
static void renderer_start_job(struct renderer *r, const struct renderer_job *job)
{
    pthread_mutex_lock(&r->lock);
    r->job = *job;
    r->state = RENDERER_ASKED;
    pthread_mutex_unlock(&r->lock);
    pthread_cond_signal(&r->more); // the one that wakes up takes the lock
}

// Whether one is done, which is then in *ret, and the renderer idle.
static bool renderer_take_result(struct renderer *r, struct renderer_job *ret)
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

void scrape_poke(struct scrape *s)
{
    struct renderer *r = &s->renderer;
    pthread_mutex_lock(&r->lock);
    r->asked = true;
    pthread_mutex_unlock(&r->lock);
    pthread_cond_signal(&r->more);
}

bool scrape_take_answer(struct scrape *s)
{
    struct renderer *r = &s->renderer;
    pthread_mutex_lock(&r->lock);
    bool answered = r->answered;
    r->answered = false;
    pthread_mutex_unlock(&r->lock);
    return answered;
}

// ---- Requests that wait

static const struct conn_reply too_many = {.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                                           .text = "too many scrapes at once\n",
                                           .retry_later = true};
static const struct conn_reply too_late = {
    .status = MHD_HTTP_SERVICE_UNAVAILABLE,
    .text = "not rendered within the time of X-Prometheus-Scrape-Timeout-Seconds\n"};

static void wait_for_rendering(struct scrape *s, struct conn *c)
{
    MHD_suspend_connection(c->mhd);
    c->suspended = true;
    conn_move(s->conns, c, CONN_SCRAPE);
}

void scrape_add(struct scrape *s, struct conn *c, struct request_filter *filter)
{
    c->filter = filter;
    c->view = NULL;
    wait_for_rendering(s, c);
}

void scrape_add_view(struct scrape *s, struct conn *c, const struct status_view_form *form)
{
    c->view = form;
    c->form = (struct negotiate_form){.kind = NEGOTIATE_NONE};
    c->deadline_ns = UINT64_MAX;
    wait_for_rendering(s, c);
}

void scrape_add_list(struct scrape *s, struct conn *c, struct sd_request *request)
{
    static const struct status_view_form form = {.type = "application/json"};
    c->targets = request;
    scrape_add_view(s, c, &form);
}

// Each may be NULL.
static bool is_same_name(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is_same_form(const struct conn *a, const struct conn *b)
{
    return a->view == b->view && a->form.kind == b->form.kind && a->form.gzip == b->form.gzip &&
           a->form.escaping == b->form.escaping && request_filter_is_same(a->filter, b->filter) &&
           sd_request_is_same(a->targets, b->targets) && a->view_refresh_s == b->view_refresh_s &&
           is_same_name(a->view_metric, b->view_metric);
}

// The page shows the last one.
static void keep_scrape(struct scrape *s, const struct conn *c, unsigned status)
{
    if (c->view == NULL) {
        const struct stats_last_scrape last = {.at_ms = clock_real_ms(),
                                               .ns = clock_mono_ns() - c->arrived_ns,
                                               .status = status,
                                               .peer = c->address};
        pthread_mutex_lock(&s->stats->lock);
        s->stats->last = last;
        pthread_mutex_unlock(&s->stats->lock);
    }
}

static void answer_failed(struct scrape *s, struct conn *c, int err)
{
    char text[160];
    snprintf(text, sizeof text, "cannot render: %s\n", strerror(-err));
    const struct conn_reply failed = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR, .text = text};
    count_add(&s->stats->scrapes_failed, 1);
    keep_scrape(s, c, failed.status);
    conn_reply(s->conns, c, &failed);
}

// Those whose rendering has failed, or showed that there is no such metric.
static void answer_all_failed(struct scrape *s, int err)
{
    static const struct conn_reply unknown = {.status = MHD_HTTP_NOT_FOUND,
                                              .text = "no such metric\n"};
    struct conn *c;
    while ((c = s->conns->list[CONN_RENDER].head) != NULL) {
        if (err == -ENOENT && c->view != NULL) {
            conn_reply(s->conns, c, &unknown);
        } else {
            answer_failed(s, c, err);
        }
    }
}

static void refuse(struct scrape *s, struct conn *c, const struct conn_reply *why)
{
    scheduler_cancel(&s->scheduler, c);
    count_add(&s->stats->scrapes_refused, 1);
    keep_scrape(s, c, why->status);
    conn_reply(s->conns, c, why);
}

static bool is_late(const struct conn *c)
{
    return c->deadline_ns != UINT64_MAX && clock_mono_ns() >= c->deadline_ns;
}

// A scrape that took so long to be rendered.
static void count_scrape(struct self_scrapes *s, enum format_kind format, uint64_t ns)
{
    size_t i = 0;
    while (i < s->n_bounds && (double)ns / 1e9 > s->bounds[i]) {
        i++;
    }
    count_add(&s->buckets[i], 1);
    count_add(&s->sum_ns, ns);
    count_add(&s->by_format[format], 1);
}

static void answer(struct scrape *s, struct conn_answer *shared, struct conn *c)
{
    if (is_late(c)) {
        refuse(s, c, &too_late);
        return;
    }
    if (c->view == NULL) {
        count_scrape(&s->stats->shown, negotiate_format(&c->form), clock_mono_ns() - c->arrived_ns);
        keep_scrape(s, c, MHD_HTTP_OK);
    }
    conn_reply_shared(s->conns, c, shared);
}

static struct renderer_bodies *bodies_of(struct scrape *s, const struct conn *c, bool compressed)
{
    if (c->view != NULL) {
        return c->targets != NULL ? &s->lists : &s->views;
    }
    return compressed ? &s->compressed : &s->bodies;
}

// A job for what `c` asks for; takes its filter and its request. Returns 0 or -ENOMEM.
static int job_of(struct scrape *s, struct conn *c, struct renderer_job *ret)
{
    struct renderer_job job = {.view = c->view,
                               .type = c->view != NULL ? c->view->type : negotiate_type(&c->form),
                               .format = negotiate_format(&c->form)};
    // Without memory for compression the answer is plain.
    job.compressed = c->view == NULL && c->form.gzip && renderer_can_compress(&s->renderer);
    job.body = renderer_body_new(bodies_of(s, c, job.compressed));
    job.telemetry_path = c->view != NULL ? strdup(s->telemetry_path) : NULL;
    if (job.body == NULL || (c->view != NULL && job.telemetry_path == NULL)) {
        renderer_job_free(&job);
        return -ENOMEM;
    }
    job.filter = c->filter;
    c->filter = NULL;
    job.list = c->targets;
    c->targets = NULL;
    job.metric = c->view_metric;
    c->view_metric = NULL;
    job.refresh_s = c->view_refresh_s;
    *ret = job;
    return 0;
}

// Whether memory is left for its body. There may be one more body, for a peer that has none.
static bool can_fit(void *scrape, const struct conn *c)
{
    const struct scrape *s = scrape;
    if (c->view != NULL) {
        return c->targets == NULL || s->lists.held < SCRAPE_LISTS_MAX;
    }
    if (s->bodies.held + s->compressed.held < SCRAPE_HELD_MAX) {
        return true;
    }
    static const enum conn_state bodies[] = {CONN_RENDER, CONN_BODY};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        for (struct conn *b = s->conns->list[bodies[i]].head; b != NULL; b = b->next) {
            if (b->extra || (b->view == NULL && conn_is_of_same(b, c))) {
                return false;
            }
        }
    }
    return true;
}

// Starts the rendering for `first`, and for all in the queue that ask for the same.
static void start_rendering(struct scrape *s, struct conn *first)
{
    bool extra = s->bodies.held + s->compressed.held >= SCRAPE_HELD_MAX && first->view == NULL;
    struct renderer_job job;
    for (struct conn *c = s->conns->list[CONN_QUEUE].head, *next; c != NULL; c = next) {
        next = c->next;
        if (c != first && is_same_form(c, first)) {
            conn_move(s->conns, c, CONN_RENDER);
            c->extra = extra;
        }
    }
    int err = job_of(s, first, &job);
    scheduler_start(&s->scheduler, first);
    first->extra = extra;
    if (err < 0) {
        answer_all_failed(s, err);
        return;
    }
    renderer_start_job(&s->renderer, &job);
}

// Answers those for whom a job was done.
static void finish(struct scrape *s, struct renderer_job *job)
{
    struct conn_list *served = &s->conns->list[CONN_RENDER];
    const struct conn_reply_form form = {.type = job->type,
                                         .policy = job->view != NULL ? job->view->policy : NULL,
                                         .gzip = job->compressed,
                                         .negotiated = job->view == NULL};
    struct conn_answer *shared = NULL;
    if (job->result == 0) {
        struct renderer_body *body = job->body;
        job->body = NULL;
        renderer_body_seal(body);
        shared =
            conn_reply_body(s->conns, &form, body->buf.p, body->buf.len, renderer_body_free, body);
        job->result = shared != NULL ? 0 : -ENOMEM;
    }
    if (shared == NULL) {
        answer_all_failed(s, job->result);
    }
    while (served->head != NULL) {
        answer(s, shared, served->head);
    }
    conn_answer_unref(shared);
    renderer_job_free(job);
}

static bool is_denied_long(const struct scrape *s, const struct conn *c)
{
    return c->denied_ms != 0 && s->conns->now_ms - c->denied_ms >= SCRAPE_WAIT_MS;
}

static void refuse_late(struct scrape *s)
{
    static const enum conn_state waiting[] = {CONN_SCRAPE, CONN_QUEUE};
    for (size_t i = 0; i < sizeof waiting / sizeof waiting[0]; i++) {
        for (struct conn *c = s->conns->list[waiting[i]].head, *next; c != NULL; c = next) {
            next = c->next;
            if (is_late(c)) {
                refuse(s, c, &too_late);
            } else if (is_denied_long(s, c)) {
                refuse(s, c, &too_many);
            }
        }
    }
}

// Cuts or refuses another one for `c`. Returns false when there is none.
static bool evict_for(struct scrape *s, const struct conn *c, bool sent)
{
    struct conn *victim = scheduler_victim(&s->scheduler, c, sent);
    if (victim != NULL && victim->state == CONN_QUEUE) {
        refuse(s, victim, &too_many);
    } else if (victim != NULL) {
        conn_cut(s->conns, victim, true);
    }
    return victim != NULL;
}

static void admit_kind(struct scrape *s, enum conn_kind kind)
{
    struct conn *c;
    // Terminates: each time one less has a place, or one more.
    do {
        scheduler_admit(&s->scheduler, kind);
        c = scheduler_first_denied(&s->scheduler, kind);
    } while (c != NULL && evict_for(s, c, false));
}

// Finds those for which there is no memory. For the first of them a body is cut; its memory is free once libmicrohttpd has
// met the cut.
static void check_memory(struct scrape *s)
{
    struct conn *denied_first = NULL;
    for (struct conn *c = s->conns->list[CONN_QUEUE].head; c != NULL; c = c->next) {
        bool denied = !can_fit(s, c);
        c->denied_ms = !denied ? 0 : c->denied_ms == 0 ? s->conns->now_ms : c->denied_ms;
        if (denied && (denied_first == NULL || c->start_tag < denied_first->start_tag)) {
            denied_first = c;
        }
    }
    if (denied_first != NULL) {
        evict_for(s, denied_first, true);
    }
}

void scrape_serve(struct scrape *s)
{
    struct renderer_job job;
    if (renderer_take_result(&s->renderer, &job)) {
        finish(s, &job);
    }
    renderer_bodies_free(&s->lists);
    s->scheduler.max = s->max_requests;
    admit_kind(s, CONN_EXPOSITIONS);
    admit_kind(s, CONN_VIEWS);
    check_memory(s);
    refuse_late(s);
    struct conn *next = scheduler_next(&s->scheduler, can_fit, s);
    if (next != NULL && renderer_is_idle(&s->renderer)) {
        start_rendering(s, next);
    }
}

int scrape_init(struct scrape *s)
{
    struct renderer *r = &s->renderer;
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

void scrape_destroy(struct scrape *s)
{
    struct renderer *r = &s->renderer;
    if (r->state != RENDERER_IDLE) {
        renderer_job_free(&r->job);
    }
    format_gzip_free(r->gzip);
    buf_free(&r->piece);
    pthread_cond_destroy(&r->more);
    pthread_mutex_destroy(&r->lock);
    renderer_bodies_free(&s->bodies);
    renderer_bodies_free(&s->compressed);
    renderer_bodies_free(&s->views);
    renderer_bodies_free(&s->lists);
}
