// SPDX-License-Identifier: Apache-2.0
/*
 * protobuf: expositions as length-delimited MetricFamily messages.
 *
 * Shape:   one pass: the length of a message is written, padded to a fixed number of bytes, when its end is known. A family
 *          that is longer than a piece of the sink becomes several messages of the same name, which readers put together.
 *          Each series has the time when it was created; classic histograms have their buckets but for +Inf, which
 *          readers add.
 * Threads: as expose. Errors: out->failed.
 * Memory:  a protobuf_labels owns its text.
 * Source:  client_model's metrics.proto; Protocol Buffers encoding.
 */
#ifndef VE_EXPOSE_PROTOBUF_H
#define VE_EXPOSE_PROTOBUF_H

#include "catalog/catalog.h"
#include "expose/format.h"

struct exemplars;

#define PROTOBUF_NOT_OPEN SIZE_MAX

// Begins a family's message. Returns what protobuf_end wants.
size_t protobuf_begin(struct buf *out, const struct format_head *head);
// Ends the message; nothing when none is open.
void protobuf_end(struct buf *out, size_t begun);

// Appends a label of a sample.
void protobuf_label(struct buf *out, const char *name, const char *value, size_t len);
// A counter or a gauge with these labels (protobuf_label).
void protobuf_sample(struct buf *out, const char *type, const struct buf *labels, double value);

// The bytes before the values of a metric's labels.
struct protobuf_labels {
    size_t n;
    struct slice before[CATALOG_MAX_LABELS]; // in the text
    size_t name_len[CATALOG_MAX_LABELS];
    struct buf text;
};

// What a series has: the same as struct family_text_series in one place.
struct protobuf_series {
    struct slice key;                  // as in a record
    uint64_t created_ms;               // 0: not known
    const struct exemplars *exemplars; // NULL: none
    double value;                      // of a counter or gauge
    const double *bounds;              // of a histogram
    size_t n_bounds;
    const uint64_t *counts; // not cumulative, n_bounds + 1
    double sum;
};

void protobuf_labels_init(struct protobuf_labels *l, const struct metric *m);
void protobuf_labels_free(struct protobuf_labels *l);
// One series of a catalogue's metric.
void protobuf_series(struct buf *out, const struct protobuf_labels *l, enum metric_type type,
                     const struct protobuf_series *s);

#endif
