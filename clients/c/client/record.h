// SPDX-License-Identifier: Apache-2.0
/* record: the calls of virtrigaud-client.h that record. Threads: any. */
#ifndef VE_CLIENT_RECORD_H
#define VE_CLIENT_RECORD_H

#include "client/store.h"
#include <virtrigaud-client.h>

// The client's store.
struct store *record_store(struct virtrigaud_client *c);

#endif
