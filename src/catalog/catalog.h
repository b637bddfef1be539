// SPDX-License-Identifier: Apache-2.0
/*
 * catalog: what may exist. Metrics with their types, labels and bounds; labels with their known values;
 * events that update several metrics at once.
 *
 * Shape:   plain arrays that never change once loaded. A metric, an event and a label definition are
 *          known by their position; the order of metrics is the order of the exposition.
 * Threads: read-only once loaded; any number of readers.
 * Memory:  everything reachable from a catalogue belongs to it; catalog_free frees it.
 * Source:  virtrigaud-catalog(5); names as in Prometheus text 0.0.4 and OpenMetrics 1.0.0.
 */
#ifndef VE_CATALOG_CATALOG_H
#define VE_CATALOG_CATALOG_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum {
    CATALOG_MAX_LABELS = 16,           // labels of one metric or event
    CATALOG_MAX_METRICS = 1000,        //
    CATALOG_MAX_EVENTS = 1000,         //
    CATALOG_MAX_UPDATES = 16,          // updates of one event
    CATALOG_MAX_NATIVE_BUCKETS = 1000, // that a series has at most
    CATALOG_MAX_BOUNDS = 128,          // bounds of one histogram, +Inf aside
    CATALOG_OPENING = 32,        // bytes that are there of a label's opening, if it has not more
    CATALOG_BOUNDS_PAD = 20,     // more +Inf behind them, so that as many can be looked at together
    CATALOG_MAX_VALUES = 1000,   // known values of one label, and aliases of one label
    CATALOG_MAX_COMPONENTS = 16, // "unknown" among them
    CATALOG_MAX_LABEL_VALUE = 256 // bytes of a label's value
};

// Components are numbers: positions in catalog.components.
enum component {
    COMPONENT_UNKNOWN = 0,
    COMPONENT_MANAGER = 1,
    COMPONENT_PROVIDER = 2,
    COMPONENT_ANY = 255
};

// Another spelling of a label's value, rewritten before anything else looks at it.
struct label_alias {
    char *alias; // as sent
    char *value; // one of the definition's values
};

// What a label's values may be. An open definition accepts any value.
struct label_def {
    char *name; // a label is bound to the definition of its own name unless it names another
    char *help; // "" when there is none
    bool closed;
    bool implied;    // in no file: for a label without a definition (open, no values)
    char *otherwise; // takes the place of a value that a closed definition does not list; or NULL
    char *empty;     // takes the place of an empty value; or NULL
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
    // Of a metric that is pre-created: the values of which each exists; 0: the group has one.
    size_t n_precreated;
    char *const *precreated;
    bool precreated_component; // the group's one is the component that the hello names
};

// A named list of bounds, kept for printing the catalogue as it was written.
struct bounds {
    char *name;
    size_t n;
    double *values; // ascending, finite
};

// How the native form of a histogram is kept, and shown in protobuf.
struct metric_native {
    enum {
        METRIC_NATIVE_DEFAULT,
        METRIC_NATIVE_OFF,
        METRIC_NATIVE_ON
    } wanted;             // default: as the flag says
    double factor;        // by which a bucket is larger than the one before it, at most
    uint64_t max_buckets; // that a series has at most
    bool classic;         // protobuf has the classic form too
    bool enabled;         // wanted, by itself or by the flag
};

#define CATALOG_NATIVE_FACTOR 1.1
#define CATALOG_NATIVE_BUCKETS 160

struct metric {
    char *name;
    char *help;
    char *unit; // "" when none is declared
    enum metric_type type;
    unsigned component; // who pushes it: a component's number or COMPONENT_ANY
    size_t n_labels;
    struct label *labels; // in exposition order
    size_t n_ignored;
    char **ignored; // labels that are accepted and dropped
    size_t n_bounds;
    double *bounds;        // histograms: ascending and finite, then CATALOG_BOUNDS_PAD of +Inf
    char *bounds_name;     // the list that it names, or NULL when it has its own or none
    uint64_t series_limit; // 0: the default of the configuration
    uint64_t ttl_ms;       // 0: none
    bool precreate;        // a group exists once the values that it has one of are known
    bool owned;            // `owner: source`; gauges only
    struct metric_native native; // histograms
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
    size_t n_ignored;
    char **ignored; // as of a metric
    size_t n_updates;
    struct update *updates;
};

struct catalog {
    size_t n_components;
    // [0] "unknown", [1] "manager", [2] "provider", then declared ones
    char *components[CATALOG_MAX_COMPONENTS];
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

// For who reads one. Returns a new catalogue with the three components that always exist, or NULL.
struct catalog *catalog_new(void);
// Zeroed memory that lives as long as the catalogue, never NULL for n == 0; or NULL.
void *catalog_alloc(struct catalog *c, size_t n, size_t size);
// Makes the look-ups of metrics and events. Returns 0 or -ENOMEM.
int catalog_index(struct catalog *c);

void catalog_free(struct catalog *c);

// Positions by name (not NUL-terminated); -1 when there is none.
int catalog_find_metric(const struct catalog *c, const char *name, size_t len);
int catalog_find_event(const struct catalog *c, const char *name, size_t len);
int catalog_find_component(const struct catalog *c, const char *name, size_t len);

// The value after aliases, not NUL-terminated: points to `value` itself or into the definition, with its length in
// *ret_len. NULL when the definition is closed and does not list it.
const char *catalog_find_value(const struct label_def *def, const char *value, size_t len,
                               size_t *ret_len);
// The same of a value that was sent: what is not listed is replaced by `otherwise`, an empty one by `empty`, where the
// definition has them.
const char *catalog_resolve_label(const struct label_def *def, const char *value, size_t len,
                                  size_t *ret_len);

// By enum metric_type: "counter", "gauge", "histogram".
extern const char *const catalog_type_names[];

/*
 * names: a look-up from names to positions.
 *
 * Shape:   open addressing, at most half full; names are borrowed and must outlive the table.
 *          A look-up takes about 270 instructions among 1,000 names of 40 bytes, where a binary search takes 650.
 * Threads: one owner while it is filled; then any number of readers.
 * Memory:  owns its slots; catalog_names_free gives them back.
 */

struct names_slot {
    const char *name; // NULL: empty
    size_t len;       // of the name
    size_t position;  // what it leads to
};

struct names {
    size_t cap; // slots, a power of two; 0 before the first name
    size_t n;   // slots in use
    struct names_slot *slots;
};

// Adds a name that is not in the table yet. Returns 0 or -ENOMEM.
int catalog_names_add(struct names *t, const char *name, size_t position);

// The position of a name (not NUL-terminated), or -1.
long catalog_names_find(const struct names *t, const char *name, size_t len);

void catalog_names_free(struct names *t);

#endif
