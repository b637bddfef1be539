// SPDX-License-Identifier: Apache-2.0
#include "ingest/ingest.h"

#include "base/clock.h"
#include "ingest/worker.h"
#include "source/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATAGRAM_BUFFER = 4 << 20 };

int ingest_open_socket(struct unix_socket *ret, const struct unix_socket_settings *settings,
                       struct buf *problem)
{
    struct unix_socket s;
    int rc = unix_socket_open(&s, settings, problem);
    if (rc < 0) {
        return rc;
    }
    if (settings->type == SOCK_DGRAM) {
        int size = DATAGRAM_BUFFER; // as far as net.core.rmem_max lets it
        setsockopt(s.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        rc = peer_ask(s.fd);
    }
    if (rc < 0) {
        unix_socket_close(&s);
        buf_addf(problem, "%s: cannot ask who sends: %s", settings->path, strerror(-rc));
        return rc;
    }
    *ret = s;
    return 0;
}

int ingest_adopt_socket(struct unix_socket *ret, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        return -errno;
    }
    int type;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0) {
        return -errno;
    }
    int rc = type == SOCK_DGRAM ? peer_ask(fd) : 0;
    if (rc < 0) {
        return rc;
    }
    *ret = (struct unix_socket){.fd = fd};
    unix_socket_adopt(ret);
    return 0;
}

int ingest_open(struct ingest **ret, const struct ingest_settings *settings,
                struct series_store *store, struct sources *sources)
{
    struct ingest *in = calloc(1, sizeof *in);
    if (in == NULL) {
        return -ENOMEM;
    }
    in->n_workers = settings->workers;
    in->cache_bytes = settings->cache_bytes;
    in->stream = settings->stream;
    in->datagram = settings->datagram;
    in->store = store;
    in->sources = sources;
    in->caught_up_ms = clock_mono_ms();
    permission_open(&in->permissions);
    atomic_store(&in->most, settings->connections);
    in->acks = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    in->workers = calloc(settings->workers, sizeof *in->workers);
    in->wakeups = calloc(settings->workers, sizeof *in->wakeups);
    int rc = in->acks < 0 ? -errno : in->workers == NULL || in->wakeups == NULL ? -ENOMEM : 0;
    if (rc == 0) {
        rc = sessions_new(&in->sessions, settings->sessions, store->share.arena);
    }
    for (unsigned i = 0; in->workers != NULL && in->wakeups != NULL && i < settings->workers; i++) {
        struct worker *w = &in->workers[i];
        w->wakeup = &in->wakeups[i];
        w->epoll = w->wakeup->fd = w->resume = -1;
        if (rc == 0) {
            rc = worker_open(w, in, i);
        }
    }
    if (rc < 0) {
        in->stream = UNIX_SOCKET_NONE; // still the caller's
        in->datagram = UNIX_SOCKET_NONE;
        ingest_free(in);
        return rc;
    }
    *ret = in;
    return 0;
}

void ingest_free(struct ingest *in)
{
    if (in == NULL) {
        return;
    }
    for (unsigned i = 0; in->workers != NULL && in->wakeups != NULL && i < in->n_workers; i++) {
        worker_close(&in->workers[i]);
    }
    unix_socket_close(&in->stream);
    unix_socket_close(&in->datagram);
    if (in->acks >= 0) {
        close(in->acks);
    }
    sessions_free(in->sessions);
    free(in->workers);
    free(in->wakeups);
    permission_close(&in->permissions);
    free(in);
}

static void order(struct ingest *in, enum worker_order what)
{
    atomic_store(&in->order, what);
    worker_wake_all(in);
}

static void join(struct ingest *in)
{
    for (unsigned i = 0; i < in->started; i++) {
        pthread_join(in->workers[i].thread, NULL);
    }
    in->started = 0;
}

int ingest_start(struct ingest *in)
{
    for (; in->started < in->n_workers; in->started++) {
        struct worker *w = &in->workers[in->started];
        int err = pthread_create(&w->thread, NULL, worker_main, w);
        if (err != 0) {
            in->stop_at = 0;
            order(in, WORKER_STOP);
            join(in);
            return -err;
        }
        char name[16];
        snprintf(name, sizeof name, "ingest-%u", in->started);
        pthread_setname_np(w->thread, name);
    }
    return 0;
}

void ingest_pause(struct ingest *in)
{
    order(in, WORKER_PAUSE);
    eventfd_t n;
    for (unsigned i = 0; i < in->started; i++) {
        eventfd_read(in->acks, &n);
    }
}

void ingest_resume(struct ingest *in)
{
    atomic_store(&in->order, WORKER_RUN);
    for (unsigned i = 0; i < in->started; i++) {
        eventfd_write(in->workers[i].resume, 1);
    }
}

void ingest_stop(struct ingest *in)
{
    unsigned ran = in->started;
    in->stop_at = clock_mono_ms() + INGEST_DRAIN_MS;
    order(in, WORKER_STOP);
    join(in);
    // The acceptor may have handed a connection to a worker that had just gone.
    for (unsigned i = 0; i < ran; i++) {
        worker_drain(&in->workers[i]);
    }
}

void ingest_poke(struct ingest *in)
{
    for (unsigned i = 0; i < in->started; i++) {
        in->workers[i].asked = count_read(&in->workers[i].stats.turns);
    }
    worker_wake_all(in);
}

bool ingest_has_answered(const struct ingest *in)
{
    for (unsigned i = 0; i < in->started; i++) {
        if (count_read(&in->workers[i].stats.turns) == in->workers[i].asked) {
            return false;
        }
    }
    return true;
}

