// SPDX-License-Identifier: Apache-2.0
/*
 * status_view: what is shown of the daemon and of its last hour, on the page for people and as JSON.
 *
 * Shape:   the code that fills it does not depend on forms, and a form not on where the figures come from: the
 *          summary first, then any number of rows of each kind. Sources that are down come first.
 * History: a ring of readings, at least HISTORY_STEP_MS apart. Each is of counters that only grow, and of the number of
 *          series, so that the difference of two says what was between them. The first is that of the start.
 * Bounds:  STATUS_VIEW_METRICS, STATUS_VIEW_SOURCES and STATUS_VIEW_REJECTIONS rows are kept, how many more there
 *          were is counted; a form cuts texts at STATUS_VIEW_TEXT_MAX bytes. HISTORY_SAMPLES readings, 26 KiB, from the
 *          start on. A line or a scrape takes no part in the history.
 * Threads: one owner; of a history one writer, any readers, and a mutex guards the ring.
 * Memory:  plain values. Texts are borrowed until the view is written; those of rejected lines are copied.
 */
#ifndef VE_WEB_STATUS_VIEW_H
#define VE_WEB_STATUS_VIEW_H

#include "base/buf.h"
#include "catalog/catalog.h"
#include "ingest/rejected.h"
#include "web/stats.h"

#include <pthread.h>

enum {
    STATUS_VIEW_METRICS = 1000,
    STATUS_VIEW_SOURCES = 1000,
    STATUS_VIEW_REJECTIONS = 50,
    STATUS_VIEW_TEXT_MAX = 512 // bytes of a help, an instance or a detail
};

enum {
    HISTORY_STEP_MS = 10 * 1000,
    HISTORY_MS = 3600 * 1000,
    HISTORY_RECENT_MS = 600 * 1000, // what "lately" is
    HISTORY_SAMPLES = HISTORY_MS / HISTORY_STEP_MS + 1
};

struct history_sample {
    uint64_t at_ms;        // CLOCK_MONOTONIC
    uint64_t applied;      // lines
    uint64_t rejected;     // lines
    uint64_t scrapes;      // that were answered with an exposition
    uint64_t scrape_ns;    // that these took
    uint64_t unauthorized; // answers 401
    uint64_t unavailable;  // scrapes answered with 503
    uint64_t tls_failures; // handshakes that failed
    uint64_t series;       // at that time
};

struct history {
    pthread_mutex_t lock;                           // of what follows
    size_t n;                                       // readings so far
    struct history_sample samples[HISTORY_SAMPLES]; // reading i is in place i % HISTORY_SAMPLES
};

// Returns 0 or -errno.
int status_history_open(struct history *h);
void status_history_close(struct history *h);

// Whether it is time for the next reading. The writer's thread.
bool status_history_is_due(const struct history *h, uint64_t now_ms);
void status_history_add(struct history *h, const struct history_sample *s);

// What there is of a past: its readings, the oldest first, and the present one as the last.
struct history_view {
    size_t n; // at least 1
    struct history_sample samples[HISTORY_SAMPLES + 1];
};

// Copies the readings of the last HISTORY_MS before `now`, and that.
void status_history_read(struct history *h, const struct history_sample *now,
                         struct history_view *ret);

// The oldest reading that is not older than `ms` before the last one.
const struct history_sample *status_history_since(const struct history_view *v, uint64_t ms);

