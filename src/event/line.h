// SPDX-License-Identifier: Apache-2.0
/*
 * line: the insides of a line's way, shared by the files of event/.
 *
 * A line is planned first: every element (sample or event) becomes planned updates, each with its metric,
 * key and value, and every check that needs no new series is made. Then all series are placed (found, made
 * or folded) and claimed. Only then are the updates applied; until then everything can be taken back.
 */
#ifndef VE_EVENT_LINE_H
#define VE_EVENT_LINE_H

#include "event/event.h"
#include "event/json.h"

enum { LINE_CHAINS = 256 };

// One update of one series.
struct planned {
    const struct family *family;
    enum update_op op;
    double value;
    size_t key_at; // in reader.keys
    size_t key_len;
    uint64_t hash;
    struct series *series; // NULL until found
    void *cell;            // of a counter or histogram
    int element;           // of the batch, or -1
    json_t *exemplar;      // of the same tree as the line; NULL: none
    bool made;             // by this line: to be shown or undone
    bool folded;           // into the series whose open labels read `other`
    bool chained;          // in reader.made
    uint32_t next_made;    // of the same chain
};

struct event_reader {
    struct series_store *store;
    struct series_hand *hand;
    const struct schema *schema;       // of the present line
    const struct event_origin *origin; // of the present line
    struct json_memory memory;         // of the present line
    json_t *root;                      // in there; verdicts borrow from it
    struct buf scratch;                // for one step at a time
    struct buf probe;                  // a line that is tried and not applied
    struct buf spelling;               // of the present line
    struct buf keys;                   // of all planned updates
    struct memo *memo;                 // NULL: none
    struct context *contexts;          // origins that were seen, in a ring
    size_t next_context;
    uint64_t last_context;
    bool limited; // the memo knew the present line, but the permit's bucket is empty
    struct planned *plan;
    size_t n_plan;
    size_t cap_plan;
    double huge; // sum of the magnitudes of planned values, to keep sums finite
    size_t n_made;
    uint32_t made[LINE_CHAINS]; // chains of the series that this line made: place in `plan` + 1
};

// What an update does to its target: the lane's cell of a counter or histogram, or the gauge.
enum line_step { STEP_COUNT, STEP_OBSERVE, STEP_SET, STEP_ADD };

static inline enum line_step line_step(const struct metric *m, enum update_op op)
{
    return m->type == METRIC_COUNTER     ? STEP_COUNT
           : m->type == METRIC_HISTOGRAM ? STEP_OBSERVE
           : op == UPDATE_SET            ? STEP_SET
                                         : STEP_ADD;
}

static inline void line_observe(const struct family *f, void *cell, double v)
{
    cell_observe(cell, cell_bucket(f->metric->bounds, f->metric->n_bounds, v), v);
}

static inline void line_apply(const struct family *f, enum line_step step, void *target, double v)
{
    switch (step) {
    case STEP_COUNT:
        cell_count(target, v);
        break;
    case STEP_OBSERVE:
        line_observe(f, target, v);
        break;
    case STEP_SET:
        cell_set(target, v);
        break;
    case STEP_ADD:
        cell_add(target, v);
        break;
    }
}

// The same by way of a redo record.
static inline void line_note(struct redo *redo, const struct family *f, enum line_step step,
                             void *target, double v)
{
    switch (step) {
    case STEP_COUNT:
        redo_counter(redo, target, v);
        break;
    case STEP_OBSERVE:
        redo_histogram(redo, target, cell_bucket(f->metric->bounds, f->metric->n_bounds, v), v);
        break;
    case STEP_SET:
        redo_set(redo, target, v);
        break;
    case STEP_ADD:
        redo_add(redo, target, v);
        break;
    }
}

static inline const char *planned_key(const struct event_reader *r, const struct planned *p)
{
    return p->key_len > 0 ? r->keys.p + p->key_at : "";
}

// The labels of one element, by their positions in the declared list.
struct labels {
    const struct label *declared;
    size_t n;
    struct slice values[CATALOG_MAX_LABELS]; // as sent
    enum { LABEL_ABSENT, LABEL_TEXT, LABEL_NO_STRING } is[CATALOG_MAX_LABELS];
    bool by_default[CATALOG_MAX_LABELS]; // from the hello
    bool wanted[CATALOG_MAX_LABELS];     // needed by this element
};

// Sets a refusal; returns its reason.
enum reject line_refuse(struct event_verdict *v, enum reject reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

// sample.c: plans one element. Returns REJECT_NONE or the reason, with detail.
enum reject sample_plan(struct event_reader *r, json_t *element, int index,
                        struct event_verdict *v);

// labels.c: an element that may have these; then the checks of labels, one after the other over all labels.
void labels_begin(struct labels *l, const struct label *declared, size_t n);
enum reject labels_gather(struct labels *l, json_t *object, const struct event_defaults *defaults,
                          struct event_verdict *v);
enum reject labels_check(struct labels *l, struct event_verdict *v);
// The value after the definition's aliases. Only for labels that labels_check accepted.
struct slice labels_value(const struct label_def *def, struct slice value);

// What a line is told that the permit's bucket has no room for.
enum reject line_limited(const struct event_reader *r, struct event_verdict *v);

// What an update does, but for its series.
struct plan_update {
    const struct family *family;
    enum update_op op;
    double value;
    int element;      // as in struct planned
    json_t *exemplar; // likewise
};

// plan.c: adds an update of the series with these label values to the plan.
enum reject plan_add(struct event_reader *r, const struct plan_update *u,
                     const struct slice *values, struct event_verdict *v);

// exemplar.c
enum reject exemplar_check(json_t *exemplar, struct event_verdict *v);
// Keeps the exemplar of an update that was applied, if it has one and its series may.
void exemplar_note(struct event_reader *r, const struct planned *p);

// place.c: finds, makes or folds the series of a planned update, claims it and gets its cell.
enum reject place_planned(struct event_reader *r, struct planned *p, struct event_verdict *v);

// context.c
void context_free(struct event_reader *r);

// precreate.c: makes the siblings of a series that an event has just created.
void precreate_siblings(struct event_reader *r, const struct family *f, const char *key);

// control.c: whether an object is a control line (and no sample), and what it says.
bool control_is(json_t *object);
enum reject control_parse(const struct catalog *c, json_t *object, const char *line, size_t len,
                          struct control *ret, struct event_verdict *v);

#endif
