/* SPDX-License-Identifier: Apache-2.0
 *
 * virtrigaud-client: sends metrics and events to virtrigaud-exporter, and never makes its caller wait.
 *
 *     struct virtrigaud_client *client = virtrigaud_new();
 *     struct virtrigaud_config config = VIRTRIGAUD_CONFIG_INIT;
 *     config.component = "provider";
 *     config.instance = "vc1";
 *     virtrigaud_start(client, &config);
 *
 *     struct virtrigaud_label labels[] = {{"operation", "Create"}, {"outcome", "success"}};
 *     virtrigaud_event_value(client, "vm_operation", labels, 2, 0.25);
 *
 *     virtrigaud_close(client, 2000, NULL);
 *     virtrigaud_free(client);
 *
 * Recording: the calls that record add to what waits in memory, and nothing else: they make no connection, do not wait, and
 *            report no error. They may be made before virtrigaud_start and after virtrigaud_close too; what waits is sent
 *            by the client's next start.
 * Sending:   counters and events of one series are added up, of a gauge the newest value is kept, observations are
 *            collected. What waits is sent every half second, and at once when there is much of it.
 * Delivery:  each call is counted exactly once, over restarts and crashes of the daemon. The last value of each gauge is
 *            sent again on each new connection. When observations take more memory than config.max_bytes, the oldest ones
 *            are dropped, and counted as lost by this client and by the daemon.
 * Threads:   any thread may make any call, except that virtrigaud_free must be the last one. The client has one thread,
 *            from virtrigaud_start to virtrigaud_close, or none: see virtrigaud_fd.
 * Fork:      a child has its own connection, which is made when it first records something; what waits in its parent is
 *            the parent's. A client with an event loop records in the child, and sends after the child has called
 *            virtrigaud_start. A child should call virtrigaud_flush before it ends with _exit.
 * Exit:      exit(3) waits at most one second for what waits, and only when there is a connection.
 * Memory:    all that is given is copied. Strings are NUL-terminated UTF-8. NULL is allowed for every client and series,
 *            and such a call does nothing.
 * Errors:    0 or a negative errno value.
 */
#ifndef VIRTRIGAUD_CLIENT_H
#define VIRTRIGAUD_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct virtrigaud_client;
struct virtrigaud_series;

struct virtrigaud_label {
    const char *name;
    const char *value;
};

/* How severe a message is: the numbers of syslog(3). */
enum virtrigaud_level { VIRTRIGAUD_WARNING = 4, VIRTRIGAUD_INFO = 6 };

/* Begin with VIRTRIGAUD_CONFIG_INIT, so that members of later versions have their default. */
struct virtrigaud_config {
    size_t size;           /* of this struct */
    const char *component; /* manager, provider, or another one of the catalogue; required */
    const char *instance;  /* which one of them; NULL: none */
    const struct virtrigaud_label
        *labels; /* n_labels of them: used where a call leaves a label out */
    size_t n_labels;
    const char
        *socket;   /* NULL: $VIRTRIGAUD_EVENTS_SOCKET, else /run/virtrigaud-exporter/events.sock */
    int transient; /* not 0: comes and goes, as a batch job does; nobody is alerted when it is gone */
    int event_loop;    /* not 0: no thread; see virtrigaud_fd */
    unsigned interval; /* seconds in which the daemon hears of this client, 1 to 3600; 0: 10 */
    size_t max_bytes;  /* of observations that wait; 0: 16 MiB */
    size_t
        max_series; /* combinations of name and labels; 0: 20000; other calls are lost, and told */
    /* Called with one line of text without its end: no connection and why, rejected lines and calls, the connection is
     * back. Limited in number. Called by the client's thread, or by virtrigaud_start, virtrigaud_process,
     * virtrigaud_flush and virtrigaud_close; may record, and must make no other call of the client. NULL: not needed. */
    void (*on_message)(void *arg, int level, const char *text);
    void *arg; /* for on_message */
};

/* clang-format off */
#define VIRTRIGAUD_CONFIG_INIT {sizeof(struct virtrigaud_config), NULL, NULL, NULL, 0, NULL, 0, 0, 0, 0, 0, NULL, NULL}
/* clang-format on */

/* What became of the calls that record: sent = waiting + applied + refused + lost. */
struct virtrigaud_stats {
    uint64_t sent;
    uint64_t waiting; /* not acknowledged yet */
    uint64_t applied; /* processed by the daemon and not rejected, as far as is known */
    uint64_t refused; /* rejected by the daemon */
    uint64_t lost;    /* dropped, or in no count of the daemon any more because it lost its state */
    uint64_t
        invalid; /* not in `sent`: not finite, negative for a counter, no UTF-8, or longer than a line may be */
    uint64_t unknown;  /* of applied: the connection broke before the daemon could reject it */
    uint64_t lines;    /* that were acknowledged */
    uint64_t connects; /* connections on which the daemon has answered */
    int connected;     /* whether there is one now */
};

/* Makes a client that records and does not send yet. NULL when there is no memory. */
struct virtrigaud_client *virtrigaud_new(void);

/* Begins to send. That the daemon is not there is no error: it is tried again every second. Returns 0; -EINVAL (config,
 * text that is no UTF-8); -ENAMETOOLONG (socket); -EMSGSIZE (hello longer than a line); -EALREADY (started before);
 * -ENOMEM; -EAGAIN (no thread); with an event loop -errno of what gives no descriptor. on_message gets the reason, too. It
 * may be called again; what waits meanwhile is lost with virtrigaud_close. */
int virtrigaud_start(struct virtrigaud_client *client, const struct virtrigaud_config *config);

