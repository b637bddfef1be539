// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "event/line.h"
#include "series/marks.h"

// Whether the metric declares all these labels, and at which places.
static bool declares(const struct metric *m, const struct control_forget *what, size_t *places)
{
    for (size_t k = 0; k < what->n_labels; k++) {
        size_t i = 0;
        while (i < m->n_labels && strcmp(m->labels[i].name, what->labels[k].name) != 0) {
            i++;
        }
        if (i == m->n_labels) {
            return false;
        }
        places[k] = i;
    }
    return true;
}

static uint64_t forget_family(struct event_reader *r, const struct family *f,
                              const struct control_forget *what, const struct event_origin *origin)
{
    size_t places[CONTROL_MAX_LABELS];
    if (!declares(f->metric, what, places)) {
        return 0;
    }
    uint64_t n = 0;
    for (uint32_t slot = 0; slot < table_slots(f->table); slot++) {
        struct series *s = table_at(f->table, slot);
        if (s == NULL ||
            !marks_has(f->table->share->base, series_marks(s), origin->claimant.base)) {
            continue;
        }
        size_t len;
        struct slice values[CATALOG_MAX_LABELS];
        const char *key = series_text(s, &len);
        key_split(f->metric, key, values);
        bool all = permit_misfit(origin->permit, f->metric, key) == NULL;
        for (size_t k = 0; all && k < what->n_labels; k++) {
            struct slice want =
                labels_value(f->metric->labels[places[k]].def, what->labels[k].value);
            buf_clear(&r->scratch);
            text_label_value(&r->scratch, want.p, want.p == NULL ? 0 : want.len);
            all = want.p != NULL && r->scratch.len == values[places[k]].len &&
                  memcmp(r->scratch.p, values[places[k]].p, r->scratch.len) == 0;
        }
        n += all && table_remove(f->table, s);
    }
    return n;
}

uint64_t event_forget(struct event_reader *r, const struct control_forget *what,
                      const struct event_origin *origin)
{
    uint64_t n = 0;
    const struct schema *schema = schema_current(r->store);
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        if (permit_metric(origin->permit, i)) {
            n += forget_family(r, &schema->families[i], what, origin);
        }
    }
    return n;
}
