// SPDX-License-Identifier: Apache-2.0
#include "event/recipe.h"

#include "base/invariant.h"

// ---- Making

static const unsigned char *map_of(const struct schema *schema, const struct line_template *t,
                                   const struct family *f)
{
    static const unsigned char itself[CATALOG_MAX_LABELS] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                             8, 9, 10, 11, 12, 13, 14, 15};
    for (size_t i = 0; t->event != NULL && i < t->event->n_updates; i++) {
        if (&schema->families[t->event->updates[i].metric] == f) {
            return t->event->updates[i].map;
        }
    }
    return itself;
}

static bool is_several(const struct line_template *t)
{
    return t->has_count || t->has_list;
}

static struct recipe_step step_of(const struct schema *schema, const struct plan_update *u,
                                  const struct line_template *t)
{
    enum apply_step step = apply_step(u->family->metric, u->op);
    bool takes_constant = !u->takes_number && u->n_values == 0;
    struct recipe_step s = {.family = u->family,
                            .map = map_of(schema, t, u->family),
                            .offset = step >= APPLY_SET ? offsetof(struct record, number) : 0,
                            .step = (uint8_t)step,
                            .op = (uint8_t)u->op,
                            .takes_number = u->takes_number,
                            .takes_list = u->n_values > 0};
    if (takes_constant) {
        s.constant = is_several(t) ? u->each : u->value;
        s.whole = step == APPLY_COUNT && cell_is_whole(s.constant);
    }
    s.native = u->family->has_native;
    return s;
}

static bool is_same_step(const struct recipe_step *a, const struct recipe_step *b)
{
    return a->family == b->family && a->op == b->op && a->takes_number == b->takes_number &&
           a->takes_list == b->takes_list &&
           memcmp(&a->constant, &b->constant, sizeof a->constant) == 0;
}

static bool is_same(const struct recipe *a, const struct recipe *b)
{
    unsigned same = 0;
    if (a->target.what != b->target.what || a->target.labels != b->target.labels || a->n != b->n) {
        return false;
    }
    while (same < a->n && is_same_step(&a->steps[same], &b->steps[same])) {
        same++;
    }
    return same == a->n;
}

static bool is_distinct(const struct recipe *r)
{
    for (unsigned i = 1; i < r->n; i++) {
        for (unsigned k = 0; k < i; k++) {
            if (r->steps[i].family == r->steps[k].family) {
                return false;
            }
        }
    }
    return true;
}

unsigned recipe_find(struct recipes *all, const struct schema *schema,
                     const struct plan_update *updates, size_t n, const struct line_template *t)
{
    invariant(all->n < RECIPE_MOST && n <= RECIPE_UPDATES, "there is room for a recipe");
    struct recipe *fresh = &all->list[all->n];
    *fresh = (struct recipe){
        .target = t->target, .n = (uint8_t)n, .several = is_several(t), .words = APPLY_OWN_WORDS};
    for (size_t i = 0; i < n; i++) {
        const struct table *table = updates[i].family->table;
        struct recipe_step *s = &fresh->steps[i];
        *s = step_of(schema, &updates[i], t);
        fresh->owned |= table_has_expiry(table);
        fresh->drops |= table->single;
        fresh->exemplars |= table->type != METRIC_GAUGE;
        fresh->not_negative |= s->takes_number && s->step == APPLY_COUNT;
        fresh->words = (uint16_t)(fresh->words + apply_words(s->family, 0));
        fresh->n_native = (uint8_t)(fresh->n_native + s->native);
        fresh->native_step = s->native ? (uint8_t)i : fresh->native_step;
    }
    fresh->distinct = is_distinct(fresh);
    fresh->simple = !fresh->owned && fresh->n_native == 0 && !fresh->several;
    fresh->native_one = !fresh->owned && fresh->n_native == 1 && !fresh->several;
    fresh->size = (uint16_t)(n * sizeof(struct recipe_series) + fresh->n_native * sizeof(uint32_t));
    unsigned place = 0;
    while (place < all->n && !is_same(&all->list[place], fresh)) {
        place++;
    }
    all->n += place == all->n;
    all->native |= fresh->n_native > 0;
    return place;
}

// ---- Applying

