// SPDX-License-Identifier: Apache-2.0
/*
 * family: a catalogue family with all its series. For expose/ only.
 *
 * Threads: any, inside an RCU section.
 */
#ifndef VE_EXPOSE_FAMILY_H
#define VE_EXPOSE_FAMILY_H

#include "expose/format.h"
#include "expose/sink.h"
#include "series/schema.h"

// Appends it; nothing when it has no series. 0 or -ENOMEM.
int family_write(struct sink *sink, const struct format *format, const struct family *f);

#endif
