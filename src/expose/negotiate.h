// SPDX-License-Identifier: Apache-2.0
/*
 * negotiate: from what a request accepts to the form of its answer.
 *
 * Shape:   negotiate_begin; negotiate_accept and negotiate_encoding for every such field; negotiate_end.
 *          Of what is accepted the best form that there is wins: OpenMetrics 1.0.0 or 0.0.1 (which are the
 *          same but for the number), or text 0.0.4, also where nothing fits. There is no 406.
 *          Names are such that no escaping changes them, but `dots`, for which `underscores` is said instead.
 * Bounds:  NEGOTIATE_CLAUSES of Accept are looked at.
 * Threads: pure functions.
 * Source:  RFC 9110, 12.5; in what that leaves open as prometheus/common's NegotiateIncludingOpenMetrics. An
 *          odd `q` counts as the least one, and one above 1 as 1.
 */
#ifndef VE_EXPOSE_NEGOTIATE_H
#define VE_EXPOSE_NEGOTIATE_H

#include <stdbool.h>
#include <stddef.h>

enum { NEGOTIATE_CLAUSES = 32 };

enum negotiate_kind { NEGOTIATE_NONE, NEGOTIATE_TEXT, NEGOTIATE_OPEN_1_0_0, NEGOTIATE_OPEN_0_0_1 };

enum negotiate_escaping {
    ESCAPING_UNSAID,
    ESCAPING_ALLOW_UTF8,
    ESCAPING_UNDERSCORES,
    ESCAPING_VALUES
};

// The form of an answer.
struct negotiated {
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
struct negotiated negotiate_end(const struct negotiate *n);

static inline bool negotiated_is_open(const struct negotiated *form)
{
    return form->kind == NEGOTIATE_OPEN_1_0_0 || form->kind == NEGOTIATE_OPEN_0_0_1;
}

// The Content-Type. The same forms have the same pointer.
const char *negotiated_type(const struct negotiated *form);

#endif
