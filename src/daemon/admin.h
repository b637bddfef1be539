// SPDX-License-Identifier: Apache-2.0
/*
 * admin: the admin socket, over which virtrigaud-ctl reads what the daemon knows, and asks it to forget, delete and reload.
 *
 * Shape:   lines of JSON in both directions. Each request (daemon/admin_request) is answered in turn (daemon/admin_job).
 * Access:  root and the user of this process, as the kernel reports who connected; the file has mode 0600. Another one gets
 *          an error and is closed, which is logged, at most once in ADMIN_LOG_MS.
 * Bounds:  ADMIN_CLIENTS connections; further ones get an error. A request has ADMIN_REQUEST_MAX bytes at most. When
 *          ADMIN_JOB_ANSWER bytes of an answer wait, its command waits too. Other work of the main thread comes between two
 *          steps. Who takes nothing of an answer for ADMIN_SILENT_MS is closed. A command ends with its connection; what it
 *          did until then is done, and logged.
 * Threads: the main thread. Whatever is shown is read without a lock of the way of a line or of a scrape.
 * Memory:  admin_close gives all back. Borrows the backend.
 */
#ifndef VE_DAEMON_ADMIN_H
#define VE_DAEMON_ADMIN_H

#include "base/unix_socket.h"
#include "daemon/admin_request.h"
#include "daemon/backend.h"

enum {
    ADMIN_CLIENTS = 16,
    ADMIN_SILENT_MS = 60 * 1000,
    ADMIN_LOG_MS = 10 * 1000,
};

struct admin_client;

struct admin {
    int epoll; // readable when there is something to do; -1: there is no socket
    struct unix_socket socket;
    struct backend *backend;
    struct parser parser;
    const char *telemetry_path; // for the status
    struct admin_client *clients[ADMIN_CLIENTS];
    uint64_t refused;         // connections, since the last line of the log about them
    uint64_t refused_next_ms; // CLOCK_MONOTONIC: no such line before that
};

#define ADMIN_NONE ((struct admin){.epoll = -1, .socket = {.fd = -1}})

// Listens at the path. Returns 0; or -errno with a sentence in `problem`, which may be there with 0, too.
int admin_open(struct admin *a, const char *path, struct backend *backend, struct buf *problem);
void admin_close(struct admin *a);

// After `epoll` became readable: does a step of whatever there is to do.
void admin_serve(struct admin *a, const char *telemetry_path);
// Once a second: rejected lines for those who follow them, and silent clients.
void admin_tick(struct admin *a, uint64_t now_ms);

// Whether a client waits for a reload, which admin_reloaded answers: the outcome, and what happened, line by line.
bool admin_wants_reload(const struct admin *a);
void admin_reloaded(struct admin *a, bool ok, const char *report);

#endif