// A count always fits. In a session there must be room for the words of the redo record.
bool recipe_fits_several(const struct recipe *r, const struct line *line,
                         const struct transaction *transaction)
{
    size_t n = line->template->has_list ? line->n : 0;
    size_t words = APPLY_OWN_WORDS;
    for (size_t i = 0; i < n; i++) {
        if (fabs(line->list[i]) > RECIPE_MAX_NUMBER) {
            return false;
        }
    }
    for (unsigned i = 0; i < r->n; i++) {
        words += apply_words(r->steps[i].family, r->steps[i].takes_list ? n : 0);
    }
    return transaction == NULL || redo_has_room(transaction->redo, words);
}

bool recipe_natives_add_list(struct recipe_natives *natives, const struct recipe_step *step,
                             const struct line *line, struct native_block *b)
{
    uint32_t n = line->n;
    uint32_t most = step->family->native.max_buckets;
    if (n > RECIPE_NATIVES - natives->n ||
        native_reserve_list(b, most, line->list, n, natives->slots + natives->n) < n) {
        return false;
    }
    natives->n += n;
    natives->blocks[natives->n_blocks] = b;
    natives->ends[natives->n_blocks++] = natives->n;
    return true;
}

// What an update adds or sets.
static double value_of(const struct recipe *r, const struct recipe_step *step,
                       const struct line *line)
{
    double times = r->several ? line->n : 1;
    return step->takes_number ? line->number : step->constant * times;
}

void recipe_apply_natives(const struct recipe_natives *natives)
{
    const uint16_t *slot = natives->slots;
    for (uint32_t i = 0; i < natives->n_blocks; i++) {
        struct native_block *b = natives->blocks[i];
        for (const uint16_t *end = natives->slots + natives->ends[i]; slot < end; slot++) {
            apply_native(&b->slot[*slot].count);
        }
    }
}

static void write_natives(const struct recipe *r, const struct recipe_natives *natives,
                          struct redo *redo)
{
    const uint16_t *slot = natives->slots;
    for (uint32_t i = 0; i < r->n_native; i++) {
        const uint16_t *end = natives->slots + natives->ends[i];
        if (r->distinct) {
            redo_put_native(redo, natives->blocks[i], slot, (size_t)(end - slot));
        } else {
            redo_native(redo, natives->blocks[i], slot, (size_t)(end - slot));
        }
        slot = end;
    }
}

void recipe_apply_several(const struct recipe *r, const struct recipe_series *series, char *base,
                          const struct line *line)
{
    for (unsigned i = 0; i < r->n; i++) {
        const struct recipe_step *s = &r->steps[i];
        char *cell = arena_at(base, series[i].cell);
        if (s->takes_list) {
            apply_list(s->family, cell, line->list, line->n);
        } else {
            apply_update(s->family, s->step, cell + s->offset, value_of(r, s, line));
        }
    }
}

// A word may be written twice.
static __attribute__((noinline)) void write_all(const struct recipe *r,
                                                const struct recipe_series *series, char *base,
                                                const struct line *line, struct redo *redo)
{
    for (unsigned i = 0; i < r->n; i++) {
        const struct recipe_step *s = &r->steps[i];
        char *cell = arena_at(base, series[i].cell);
        if (s->takes_list) {
            apply_write_list(redo, s->family, cell, line->list, line->n);
        } else {
            apply_write(redo, s->family, s->step, cell + s->offset, value_of(r, s, line));
        }
    }
}

static inline void put(const struct recipe *r, const struct recipe_series *series, char *base,
                       const struct line *line, struct redo *redo)
{
    for (const struct recipe_step *s = r->steps, *end = s + r->n; s < end; s++, series++) {
        char *cell = arena_at(base, series->cell);
        if (s->takes_list) {
            apply_put_list(redo, s->family, cell, line->list, line->n);
        } else {
            apply_put(redo, s->family, s->step, cell + s->offset, value_of(r, s, line));
        }
    }
}

void recipe_apply_in_session(const struct recipe *r, const struct recipe_series *series, char *base,
                             const struct line *line, const struct recipe_natives *natives,
                             struct transaction *transaction)
{
    if (r->n_native > 0) {
        write_natives(r, natives, transaction->redo);
    }
    if (r->distinct) {
        put(r, series, base, line, transaction->redo);
    } else {
        write_all(r, series, base, line, transaction->redo);
    }
    apply_commit(transaction, transaction->applied);
}
