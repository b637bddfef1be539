// SPDX-License-Identifier: Apache-2.0
/*
 * family: a family with all its series.
 *
 * Threads: any. Errors: 0 or -ENOMEM.
 */
#ifndef VE_EXPOSE_FAMILY_H
#define VE_EXPOSE_FAMILY_H

#include "expose/format.h"
#include "series/schema.h"

// Appends the series that the scrape shows (table_scrape); nothing when there is none. Inside an RCU section.
int family_write(struct format_sink *sink, const struct format *format, const struct family *f,
                 uint32_t scrape);

// A histogram without labels, behind its head, from counts that are not cumulative; the last of the n + 1 is above all
// bounds.
void family_write_buckets(struct buf *out, const struct format *f, const char *name,
                          const double *bounds, size_t n, const uint64_t *counts, double sum);

#endif
