// SPDX-License-Identifier: Apache-2.0
/*
 * self: the metrics about the exporter itself. self.def is the one table of their names, types and texts.
 *
 * Threads: self_write on any one thread at a time; the figures are read without synchronisation.
 */
#ifndef VE_EXPOSE_SELF_H
#define VE_EXPOSE_SELF_H

#include "expose/format.h"
#include "ingest/ingest.h"
#include "series/schema.h"

enum { SELF_MAX_BOUNDS = 16, SELF_MAX_FAULTS = 16 };

// What the HTTP side counted.
struct self_scrapes {
    uint64_t by_format[FORMAT_KINDS]; // text, openmetrics, protobuf
    size_t n_bounds;
    const double *bounds;                  // seconds
    uint64_t buckets[SELF_MAX_BOUNDS + 1]; // not cumulative
    double sum;                            // seconds
    size_t n_faults;                       // reasons why handshakes of TLS failed
    const char *fault[SELF_MAX_FAULTS];
    uint64_t tls_errors[SELF_MAX_FAULTS]; // by reason
    uint64_t auth_failures;
    uint64_t accept_errors;
};

// What there is to say of the state file.
struct self_state {
    bool kept; // one is configured
    bool ok;
    uint64_t bytes;
    uint64_t set_aside;
};

// Where the figures come from.
struct self {
    const char *version;
    const char *revision;
    const struct ingest *ingest;
    const struct sources *sources;
    void (*scrapes)(void *ctx, struct self_scrapes *ret);
    void (*state)(void *ctx, struct self_state *ret); // NULL: no state file
    void *ctx;
    uint64_t start_ms;             // CLOCK_REALTIME of the process' start; 0: unknown
    _Atomic bool reload_ok;        //
    _Atomic uint32_t sockets_lost; // Unix sockets whose file is gone
    _Atomic uint64_t reload_at_ms; // CLOCK_REALTIME
};

// Which families to show. NULL: all.
struct expose_filter {
    bool (*wants)(const void *ctx, const char *name);
    const void *ctx;
};

// Appends them. Inside an RCU section. 0 or -ENOMEM.
int self_write(struct buf *out, const struct format *format, const struct schema *schema,
               const struct self *self, const struct expose_filter *filter);

// The metrics of one source's life, in text 0.0.4. Inside an RCU section. 0 or -ENOMEM.
int self_write_source(struct buf *out, const struct schema *schema, const struct source *src);

#endif
