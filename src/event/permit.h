// SPDX-License-Identifier: Apache-2.0
/*
 * permit: what the lines of one origin may push, and how much of it. No permit (NULL) is one for everything.
 *
 * Shape:   the metrics as bits by their place in the catalogue; values that labels must have where a metric
 *          declares them; a rate; a number of series, which count in the store for the permit's payer.
 * Rate:    a bucket of one second's worth as a single number, the time at which it will be full again (the
 *          generic cell rate algorithm). Who asks for more than the whole bucket holds must find it full, and
 *          leaves it empty for longer.
 * Threads: any number at once; a permit does not change.
 * Memory:  a permit borrows all that it points to.
 */
#ifndef VE_EVENT_PERMIT_H
#define VE_EVENT_PERMIT_H

#include "catalog/catalog.h"
#include "series/table.h"

enum { PERMIT_MAX_LABELS = 16 };

struct permit_label {
    const char *name;
    const char *value;
};

struct permit {
    uint64_t number;        // no two permits that ever were have the same; not 0
    const char *name;       // who is spoken of, for people: "sources[1]"
    const char *nothing;    // why nothing at all is permitted, for people; NULL: something is
    const uint8_t *metrics; // bit i: metric i of the catalogue
    size_t n_labels;
    struct permit_label labels[PERMIT_MAX_LABELS];
    uint64_t interval_ns;      // between two events; 0: any number of events
    _Atomic uint64_t *full_ns; // when the bucket is full again, CLOCK_MONOTONIC
    uint16_t payer;            // whom series count for; 0: nobody
    uint32_t series;           // as many may count; 0: any number
};

static inline uint64_t permit_number(const struct permit *p)
{
    return p != NULL ? p->number : 0;
}

// Whether the metric at this place in the catalogue may be pushed.
bool permit_metric(const struct permit *p, size_t metric);
// The label whose value in the key is not the wanted one, or NULL when there is none.
const struct permit_label *permit_misfit(const struct permit *p, const struct metric *m,
                                         const char *key);
// Both of them.
bool permit_series(const struct permit *p, const struct catalog *c, const struct metric *m,
                   const char *key);

// Takes n events out of the bucket, or none. Returns whether it did.
bool permit_spend(const struct permit *p, uint64_t now_ms, uint64_t n);
void permit_give_back(const struct permit *p, uint64_t n);

// Lets the hand make series for the permit's payer.
void permit_hold(const struct permit *p, struct series_hand *hand);

#endif
