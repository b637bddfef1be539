// SPDX-License-Identifier: Apache-2.0
#include "daemon/refused.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

enum { UID_TEXT = 24 };

// The fields that are not always there, in pairs; what is left of `ret` is NULL.
static void gather(const struct refusal *e, char uid[static UID_TEXT], const char *ret[6])
{
    size_t n = 0;
    if (e->user != PEER_NOBODY) {
        snprintf(uid, UID_TEXT, "%lu", (unsigned long)e->user);
        ret[n++] = "uid";
        ret[n++] = uid;
    }
    if (e->entry[0] != '\0') {
        ret[n++] = "entry";
        ret[n++] = e->entry;
    }
    if (e->metric[0] != '\0') {
        ret[n++] = "metric";
        ret[n++] = e->metric;
    }
}

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
    char uid[UID_TEXT];
    const char *more[6] = {NULL};
    gather(e, uid, more);
    if (e->reason == REJECT_NONE) {
        log_warn("a source runs in another unit than its entry says", "source", source, "unit",
                 e->detail, more[0], more[1], more[2], more[3], NULL);
        return;
    }
    log_tell(LOG_KIND_lines_refused, LOG_LEVEL_WARN, "line refused", "reason",
             reject_name(e->reason), "source", source, "line", line, "detail", e->detail, more[0],
             more[1], more[2], more[3], more[4], more[5], NULL);
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

void refused_tick(struct refused *r, struct recent *recent, struct ingest *ingest,
                  const struct catalog *c, uint64_t now_ms)
{
    if (r->said > 0 && now_ms - r->since_ms >= REFUSED_MS) {
        refused_end(r);
    }
    struct refusal e;
    while (ingest_take_refusal(ingest, &e)) {
        if (e.reason != REJECT_NONE) {
            recent_put(recent, &e, clock_real_ms());
        }
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
