// SPDX-License-Identifier: Apache-2.0
/*
 * watchdog: feeds systemd's watchdog, but only while every ingest worker, the web thread and the rendering thread go
 *          round.
 *
 * Shape:   four times in its period each of them is asked to go round once. The watchdog is fed when all did;
 *          until then nothing more is asked, and when one never does, systemd ends the process. The main thread
 *          waits for grace periods too, so a worker that never leaves its RCU section stops the feeding in any case;
 *          /readyz sees it without the main thread (ingest_is_progressing).
 * Threads: the main thread.
 */
#ifndef VE_DAEMON_WATCHDOG_H
#define VE_DAEMON_WATCHDOG_H

#include "ingest/ingest.h"
#include "web/web.h"

struct watchdog {
    uint64_t every_ms; // 0: there is no watchdog, and nobody is asked
    uint64_t next_ms;  // CLOCK_MONOTONIC: when to ask again
    bool asked;        // and no full answer yet
    uint64_t web;      // its beats when it was asked
};

void watchdog_open(struct watchdog *w);
// To be called at least every watchdog_tick_ms.
void watchdog_tick(struct watchdog *w, struct ingest *ingest, struct web *web, uint64_t now_ms);
uint64_t watchdog_tick_ms(const struct watchdog *w);

#endif
