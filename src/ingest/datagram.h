// SPDX-License-Identifier: Apache-2.0
/*
 * datagram: lines that come without a connection. A hello as first line holds for its datagram. Nothing is
 * answered.
 *
 * Threads: one worker.
 */
#ifndef VE_INGEST_DATAGRAM_H
#define VE_INGEST_DATAGRAM_H

#include "ingest/connection.h"

// Receives one datagram and deals with its lines. `input` has room for EVENT_MAX_LINE + 1 bytes. Returns 1;
// 0 when none was there; -errno.
int datagram_read(int fd, struct protocol *p, char *input);

#endif
