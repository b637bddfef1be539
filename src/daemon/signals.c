// SPDX-License-Identifier: Apache-2.0
#include "daemon/signals.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signals_open(struct signals *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->passed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->over = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return s->fd < 0 || s->passed < 0 || s->over < 0 ? -errno : 0;
}

// Whether the end of this thread was asked for before the time is up.
static bool is_over(const struct signals *s, uint64_t until_ms)
{
    struct pollfd over = {.fd = s->over, .events = POLLIN};
    for (uint64_t now; over.revents == 0 && (now = clock_mono_ms()) < until_ms;) {
        poll(&over, 1, (int)(until_ms - now));
    }
    return over.revents != 0;
}

// Keeps the sender of a request for the main thread, which alone empties a place.
static void keep_request(struct signals *s, const struct signalfd_siginfo *info)
{
    if (info->ssi_code != SI_QUEUE || info->ssi_int != SIGNALS_REQUEST || info->ssi_pid == 0) {
        return;
    }
    for (unsigned i = 0; i < SIGNALS_REQUESTS; i++) {
        if (atomic_load(&s->requests[i]) == 0) {
            atomic_store(&s->requests[i], (pid_t)info->ssi_pid);
            return;
        }
    }
}

static void *take_signals(void *signals)
{
    struct signals *s = signals;
    struct pollfd fds[] = {{.fd = s->over, .events = POLLIN}, {.fd = s->fd, .events = POLLIN}};
    while (fds[0].revents == 0 && atomic_load(&s->stop) == 0) {
        struct signalfd_siginfo info;
        if (poll(fds, 2, -1) < 0 || read(s->fd, &info, sizeof info) != sizeof info) {
            continue;
        }
        if (info.ssi_signo == SIGHUP) {
            keep_request(s, &info);
            atomic_store(&s->reload, true);
        } else {
            atomic_store(&s->stop, (int)info.ssi_signo);
        }
        eventfd_write(s->passed, 1);
    }
    if (atomic_load(&s->stop) != 0 && !is_over(s, clock_mono_ms() + SIGNALS_END_MS)) {
        log_write_kind(LOG_KIND_stop_forced, LOG_LEVEL_ERROR,
                       "a thread does not stop, the process ends without it", NULL);
        _exit(1);
    }
    return NULL;
}

int signals_start(struct signals *s)
{
    int err = pthread_create(&s->thread, NULL, take_signals, s);
    s->started = err == 0;
    if (s->started) {
        pthread_setname_np(s->thread, "signals");
    }
    return -err;
}

int signals_take(struct signals *s, bool *ret_reload)
{
    eventfd_t n;
    eventfd_read(s->passed, &n);
    *ret_reload = atomic_exchange(&s->reload, false);
    for (unsigned i = 0; *ret_reload && i < SIGNALS_REQUESTS; i++) {
        s->waiting[i] = atomic_exchange(&s->requests[i], 0);
    }
    return atomic_load(&s->stop);
}

void signals_answer(struct signals *s, enum signals_outcome outcome)
{
    for (unsigned i = 0; i < SIGNALS_REQUESTS; i++) {
        if (s->waiting[i] > 0) {
            sigqueue(s->waiting[i], SIGNALS_ANSWER, (union sigval){.sival_int = outcome});
        }
        s->waiting[i] = 0;
    }
}

void signals_close(struct signals *s)
{
    if (s->started) {
        eventfd_write(s->over, 1);
        pthread_join(s->thread, NULL);
    }
    int fds[] = {s->fd, s->passed, s->over};
    for (unsigned i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    *s = SIGNALS_NONE;
}
