// SPDX-License-Identifier: Apache-2.0
/*
 * view: what is shown of the daemon, as a page for people (web/page) and as JSON (web/status_json).
 *
 * Shape:   view_begin; then for each part in the order of enum view_part: view_part, its rows, view_part_end; then
 *          view_end. Who fills it knows nothing of forms; a form knows nothing of where the figures come from.
 * Bounds:  VIEW_METRICS, VIEW_SOURCES, VIEW_REFUSALS rows, and VIEW_TEXT_MAX bytes of a text; how many rows were
 *          left out is shown.
 * Threads: one owner.
 * Memory:  writes into a borrowed buf, which keeps the error; rows are borrowed for the call.
 */
#ifndef VE_WEB_VIEW_H
#define VE_WEB_VIEW_H

#include "base/buf.h"

enum view_part { VIEW_COMPONENT, VIEW_SOURCE, VIEW_REFUSAL, VIEW_METRIC, VIEW_PARTS };

enum {
    VIEW_METRICS = 1000,
    VIEW_SOURCES = 1000,
    VIEW_REFUSALS = 50,
    VIEW_TEXT_MAX = 512 // bytes of a help, an instance or a detail
};

// The daemon as a whole. Times are CLOCK_REALTIME.
struct view_facts {
    const char *version;
    const char *revision;
    uint64_t now_ms;
    uint64_t start_ms;
    bool ready;
    bool reload_ok;
    uint64_t reload_ms;
    bool state_kept; // there is to be a state file
    bool state_ok;
    const char *state_trouble; // why it is not, or NULL
    uint64_t state_bytes;
    uint64_t state_set_aside;
    uint64_t series;
    uint64_t series_limit;
    uint32_t connections;
    uint64_t refusals_untold; // that are in no row, since the start
    bool shows_texts;         // of refused lines
};

// What became of a component's lines.
struct view_component {
    const char *name;
    uint64_t applied;
    uint64_t refused;
    uint64_t lost;
    double per_second; // applied, of late; negative: not known
};

struct view_source {
    const char *component;
    struct slice instance; // any text
    bool connected;
    uint64_t heard_ms; // 0: not yet
    uint64_t lost;     // by its own word
};

struct view_refusal {
    uint64_t at_ms;
    const char *reason;
    const char *component;
    const char *instance; // "": none
    uint64_t line;        // 0: of a datagram
    const char *metric;   // or event; "": none known
    const char *detail;
    struct slice text; // the beginning of the line, any bytes; p NULL: not to be shown
    size_t line_len;   // bytes of the line; 0: not known
};

struct view_metric {
    const char *name;
    const char *type;
    const char *help;
    uint64_t series;
    uint64_t limit;
    double per_second; // negative: not known, or a gauge
    uint64_t folded;
    uint64_t expired;
};

struct view;

struct view_form {
    const char *type;   // Content-Type
    const char *policy; // Content-Security-Policy
    void (*begin)(struct view *v, const struct view_facts *facts);
    void (*part)(struct view *v, enum view_part part);
    void (*component)(struct view *v, const struct view_component *row);
    void (*source)(struct view *v, const struct view_source *row);
    void (*refusal)(struct view *v, const struct view_refusal *row);
    void (*metric)(struct view *v, const struct view_metric *row);
    void (*part_end)(struct view *v, enum view_part part);
    void (*end)(struct view *v);
};

extern const struct view_form page_form;
extern const struct view_form status_json_form;

// A view that is being written.
struct view {
    struct buf *out; // borrowed
    const struct view_form *form;
    const char *telemetry_path; // decoded
    uint64_t now_ms;
    bool shows_texts;
    uint64_t rows; // of the present part, so far
    uint64_t left_out;
};

void view_begin(struct view *v, const struct view_facts *facts);
void view_part(struct view *v, enum view_part part);
void view_component(struct view *v, const struct view_component *row);
void view_source(struct view *v, const struct view_source *row);
void view_refusal(struct view *v, const struct view_refusal *row);
void view_metric(struct view *v, const struct view_metric *row);
void view_part_end(struct view *v, enum view_part part);
void view_end(struct view *v);

#endif
