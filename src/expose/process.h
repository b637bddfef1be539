// SPDX-License-Identifier: Apache-2.0
/*
 * process: what the kernel tells of this process.
 *
 * Threads: any. Source: proc(5), getrlimit(2).
 */
#ifndef VE_EXPOSE_PROCESS_H
#define VE_EXPOSE_PROCESS_H

#include <stdint.h>

struct process {
    double cpu_seconds;
    uint64_t open_fds;
    uint64_t max_fds;
    uint64_t virtual_bytes;
    uint64_t resident_bytes;
};

// What cannot be read stays 0.
void process_read(struct process *ret);

// CLOCK_REALTIME of the process' start, in milliseconds; 0 when it cannot be read.
uint64_t process_start_ms(void);

#endif
