// SPDX-License-Identifier: Apache-2.0
/*
 * The calls of virtrigaud-client.h, but for those that record.
 *
 * All work is done in process(), which does not wait: it fills a batch when one is due, has the link write and read, and says
 * what to wait for, in its waiter. The client's thread waits for that; with an event loop the caller does.
 *
 * Locks, in this order: `registry`, `work` of a client, the mutexes of its store and its waiter. The thread holds none while
 * it waits, so a fork waits for moments only.
 */
#include <virtrigaud-client.h>

#include "client/batch.h"
#include "client/forgets.h"
#include "client/notice.h"
#include "client/record.h"
#include "client/waiter.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum {
    FLUSH_EVERY_MS = 500, // how long calls wait to be sent together
    MERGE_MS = 10,        // how long the first one after a silence waits for others
    RETRY_LAST_MS = 1000,
    INTERVAL_S = 10,
    INTERVAL_MAX_S = 3600,
    BUFFER = 262144, // a batch and its last line, and as much of the one before
    ROUNDS = 16,     // batches of one process()
    NO_DESCRIPTORS_MS = 100,
    EXIT_MS = 1000
};

struct virtrigaud_client {
    struct store store;
    struct virtrigaud_client *next; // in the registry
    pthread_mutex_t work;           // guards all that follows
    pthread_cond_t settled;         // something was flushed, or the client ends
    bool started;
    bool start_failed; // the last one
    bool event_loop;
    bool urgent;         // a flush waits
    bool quits;          // the thread is to end
    bool closing;        // a call of close is under way
    bool connected;      // as it was reported
    bool forget_marked;  // what the daemon is to forget was there before the last batch
    _Atomic bool forked; // in a child that has not begun to send
    pthread_t thread;
    struct waiter waiter; // waiter_wake needs no lock
    struct link *link;
    struct batch *batch;
    struct notice notice;
    struct virtrigaud_stats stats; // what former links have counted
    uint64_t dropped_told;         // of store.dropped
    uint64_t lost_told;            // of what was lost, what was reported
    uint64_t next_fill;            // no batch before
    uint64_t heard;                // when the daemon last heard of this client
    uint64_t flush_wanted;         // calls of flush
    uint64_t flush_marked;         // of those, before the present batch
    uint64_t flush_done;           // of those, ended
    char path[WIRE_PATH_SIZE];
    struct wire_hello hello; // strings and labels of its own
    struct wire_label *labels;
    char *strings;
};

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static struct virtrigaud_client *clients;
static pthread_once_t handlers = PTHREAD_ONCE_INIT;

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int begin_work(struct virtrigaud_client *c);

// Something begins to wait. Called by any thread.
static void on_wake(void *arg)
{
    struct virtrigaud_client *c = arg;
    if (atomic_load(&c->forked)) {
        pthread_mutex_lock(&c->work);
        if (atomic_exchange(&c->forked, false) && begin_work(c) < 0) {
            atomic_store(&c->forked, true);
        }
        pthread_mutex_unlock(&c->work);
    }
    waiter_wake_once(&c->waiter);
}

// ---- What the link reports

static void on_rejection(void *arg, const struct wire_reply *r)
{
    struct virtrigaud_client *c = arg;
    if (r->line == 0) {
        snprintf(c->notice.refusal, sizeof c->notice.refusal, "%s: %s", r->reason, r->detail);
        return;
    }
    const struct virtrigaud_series *x = batch_reject(c->batch, r);
    if (x != NULL) {
        notice_line(&c->notice, now_ms(), "refused", r->reason, r->detail, x->prefix);
    }
}

static uint64_t on_end(void *arg, enum link_end end, uint64_t n)
{
    const struct virtrigaud_client *c = arg;
    return batch_end(c->batch, end, n);
}

static void on_forgotten(void *arg, const struct wire_reply *refusal)
{
    struct virtrigaud_client *c = arg;
    const struct store_forget *forget = forgets_first(&c->store);
    char line[256];
    if (refusal != NULL) {
        size_t len = forget->len < sizeof line ? forget->len : sizeof line;
        snprintf(line, len, "%s", forget->line); // without LF
        notice_line(&c->notice, now_ms(), "refused", refusal->reason, refusal->detail, line);
    }
    forgets_done(&c->store);
    c->forget_marked = false;
}

