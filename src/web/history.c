// SPDX-License-Identifier: Apache-2.0
#include "web/history.h"

int history_open(struct history *h)
{
    h->n = 0;
    return -pthread_mutex_init(&h->lock, NULL);
}

void history_close(struct history *h)
{
    pthread_mutex_destroy(&h->lock);
}

bool history_is_due(const struct history *h, uint64_t now_ms)
{
    return h->n == 0 || now_ms - h->samples[(h->n - 1) % HISTORY_SAMPLES].at_ms >= HISTORY_STEP_MS;
}

void history_add(struct history *h, const struct history_sample *s)
{
    pthread_mutex_lock(&h->lock);
    h->samples[h->n % HISTORY_SAMPLES] = *s;
    h->n++;
    pthread_mutex_unlock(&h->lock);
}

void history_read(struct history *h, const struct history_sample *now, struct history_view *ret)
{
    ret->n = 0;
    pthread_mutex_lock(&h->lock);
    for (size_t i = h->n > HISTORY_SAMPLES ? h->n - HISTORY_SAMPLES : 0; i < h->n; i++) {
        const struct history_sample *s = &h->samples[i % HISTORY_SAMPLES];
        // One that is younger than `now` was taken meanwhile.
        if (s->at_ms < now->at_ms && now->at_ms - s->at_ms <= HISTORY_MS) {
            ret->samples[ret->n++] = *s;
        }
    }
    pthread_mutex_unlock(&h->lock);
    ret->samples[ret->n++] = *now;
}

const struct history_sample *history_since(const struct history_view *v, uint64_t ms)
{
    size_t i = 0;
    while (v->samples[v->n - 1].at_ms - v->samples[i].at_ms > ms) {
        i++;
    }
    return &v->samples[i];
}
