// SPDX-License-Identifier: Apache-2.0
#include "event/forget.h"

#include "base/text.h"
#include "series/idset.h"
#include "series/key.h"

#include <stdlib.h>
#include <string.h>

enum { AHEAD = 8 }; // the slot of which the record is asked for, before it is looked at

struct forget {
    struct control_forget what; // borrows from `bytes`
    uint64_t generation;        // of the schema that is walked; 0: none yet
    size_t metric;              // the next ones of it
    uint32_t slot;
    uint32_t end; // of the metric, when its turn came: what is made later is not looked for
    uint64_t removed;
    struct buf values; // what the labels of the present metric must read
    char bytes[];
};

struct forget *forget_new(const struct control_forget *what)
{
    size_t size = 0;
    for (size_t k = 0; k < what->n_labels; k++) {
        size += strlen(what->labels[k].name) + 1 + what->labels[k].value.len;
    }
    struct forget *f = calloc(1, sizeof *f + size);
    if (f == NULL) {
        return NULL;
    }
    char *at = f->bytes;
    f->what.n_labels = what->n_labels;
    for (size_t k = 0; k < what->n_labels; k++) {
        size_t name = strlen(what->labels[k].name) + 1;
        struct slice value = what->labels[k].value;
        f->what.labels[k].name = memcpy(at, what->labels[k].name, name);
        f->what.labels[k].value = (struct slice){at + name, value.len};
        memcpy(at + name, value.p, value.len);
        at += name + value.len;
    }
    return f;
}

// What the labels of a metric's series must read. Their text is stored in the forget's `values`.
struct wanted {
    size_t n;
    size_t places[CONTROL_MAX_LABELS];
    size_t ends[CONTROL_MAX_LABELS]; // in the values
};

// Returns whether the metric declares all these labels, and its series may have the values.
static bool want(struct forget *f, const struct metric *m, struct wanted *ret)
{
    const struct control_forget *what = &f->what;
    buf_clear(&f->values);
    ret->n = what->n_labels;
    for (size_t k = 0; k < what->n_labels; k++) {
        size_t i = 0;
        while (i < m->n_labels && strcmp(m->labels[i].name, what->labels[k].name) != 0) {
            i++;
        }
        struct slice sent = what->labels[k].value;
        size_t len;
        const char *value = i < m->n_labels
                                ? catalog_resolve_label(m->labels[i].def, sent.p, sent.len, &len)
                                : NULL;
        if (value == NULL) {
            return false;
        }
        text_label_value(&f->values, value, len);
        ret->places[k] = i;
        ret->ends[k] = f->values.len;
    }
    return !f->values.failed;
}

static bool has_wanted(const struct forget *f, const struct wanted *w, const struct slice *values)
{
    size_t from = 0;
    for (size_t k = 0; k < w->n; k++) {
        struct slice value = values[w->places[k]];
        if (value.len != w->ends[k] - from || memcmp(f->values.p + from, value.p, value.len) != 0) {
            return false;
        }
        from = w->ends[k];
    }
    return true;
}

// Looks at that many slots at most, or to the metric's end. Returns at how many.
static uint32_t walk(struct forget *f, const struct family *family, const struct origin *origin,
                     uint32_t most)
{
    struct wanted w = {0};
    struct table *t = family->table;
    if (!want(f, family->metric, &w)) {
        f->slot = f->end;
        return 1;
    }
    uint32_t from = f->slot;
    uint32_t to = f->end - from < most ? f->end : from + most;
    for (; f->slot < to; f->slot++) {
        struct series *ahead = f->slot + AHEAD < to ? table_at(t, f->slot + AHEAD) : NULL;
        if (ahead != NULL) {
            __builtin_prefetch(ahead->record);
        }
        struct series *s = table_at(t, f->slot);
        if (s == NULL || !owner_has_series(t, s, &origin->owner)) {
            continue;
        }
        size_t len;
        struct slice values[CATALOG_MAX_LABELS];
        const char *key = series_text(s, &len);
        key_split(family->metric, key, values);
        f->removed += has_wanted(f, &w, values) &&
                      permission_find_misfit(origin->permission, family->metric, key) == NULL &&
                      table_remove(t, s);
    }
    return f->slot - from + 1;
}

// It ends: each call goes on in a walk of what the metrics had when their turn came, and starts over after a reload only.
bool forget_step(struct forget *f, struct series_store *store, const struct origin *origin,
                 uint32_t slots)
{
    const struct schema *schema = schema_current(store);
    if (f->generation != schema->generation) {
        f->generation = schema->generation;
        f->metric = 0;
        f->slot = f->end = 0;
    }
    for (uint32_t done = 0; done < slots && f->metric < schema->catalog->n_metrics;) {
        const struct family *family = &schema->families[f->metric];
        f->end = f->slot > 0 ? f->end : table_slots(family->table);
        if (permission_can_push_metric(origin->permission, f->metric)) {
            done += walk(f, family, origin, slots - done);
        } else {
            f->slot = f->end;
            done++;
        }
        if (f->slot >= f->end) {
            f->metric++;
            f->slot = 0;
        }
    }
    return f->metric >= schema->catalog->n_metrics;
}

uint64_t forget_end(struct forget *f)
{
    uint64_t removed = f->removed;
    buf_free(&f->values);
    free(f);
    return removed;
}