static uint64_t lost(struct virtrigaud_client *c)
{
    pthread_mutex_lock(&c->store.mutex);
    uint64_t n = c->store.dropped + c->batch->result.lost;
    pthread_mutex_unlock(&c->store.mutex);
    return n;
}

static void on_ready(void *arg)
{
    struct virtrigaud_client *c = arg;
    batch_connected(c->batch, !link_stats(c->link).old);
    store_resend(&c->store);
    c->next_fill = c->heard = now_ms();
    c->stats.connects++;
    uint64_t n = lost(c);
    unsigned long long news = n - c->lost_told;
    if (c->stats.connects > 1) {
        notice_write(&c->notice, LOG_INFO, "connected again, %llu lost", news);
    } else if (news > 0) {
        notice_write(&c->notice, LOG_INFO, "connected to %s, %llu lost before", c->path, news);
    } else {
        notice_write(&c->notice, LOG_INFO, "connected to %s", c->path);
    }
    c->notice.trouble = 0;
    c->lost_told = n;
}

// ---- Work

static void report_invalid(struct virtrigaud_client *c)
{
    struct store_invalid invalids[STORE_INVALIDS];
    pthread_mutex_lock(&c->store.mutex);
    size_t n = c->store.n_invalids;
    memcpy(invalids, c->store.invalids, n * sizeof *invalids);
    uint64_t not_noted = c->store.not_noted;
    c->store.n_invalids = 0;
    c->store.not_noted = 0;
    pthread_mutex_unlock(&c->store.mutex);
    for (size_t i = 0; i < n; i++) {
        const struct store_invalid *call = &invalids[i];
        notice_line(&c->notice, now_ms(), call->lost ? "lost" : "invalid", call->why, "",
                    call->what);
    }
    c->notice.suppressed += not_noted;
}

// Tells the link what the store has dropped.
static void report_dropped(struct virtrigaud_client *c)
{
    pthread_mutex_lock(&c->store.mutex);
    uint64_t n = c->store.dropped - c->dropped_told;
    pthread_mutex_unlock(&c->store.mutex);
    link_lose(c->link, n);
    c->dropped_told += n;
}

static bool has_much(struct virtrigaud_client *c)
{
    pthread_mutex_lock(&c->store.mutex);
    bool much = c->store.bytes >= STORE_MANY_BYTES || c->store.n_chunks > c->store.max_chunks / 2;
    pthread_mutex_unlock(&c->store.mutex);
    return much;
}

// When the next batch is due; UINT64_MAX: nothing waits.
static uint64_t fill_due(struct virtrigaud_client *c, uint64_t now)
{
    bool forgets = forgets_first(&c->store) != NULL;
    if (link_forgets(c->link) || (!store_has_waiting(&c->store) && !forgets)) {
        return UINT64_MAX;
    }
    if (c->urgent || forgets || has_much(c)) {
        return 0;
    }
    if (c->next_fill == 0) { // the first one after a silence
        c->next_fill = now + MERGE_MS;
    }
    return c->next_fill;
}

static uint64_t life_due(const struct virtrigaud_client *c)
{
    return c->heard + wire_life_ms(&c->hello);
}

// A batch has ended, or there is none.
static void note_settled(struct virtrigaud_client *c)
{
    if (!batch_is_empty(c->batch) || !link_is_settled(c->link) ||
        forgets_first(&c->store) != NULL) {
        return;
    }
    if (c->batch->drained) {
        c->flush_done = c->flush_marked;
        if (!store_has_waiting(&c->store)) {
            c->flush_done = c->flush_wanted;
        }
    }
    if (c->flush_done == c->flush_wanted) {
        c->urgent = false;
    }
    pthread_cond_broadcast(&c->settled);
}

