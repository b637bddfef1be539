// SPDX-License-Identifier: Apache-2.0
#include "expose/process.h"

#include "base/clock.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t n = 0;
    if (dir == NULL) {
        return 0;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        n += e->d_name[0] != '.';
    }
    closedir(dir);
    return n - 1; // the directory's own
}

static void read_memory(struct process *ret)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long size;
    unsigned long long resident;
    if (f == NULL) {
        return;
    }
    if (fscanf(f, "%llu %llu", &size, &resident) == 2) {
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        ret->virtual_bytes = size * page;
        ret->resident_bytes = resident * page;
    }
    fclose(f);
}

void process_read(struct process *ret)
{
    *ret = (struct process){0};
    struct timespec cpu;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0) {
        ret->cpu_seconds = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
    }
    struct rlimit fds;
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0) {
        ret->max_fds = fds.rlim_cur;
    }
    ret->open_fds = count_fds();
    read_memory(ret);
}

// Field 22 of /proc/self/stat: clock ticks after the boot. The name in field 2 may hold anything.
static uint64_t start_after_boot_ms(void)
{
    char line[1024];
    FILE *f = fopen("/proc/self/stat", "re");
    if (f == NULL) {
        return 0;
    }
    size_t n = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[n] = '\0';
    unsigned long long ticks = 0;
    const char *rest = strrchr(line, ')');
    if (rest == NULL ||
        sscanf(rest + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d"
               " %*d %llu",
               &ticks) != 1) {
        return 0;
    }
    return ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t process_start_ms(void)
{
    struct timespec boot;
    uint64_t started = start_after_boot_ms();
    if (started == 0 || clock_gettime(CLOCK_BOOTTIME, &boot) < 0) {
        return 0;
    }
    uint64_t now = (uint64_t)boot.tv_sec * 1000 + (uint64_t)boot.tv_nsec / 1000000;
    return clock_real_ms() - (now - started);
}
