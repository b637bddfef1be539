// SPDX-License-Identifier: Apache-2.0
/* record: the calls of virtrigaud-client.h that record. Threads: any. */
#ifndef VE_CLIENT_RECORD_H
#define VE_CLIENT_RECORD_H

#include "client/store.h"
#include <virtrigaud-client.h>

// The client's store.
struct store *record_store(struct virtrigaud_client *c);

// Whether it has been started, and not closed since.
bool record_is_sent(struct virtrigaud_client *c);

enum { RECORD_LABELS_MAX = 64 };

// Takes a call's labels, at most RECORD_LABELS_MAX of them. Returns `copies`, or NULL for none.
const struct wire_label *record_labels(struct wire_label copies[RECORD_LABELS_MAX],
                                       const struct virtrigaud_label *labels, size_t n);

#endif
