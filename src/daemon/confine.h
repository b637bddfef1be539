// SPDX-License-Identifier: Apache-2.0
/*
 * confine: gives up what the daemon never does once it runs: to execute a program, and to make a network socket.
 *
 * Shape:   a filter of system calls (seccomp) for all threads; the calls fail with EPERM, and so does
 *          io_uring_setup(2), since a ring makes sockets without them. Unix sockets can be made, as name services and
 *          systemd want them. Sockets that are open stay as they are. One that was accepted could be disconnected and
 *          connected elsewhere, which a filter cannot tell from connecting a Unix socket: see
 *          conf/systemd/scrapers.conf for that.
 * Threads: any, once; all threads of the process are confined.
 */
#ifndef VE_DAEMON_CONFINE_H
#define VE_DAEMON_CONFINE_H

// 0, or -errno where the kernel has no such filters, or -ENOSYS on a processor whose calls are not known here; then
// nothing has changed.
int confine(void);

#endif
