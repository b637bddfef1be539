// SPDX-License-Identifier: Apache-2.0
/*
 * config_sources: the config's `sources`, as roles that fit a catalogue.
 *
 * Threads: the main thread: names of users and groups are looked up, which may take its time.
 * Memory:  returns new roles; they borrow nothing.
 */
#ifndef VE_DAEMON_CONFIG_SOURCES_H
#define VE_DAEMON_CONFIG_SOURCES_H

#include "daemon/config.h"
#include "source/permission.h"

enum {
    CONFIG_SOURCES_MAX_EVENTS = 10000000,     // a second
    CONFIG_SOURCES_MAX_SERIES = 100000000,    //
    CONFIG_SOURCES_MAX_CONNECTIONS = 1000000, //
};

// Returns 0 and the roles, which are open when the config has no `sources`; -EINVAL when anything is wrong (all
// of it is in errs); -ENOMEM. What is likely a mistake goes to `warnings`.
int config_sources(struct permission_roles **ret, const struct config *c,
                   const struct catalog *catalog, struct errs *errs, struct errs *warnings);

#endif
