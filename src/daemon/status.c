// SPDX-License-Identifier: Apache-2.0
#include "daemon/status.h"

#include "daemon/service.h"

#include <inttypes.h>
#include <stdio.h>

static void sum(const struct ingest *in, uint64_t *ret_applied, uint64_t *ret_rejected)
{
    *ret_applied = *ret_rejected = 0;
    for (unsigned c = 0; c < CATALOG_MAX_COMPONENTS; c++) {
        *ret_applied += ingest_applied(in, c);
        for (unsigned r = 0; r < REJECT_COUNT; r++) {
            *ret_rejected += ingest_rejected(in, c, r);
        }
    }
}

static void look(struct status *s, const struct ingest *in, const struct series_store *store,
                 const char *trouble, uint64_t now_ms)
{
    uint64_t applied;
    uint64_t rejected;
    sum(in, &applied, &rejected);
    uint64_t ms = now_ms - s->at_ms;
    uint64_t rate = ms > 0 ? (applied - s->applied) * 1000 / ms : 0;
    snprintf(s->text, sizeof s->text,
             "%" PRIu64 " series, %" PRIu64 " events/s, %" PRIu64 " refused%s%.60s",
             count_read(&store->share.count), rate, rejected,
             trouble != NULL ? "; in memory only: " : "", trouble != NULL ? trouble : "");
    s->at_ms = now_ms;
    s->applied = applied;
}

void status_open(struct status *s, const struct ingest *ingest, const struct series_store *store,
                 const char *trouble, uint64_t now_ms)
{
    *s = (struct status){.at_ms = now_ms};
    look(s, ingest, store, trouble, now_ms);
}

void status_tick(struct status *s, const struct ingest *ingest, const struct series_store *store,
                 const char *trouble, uint64_t now_ms)
{
    if (now_ms - s->at_ms < STATUS_MS) {
        return;
    }
    char before[sizeof s->text];
    memcpy(before, s->text, sizeof before);
    look(s, ingest, store, trouble, now_ms);
    if (strcmp(before, s->text) != 0) {
        service_status(s->text);
    }
}
