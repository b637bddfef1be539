// SPDX-License-Identifier: Apache-2.0
#include "base/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t n = 0;
    if (dir == NULL) {
        return NAN;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        n += e->d_name[0] != '.';
    }
    closedir(dir);
    return (double)(n - 1); // the directory's own
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
        ret->virtual_bytes = (double)(size * page);
        ret->resident_bytes = (double)(resident * page);
    }
    fclose(f);
}

void process_read(struct process *ret)
{
    *ret = (struct process){NAN, NAN, NAN, NAN, NAN};
    struct timespec cpu;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0) {
        ret->cpu_seconds = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
    }
    struct rlimit fds;
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0) {
        ret->max_fds = fds.rlim_cur == RLIM_INFINITY ? INFINITY : (double)fds.rlim_cur;
    }
    ret->open_fds = count_fds();
    read_memory(ret);
}

// Field 22 of /proc/PID/stat is the start, 14 and 15 are the CPU time in ticks, 20 the threads, 24 the resident pages. The
// name in field 2 may hold anything.
static bool parse_stat(const char *line, struct process_other *ret)
{
    unsigned long long user;
    unsigned long long system;
    unsigned long long threads;
    unsigned long long start;
    unsigned long long resident;
    const char *rest = strrchr(line, ')');
    if (rest == NULL ||
        sscanf(rest + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %llu"
               " %*d %llu %*u %llu",
               &user, &system, &threads, &start, &resident) != 5) {
        return false;
    }
    *ret = (struct process_other){
        .start_ticks = start,
        .cpu_seconds = (double)(user + system) / (double)sysconf(_SC_CLK_TCK),
        .resident_bytes = (double)(resident * (uint64_t)sysconf(_SC_PAGESIZE)),
        .threads = (double)threads,
    };
    return true;
}

static int read_stat(const char *path, struct process_other *ret)
{
    char line[1024];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    line[n > 0 ? n : 0] = '\0';
    return parse_stat(line, ret) ? 0 : -ESRCH;
}

int process_read_other(pid_t pid, struct process_other *ret)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    return pid > 0 ? read_stat(path, ret) : -ESRCH;
}

static int64_t read_ns(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// CLOCK_REALTIME of the boot in seconds, as btime in /proc/stat, which containers replace. The difference of the clocks is
// the same in each process until one is set, and the time between two readings only adds to it: so the least is right, and
// what remains of that time is hardly ever seen in whole seconds.
static uint64_t read_boot_seconds(void)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < 16; i++) {
        int64_t boot = read_ns(CLOCK_BOOTTIME);
        int64_t real = read_ns(CLOCK_REALTIME);
        least = real - boot < least ? real - boot : least;
    }
    return least > 0 ? (uint64_t)least / 1000000000 : 0;
}

uint64_t process_start_real_ms(uint64_t start_ticks)
{
    return read_boot_seconds() * 1000 + start_ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t process_start_ms(void)
{
    struct process_other self;
    return read_stat("/proc/self/stat", &self) == 0 ? process_start_real_ms(self.start_ticks) : 0;
}
