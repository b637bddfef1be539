// SPDX-License-Identifier: Apache-2.0
#include "client/record.h"

enum { LABELS_MAX = 64 };

// The series of a call; NULL when there is none.
static struct virtrigaud_series *find(struct virtrigaud_client *c, enum store_kind kind,
                                      const char *name, const struct virtrigaud_label *labels,
                                      size_t n, bool calls)
{
    struct wire_label copies[LABELS_MAX];
    if (c == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n && i < LABELS_MAX && labels != NULL; i++) {
        copies[i] = (struct wire_label){labels[i].name, labels[i].value};
    }
    return store_find(record_store(c), kind, name, labels != NULL ? copies : NULL, n, calls);
}

void virtrigaud_counter_add(struct virtrigaud_client *client, const char *metric,
                            const struct virtrigaud_label *labels, size_t n, double by)
{
    virtrigaud_series_add(find(client, STORE_COUNTER, metric, labels, n, true), by);
}

void virtrigaud_gauge_set(struct virtrigaud_client *client, const char *metric,
                          const struct virtrigaud_label *labels, size_t n, double to)
{
    virtrigaud_series_set(find(client, STORE_GAUGE, metric, labels, n, true), to);
}

void virtrigaud_gauge_add(struct virtrigaud_client *client, const char *metric,
                          const struct virtrigaud_label *labels, size_t n, double by)
{
    virtrigaud_series_add(find(client, STORE_GAUGE, metric, labels, n, true), by);
}

void virtrigaud_observe(struct virtrigaud_client *client, const char *metric,
                        const struct virtrigaud_label *labels, size_t n, double value)
{
    virtrigaud_series_observe(find(client, STORE_HISTOGRAM, metric, labels, n, true), value);
}

void virtrigaud_event(struct virtrigaud_client *client, const char *event,
                      const struct virtrigaud_label *labels, size_t n)
{
    struct virtrigaud_series *x = find(client, STORE_EVENT, event, labels, n, true);
    if (x != NULL) {
        store_count(x, 1);
    }
}

void virtrigaud_event_value(struct virtrigaud_client *client, const char *event,
                            const struct virtrigaud_label *labels, size_t n, double value)
{
    virtrigaud_series_observe(find(client, STORE_EVENT, event, labels, n, true), value);
}

struct virtrigaud_series *virtrigaud_counter(struct virtrigaud_client *client, const char *metric,
                                             const struct virtrigaud_label *labels, size_t n)
{
    return find(client, STORE_COUNTER, metric, labels, n, false);
}

struct virtrigaud_series *virtrigaud_gauge(struct virtrigaud_client *client, const char *metric,
                                           const struct virtrigaud_label *labels, size_t n)
{
    return find(client, STORE_GAUGE, metric, labels, n, false);
}

struct virtrigaud_series *virtrigaud_histogram(struct virtrigaud_client *client, const char *metric,
                                               const struct virtrigaud_label *labels, size_t n)
{
    return find(client, STORE_HISTOGRAM, metric, labels, n, false);
}

struct virtrigaud_series *virtrigaud_event_series(struct virtrigaud_client *client,
                                                  const char *event,
                                                  const struct virtrigaud_label *labels, size_t n)
{
    return find(client, STORE_EVENT, event, labels, n, false);
}

void virtrigaud_series_add(struct virtrigaud_series *x, double by)
{
    if (x == NULL) {
        return;
    }
    if (x->kind == STORE_EVENT) {
        bool whole = by >= 1 && by <= 1e15 && by == (double)(uint64_t)by;
        store_count(x, whole ? (uint64_t)by : 0);
    } else {
        store_add(x, by);
    }
}

void virtrigaud_series_set(struct virtrigaud_series *x, double to)
{
    if (x != NULL) {
        store_set(x, to);
    }
}

void virtrigaud_series_observe(struct virtrigaud_series *x, double value)
{
    if (x != NULL) {
        store_observe(x, value);
    }
}
