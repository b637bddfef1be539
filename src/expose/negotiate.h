// SPDX-License-Identifier: Apache-2.0
/*
 * negotiate: from what a request accepts to the form of its answer.
 *
 * Shape:   negotiate_begin; negotiate_accept and negotiate_encoding for every such field; negotiate_end.
 *          Of what is accepted the best form that there is wins: protobuf, delimited and of MetricFamily; OpenMetrics
 *          1.0.0 or 0.0.1, or text 1.0.0 or 0.0.4 (each two are the same but for the number); text 0.0.4 where
 *          nothing fits. There is no 406.
 *          Names are such that no escaping changes them, but `dots`, for which `underscores` is said instead.
 * Bounds:  NEGOTIATE_CLAUSES of Accept are looked at.
 * Threads: pure functions.
 * Source:  RFC 9110, 12.5; in what that leaves open as prometheus/common's NegotiateIncludingOpenMetrics. An
 *          odd `q` counts as the least one, and one above 1 as 1.
 */
#ifndef VE_EXPOSE_NEGOTIATE_H
#define VE_EXPOSE_NEGOTIATE_H

#include "expose/format.h"

#include <stdbool.h>
#include <stddef.h>

enum { NEGOTIATE_CLAUSES = 32 };

enum negotiate_kind {
    NEGOTIATE_NONE,
    NEGOTIATE_TEXT,
    NEGOTIATE_TEXT_1_0_0,
    NEGOTIATE_OPEN_1_0_0,
    NEGOTIATE_OPEN_0_0_1,
    NEGOTIATE_PROTOBUF
};

enum negotiate_escaping {
    NEGOTIATE_ESCAPING_UNSAID,
    NEGOTIATE_ESCAPING_ALLOW_UTF8,
    NEGOTIATE_ESCAPING_UNDERSCORES,
    NEGOTIATE_ESCAPING_VALUES
};

// The form of an answer.
struct negotiate_form {
    enum negotiate_kind kind;
    enum negotiate_escaping escaping;
    bool gzip; // is wanted; whether there is one is asked elsewhere
};

// One clause of Accept.
struct negotiate_clause {
    double q;                         // above 0
    bool any;                         // has a `*`
    enum negotiate_kind kind;         // NEGOTIATE_NONE: nothing that there is
    enum negotiate_escaping escaping; // that it asks for
};

struct negotiate {
    size_t n;
    struct negotiate_clause clauses[NEGOTIATE_CLAUSES]; // best first
    double gzip;                                        // its q; below 0: not named
    double identity;
    double any; // of `*`, for the codings that are not named
};

void negotiate_begin(struct negotiate *n);
void negotiate_accept(struct negotiate *n, const char *value, size_t len);
void negotiate_encoding(struct negotiate *n, const char *value, size_t len);
struct negotiate_form negotiate_end(const struct negotiate *n);

// In which of the formats that differ in their bytes.
static inline enum format_kind negotiate_format(const struct negotiate_form *form)
{
    return form->kind == NEGOTIATE_PROTOBUF ? FORMAT_PROTOBUF
           : form->kind == NEGOTIATE_OPEN_1_0_0 || form->kind == NEGOTIATE_OPEN_0_0_1
               ? FORMAT_OPENMETRICS
               : FORMAT_TEXT;
}

// The Content-Type. The same forms have the same pointer.
const char *negotiate_type(const struct negotiate_form *form);

#endif