// Nothing is under way: sends what is due.
static bool fill(struct virtrigaud_client *c, uint64_t now)
{
    const struct store_forget *forget = forgets_first(&c->store);
    bool waits = store_has_waiting(&c->store);
    if (!waits) {
        c->flush_marked = c->flush_wanted;
        c->batch->drained = true;
    }
    if (forget != NULL && c->batch->drained && (c->forget_marked || !waits)) {
        link_forget(c->link, forget->line, forget->len);
        return true;
    }
    if (fill_due(c, now) <= now) {
        c->flush_marked = c->flush_wanted;
        c->forget_marked = forget != NULL;
        batch_fill(c->batch);
        c->next_fill = c->batch->drained ? now + FLUSH_EVERY_MS : now;
        return true;
    }
    if (!waits) {
        c->next_fill = now >= c->next_fill ? 0 : c->next_fill;
    }
    return false;
}

// One round: returns whether there may be another one at once.
static bool go_round(struct virtrigaud_client *c)
{
    uint64_t now = now_ms();
    bool ready = link_stats(c->link).connected;
    bool changed = !ready || !batch_is_empty(c->batch);
    report_dropped(c);
    if (ready && batch_is_empty(c->batch) && !link_forgets(c->link)) {
        changed = fill(c, now);
    }
    if (ready && (!batch_is_empty(c->batch) || !link_is_settled(c->link) || now >= life_due(c))) {
        link_ask(c->link);
        c->heard = now;
    }
    link_work(c->link, 0);
    note_settled(c);
    return changed && link_stats(c->link).connected && batch_is_empty(c->batch) &&
           !link_forgets(c->link);
}

static void report_trouble(struct virtrigaud_client *c)
{
    struct link_stats stats = link_stats(c->link);
    if (!stats.connected && stats.error < 0) {
        notice_trouble(&c->notice, c->path, stats.error, c->connected);
        c->connected = false;
    }
    c->connected = c->connected || stats.connected;
}

// What to wait for.
static void watch(struct virtrigaud_client *c)
{
    struct pollfd p;
    int wait = link_wait(c->link, &p);
    uint64_t now = now_ms();
    uint64_t at = wait < 0 ? UINT64_MAX : now + (uint64_t)wait;
    if (link_stats(c->link).connected) {
        uint64_t fill = batch_is_empty(c->batch) ? fill_due(c, now) : UINT64_MAX;
        at = fill < at ? fill : at;
        at = life_due(c) < at ? life_due(c) : at;
    }
    waiter_set(&c->waiter, &p, at, now);
}

// All the work of now. Called with `work` locked.
static void process(struct virtrigaud_client *c)
{
    waiter_clear(&c->waiter);
    report_invalid(c);
    for (int i = 0; i < ROUNDS && go_round(c); i++) {
    }
    report_trouble(c);
    watch(c);
}

// ---- The thread

static void *run(void *arg)
{
    struct virtrigaud_client *c = arg;
    pthread_mutex_lock(&c->work);
    while (!c->quits) {
        int error = waiter_is_open(&c->waiter) ? 0 : waiter_open(&c->waiter);
        if (error < 0) { // later, perhaps
            struct timespec pause = {.tv_nsec = NO_DESCRIPTORS_MS * 1000000L};
            notice_trouble(&c->notice, c->path, error, false);
            pthread_mutex_unlock(&c->work);
            nanosleep(&pause, NULL);
            pthread_mutex_lock(&c->work);
            continue;
        }
        process(c);
        int epoll = c->waiter.epoll;
        pthread_mutex_unlock(&c->work);
        waiter_wait(epoll, -1);
        pthread_mutex_lock(&c->work);
    }
    pthread_mutex_unlock(&c->work);
    return NULL;
}

