// SPDX-License-Identifier: Apache-2.0
/*
 * config_read: the config file.
 *
 * Shape:   YAML mappings nested as the dots of daemon/settings.def's keys say. A section may be
 * empty. Bounds:  those of catalog/yaml.h. Threads: one owner of the config. Memory: of the
 * file its tree is kept if it has `sources`.
 */
#ifndef VE_DAEMON_CONFIG_READ_H
#define VE_DAEMON_CONFIG_READ_H

#include "catalog/yaml.h"
#include "daemon/config.h"

#define CONFIG_SOURCES "sources" // the one key that is no setting

// Reads c->config_file into a config that holds defaults and flags; a flag's value stays, but what
// the file says is checked all the same. The default file may be missing. What is wrong is added to
// errs. Returns 0 or -ENOMEM.
int config_read(struct config *c, struct errs *errs);

// The same from a tree, which must live for as long as c->sources is read.
int config_read_tree(struct config *c, const struct yaml *y, struct errs *errs);

#endif
