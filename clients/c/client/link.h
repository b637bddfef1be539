// SPDX-License-Identifier: Apache-2.0
/*
 * link: sends metrics and events to virtrigaud-exporter, for programs that must not wait for it.
 *
 * link and wire need a C library on Linux and nothing else.
 *
 *     struct link *c;
 *     struct wire_hello hello = {.component = "provider", .instance = "vc1"};
 *     struct link_config config = {.hello = &hello, .session = true};
 *     if (link_open(&c, &config) == 0) {
 *         struct wire_label labels[] = {{"provider_type", "vsphere"}, {"provider", "vc1"}};
 *         link_gauge_add(c, "virtrigaud_provider_tasks_inflight", labels, 2, 1);
 *         link_close(c, 2000, NULL);
 *     }
 *
 * Shape:   a connection, and a buffer of whole lines. There is no thread: all work, connecting again
 *          too, is done inside the calls, so a program that is idle for long calls link_work now
 *          and then, or when link_wait says so. Attempts to connect are 100 ms apart at first,
 *          10 s at last.
 * Waiting: link_send and the calls made of it wait `wait_ms` at most (0: never), and only while
 *          the buffer is full; the others as long as asked. A full buffer drops what is new.
 * Session: with one, a line stays in the buffer until the daemon has acknowledged it, and is sent
 *          again after a break unless the daemon had processed it: it counts once, over crashes of either side. When
 *          the daemon does not know the session any more (it was down for too long, keeps no state, or
 *          lost power), a new one begins; what was written and not acknowledged may have been counted
 *          or not, is not sent again, and is lost. Without a session that is so after every break. When the
 *          daemon's state went back behind what it had acknowledged, that is lost, too, and is taken from
 *          `applied` first: the results of these lines are not known any more.
 * Old:     a hello with `interval` that is rejected as bad_control is said again without it and without `transient`.
 * Account: sent = applied + rejected + unknown + lost + waiting, at any time. In a session `unknown` is
 *          what was dealt with once, applied or refused, while the answer got lost with the connection;
 *          without one it is what may not have arrived at all. The daemon learns `lost` (only when the
 *          config has a hello), and with a session adds up: lines sent = applied + rejected + lost.
 *          Acknowledgement is asked for every 1000 lines and by link_sync; in a session also for
 *          every quarter of the buffer, and every second for what is left.
 * Threads: one at a time; the client does no locking. It is not to be used on after a fork.
 * Memory:  copies all that it is given; the buffer and the line for the hello are allocated once,
 *          in link_open. Strings are NUL-terminated UTF-8.
 * Errors:  0 or -errno. No call raises SIGPIPE.
 * Source:  virtrigaud-events(7), protocol 1.
 */
#ifndef VE_CLIENT_LINK_H
#define VE_CLIENT_LINK_H

#include "client/link_types.h"

#include <poll.h>

struct link;

// Makes a link and tries to connect. That the daemon is not there is no error: lines wait for it.
// Returns 0; -EINVAL (a hello that is no UTF-8, a session without one); -ENAMETOOLONG (path);
// -EMSGSIZE (hello too long); -ENOMEM; -errno of getrandom.
int link_open(struct link **ret, const struct link_config *config);

// Connects at once, whatever the back-off says, and waits for the hello's answer, also from the next daemon
// when one goes meanwhile. Returns 0; -errno of connect; -EPERM when the hello was refused; -ETIMEDOUT.
int link_connect(struct link *c, unsigned timeout_ms);

// Sends one sample or event. Returns 0 when it is sent or waits in the buffer; -ENOBUFS when it was
// dropped and counted; -EINVAL for text that is no UTF-8; -EMSGSIZE for a line that is too long for
// the protocol or for the buffer. What was invalid is not counted as lost.
int link_send(struct link *c, const struct wire_sample *sample);

// The same with the value as a number. -EINVAL too when it is not finite.
int link_send_value(struct link *c, const struct wire_sample *sample, double value);

// Sends one ready line (sample, event or batch, without LF; in a session the daemon refuses batches).
// Returns as link_send; -EINVAL too for a line with an LF in it, a blank one, and, in a session, for
// one that may be a control line: those are the client's own business.
int link_send_line(struct link *c, const char *line, size_t len);