// Called with `work` locked.
static int start_thread(struct virtrigaud_client *c)
{
    sigset_t all;
    sigset_t before;
    c->quits = false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // signals are the program's
    int error = pthread_create(&c->thread, NULL, run, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

// Makes the link, and the thread if there is to be one. Called with `work` locked.
static int begin_work(struct virtrigaud_client *c)
{
    struct link_config config = {.path = c->path,
                                 .hello = &c->hello,
                                 .session = true,
                                 .buffer = BUFFER,
                                 .on_rejection = on_rejection,
                                 .on_end = on_end,
                                 .on_ready = on_ready,
                                 .on_forgotten = on_forgotten,
                                 .arg = c,
                                 .retry_last_ms = RETRY_LAST_MS};
    c->batch->first = c->batch->n = c->batch->head = 0;
    c->next_fill = 0;
    c->connected = false;
    c->notice.trouble = 0;
    int error = link_open(&c->link, &config);
    if (error < 0) {
        return error;
    }
    c->batch->link = c->link;
    error = c->event_loop ? waiter_open(&c->waiter) : 0;
    if (error == 0 && c->event_loop) {
        process(c);
    } else if (error == 0) {
        error = start_thread(c);
    }
    if (error < 0) {
        waiter_close(&c->waiter);
        link_free(c->link);
        c->link = NULL;
        return error;
    }
    c->started = true;
    return 0;
}

// ---- Fork and exit

static void lock_all(void)
{
    pthread_mutex_lock(&registry);
    for (struct virtrigaud_client *c = clients; c != NULL; c = c->next) {
        pthread_mutex_lock(&c->work);
        pthread_mutex_lock(&c->store.mutex);
        pthread_mutex_lock(&c->waiter.mutex);
    }
}

static void unlock_all(void)
{
    for (struct virtrigaud_client *c = clients; c != NULL; c = c->next) {
        pthread_mutex_unlock(&c->waiter.mutex);
        pthread_mutex_unlock(&c->store.mutex);
        pthread_mutex_unlock(&c->work);
    }
    pthread_mutex_unlock(&registry);
}

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

// In a child: what waits is the parent's, and so are thread and connection.
static void leave_parent(struct virtrigaud_client *c)
{
    pthread_mutex_unlock(&c->waiter.mutex);
    pthread_mutex_unlock(&c->store.mutex);
    init_condition(&c->settled);
    if (c->started) {
        waiter_close(&c->waiter);
        link_free(c->link);
        c->link = NULL;
        c->started = false;
        atomic_store(&c->forked, !c->event_loop);
        batch_abandon(c->batch);
    }
    store_discard(&c->store);
    store_forget_gauges(&c->store);
    c->store.sent = c->store.dropped = c->store.forgotten = c->store.invalid = 0;
    c->store.n_invalids = c->store.not_noted = 0;
    c->batch->result = (struct batch_result){0};
    c->stats = (struct virtrigaud_stats){0};
    c->dropped_told = c->lost_told = 0;
    c->flush_wanted = c->flush_marked = c->flush_done = 0;
    c->urgent = false;
    pthread_mutex_unlock(&c->work);
}

static void in_child(void)
{
    for (struct virtrigaud_client *c = clients; c != NULL; c = c->next) {
        leave_parent(c);
    }
    pthread_mutex_unlock(&registry);
}

// Called without the registry locked: flushing takes time.
static void at_exit(void)
{
    pthread_mutex_lock(&registry);
    struct virtrigaud_client *c = clients;
    pthread_mutex_unlock(&registry);
    for (; c != NULL; c = c->next) {
        pthread_mutex_lock(&c->work);
        bool reachable = c->started && link_stats(c->link).error == 0;
        pthread_mutex_unlock(&c->work);
        if (reachable) {
            virtrigaud_flush(c, EXIT_MS);
        }
    }
}

static void install_handlers(void)
{
    pthread_atfork(lock_all, unlock_all, in_child);
    atexit(at_exit);
}

// ---- Calls

struct virtrigaud_client *virtrigaud_new(void)
{
    struct virtrigaud_client *c = calloc(1, sizeof *c);
    struct batch *b = calloc(1, sizeof *b);
    if (c == NULL || b == NULL || batch_init(b, &c->store) < 0) {
        free(c);
        free(b);
        return NULL;
    }
    if (store_init(&c->store, on_wake, c) < 0) {
        batch_close(b);
        free(b);
        free(c);
        return NULL;
    }
    c->batch = b;
    pthread_mutex_init(&c->work, NULL);
    waiter_init(&c->waiter);
    init_condition(&c->settled);
    pthread_once(&handlers, install_handlers);
    pthread_mutex_lock(&registry);
    c->next = clients;
    clients = c;
    pthread_mutex_unlock(&registry);
    return c;
}

struct store *record_store(struct virtrigaud_client *c)
{
    return &c->store;
}

bool record_is_sent(struct virtrigaud_client *c)
{
    pthread_mutex_lock(&c->work);
    bool started = c->started;
    pthread_mutex_unlock(&c->work);
    return started;
}

// Copies text behind what is in a block.
static char *copy(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *begin = memcpy(*at, text, size);
    *at += size;
    return begin;
}

// Copies who speaks. Returns 0; -EINVAL; -ENOMEM.
static int copy_hello(struct virtrigaud_client *c, const struct virtrigaud_config *config)
{
    const char *instance =
        config->instance != NULL && config->instance[0] != '\0' ? config->instance : NULL;
    size_t size = strlen(config->component) + (instance != NULL ? strlen(instance) : 0) + 2;
    for (size_t i = 0; i < config->n_labels; i++) {
        if (config->labels[i].name == NULL || config->labels[i].value == NULL) {
            return -EINVAL;
        }
        size += strlen(config->labels[i].name) + strlen(config->labels[i].value) + 2;
    }
    char *strings = malloc(size);
    struct wire_label *labels = calloc(config->n_labels + 1, sizeof *labels);
    if (strings == NULL || labels == NULL) {
        free(strings);
        free(labels);
        return -ENOMEM;
    }
    free(c->strings);
    free(c->labels);
    c->strings = strings;
    c->labels = labels;
    c->hello =
        (struct wire_hello){.component = copy(&strings, config->component),
                            .transient = config->transient != 0,
                            .interval_s = config->interval > 0 ? config->interval : INTERVAL_S,
                            .labels = labels,
                            .n_labels = config->n_labels};
    c->hello.instance = instance != NULL ? copy(&strings, instance) : NULL;
    for (size_t i = 0; i < config->n_labels; i++) {
        labels[i].name = copy(&strings, config->labels[i].name);
        labels[i].value = copy(&strings, config->labels[i].value);
    }
    return 0;
}

// Called with `work` locked.
static int start(struct virtrigaud_client *c, const struct virtrigaud_config *config)
{
    if (config->component == NULL || config->interval > INTERVAL_MAX_S ||
        (config->n_labels > 0 && config->labels == NULL)) {
        return -EINVAL;
    }
    int error = copy_hello(c, config);
    error = error < 0 ? error : wire_socket_path(c->path, config->socket);
    if (error < 0) {
        return error;
    }
    c->event_loop = config->event_loop != 0;
    store_limit(&c->store, config->max_bytes, config->max_series);
    atomic_store(&c->forked, false);
    return begin_work(c);
}

int virtrigaud_start(struct virtrigaud_client *c, const struct virtrigaud_config *given)
{
    struct virtrigaud_config config = VIRTRIGAUD_CONFIG_INIT;
    if (c == NULL) {
        return 0;
    }
    if (given == NULL || given->size > sizeof config || given->size < sizeof given->size) {
        return -EINVAL;
    }
    memcpy(&config, given, given->size);
    pthread_mutex_lock(&c->work);
    int error = -EALREADY;
    if (!c->started && !c->closing) {
        c->notice.on_message = config.on_message;
        c->notice.arg = config.arg;
        error = start(c, &config);
        c->start_failed = error < 0;
    }
    if (error < 0 && error != -EALREADY) {
        notice_failed_start(&c->notice, wire_socket_name(config.socket), error);
    }
    pthread_mutex_unlock(&c->work);
    return error;
}

static struct timespec timespec_of(uint64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

// Has everything that waits sent. Called with `work` locked, which is not held while it waits.
static int flush(struct virtrigaud_client *c, unsigned timeout_ms)
{
    uint64_t deadline = now_ms() + timeout_ms;
    struct timespec until = timespec_of(deadline);
    uint64_t wanted = ++c->flush_wanted;
    c->urgent = true;
    waiter_wake(&c->waiter);
    while (c->started && c->flush_done < wanted) {
        uint64_t now = now_ms();
        if (now >= deadline) {
            return -ETIMEDOUT;
        }
        if (!c->event_loop) {
            pthread_cond_timedwait(&c->settled, &c->work, &until);
            continue;
        }
        process(c);
        if (c->flush_done < wanted) {
            int epoll = c->waiter.epoll;
            pthread_mutex_unlock(&c->work);
            waiter_wait(epoll, (int)(deadline - now));
            pthread_mutex_lock(&c->work);
        }
    }
    return c->flush_done < wanted ? -ENOTCONN : 0;
}

int virtrigaud_flush(struct virtrigaud_client *c, unsigned timeout_ms)
{
    if (c == NULL) {
        return 0;
    }
    pthread_mutex_lock(&c->work);
    int error = c->started ? flush(c, timeout_ms) : -ENOTCONN;
    pthread_mutex_unlock(&c->work);
    return error;
}

// Called with `work` locked.
static void fill_stats(struct virtrigaud_client *c, struct virtrigaud_stats *ret)
{
    const struct batch_result *result = &c->batch->result;
    pthread_mutex_lock(&c->store.mutex);
    *ret = c->stats;
    ret->sent = c->store.sent;
    ret->applied = result->applied + c->store.forgotten;
    ret->refused = result->refused;
    ret->lost = result->lost + c->store.dropped;
    ret->waiting = ret->sent - ret->applied - ret->refused - ret->lost;
    ret->invalid = c->store.invalid;
    ret->unknown = result->unknown;
    ret->lines = result->lines;
    pthread_mutex_unlock(&c->store.mutex);
    ret->connected = c->started && link_stats(c->link).connected;
}

// Ends the thread. Called with `work` locked, which is not held while it waits.
static void end_thread(struct virtrigaud_client *c)
{
    c->quits = true;
    waiter_wake(&c->waiter);
    pthread_mutex_unlock(&c->work);
    pthread_join(c->thread, NULL);
    pthread_mutex_lock(&c->work);
}

int virtrigaud_close(struct virtrigaud_client *c, unsigned timeout_ms,
                     struct virtrigaud_stats *stats)
{
    if (c == NULL) {
        return 0;
    }
    pthread_mutex_lock(&c->work);
    int error = c->started && !c->closing ? 0 : -ENOTCONN;
    if (error == 0) {
        c->closing = true;
        error = flush(c, timeout_ms);
        if (!c->event_loop) {
            end_thread(c);
        }
        batch_abandon(c->batch);
        c->batch->result.lost += store_discard(&c->store);
        waiter_close(&c->waiter);
        link_free(c->link);
        c->link = NULL;
        c->started = c->closing = c->urgent = false;
        pthread_cond_broadcast(&c->settled);
    } else if (c->start_failed) {
        c->batch->result.lost += store_discard(&c->store);
    }
    if (stats != NULL) {
        fill_stats(c, stats);
    }
    pthread_mutex_unlock(&c->work);
    return error;
}

void virtrigaud_get_stats(struct virtrigaud_client *c, struct virtrigaud_stats *ret)
{
    *ret = (struct virtrigaud_stats){0};
    if (c != NULL) {
        pthread_mutex_lock(&c->work);
        fill_stats(c, ret);
        pthread_mutex_unlock(&c->work);
    }
}

int virtrigaud_fd(const struct virtrigaud_client *c)
{
    struct virtrigaud_client *locked = (struct virtrigaud_client *)(uintptr_t)c;
    int fd = -ENOTCONN;
    if (c != NULL) {
        pthread_mutex_lock(&locked->work);
        fd = c->started && c->event_loop ? c->waiter.epoll : -ENOTCONN;
        pthread_mutex_unlock(&locked->work);
    }
    return fd;
}

void virtrigaud_process(struct virtrigaud_client *c)
{
    if (c != NULL) {
        pthread_mutex_lock(&c->work);
        if (c->started && c->event_loop) {
            process(c);
        }
        pthread_mutex_unlock(&c->work);
    }
}

void virtrigaud_free(struct virtrigaud_client *c)
{
    if (c == NULL) {
        return;
    }
    virtrigaud_close(c, 0, NULL);
    pthread_mutex_lock(&registry);
    struct virtrigaud_client **at = &clients;
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    pthread_mutex_unlock(&registry);
    store_free(&c->store);
    batch_close(c->batch);
    free(c->batch);
    free(c->labels);
    free(c->strings);
    pthread_cond_destroy(&c->settled);
    waiter_destroy(&c->waiter);
    pthread_mutex_destroy(&c->work);
    free(c);
}
