// SPDX-License-Identifier: Apache-2.0
/*
 * stats: what the HTTP side counts about itself, and the last failed handshake of each reason for the log.
 *
 * Threads: one writer (the web thread), any readers. Each number is whole by itself; numbers
 *          read together may be of slightly different moments. A mutex guards the failed handshakes and the last scrape.
 */
#ifndef VE_WEB_STATS_H
#define VE_WEB_STATS_H

#include "base/count.h"
#include "expose/expose.h"
#include "web/tls.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { STATS_PEER = 128, STATS_DETAIL = 128 };

// The last TLS handshake that failed for a reason.
struct stats_handshake {
    char peer[STATS_PEER];
    char detail[STATS_DETAIL];
};

// The last scrape that was answered.
struct stats_last_scrape {
    uint64_t at_ms; // CLOCK_REALTIME, of its answer; 0: there was none
    uint64_t ns;    // from its arrival to its answer
    unsigned status;
    struct sockaddr_storage peer;
};

// Readers take the numbers by count_read.
struct stats {
    struct self_scrapes shown;        // in the exporter's own metrics
    _Atomic uint64_t scrapes_failed;  // answered with 500
    _Atomic uint64_t scrapes_refused; // answered with 503: too many at once
    _Atomic uint64_t requests_bad;    // refused for their head: 400, 413, 431
    _Atomic uint64_t accepted;        // connections so far
    _Atomic uint64_t cut;             // connections cut off: late, silent or stalled
    _Atomic uint64_t connections;     // now
    pthread_mutex_t lock;             // of what follows
    struct stats_handshake failed[TLS_FAULTS];
    struct stats_last_scrape last;
};

int stats_init(struct stats *s);
void stats_close(struct stats *s);

// Address and port as numbers, or "unix".
void stats_name_peer(const struct sockaddr_storage *a, char ret[static STATS_PEER]);

// Counts a handshake of TLS that failed; `address` is the peer's, `detail` may be NULL. On the web thread.
void stats_count_handshake(struct stats *s, enum tls_fault fault,
                           const struct sockaddr_storage *address, const char *detail);
#endif
