// SPDX-License-Identifier: Apache-2.0
/*
 * web_client: a server with a made-up backend, and clients that are nothing but sockets.
 */
#ifndef VE_TESTS_WEB_CLIENT_H
#define VE_TESTS_WEB_CLIENT_H

#include "base/clock.h"
#include "unit.h"
#include "web/web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// What the backend does and what it saw.
struct fake {
    struct self self; // the renderer's only argument that is the fake's
    struct web *web;
    _Atomic unsigned renderings; // begun
    _Atomic unsigned ended;      // and ended
    _Atomic unsigned reloads;
    _Atomic bool is_ready;
    _Atomic int render_result;
    _Atomic unsigned render_ms; // how long a rendering takes
    _Atomic bool held;          // no rendering ends while it is
    size_t body;                // bytes of padding after its text
    bool reload_at_once;
};

static inline int fake_render(struct format_sink *sink, struct series_store *store,
                              const struct self *self, const struct expose_filter *filter,
                              const struct format *format)
{
    struct fake *f = (struct fake *)(void *)(uintptr_t)self; // its first member
    const struct request_filter *names = filter != NULL ? filter->ctx : NULL;
    struct buf *out = sink->text;
    unsigned number = ++f->renderings;
    (void)store;
    for (size_t i = 0; names != NULL && i < names->n; i++) {
        buf_addf(out, "%s\n", names->name[i]);
    }
    buf_addf(out, "%srendering %u\n",
             format->kind == FORMAT_OPENMETRICS ? "open "
             : format->kind == FORMAT_PROTOBUF  ? "protobuf "
                                                : "",
             number);
    for (size_t i = 0; i < f->body / 16; i++) {
        buf_add(out, "padding padding\n", 16);
        format_sink_flush_full(sink);
    }
    if (f->render_ms > 0) {
        usleep(f->render_ms * 1000);
    }
    while (f->held) {
        usleep(1000);
    }
    f->ended++;
    return f->render_result;
}

static inline int fake_view(void *ctx, const struct status_view_request *request, struct buf *out)
{
    (void)ctx;
    if (request->metric != NULL) {
        buf_addf(out, "%s %u", request->metric, request->refresh_s);
        return strcmp(request->metric, "no") == 0 ? -ENOENT : 0;
    }
    static struct status_view v; // of one thread
    v.summary = (struct status_view_summary){.version = "1.2.3",
                                             .revision = "r",
                                             .telemetry_path = request->telemetry_path,
                                             .refresh_s = request->refresh_s};
    v.metrics[0] =
        (struct status_view_metric){.name = "a_total", .type = "counter", .help = "help <x>"};
    v.n_metrics.n = 1;
    v.history.n = 1;
    request->form->write(out, &v);
    return out->failed ? -ENOMEM : 0;
}

static inline bool fake_ready(void *ctx)
{
    return ((struct fake *)ctx)->is_ready;
}

static inline void fake_reload(void *ctx)
{
    struct fake *f = ctx;
    f->reloads++;
    if (f->reload_at_once) {
        web_reload_done(f->web, true, "reloaded\n");
    }
}

static inline struct web_backend fake_backend(struct fake *f)
{
    return (struct web_backend){.self = &f->self,
                                .render = fake_render,
                                .ctx = f,
                                .view = fake_view,
                                .ready = fake_ready,
                                .reload = fake_reload};
}

// A server on any free port of the loopback address, started.
static inline void fake_start(struct fake *f, unsigned max_requests)
{
    static const char *const addresses[] = {"127.0.0.1:0"};
    struct web_settings settings = {.addresses = addresses,
                                    .n_addresses = 1,
                                    .telemetry_path = "/metrics",
                                    .lifecycle = true,
                                    .max_requests = max_requests};
    struct web_backend backend = fake_backend(f);
    struct buf why = BUF_INIT;
    ck_assert_int_eq(web_open(&f->web, &settings, &backend, &why), 0);
    ck_assert_int_eq(web_start(f->web), 0);
    buf_free(&why);
}

static inline int client_connect(const struct fake *f, int receive_buffer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    if (receive_buffer > 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)web_port(f->web, 0)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

static inline void client_send_bytes(int fd, const char *bytes, size_t len)
{
    ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static inline void client_send(int fd, const char *text)
{
    client_send_bytes(fd, text, strlen(text));
}

// Reads what comes, until end of file, or `want` (NULL: none) stands in it, or the time is over. Returns the
// length, negative when the time was over.
static inline long client_read(int fd, char *out, size_t size, const char *want, int ms)
{
    size_t n = 0;
    uint64_t end = clock_mono_ms() + (uint64_t)ms;
    out[0] = '\0';
    while (want == NULL || strstr(out, want) == NULL) {
        uint64_t now = clock_mono_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now >= end || poll(&p, 1, (int)(end - now)) == 0) {
            return -(long)n - 1;
        }
        ck_assert_uint_lt(n, size - 1);
        ssize_t r = recv(fd, out + n, size - 1 - n, 0);
        if (r <= 0) {
            return (long)n;
        }
        n += (size_t)r;
        out[n] = '\0';
    }
    return (long)n;
}

// Takes the Date out, the one header that changes.
static inline void client_drop_date(char *text)
{
    for (char *date = strstr(text, "Date: "); date != NULL; date = strstr(date, "Date: ")) {
        char *end = strstr(date, "\r\n");
        ck_assert_ptr_nonnull(end);
        memmove(date, end + 2, strlen(end + 2) + 1);
    }
}

// Sends a request on a connection of its own and returns all that comes until the server closes it, or for
// `ms`. The request should ask for "Connection: close".
static inline char *client_ask(const struct fake *f, const char *request, char *out, size_t size)
{
    int fd = client_connect(f, 0);
    client_send(fd, request);
    long n = client_read(fd, out, size, NULL, 5000);
    ck_assert_msg(n >= 0, "no end of the answer to: %s", request);
    close(fd);
    client_drop_date(out);
    return out;
}

#endif
