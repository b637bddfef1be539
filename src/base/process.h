// SPDX-License-Identifier: Apache-2.0
/*
 * process: what the kernel says of this process, and of others.
 *
 * Threads: any. Source: proc(5), getrlimit(2).
 */
#ifndef VE_BASE_PROCESS_H
#define VE_BASE_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

struct process {
    double cpu_seconds;
    double open_fds;
    double max_fds; // infinite: there is no limit
    double virtual_bytes;
    double resident_bytes;
};

// What cannot be read is NAN.
void process_read(struct process *ret);

// Another process. A number is used again when its process has ended, so the start tells whether it is still the same.
struct process_other {
    uint64_t start_ticks; // clock ticks from the boot to its start
    double cpu_seconds;
    double resident_bytes;
    double threads;
};

// Returns 0; -ESRCH when there is no such process, or the kernel shows nothing of it.
int process_read_other(pid_t pid, struct process_other *ret);

// CLOCK_REALTIME of a start, in milliseconds: the same for whoever asks, until the clock is set. The boot is known to the
// second only, so it may be up to one second early.
uint64_t process_start_real_ms(uint64_t start_ticks);

// CLOCK_REALTIME of this process' start, in milliseconds; 0 when it cannot be read.
uint64_t process_start_ms(void);

#endif
