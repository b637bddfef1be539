// SPDX-License-Identifier: Apache-2.0
#include "event/permit.h"

#include "base/text.h"
#include "series/key.h"

enum { BUCKET_NS = 1000000000 };

bool permit_metric(const struct permit *p, size_t metric)
{
    return p == NULL || (p->nothing == NULL && (p->metrics[metric / 8] >> metric % 8 & 1) != 0);
}

// Whether the escaped value of the label is the wanted one. A closed label that does not know it never has it.
static bool has_value(const struct label *l, struct slice escaped, const char *wanted)
{
    char room[2 * CATALOG_MAX_LABEL_VALUE];
    struct buf text = {.p = room, .cap = sizeof room, .max = sizeof room};
    size_t len;
    const char *value = label_resolve(l->def, wanted, strlen(wanted), &len);
    if (value == NULL) {
        return false;
    }
    text_label_value(&text, value, len);
    return !text.failed && text.len == escaped.len && memcmp(text.p, escaped.p, escaped.len) == 0;
}

const struct permit_label *permit_misfit(const struct permit *p, const struct metric *m,
                                         const char *key)
{
    struct slice values[CATALOG_MAX_LABELS];
    if (p == NULL || p->n_labels == 0) {
        return NULL;
    }
    key_split(m, key, values);
    for (size_t k = 0; k < p->n_labels; k++) {
        for (size_t i = 0; i < m->n_labels; i++) {
            if (strcmp(m->labels[i].name, p->labels[k].name) == 0 &&
                !has_value(&m->labels[i], values[i], p->labels[k].value)) {
                return &p->labels[k];
            }
        }
    }
    return NULL;
}

bool permit_series(const struct permit *p, const struct catalog *c, const struct metric *m,
                   const char *key)
{
    return permit_metric(p, (size_t)(m - c->metrics)) && permit_misfit(p, m, key) == NULL;
}

bool permit_spend(const struct permit *p, uint64_t now_ms, uint64_t n)
{
    if (p == NULL || p->interval_ns == 0 || n == 0) {
        return true;
    }
    uint64_t now = now_ms * 1000000;
    uint64_t cost = n * p->interval_ns;
    uint64_t most = now + (cost > BUCKET_NS ? cost : BUCKET_NS);
    uint64_t full = atomic_load_explicit(p->full_ns, memory_order_relaxed);
    uint64_t next;
    do {
        next = (full > now ? full : now) + cost;
        if (next > most) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(p->full_ns, &full, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

void permit_give_back(const struct permit *p, uint64_t n)
{
    if (p != NULL && p->interval_ns != 0) {
        atomic_fetch_sub_explicit(p->full_ns, n * p->interval_ns, memory_order_relaxed);
    }
}

void permit_hold(const struct permit *p, struct series_hand *hand)
{
    hand->payer = p != NULL ? p->payer : 0;
    hand->most_made = p != NULL ? p->series : 0;
}
