// SPDX-License-Identifier: Apache-2.0
/*
 * client: sends metrics and events to virtrigaud-exporter, for programs that must not wait for it.
 *
 * client.[ch], link.[ch] and wire.[ch] need a C library on Linux and nothing else: copy the six
 * files into your program.
 *
 *     struct client *c;
 *     struct wire_hello hello = {.component = "provider", .instance = "vc1"};
 *     struct client_config config = {.hello = &hello};
 *     if (client_open(&c, &config) == 0) {
 *         struct wire_label labels[] = {{"provider_type", "vsphere"}, {"provider", "vc1"}};
 *         client_gauge_add(c, "virtrigaud_provider_tasks_inflight", labels, 2, 1);
 *         client_close(c, 2000, NULL);
 *     }
 *
 * Shape:   a connection, and a buffer of whole lines that waits for it. There is no thread: all
 * work, connecting again too, is done inside the calls, so a program that is idle for long calls
 *          client_work now and then. Attempts to connect are 100 ms apart at first, 10 s at last.
 * Waiting: client_send and the calls made of it wait `wait_ms` at most (0: never), and only while
 * the buffer is full; the others as long as asked. Account: a line is dropped and counted in `lost`
 * when the buffer is full. The daemon learns the sum with a hello (only when the config has one).
 * What was written to a connection that broke before the daemon acknowledged it may have been
 * applied or not: it is counted in `unknown`, never sent twice, and not part of `lost`.
 * Acknowledgement is asked for every 1000 lines and by client_sync; it covers refused lines as
 * well. Threads: one at a time; the client does no locking. It is not to be used on after a fork.
 * Memory:  copies all that it is given; the buffer and the line for the hello are allocated once,
 * in client_open. Strings are NUL-terminated UTF-8. Errors:  0 or -errno. No call raises SIGPIPE.
 * Source:  virtrigaud-events(7), protocol 1, without sessions.
 */
#ifndef VE_EMIT_CLIENT_H
#define VE_EMIT_CLIENT_H

#include "emit/wire.h"

#define CLIENT_SOCKET "/run/virtrigaud-exporter/events.sock"
#define CLIENT_SOCKET_ENV "VIRTRIGAUD_EVENTS_SOCKET"

enum {
    CLIENT_BUFFER_MIN = 4096,   // smallest buffer
    CLIENT_BUFFER_AUTO = 262144 // buffer when none is asked for
};

struct client_config {
    const char *path; // the daemon's socket; NULL: what the environment says, else CLIENT_SOCKET
    const struct wire_hello *hello; // who speaks; NULL: no hello
    size_t buffer;                  // bytes that may wait; 0: CLIENT_BUFFER_AUTO
    unsigned wait_ms;               // how long a send waits for room
    // Called for each refusal that the daemon reports, from inside the calls below; must not call
    // the client. NULL: refusals are counted only.
    void (*on_refusal)(void *arg, const struct wire_reply *refusal);
    void *arg; // for on_refusal
};

struct client_stats {
    uint64_t lost;     // lines dropped here, never sent
    uint64_t unknown;  // lines written before a break and not acknowledged: applied or not
    uint64_t refused;  // refusals reported
    uint64_t applied;  // lines of this connection that the daemon has acknowledged as applied
    uint64_t rejected; // lines of this connection that it has acknowledged as refused
    bool connected;    // connected, and the hello (if any) answered
};

struct client;

// Makes a client and tries to connect. That the daemon is not there is no error: lines wait for it.
// Returns 0; -EINVAL (a hello that is no UTF-8); -ENAMETOOLONG (path);
// -EMSGSIZE (hello too long); -ENOMEM.
int client_open(struct client **ret, const struct client_config *config);

// Connects at once, whatever the back-off says, and waits for the hello's answer. Returns 0; -errno
// of connect; -EPERM when the hello was refused; -ECONNRESET; -ETIMEDOUT.
int client_connect(struct client *c, unsigned timeout_ms);

// Sends one sample or event. Returns 0 when it is sent or waits in the buffer; -ENOBUFS when it was
// dropped and counted; -EINVAL for text that is no UTF-8; -EMSGSIZE for a line that is too long for
// the protocol or for the buffer. What was invalid is not counted as lost.
int client_send(struct client *c, const struct wire_sample *sample);

// The same with the value as a number. -EINVAL too when it is not finite.
int client_send_value(struct client *c, const struct wire_sample *sample, double value);

// Sends one ready line (sample, event or batch, without LF). Control lines are the client's own
// business. Returns as client_send; -EINVAL too for a line with an LF in it.
int client_send_line(struct client *c, const char *line, size_t len);

// Writes what waits, reads what was answered, connects again when it is time. Returns when all is
// written, or after timeout_ms. Returns 0; -ETIMEDOUT when something still waits.
int client_work(struct client *c, unsigned timeout_ms);

// Waits until the daemon has dealt with every line sent so far; what it says is in client_stats.
// Returns 0; -ETIMEDOUT; -ECONNRESET when a connection broke meanwhile.
int client_sync(struct client *c, unsigned timeout_ms);

struct client_stats client_stats(const struct client *c);

// Syncs for at most timeout_ms (unless nothing is open) and gives everything back. What still waited is counted as lost,
// what was not acknowledged as unknown; the final account is in *stats unless NULL. Returns as
// client_sync.
int client_close(struct client *c, unsigned timeout_ms, struct client_stats *stats);

// Opens a non-blocking connection. path may be NULL as in the config. Returns the descriptor;
// -errno.
int client_dial(const char *path);

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
