// SPDX-License-Identifier: Apache-2.0
/*
 * refused: tells of refused lines: the log, at a bounded rate, and the page.
 *
 * Shape:   the first REFUSED_SAID of each REFUSED_MS with reason, source, line number, detail, user and entry; then how
 *          many more there were. The log is never told a line's text: it is the source's business. All that the
 *          workers told goes to `recent`.
 * Threads: the main thread.
 */
#ifndef VE_DAEMON_REFUSED_H
#define VE_DAEMON_REFUSED_H

#include "catalog/catalog.h"
#include "daemon/recent.h"
#include "ingest/ingest.h"

enum { REFUSED_SAID = 5, REFUSED_MS = 10000 };

struct refused {
    uint64_t since_ms; // CLOCK_MONOTONIC, of the first one that was told
    unsigned said;     // since then
    uint64_t left_out; // since then
    uint64_t missed;   // ever, by the workers' rings
};

void refused_tick(struct refused *r, struct recent *recent, struct ingest *ingest,
                  const struct catalog *c, uint64_t now_ms);
// Tells how many were left out so far.
void refused_end(struct refused *r);

#endif
