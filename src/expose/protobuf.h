// SPDX-License-Identifier: Apache-2.0
/*
 * protobuf: expositions as length-delimited MetricFamily messages.
 *
 * Shape:   one pass: the length of a message is written, padded to a fixed number of bytes, when its end is known. A family
 *          that is longer than a piece of the sink becomes several messages of the same name, which readers put together.
 *          Each series has the time when it was created; classic histograms have their buckets but for +Inf, which
 *          readers add.
 * Threads: as expose. Errors: out->failed.
 * Memory:  a protobuf_family owns its text, and borrows its bounds.
 * Source:  client_model's metrics.proto; Protocol Buffers encoding.
 */
#ifndef VE_EXPOSE_PROTOBUF_H
#define VE_EXPOSE_PROTOBUF_H

#include "catalog/catalog.h"
#include "expose/format.h"

#define PROTOBUF_NOT_OPEN SIZE_MAX

// Begins a family's message. Returns what protobuf_end wants.
size_t protobuf_begin(struct buf *out, const struct format_head *head);
// Ends the message; nothing when none is open.
void protobuf_end(struct buf *out, size_t begun);

// Appends a label of a sample.
void protobuf_label(struct buf *out, const char *name, const char *value, size_t len);
// A counter or a gauge with these labels (protobuf_label).
void protobuf_sample(struct buf *out, const char *type, const struct buf *labels, double value);

// What is before a label's value: a LabelPair but for its lengths, as they stand in the text, and those of the parts.
struct protobuf_label {
    struct slice small; // whose lengths take one byte each
    struct slice large; // the same with longer ones
    size_t name_len;
    size_t small_end; // a value with fewer bytes has the small one
};

// What all series of a family have.
struct protobuf_family {
    enum metric_type type;
    bool is_native_alone; // a histogram without classic buckets
    size_t n_bounds;      // of a histogram
    const double *bounds;
    size_t n_labels;
    struct protobuf_label labels[CATALOG_MAX_LABELS];
    struct buf text;
    uint64_t created_ms; // of `created`, the field of the last series: many were made at one time
    char created[24];
};

void protobuf_family_init(struct protobuf_family *f, const struct metric *m);
void protobuf_family_close(struct protobuf_family *f);
// One series.
void protobuf_series(struct buf *out, struct protobuf_family *f, const struct format_series *s);

#endif
