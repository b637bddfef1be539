// SPDX-License-Identifier: Apache-2.0
#include "daemon/service.h"

#if VE_HAVE_SYSTEMD

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

// What may be handed over, and what it has to be.
static const struct place {
    const char *name;
    int family; // AF_UNSPEC: any
    int type;
    int listening; // as sd_is_socket has it: -1: no matter
    const char *wanted;
} places[] = {
    {"events", AF_UNIX, SOCK_STREAM, 1, "a listening Unix stream socket"},
    {"events-datagram", AF_UNIX, SOCK_DGRAM, -1, "a Unix datagram socket"},
    {"web", AF_UNSPEC, SOCK_STREAM, 1, "a listening stream socket"},
};

static const struct place *place_of(const char *name)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (strcmp(places[i].name, name) == 0) {
            return &places[i];
        }
    }
    return NULL;
}

static const char *what_it_is(int fd)
{
    if (sd_is_socket(fd, AF_UNSPEC, 0, -1) <= 0) {
        return "no socket";
    }
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 0) > 0) {
        return "a stream socket that does not listen";
    }
    bool local = sd_is_socket(fd, AF_UNIX, 0, -1) > 0;
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0) {
        return local ? "a listening Unix stream socket" : "a listening network socket";
    }
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_DGRAM, -1) > 0) {
        return local ? "a Unix datagram socket" : "a network datagram socket";
    }
    return "another kind of socket";
}

static int take_one(struct service_fds *fds, int fd, const char *name, struct buf *problem)
{
    const struct place *place = place_of(name);
    buf_addf(problem, "passed socket \"%s\" (descriptor %d) ", name, fd);
    if (place == NULL) {
        buf_str(problem,
                "has an unknown name; the known names are events, events-datagram and web");
        return -EINVAL;
    }
    if (sd_is_socket(fd, place->family, place->type, place->listening) <= 0) {
        buf_addf(problem, "is %s, not %s", what_it_is(fd), place->wanted);
        return -EINVAL;
    }
    if (place == &places[2]) {
        if (fds->n_web == SERVICE_MAX_WEB) {
            buf_addf(problem, "exceeds the limit of %d", SERVICE_MAX_WEB);
            return -E2BIG;
        }
        fds->web[fds->n_web++] = fd;
    } else {
        int *where = place == &places[0] ? &fds->stream : &fds->datagram;
        if (*where >= 0) {
            buf_str(problem, "is passed twice");
            return -EEXIST;
        }
        *where = fd;
    }
    buf_clear(problem);
    return 0;
}

int service_take(struct service_fds *ret, struct buf *problem)
{
    struct service_fds fds = {.stream = -1, .datagram = -1};
    char **names = NULL;
    int n = sd_listen_fds_with_names(1, &names);
    int rc = n < 0 ? n : 0;
    if (n < 0) {
        buf_addf(problem, "the environment does not say which sockets were passed: %s",
                 strerror(-n));
    }
    for (int i = 0; i < n && rc == 0; i++) {
        rc = take_one(&fds, SD_LISTEN_FDS_START + i, names[i], problem);
    }
    for (int i = 0; i < n; i++) {
        free(names[i]);
    }
    free(names);
    if (rc == 0) {
        *ret = fds;
    }
    return rc;
}

void service_ready(const char *status)
{
    sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

// Both in one message: systemd 253 takes the time as proof that this answers its own signal.
void service_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_mono_ns() / 1000);
}

void service_stopping(void)
{
    sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
}

void service_status(const char *status)
{
    sd_notifyf(0, "STATUS=%s", status);
}

// Within how many microseconds the watchdog wants to be fed each time; 0: there is none.
static uint64_t watchdog_us(void)
{
    uint64_t us = 0;
    return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}

static void feed_watchdog(void)
{
    sd_notify(0, "WATCHDOG=1");
}

#else

int service_take(struct service_fds *ret, struct buf *problem)
{
    (void)problem;
    *ret = (struct service_fds){.stream = -1, .datagram = -1};
    return 0;
}

void service_ready(const char *status)
{
    (void)status;
}

void service_reloading(void)
{
}

void service_stopping(void)
{
}

void service_status(const char *status)
{
    (void)status;
}

static uint64_t watchdog_us(void)
{
    return 0;
}

static void feed_watchdog(void)
{
}

#endif

enum { TICK_MS = 1000, LEAST_MS = 10 };

void service_watchdog_open(struct service_watchdog *w)
{
    uint64_t every_ms = watchdog_us() / 4000;
    bool none = watchdog_us() == 0;
    *w = (struct service_watchdog){.every_ms = none                  ? 0
                                               : every_ms < LEAST_MS ? LEAST_MS
                                                                     : every_ms};
}

uint64_t service_watchdog_tick_ms(const struct service_watchdog *w)
{
    return w->every_ms != 0 && w->every_ms < TICK_MS ? w->every_ms : TICK_MS;
}

void service_watchdog_tick(struct service_watchdog *w, struct ingest *ingest, struct web *web,
                           uint64_t now_ms)
{
    if (w->every_ms == 0) {
        return;
    }
    if (w->asked && ingest_has_answered(ingest) && web_beats(web) != w->web) {
        feed_watchdog();
        w->asked = false;
    }
    if (!w->asked && now_ms >= w->next_ms) {
        w->web = web_beats(web);
        ingest_poke(ingest);
        web_poke(web);
        w->asked = true;
        w->next_ms = now_ms + w->every_ms;
    }
}