// The daemon as a whole. Times are CLOCK_REALTIME.
struct status_view_summary {
    const char *version;
    const char *revision;
    const char *telemetry_path; // decoded
    uint64_t now_ms;
    uint64_t start_ms;
    uint64_t uptime_ms;
    bool ready;
    bool reload_ok;
    uint64_t reload_ms;
    bool state_kept; // a state file is configured
    bool state_ok;
    const char *state_trouble; // why it is not, or NULL
    uint64_t state_bytes;
    uint64_t state_set_aside;
    uint64_t series;
    uint64_t series_limit;
    uint32_t connections;
    uint64_t certificate_expiry_ms; // 0: no certificate
    uint64_t rejections_unlisted;   // that are in no row, since the start
    bool shows_texts;               // of rejected lines
    uint64_t sources;               // that are known
    uint64_t sources_down;          // of them
    bool scraped;                   // there was a scrape, and what follows is of the last one
    uint64_t scrape_ms;             // when it was answered
    uint64_t scrape_ns;             // how long it took
    unsigned scrape_status;
    char scrape_peer[STATS_PEER];
    double resident_bytes; // of the process, as the next two; NAN: not known
    double open_fds;
    double max_fds;     // infinite: there is no limit
    unsigned refresh_s; // the page is loaded again after that; 0: not
};

// What became of a component's lines.
struct status_view_component {
    const char *name;
    uint64_t applied;
    uint64_t rejected;
    uint64_t lost;
    double per_second; // applied, of late; negative: not known
};

struct status_view_source {
    const char *component;
    struct slice instance; // any text
    bool connected;
    bool up;              // and keeps its interval
    uint32_t connections; // an open window for datagrams is one
    uint32_t interval_s;  // in which it promised to be heard; 0: no promise
    int64_t process;      // that said hello; 0: not known
    uint64_t heard_ms;    // 0: not yet
    uint64_t applied;     // lines since it is known to this process
    uint64_t rejected;    // likewise
    double per_second;    // applied, of late; negative: not known
    uint64_t lost;        // as it says itself
};

struct status_view_rejection {
    uint64_t at_ms;
    const char *component;
    struct rejected_line line;
};

struct status_view_metric {
    const char *name;
    const char *type;
    const char *help;
    uint64_t series;
    uint64_t limit;
    double per_second; // negative: not known, or a gauge
    uint64_t folded;
    uint64_t expired;
};

// How many rows there are of a kind.
struct status_view_rows {
    uint32_t n;
    uint64_t left_out;
};

struct status_view {
    struct status_view_summary summary;
    struct status_view_rows n_components;
    struct status_view_rows n_sources;
    struct status_view_rows n_rejections;
    struct status_view_rows n_metrics;
    struct history_view history;
    struct status_view_component components[CATALOG_MAX_COMPONENTS];
    struct status_view_source sources[STATUS_VIEW_SOURCES];
    struct status_view_rejection rejections[STATUS_VIEW_REJECTIONS];
    struct status_view_metric metrics[STATUS_VIEW_METRICS];
};

// Takes room for one more row of `most`. Returns its index, or -1: it is left out.
static inline int status_view_row(struct status_view_rows *rows, size_t most)
{
    if (rows->n == most) {
        rows->left_out++;
        return -1;
    }
    return (int)rows->n++;
}

// A form in which it is written.
struct status_view_form {
    const char *type;                                            // Content-Type
    const char *policy;                                          // Content-Security-Policy
    void (*write)(struct buf *out, const struct status_view *v); // NULL: it is of one metric
};

// What is asked for.
struct status_view_request {
    const struct status_view_form *form;
    const char *telemetry_path; // decoded
    const char *metric;         // the name of that metric, any text; NULL: the whole view
    unsigned refresh_s;         // the page is loaded again after that; 0: not
};

// Lines that were rejected lately, in HISTORY_RECENT_MS or since the start.
static inline uint64_t status_view_rejected_lately(const struct status_view *v)
{
    return v->history.samples[v->history.n - 1].rejected -
           status_history_since(&v->history, HISTORY_RECENT_MS)->rejected;
}

// The state in one sentence, plain ASCII: first what is wrong, or that nothing is.
void status_view_sentence(struct buf *out, const struct status_view *v);

// One source, and one rejected line, as the members of a JSON object; whoever sees its text also sees whose it was.
void status_view_json_source(struct buf *out, const struct status_view_source *row);
void status_view_json_rejection(struct buf *out, const struct status_view_rejection *row,
                                bool shows_text);

extern const struct status_view_form
    status_view_json_form; // JSON; virtrigaud-exporter(8) documents the keys

#endif
