// SPDX-License-Identifier: Apache-2.0
#include "event/spelling.h"

#include "base/num.h"
#include "event/memo_split.h"

#include <jansson.h>

struct parts {
    const json_t *name;
    const char *kind; // what opens the text before the name
    json_t *labels;
    const json_t *op;
    const json_t *value;
};

static bool take_apart(json_t *root, struct parts *ret)
{
    for (void *i = json_object_iter(root); i != NULL; i = json_object_iter_next(root, i)) {
        const char *key = json_object_iter_key(i);
        size_t len = json_object_iter_key_len(i);
        json_t *value = json_object_iter_value(i);
        bool event = json_key_is(key, len, "event");
        if (event || json_key_is(key, len, "metric")) {
            if (ret->name != NULL) {
                return false;
            }
            ret->name = value;
            ret->kind = event ? "{\"event\":" : "{\"metric\":";
        } else if (json_key_is(key, len, "labels")) {
            ret->labels = value;
        } else if (json_key_is(key, len, "value")) {
            ret->value = value;
        } else if (json_key_is(key, len, "op")) {
            ret->op = value;
        } else {
            return false;
        }
    }
    return ret->name != NULL;
}

static void add_quoted(struct buf *out, const char *p, size_t len, char behind)
{
    if (buf_reserve(out, len + 3)) {
        char *at = out->p + out->len;
        at[0] = '"';
        memcpy(at + 1, p, len);
        at[len + 1] = '"';
        at[len + 2] = behind;
        out->len += len + 3;
    }
}

// A string without escapes stands in the tree as it stood in the line.
static bool add_string(struct buf *out, const json_t *string, char behind)
{
    if (!json_is_string(string)) {
        return false;
    }
    add_quoted(out, json_string_value(string), json_string_length(string), behind);
    return true;
}

static bool add_labels(struct buf *out, json_t *labels)
{
    if (!json_is_object(labels)) {
        return false;
    }
    buf_str(out, "\"labels\":{");
    for (void *i = json_object_iter(labels); i != NULL; i = json_object_iter_next(labels, i)) {
        add_quoted(out, json_object_iter_key(i), json_object_iter_key_len(i), ':');
        if (!add_string(out, json_object_iter_value(i), ',')) {
            return false;
        }
    }
    out->len -= json_object_size(labels) > 0; // the last comma
    buf_str(out, "},");
    return true;
}

// The number goes behind this; as long as it is not there, a digit stands for it.
static bool add_value(struct buf *out, const json_t *value, struct event_line *ret)
{
    ret->number = json_number_value(value);
    ret->number_known = json_is_number(value);
    buf_str(out, "\"value\":");
    ret->number_from = (uint16_t)out->len;
    ret->number_to = (uint16_t)(out->len + 1);
    buf_str(out, "0}");
    return ret->number_known && ret->number >= 0 && ret->number <= MEMO_MAX_NUMBER;
}

bool spelling_of(struct event_reader *r, const struct event_line *line, struct event_line *ret)
{
    struct parts parts = {0};
    struct buf *out = &r->spelling;
    if (line->len > MEMO_MAX_LINE || memchr(line->at, '\\', line->len) != NULL ||
        !take_apart(r->root, &parts)) {
        return false;
    }
    *ret = (struct event_line){0};
    buf_clear(out);
    buf_str(out, parts.kind);
    if (!add_string(out, parts.name, ',') ||
        (parts.labels != NULL && !add_labels(out, parts.labels))) {
        return false;
    }
    if (parts.op != NULL) {
        buf_str(out, "\"op\":");
        if (!add_string(out, parts.op, ',')) {
            return false;
        }
    }
    if (parts.value != NULL && !add_value(out, parts.value, ret)) {
        return false;
    }
    if (out->failed) {
        return false;
    }
    if (parts.value == NULL) {
        out->p[out->len - 1] = '}'; // in place of the comma
        ret->number_from = ret->number_to = (uint16_t)out->len;
    }
    ret->at = out->p;
    ret->len = (uint32_t)out->len;
    uint32_t behind = memo_behind(ret);
    ret->shape = memo_shape(ret->number_from, behind, behind > 0 ? '}' : 0);
    return out->len <= MEMO_MAX_LINE;
}

bool spelling_add_number(struct event_reader *r, struct event_line *spelling)
{
    struct buf *out = &r->spelling;
    if (!memo_has_number(spelling)) {
        return true;
    }
    out->len = spelling->number_from;
    if (!buf_reserve(out, NUM_MAX + 1)) {
        return false;
    }
    out->len += num_double(out->p + out->len, spelling->number);
    spelling->number_to = (uint16_t)out->len;
    buf_char(out, '}');
    spelling->at = out->p;
    spelling->len = (uint32_t)out->len;
    return !out->failed;
}
