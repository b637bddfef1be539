// SPDX-License-Identifier: Apache-2.0
#include "series/match.h"

#include "base/invariant.h"
#include "base/text.h"
#include "series/key.h"

#include <string.h>

int match_label(const struct metric *m, const char *name)
{
    for (size_t i = 0; i < m->n_labels; i++) {
        if (strcmp(m->labels[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void match_add(struct match *match, int label, struct slice value)
{
    invariant(label >= 0 && match->n < MATCH_MAX_LABELS, "a match has room for each label");
    text_label_value(&match->values, value.p, value.len);
    match->labels[match->n] = (size_t)label;
    match->ends[match->n++] = match->values.len;
}

bool match_has(const struct match *match, const struct metric *m, const char *key)
{
    if (match->values.failed) {
        return false;
    }
    struct slice values[CATALOG_MAX_LABELS];
    if (match->n > 0) {
        key_split(m, key, values);
    }
    size_t from = 0;
    for (size_t k = 0; k < match->n; k++) {
        struct slice value = values[match->labels[k]];
        size_t len = match->ends[k] - from;
        if (value.len != len || (len > 0 && memcmp(match->values.p + from, value.p, len) != 0)) {
            return false;
        }
        from = match->ends[k];
    }
    return true;
}

void match_clear(struct match *match)
{
    match->n = 0;
    buf_clear(&match->values);
}

void match_free(struct match *match)
{
    buf_free(&match->values);
    *match = MATCH_INIT;
}
