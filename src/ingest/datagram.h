// SPDX-License-Identifier: Apache-2.0
/*
 * datagram: lines that come without a connection. A hello as first line holds for its datagram. Nothing is
 * answered.
 *
 * Shape:   DATAGRAM_BATCH datagrams at most are received by one system call, and dealt with in the order in which they
 *          came, each as a connection of its own (connection_begin) of whoever sent it.
 * Threads: one worker.
 * Memory:  room for a batch, of which only what datagrams have filled is ever touched.
 */
#ifndef VE_INGEST_DATAGRAM_H
#define VE_INGEST_DATAGRAM_H

#include "ingest/connection.h"

enum { DATAGRAM_BATCH = 32 };

// What a worker that reads datagrams needs. Returns 0, -ENOMEM.
int datagram_new(struct datagram **ret);
void datagram_free(struct datagram *d, struct protocol *p);

// Receives a batch and deals with its lines, unless one of them takes longer (datagram_is_open). Returns how many
// datagrams were received; 0 when none was there; -errno.
int datagram_read(int fd, struct protocol *p);

// Whether a forget of a datagram is under way. No further batch is received then, so that datagrams keep their order.
bool datagram_is_open(const struct protocol *p);
// A step further with the forget; once that is done, with what is behind it, until another one is under way.
void datagram_go_on(struct protocol *p);

#endif
