// SPDX-License-Identifier: Apache-2.0
/*
 * client: sends metrics and events to virtrigaud-exporter, for programs that must not wait for it.
 *
 * client, link, queue, stream and wire need a C library on Linux and nothing else: copy the ten
 * files into your program.
 *
 *     struct client *c;
 *     struct wire_hello hello = {.component = "provider", .instance = "vc1"};
 *     struct client_config config = {.hello = &hello, .session = true};
 *     if (client_open(&c, &config) == 0) {
 *         struct wire_label labels[] = {{"provider_type", "vsphere"}, {"provider", "vc1"}};
 *         client_gauge_add(c, "virtrigaud_provider_tasks_inflight", labels, 2, 1);
 *         client_close(c, 2000, NULL);
 *     }
 *
 * Shape:   a connection, and a buffer of whole lines. There is no thread: all work, connecting again
 *          too, is done inside the calls, so a program that is idle for long calls client_work now
 *          and then, or when client_wait says so. Attempts to connect are 100 ms apart at first,
 *          10 s at last.
 * Waiting: client_send and the calls made of it wait `wait_ms` at most (0: never), and only while
 *          the buffer is full; the others as long as asked. A full buffer drops what is new.
 * Session: with one, a line stays in the buffer until the daemon has acknowledged it, and is sent
 *          again after a break unless the daemon had dealt with it: it counts once, whoever dies. When
 *          the daemon does not know the session any more (it was down for too long, keeps no state, or
 *          lost power), a new one begins; what was written and not acknowledged may have been counted
 *          or not, is not sent again, and is lost. Without a session that is so after every break.
 * Account: sent = applied + rejected + unknown + lost + waiting, at any time. In a session `unknown` is
 *          what was dealt with once, applied or refused, while the answer got lost with the connection;
 *          without one it is what may not have arrived at all. The daemon learns `lost` (only when the
 *          config has a hello), and with a session adds up: lines sent = applied + rejected + lost.
 *          Acknowledgement is asked for every 1000 lines and by client_sync; in a session also for
 *          every quarter of the buffer, and every second for what is left.
 * Threads: one at a time; the client does no locking. It is not to be used on after a fork.
 * Memory:  copies all that it is given; the buffer and the line for the hello are allocated once,
 *          in client_open. Strings are NUL-terminated UTF-8.
 * Errors:  0 or -errno. No call raises SIGPIPE.
 * Source:  virtrigaud-events(7), protocol 1.
 */
#ifndef VE_EMIT_CLIENT_H
#define VE_EMIT_CLIENT_H

#include "emit/wire.h"

#include <poll.h>

#define CLIENT_SOCKET "/run/virtrigaud-exporter/events.sock"
#define CLIENT_SOCKET_ENV "VIRTRIGAUD_EVENTS_SOCKET"

enum {
    CLIENT_BUFFER_MIN = 4096,   // smallest buffer
    CLIENT_BUFFER_AUTO = 262144 // buffer when none is asked for
};

struct client_config {
    const char *path; // the daemon's socket; NULL: what the environment says, else CLIENT_SOCKET
    const struct wire_hello *hello; // who speaks; NULL: no hello
    bool session;                   // lines survive the daemon's death; needs a hello
    size_t buffer;                  // bytes that may wait; 0: CLIENT_BUFFER_AUTO
    unsigned wait_ms;               // how long a send waits for room
    // Called for each refusal that the daemon reports, from inside the calls below; must not call
    // the client. Its `line` is the number of the line among those that a send took, from 1; 0: the
    // hello. NULL: refusals are counted only.
    void (*on_refusal)(void *arg, const struct wire_reply *refusal);
    void *arg; // for on_refusal
};

struct client_stats {
    uint64_t sent;    // lines that a send took, or dropped
    uint64_t lost;    // of those: dropped, or not to be sent again though they may not have arrived
    uint64_t unknown; // written before a break, answer not known; see Account
    uint64_t applied; // acknowledged as applied
    uint64_t rejected; // acknowledged as refused
    uint64_t waiting;  // not written or not acknowledged yet
    uint64_t refused;  // refusals reported
    bool connected;    // connected, and the hello (if any) answered
};

struct client;

// Makes a client and tries to connect. That the daemon is not there is no error: lines wait for it.
// Returns 0; -EINVAL (a hello that is no UTF-8, a session without one); -ENAMETOOLONG (path);
// -EMSGSIZE (hello too long); -ENOMEM; -errno of getrandom.
int client_open(struct client **ret, const struct client_config *config);

