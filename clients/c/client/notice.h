// SPDX-License-Identifier: Apache-2.0
/*
 * notice: messages about a client's connection and its calls, limited in number.
 *
 * Threads: the owner of the link. Memory: none. A message has NOTICE_MAX bytes at most, and is cut when longer.
 */
#ifndef VE_CLIENT_NOTICE_H
#define VE_CLIENT_NOTICE_H

#include "client/wire.h"

enum {
    NOTICE_MAX = 700,
    NOTICE_EACH = 2,     // messages of one reason in NOTICE_WINDOW_MS
    NOTICE_REASONS = 24, // reasons that are told apart
    NOTICE_WINDOW_MS = 10000
};

struct notice {
    void (*on_message)(void *arg, int level, const char *text); // NULL: nothing is to be done
    void *arg;
    uint64_t window;     // when it began
    uint64_t suppressed; // messages since then
    size_t n_reasons;
    struct notice_reason {
        char name[40];
        unsigned n;
    } reasons[NOTICE_REASONS];
    int trouble; // why there is no connection, -errno as it was reported; 0: none was reported
    char refusal[320]; // the hello's rejection
};

// A message of a level of syslog(3).
void notice_write(const struct notice *n, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

// A line that was rejected ("refused") or a call that was not recorded ("invalid").
void notice_line(struct notice *n, uint64_t now_ms, const char *what, const char *reason,
                 const char *detail, const char *line);

// There is no connection to the socket: reported once for each reason. -EPERM: the hello was rejected.
void notice_trouble(struct notice *n, const char *path, int error, bool was_connected);

// A client could not be started.
void notice_failed_start(const struct notice *n, const char *path, int error);

#endif
