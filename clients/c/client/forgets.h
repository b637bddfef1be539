// SPDX-License-Identifier: Apache-2.0
/*
 * forgets: what the daemon is to forget, since it is gone for good.
 *
 * Shape:   a list of sets of labels, in order, in a store.
 * Threads: any may add; the client's work does the others.
 * Errors:  a call that adds has none: what the daemon would reject is counted and noted as invalid.
 */
#ifndef VE_CLIENT_FORGETS_H
#define VE_CLIENT_FORGETS_H

#include "client/store.h"

// Has the series with all these labels forgotten, once what waits is sent. Gauges with them have no value any more.
void forgets_add(struct store *s, const struct wire_label *labels, size_t n);

// The oldest; NULL: none. It is the list's until forgets_done.
const struct store_forget *forgets_first(struct store *s);

// The daemon has dealt with the oldest: what its gauges were set to meanwhile is sent again.
void forgets_done(struct store *s);

#endif
