// SPDX-License-Identifier: Apache-2.0
#include "event/line.h"

#include <jansson.h>

static bool is_named(const struct label *l, const char *name, size_t len)
{
    return l->name_len == len && memcmp(l->name, name, len) == 0;
}

static int position(const struct labels *l, const char *name, size_t len)
{
    for (size_t i = 0; i < l->n; i++) {
        if (is_named(&l->declared[i], name, len)) {
            return (int)i;
        }
    }
    return -1;
}

static void take_defaults(struct labels *l, const struct event_defaults *defaults)
{
    for (size_t d = 0; defaults != NULL && d < defaults->n; d++) {
        int at = position(l, defaults->names[d], strlen(defaults->names[d]));
        if (at >= 0 && l->is[at] == LABEL_ABSENT) {
            l->values[at] = (struct slice){defaults->values[d], strlen(defaults->values[d])};
            l->is[at] = LABEL_TEXT;
            l->by_default[at] = true;
        }
    }
}

void labels_begin(struct labels *l, const struct label *declared, size_t n)
{
    l->declared = declared;
    l->n = n;
    for (size_t i = 0; i < n; i++) {
        l->is[i] = LABEL_ABSENT;
        l->by_default[i] = l->wanted[i] = false;
    }
}

enum reject labels_gather(struct labels *l, json_t *object, const struct event_defaults *defaults,
                          struct event_verdict *v)
{
    size_t next = 0; // most senders keep to the declared order
    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i)) {
        const char *key = json_object_iter_key(i);
        size_t len = json_object_iter_key_len(i);
        bool in_order = next < l->n && is_named(&l->declared[next], key, len);
        int at = in_order ? (int)next : position(l, key, len);
        next = (size_t)at + 1;
        if (at < 0) {
            return line_refuse(v, REJECT_unknown_label, "label \"%.64s\" is not declared", key);
        }
        const json_t *value = json_object_iter_value(i);
        l->is[at] = LABEL_NO_STRING;
        if (json_is_string(value)) {
            l->values[at] = (struct slice){json_string_value(value), json_string_length(value)};
            l->is[at] = LABEL_TEXT;
        }
    }
    take_defaults(l, defaults);
    return REJECT_NONE;
}

enum reject labels_check(struct labels *l, struct event_verdict *v)
{
    for (size_t i = 0; i < l->n; i++) {
        if (!l->wanted[i] && l->is[i] != LABEL_ABSENT && !l->by_default[i]) {
            return line_refuse(v, REJECT_unknown_label, "label \"%s\" has no meaning here",
                               l->declared[i].name);
        }
    }
    for (size_t i = 0; i < l->n; i++) {
        if (l->wanted[i] &&
            (l->is[i] == LABEL_ABSENT || (l->is[i] == LABEL_TEXT && l->values[i].len == 0))) {
            return line_refuse(v, REJECT_missing_label, "label \"%s\" is absent or empty",
                               l->declared[i].name);
        }
    }
    for (size_t i = 0; i < l->n; i++) {
        if (l->wanted[i] &&
            (l->is[i] == LABEL_NO_STRING || l->values[i].len > CATALOG_MAX_LABEL_VALUE ||
             memchr(l->values[i].p, 0, l->values[i].len) != NULL)) {
            return line_refuse(v, REJECT_bad_label_value,
                               "label \"%s\" is no string of 1 to %d bytes without NUL",
                               l->declared[i].name, CATALOG_MAX_LABEL_VALUE);
        }
    }
    return REJECT_NONE;
}

struct slice labels_value(const struct label_def *def, struct slice value)
{
    struct slice to = {0};
    to.p = label_resolve(def, value.p, value.len, &to.len);
    return to;
}
