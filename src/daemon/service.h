// SPDX-License-Identifier: Apache-2.0
/*
 * service: the daemon as a service of systemd: the sockets that it is handed, and what it says of itself.
 *
 * Shape:   sockets come by name, never by order: `events`, `events-datagram`, and any number of `web`. One takes the
 *          place of the path that is set, or of the default address; addresses that are set are served besides. Its
 *          file stays when the daemon ends, so clients that come during a restart find it, and wait. What is said goes
 *          to $NOTIFY_SOCKET; without one nothing is said. In a build without libsystemd (SYSTEMD=no) no
 *          socket is handed over, and nothing is said.
 * Threads: the main thread.
 * Memory:  the descriptors belong to whoever opens ingest and web with them.
 * Source:  sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3).
 */
#ifndef VE_DAEMON_SERVICE_H
#define VE_DAEMON_SERVICE_H

#include "base/buf.h"

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

// Within how many microseconds the watchdog wants to be fed each time; 0: there is none.
uint64_t service_watchdog_us(void);
void service_feed_watchdog(void);

#endif
