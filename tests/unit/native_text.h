// SPDX-License-Identifier: Apache-2.0
/*
 * native_text: the native histograms of a store as text, in the order of the catalogue and of the slots, for tests that compare
 * what two ways of lines lead to. Each must have as many observations as its classic form.
 */
#ifndef VE_TESTS_NATIVE_TEXT_H
#define VE_TESTS_NATIVE_TEXT_H

#include "base/buf.h"
#include "base/rcu.h"
#include "series/schema.h"

#include <stdio.h>
#include <stdlib.h>

static inline void native_text_series(const struct family *f, const struct series *s,
                                      struct native_sum *sum, struct buf *out)
{
    uint64_t counts[CATALOG_MAX_BOUNDS + 1];
    double total;
    uint64_t classic = 0;
    uint64_t native = table_read_native(f->table, s, f->metric->bounds, &f->native, sum);
    table_read_histogram(f->table, s, counts, &total);
    for (size_t i = 0; i <= f->metric->n_bounds; i++) {
        classic += counts[i];
    }
    if (sum->failed || native != classic || sum->n > f->native.max_buckets) {
        fprintf(stderr, "%s{%.*s}: %llu observations in %zu native buckets, and %llu\n",
                f->metric->name, s->record->text_len, record_text(s->record),
                (unsigned long long)native, sum->n, (unsigned long long)classic);
        abort();
    }
    buf_addf(out, "%s{", f->metric->name);
    buf_add(out, record_text(s->record), s->record->text_len);
    buf_addf(out, "} schema %d, %llu up to %a:", sum->schema, (unsigned long long)sum->zero_count,
             sum->zero_threshold);
    for (size_t i = 0; i < sum->n; i++) {
        buf_addf(out, " %c%d=%llu", sum->buckets[i].negative ? '-' : '+', sum->buckets[i].index,
                 (unsigned long long)sum->buckets[i].count);
    }
    buf_char(out, '\n');
}

static inline void native_text(struct series_store *store, struct buf *out)
{
    struct native_sum sum = {.n = 0};
    rcu_enter();
    const struct schema *schema = schema_current(store);
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        const struct family *f = &schema->families[i];
        for (uint32_t slot = 0; f->has_native && slot < table_slots(f->table); slot++) {
            const struct series *s = table_at(f->table, slot);
            if (s != NULL) {
                native_text_series(f, s, &sum, out);
            }
        }
    }
    rcu_leave();
    native_sum_free(&sum);
}

#endif
