// SPDX-License-Identifier: Apache-2.0
/*
 * daemon: the running process: its parts, made, ended and reloaded in order.
 *
 * Threads: the main thread, once.
 */
#ifndef VE_DAEMON_DAEMON_H
#define VE_DAEMON_DAEMON_H

#include "catalog/catalog.h"
#include "daemon/settings.h"
#include "source/permission.h"

// Makes all parts, starts them and runs until SIGTERM or SIGINT; takes what it is given. In the end the workers first
// apply what was sent before (ingest_stop), the last rejected lines are logged, the web thread lets answers be sent for
// a second more, and the state file is completed. Returns 0, or -errno after it said why it cannot run.
int daemon_run(struct config *config, struct catalog *catalog, struct permission_roles *roles);

#endif
