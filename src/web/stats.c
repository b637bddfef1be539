// SPDX-License-Identifier: Apache-2.0
#include "web/stats.h"

const double web_duration_bounds[WEB_DURATION_BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                         0.1,   0.25,   0.5,   1,    2.5,   5};

void stats_scrape(struct stats *s, enum web_format format, uint64_t ns)
{
    size_t i = 0;
    while (i < WEB_DURATION_BOUNDS && (double)ns / 1e9 > web_duration_bounds[i]) {
        i++;
    }
    count_add(&s->duration_buckets[i], 1);
    count_add(&s->duration_sum_ns, ns);
    count_add(&s->scrapes[format], 1);
}

static uint64_t read_one(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

void stats_read(const struct stats *s, struct web_stats *ret)
{
    for (size_t i = 0; i < WEB_FORMATS; i++) {
        ret->scrapes[i] = read_one(&s->scrapes[i]);
    }
    for (size_t i = 0; i <= WEB_DURATION_BOUNDS; i++) {
        ret->duration_buckets[i] = read_one(&s->duration_buckets[i]);
    }
    ret->scrapes_failed = read_one(&s->scrapes_failed);
    ret->scrapes_refused = read_one(&s->scrapes_refused);
    ret->requests_bad = read_one(&s->requests_bad);
    ret->duration_sum_ns = read_one(&s->duration_sum_ns);
    ret->accepted = read_one(&s->accepted);
    ret->accept_errors = read_one(&s->accept_errors);
    ret->cut = read_one(&s->cut);
    ret->connections = read_one(&s->connections);
}
