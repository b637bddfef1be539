// SPDX-License-Identifier: Apache-2.0
#include "daemon/log_clock.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

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

void log_clock_tick(struct log_clock *l, uint64_t now_ms)
{
    for (enum clock_evidence kind = 0; kind < CLOCK_EVIDENCE_KINDS; kind++) {
        int64_t difference = clock_evidence_read(kind, clock_real_ms(), now_ms);
        if (difference == 0) {
            continue;
        }
        if (l->seen_ms[kind] == 0 || now_ms > l->seen_ms[kind] + CLOCK_EVIDENCE_LASTS_MS) {
            log_difference(kind, difference / 1000);
        }
        l->seen_ms[kind] = now_ms;
    }
}
