// SPDX-License-Identifier: Apache-2.0
#include "emit/pump.h"

#include "emit/link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SYNC_EVERY = 4096, INPUT_MAX = 65536 };

struct pump {
    const struct args *args;
    int fd;             // the connection
    int in;             // input; -1 after its end
    FILE *out;          // replies to the input's own control lines
    FILE *err;          //
    int input_error;    // why the input ended early, -errno
    bool hello;         // the connection's first line is a hello of ours
    bool greeted;       // lines may be written: it was answered, or there is none
    bool torn;          // the last byte written is inside a line
    bool last;          // the last sync is under way
    uint64_t progress;  // when the connection last moved, or was first needed
    uint64_t lines;     // lines of the input written
    uint64_t since;     // of those, after the last sync
    uint64_t syncs;     // sent
    uint64_t answered;  // of those
    uint64_t reported;  // refusals printed
    uint64_t applied;   // acknowledged
    uint64_t rejected;  // acknowledged
    size_t head;        // written of buf
    size_t len;         // bytes in buf
    size_t control_at;  // written of control
    size_t control_len; // bytes in control
    char mark[40];      // start of our sync IDs, which the input's will hardly have
    struct stream_reader reader;
    char buf[INPUT_MAX];             // input
    char control[WIRE_LINE_MAX + 1]; // our hello or sync
};

static uint64_t count_lines(const char *p, size_t len)
{
    uint64_t n = 0;
    for (const char *end = p + len; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) {
        n++;
    }
    return n;
}

void pump_report(FILE *err, const char *where, const struct wire_reply *refusal)
{
    fprintf(err, "virtrigaud-emit: %s: %s%s%s", where, refusal->reason,
            refusal->detail[0] != '\0' ? ": " : "", refusal->detail);
    if (refusal->in_batch) {
        fprintf(err, " (index %llu)", (unsigned long long)refusal->index);
    }
    fputc('\n', err);
}

static void take_refusal(struct pump *p, const struct wire_reply *r)
{
    char where[40] = "hello";
    if (!p->hello || r->line > 1) {
        uint64_t line = r->line - p->hello;
        line -= line > 0 ? (line - 1) / (SYNC_EVERY + 1) : 0; // our syncs before it
        snprintf(where, sizeof where, "line %llu", (unsigned long long)line);
    }
    p->reported++;
    pump_report(p->err, where, r);
}

static void take_reply(void *arg, const char *line, size_t len)
{
    struct pump *p = arg;
    struct wire_reply r;
    if (wire_reply_parse(&r, line, len) < 0) {
        return;
    }
    if (r.kind == WIRE_REPLY_ERROR) {
        take_refusal(p, &r);
    } else if (r.kind == WIRE_REPLY_HELLO && !p->greeted) {
        p->greeted = true;
    } else if (r.kind == WIRE_REPLY_SYNC && strncmp(r.id, p->mark, strlen(p->mark)) == 0) {
        p->answered++;
        p->applied = r.applied;
        p->rejected = r.rejected;
    } else {
        fprintf(p->out, "%.*s\n", (int)len, line);
        fflush(p->out);
    }
}

// Queues what is due: a sync of ours, or the LF that the last line lacks.
static void queue(struct pump *p)
{
    bool ended = p->in < 0 && p->head == p->len;
    if (p->control_len > 0 || !p->greeted || p->last) {
        return;
    }
    if (ended && p->torn) {
        p->buf[0] = '\n';
        p->head = 0;
        p->len = 1;
    } else if (ended || p->since == SYNC_EVERY) {
        p->control_len = (size_t)snprintf(p->control, sizeof p->control, "{\"sync\":%s%llu\"}\n",
                                          p->mark, (unsigned long long)++p->syncs);
        p->since = 0;
        p->last = ended;
    }
}

// The next bytes to write: a control line, or input up to where a sync is due.
static size_t next_bytes(const struct pump *p, const char **ret)
{
    if (p->control_len > 0) {
        *ret = p->control + p->control_at;
        return p->control_len - p->control_at;
    }
    *ret = p->buf + p->head;
    if (!p->greeted) {
        return 0;
    }
    const char *at = *ret;
    const char *end = p->buf + p->len;
    for (uint64_t n = p->since; n < SYNC_EVERY && at < end; n++) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        at = lf != NULL ? lf + 1 : end;
    }
    return (size_t)(at - *ret);
}

