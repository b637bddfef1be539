// SPDX-License-Identifier: Apache-2.0
#include "daemon/reload_request.h"

#include "base/clock.h"
#include "daemon/signals.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TRIES = 12 }; // within the wait: the kernel keeps one of several SIGHUPs that wait

struct request {
    pid_t pid;
    int process; // pidfd: readable when the process has ended
    int answers; // signalfd
};

static int fail(struct buf *problem, const struct request *r, int rc, const char *what)
{
    buf_addf(problem, "process %d %s", (int)r->pid, what);
    return rc;
}

static int fail_errno(struct buf *problem, const struct request *r)
{
    int err = errno;
    if (err == ESRCH) {
        return fail(problem, r, -err, "does not exist");
    }
    buf_addf(problem, "cannot send a signal to process %d: %s", (int)r->pid, strerror(err));
    return -err;
}

// A process may signal one whose real user ID is its own.
static int become_reachable(pid_t pid)
{
    char path[32];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return geteuid() == 0 && stat(path, &st) == 0 ? setreuid(st.st_uid, (uid_t)-1) : 0;
}

static int open_request(struct request *r)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGNALS_ANSWER);
    sigprocmask(SIG_SETMASK, &set, NULL);
    r->process = (int)syscall(SYS_pidfd_open, r->pid, 0);
    if (r->process < 0) {
        return -1;
    }
    r->answers = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return r->answers < 0 ? -1 : become_reachable(r->pid);
}

static void close_request(const struct request *r)
{
    if (r->process >= 0) {
        close(r->process);
    }
    if (r->answers >= 0) {
        close(r->answers);
    }
}

// The outcome that the process has queued, or 0.
static int read_answer(const struct request *r)
{
    struct signalfd_siginfo info;
    while (read(r->answers, &info, sizeof info) == sizeof info) {
        if (info.ssi_code == SI_QUEUE && info.ssi_pid == (uint32_t)r->pid) {
            return info.ssi_int;
        }
    }
    return 0;
}

// Sends the request, and waits for at most so long. Returns the outcome, 0 when there is none yet, or -errno.
static int send_request(const struct request *r, uint64_t until_ms, struct buf *problem)
{
    struct pollfd fds[] = {{.fd = r->answers, .events = POLLIN},
                           {.fd = r->process, .events = POLLIN}};
    if (sigqueue(r->pid, SIGHUP, (union sigval){.sival_int = SIGNALS_REQUEST}) < 0) {
        return fail_errno(problem, r);
    }
    for (uint64_t now; (now = clock_mono_ms()) < until_ms;) {
        poll(fds, 2, (int)(until_ms - now));
        int outcome = read_answer(r);
        if (outcome != 0) {
            return outcome;
        }
        if (fds[1].revents != 0) {
            return fail(problem, r, -ESRCH, "ended before it answered");
        }
    }
    return 0;
}

int reload_request(pid_t pid, unsigned wait_ms, struct buf *problem)
{
    struct request r = {.pid = pid, .process = -1, .answers = -1};
    uint64_t end_ms = clock_mono_ms() + wait_ms;
    int rc = open_request(&r) < 0 ? fail_errno(problem, &r) : 0;
    for (unsigned left = TRIES; rc == 0 && left > 0; left--) {
        rc = send_request(&r, end_ms - (uint64_t)(left - 1) * wait_ms / TRIES, problem);
    }
    close_request(&r);
    if (rc == SIGNALS_RELOADED) {
        return 0;
    }
    if (rc == 0) {
        buf_addf(problem,
                 "process %d did not answer within %u s; its log says whether it has reloaded",
                 (int)pid, wait_ms / 1000);
        return -ETIMEDOUT;
    }
    if (rc > 0) {
        buf_addf(problem,
                 "process %d refused the reload and keeps the old configuration; its log says why: "
                 "journalctl -p err _PID=%d",
                 (int)pid, (int)pid);
        return -EINVAL;
    }
    return rc;
}
