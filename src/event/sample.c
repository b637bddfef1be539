// SPDX-License-Identifier: Apache-2.0
#include "event/sample.h"

#include "base/text.h"
#include "event/control.h"
#include "event/parse.h"

#include <jansson.h>

// The values of an element's keys; NULL: absent.
struct fields {
    json_t *metric;
    json_t *event;
    json_t *labels;
    json_t *value;
    json_t *values;
    json_t *count;
    json_t *op;
    json_t *exemplar;
};

// Where an element keeps the value of a key, or NULL.
static json_t **field_of(struct fields *f, const char *key, size_t len)
{
    return parse_is_key(key, len, "metric")     ? &f->metric
           : parse_is_key(key, len, "event")    ? &f->event
           : parse_is_key(key, len, "labels")   ? &f->labels
           : parse_is_key(key, len, "value")    ? &f->value
           : parse_is_key(key, len, "values")   ? &f->values
           : parse_is_key(key, len, "count")    ? &f->count
           : parse_is_key(key, len, "op")       ? &f->op
           : parse_is_key(key, len, "exemplar") ? &f->exemplar
                                                : NULL;
}

static enum reject_reason read_fields(json_t *element, struct fields *f, struct rejection *why)
{
    for (void *i = json_object_iter(element); i != NULL; i = json_object_iter_next(element, i)) {
        const char *key = json_object_iter_key(i);
        json_t **at = field_of(f, key, json_object_iter_key_len(i));
        if (at == NULL) {
            return reject_set(why, REJECT_unknown_field, "unknown key \"%.64s\"", key);
        }
        *at = json_object_iter_value(i);
    }
    if ((f->metric == NULL) == (f->event == NULL)) {
        return reject_set(why, REJECT_unknown_field, "exactly one of metric and event is wanted");
    }
    if (f->count != NULL && f->event == NULL) {
        return reject_set(why, REJECT_unknown_field, "only an event has a count");
    }
    return REJECT_NONE;
}

void sample_begin(struct sample *s, const struct metric *metric, const struct event *event)
{
    struct sample_labels *l = &s->labels;
    s->metric = metric;
    s->event = event;
    s->value = SAMPLE_NO_VALUE;
    s->number = 0;
    s->n_values = 0;
    s->count = 1;
    s->exemplar.present = false;
    s->index = -1;
    if (metric != NULL) {
        l->declared = metric->labels;
        l->n = metric->n_labels;
        l->ignored = metric->ignored;
        l->n_ignored = metric->n_ignored;
    }
    if (event != NULL) {
        l->declared = event->labels;
        l->n = event->n_labels;
        l->ignored = event->ignored;
        l->n_ignored = event->n_ignored;
    }
    memset(l->state, SAMPLE_ABSENT, l->n);
}

void sample_set_name(const struct metric *metric, const struct event *event, struct rejection *why)
{
    const char *name = metric != NULL ? metric->name : event->name;
    size_t len = strlen(name);
    len = len < sizeof why->name ? len : sizeof why->name - 1;
    memcpy(why->name, name, len);
    why->name[len] = '\0';
    why->names_event = event != NULL;
}

static enum reject_reason find_target(const struct catalog *c, json_t *metric, json_t *event,
                                      struct sample *s, struct rejection *why)
{
    json_t *name = metric != NULL ? metric : event;
    enum reject_reason reason = metric != NULL ? REJECT_unknown_metric : REJECT_unknown_event;
    if (!json_is_string(name)) {
        return reject_set(why, reason, "the name is no string");
    }
    const char *text = json_string_value(name);
    size_t len = json_string_length(name);
    int at = metric != NULL ? catalog_find_metric(c, text, len) : catalog_find_event(c, text, len);
    if (at < 0) {
        return reject_set(why, reason, "the catalogue has no %s \"%.80s\"",
                          metric != NULL ? "metric" : "event", text);
    }
    sample_begin(s, metric != NULL ? &c->metrics[at] : NULL,
                 metric == NULL ? &c->events[at] : NULL);
    sample_set_name(s->metric, s->event, why);
    return REJECT_NONE;
}

