// SPDX-License-Identifier: Apache-2.0
/*
 * reload: loads config, catalogue, sources and web configuration again, all or nothing.
 *
 * Threads: the main thread.
 * Memory:  reload_load returns a new bundle; whoever puts a part in force takes it.
 */
#ifndef VE_DAEMON_RELOAD_H
#define VE_DAEMON_RELOAD_H

#include "base/buf.h"
#include "base/log.h"
#include "catalog/catalog.h"
#include "daemon/settings.h"
#include "expose/expose.h"
#include "source/permission.h"
#include "web/web.h"

#include <sys/types.h>

// What a reload puts in the place of what was before.
struct reload_bundle {
    struct config *config;
    struct catalog *catalog;
    struct permission_roles *roles;
    struct web_config *web_config;
    struct webconf_files seen; // the files of `web_config`
};

// Loads what the flags of `old` and its files say now, to take the place of `old` and of the catalogue that is in
// force. Returns 0; or -errno with what is wrong in `report`. What is likely a mistake is added to it in either case.
int reload_load(struct reload_bundle *ret, const struct config *old, const struct catalog *in_force,
                struct buf *report);
void reload_bundle_free(struct reload_bundle *bundle);

// Logs each line of a report, with the message.
void reload_log(struct buf *report, enum log_kind kind, enum log_level level, const char *message);

/*
 * reload_web: the web configuration (web.config_file), read again when it or a file that it names changes.
 *
 * Shape:   the tick looks at the files; one that is wrong is rejected with its reasons in the log, and the one
 *          before stays in force.
 * Threads: the main thread.
 * Memory:  reload_web_close gives back what it remembers of the files.
 */

struct reload_web {
    struct webconf_files seen; // the files as they were read last
    bool rejected; // their last reading, and that alone, made the last reload read as failed
};

// Puts the file (NULL: none) in force. Returns 0; or -errno with the reasons in `problem`.
int reload_web_open(struct reload_web *f, struct web *web, const char *path, struct buf *problem);

// Takes over what a reload has read, and puts it in force.
void reload_web_replace(struct reload_web *f, struct web *web, struct web_config *web_config,
                        struct webconf_files *seen);

void reload_web_tick(struct reload_web *f, struct web *web, struct self *self, const char *path);

void reload_web_close(struct reload_web *f);

/*
 * reload_request: makes a running daemon reload, and waits for the outcome.
 *
 * Shape:   SIGHUP with the value SIGNALS_REQUEST, sent again each twelfth of the wait until there is an answer
 *          (daemon/signals), the process has ended, or the time is up. Works without a socket, so whatever the daemon
 *          listens on. When root asks a process of another user, that user becomes its real user ID, without which the
 *          answer would not be permitted.
 * Threads: one, of a process that does nothing else: it sets the mask of signals so that all but the answer have their
 *          effect.
 * Source:  sigqueue(3), kill(2), pidfd_open(2).
 */

enum { RELOAD_REQUEST_WAIT_MS = 60000 };

// Returns 0 when the process has reloaded; or -errno and a sentence in `problem`: -EINVAL when it has refused,
// -ESRCH when there is no such process, or no longer, -ETIMEDOUT when there is no answer within wait_ms, or another.
int reload_request(pid_t pid, unsigned wait_ms, struct buf *problem);

#endif
