// SPDX-License-Identifier: Apache-2.0
#include "emit/relay.h"

#include "base/clock.h"
#include "client/link.h"
#include "client/notice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

/*
 * ---- Standard input in a session
 *
 * The client does the work; here is what it leaves to its caller: lines cut from the input, lines that no session takes, and
 * the conversion from the client's numbers of lines to the input's. When RELAY_BUFFER is full of lines that are not
 * acknowledged, the input waits.
 */

enum {
    RELAY_GAPS = 256,
    RETRY_MS = 1000, // at most between two attempts to connect
    RELAY_BUFFER = 1048576,
    RELAY_GAUGES = 1024,        // that are kept
    RELAY_GAUGES_BYTES = 262144 // of their lines
};

// Lines of the input that were not sent.
struct gap {
    uint64_t after;  // number of lines sent before them
    uint64_t passed; // all that were not sent up to here, less those that were sent again
};

// What a gauge was last set to: its line, up to `key_len` the same for each value.
struct kept {
    char *line; // NULL: none
    size_t len;
    size_t key_len;
    uint64_t number; // of the input
    uint64_t sent;   // its number as it was sent last
};

struct relay {
    const struct args *args;
    struct link *link;
    FILE *err;
    int in;
    int process;             // pidfd of --pid; -1: none
    int input_error;         // why the input ended early, -errno
    bool ended;              // the input
    bool hello_answered;     // a hello was answered
    bool hello_rejected;     // a hello was rejected
    bool skip;               // inside of a line that is too long
    uint64_t sent;           // lines
    uint64_t passed;         // lines that were not sent
    uint64_t rejected;       // reported
    uint64_t last_rejection; // the line of the last one, as sent
    struct notice notice;
    char path[WIRE_PATH_SIZE];
    bool connected;
    uint64_t connects;
    uint64_t connects_seen;
    uint64_t lost_before; // when the connection broke
    uint64_t asked;       // when a sign of life was last given
    size_t n_kept;
    size_t kept_bytes;
    bool kept_full; // reported
    struct kept kept[RELAY_GAUGES];
    size_t n_gaps;
    struct gap gaps[RELAY_GAPS];
    size_t len;                        // bytes in buf
    char buf[2 * (WIRE_LINE_MAX + 1)]; // input
};

static uint64_t input_line(const struct relay *r, uint64_t sent)
{
    for (size_t i = 0; i < r->n_kept; i++) {
        if (r->kept[i].line != NULL && r->kept[i].sent == sent) {
            return r->kept[i].number;
        }
    }
    for (size_t i = r->n_gaps; i > 0; i--) {
        if (r->gaps[i - 1].after < sent) {
            return sent + r->gaps[i - 1].passed;
        }
    }
    return sent;
}

static void relay_report(struct relay *r, uint64_t line, const struct wire_reply *rejection)
{
    char where[40] = "hello";
    if (line > 0) {
        snprintf(where, sizeof where, "line %llu", (unsigned long long)line);
    }
    r->rejected++;
    args_report_rejection(r->err, where, rejection);
}

// The gauge whose lines begin like that; with 0, a free place. NULL: there is none.
static struct kept *relay_find_kept(struct relay *r, const char *key, size_t key_len)
{
    for (size_t i = 0; i < r->n_kept; i++) {
        struct kept *k = &r->kept[i];
        if (k->key_len == key_len && (key_len == 0 || memcmp(k->line, key, key_len) == 0)) {
            return k;
        }
    }
    return NULL;
}

static void relay_drop_kept(struct relay *r, struct kept *k)
{
    r->kept_bytes -= k->len;
    free(k->line);
    *k = (struct kept){0};
}

static void relay_take_rejection(void *arg, const struct wire_reply *rejection)
{
    struct relay *r = arg;
    // A line that is processed again after a break is reported once.
    if (rejection->line == 0 || rejection->line > r->last_rejection) {
        r->hello_rejected |= rejection->line == 0;
        r->last_rejection = rejection->line > 0 ? rejection->line : r->last_rejection;
        relay_report(r, rejection->line > 0 ? input_line(r, rejection->line) : 0, rejection);
    }
    for (size_t i = 0; i < r->n_kept; i++) {
        if (r->kept[i].line != NULL && r->kept[i].sent == rejection->line) {
            relay_drop_kept(r, &r->kept[i]);
        }
    }
}

// Whether the daemon has acknowledged everything; waits as long as it goes on.
static bool relay_settle(struct relay *r)
{
    uint64_t before;
    int error;
    do {
        before = link_stats(r->link).waiting;
        error = link_sync(r->link, r->args->timeout_ms);
    } while (error == -ECONNRESET || (error == -ETIMEDOUT && link_stats(r->link).waiting < before));
    return error == 0;
}