// Connects at once, whatever the back-off says, and waits for the hello's answer, also from the next daemon
// when one goes meanwhile. Returns 0; -errno of connect; -EPERM when the hello was refused; -ETIMEDOUT.
int client_connect(struct client *c, unsigned timeout_ms);

// Sends one sample or event. Returns 0 when it is sent or waits in the buffer; -ENOBUFS when it was
// dropped and counted; -EINVAL for text that is no UTF-8; -EMSGSIZE for a line that is too long for
// the protocol or for the buffer. What was invalid is not counted as lost.
int client_send(struct client *c, const struct wire_sample *sample);

// The same with the value as a number. -EINVAL too when it is not finite.
int client_send_value(struct client *c, const struct wire_sample *sample, double value);

// Sends one ready line (sample, event or batch, without LF; in a session the daemon refuses batches).
// Returns as client_send; -EINVAL too for a line with an LF in it, a blank one, and, in a session, for
// one that may be a control line: those are the client's own business.
int client_send_line(struct client *c, const char *line, size_t len);

// Writes what waits, reads what was answered, connects again when it is time. Returns when all is
// written, or after timeout_ms. Returns 0; -ETIMEDOUT when something still waits.
int client_work(struct client *c, unsigned timeout_ms);

// For a program with a loop of its own: fills in what to poll for. Returns after how many milliseconds
// at most, or before when the poll says so, client_work(c, 0) has something to do; -1: never.
int client_wait(const struct client *c, struct pollfd *ret);

// Waits until the daemon has dealt with every line sent so far; what it says is in client_stats.
// Returns 0; -ETIMEDOUT; -ECONNRESET when a connection broke meanwhile, in a session only when lines
// were lost by that; -EPERM when a session's hello was refused.
int client_sync(struct client *c, unsigned timeout_ms);

// Sends one sample or event and waits until the daemon has dealt with it. What a daemon that stops has not taken goes to
// the next one, within timeout_ms: line and sync are written together, and a stopping daemon either answers both or takes
// neither. Not in a session. Returns as client_send and client_sync; -errno of connect when there is no daemon in the end,
// and then the sample waits in the buffer as any other does.
int client_apply(struct client *c, const struct wire_sample *sample, unsigned timeout_ms);

struct client_stats client_stats(const struct client *c);

// Syncs for at most timeout_ms (unless nothing is open) and gives everything back. What was not written is
// counted as lost, what was not acknowledged as unknown; the final account is in *stats unless NULL.
// Returns as client_sync.
int client_close(struct client *c, unsigned timeout_ms, struct client_stats *stats);

/* Typed samples. `op` goes with each, so that the daemon refuses one that does not fit the metric's
 * type. */

static inline int client_counter_add(struct client *c, const char *metric,
                                     const struct wire_label *labels, size_t n, double by)
{
    struct wire_sample s = {.name = metric, .op = "add", .labels = labels, .n_labels = n};
    return client_send_value(c, &s, by);
}

static inline int client_gauge_set(struct client *c, const char *metric,
                                   const struct wire_label *labels, size_t n, double to)
{
    struct wire_sample s = {.name = metric, .op = "set", .labels = labels, .n_labels = n};
    return client_send_value(c, &s, to);
}

static inline int client_gauge_add(struct client *c, const char *metric,
                                   const struct wire_label *labels, size_t n, double by)
{
    struct wire_sample s = {.name = metric, .op = "add", .labels = labels, .n_labels = n};
    return client_send_value(c, &s, by);
}

static inline int client_observe(struct client *c, const char *metric,
                                 const struct wire_label *labels, size_t n, double value)
{
    struct wire_sample s = {.name = metric, .op = "observe", .labels = labels, .n_labels = n};
    return client_send_value(c, &s, value);
}

static inline int client_event(struct client *c, const char *event, const struct wire_label *labels,
                               size_t n)
{
    struct wire_sample s = {.event = true, .name = event, .labels = labels, .n_labels = n};
    return client_send(c, &s);
}

static inline int client_event_value(struct client *c, const char *event,
                                     const struct wire_label *labels, size_t n, double value)
{
    struct wire_sample s = {.event = true, .name = event, .labels = labels, .n_labels = n};
    return client_send_value(c, &s, value);
}

#endif
