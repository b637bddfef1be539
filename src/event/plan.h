// SPDX-License-Identifier: Apache-2.0
/*
 * plan: what a sample, an event or a batch of them is going to do: a list of updates, each of one series.
 *
 * Shape:   every check that needs no new series is made, in the order of reject.def; each update has its metric, key and
 *          value, and its series if there is one. Nothing is changed yet. A plan has no reference to the sample that it
 *          was made from. event/place fills in what is missing, event/apply does it, event/cache keeps it for the next time.
 * Threads: a plan belongs to one thread, inside an RCU section from plan_begin on.
 * Memory:  a plan owns its list and texts, and uses them again. It borrows schema and origin.
 */
#ifndef VE_EVENT_PLAN_H
#define VE_EVENT_PLAN_H

#include "event/origin.h"
#include "event/sample.h"
#include "series/schema.h"

enum { PLAN_MAX_EXEMPLAR = 128 }; // characters of an exemplar's label names and values

// One update of one series.
struct plan_update {
    const struct family *family;
    enum update_op op;
    int element;       // of the batch, or -1
    double value;      // the last one of a list
    double each;       // of a constant that is added: its part for one happening
    size_t values_at;  // of a list of observations: in plan.values, in bytes
    uint32_t n_values; // 0: no list
    bool takes_number; // the value is what the line says as its `value`, and no constant
    bool made;         // by this line: to be shown or undone
    bool folded;       // into the series whose open labels read `other`
    size_t key_at;     // in plan.keys
    size_t key_len;
    uint64_t hash;         // of the key
    struct series *series; // NULL until found
    void *cell;            // of a counter or histogram, once it is placed
    size_t exemplar_at;    // in plan.exemplars: its labels, as they stand behind a sample
    size_t exemplar_len;   // 0: none
    uint64_t exemplar_ms;  // its time; 0: none said
};

// Zero it before its first use.
struct plan {
    const struct schema *schema;
    const struct origin *origin;
    unsigned lane; // of the thread
    struct plan_update *updates;
    size_t n;
    size_t cap;
    size_t n_events; // samples and events of the line
    size_t n_made;   // series that the line has made
    double huge;     // sum of the magnitudes of the values, to keep sums finite
    struct buf keys; // of all updates
    struct buf exemplars;
    struct buf values; // doubles of lists
};

static inline const char *plan_key(const struct plan *p, const struct plan_update *u)
{
    return u->key_len > 0 ? p->keys.p + u->key_at : "";
}

// The observations of an update with a list.
static inline const double *plan_values(const struct plan *p, const struct plan_update *u)
{
    return (const double *)(const void *)(p->values.p + u->values_at);
}

// Empties the plan, which is for this schema and origin next. Gives memory back after an unusually large line.
void plan_begin(struct plan *p, const struct schema *schema, const struct origin *origin,
                unsigned lane);
void plan_free(struct plan *p);

// Adds what a sample or event does; sets its labels to what they are after defaults and aliases. Returns REJECT_NONE or the
// reason, with all of `why` but the element; then the updates of those before it are in the plan.
enum reject_reason plan_sample(struct plan *p, struct sample *s, struct rejection *why);
// Adds an update of a series that was found otherwise; the rest is the caller's to set. NULL: no memory.
struct plan_update *plan_add_placed(struct plan *p, struct series *series);
// The checks of an exemplar by itself.
enum reject_reason plan_check_exemplar(const struct sample_exemplar *e, struct rejection *why);
// Gives the exemplar to the updates from this one on.
void plan_add_exemplar(struct plan *p, const struct sample_exemplar *e, size_t from);

#endif
