// SPDX-License-Identifier: Apache-2.0
/*
 * memory_limit: how much memory this process may use.
 *
 * Shape:   the least of what the machine has, RLIMIT_AS, and memory.max of the process' control group and of those above it
 *          (version 2). What cannot be read sets no limit.
 * Threads: any.
 * Source:  cgroups(7), Documentation/admin-guide/cgroup-v2.rst of Linux.
 */
#ifndef VE_DAEMON_MEMORY_LIMIT_H
#define VE_DAEMON_MEMORY_LIMIT_H

#include <stdint.h>

// In bytes.
uint64_t memory_limit(void);
// The least memory.max of the group that `list` (as /proc/self/cgroup) names, below `root`; UINT64_MAX: none.
uint64_t memory_limit_of_group(const char *list, const char *root);

#endif
