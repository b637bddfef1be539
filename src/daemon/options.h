// SPDX-License-Identifier: Apache-2.0
/*
 * options: the command line.
 *
 * Shape:   --flag=VALUE or --flag VALUE; a value that begins with -- needs the first form. A switch is --flag,
 *          --flag=true, --flag=false or --no-flag. A list's flag may come several times, others once. Nothing but flags
 *          is accepted.
 * Threads: a config has one owner while it is written.
 * Memory:  argv is read only.
 */
#ifndef VE_DAEMON_OPTIONS_H
#define VE_DAEMON_OPTIONS_H

#include "base/err.h"
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
int options_read(struct config *c, int argc, char *const *argv, struct errs *errs);

// Append what --help and --version print.
void options_help(struct buf *out);
void options_version(struct buf *out);

#endif
