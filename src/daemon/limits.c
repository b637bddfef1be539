// SPDX-License-Identifier: Apache-2.0
#include "daemon/limits.h"

#include "base/num.h"

#include <errno.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// The path behind "0::" in a list of groups, without its newline. Returns whether there is one.
static bool read_group(const char *list, char path[static PATH_MAX])
{
    FILE *f = fopen(list, "re");
    bool found = false;
    while (f != NULL && !found && fgets(path, PATH_MAX, f) != NULL) {
        found = strncmp(path, "0::/", 4) == 0;
    }
    if (f != NULL) {
        fclose(f);
    }
    if (found) {
        memmove(path, path + 3, strlen(path + 3) + 1);
        path[strcspn(path, "\n")] = '\0';
    }
    return found;
}

// UINT64_MAX where there is no file, or it says "max".
static uint64_t read_max(const char *root, const char *group)
{
    char path[2 * PATH_MAX];
    char text[32] = "";
    uint64_t max;
    snprintf(path, sizeof path, "%s%s/memory.max", root, group);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return UINT64_MAX;
    }
    bool read = fgets(text, sizeof text, f) != NULL;
    fclose(f);
    text[strcspn(text, "\n")] = '\0';
    return read && num_parse_u64(text, &max) == 0 ? max : UINT64_MAX;
}

uint64_t limits_memory_of_group(const char *list, const char *root)
{
    char group[PATH_MAX];
    uint64_t most = UINT64_MAX;
    if (read_group(list, group)) {
        for (char *slash = group; slash != NULL;) {
            most = least(most, read_max(root, group));
            slash = strrchr(group, '/');
            if (slash != NULL) {
                *slash = '\0';
            }
        }
    }
    return most;
}

uint64_t limits_memory(void)
{
    uint64_t most = UINT64_MAX;
    struct rlimit addresses;
    long pages = sysconf(_SC_PHYS_PAGES);
    long size = sysconf(_SC_PAGESIZE);
    if (pages > 0 && size > 0) {
        most = (uint64_t)pages * (uint64_t)size;
    }
    if (getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY) {
        most = least(most, addresses.rlim_cur);
    }
    return least(most, limits_memory_of_group("/proc/self/cgroup", "/sys/fs/cgroup"));
}

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define OUR_ARCH AUDIT_ARCH_RISCV64
#endif

#ifdef OUR_ARCH

enum { X32 = 0x40000000 }; // the bit in the numbers of x86-64's other interface

#define LOAD(member)                                                                               \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, member))
// Goes on, or leaps over as many instructions.
#define IF(comparison, value, over) BPF_JUMP(BPF_JMP | (comparison) | BPF_K, (value), 0, (over))
#define UNLESS(comparison, value, over) BPF_JUMP(BPF_JMP | (comparison) | BPF_K, (value), (over), 0)
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))

int limits_confine(void)
{
    // The low half of the first argument, a protocol family, comes first on all of these processors.
    struct sock_filter program[] = {
        LOAD(arch),
        IF(BPF_JEQ, OUR_ARCH, 9),
        LOAD(nr),
        UNLESS(BPF_JGE, X32, 7),
        UNLESS(BPF_JEQ, __NR_execve, 6),
        UNLESS(BPF_JEQ, __NR_execveat, 5),
        UNLESS(BPF_JEQ, __NR_io_uring_setup, 4), // a ring makes sockets without a system call
        IF(BPF_JEQ, __NR_socket, 2),
        LOAD(args[0]),
        IF(BPF_JEQ, AF_UNIX, 1),
        ANSWER(SECCOMP_RET_ALLOW),
        ANSWER(SECCOMP_RET_ERRNO | EPERM),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return -errno;
    }
    long rc = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
    return rc == 0 ? 0 : rc < 0 ? -errno : -ESRCH; // above 0: a thread that could not be confined
}

#else

int limits_confine(void)
{
    return -ENOSYS;
}

#endif
