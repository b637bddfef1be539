// SPDX-License-Identifier: Apache-2.0
/*
 * wish: what the head of a scrape says of the answer: its form, and how long it is waited for.
 *
 * Shape:   wish_begin; wish_field for every header field; wish_end.
 * Units:   a timeout in nanoseconds.
 * Threads: pure functions.
 * Source:  expose/negotiate.h; X-Prometheus-Scrape-Timeout-Seconds as Prometheus sends it: one that is no
 *          number of seconds above 0 and up to WISH_TIMEOUT_MAX_S counts for nothing.
 */
#ifndef VE_WEB_WISH_H
#define VE_WEB_WISH_H

#include "expose/negotiate.h"

#include <stdint.h>

enum { WISH_TIMEOUT_MAX_S = 3600 };

struct wish {
    struct negotiate negotiate;
    uint64_t timeout_ns; // UINT64_MAX: not said
};

void wish_begin(struct wish *w);
void wish_field(struct wish *w, const char *name, size_t name_len, const char *value,
                size_t value_len);
// The form; gzip only where there is one.
struct negotiated wish_end(const struct wish *w);

#endif
