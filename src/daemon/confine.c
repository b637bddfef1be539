// SPDX-License-Identifier: Apache-2.0
#include "daemon/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

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

int confine(void)
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

int confine(void)
{
    return -ENOSYS;
}

#endif
