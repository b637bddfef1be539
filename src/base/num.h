// SPDX-License-Identifier: Apache-2.0
/*
 * num: numbers to text and back.
 *
 * Threads: pure functions. No locale, no allocation.
 * Source:  the float form is that of Go's strconv.FormatFloat(v, 'g', -1, 64), as Prometheus' own
 *          writer prints it, but whole numbers below 2^53 in plain digits. Shortest digits by
 *          Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020).
 */
#ifndef VE_BASE_NUM_H
#define VE_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUM_MAX = 32 }; // bytes that any of the writers below needs at most

#define NUM_DURATION_MAX_MS (INT64_MAX / 1000000) // 292 years: nanoseconds of it fit 64 bits

// Each writes to `out` (NUM_MAX bytes, no NUL is added) and returns how many bytes it wrote.
size_t num_u64(char *out, uint64_t v);
size_t num_i64(char *out, int64_t v);
// Milliseconds as seconds with three decimals: 1700000000.250.
size_t num_seconds(char *out, uint64_t ms);
// A sample value: plain digits for whole numbers below 2^53 (and for -0: "0"), NaN, +Inf, -Inf,
// else the shortest digits that read back as the same double, in Go's form: 1.5, 1e-05, 1.2345e+20.
size_t num_double(char *out, double v);
// An OpenMetrics canonical number (le, quantile): as Go's %g with ".0" when there is neither '.'
// nor 'e'; -0 reads "0.0".
size_t num_canonical(char *out, double v);

// Each reads all of `s`; returns 0, or -EINVAL when it is not such a number, or -ERANGE when it is
// one but does not fit; *ret is set on 0 only.
int num_parse_u64(const char *s, uint64_t *ret);  // digits only
int num_parse_double(const char *s, double *ret); // a finite decimal number
// Bytes: 4096, 32KiB, 32MiB, 1GiB, 10MB; B, KiB to EiB, kB or KB to EB.
int num_parse_size(const char *s, uint64_t *ret);
int num_parse_duration(const char *s, uint64_t *ret_ms); // as Prometheus': 30s, 1h30m, 250ms, 7d, 0

#endif
