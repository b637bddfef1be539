// SPDX-License-Identifier: Apache-2.0
/*
 * catalog: what may exist. Metrics with their types, labels and bounds; labels with their known values;
 * events that update several metrics at once.
 *
 * Shape:   plain arrays that never change once loaded. A metric, an event and a label definition are
 *          known by their position; the order of metrics is the order of the exposition.
 * Threads: read-only after catalog_load; any number of readers.
 * Memory:  catalog_load returns a new catalogue, catalog_free gives all of it back. Everything reachable
 *          from a catalogue belongs to it.
 * Source:  virtrigaud-catalog(5); names as in Prometheus text 0.0.4 and OpenMetrics 1.0.0.
 */
#ifndef VE_CATALOG_CATALOG_H
#define VE_CATALOG_CATALOG_H

#include "base/buf.h"
#include "base/err.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum {
    CATALOG_MAX_LABELS = 16,     // labels of one metric or event
    CATALOG_MAX_METRICS = 1000,  //
    CATALOG_MAX_EVENTS = 1000,   //
    CATALOG_MAX_UPDATES = 16,    // updates of one event
    CATALOG_MAX_BOUNDS = 128,    // bounds of one histogram, +Inf aside
    CATALOG_OPENING = 32,        // bytes that are there of a label's opening, if it has not more
    CATALOG_BOUNDS_PAD = 16,     // more +Inf behind them, so that as many can be looked at together
    CATALOG_MAX_VALUES = 1000,   // known values of one label, and aliases of one label
    CATALOG_MAX_COMPONENTS = 16, // "unknown" among them
    CATALOG_MAX_LABEL_VALUE = 256 // bytes of a label's value
};

// Components are numbers: positions in catalog.components.
enum { COMPONENT_UNKNOWN = 0, COMPONENT_MANAGER = 1, COMPONENT_PROVIDER = 2, COMPONENT_ANY = 255 };

// Another spelling of a label's value, rewritten before anything else looks at it.
struct label_alias {
    char *from; // as sent
    char *to;   // one of the definition's values
};

// What a label's values may be. An open definition accepts any value.
struct label_def {
    char *
        name; // of the definition; a label is bound to the definition of its own name unless told otherwise
    char *help; // "" when there is none
    bool closed;
    bool
        implied; // not written in any file: made for a label without a definition (open, no values)
    size_t n_values;
    char **values;
    size_t n_aliases;
    struct label_alias *aliases;
};

// A label of a metric or of an event.
struct label {
    char *name;
    size_t name_len;
    // The name, then =", as it begins in a series' key. CATALOG_OPENING bytes can be read.
    char *opening;
    const struct label_def *def; // never NULL
};

// A named list of bounds, kept for printing the catalogue as it was written.
struct bounds {
    char *name;
    size_t n;
    double *at; // ascending, finite
};

struct metric {
    char *name;
    char *help;
    char *unit; // "" when none is declared
    enum metric_type type;
    unsigned component; // who pushes it: a component's number or COMPONENT_ANY
    size_t n_labels;
    struct label *labels; // in exposition order
    size_t n_bounds;
    double *bounds;        // histograms: ascending and finite, then CATALOG_BOUNDS_PAD of +Inf
    char *bounds_name;     // the list that it names, or NULL when it has its own or none
    uint64_t series_limit; // 0: the default of the configuration
    uint64_t ttl_ms;       // 0: none
    bool
        precreate; // all combinations of its closed labels exist as soon as the open ones are known
    bool owned;    // `owner: source`; gauges only
};

enum update_op { UPDATE_ADD, UPDATE_SET, UPDATE_OBSERVE };

// One condition of an update: the event's label has one of the values (after aliases).
struct condition {
    unsigned label; // position in the event's labels
    size_t n_values;
    char **values;
};

// What an event does to one metric.
struct update {
    enum update_op op;
    unsigned metric;     // position in catalog.metrics
    double by;           // for UPDATE_ADD: the constant to add
    size_t n_conditions; // all must hold
    struct condition *conditions;
    unsigned char map[CATALOG_MAX_LABELS]; // the metric's label i is the event's label map[i]
};

enum event_value { EVENT_VALUE_NONE, EVENT_VALUE_OPTIONAL, EVENT_VALUE_REQUIRED };

struct event {
    char *name;
    char *help; // "" when there is none
    char *unit; // of its value; "" when it has none
    enum event_value value;
    size_t n_labels;
    struct label *labels;
    size_t n_updates;
    struct update *updates;
};

struct catalog {
    size_t n_components;
    char *components
        [CATALOG_MAX_COMPONENTS]; // [0] "unknown", [1] "manager", [2] "provider", then declared ones
    size_t n_bounds;
    struct bounds *bounds;
    size_t n_defs;
    struct label_def *defs; // the written ones first, in order, then the implied ones
    size_t n_metrics;
    struct metric *metrics;
    size_t n_events;
    struct event *events;
    void *index; // name look-up, private to catalog.c
};

// Where a catalogue comes from.
struct catalog_input {
    size_t n_files;           // 0: the built-in catalogue
    const char *const *files; // read in order, later ones add to earlier ones
    const char *dir;          // *.yaml of it are added in name order; NULL: none
    bool dir_must_exist;      // else a missing one is the same as an empty one
};

// Loads and checks. Returns 0 and the catalogue; -EINVAL when anything is wrong (all of it is in errs);
// -ENOMEM.
int catalog_load(struct catalog **ret, const struct catalog_input *in, struct errs *errs);

// The same from bytes in memory, under the name `file` in problems; for tests and fuzzing.
int catalog_load_bytes(struct catalog **ret, const char *file, const char *bytes, size_t len,
                       struct errs *errs);

void catalog_free(struct catalog *c);

// Positions by name (not NUL-terminated); -1 when there is none.
int catalog_find_metric(const struct catalog *c, const char *name, size_t len);
int catalog_find_event(const struct catalog *c, const char *name, size_t len);
int catalog_find_component(const struct catalog *c, const char *name, size_t len);

// The value after aliases, still not NUL-terminated by contract of length: points to `value` itself or
// into the definition, with its length in *ret_len. NULL when the definition is closed and has no such value.
const char *label_resolve(const struct label_def *def, const char *value, size_t len,
                          size_t *ret_len);

// Prints the effective catalogue. The YAML loads back to the same catalogue.
void catalog_print_yaml(const struct catalog *c, struct buf *out);
void catalog_print_markdown(const struct catalog *c, struct buf *out);
void catalog_print_json(const struct catalog *c, struct buf *out);

// "counter", "gauge", "histogram".
const char *metric_type_name(enum metric_type t);

// The built-in catalogue's text, conf/catalog.yaml as compiled in.
extern const char catalog_builtin[];
extern const size_t catalog_builtin_len;

#endif
