// SPDX-License-Identifier: Apache-2.0
#include "daemon/watchdog.h"

#include "daemon/service.h"

enum { TICK_MS = 1000, LEAST_MS = 10 };

void watchdog_open(struct watchdog *w)
{
    uint64_t every_ms = service_watchdog_us() / 4000;
    bool none = service_watchdog_us() == 0;
    *w = (struct watchdog){.every_ms = none ? 0 : every_ms < LEAST_MS ? LEAST_MS : every_ms};
}

uint64_t watchdog_tick_ms(const struct watchdog *w)
{
    return w->every_ms != 0 && w->every_ms < TICK_MS ? w->every_ms : TICK_MS;
}

void watchdog_tick(struct watchdog *w, struct ingest *ingest, struct web *web, uint64_t now_ms)
{
    if (w->every_ms == 0) {
        return;
    }
    if (w->asked && ingest_has_answered(ingest) && web_beats(web) != w->web) {
        service_feed_watchdog();
        w->asked = false;
    }
    if (!w->asked && now_ms >= w->next_ms) {
        w->web = web_beats(web);
        ingest_poke(ingest);
        web_poke(web);
        w->asked = true;
        w->next_ms = now_ms + w->every_ms;
    }
}
