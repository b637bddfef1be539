// SPDX-License-Identifier: Apache-2.0
#include "ingest/ingest.h"

#include "base/clock.h"
#include "ingest/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void wake_worker(void *ingest, unsigned number)
{
    struct worker *w = &((struct ingest *)ingest)->workers[number];
    atomic_store(&w->look, true);
    eventfd_write(w->wake, 1);
}

int ingest_open(struct ingest **ret, const struct ingest_settings *settings,
                struct series_store *store, struct sources *sources)
{
    struct ingest *in = calloc(1, sizeof *in);
    if (in == NULL) {
        return -ENOMEM;
    }
    in->settings = *settings;
    in->store = store;
    in->sources = sources;
    atomic_store(&in->most, settings->connections);
    in->acks = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    in->workers = calloc(settings->workers, sizeof *in->workers);
    int rc = in->acks < 0 ? -errno : in->workers == NULL ? -ENOMEM : 0;
    if (rc == 0) {
        rc = sessions_new(&in->sessions, settings->sessions, store->share.arena, wake_worker, in);
    }
    for (unsigned i = 0; in->workers != NULL && i < settings->workers; i++) {
        struct worker *w = &in->workers[i];
        w->epoll = w->wake = w->resume = -1;
        if (rc == 0) {
            rc = worker_open(w, in, i);
        }
    }
    if (rc < 0) {
        in->settings.stream = SOCKET_NONE; // still the caller's
        in->settings.datagram = SOCKET_NONE;
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
    for (unsigned i = 0; in->workers != NULL && i < in->settings.workers; i++) {
        worker_close(&in->workers[i]);
    }
    socket_close(&in->settings.stream);
    socket_close(&in->settings.datagram);
    if (in->acks >= 0) {
        close(in->acks);
    }
    sessions_free(in->sessions);
    free(in->workers);
    rights_close(&in->rights);
    free(in);
}

static void order(struct ingest *in, enum worker_order what)
{
    atomic_store(&in->order, what);
    for (unsigned i = 0; i < in->started; i++) {
        eventfd_write(in->workers[i].wake, 1);
    }
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
    for (; in->started < in->settings.workers; in->started++) {
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
        eventfd_write(in->workers[i].wake, 1);
    }
}

bool ingest_answered(const struct ingest *in)
{
    for (unsigned i = 0; i < in->started; i++) {
        if (count_read(&in->workers[i].stats.turns) == in->workers[i].asked) {
            return false;
        }
    }
    return true;
}

bool ingest_take_refusal(struct ingest *in, struct refusal *ret)
{
    for (unsigned i = 0; i < in->settings.workers; i++) {
        if (refusal_take(&in->workers[i].refusals, ret)) {
            return true;
        }
    }
    return false;
}

uint64_t ingest_missed_refusals(const struct ingest *in)
{
    uint64_t missed = 0;
    for (unsigned i = 0; i < in->settings.workers; i++) {
        missed += count_read(&in->workers[i].refusals.missed);
    }
    return missed;
}

void ingest_tell_texts(struct ingest *in, bool on)
{
    for (unsigned i = 0; i < in->settings.workers; i++) {
        atomic_store_explicit(&in->workers[i].refusals.texts, on, memory_order_relaxed);
    }
}

int ingest_bind_rights(struct ingest *in, struct rights *r)
{
    return rights_bind(&in->rights, r, in->store->share.made);
}

struct rights *ingest_put_rights(struct ingest *in, struct rights *r)
{
    return rights_put(&in->rights, r);
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
    for (unsigned i = 0; rc == 0 && i < in->settings.workers; i++) {
        rc = worker_open_accounts(&in->workers[i], c);
    }
    return rc;
}

void ingest_mend(struct ingest *in)
{
    char *base = in->store->share.base;
    for (unsigned i = 0; i < CATALOG_MAX_COMPONENTS; i++) {
        uint32_t handle = in->accounts.of[i];
        if (handle != 0 && record_is_whole(base, handle)) {
            record_mend_cells(base, handle);
        } else {
            in->accounts.of[i] = 0; // made anew
        }
    }
    // Without memory an account counts on, and does not outlive the process.
    ingest_adapt(in, schema_current(in->store)->catalog);
    sessions_mend(in->sessions);
}

void ingest_restore(struct ingest *in, struct record_image *image, uint64_t now_ms,
                    uint64_t now_real_ms)
{
    struct worker *first = &in->workers[0];
    accounts_restore(&first->protocol.accounts, schema_current(in->store)->catalog, image);
    if (!image->power_cut) {
        sessions_restore(in->sessions, &first->hand.arena, image, now_ms, now_real_ms);
    }
}

// Adds up one figure of a component's account over the lanes; `at` is its place in struct account.
static uint64_t account_sum(const struct ingest *in, unsigned component, size_t at)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < in->settings.workers; i++) {
        const char *account = (const char *)in->workers[i].protocol.accounts.of[component];
        sum += account == NULL ? 0
                               : count_read((const _Atomic uint64_t *)(const void *)(account + at));
    }
    return sum;
}

uint64_t ingest_applied(const struct ingest *in, unsigned component)
{
    return account_sum(in, component, offsetof(struct account, applied));
}

uint64_t ingest_lost(const struct ingest *in, unsigned component)
{
    return account_sum(in, component, offsetof(struct account, lost));
}

uint64_t ingest_rejected(const struct ingest *in, unsigned component, enum reject reason)
{
    return account_sum(in, component,
                       offsetof(struct account, rejected) + reason * sizeof(uint64_t));
}

unsigned ingest_workers(const struct ingest *in)
{
    return in->settings.workers;
}

const struct ingest_stats *ingest_stats_of(const struct ingest *in, unsigned worker)
{
    return &in->workers[worker].stats;
}

uint32_t ingest_connections(const struct ingest *in)
{
    return atomic_load_explicit(&in->open, memory_order_relaxed);
}
