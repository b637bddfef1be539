// SPDX-License-Identifier: Apache-2.0
/*
 * log_troubles: what the main thread looks for each second, in the log.
 *
 * Shape:   Unix sockets whose files are gone: clients that are connected go on without, so nobody else would notice; each is
 *          logged once, and again when it was there meanwhile. Handshakes of TLS that failed: one line for each reason in
 *          LOG_TROUBLES_TLS_MS, the last one of that reason, and how many there were since the previous line. A clock that
 *          disagrees with what is known of the time: once for each kind of evidence, and again when there was none of it for
 *          CLOCK_EVIDENCE_LASTS_MS.
 * Threads: the main thread.
 */
#ifndef VE_DAEMON_LOG_TROUBLES_H
#define VE_DAEMON_LOG_TROUBLES_H

#include "base/clock.h"
#include "base/unix_socket.h"
#include "ingest/ingest.h"
#include "web/web.h"

enum { LOG_TROUBLES_TLS_MS = 10000 };

struct log_troubles {
    uint64_t lost_logged;  // a bit for each socket, those of ingest first
    uint32_t n_lost;       // sockets, now
    const char *lost_path; // the first of them, or NULL
    struct {
        uint64_t logged;  // of them, so far
        uint64_t next_ms; // CLOCK_MONOTONIC: no line before that
    } fault[TLS_FAULTS];
    uint64_t clock_ms[CLOCK_EVIDENCE_KINDS]; // CLOCK_MONOTONIC: when it disagreed last; 0: never
};

// Each logs what is new. Zero the struct before.
void log_troubles_sockets(struct log_troubles *l, const struct ingest *ingest,
                          const struct web *web, const struct unix_socket *admin);
void log_troubles_handshakes(struct log_troubles *l, struct web *web, uint64_t now_ms);
void log_troubles_clock(struct log_troubles *l, uint64_t now_ms);

#endif
