// SPDX-License-Identifier: Apache-2.0
/*
 * limits: how much memory this process may use, and what it gives up once it runs: to execute a program, and to make a
 * network socket.
 *
 * Shape:   the memory is the least of what the machine has, RLIMIT_AS, and memory.max of the process' control group and of
 *          those above it (version 2). What cannot be read sets no limit.
 * Calls:   a filter of system calls (seccomp) for all threads; the calls fail with EPERM, and so does
 *          io_uring_setup(2), since a ring makes sockets without them. Unix sockets can be made, as name services and
 *          systemd want them. Sockets that are open stay as they are. One that was accepted could be disconnected and
 *          connected elsewhere, which a filter cannot tell from connecting a Unix socket: see
 *          conf/systemd/scrapers.conf for that.
 * Threads: any; limits_confine once, and all threads of the process are confined.
 * Source:  cgroups(7), Documentation/admin-guide/cgroup-v2.rst of Linux; seccomp(2).
 */
#ifndef VE_DAEMON_LIMITS_H
#define VE_DAEMON_LIMITS_H

#include <stdint.h>

// In bytes.
uint64_t limits_memory(void);
// The least memory.max of the group that `list` (as /proc/self/cgroup) names, below `root`; UINT64_MAX: none.
uint64_t limits_memory_of_group(const char *list, const char *root);

// Returns 0, or -errno where the kernel has no such filters, or -ENOSYS on a processor whose calls are not known here; then
// nothing has changed.
int limits_confine(void);

#endif
