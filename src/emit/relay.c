// SPDX-License-Identifier: Apache-2.0
#include "emit/relay.h"

#include "emit/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { GAPS = 256 };

// Lines of the input that were not sent.
struct gap {
    uint64_t after;  // so many that were sent stand before them
    uint64_t passed; // all that were not sent up to here
};

struct relay {
    const struct args *args;
    struct client *client;
    FILE *err;
    int in;
    int input_error;       // why the input ended early, -errno
    bool ended;            // the input
    bool greeted;          // a hello was answered
    bool turned_away;      // a hello was refused
    bool skip;             // inside of a line that is too long
    uint64_t sent;         // lines
    uint64_t passed;       // lines that were not sent
    uint64_t refused;      // reported
    uint64_t last_refusal; // the line of the last one, as sent
    size_t n_gaps;
    struct gap gaps[GAPS];
    size_t len;                        // bytes in buf
    char buf[2 * (WIRE_LINE_MAX + 1)]; // input
};

static uint64_t input_line(const struct relay *r, uint64_t sent)
{
    for (size_t i = r->n_gaps; i > 0; i--) {
        if (r->gaps[i - 1].after < sent) {
            return sent + r->gaps[i - 1].passed;
        }
    }
    return sent;
}

static void report(struct relay *r, uint64_t line, const struct wire_reply *refusal)
{
    char where[40] = "hello";
    if (line > 0) {
        snprintf(where, sizeof where, "line %llu", (unsigned long long)line);
    }
    r->refused++;
    pump_report(r->err, where, refusal);
}

static void take_refusal(void *arg, const struct wire_reply *refusal)
{
    struct relay *r = arg;
    // One that is dealt with again after a break is told once.
    if (refusal->line == 0 || refusal->line > r->last_refusal) {
        r->turned_away |= refusal->line == 0;
        r->last_refusal = refusal->line > 0 ? refusal->line : r->last_refusal;
        report(r, refusal->line > 0 ? input_line(r, refusal->line) : 0, refusal);
    }
}

// Whether the daemon has acknowledged everything; waits as long as it goes on.
static bool settle(struct relay *r)
{
    uint64_t before;
    int error;
    do {
        before = client_stats(r->client).waiting;
        error = client_sync(r->client, r->args->timeout_ms);
    } while (error == -ECONNRESET ||
             (error == -ETIMEDOUT && client_stats(r->client).waiting < before));
    return error == 0;
}

// Notes a line that is not sent. Returns 0; -ETIMEDOUT.
static int pass_over(struct relay *r)
{
    r->passed++;
    if (r->n_gaps == GAPS) {
        // No refusal of what stands before is still to come.
        if (!settle(r)) {
            return -ETIMEDOUT;
        }
        r->n_gaps = 0;
    }
    if (r->n_gaps == 0 || r->gaps[r->n_gaps - 1].after != r->sent) {
        r->gaps[r->n_gaps++].after = r->sent;
    }
    r->gaps[r->n_gaps - 1].passed = r->passed;
    return 0;
}

static int refuse(struct relay *r, const char *reason, const char *detail)
{
    struct wire_reply refusal = {.kind = WIRE_REPLY_ERROR};
    strcpy(refusal.reason, reason);
    strcpy(refusal.detail, detail);
    report(r, r->sent + r->passed + 1, &refusal);
    return pass_over(r);
}

static int take_line(struct relay *r, const char *line, size_t len)
{
    if (wire_is_blank(line, len)) {
        return pass_over(r);
    }
    if (len > WIRE_LINE_MAX) {
        return refuse(r, "too_long", "a line has at most 65536 bytes");
    }
    if (wire_is_control(line, len)) {
        return refuse(r, "bad_control", "no control lines with --session");
    }
    int error = client_send_line(r->client, line, len);
    r->sent += error == 0;
    return error;
}

static int take_lines(struct relay *r)
{
    const char *at = r->buf;
    const char *end = r->buf + r->len;
    int error = 0;
    for (const char *lf; error == 0 && (lf = memchr(at, '\n', (size_t)(end - at))) != NULL;
         at = lf + 1) {
        error = r->skip ? refuse(r, "too_long", "a line has at most 65536 bytes")
                        : take_line(r, at, (size_t)(lf - at));
        r->skip = false;
    }
    r->len = (size_t)(end - at);
    memmove(r->buf, at, r->len);
    if (r->len > WIRE_LINE_MAX) {
        r->skip = true;
        r->len = 0;
    }
    return error;
}

static int read_input(struct relay *r)
{
    ssize_t n = read(r->in, r->buf + r->len, sizeof r->buf - r->len);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return 0;
    }
    if (n > 0) {
        r->len += (size_t)n;
        return take_lines(r);
    }
    r->input_error = n < 0 ? -errno : 0;
    r->ended = true;
    if (r->skip || r->len > 0) {
        r->buf[r->len++] = '\n';
        return take_lines(r);
    }
    return 0;
}

// One step: input, and what the client has to do.
static int turn(struct relay *r)
{
    struct pollfd fds[2] = {{.fd = r->in, .events = POLLIN}};
    int wait = client_wait(r->client, &fds[1]);
    int n = poll(fds, 2, wait);
    if (n == 0 || (n > 0 && fds[1].revents != 0)) {
        client_work(r->client, 0);
        r->greeted |= client_stats(r->client).connected;
    }
    return n > 0 && fds[0].revents != 0 ? read_input(r) : 0;
}

static int finish(const struct relay *r, bool settled, const struct client_stats *s)
{
    if (s->unknown > 0 && settled) {
        fprintf(r->err,
                "virtrigaud-emit: of %llu lines, dealt with once, the daemon's word got lost\n",
                (unsigned long long)s->unknown);
    }
    if (s->lost > 0) {
        fprintf(r->err, "virtrigaud-emit: lost: %llu lines\n", (unsigned long long)s->lost);
    }
    if (!settled) {
        fprintf(r->err,
                "virtrigaud-emit: the daemon does not answer: %llu lines taken, %llu acknowledged "
                "as applied, %llu as refused\n",
                (unsigned long long)s->sent, (unsigned long long)s->applied,
                (unsigned long long)s->rejected);
    }
    if (!settled || s->lost > 0) {
        return EMIT_UNREACHED;
    }
    if (r->input_error < 0) {
        fprintf(r->err, "virtrigaud-emit: cannot read standard input: %s\n",
                strerror(-r->input_error));
        return EMIT_USAGE;
    }
    return r->refused > 0 || s->rejected > 0 ? EMIT_REFUSED : EMIT_APPLIED;
}

int relay_run(const struct args *a, int in, FILE *err)
{
    struct relay r = {.args = a, .in = in, .err = err};
    struct client_config config = {.path = a->socket,
                                   .hello = &a->hello,
                                   .session = true,
                                   .buffer = RELAY_BUFFER,
                                   .wait_ms = a->timeout_ms,
                                   .on_refusal = take_refusal,
                                   .arg = &r};
    int error = client_open(&r.client, &config);
    if (error < 0) {
        pump_report_unreached(err, a, error);
        return EMIT_UNREACHED;
    }
    while (error == 0 && !r.ended && (r.greeted || !r.turned_away)) {
        error = turn(&r);
    }
    bool settled = error == 0 && settle(&r);
    r.greeted |= client_stats(r.client).connected;
    struct client_stats s;
    client_close(r.client, 0, &s);
    return r.turned_away && !r.greeted ? EMIT_REFUSED : finish(&r, settled, &s);
}
