// SPDX-License-Identifier: Apache-2.0
#include "event/control.h"

#include "base/text.h"
#include "series/key.h"
#include "source/source.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

static const char *const KEYS[] = {
    [CONTROL_HELLO] = "hello",
    [CONTROL_SYNC] = "sync",
    [CONTROL_PING] = "ping",
    [CONTROL_FORGET] = "forget",
};

static bool is_command(const char *key)
{
    bool found = false;
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        found |= strcmp(key, KEYS[i]) == 0;
    }
    return found;
}

bool control_is_line(json_t *object)
{
    bool control = false;
    const char *key;
    size_t len;
    json_t *value;
    json_object_keylen_foreach(object, key, len, value)
    {
        if (parse_is_key(key, len, "metric") || parse_is_key(key, len, "event")) {
            return false; // a sample, whatever else it holds
        }
        control |= is_command(key);
    }
    return control;
}

static enum reject_reason bad(struct rejection *why, const char *text)
{
    return reject_set(why, REJECT_bad_control, "%s", text);
}

// A string without NUL and within the bound, or a slice with p == NULL.
static struct slice name_of(json_t *value)
{
    size_t len = json_string_length(value);
    const char *p = json_string_value(value);
    if (p == NULL || len == 0 || len > SOURCE_MAX_NAME || memchr(p, 0, len) != NULL) {
        return (struct slice){0};
    }
    return (struct slice){p, len};
}

static enum reject_reason read_labels(json_t *object, struct control_pair *ret, size_t *ret_n,
                                      struct rejection *why)
{
    if (!json_is_object(object)) {
        return bad(why, "labels is no object");
    }
    if (json_object_size(object) > CONTROL_MAX_LABELS) {
        return bad(why, "too many labels");
    }
    size_t n = 0;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        struct slice text = name_of(value);
        if (!text_is_label_name(key) || text.p == NULL) {
            return reject_set(why, REJECT_bad_control,
                              "label \"%.64s\" is no label with a string of 1 to 256 bytes", key);
        }
        ret[n++] = (struct control_pair){key, text};
    }
    *ret_n = n;
    return REJECT_NONE;
}

static enum reject_reason read_lost(json_t *value, uint64_t *ret, struct rejection *why)
{
    double lost = json_number_value(value);
    if (!json_is_number(value) || lost < 0 || lost > 9007199254740992.0 || lost != floor(lost)) {
        return bad(why, "lost is no count");
    }
    *ret = (uint64_t)lost;
    return REJECT_NONE;
}

static enum reject_reason read_interval(json_t *value, uint32_t *ret, struct rejection *why)
{
    double seconds = json_number_value(value);
    if (!json_is_number(value) || seconds < 1 || seconds > CONTROL_MAX_INTERVAL_S ||
        seconds != floor(seconds)) {
        return bad(why, "interval is no whole number of seconds from 1 to 3600");
    }
    *ret = (uint32_t)seconds;
    return REJECT_NONE;
}

static enum reject_reason read_hello_key(const struct catalog *c, const char *key, json_t *value,
                                         struct control_hello *ret, struct rejection *why)
{
    if (strcmp(key, "component") == 0) {
        struct slice name = name_of(value);
        int at = name.p == NULL ? -1 : catalog_find_component(c, name.p, name.len);
        if (at <= COMPONENT_UNKNOWN) {
            return bad(why, "component is none that the catalogue knows");
        }
        ret->component = (unsigned)at;
        return REJECT_NONE;
    }
    if (strcmp(key, "instance") == 0) {
        ret->instance = name_of(value);
        return ret->instance.p != NULL ? REJECT_NONE
                                       : bad(why, "instance is no string of 1 to 256 bytes");
    }
    if (strcmp(key, "labels") == 0) {
        ret->has_labels = true;
        return read_labels(value, ret->labels, &ret->n_labels, why);
    }
    if (strcmp(key, "lost") == 0) {
        ret->has_lost = true;
        return read_lost(value, &ret->lost, why);
    }
    if (strcmp(key, "transient") == 0) {
        ret->has_transient = true;
        ret->transient = json_is_true(value);
        return json_is_boolean(value) ? REJECT_NONE
                                      : bad(why, "transient is neither true nor false");
    }
    if (strcmp(key, "interval") == 0) {
        return read_interval(value, &ret->interval_s, why);
    }
    if (strcmp(key, "session") == 0) {
        ret->session = name_of(value);
        return ret->session.p != NULL ? REJECT_NONE
                                      : bad(why, "session is no string of 1 to 256 bytes");
    }
    return reject_set(why, REJECT_bad_control, "unknown key \"%.64s\" in hello", key);
}

