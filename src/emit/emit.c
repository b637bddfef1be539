// SPDX-License-Identifier: Apache-2.0
#include "emit/emit.h"

#include "base/clock.h"
#include "client/link.h"
#include "emit/relay.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * ---- Standard input without a session
 *
 * Lines are copied byte for byte, and replies back. Reading and writing happen at the same time, so that neither side waits
 * for the other's full buffer. A sync of our own follows every SYNC_EVERY lines and the last one, and is the sign of life that the
 * hello promises: so what was acknowledged is known even when the daemon goes away. Replies come in the order of lines, so
 * a rejection's line has those of our control lines before it that were answered before. Memory: INPUT_MAX
 * bytes of input and WIRE_REPLY_MAX of a reply, whatever the length of lines.
 */

enum { SYNC_EVERY = 4096, INPUT_MAX = 65536 };

struct copy {
    const struct args *args;
    int fd;              // the connection
    int in;              // input; -1 after its end
    FILE *out;           // replies to the input's own control lines
    FILE *err;           //
    int input_error;     // why the input ended early, -errno
    bool hello;          // the connection's first line is a hello of ours
    bool hello_answered; // lines may be written: it was answered, or there is none
    bool partial;        // the last byte written is inside a line
    bool any;            // the input has a byte
    bool last;           // the last sync is under way
    uint64_t progress;   // when the connection last moved, or was first needed
    uint64_t written;    // when something was last written to it
    uint64_t lines;      // lines of the input written
    uint64_t since;      // of those, after the last sync
    uint64_t syncs;      // sent
    uint64_t answered;   // of those
    uint64_t reported;   // rejections printed
    uint64_t applied;    // acknowledged
    uint64_t rejected;   // acknowledged
    size_t head;         // written of buf
    size_t len;          // bytes in buf
    size_t control_at;   // written of control
    size_t control_len;  // bytes in control
    char mark[40];       // start of our sync IDs, which the input's will hardly have
    struct wire_reader reader;
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

static void copy_take_rejection(struct copy *p, const struct wire_reply *r)
{
    char where[40] = "hello";
    if (!p->hello || r->line > 1) {
        uint64_t line = r->line - p->hello - p->answered;
        snprintf(where, sizeof where, "line %llu", (unsigned long long)line);
    }
    p->reported++;
    args_report_rejection(p->err, where, r);
}

static void copy_take_reply(void *arg, const char *line, size_t len)
{
    struct copy *p = arg;
    struct wire_reply r;
    if (wire_reply_parse(&r, line, len) < 0) {
        return;
    }
    if (r.kind == WIRE_REPLY_ERROR) {
        copy_take_rejection(p, &r);
    } else if (r.kind == WIRE_REPLY_HELLO && !p->hello_answered) {
        p->hello_answered = true;
    } else if (r.kind == WIRE_REPLY_SYNC && strncmp(r.id, p->mark, strlen(p->mark)) == 0) {
        p->answered++;
        p->applied = r.applied;
        p->rejected = r.rejected;
    } else {
        fprintf(p->out, "%.*s\n", (int)len, line);
        fflush(p->out);
    }
}

// In how many milliseconds a sign of life is due; -1: none is, since the daemon owes an answer or a line is incomplete.
static int copy_life_due(const struct copy *p)
{
    uint64_t interval_ms = wire_life_ms(&p->args->hello);
    if (interval_ms == 0 || !p->hello_answered || p->partial || p->head < p->len ||
        p->answered < p->syncs) {
        return -1;
    }
    uint64_t passed = clock_mono_ms() - p->written;
    return passed >= interval_ms ? 0 : (int)(interval_ms - passed);
}

// Queues what is due: a sync of ours, or the LF that the last line lacks.
static void copy_queue(struct copy *p)
{
    bool ended = p->in < 0 && p->head == p->len;
    if (p->control_len > 0 || !p->hello_answered || p->last) {
        return;
    }
    if (ended && p->partial) {
        p->buf[0] = '\n';
        p->head = 0;
        p->len = 1;
    } else if (ended || p->since == SYNC_EVERY || copy_life_due(p) == 0) {
        p->control_len = (size_t)snprintf(p->control, sizeof p->control, "{\"sync\":%s%llu\"}\n",
                                          p->mark, (unsigned long long)++p->syncs);
        p->since = 0;
        p->last = ended;
    }
}

// The next bytes to write: a control line, or input up to where a sync is due.
static size_t copy_next_bytes(const struct copy *p, const char **ret)
{
    if (p->control_len > 0) {
        *ret = p->control + p->control_at;
        return p->control_len - p->control_at;
    }
    *ret = p->buf + p->head;
    if (!p->hello_answered) {
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

static int copy_write_some(struct copy *p)
{
    const char *bytes;
    size_t n = copy_next_bytes(p, &bytes);
    ssize_t sent = send(p->fd, bytes, n, MSG_NOSIGNAL);
    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    p->progress = p->written = clock_mono_ms();
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
    p->partial = bytes[sent - 1] != '\n';
    p->head += (size_t)sent;
    return 0;
}

static void copy_read_input(struct copy *p)
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
    p->any = p->any || n > 0;
    p->progress = clock_mono_ms();
}

// Whether the daemon is to do something now; else it is the input's turn, for which there is no limit.
static bool is_waiting_for_daemon(const struct copy *p, size_t pending)
{
    return pending > 0 || !p->hello_answered || p->last;
}

// One step. Returns 0; -errno when the connection is over.
static int copy_step(struct copy *p)
{
    const char *bytes;
    copy_queue(p);
    size_t pending = copy_next_bytes(p, &bytes);
    struct pollfd fds[] = {
        {.fd = p->fd, .events = pending > 0 ? POLLIN | POLLOUT : POLLIN},
        {.fd = p->hello_answered && p->head == p->len ? p->in : -1, .events = POLLIN},
    };
    int wait = copy_life_due(p);
    if (is_waiting_for_daemon(p, pending)) {
        uint64_t passed = clock_mono_ms() - p->progress;
        if (passed >= p->args->timeout_ms) {
            return -ETIMEDOUT;
        }
        wait = (int)(p->args->timeout_ms - passed);
    }
    if (poll(fds, 2, wait) <= 0) {
        return 0;
    }
    int error = fds[0].revents & POLLOUT ? copy_write_some(p) : 0;
    if (fds[0].revents & ~POLLOUT || error < 0) {
        p->progress = clock_mono_ms();
        int last_words = wire_read(&p->reader, p->fd, copy_take_reply, p);
        error = error < 0 ? error : last_words;
    }
    if (fds[1].revents != 0) {
        copy_read_input(p);
    }
    return error;
}

static int copy_unreached(const struct copy *p, int error)
{
    if (!p->hello_answered && p->reported > 0) {
        return EMIT_REJECTED;
    }
    fprintf(
        p->err,
        "virtrigaud-emit: %s: %llu lines sent, %llu acknowledged as applied, %llu as rejected\n",
        error == -ETIMEDOUT ? "the daemon does not answer" : "the daemon closed the connection",
        (unsigned long long)p->lines, (unsigned long long)p->applied,
        (unsigned long long)p->rejected);
    return EMIT_UNREACHED;
}

static int copy_finish(const struct copy *p)
{
    if (p->rejected > p->reported) {
        fprintf(p->err, "virtrigaud-emit: %llu more lines rejected; their reasons were lost\n",
                (unsigned long long)(p->rejected - p->reported));
    }
    if (p->input_error < 0) {
        fprintf(p->err, "virtrigaud-emit: cannot read standard input: %s\n",
                strerror(-p->input_error));
        return EMIT_USAGE;
    }
    if (!p->any) {
        fprintf(p->err, "virtrigaud-emit: standard input is empty; name a metric or an event, or "
                        "write JSON lines to it\n");
        return EMIT_USAGE;
    }
    return p->rejected > 0 ? EMIT_REJECTED : EMIT_APPLIED;
}

// Returns the exit status.
static int copy_run(const struct args *a, int in, FILE *out, FILE *err)
{
    struct copy p = {
        .args = a, .in = in, .out = out, .err = err, .hello = a->hello.component != NULL};
    snprintf(p.mark, sizeof p.mark, "\"virtrigaud-emit-%ld-", (long)getpid());
    p.hello_answered = !p.hello;
    if (p.hello) {
        int len = wire_hello_line(p.control, WIRE_LINE_MAX, &a->hello, 0);
        if (len < 0) {
            return args_report_unopened(err, a, len);
        }
        p.control[len] = '\n';
        p.control_len = (size_t)len + 1;
    }
    p.fd = wire_connect(a->socket);
    if (p.fd < 0) {
        args_report_unreached(err, a, p.fd);
        return EMIT_UNREACHED;
    }
    p.progress = p.written = clock_mono_ms();
    int error = 0;
    while (error == 0 && (!p.last || p.answered < p.syncs)) {
        error = copy_step(&p);
    }
    close(p.fd);
    return p.last && p.answered == p.syncs ? copy_finish(&p) : copy_unreached(&p, error);
}

// ---- The program

// The last rejection, kept until it is known whether to print it.
struct outcome {
    unsigned n;
    struct wire_reply rejection;
};

static void keep_rejection(void *arg, const struct wire_reply *rejection)
{
    struct outcome *v = arg;
    v->n++;
    v->rejection = *rejection;
}

static int unreached(const struct args *a, FILE *err, int error)
{
    if (error == -EMSGSIZE) {
        fprintf(err, "virtrigaud-emit: the line is longer than %d bytes\n", WIRE_LINE_MAX);
        return EMIT_USAGE;
    }
    if (error == -ETIMEDOUT) {
        fprintf(err, "virtrigaud-emit: the daemon does not answer\n");
    } else {
        args_report_unreached(err, a, error);
    }
    return EMIT_UNREACHED;
}

static int send_sample(struct link *c, const struct args *a, struct outcome *v, FILE *err)
{
    int error = link_apply(c, &a->sample, a->timeout_ms);
    struct outcome first = *v;
    bool either = a->kind == ARGS_EITHER && a->sample.op == NULL;
    if (error == 0 && either && v->n == 1 && strcmp(v->rejection.reason, "unknown_metric") == 0) {
        struct wire_sample event = a->sample;
        event.event = true;
        *v = (struct outcome){0};
        error = link_apply(c, &event, a->timeout_ms);
        if (error == 0 && v->n > 0 && strcmp(v->rejection.reason, "unknown_event") == 0) {
            args_report_rejection(err, "rejected", &first.rejection);
        }
    }
    if (v->n > 0) {
        args_report_rejection(err, "rejected", &v->rejection);
    }
    return error < 0 ? unreached(a, err, error) : v->n > 0 ? EMIT_REJECTED : EMIT_APPLIED;
}

static int run_sample(const struct args *a, FILE *err)
{
    struct outcome v = {0};
    struct link *c;
    struct link_config config = {.path = a->socket,
                                 .hello = a->hello.component != NULL ? &a->hello : NULL,
                                 .on_rejection = keep_rejection,
                                 .arg = &v};
    int error = link_open(&c, &config);
    if (error < 0) {
        return args_report_unopened(err, a, error);
    }
    int status;
    error = link_connect(c, a->timeout_ms);
    if (error == -EPERM) {
        args_report_rejection(err, "hello", &v.rejection);
        status = EMIT_REJECTED;
    } else {
        status = error < 0 ? unreached(a, err, error) : send_sample(c, a, &v, err);
    }
    link_close(c, 0, NULL);
    return status;
}

static int print_sample(const struct args *a, FILE *out, FILE *err)
{
    char line[WIRE_LINE_MAX];
    int len = wire_line(line, sizeof line, &a->sample);
    if (len < 0) {
        return unreached(a, err, len);
    }
    fprintf(out, "%.*s\n", len, line);
    return EMIT_APPLIED;
}

static int print_input(int in, FILE *out, FILE *err)
{
    char bytes[65536];
    ssize_t n = 0;
    // Whoever reads the output may have enough of an input without an end.
    while (!ferror(out) && ((n = read(in, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR))) {
        fwrite(bytes, 1, n > 0 ? (size_t)n : 0, out);
    }
    if (n < 0) {
        fprintf(err, "virtrigaud-emit: cannot read standard input: %s\n", strerror(errno));
    }
    return n < 0 ? EMIT_USAGE : EMIT_APPLIED;
}

static int run(const struct args *a, int in, FILE *out, FILE *err)
{
    if (a->action == ARGS_HELP) {
        fputs(args_help, out);
        return EMIT_APPLIED;
    }
    if (a->action == ARGS_VERSION) {
        fputs("virtrigaud-emit " VE_VERSION " (revision " VE_REVISION ")\n", out);
        return EMIT_APPLIED;
    }
    if (a->sample.name == NULL && in < 0) {
        fprintf(err, "virtrigaud-emit: standard input is closed\n");
        return EMIT_USAGE;
    }
    if (a->sample.name == NULL) {
        return a->dry_run   ? print_input(in, out, err)
               : a->session ? relay_run(a, in, err)
                            : copy_run(a, in, out, err);
    }
    return a->dry_run ? print_sample(a, out, err) : run_sample(a, err);
}

int emit_run(int argc, char **argv, int in, FILE *out, FILE *err)
{
    struct args a;
    if (args_parse(&a, argc, argv, err) < 0) {
        return EMIT_USAGE;
    }
    int status = run(&a, in, out, err);
    args_free(&a);
    if (fflush(out) != 0 || ferror(out)) {
        fprintf(err, "virtrigaud-emit: cannot write standard output\n");
        return EMIT_UNREACHED;
    }
    return status;
}