bool ingest_is_progressing(const struct ingest *in, uint64_t now_ms)
{
    for (unsigned i = 0; i < in->n_workers; i++) {
        uint64_t since_ms = count_read(&in->workers[i].stats.busy_since_ms);
        if (since_ms != 0 && now_ms > since_ms && now_ms - since_ms >= INGEST_STILL_MS) {
            return false;
        }
    }
    return true;
}

static bool has_caught_up(const struct ingest *in)
{
    bool all = true;
    for (unsigned i = 0; i < in->started; i++) {
        all = all && atomic_load(&in->workers[i].caught_up) == atomic_load(&in->catch_up);
    }
    return all;
}

static bool are_idle(const struct ingest *in)
{
    bool all = true;
    for (unsigned i = 0; i < in->started; i++) {
        all = all && worker_is_idle(&in->workers[i]);
    }
    return all;
}

uint64_t ingest_caught_up(struct ingest *in, uint64_t now_ms)
{
    if (in->asked_ms != 0 && !has_caught_up(in)) {
        return in->caught_up_ms;
    }
    in->caught_up_ms = in->asked_ms != 0 ? in->asked_ms : in->caught_up_ms;
    in->asked_ms = 0;
    if (are_idle(in)) {
        in->caught_up_ms = now_ms;
        return now_ms;
    }
    in->asked_ms = now_ms;
    atomic_fetch_add(&in->catch_up, 1);
    worker_wake_all(in);
    return in->caught_up_ms;
}

bool ingest_take_rejected(struct ingest *in, struct rejected_line *ret)
{
    for (unsigned i = 0; i < in->n_workers; i++) {
        if (rejected_take(&in->workers[i].rejected_lines, ret)) {
            return true;
        }
    }
    return false;
}

uint64_t ingest_missed_rejected(const struct ingest *in)
{
    uint64_t missed = 0;
    for (unsigned i = 0; i < in->n_workers; i++) {
        missed += count_read(&in->workers[i].rejected_lines.missed);
    }
    return missed;
}

void ingest_keep_texts(struct ingest *in, bool on)
{
    for (unsigned i = 0; i < in->n_workers; i++) {
        atomic_store_explicit(&in->workers[i].rejected_lines.texts, on, memory_order_relaxed);
    }
}

int ingest_bind_permissions(struct ingest *in, struct permission_roles *r)
{
    return permission_bind(&in->permissions, r, in->store->share.quotas);
}

struct permission_roles *ingest_put_permissions(struct ingest *in, struct permission_roles *r)
{
    return permission_put(&in->permissions, r);
}

const char *ingest_lost_socket(const struct ingest *in, size_t i)
{
    const struct unix_socket *s = i == 0 ? &in->stream : &in->datagram;
    return unix_socket_is_reachable(s) ? NULL : s->path;
}

void ingest_set_connections(struct ingest *in, uint32_t most)
{
    atomic_store(&in->most, most);
}

void ingest_tick(struct ingest *in, uint64_t now_ms)
{
    sessions_tick(in->sessions, now_ms);
}

int ingest_adapt(struct ingest *in, const struct catalog *c)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < in->n_workers; i++) {
        rc = worker_open_statistics(&in->workers[i], c);
    }
    return rc;
}

void ingest_repair(struct ingest *in, bool went_back)
{
    char *base = in->store->share.base;
    for (unsigned i = 0; i < CATALOG_MAX_COMPONENTS; i++) {
        uint32_t handle = in->statistics.handles[i];
        if (handle != 0 && record_is_whole(base, handle)) {
            record_repair_cells(base, handle);
        } else {
            in->statistics.handles[i] = 0; // a new one is made
        }
    }
    // Without memory statistics count on, and do not outlive the process.
    ingest_adapt(in, schema_current(in->store)->catalog);
    bool any = sessions_repair(in->sessions, went_back);
    for (unsigned i = 0; any && i < in->n_workers; i++) {
        atomic_store(&in->wakeups[i].sessions_changed, true);
    }
    worker_wake_all(in);
}

void ingest_restore(struct ingest *in, struct record_image *image, uint64_t now_ms,
                    uint64_t now_real_ms)
{
    struct worker *first = &in->workers[0];
    statistics_restore(&first->protocol.statistics, schema_current(in->store)->catalog, image);
    if (!image->power_cut) {
        sessions_restore(in->sessions, &first->writer.arena, image, now_ms, now_real_ms);
    }
}

// Adds up one figure of a component's statistics over the lanes; `at` is its place in struct statistics.
static uint64_t sum_statistics(const struct ingest *in, unsigned component, size_t at)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < in->n_workers; i++) {
        const char *cell = (const char *)atomic_load_explicit(
            &in->workers[i].protocol.statistics.cells[component], memory_order_acquire);
        sum += cell == NULL ? 0 : count_read((const _Atomic uint64_t *)(const void *)(cell + at));
    }
    return sum;
}

uint64_t ingest_applied(const struct ingest *in, unsigned component)
{
    return sum_statistics(in, component, offsetof(struct statistics, applied));
}

uint64_t ingest_lost(const struct ingest *in, unsigned component)
{
    return sum_statistics(in, component, offsetof(struct statistics, lost));
}

uint64_t ingest_rejected(const struct ingest *in, unsigned component, enum reject_reason reason)
{
    return sum_statistics(in, component,
                          offsetof(struct statistics, rejected) + reason * sizeof(uint64_t));
}

unsigned ingest_workers(const struct ingest *in)
{
    return in->n_workers;
}

const struct statistics_worker *ingest_statistics(const struct ingest *in, unsigned worker)
{
    return &in->workers[worker].stats;
}

uint32_t ingest_connections(const struct ingest *in)
{
    return atomic_load_explicit(&in->open, memory_order_relaxed);
}
