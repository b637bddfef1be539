// SPDX-License-Identifier: Apache-2.0
/*
 * recipe: which updates the lines of a template make, without their series.
 *
 * Shape:   a recipe is made from the plan of a line that was applied. Lines of the same target have the same recipe where the
 *          same conditions of an event hold, so there are few. With the series of a line (event/cache) it is applied.
 * Threads: one owner, inside an RCU section. Memory: a recipe borrows from the schema, whose generation it is of.
 */
#ifndef VE_EVENT_RECIPE_H
#define VE_EVENT_RECIPE_H

#include "event/apply.h"
#include "event/line_template.h"

#include <math.h>

enum {
    RECIPE_UPDATES = 16,
    RECIPE_MOST = 256,
    RECIPE_NATIVES = 2 * SAMPLE_MAX_VALUES, // a line with more goes by way of a plan
};

// Above this a number goes by way of a plan: that keeps sums finite. Below it no sum can overflow.
#define RECIPE_MAX_NUMBER 1e15

// One update.
struct recipe_step {
    const struct family *family;
    const unsigned char *map; // which declared label each of the metric's labels is
    double constant;          // the value for one happening, unless it is the line's number
    uint16_t offset;          // of the number in what the series' cell is
    uint8_t step;             // enum apply_step
    uint8_t op;               // enum update_op
    bool takes_number;
    bool takes_list;
    bool whole;  // the constant, which is added to a counter
    bool native; // its observations are counted in native buckets too
};

struct recipe {
    struct template_target target;
    uint8_t n;           // steps
    uint8_t n_native;    // of these
    bool owned;          // a series of it gets its owner or time whenever it is updated
    bool drops;          // it may remove another series (owner_add)
    bool exemplars;      // it takes some
    bool not_negative;   // a counter takes the number
    bool several;        // the line says of how many happenings it is
    bool simple;         // neither owned, nor with native steps, nor several
    bool native_one;     // simple but for one native step
    uint8_t native_step; // the last one of these
    uint16_t size;  // of the series of a line, with the handles of its native blocks (event/cache)
    uint16_t words; // of a redo record that a line with one happening changes at most
    bool distinct;  // each update is of another metric
    struct recipe_step steps[RECIPE_UPDATES];
};

// The series of an update.
struct recipe_series {
    uint32_t slot; // in its table
    uint32_t uses; // of the slot
    uint32_t cell; // of the lane, or the record that has the gauge: handle in the arena
};

// Where the observations of one line are counted in native buckets, by the recipe's steps and the line's values.
struct recipe_natives {
    uint32_t n;
    uint32_t n_blocks;
    uint16_t slots[RECIPE_NATIVES];              // of the blocks
    struct native_block *blocks[RECIPE_UPDATES]; // of each native step
    uint32_t ends[RECIPE_UPDATES];               // of these among the slots
};

struct recipes {
    unsigned n;
    bool native; // some have native steps
    struct recipe list[RECIPE_MOST];
};

// The place of the recipe of 1 to RECIPE_UPDATES updates, made where there is none yet, for which there must be room.
unsigned recipe_find(struct recipes *all, const struct schema *schema,
                     const struct plan_update *updates, size_t n, const struct line_template *t);

// recipe_fits where the line says of how many happenings it is.
bool recipe_fits_several(const struct recipe *r, const struct line *line,
                         const struct transaction *transaction);
// Empties it for another line.
static inline void recipe_natives_begin(struct recipe_natives *natives)
{
    natives->n = 0;
    natives->n_blocks = 0;
}
// recipe_natives_add where the step takes the line's list.
bool recipe_natives_add_list(struct recipe_natives *natives, const struct recipe_step *step,
                             const struct line *line, struct native_block *b);
void recipe_apply_several(const struct recipe *r, const struct recipe_series *series, char *base,
                          const struct line *line);
// Counts in the native buckets.
void recipe_apply_natives(const struct recipe_natives *natives);
// recipe_apply in a session, whose redo record changes the series.
void recipe_apply_in_session(const struct recipe *r, const struct recipe_series *series, char *base,
                             const struct line *line, const struct recipe_natives *natives,
                             struct transaction *transaction);

// Whether a number, which is 0 in a line without one, may be applied without a plan.
static inline bool recipe_takes(const struct recipe *r, double number)
{
    return fabs(number) <= RECIPE_MAX_NUMBER && !(r->not_negative && number < 0);
}

// Whether the line's numbers may be applied without a plan.
static inline bool recipe_fits(const struct recipe *r, const struct line *line,
                               const struct transaction *transaction)
{
    if (r->several) {
        return recipe_fits_several(r, line, transaction);
    }
    return recipe_takes(r, line->number) && (r->words <= REDO_WORDS || transaction == NULL ||
                                             redo_has_room(transaction->redo, r->words));
}

static inline double recipe_value(const struct recipe_step *step, double number)
{
    return step->takes_number ? number : step->constant;
}

// Adds the buckets of the next native step's observations, all in one block. Returns whether they are there.
static inline bool recipe_natives_add(struct recipe_natives *natives,
                                      const struct recipe_step *step, const struct line *line,
                                      struct native_block *b)
{
    if (step->takes_list) {
        return recipe_natives_add_list(natives, step, line, b);
    }
    uint32_t slot =
        native_reserve_slot(b, step->family->native.max_buckets, recipe_value(step, line->number));
    if (slot == NATIVE_NO_SLOT || natives->n == RECIPE_NATIVES) {
        return false;
    }
    natives->slots[natives->n++] = (uint16_t)slot;
    natives->blocks[natives->n_blocks] = b;
    natives->ends[natives->n_blocks++] = natives->n;
    return true;
}

// Known where it is passed, so that it is inlined.
typedef size_t cell_bucket_fn(const double *bounds, size_t n, double v);

// Here a cached line with one happening changes its series, in the arena that begins at `base`.
static inline __attribute__((always_inline)) void
recipe_apply_one(const struct recipe *r, const struct recipe_series *series, char *base,
                 double number, cell_bucket_fn *bucket)
{
    for (const struct recipe_step *s = r->steps, *end = s + r->n; s < end; s++, series++) {
        char *cell = arena_at(base, series->cell);
        if (s->step == APPLY_OBSERVE) {
            const struct metric *m = s->family->metric;
            double v = recipe_value(s, number);
            cell_observe((void *)cell, bucket(m->bounds, m->n_bounds, v), v);
        } else if (!s->whole || !cell_count_whole((void *)cell, (uint64_t)(int64_t)s->constant)) {
            apply_update(s->family, s->step, cell + s->offset, recipe_value(s, number));
        }
    }
}

// The same for any line. `natives` are those of a recipe with native steps.
static inline void recipe_apply(const struct recipe *r, const struct recipe_series *series,
                                char *base, const struct line *line,
                                const struct recipe_natives *natives)
{
    if (r->n_native > 0 && natives->n == 1) {
        apply_native(&natives->blocks[0]->slot[natives->slots[0]].count);
    } else if (r->n_native > 0) {
        recipe_apply_natives(natives);
    }
    if (r->several) {
        recipe_apply_several(r, series, base, line);
    } else {
        recipe_apply_one(r, series, base, line->number, cell_bucket);
    }
}

#endif
