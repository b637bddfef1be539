// SPDX-License-Identifier: Apache-2.0
/*
 * service: the daemon as a service of systemd: the sockets that it is handed, what it says of itself, and the watchdog.
 *
 * Shape:   sockets come by name, never by order: `events`, `events-datagram`, and any number of `web`. One takes the
 *          place of the path that is set, or of the default address; addresses that are set are served besides. Its
 *          file stays when the daemon ends, so clients that come during a restart find it, and wait. What is said goes
 *          to $NOTIFY_SOCKET; without one nothing is said. In a build without libsystemd (SYSTEMD=no) no
 *          socket is handed over, nothing is said, and there is no watchdog.
 * Watchdog: four times in its period every ingest worker, the web thread and the rendering thread are asked to go round
 *          once. The watchdog is fed when all did; until then nothing more is asked, and when one never does, systemd ends
 *          the process. The main thread waits for grace periods too, so a worker that never leaves its RCU section stops the
 *          feeding in any case; /readyz sees it without the main thread (ingest_is_progressing).
 * Threads: the main thread.
 * Memory:  the descriptors belong to whoever opens ingest and web with them.
 * Source:  sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3).
 */
#ifndef VE_DAEMON_SERVICE_H
#define VE_DAEMON_SERVICE_H

#include "base/buf.h"
#include "ingest/ingest.h"
#include "web/web.h"

enum { SERVICE_MAX_WEB = 64 };

struct service_fds {
    int stream;   // `events`; -1: not handed over
    int datagram; // `events-datagram`; -1: not handed over
    int web[SERVICE_MAX_WEB];
    size_t n_web;
};

// Takes the sockets over, and removes what names them from the environment. Returns 0; or -errno and a sentence
// in `problem` that names the socket.
int service_take(struct service_fds *ret, struct buf *problem);

// Sockets are open and threads run, or a reload is over.
void service_ready(const char *status);
void service_reloading(void);
void service_stopping(void);
// What `systemctl status` shows.
void service_status(const char *status);

struct service_watchdog {
    uint64_t every_ms; // 0: there is no watchdog, and nobody is asked
    uint64_t next_ms;  // CLOCK_MONOTONIC: when to ask again
    bool asked;        // and no full answer yet
    uint64_t web;      // its beats when it was asked
};

void service_watchdog_open(struct service_watchdog *w);
// To be called at least every service_watchdog_tick_ms.
void service_watchdog_tick(struct service_watchdog *w, struct ingest *ingest, struct web *web,
                           uint64_t now_ms);
uint64_t service_watchdog_tick_ms(const struct service_watchdog *w);

#endif