static enum reject_reason read_op(struct sample *s, const json_t *op, struct rejection *why)
{
    static const enum update_op usual[] = {[METRIC_COUNTER] = UPDATE_ADD,
                                           [METRIC_GAUGE] = UPDATE_SET,
                                           [METRIC_HISTOGRAM] = UPDATE_OBSERVE};
    static const char *const names[] = {
        [UPDATE_ADD] = "add", [UPDATE_SET] = "set", [UPDATE_OBSERVE] = "observe"};
    if (op == NULL) {
        s->metric_op = s->metric != NULL ? usual[s->metric->type] : UPDATE_ADD;
        return REJECT_NONE;
    }
    if (s->event != NULL) {
        return reject_set(why, REJECT_bad_op, "an event has no op");
    }
    const char *text = json_string_value(op);
    size_t len = json_string_length(op);
    for (int i = UPDATE_ADD; text != NULL && i <= UPDATE_OBSERVE; i++) {
        if (len == strlen(names[i]) && memcmp(text, names[i], len) == 0 &&
            (usual[s->metric->type] == (enum update_op)i ||
             (s->metric->type == METRIC_GAUGE && i == UPDATE_ADD))) {
            s->metric_op = (enum update_op)i;
            return REJECT_NONE;
        }
    }
    return reject_set(why, REJECT_bad_op, "op \"%.16s\" does not fit a %s",
                      text != NULL ? text : "", catalog_type_names[s->metric->type]);
}

// ---- Labels

static bool is_named(const struct label *l, const char *name, size_t len)
{
    return l->name_len == len && memcmp(l->name, name, len) == 0;
}

int sample_find_label(const struct sample_labels *l, const char *name, size_t len)
{
    for (size_t i = 0; i < l->n; i++) {
        if (is_named(&l->declared[i], name, len)) {
            return (int)i;
        }
    }
    return -1;
}

bool sample_is_ignored_label(const struct sample_labels *l, const char *name, size_t len)
{
    for (size_t i = 0; i < l->n_ignored; i++) {
        if (parse_is_key(name, len, l->ignored[i])) {
            return true;
        }
    }
    return false;
}

static enum reject_reason read_labels(struct sample_labels *l, json_t *object,
                                      struct rejection *why)
{
    if (object != NULL && !json_is_object(object)) {
        return reject_set(why, REJECT_bad_label_value, "labels is no object");
    }
    size_t next = 0; // most senders keep to the declared order
    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i)) {
        const char *key = json_object_iter_key(i);
        size_t len = json_object_iter_key_len(i);
        bool in_order = next < l->n && is_named(&l->declared[next], key, len);
        int at = in_order ? (int)next : sample_find_label(l, key, len);
        if (at < 0 && sample_is_ignored_label(l, key, len)) {
            continue;
        }
        next = (size_t)at + 1;
        if (at < 0) {
            return reject_set(why, REJECT_unknown_label, "label \"%.64s\" is not declared", key);
        }
        const json_t *value = json_object_iter_value(i);
        l->state[at] = SAMPLE_NO_STRING;
        if (json_is_string(value)) {
            l->values[at] = (struct slice){json_string_value(value), json_string_length(value)};
            l->state[at] = SAMPLE_TEXT;
        }
    }
    return REJECT_NONE;
}

// ---- Exemplars

size_t sample_count_characters(const char *text, size_t len)
{
    if (text_is_plain(text, len)) {
        return len;
    }
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return n;
}

static void read_exemplar_label(struct sample_exemplar *e, const char *key, const json_t *value,
                                struct buf *out)
{
    size_t len = json_string_length(value);
    const char *text = json_string_value(value);
    if (text == NULL || !text_is_label_name(key) || memchr(text, 0, len) != NULL) {
        e->bad_label = key;
        return;
    }
    buf_addf(out, "%s%s=\"", e->characters > 0 ? "," : "", key);
    text_label_value(out, text, len);
    buf_char(out, '"');
    e->characters += sample_count_characters(key, strlen(key)) + sample_count_characters(text, len);
}

static void read_exemplar(struct sample_exemplar *e, json_t *exemplar, struct buf *out)
{
    *e = (struct sample_exemplar){.present = exemplar != NULL, .text_at = out->len};
    if (exemplar == NULL) {
        return;
    }
    json_t *labels = json_object_get(exemplar, "labels");
    json_t *timestamp = json_object_get(exemplar, "timestamp");
    size_t known = (labels != NULL) + (timestamp != NULL);
    e->well_formed = json_is_object(labels) && json_object_size(exemplar) == known &&
                     (timestamp == NULL || json_is_number(timestamp));
    e->has_timestamp = timestamp != NULL;
    e->timestamp = json_number_value(timestamp);
    const char *key;
    json_t *value;
    buf_str(out, " # {");
    json_object_foreach(labels, key, value)
    {
        read_exemplar_label(e, key, value, out);
        if (e->bad_label != NULL) {
            break;
        }
    }
    buf_str(out, "} ");
    e->text_len = out->len - e->text_at;
}

// ---- Values

