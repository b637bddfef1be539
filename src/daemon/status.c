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

static void take_reading(struct status *s, const struct ingest *in,
                         const struct series_store *store, const struct status_trouble *trouble,
                         uint64_t now_ms)
{
    uint64_t applied;
    uint64_t rejected;
    sum(in, &applied, &rejected);
    uint64_t ms = now_ms - s->at_ms;
    uint64_t rate = ms > 0 ? (applied - s->applied) * 1000 / ms : 0;
    snprintf(s->text, sizeof s->text,
             "%" PRIu64 " series, %" PRIu64 " events/s, %" PRIu64 " rejected%s%.60s%s%.110s",
             count_read(&store->share.quota.used), rate, rejected,
             trouble->state != NULL ? "; in memory only: " : "",
             trouble->state != NULL ? trouble->state : "",
             trouble->socket != NULL ? "; no client can connect to " : "",
             trouble->socket != NULL ? trouble->socket : "");
    s->at_ms = now_ms;
    s->applied = applied;
}

void status_open(struct status *s, const struct ingest *ingest, const struct series_store *store,
                 const struct status_trouble *trouble, uint64_t now_ms)
{
    *s = (struct status){.at_ms = now_ms};
    take_reading(s, ingest, store, trouble, now_ms);
}

void status_tick(struct status *s, const struct ingest *ingest, const struct series_store *store,
                 const struct status_trouble *trouble, uint64_t now_ms)
{
    if (now_ms - s->at_ms < STATUS_MS) {
        return;
    }
    char before[sizeof s->text];
    memcpy(before, s->text, sizeof before);
    take_reading(s, ingest, store, trouble, now_ms);
    if (strcmp(before, s->text) != 0) {
        service_status(s->text);
    }
}

void status_rates_tick(struct status_rates *p, const struct ingest *ingest, uint64_t now_ms)
{
    if (p->at_ms != 0 && now_ms - p->at_ms < STATUS_RATES_MS) {
        return;
    }
    for (unsigned c = 0; c < CATALOG_MAX_COMPONENTS; c++) {
        uint64_t applied = ingest_applied(ingest, c);
        if (p->at_ms != 0) {
            double rate = (double)(applied - p->applied[c]) * 1000 / (double)(now_ms - p->at_ms);
            atomic_store_explicit(&p->per_second[c], rate, memory_order_relaxed);
        }
        p->applied[c] = applied;
    }
    atomic_store_explicit(&p->known, p->at_ms != 0, memory_order_release);
    p->at_ms = now_ms;
}
