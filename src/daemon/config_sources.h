// SPDX-License-Identifier: Apache-2.0
/*
 * config_sources: the config's `sources`, as rights that fit a catalogue.
 *
 * Threads: the main thread: names of users and groups are looked up, which may take its time.
 * Memory:  returns new rights; they borrow nothing.
 */
#ifndef VE_DAEMON_CONFIG_SOURCES_H
#define VE_DAEMON_CONFIG_SOURCES_H

#include "daemon/config.h"
#include "ingest/rights.h"

enum {
    SOURCES_MAX_EVENTS = 10000000,     // a second
    SOURCES_MAX_SERIES = 100000000,    //
    SOURCES_MAX_CONNECTIONS = 1000000, //
};

// Returns 0 and the rights, which are open when the config has no `sources`; -EINVAL when anything is wrong (all
// of it is in errs); -ENOMEM. What is likely not meant goes to `warnings`.
int config_sources(struct rights **ret, const struct config *c, const struct catalog *catalog,
                   struct errs *errs, struct errs *warnings);

#endif
