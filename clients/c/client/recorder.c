// SPDX-License-Identifier: Apache-2.0
#include "client/record.h"

#include <errno.h>

static const enum store_kind kinds[] = {STORE_COUNTER, STORE_GAUGE, STORE_HISTOGRAM, STORE_EVENT};

// Copies up to `max` observations of a chunk behind n others. Returns how many there are.
static size_t copy(const struct chunk *c, double *values, size_t max, size_t n)
{
    for (unsigned i = c->begin; i < c->end; i++, n++) {
        if (n < max) {
            values[n] = c->v[i];
        }
    }
    return n;
}

// The observations of a series, in order, but for the one with an exemplar, which is the last. Called with the store's
// mutex held.
static size_t observations(const struct virtrigaud_series *x, double *values, size_t max)
{
    size_t n = 0;
    for (const struct chunk *c = x->store->oldest; c != NULL; c = c->next) {
        n = c->series == x ? copy(c, values, max, n) : n;
    }
    n = x->held != NULL ? copy(x->held, values, max, n) : n;
    if (x->exemplar != NULL && n < max) {
        values[n] = x->exemplar->value;
    }
    return n + (x->exemplar != NULL);
}

// Adds what was recorded of a series. Returns whether there was anything.
static bool add(const struct virtrigaud_series *x, double *value)
{
    if (x->kind == STORE_COUNTER || x->kind == STORE_GAUGE) {
        *value += x->value;
        return x->kind == STORE_GAUGE ? x->known : x->calls > 0;
    }
    size_t n = observations(x, NULL, 0);
    *value += (double)n + (double)x->count;
    return n > 0 || x->count > 0;
}

int virtrigaud_recorded(struct virtrigaud_client *client, const char *name,
                        const struct virtrigaud_label *labels, size_t n, double *ret)
{
    struct wire_label copies[RECORD_LABELS_MAX];
    double value = 0;
    bool found = false;
    if (client == NULL || record_is_sent(client)) {
        return client == NULL ? -ENOENT : -EALREADY;
    }
    struct store *s = record_store(client);
    const struct wire_label *given = record_labels(copies, labels, n);
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct virtrigaud_series *x = store_look_up(s, kinds[i], name, given, n);
        found = (x != NULL && add(x, &value)) || found;
    }
    pthread_mutex_unlock(&s->mutex);
    if (found) {
        *ret = value;
    }
    return found ? 0 : -ENOENT;
}

size_t virtrigaud_recorded_values(struct virtrigaud_client *client, const char *name,
                                  const struct virtrigaud_label *labels, size_t n, double *ret,
                                  size_t max)
{
    struct wire_label copies[RECORD_LABELS_MAX];
    size_t found = 0;
    if (client == NULL || record_is_sent(client)) {
        return 0;
    }
    struct store *s = record_store(client);
    const struct wire_label *given = record_labels(copies, labels, n);
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && found == 0; i++) {
        const struct virtrigaud_series *x = store_look_up(s, kinds[i], name, given, n);
        found = x == NULL ? 0 : observations(x, ret, max);
    }
    pthread_mutex_unlock(&s->mutex);
    return found;
}

void virtrigaud_recorded_reset(struct virtrigaud_client *client)
{
    if (client == NULL || record_is_sent(client)) {
        return;
    }
    struct store *s = record_store(client);
    uint64_t calls = store_discard(s);
    store_forget_gauges(s);
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->n_buckets; i++) {
        for (struct virtrigaud_series *x = s->buckets[i]; x != NULL; x = x->next) {
            x->value = 0;
        }
    }
    s->sent -= calls;
    pthread_mutex_unlock(&s->mutex);
}