/* Waits until the daemon has processed all that was recorded before. Returns 0; -ETIMEDOUT; -ENOTCONN when the client is
 * not started. */
int virtrigaud_flush(struct virtrigaud_client *client, unsigned timeout_ms);

/* Flushes and stops sending; what could not be sent is counted as lost. No thread and no descriptor is left. Writes the
 * last statistics to *stats unless NULL. Returns as virtrigaud_flush. */
int virtrigaud_close(struct virtrigaud_client *client, unsigned timeout_ms,
                     struct virtrigaud_stats *stats);

/* Gives everything back, series too. Without virtrigaud_close before, what waits is dropped. */
void virtrigaud_free(struct virtrigaud_client *client);

/* With config.event_loop: a descriptor, the same from virtrigaud_start to virtrigaud_close. When it is readable, call
 * virtrigaud_process, which does not wait. virtrigaud_fd returns -ENOTCONN when there is none. */
int virtrigaud_fd(const struct virtrigaud_client *client);
void virtrigaud_process(struct virtrigaud_client *client);

void virtrigaud_get_stats(struct virtrigaud_client *client, struct virtrigaud_stats *ret);

/* Record by name: `n` labels in any order. The name is that of a metric or event of the daemon's catalogue. */
void virtrigaud_counter_add(struct virtrigaud_client *client, const char *metric,
                            const struct virtrigaud_label *labels, size_t n, double by);
void virtrigaud_gauge_set(struct virtrigaud_client *client, const char *metric,
                          const struct virtrigaud_label *labels, size_t n, double to);
/* The client's own value, which begins at 0, changes and is sent. A sum that is not finite is invalid. */
void virtrigaud_gauge_add(struct virtrigaud_client *client, const char *metric,
                          const struct virtrigaud_label *labels, size_t n, double by);
void virtrigaud_observe(struct virtrigaud_client *client, const char *metric,
                        const struct virtrigaud_label *labels, size_t n, double value);
void virtrigaud_event(struct virtrigaud_client *client, const char *event,
                      const struct virtrigaud_label *labels, size_t n);
void virtrigaud_event_value(struct virtrigaud_client *client, const char *event,
                            const struct virtrigaud_label *labels, size_t n, double value);

/* The same with an exemplar, such as {"trace_id", "..."}: n_exemplar labels, at most 64 with different names and 128
 * characters together. Of the observations that are sent together, the newest one with an exemplar keeps it. An exemplar that
 * the daemon would reject is left out, and a message says so. */
void virtrigaud_observe_with_exemplar(struct virtrigaud_client *client, const char *metric,
                                      const struct virtrigaud_label *labels, size_t n, double value,
                                      const struct virtrigaud_label *exemplar, size_t n_exemplar);
void virtrigaud_event_with_exemplar(struct virtrigaud_client *client, const char *event,
                                    const struct virtrigaud_label *labels, size_t n, double value,
                                    const struct virtrigaud_label *exemplar, size_t n_exemplar);

/* Something is gone for good, such as a provider: what waits is sent, and then the daemon removes the series of this client
 * with all these labels, at most 16. Gauges with them begin at 0 again and are not sent before they are set. What is recorded
 * for other series with them before that is removed, too. A label that only config.labels gives is matched by the daemon, but
 * gauges without it in their calls are sent again on the next connection. */
void virtrigaud_forget(struct virtrigaud_client *client, const struct virtrigaud_label *labels,
                       size_t n);

/* Series: the same with name and labels looked up once. They live as long as their client. NULL when there is no room, or
 * the text is invalid; recording into NULL does nothing. */
struct virtrigaud_series *virtrigaud_counter(struct virtrigaud_client *client, const char *metric,
                                             const struct virtrigaud_label *labels, size_t n);
struct virtrigaud_series *virtrigaud_gauge(struct virtrigaud_client *client, const char *metric,
                                           const struct virtrigaud_label *labels, size_t n);
struct virtrigaud_series *virtrigaud_histogram(struct virtrigaud_client *client, const char *metric,
                                               const struct virtrigaud_label *labels, size_t n);
struct virtrigaud_series *virtrigaud_event_series(struct virtrigaud_client *client,
                                                  const char *event,
                                                  const struct virtrigaud_label *labels, size_t n);

/* Adds to a counter or a gauge; to an event, as many occurrences without value (a whole number). */
void virtrigaud_series_add(struct virtrigaud_series *series, double by);
/* Sets a gauge. */
void virtrigaud_series_set(struct virtrigaud_series *series, double to);
/* Observes a value: of a histogram or an event. */
void virtrigaud_series_observe(struct virtrigaud_series *series, double value);
void virtrigaud_series_observe_with_exemplar(struct virtrigaud_series *series, double value,
                                             const struct virtrigaud_label *exemplar, size_t n);

/* For unit tests, with a client that is not started: what was recorded. The labels are all that the calls have given. */

/* Writes the sum of a counter, the value of a gauge, or how often an event or the observation of a histogram was recorded.
 * Returns 0; -ENOENT when nothing was; -EALREADY when the client is started. */
int virtrigaud_recorded(struct virtrigaud_client *client, const char *name,
                        const struct virtrigaud_label *labels, size_t n, double *ret);
/* Writes up to `max` values that were observed, in order, one with an exemplar last. Returns how many there are. */
size_t virtrigaud_recorded_values(struct virtrigaud_client *client, const char *name,
                                  const struct virtrigaud_label *labels, size_t n, double *ret,
                                  size_t max);
/* Forgets what was recorded. */
void virtrigaud_recorded_reset(struct virtrigaud_client *client);

#ifdef __cplusplus
}
#endif

#endif
