// SPDX-License-Identifier: Apache-2.0
#include "web/healthcheck.h"

#include "base/clock.h"
#include "web/listen.h"
#include "web/tls.h"
#include "web/webconf.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

// Of any Host: the daemon asks only that there is one.
static const char request[] = "GET /readyz HTTP/1.1\r\n"
                              "Host: localhost\r\n"
                              "Connection: close\r\n"
                              "\r\n";

struct asking {
    const char *address;
    int fd;
    struct tls_session *session; // NULL: without TLS
    bool certificate_required;   // of a client
    uint64_t until_ms;
    struct buf *said;
};

static int say(const struct asking *a, int rc, const char *what)
{
    buf_addf(a->said, "%s %s", a->address, what);
    return rc;
}

static int wait_for(const struct asking *a, short events)
{
    struct pollfd p = {.fd = a->fd, .events = events};
    uint64_t now = clock_mono_ms();
    int n = now < a->until_ms ? poll(&p, 1, (int)(a->until_ms - now)) : 0;
    return n < 0 && errno != EINTR ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

static int shake_hands(const struct asking *a)
{
    enum tls_fault fault;
    const char *detail;
    int rc;
    while ((rc = tls_handshake(a->session, &fault, &detail)) == -EAGAIN) {
        rc = wait_for(a, tls_is_blocked_on_write(a->session) ? POLLOUT : POLLIN);
        if (rc < 0) {
            return rc;
        }
    }
    return rc;
}

static ssize_t move_some(const struct asking *a, bool out, char *bytes, size_t n)
{
    ssize_t done;
    if (a->session != NULL) {
        return out ? tls_send(a->session, bytes, n) : tls_recv(a->session, bytes, n);
    }
    done = out ? send(a->fd, bytes, n, MSG_NOSIGNAL) : recv(a->fd, bytes, n, 0);
    return done < 0 ? -errno : done;
}

// Sends or receives n bytes, or what there is before the end. Returns how many, or -errno.
static ssize_t move_all(const struct asking *a, bool out, char *bytes, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t more = move_some(a, out, bytes + done, n - done);
        if (more == 0) {
            break;
        }
        if (more == -EAGAIN || more == -EINTR) {
            more = wait_for(a, out ? POLLOUT : POLLIN);
        }
        if (more < 0) {
            return more;
        }
        done += (size_t)more;
    }
    return (ssize_t)done;
}

static int report_status(const struct asking *a, const char *head)
{
    char *end;
    long status = 0;
    if (strncmp(head, "HTTP/1.1 ", 9) == 0) {
        status = strtol(head + 9, &end, 10);
    }
    switch (status) {
    case 200:
        return say(a, 0, "answers: ready");
    case 401:
        return say(a, 0, "answers and requires a password; whether it is ready is not known");
    case 429:
        return say(a, 0,
                   "answers that its rate limit is reached; whether it is ready is not known");
    case 503:
        return say(a, -EAGAIN,
                   "answers: not ready; it is starting or stopping, or a thread that reads events "
                   "makes no progress");
    case 0:
        return say(a, -EPROTO,
                   "does not answer in HTTP; is it virtrigaud-exporter that listens there?");
    default:
        buf_addf(
            a->said,
            "%s answers /readyz with status %ld; is it virtrigaud-exporter that listens there?",
            a->address, status);
        return -EPROTO;
    }
}

static int converse(const struct asking *a)
{
    char head[HEALTHCHECK_HEAD + 1];
    ssize_t n = a->session != NULL ? shake_hands(a) : 0;
    if (n == 0) {
        n = move_all(a, true, (char *)(uintptr_t)request, sizeof request - 1);
    }
    if (n > 0) {
        n = move_all(a, false, head, HEALTHCHECK_HEAD);
    }
    if (n > 0) {
        head[n] = '\0';
        return report_status(a, head);
    }
    if (n == -ETIMEDOUT) {
        return say(a, -ETIMEDOUT, "accepts a connection but does not answer");
    }
    if (a->certificate_required) {
        return say(a, 0, "requires a client certificate; whether it is ready is not known");
    }
    return a->session != NULL
               ? say(a, -EPROTO, "ends the connection without an answer; does it listen with TLS?")
               : say(a, -EPROTO,
                     "ends the connection without an answer; does it listen without TLS?");
}

static int ask(struct asking *a, struct tls *tls)
{
    a->fd = listen_connect(a->address, a->until_ms, a->said);
    if (a->fd < 0) {
        return a->fd;
    }
    a->session = tls != NULL ? tls_open(tls, a->fd) : NULL;
    int rc = tls != NULL && a->session == NULL ? say(a, -ENOMEM, "cannot be asked: no memory")
                                               : converse(a);
    tls_close(a->session);
    close(a->fd);
    return rc;
}

int healthcheck_ask(const char *const *addresses, size_t n, const struct webconf *conf,
                    unsigned wait_ms, struct buf *said)
{
    struct tls *tls = NULL;
    if (conf != NULL && conf->tls.on) {
        struct errs errs = ERRS_INIT;
        int rc = tls_new_client(&tls, conf, &errs);
        errs_write(&errs, said);
        errs_free(&errs);
        if (rc < 0) {
            return rc;
        }
    }
    uint64_t end_ms = clock_mono_ms() + wait_ms;
    struct asking a = {.certificate_required =
                           tls != NULL && (conf->tls.client_auth == WEBCONF_CLIENT_REQUIRE ||
                                           conf->tls.client_auth == WEBCONF_CLIENT_VERIFY),
                       .said = said};
    int rc = -EDESTADDRREQ;
    for (size_t i = 0; i < n && rc != 0 && rc != -EAGAIN; i++) {
        buf_str(said, i > 0 ? "; " : "");
        a.address = addresses[i];
        // One that does not answer leaves its share of the time to the others.
        uint64_t now_ms = clock_mono_ms();
        a.until_ms = now_ms < end_ms ? now_ms + (end_ms - now_ms) / (n - i) : end_ms;
        rc = ask(&a, tls);
    }
    tls_unref(tls);
    return rc;
}
