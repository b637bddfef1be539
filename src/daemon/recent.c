// SPDX-License-Identifier: Apache-2.0
#include "daemon/recent.h"

void recent_open(struct recent *r)
{
    pthread_mutex_init(&r->lock, NULL);
}

void recent_put(struct recent *r, const struct refusal *refusal, uint64_t at_ms)
{
    pthread_mutex_lock(&r->lock);
    struct recent_refusal *e = &r->ring[r->n++ % RECENT_RING];
    e->refusal = *refusal;
    e->at_ms = at_ms;
    pthread_mutex_unlock(&r->lock);
}

bool recent_read(struct recent *r, uint64_t *at, struct recent_refusal *ret)
{
    pthread_mutex_lock(&r->lock);
    uint64_t before = *at < r->n ? *at : r->n;
    bool there = before > 0 && r->n - before < RECENT_RING;
    if (there) {
        *at = before - 1;
        *ret = r->ring[*at % RECENT_RING];
    }
    pthread_mutex_unlock(&r->lock);
    return there;
}