// Notes a line that is not sent, or as many as were sent again. Returns 0; -ETIMEDOUT.
static int relay_pass_over(struct relay *r, uint64_t n)
{
    r->passed += n;
    if (r->n_gaps == RELAY_GAPS) {
        // No rejection of earlier lines can follow.
        if (!relay_settle(r)) {
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

static int relay_reject(struct relay *r, const char *reason, const char *detail)
{
    struct wire_reply rejection = {.kind = WIRE_REPLY_ERROR};
    strcpy(rejection.reason, reason);
    strcpy(rejection.detail, detail);
    relay_report(r, r->sent + r->passed + 1, &rejection);
    return relay_pass_over(r, 1);
}

// Behind the last "op" of a line, since a label may have that name. NULL: there is none.
static const char *find_op(const char *line, size_t len)
{
    static const char op[] = ",\"op\":\"";
    const char *end = line + len;
    const char *found = NULL;
    for (const char *at = line; (at = memmem(at, (size_t)(end - at), op, sizeof op - 1)) != NULL;) {
        at += sizeof op - 1;
        found = at;
    }
    return found;
}

// Notes what a gauge is set to. Another operation on it makes that worthless. Both are recognised as virtrigaud-emit prints
// them; what does not look like that, or finds no room, is not kept.
static void relay_keep(struct relay *r, const char *line, size_t len)
{
    static const char set[] = "set\",\"value\":";
    const char *op = r->args->keep_gauges ? find_op(line, len) : NULL;
    if (op == NULL) {
        return;
    }
    size_t key_len = (size_t)(op - line);
    struct kept *k = relay_find_kept(r, line, key_len);
    if (k != NULL) {
        relay_drop_kept(r, k);
    }
    if (len - key_len < sizeof set || memcmp(line + key_len, set, sizeof set - 1) != 0) {
        return;
    }
    k = relay_find_kept(r, NULL, 0);
    if (k == NULL && r->n_kept < RELAY_GAUGES) {
        k = &r->kept[r->n_kept++];
    }
    char *copy = k != NULL && r->kept_bytes + len <= RELAY_GAUGES_BYTES ? malloc(len) : NULL;
    if (copy == NULL) {
        if (!r->kept_full) {
            fprintf(r->err, "virtrigaud-emit: more gauges than --keep-gauges has room for\n");
            r->kept_full = true;
        }
        return;
    }
    memcpy(copy, line, len);
    r->kept_bytes += len;
    *k = (struct kept){copy, len, key_len, r->sent + r->passed, r->sent};
}

static int relay_take_line(struct relay *r, const char *line, size_t len)
{
    if (wire_is_blank(line, len)) {
        return relay_pass_over(r, 1);
    }
    if (len > WIRE_LINE_MAX) {
        return relay_reject(r, "too_long", "a line has at most 65536 bytes");
    }
    if (wire_is_control(line, len)) {
        return relay_reject(r, "bad_control", "control lines are not allowed with --session");
    }
    int error = link_send_line(r->link, line, len);
    r->sent += error == 0;
    if (error == 0) {
        relay_keep(r, line, len);
    }
    return error;
}

static int relay_take_lines(struct relay *r)
{
    const char *at = r->buf;
    const char *end = r->buf + r->len;
    int error = 0;
    for (const char *lf; error == 0 && (lf = memchr(at, '\n', (size_t)(end - at))) != NULL;
         at = lf + 1) {
        error = r->skip ? relay_reject(r, "too_long", "a line has at most 65536 bytes")
                        : relay_take_line(r, at, (size_t)(lf - at));
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

// There is no more input. Returns as relay_take_line.
static int relay_end_input(struct relay *r)
{
    r->ended = true;
    if (r->skip || r->len > 0) {
        r->buf[r->len++] = '\n';
        return relay_take_lines(r);
    }
    return 0;
}

static int relay_read_input(struct relay *r)
{
    // There always is room; gcc cannot see that.
    size_t room = r->len < sizeof r->buf ? sizeof r->buf - r->len : 0;
    ssize_t n = read(r->in, r->buf + r->len, room);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return 0;
    }
    if (n > 0) {
        r->len += (size_t)n;
        return relay_take_lines(r);
    }
    r->input_error = n < 0 ? -errno : 0;
    return relay_end_input(r);
}

static void relay_note_ready(void *arg)
{
    struct relay *r = arg;
    r->connects++;
}

// Over a new connection, since the daemon's state may be lost. Returns as relay_take_line.
static int relay_send_kept(struct relay *r)
{
    uint64_t n = 0;
    int error = 0;
    for (size_t i = 0; error == 0 && i < r->n_kept; i++) {
        struct kept *k = &r->kept[i];
        if (k->line != NULL) {
            error = link_send_line(r->link, k->line, k->len);
            k->sent = error == 0 ? ++r->sent : k->sent;
            n += error == 0;
        }
    }
    return error == 0 && n > 0 ? relay_pass_over(r, -n) : error;
}

// Reports how the connection is, once for each change. Returns as relay_take_line.
static int relay_watch(struct relay *r)
{
    struct link_stats s = link_stats(r->link);
    bool is_new = r->connects != r->connects_seen;
    bool again = r->connects > 1; // the first may have come and gone between two looks
    if (!s.connected) {
        // A hello that was rejected is reported or was said again in its older form.
        bool is_hello = s.error == -EPERM || (!r->connected && s.error == -ECONNRESET);
        notice_trouble(&r->notice, r->path, is_hello ? 0 : s.error, r->connected);
    } else if (is_new && again) {
        notice_write(&r->notice, LOG_INFO, "connected again, %llu lost",
                     (unsigned long long)(s.lost - r->lost_before));
    } else if (is_new && r->notice.trouble != 0) {
        notice_write(&r->notice, LOG_INFO, "connected to %s", r->path);
    }
    r->connected = s.connected;
    r->hello_answered |= s.connected;
    if (!is_new || !s.connected) {
        return 0;
    }
    r->connects_seen = r->connects;
    r->notice.trouble = 0;
    r->lost_before = s.lost;
    return again && !r->ended ? relay_send_kept(r) : 0;
}

// Gives a sign of life when one is due. Returns in how many milliseconds the next one is; -1: there is none.
static int relay_live(struct relay *r)
{
    uint64_t part_ms = wire_life_ms(&r->args->hello);
    uint64_t now = clock_mono_ms();
    if (part_ms == 0 || !r->connected) {
        return -1;
    }
    if (now - r->asked >= part_ms) {
        link_live(r->link);
        r->asked = now;
    }
    return (int)(r->asked + part_ms - now);
}

// A descriptor that is readable when the process of --pid has ended. -1: there is no --pid, or a kernel before 5.3.
static int relay_open_process(struct relay *r)
{
    int fd = r->args->pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)r->args->pid, 0) : -1;
    if (fd < 0 && errno == ESRCH && r->args->pid > 0) {
        fd = eventfd(1, EFD_CLOEXEC); // it has ended already
    }
    return fd;
}

// One step: input, and what the client has to do.
static int relay_step(struct relay *r)
{
    struct pollfd fds[3] = {
        {.fd = r->in, .events = POLLIN}, {.fd = -1}, {.fd = r->process, .events = POLLIN}};
    int life = relay_live(r);
    int wait = link_wait(r->link, &fds[1]);
    int n = poll(fds, 3, wait < 0 || (life >= 0 && life < wait) ? life : wait);
    if (n == 0 || (n > 0 && fds[1].revents != 0)) {
        link_work(r->link, 0);
    }
    int error = relay_watch(r);
    if (error == 0 && n > 0 && fds[0].revents != 0) {
        return relay_read_input(r);
    }
    return error == 0 && n > 0 && fds[2].revents != 0 ? relay_end_input(r) : error;
}

static int relay_finish(const struct relay *r, bool settled, const struct link_stats *s)
{
    if (s->unknown > 0 && settled) {
        fprintf(r->err,
                "virtrigaud-emit: %llu lines were processed once, but their results were lost\n",
                (unsigned long long)s->unknown);
    }
    if (s->lost > 0) {
        fprintf(r->err, "virtrigaud-emit: lost: %llu lines\n", (unsigned long long)s->lost);
    }
    if (!settled) {
        fprintf(r->err,
                "virtrigaud-emit: the daemon does not answer: %llu lines taken, %llu acknowledged "
                "as applied, %llu as rejected\n",
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
    return r->rejected > 0 || s->rejected > 0 ? EMIT_REJECTED : EMIT_APPLIED;
}

int relay_run(const struct args *a, int in, FILE *err)
{
    struct relay r = {
        .args = a, .in = in, .err = err, .notice = {.on_message = args_report_message, .arg = err}};
    struct link_config config = {.path = a->socket,
                                 .hello = &a->hello,
                                 .session = true,
                                 .buffer = RELAY_BUFFER,
                                 .wait_ms = a->timeout_ms,
                                 .retry_last_ms = RETRY_MS,
                                 .on_rejection = relay_take_rejection,
                                 .on_ready = relay_note_ready,
                                 .arg = &r};
    int error = link_open(&r.link, &config);
    if (error < 0) {
        return args_report_unopened(err, a, error);
    }
    wire_socket_path(r.path, a->socket);
    r.process = relay_open_process(&r);
    while (error == 0 && !r.ended && (r.hello_answered || !r.hello_rejected)) {
        error = relay_step(&r);
    }
    bool settled = error == 0 && relay_settle(&r);
    relay_watch(&r);
    struct link_stats s;
    link_close(r.link, 0, &s);
    if (r.process >= 0) {
        close(r.process);
    }
    for (size_t i = 0; i < r.n_kept; i++) {
        free(r.kept[i].line);
    }
    return r.hello_rejected && !r.hello_answered ? EMIT_REJECTED : relay_finish(&r, settled, &s);
}