static void set_bad_value(struct sample *s, const char *why)
{
    s->value = SAMPLE_BAD_VALUE;
    s->bad_value = why;
}

static void read_number(struct sample *s, const json_t *value)
{
    s->value = SAMPLE_NUMBER;
    s->number = json_number_value(value);
    if (!json_is_number(value)) {
        set_bad_value(s, "the value is no finite number");
    }
}

static void read_list(struct sample *s, json_t *values, struct buf *out)
{
    size_t n = json_array_size(values); // 0: no array
    if (n == 0 || n > SAMPLE_MAX_VALUES) {
        set_bad_value(s, "values is no list of 1 to 1000 numbers");
        return;
    }
    s->value = SAMPLE_LIST;
    s->values_at = out->len;
    s->n_values = s->count = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(values, i);
        s->number = json_number_value(one);
        buf_add(out, (const char *)&s->number, sizeof s->number);
        if (!json_is_number(one)) {
            set_bad_value(s, "one of the values is no finite number");
            return;
        }
    }
}

static void read_count(struct sample *s, const json_t *count)
{
    double n = json_number_value(count);
    if (json_is_number(count) && sample_is_count(n)) {
        s->count = (uint32_t)n;
    } else {
        set_bad_value(s, "count is no whole number from 1 to 1000000");
    }
}

static void read_values(struct sample *s, const struct fields *f, struct buf *values)
{
    if ((f->value != NULL) + (f->values != NULL) + (f->count != NULL) > 1) {
        set_bad_value(s, "only one of value, values and count is wanted");
    } else if (f->value != NULL) {
        read_number(s, f->value);
    } else if (f->values != NULL) {
        read_list(s, f->values, values);
    } else if (f->count != NULL) {
        read_count(s, f->count);
    }
}

// ---- All of it

enum reject_reason sample_read(struct sample *s, const struct catalog *c, json_t *element,
                               struct buf *exemplars, struct buf *values, struct rejection *why)
{
    struct fields f = {0};
    enum reject_reason reason;
    why->name[0] = '\0'; // that of the element before
    if ((reason = read_fields(element, &f, why)) != REJECT_NONE ||
        (reason = find_target(c, f.metric, f.event, s, why)) != REJECT_NONE ||
        (reason = read_op(s, f.op, why)) != REJECT_NONE ||
        (reason = read_labels(&s->labels, f.labels, why)) != REJECT_NONE) {
        return reason;
    }
    read_values(s, &f, values);
    read_exemplar(&s->exemplar, f.exemplar, exemplars);
    return REJECT_NONE;
}

static bool has_same_labels(const struct sample_labels *a, const struct sample_labels *b)
{
    bool same = a->n == b->n && memcmp(a->state, b->state, b->n) == 0;
    for (size_t i = 0; same && i < b->n; i++) {
        same = b->state[i] != SAMPLE_TEXT ||
               (a->values[i].len == b->values[i].len &&
                memcmp(a->values[i].p, b->values[i].p, b->values[i].len) == 0);
    }
    return same;
}

static bool has_same_exemplar(const struct sample_exemplar *a, const struct sample_exemplar *b)
{
    return a->present == b->present &&
           (!b->present || (a->text_len == b->text_len && a->characters == b->characters &&
                            a->has_timestamp == b->has_timestamp));
}

bool sample_is_same(const struct sample *a, const struct sample *b)
{
    return a->metric == b->metric && a->event == b->event && a->value == b->value &&
           memcmp(&a->number, &b->number, sizeof a->number) == 0 && a->count == b->count &&
           a->n_values == b->n_values && has_same_labels(&a->labels, &b->labels) &&
           has_same_exemplar(&a->exemplar, &b->exemplar);
}

static enum reject_reason check_element(json_t *element, struct rejection *why)
{
    struct fields f = {0};
    if (!json_is_object(element) || control_is_line(element)) {
        return reject_set(why, REJECT_not_an_object, "a batch holds samples and events only");
    }
    return read_fields(element, &f, why);
}

enum reject_reason sample_check_batch(json_t *batch, const struct rejection *duplicate,
                                      struct rejection *why)
{
    size_t i;
    json_t *element;
    json_array_foreach(batch, i, element)
    {
        why->element = (int)i;
        enum reject_reason reason = check_element(element, why);
        if ((int)i == duplicate->element && reason != REJECT_not_an_object) {
            return reject_set(why, duplicate->reason, "%s", duplicate->detail);
        }
        if (reason != REJECT_NONE) {
            return reason;
        }
    }
    why->element = -1;
    return REJECT_NONE;
}
