// SPDX-License-Identifier: Apache-2.0
/*
 * reload: loads config, catalogue, sources and web configuration again, all or nothing.
 *
 * Threads: the main thread.
 * Memory:  reload_load returns a new bundle; whoever puts a part in force takes it.
 */
#ifndef VE_DAEMON_RELOAD_H
#define VE_DAEMON_RELOAD_H

#include "base/log.h"
#include "catalog/catalog.h"
#include "daemon/settings.h"
#include "source/permission.h"
#include "web/web.h"

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

#endif
