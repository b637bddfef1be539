// SPDX-License-Identifier: Apache-2.0
#include "daemon/log_troubles.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

static void check_socket(struct log_troubles *l, size_t i, const char *path)
{
    uint64_t bit = (uint64_t)1 << i;
    if (path == NULL) {
        l->lost_logged &= ~bit;
        return;
    }
    l->n_lost++;
    l->lost_path = l->lost_path != NULL ? l->lost_path : path;
    if ((l->lost_logged & bit) == 0) {
        log_write_kind(
            LOG_KIND_socket_lost, LOG_LEVEL_ERROR,
            "a socket was removed or replaced, no new client can connect until a restart", "socket",
            path, NULL);
        l->lost_logged |= bit;
    }
}

void log_troubles_sockets(struct log_troubles *l, const struct ingest *ingest,
                          const struct web *web, const struct unix_socket *admin)
{
    enum { ADMIN_BIT = 63 };
    l->n_lost = 0;
    l->lost_path = NULL;
    for (size_t i = 0; i < INGEST_SOCKETS; i++) {
        check_socket(l, i, ingest_lost_socket(ingest, i));
    }
    for (size_t i = 0; i < web_sockets(web) && INGEST_SOCKETS + i < ADMIN_BIT; i++) {
        check_socket(l, INGEST_SOCKETS + i, web_lost_socket(web, i));
    }
    check_socket(l, ADMIN_BIT, unix_socket_is_reachable(admin) ? NULL : admin->path);
}

static void log_fault(enum tls_fault fault, const struct stats_handshake *f, uint64_t n)
{
    char count[24];
    snprintf(count, sizeof count, "%" PRIu64, n);
    // Who looks whether a port is open connects and goes.
    enum log_level level = fault == TLS_FAULT_closed ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
    log_write_kind(LOG_KIND_tls_failed, level, "TLS handshake failed", "reason",
                   tls_fault_names[fault], "peer", f->peer, "detail", f->detail, "count", count,
                   NULL);
}

void log_troubles_handshakes(struct log_troubles *l, struct web *web, uint64_t now_ms)
{
    for (size_t i = 0; i < TLS_FAULTS; i++) {
        struct stats_handshake f;
        uint64_t n = web_handshake_failure(web, (enum tls_fault)i, &f);
        if (n > l->fault[i].logged && now_ms >= l->fault[i].next_ms) {
            log_fault((enum tls_fault)i, &f, n - l->fault[i].logged);
            l->fault[i].logged = n;
            l->fault[i].next_ms = now_ms + LOG_TROUBLES_TLS_MS;
        }
    }
}

static void log_difference(enum clock_evidence kind, int64_t seconds)
{
    static const char *const messages[CLOCK_EVIDENCE_KINDS] = {
        "the clock is behind the time when the state file was written",
        "the clock is behind the time from when on the certificate is valid",
        "the clock and the times of clients' exemplars disagree",
    };
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, seconds);
    log_write_kind(LOG_KIND_clock_wrong, LOG_LEVEL_WARN, messages[kind], "evidence",
                   clock_evidence_name(kind), "difference", text, NULL);
}

void log_troubles_clock(struct log_troubles *l, uint64_t now_ms)
{
    for (enum clock_evidence kind = 0; kind < CLOCK_EVIDENCE_KINDS; kind++) {
        int64_t difference = clock_evidence_read(kind, clock_real_ms(), now_ms);
        if (difference == 0) {
            continue;
        }
        if (l->clock_ms[kind] == 0 || now_ms > l->clock_ms[kind] + CLOCK_EVIDENCE_LASTS_MS) {
            log_difference(kind, difference / 1000);
        }
        l->clock_ms[kind] = now_ms;
    }
}
