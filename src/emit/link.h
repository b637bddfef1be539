// SPDX-License-Identifier: Apache-2.0
/*
 * link: a client's connection: what waits to be written, what was answered, when to connect again.
 * Private to client.c, but for the reader of replies.
 *
 * Shape:   lines wait in buf. Control lines (hello, sync) wait apart and go between two lines of
 * buf, so that the lines of buf can be counted, and kept for the next connection, by themselves.
 * Threads: one at a time. Memory: client.c allocates and frees. Errors: -errno in `error`.
 */
#ifndef VE_EMIT_LINK_H
#define VE_EMIT_LINK_H

#include "emit/client.h"

#include <sys/un.h>

enum {
    LINK_REPLY_MAX = 8192,   // bytes of a reply; a longer one is skipped
    LINK_CONTROL_ROOM = 128, // bytes for a sync and a late hello
    LINK_RETRY_FIRST = 100,  // milliseconds
    LINK_RETRY_LAST = 10000, // milliseconds
    LINK_PATH_SIZE =
        sizeof(struct sockaddr_un) - sizeof(sa_family_t) // bytes of a path with its NUL
};

// Replies that are being read from a descriptor.
struct link_reader {
    char in[LINK_REPLY_MAX]; // a reply as far as it has come
    size_t len;              // bytes in it
    bool skip;               // it is too long
};

struct client {
    char path[LINK_PATH_SIZE];
    unsigned wait_ms;
    void (*on_refusal)(void *arg, const struct wire_reply *refusal);
    void *arg;
    int fd;           // -1: not connected
    int error;        // why not, -errno
    bool ready;       // lines may be written: the hello, if any, was answered
    bool torn;        // the last byte written belongs to a line whose rest is still in buf
    size_t hello_len; // of the hello without "lost" and its closing braces; 0: no hello
    char *hello;      //
    char *control; // control lines, written between two lines of buf; hello_len + LINK_CONTROL_ROOM
                   // bytes
    size_t control_at;         // written of it
    size_t control_len;        // bytes in it
    char *buf;                 // whole lines
    size_t size;               // of buf
    size_t head;               // written of it
    size_t len;                // bytes in it
    struct link_reader reader; // replies
    uint64_t retry_at;         // not to connect before
    uint64_t retry_ms;         // the next pause
    uint64_t written;          // lines fully written to this connection
    uint64_t synced;           // of those, the ones before the last sync
    uint64_t sync_id;          // last ID used, on any connection
    uint64_t sync_seen;        // last ID answered
    uint64_t lost_told;        // `lost` as this connection was told
    struct client_stats stats;
};

// CLOCK_MONOTONIC in milliseconds.
uint64_t link_now_ms(void);

// Line feeds in p[0..len).
uint64_t link_count_lines(const char *p, size_t len);

// The path that NULL stands for, or the path itself. Returns 0; -ENAMETOOLONG.
int link_path(char out[LINK_PATH_SIZE], const char *path);

// Connects now. On failure `error` says why and the next attempt is put off.
void link_connect(struct client *c);

// Reads what there is, and calls `take` for each whole reply (without LF). Returns 0 when there is no more
// for now; -ECONNRESET at the end; -errno.
int link_read(struct link_reader *r, int fd, void (*take)(void *arg, const char *line, size_t len),
              void *arg);

// Queues a sync, and a hello before it when `lost` has risen. Only while no control line waits.
void link_queue_sync(struct client *c);

// One step: connects when it is time, waits for the socket until the deadline (of link_now_ms),
// writes and reads what can be.
void link_turn(struct client *c, uint64_t deadline);

#endif