static enum reject_reason read_hello(const struct catalog *c, json_t *object,
                                     struct control_hello *ret, struct rejection *why)
{
    if (!json_is_object(object)) {
        return bad(why, "hello is no object");
    }
    *ret = (struct control_hello){.component = COMPONENT_UNKNOWN};
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        enum reject_reason r = read_hello_key(c, key, value, ret, why);
        if (r != REJECT_NONE) {
            return r;
        }
    }
    return REJECT_NONE;
}

static enum reject_reason read_forget(json_t *object, struct control_forget *ret,
                                      struct rejection *why)
{
    json_t *labels = json_object_get(object, "labels");
    if (labels == NULL || json_object_size(object) != 1) {
        return bad(why, "forget wants labels, and nothing else");
    }
    enum reject_reason r = read_labels(labels, ret->labels, &ret->n_labels, why);
    return r != REJECT_NONE || ret->n_labels > 0 ? r : bad(why, "forget wants at least one label");
}

enum reject_reason control_parse(const struct catalog *c, json_t *object, const char *line,
                                 size_t len, struct control *ret, struct rejection *why)
{
    if (json_object_size(object) != 1) {
        return bad(why, "a control line has one key");
    }
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        json_t *value = json_object_get(object, KEYS[i]);
        if (value == NULL) {
            continue;
        }
        ret->kind = (enum control_kind)i;
        if (ret->kind == CONTROL_HELLO) {
            return read_hello(c, value, &ret->hello, why);
        }
        if (ret->kind == CONTROL_FORGET) {
            return read_forget(value, &ret->forget, why);
        }
        parse_raw_value(line, len, &ret->id.p, &ret->id.len);
        // A number beyond a double reads as null, and is an id all the same.
        bool overflow = json_is_null(value) && ret->id.p[0] != 'n';
        if (!json_is_number(value) && !json_is_string(value) && !overflow) {
            return bad(why, "the id is neither a number nor a string");
        }
    }
    return REJECT_NONE;
}

// ---- What a forget names is removed

enum { AHEAD = 8 }; // the slot of which the record is asked for, before it is looked at

struct control_forgetting {
    struct control_forget what; // borrows from `bytes`
    uint64_t generation;        // of the schema that is walked; 0: none yet
    size_t metric;              // the next ones of it
    uint32_t slot;
    uint32_t end; // of the metric, when its turn came: what is made later is not looked for
    uint64_t removed;
    struct key_match wanted; // of the present metric
    char bytes[];
};

struct control_forgetting *control_forget_new(const struct control_forget *what)
{
    static_assert((int)CONTROL_MAX_LABELS <= (int)KEY_MATCH_MAX_LABELS, "room for all labels");
    size_t size = 0;
    for (size_t k = 0; k < what->n_labels; k++) {
        size += strlen(what->labels[k].name) + 1 + what->labels[k].value.len;
    }
    struct control_forgetting *f = calloc(1, sizeof *f + size);
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

// Returns whether the metric declares all these labels, and its series may have the values.
static bool want(struct control_forgetting *f, const struct metric *m)
{
    const struct control_forget *what = &f->what;
    key_match_clear(&f->wanted);
    for (size_t k = 0; k < what->n_labels; k++) {
        int label = key_match_label(m, what->labels[k].name);
        struct slice sent = what->labels[k].value;
        size_t len;
        const char *value =
            label >= 0 ? catalog_resolve_label(m->labels[label].def, sent.p, sent.len, &len) : NULL;
        if (value == NULL) {
            return false;
        }
        key_match_add(&f->wanted, label, (struct slice){value, len});
    }
    return true;
}

// Looks at that many slots at most, or to the metric's end. Returns at how many.
static uint32_t walk(struct control_forgetting *f, const struct family *family,
                     const struct origin *origin, uint32_t most)
{
    struct table *t = family->table;
    if (!want(f, family->metric)) {
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
        const char *key = series_text(s, &len);
        f->removed += key_match_has(&f->wanted, family->metric, key) &&
                      permission_find_misfit(origin->permission, family->metric, key) == NULL &&
                      table_remove(t, s);
    }
    return f->slot - from + 1;
}

// It ends: each call goes on in a walk of what the metrics had when their turn came, and starts over after a reload only.
bool control_forget_step(struct control_forgetting *f, struct series_store *store,
                         const struct origin *origin, uint32_t slots)
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

uint64_t control_forget_end(struct control_forgetting *f)
{
    uint64_t removed = f->removed;
    key_match_free(&f->wanted);
    free(f);
    return removed;
}
