// SPDX-License-Identifier: Apache-2.0
/*
 * web: the HTTP side. Scrapes, health, reload, the page and /status, on any number of addresses.
 *
 * Shape:   one thread with one loop serves all addresses, and gives requests one by one to libmicrohttpd
 *          (web/channel); another one renders, so that health and the like are answered meanwhile. What is shown
 *          comes from a backend of functions.
 * Sharing: a scrape is answered with a rendering that began after it arrived. Those that wait together and ask for
 *          the same share one rendering, and its bytes are sent from where they were written.
 * Bounds:  connections (512, less under a small RLIMIT_NOFILE: half of it), a head of 16 KiB for each and 32 KiB of
 *          libmicrohttpd's during a request, scrapes in flight (max_requests, shared among peers: web/scrape; others
 *          wait up to 5 s for a place, then get 503), bytes of bodies not yet sent (no new one is rendered beyond 256
 *          MiB, but for one of a peer that has none), waiting reloads (16).
 * Time:    a request's head must be complete 10 s after the connection was made, or 90 s after the response before it
 *          (so that a scrape once a minute keeps its connection); a reload and the sending of a response may take 60
 *          s each, a body 1 s more for each MiB. These are deadlines: trickling bytes does not move them. When all
 *          connections are taken, the one that has been silent or in its head for longest is cut; when all scrapes
 *          are, the body that is read too slowly.
 * Threads: web_open, web_start, web_stop, web_free from one thread. web_reload_done, web_poke, web_beats and
 *          web_stats from any, between web_open and web_free.
 * Memory:  web_open returns new; settings are copied; the backend is borrowed until web_free.
 * Source:  RFC 9110, RFC 9112; paths and texts as in Prometheus.
 */
#ifndef VE_WEB_WEB_H
#define VE_WEB_WEB_H

#include "base/buf.h"
#include "web/backend.h"
#include "web/listen.h"
#include "web/stats.h"
#include "web/tls.h"
#include "web/webconf.h"

// A web configuration with all that is made of it. Made on any thread, then of the web thread.
struct web_config {
    struct webconf *conf; // NULL: there is none, and every request is allowed
    struct tls *tls;      // NULL: without TLS
};

// Reads the file (NULL: none) and what it names, all of which is then in `seen`. Returns 0; -EINVAL with the
// problems in errs; -ENOMEM.
int web_config_load(struct web_config **ret, const char *file, struct webconf_files *seen,
                    struct errs *errs);
void web_config_free(struct web_config *g);

struct web;

struct web_settings {
    // ":8080", "127.0.0.1:8080", "[::1]:8080", "unix:/path"; port 0: any free one
    const char *const *addresses;
    size_t n_addresses;
    struct listen_file file; // of Unix sockets among them
    const int *fds; // listening sockets that are open already; web_open takes them, even on failure
    size_t n_fds;   // they come after the addresses in web_port's count
    const char *telemetry_path;   // starts with '/'; not one of the other paths
    const char *external_address; // host[:port] of what /sd names, or NULL: the request's Host
    bool lifecycle;               // POST /-/reload is allowed
    unsigned max_requests;        // scrapes in flight, from 1
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
// every request is allowed, without TLS. Any thread, between web_open and web_free.
void web_set_config(struct web *w, struct web_config *web_config);

// When the certificate of the configuration that was put in force last ends, in seconds since 1970; 0: there is none. Any thread.
uint64_t web_certificate_expiry(const struct web *w);

// The TCP port of address i (after the addresses: of the fds); 0 for a Unix socket.
unsigned web_port(const struct web *w, size_t i);

// How many sockets it listens on, and the path of number i when that is a Unix socket whose file is gone or another's, else
// NULL. Any thread.
size_t web_sockets(const struct web *w);
const char *web_lost_socket(const struct web *w, size_t i);

// Ends the reload that was asked for: 200 when `ok`, else 500. `text` (borrowed, its first 4096
// bytes count) is the body. Does nothing when none was asked for.
void web_reload_done(struct web *w, bool ok, const char *text);

// A watchdog's two halves: web_poke makes the loop and the renderer go round once, web_beats says how often both
// did; a rendering must end before that. Without pokes an idle loop sleeps.
void web_poke(struct web *w);
uint64_t web_beats(const struct web *w);

// Counters so far; see web/stats.h.
const struct stats *web_stats(const struct web *w);
// The last scrape that was answered.
void web_last_scrape(struct web *w, struct stats_last_scrape *ret);
// The last handshake of TLS that failed for this reason; returns how many did.
uint64_t web_handshake_failure(struct web *w, enum tls_fault fault, struct stats_handshake *ret);

// Takes no new connections, lets what is being sent go on for a second at most, ends the thread,
// removes the files of Unix sockets that web_open made. Does nothing the second time or without
// web_start.
void web_stop(struct web *w);

// Stops when need be and gives all back. NULL is fine.
void web_free(struct web *w);

#endif
