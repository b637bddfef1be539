// SPDX-License-Identifier: Apache-2.0
#include "web/web.h"

#include "web/server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct web {
    struct web_backend backend;
    struct listener *listeners;
    size_t n_listeners;
    struct server server;
    pthread_t thread;
    bool started;
};

static int check(const struct web_settings *settings, struct buf *why)
{
    const char *path = settings->telemetry_path;
    if (path[0] != '/' || strpbrk(path, "?#") != NULL || routes_is_taken(path)) {
        buf_addf(why, "cannot serve metrics at %s: not a path, or one that has another meaning",
                 path);
        return -EINVAL;
    }
    if (settings->max_requests == 0) {
        buf_str(why, "max_requests must be at least 1");
        return -EINVAL;
    }
    return 0;
}

static int open_listeners(struct web *w, const struct web_settings *settings, struct buf *why)
{
    int r = 0;
    for (size_t i = 0; i < settings->n_addresses && r == 0; i++) {
        r = listen_open(&w->listeners[w->n_listeners], settings->addresses[i], why);
        w->n_listeners += r == 0;
    }
    for (size_t i = 0; i < settings->n_fds; i++) {
        if (r < 0) {
            close(settings->fds[i]);
            continue;
        }
        r = listen_adopt(&w->listeners[w->n_listeners], settings->fds[i], why);
        w->n_listeners += r == 0;
    }
    return r;
}

static struct server_live *live_of(const struct web_settings *settings)
{
    struct server_live *live = calloc(1, sizeof *live);
    if (live == NULL) {
        return NULL;
    }
    live->lifecycle = settings->lifecycle;
    live->max_requests = settings->max_requests;
    live->telemetry_path = strdup(settings->telemetry_path);
    const char *address = settings->external_address;
    live->external_address = address != NULL ? strdup(address) : NULL;
    if (live->telemetry_path == NULL || (address != NULL && live->external_address == NULL)) {
        server_live_free(live);
        return NULL;
    }
    return live;
}

static int open_server(struct web *w, const struct web_settings *settings, struct buf *why)
{
    struct server *s = &w->server;
    s->listeners = w->listeners;
    s->n_listeners = w->n_listeners;
    s->scrape.backend = s->routes.backend = s->sd.backend = &w->backend;
    s->next = live_of(settings);
    if (s->next == NULL) {
        return -ENOMEM;
    }
    int r = server_init(s);
    if (r < 0) {
        server_destroy(s);
        buf_addf(why, "cannot start the HTTP server: %s", strerror(-r));
    }
    return r;
}

static void close_fds(const struct web_settings *settings)
{
    for (size_t i = 0; i < settings->n_fds; i++) {
        close(settings->fds[i]);
    }
}

static void free_parts(struct web *w)
{
    for (size_t i = 0; i < w->n_listeners; i++) {
        listen_close(&w->listeners[i]);
    }
    free(w->listeners);
    free(w);
}

int web_open(struct web **ret, const struct web_settings *settings,
             const struct web_backend *backend, struct buf *why)
{
    int r = check(settings, why);
    struct web *w = r == 0 ? calloc(1, sizeof *w) : NULL;
    if (w == NULL) {
        close_fds(settings);
        return r < 0 ? r : -ENOMEM;
    }
    w->backend = *backend;
    w->listeners = calloc(settings->n_addresses + settings->n_fds + 1, sizeof *w->listeners);
    if (w->listeners == NULL) {
        close_fds(settings);
        r = -ENOMEM;
    } else {
        r = open_listeners(w, settings, why);
        r = r < 0 ? r : open_server(w, settings, why);
    }
    if (r < 0) {
        free_parts(w);
        return r;
    }
    *ret = w;
    return 0;
}

static void *thread_main(void *arg)
{
    struct web *w = arg;
    if (w->backend.thread_start != NULL) {
        w->backend.thread_start(w->backend.ctx);
    }
    server_run(&w->server);
    if (w->backend.thread_stop != NULL) {
        w->backend.thread_stop(w->backend.ctx);
    }
    return NULL;
}

int web_start(struct web *w)
{
    // Signals are the main thread's; SIGPIPE of a write to a gone peer is nobody's. SIGBUS is that of whoever reads
    // what cannot be read (series/arena.h).
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    int r = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (r != 0) {
        return -r;
    }
    r = pthread_create(&w->thread, NULL, thread_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->started = r == 0;
    if (w->started) {
        pthread_setname_np(w->thread, "web");
    }
    return -r;
}

unsigned web_port(const struct web *w, size_t i)
{
    return i < w->n_listeners ? w->listeners[i].port : 0;
}

void web_reload_done(struct web *w, bool ok, const char *text)
{
    if (reload_done(&w->server.reload, ok, text)) {
        server_wake(&w->server);
    }
}

int web_change(struct web *w, const struct web_settings *settings, struct buf *why)
{
    int r = check(settings, why);
    struct server_live *live = r == 0 ? live_of(settings) : NULL;
    if (live == NULL) {
        return r < 0 ? r : -ENOMEM;
    }
    server_change(&w->server, live);
    return 0;
}

void web_guard(struct web *w, struct guard *guard)
{
    server_guard(&w->server, guard);
}

void web_poke(struct web *w)
{
    server_wake(&w->server);
}

uint64_t web_beats(const struct web *w)
{
    return atomic_load_explicit(&w->server.rounds, memory_order_relaxed);
}

void web_stats_read(const struct web *w, struct web_stats *ret)
{
    stats_read(&w->server.stats, ret);
}

void web_stop(struct web *w)
{
    if (!w->started) {
        return;
    }
    atomic_store(&w->server.stopping, true);
    server_wake(&w->server);
    pthread_join(w->thread, NULL);
    w->started = false;
    for (size_t i = 0; i < w->n_listeners; i++) {
        listen_close(&w->listeners[i]);
    }
}

void web_free(struct web *w)
{
    if (w == NULL) {
        return;
    }
    web_stop(w);
    server_destroy(&w->server);
    free_parts(w);
}
