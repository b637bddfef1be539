// SPDX-License-Identifier: Apache-2.0
#include "client/record.h"

#include "client/forgets.h"

const struct wire_label *record_labels(struct wire_label copies[RECORD_LABELS_MAX],
                                       const struct virtrigaud_label *labels, size_t n)
{
    if (labels == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n && i < RECORD_LABELS_MAX; i++) {
        copies[i] = (struct wire_label){labels[i].name, labels[i].value};
    }
    return copies;
}

// The series of a call; NULL when there is none.
static struct virtrigaud_series *find(struct virtrigaud_client *c, enum store_kind kind,
                                      const char *name, const struct virtrigaud_label *labels,
                                      size_t n, bool calls)
{
    struct wire_label copies[RECORD_LABELS_MAX];
    if (c == NULL) {
        return NULL;
    }
    return store_find(record_store(c), kind, name, record_labels(copies, labels, n), n, calls);
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

void virtrigaud_observe_with_exemplar(struct virtrigaud_client *client, const char *metric,
                                      const struct virtrigaud_label *labels, size_t n, double value,
                                      const struct virtrigaud_label *exemplar, size_t n_exemplar)
{
    struct virtrigaud_series *x = find(client, STORE_HISTOGRAM, metric, labels, n, true);
    virtrigaud_series_observe_with_exemplar(x, value, exemplar, n_exemplar);
}

void virtrigaud_event_with_exemplar(struct virtrigaud_client *client, const char *event,
                                    const struct virtrigaud_label *labels, size_t n, double value,
                                    const struct virtrigaud_label *exemplar, size_t n_exemplar)
{
    struct virtrigaud_series *x = find(client, STORE_EVENT, event, labels, n, true);
    virtrigaud_series_observe_with_exemplar(x, value, exemplar, n_exemplar);
}

void virtrigaud_forget(struct virtrigaud_client *client, const struct virtrigaud_label *labels,
                       size_t n)
{
    struct wire_label copies[RECORD_LABELS_MAX];
    if (client != NULL) {
        forgets_add(record_store(client), record_labels(copies, labels, n), n);
    }
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

void virtrigaud_series_observe_with_exemplar(struct virtrigaud_series *x, double value,
                                             const struct virtrigaud_label *exemplar, size_t n)
{
    struct wire_label copies[RECORD_LABELS_MAX];
    if (x != NULL) {
        bool too_many = n > RECORD_LABELS_MAX; // left out, as one without labels
        const struct wire_label *labels = too_many ? NULL : record_labels(copies, exemplar, n);
        store_observe_with_exemplar(x, value, labels, n);
    }
}