static int write_some(struct pump *p)
{
    const char *bytes;
    size_t n = next_bytes(p, &bytes);
    ssize_t sent = send(p->fd, bytes, n, MSG_NOSIGNAL);
    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    p->progress = link_now_ms();
    if (p->control_len > 0) {
        p->control_at += (size_t)sent;
        if (p->control_at == p->control_len) {
            p->control_at = p->control_len = 0;
        }
        return 0;
    }
    uint64_t lines = count_lines(bytes, (size_t)sent);
    p->lines += lines;
    p->since += lines;
    p->torn = bytes[sent - 1] != '\n';
    p->head += (size_t)sent;
    return 0;
}

static void read_input(struct pump *p)
{
    ssize_t n = read(p->in, p->buf, sizeof p->buf);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (n <= 0) {
        p->input_error = n < 0 ? -errno : 0;
        p->in = -1;
    }
    p->head = 0;
    p->len = n > 0 ? (size_t)n : 0;
    p->progress = link_now_ms();
}

// Whether the daemon is to do something now; else it is the input's turn, for which there is no limit.
static bool waits_for_daemon(const struct pump *p, size_t pending)
{
    return pending > 0 || !p->greeted || p->last;
}

// One step. Returns 0; -errno when the connection is over.
static int turn(struct pump *p)
{
    const char *bytes;
    queue(p);
    size_t pending = next_bytes(p, &bytes);
    struct pollfd fds[] = {
        {.fd = p->fd, .events = pending > 0 ? POLLIN | POLLOUT : POLLIN},
        {.fd = p->greeted && p->head == p->len ? p->in : -1, .events = POLLIN},
    };
    int wait = -1;
    if (waits_for_daemon(p, pending)) {
        uint64_t passed = link_now_ms() - p->progress;
        if (passed >= p->args->timeout_ms) {
            return -ETIMEDOUT;
        }
        wait = (int)(p->args->timeout_ms - passed);
    }
    if (poll(fds, 2, wait) <= 0) {
        return 0;
    }
    int error = fds[0].revents & POLLOUT ? write_some(p) : 0;
    if (fds[0].revents & ~POLLOUT || error < 0) {
        p->progress = link_now_ms();
        int last_words = stream_read(&p->reader, p->fd, take_reply, p);
        error = error < 0 ? error : last_words;
    }
    if (fds[1].revents != 0) {
        read_input(p);
    }
    return error;
}

static int unreached(const struct pump *p, int error)
{
    if (!p->greeted && p->reported > 0) {
        return EMIT_REFUSED;
    }
    fprintf(p->err,
            "virtrigaud-emit: %s: %llu lines sent, %llu acknowledged as applied, %llu as refused\n",
            error == -ETIMEDOUT ? "the daemon does not answer" : "the daemon has gone",
            (unsigned long long)p->lines, (unsigned long long)p->applied,
            (unsigned long long)p->rejected);
    return EMIT_UNREACHED;
}

static int finish(const struct pump *p)
{
    if (p->rejected > p->reported) {
        fprintf(p->err, "virtrigaud-emit: %llu more refused, for reasons that got lost\n",
                (unsigned long long)(p->rejected - p->reported));
    }
    if (p->input_error < 0) {
        fprintf(p->err, "virtrigaud-emit: cannot read standard input: %s\n",
                strerror(-p->input_error));
        return EMIT_USAGE;
    }
    return p->rejected > 0 ? EMIT_REFUSED : EMIT_APPLIED;
}

void pump_report_unreached(FILE *err, const struct args *a, int error)
{
    char path[STREAM_PATH_SIZE] = "a path that is too long";
    stream_path(path, a->socket);
    fprintf(err, "virtrigaud-emit: cannot reach the daemon at %s: %s\n", path, strerror(-error));
}

int pump_run(const struct args *a, int in, FILE *out, FILE *err)
{
    struct pump p = {
        .args = a, .in = in, .out = out, .err = err, .hello = a->hello.component != NULL};
    snprintf(p.mark, sizeof p.mark, "\"virtrigaud-emit-%ld-", (long)getpid());
    p.greeted = !p.hello;
    if (p.hello) {
        int len = wire_hello_line(p.control, WIRE_LINE_MAX, &a->hello, 0);
        if (len < 0) {
            fprintf(err, "virtrigaud-emit: the hello is too long\n");
            return EMIT_USAGE;
        }
        p.control[len] = '\n';
        p.control_len = (size_t)len + 1;
    }
    p.fd = stream_dial(a->socket);
    if (p.fd < 0) {
        pump_report_unreached(err, a, p.fd);
        return EMIT_UNREACHED;
    }
    p.progress = link_now_ms();
    int error = 0;
    while (error == 0 && (!p.last || p.answered < p.syncs)) {
        error = turn(&p);
    }
    close(p.fd);
    return p.last && p.answered == p.syncs ? finish(&p) : unreached(&p, error);
}
