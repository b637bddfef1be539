// SPDX-License-Identifier: Apache-2.0
/*
 * expose: series to bytes, in the Prometheus text format 0.0.4, as OpenMetrics 1.0.0 or as protobuf.
 *
 * Shape:   families in the catalogue's order, then the exporter's own; HELP and TYPE once each; series in the
 *          order of their slots. Families without series are left out.
 * Threads: any, one at a time for a buffer. Workers go on meanwhile: each number is whole, a histogram's
 *          buckets, +Inf and count belong together, its sum may be ahead by updates in flight.
 * Source:  Prometheus "Exposition formats"; OpenMetrics 1.0.0; numbers as in base/num.h.
 */
#ifndef VE_EXPOSE_EXPOSE_H
#define VE_EXPOSE_EXPOSE_H

#include "expose/format.h"
#include "ingest/ingest.h"
#include "series/schema.h"

/*
 * The metrics about the exporter itself. self.def is the one table of their names, types and texts.
 *
 * Threads: expose_write on any one thread at a time; the figures are read without synchronisation.
 */

enum { SELF_MAX_BOUNDS = 16, SELF_MAX_FAULTS = 16 };

// What the HTTP side counts, where it counts it. Readers take the numbers by count_read.
struct self_scrapes {
    _Atomic uint64_t by_format[FORMAT_KINDS]; // renderings handed to a request
    size_t n_bounds;
    const double *bounds;                          // of their durations, in seconds
    _Atomic uint64_t buckets[SELF_MAX_BOUNDS + 1]; // not cumulative; the last one is above all
    _Atomic uint64_t sum_ns;                       // from arrival to the end of the rendering
    size_t n_faults;                               // reasons why handshakes of TLS fail
    const char *const *faults;
    _Atomic uint64_t tls_errors[SELF_MAX_FAULTS]; // by reason
    _Atomic uint64_t auth_failures;               // answered with 401
    _Atomic uint64_t certificate_expiry;          // seconds since 1970; 0: there is none
    _Atomic uint64_t accept_errors;               // accept(2) failed: out of descriptors or memory
};

// What there is to say of the state file.
struct self_state {
    bool kept;         // one is configured
    _Atomic int error; // why the state is not kept, -errno; 0: it is
    _Atomic uint64_t bytes;
    _Atomic uint64_t set_aside; // files
};

// Where the figures come from.
struct self {
    const char *version;
    const char *revision;
    const struct ingest *ingest;
    const struct sources *sources;
    const struct self_scrapes *scrapes;
    const struct self_state *state; // NULL: there is none
    uint64_t start_ms;              // CLOCK_REALTIME of the process' start; 0: unknown
    _Atomic bool created;           // OpenMetrics is to have the lines `_created`
    _Atomic bool reload_ok;         // the last one succeeded, as did the start
    _Atomic uint32_t sockets_lost;  // Unix sockets whose file is gone
    _Atomic uint64_t reload_at_ms;  // CLOCK_REALTIME
};

// Which families to show. NULL: all.
struct expose_filter {
    bool (*wants)(const void *ctx, const char *name);
    const void *ctx;
};

// The metrics of one source's life, in text 0.0.4. Inside an RCU section. 0 or -ENOMEM.
int expose_self_source(struct buf *out, const struct schema *schema, const struct source *src);

// ---- The whole exposition

// Appends the series of a family that the scrape shows (table_scrape); nothing when there is none. Inside an RCU section.
// Returns 0 or -ENOMEM.
int expose_family(struct format_sink *sink, const struct format *format, const struct family *f,
                  uint32_t scrape);

// Writes those families that the filter (NULL: all) wants, and leaves it to the caller to end the sink. Returns 0,
// -ENOMEM (then a part is written).
int expose_write(struct format_sink *sink, struct series_store *store, const struct self *self,
                 const struct expose_filter *filter, const struct format *format);

#endif