// The same without writing yet.
int link_put_line(struct link *c, const char *line, size_t len);

// Counts n that the caller has dropped as sent and lost.
void link_lose(struct link *c, uint64_t n);

// Has a sync written behind all lines that wait, unless one is under way or there is no connection. No line may be put until it
// is written.
void link_ask(struct link *c);
// Has one written behind the line that is being written, as a sign of life. Lines may be put meanwhile.
void link_live(struct link *c);

// Writes the control line that wire_forget_line gives, and is borrowed until the link ends, config.on_forgotten is called or
// the connection breaks, after which nobody asks the daemon. All lines are acknowledged and there is a connection. Until
// link_forgets is false again, no line may be put.
void link_forget(struct link *c, const char *line, size_t len);
bool link_forgets(const struct link *c);

// Whether the daemon has acknowledged all lines, and, with a hello, what was lost.
bool link_is_settled(const struct link *c);

// Gives everything back at once.
void link_free(struct link *c);

// Writes what waits, reads what was answered, connects again when it is time. Returns when all is
// written, or after timeout_ms. Returns 0; -ETIMEDOUT when something still waits.
int link_work(struct link *c, unsigned timeout_ms);

// For a program with a loop of its own: fills in what to poll for. Returns after how many milliseconds
// at most, or before when the poll says so, link_work(c, 0) has something to do; -1: never.
int link_wait(const struct link *c, struct pollfd *ret);

// Waits until the daemon has dealt with every line sent so far; what it says is in link_stats.
// Returns 0; -ETIMEDOUT; -ECONNRESET when a connection broke meanwhile, in a session only when lines
// were lost by that; -EPERM when a session's hello was refused.
int link_sync(struct link *c, unsigned timeout_ms);

// Sends one sample or event and waits until the daemon has dealt with it. What a daemon that stops has not taken goes to
// the next one, within timeout_ms: line and sync are written together, and a stopping daemon either answers both or takes
// neither. Not in a session. Returns as link_send and link_sync; -errno of connect when there is no daemon in the end,
// and then the sample waits in the buffer as any other does.
int link_apply(struct link *c, const struct wire_sample *sample, unsigned timeout_ms);

struct link_stats link_stats(const struct link *c);

// Syncs for at most timeout_ms (unless nothing is open) and gives everything back. What was not written is
// counted as lost, what was not acknowledged as unknown; the final account is in *stats unless NULL.
// Returns as link_sync.
int link_close(struct link *c, unsigned timeout_ms, struct link_stats *stats);

/* Typed samples. `op` goes with each, so that the daemon refuses one that does not fit the metric's
 * type. */

static inline int link_counter_add(struct link *c, const char *metric,
                                   const struct wire_label *labels, size_t n, double by)
{
    struct wire_sample s = {.name = metric, .op = "add", .labels = labels, .n_labels = n};
    return link_send_value(c, &s, by);
}

static inline int link_gauge_set(struct link *c, const char *metric,
                                 const struct wire_label *labels, size_t n, double to)
{
    struct wire_sample s = {.name = metric, .op = "set", .labels = labels, .n_labels = n};
    return link_send_value(c, &s, to);
}

static inline int link_gauge_add(struct link *c, const char *metric,
                                 const struct wire_label *labels, size_t n, double by)
{
    struct wire_sample s = {.name = metric, .op = "add", .labels = labels, .n_labels = n};
    return link_send_value(c, &s, by);
}

static inline int link_observe(struct link *c, const char *metric, const struct wire_label *labels,
                               size_t n, double value)
{
    struct wire_sample s = {.name = metric, .op = "observe", .labels = labels, .n_labels = n};
    return link_send_value(c, &s, value);
}

static inline int link_event(struct link *c, const char *event, const struct wire_label *labels,
                             size_t n)
{
    struct wire_sample s = {.event = true, .name = event, .labels = labels, .n_labels = n};
    return link_send(c, &s);
}

static inline int link_event_value(struct link *c, const char *event,
                                   const struct wire_label *labels, size_t n, double value)
{
    struct wire_sample s = {.event = true, .name = event, .labels = labels, .n_labels = n};
    return link_send_value(c, &s, value);
}

#endif
