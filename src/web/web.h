// SPDX-License-Identifier: Apache-2.0
/*
 * web: the HTTP side. Scrapes, health, reload, the page and /status, on any number of addresses.
 *
 * Shape:   one thread with one loop serves all addresses through libmicrohttpd. What it shows
 *          comes from a backend of functions, all called on that thread.
 * Sharing: a scrape is answered with a rendering that began after it arrived. Those that wait
 *          together and ask for the same share one rendering, and its bytes are sent from where
 *          they were written.
 * Bounds:  connections (512, less under a small RLIMIT_NOFILE: half of it), 16 KiB of memory for
 *          each, scrapes in flight (max_requests; others wait up to 500 ms for a place, then get
 *          503), bytes of bodies not yet sent (no new one is rendered beyond 256 MiB), waiting
 *          reloads (16).
 * Time:    a request's head must be complete 10 s after the connection was made, or 90 s after
 *          the response before it (so that a scrape once a minute keeps its connection); a
 *          reload and the sending of a response may take 60 s each. These are deadlines: trickling
 *          bytes does not move them. When all connections are taken, the one that has been
 *          silent or in its head for longest gives way; when all scrapes are, the response that
 *          has not moved for longest, and for 250 ms at least.
 * Threads: web_open, web_start, web_stop, web_free from one thread. web_reload_done, web_poke,
 *          web_beats and web_stats_read from any, between web_open and web_free.
 * Memory:  web_open returns new; settings are copied; the backend is borrowed until web_free.
 * Source:  RFC 9110, RFC 9112; paths and texts as in Prometheus.
 */
#ifndef VE_WEB_WEB_H
#define VE_WEB_WEB_H

#include "base/buf.h"
#include "expose/sink.h"
#include "web/guard.h"
#include "web/query.h"
#include "web/stats.h"
#include "web/view.h"

struct web;
struct sd_list;

// Adds a target for a source to the list that a backend was given.
void sd_target(struct sd_list *list, const char *component, const char *instance, size_t len);

struct web_settings {
    // ":8080", "127.0.0.1:8080", "[::1]:8080", "unix:/path"; port 0: any free one
    const char *const *addresses;
    size_t n_addresses;
    const int *fds; // listening sockets that are open already; web_open takes them, even on failure
    size_t n_fds;   // they come after the addresses in web_port's count
    const char *telemetry_path;   // starts with '/'; not one of the other paths
    const char *external_address; // host[:port] of what /sd names, or NULL: the request's Host
    bool lifecycle;               // POST /-/reload is allowed
    unsigned max_requests;        // scrapes in flight, from 1
};

struct web_backend {
    void *ctx;

    // The web thread begins, and ends. May be NULL.
    void (*thread_start)(void *ctx);
    void (*thread_stop)(void *ctx);

    // Writes the exposition, as OpenMetrics when `open`, else in text format 0.0.4, of all families or of
    // those that `filter` names (query_filter_has). Returns 0 or -errno; then, or when the sink's text failed,
    // the scrape is answered with 500.
    int (*render)(void *ctx, const struct web_filter *filter, bool open, struct sink *sink);

    // Adds every source that is known with sd_target. It and the next may be NULL: none is known.
    void (*targets)(void *ctx, struct sd_list *list);

    // Appends the metrics of a source's life. Returns 0; -ENOTCONN when it is known and not connected, -ENOENT
    // when it is not known, -ENOMEM.
    int (*source)(void *ctx, const char *component, const char *instance, struct buf *out);

    // Writes a view from view_begin to view_end.
    void (*view)(void *ctx, struct view *view);

    // Whether /readyz says 200.
    bool (*ready)(void *ctx);

    // Asks for a reload and returns at once; web_reload_done answers, within the call or later. It
    // is not called again before that. May be NULL when lifecycle is false.
    void (*reload)(void *ctx);
};

// Checks and binds all addresses; nothing is accepted yet. Returns 0; or -errno, and one line of
// text in `why` that names the address or the setting (no LF).
int web_open(struct web **ret, const struct web_settings *settings,
             const struct web_backend *backend, struct buf *why);

// Starts the thread. Returns 0 or -errno.
int web_start(struct web *w);

// Puts telemetry_path, external_address, lifecycle and max_requests of these settings in force, for requests that come from
// now on. Any thread. Returns 0; -EINVAL with a line in `why`; -ENOMEM; then nothing changes.
int web_change(struct web *w, const struct web_settings *settings, struct buf *why);

// Puts a web configuration in force (takes it), for requests and handshakes that come from now on; without any
// everybody may ask for everything, without TLS. Any thread, between web_open and web_free.
void web_guard(struct web *w, struct guard *guard);

// The TCP port of address i (after the addresses: of the fds); 0 for a Unix socket.
unsigned web_port(const struct web *w, size_t i);

// Ends the reload that was asked for: 200 when `ok`, else 500. `text` (borrowed, its first 4096
// bytes count) is the body. Does nothing when none was asked for.
void web_reload_done(struct web *w, bool ok, const char *text);

// A watchdog's two halves: web_poke makes the loop go round once, web_beats says how often it went
// round. Without pokes an idle loop sleeps.
void web_poke(struct web *w);
uint64_t web_beats(const struct web *w);

// Counters so far; see web/stats.h.
void web_stats_read(const struct web *w, struct web_stats *ret);

// Takes no new connections, lets what is being sent go on for a second at most, ends the thread,
// removes the files of Unix sockets that web_open made. Does nothing the second time or without
// web_start.
void web_stop(struct web *w);

// Stops when need be and gives all back. NULL is fine.
void web_free(struct web *w);

#endif
