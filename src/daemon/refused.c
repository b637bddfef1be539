// SPDX-License-Identifier: Apache-2.0
#include "daemon/refused.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

static void tell(const struct refusal *e, const struct catalog *c)
{
    // A reload may have taken the component away.
    const char *component =
        e->component < c->n_components ? c->components[e->component] : "unknown";
    char source[sizeof e->instance + 64];
    char line[24] = "";
    bool named = e->instance[0] != '\0';
    snprintf(source, sizeof source, "%.60s%s%s", component, named ? "/" : "", e->instance);
    if (e->line > 0) {
        snprintf(line, sizeof line, "%" PRIu64, e->line);
    }
    log_tell(LOG_KIND_lines_refused, LOG_LEVEL_WARN, "line refused", "reason",
             reject_name(e->reason), "source", source, "line", line, "detail", e->detail,
             e->metric[0] != '\0' ? "metric" : NULL, e->metric, NULL);
}

void refused_end(struct refused *r)
{
    if (r->left_out > 0) {
        char count[24];
        snprintf(count, sizeof count, "%" PRIu64, r->left_out);
        log_tell(LOG_KIND_lines_refused, LOG_LEVEL_WARN, "more lines refused", "count", count,
                 NULL);
    }
    r->said = 0;
    r->left_out = 0;
}

void refused_tick(struct refused *r, struct ingest *ingest, const struct catalog *c,
                  uint64_t now_ms)
{
    if (r->said > 0 && now_ms - r->since_ms >= REFUSED_MS) {
        refused_end(r);
    }
    struct refusal e;
    while (ingest_take_refusal(ingest, &e)) {
        if (r->said == REFUSED_SAID) {
            r->left_out++;
            continue;
        }
        r->since_ms = r->said == 0 ? now_ms : r->since_ms;
        r->said++;
        tell(&e, c);
    }
    uint64_t missed = ingest_missed_refusals(ingest);
    r->left_out += missed - r->missed;
    r->missed = missed;
}
