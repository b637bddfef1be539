// SPDX-License-Identifier: Apache-2.0
/*
 * config_who: names of users and groups, as the system knows them now.
 *
 * Threads: the main thread.
 */
#ifndef VE_DAEMON_CONFIG_WHO_H
#define VE_DAEMON_CONFIG_WHO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// By name, or by a number, which need not be anybody's. Return 0, -ENOENT.
int who_user(const char *name, uid_t *ret);
int who_group(const char *name, gid_t *ret);

// The users that are listed as members of the group, ascending; NULL when there are none. Returns 0, -ENOMEM.
int who_members(gid_t group, uid_t **ret, size_t *ret_n);

#endif
