// SPDX-License-Identifier: Apache-2.0
/*
 * config: the configuration: flags, the config file and defaults, in that order of precedence.
 *
 * Shape:   the struct of daemon/settings. The config file
 *          has YAML mappings nested as the dots of the settings' keys say; a section may be empty.
 * Flags:   --flag=VALUE or --flag VALUE; a value that begins with -- needs the first form. A switch is --flag,
 *          --flag=true, --flag=false or --no-flag. A list's flag may come several times, others once. Nothing but flags
 *          is accepted.
 * Bounds:  settings as daemon/settings.h; a file as catalog/yaml.h.
 * Threads: one owner while it is written; read-only once loaded; any number of readers.
 * Memory:  config_load returns a new config, config_free gives all of it back. It borrows argv, read only,
 *          which must live as long as the config and those reloaded from it (main's own does).
 */
#ifndef VE_DAEMON_CONFIG_H
#define VE_DAEMON_CONFIG_H

#include "base/err.h"
#include "catalog/load.h"
#include "daemon/settings.h"

// Set by the build.
#ifndef VE_VERSION
#define VE_VERSION "unknown"
#endif
#ifndef VE_REVISION
#define VE_REVISION "unknown"
#endif

// Reads the flags into a config that holds the defaults; stops after --help and --version. What is
// wrong is added to errs and leaves the setting without a value. Returns 0 or -ENOMEM.
int config_read_options(struct config *c, int argc, char *const *argv, struct errs *errs);

// Append what --help and --version print.
void config_help(struct buf *out);
void config_version(struct buf *out);

// Reads the flags and then the config file; a default file that is missing counts as an empty one.
// --help and --version end the reading of flags; with them and --reload the file is left alone. Returns 0 and the
// config; -EINVAL when anything is wrong (all of it is in errs); -ENOMEM.
int config_load(struct config **ret, int argc, char **argv, struct errs *errs);

// Reads the file again under the same flags. As config_load; a changed setting that needs a restart
// is a problem too, looked for when all else is right. `old` is not touched. What may change live
// is for the caller to apply.
int config_reload(struct config **ret, const struct config *old, struct errs *errs);

// Reads c->config_file into a config that holds defaults and flags; a flag's value stays, but what
// the file says is checked all the same. The default file may be missing. What is wrong is added to
// errs. Returns 0 or -ENOMEM. Of the file its tree is kept if it has `sources`.
int config_read(struct config *c, struct errs *errs);

// The same from a tree, which must live for as long as c->sources is read.
int config_read_tree(struct config *c, const struct yaml *y, struct errs *errs);

// Where the catalogue of this config comes from. Borrows from the config.
struct catalog_input config_catalog_input(const struct config *c, struct errs *warnings);

void config_free(struct config *c);

#endif
