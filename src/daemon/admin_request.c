// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin_request.h"

#include "base/invariant.h"

#include <jansson.h>

enum field_kind { FIELD_NAME, FIELD_INSTANCE, FIELD_BOOL, FIELD_LABELS };

// What a command takes.
struct field {
    const char *key;
    enum field_kind kind;
    bool required;
    size_t offset; // in struct admin_request
};

#define FIELD(key, kind, required, member)                                                         \
    {                                                                                              \
        key, kind, required, offsetof(struct admin_request, member)                                \
    }

static const struct command {
    const char *name;
    struct field fields[3];
} commands[] = {
    [ADMIN_STATUS] = {"status", {{0}}},
    [ADMIN_SOURCES] = {"sources", {{0}}},
    [ADMIN_SERIES] = {"series",
                      {FIELD("metric", FIELD_NAME, true, metric),
                       FIELD("labels", FIELD_LABELS, false, labels)}},
    [ADMIN_REJECTS] = {"rejects", {FIELD("follow", FIELD_BOOL, false, follow)}},
    [ADMIN_FORGET] = {"forget",
                      {FIELD("component", FIELD_NAME, true, component),
                       FIELD("instance", FIELD_INSTANCE, true, instance),
                       FIELD("series", FIELD_BOOL, false, with_series)}},
    [ADMIN_DELETE] = {"delete",
                      {FIELD("metric", FIELD_NAME, true, metric),
                       FIELD("labels", FIELD_LABELS, true, labels)}},
    [ADMIN_RELOAD] = {"reload", {{0}}},
};

enum { N_COMMANDS = sizeof commands / sizeof commands[0], N_FIELDS = 3 };

static const char bad[] = "bad_request";

static const char *complain(struct buf *detail, const char *reason, const char *text)
{
    buf_str(detail, text);
    return reason;
}

// A copy, with a NUL behind it. Decoded, texts take no more room than in the line.
static const char *copy(struct admin_request *r, const char *text, size_t len)
{
    invariant(len < sizeof r->bytes - r->used,
              "the texts of a request are no longer than its line");
    char *at = r->bytes + r->used;
    memcpy(at, text, len);
    at[len] = '\0';
    r->used += len + 1;
    return at;
}

static const char *copy_name(struct admin_request *r, const json_t *value)
{
    size_t len = json_string_length(value);
    const char *text = json_string_value(value);
    return len > 0 && strlen(text) == len ? copy(r, text, len) : NULL;
}

static const char *read_labels(struct admin_request *r, json_t *value, struct buf *detail)
{
    const char *name;
    size_t name_len;
    json_t *text;
    if (!json_is_object(value)) {
        return complain(detail, bad, "labels are an object");
    }
    if (json_object_size(value) > KEY_MATCH_MAX_LABELS) {
        buf_addf(detail, "more than %d labels", KEY_MATCH_MAX_LABELS);
        return bad;
    }
    json_object_keylen_foreach(value, name, name_len, text)
    {
        if (!json_is_string(text) || strlen(name) != name_len) {
            return complain(detail, bad, "the value of a label is a string");
        }
        struct admin_label *label = &r->labels[r->n_labels++];
        label->name = copy(r, name, name_len);
        label->value.len = json_string_length(text);
        label->value.p = copy(r, json_string_value(text), label->value.len);
    }
    return NULL;
}

static const char *read_field(struct admin_request *r, const struct field *f, json_t *value,
                              struct buf *detail)
{
    void *to = (char *)r + f->offset;
    if (f->kind == FIELD_LABELS) {
        return read_labels(r, value, detail);
    }
    if (f->kind == FIELD_BOOL) {
        *(bool *)to = json_is_true(value);
        if (!json_is_boolean(value)) {
            buf_addf(detail, "%s is true or false", f->key);
            return bad;
        }
        return NULL;
    }
    const char *text = NULL;
    if (f->kind == FIELD_INSTANCE && json_is_string(value) && json_string_length(value) > 0) {
        struct slice *instance = to;
        instance->len = json_string_length(value);
        text = instance->p = copy(r, json_string_value(value), instance->len);
    } else if (f->kind == FIELD_NAME && json_is_string(value)) {
        text = *(const char **)to = copy_name(r, value);
    }
    if (text == NULL) {
        buf_addf(detail, "%s is a name", f->key);
        return bad;
    }
    return NULL;
}

// All fields that the command takes, and no other.
static const char *read_fields(struct admin_request *r, const struct command *command,
                               json_t *given, struct buf *detail)
{
    size_t known = 0;
    for (size_t i = 0; i < N_FIELDS && command->fields[i].key != NULL; i++) {
        const struct field *f = &command->fields[i];
        json_t *value = json_object_get(given, f->key);
        if (value == NULL && f->required) {
            buf_addf(detail, "%s needs %s", command->name, f->key);
            return f->kind == FIELD_LABELS ? "missing_label" : bad;
        }
        const char *reason = value != NULL ? read_field(r, f, value, detail) : NULL;
        if (reason != NULL) {
            return reason;
        }
        known += value != NULL;
    }
    if (json_object_size(given) != known) {
        buf_addf(detail, "%s does not take all of these keys", command->name);
        return bad;
    }
    if (r->command == ADMIN_DELETE && r->n_labels == 0) {
        return complain(detail, "missing_label", "delete needs at least one label");
    }
    return NULL;
}

static const char *read_object(struct admin_request *r, json_t *object, struct buf *detail)
{
    const char *key = json_object_iter_key(json_object_iter(object));
    json_t *given = json_object_iter_value(json_object_iter(object));
    if (!json_is_object(object) || json_object_size(object) != 1) {
        return complain(detail, bad, "a request is an object with one key, the command");
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(key, commands[i].name) != 0) {
            continue;
        }
        r->command = (enum admin_command)i;
        return json_is_object(given)
                   ? read_fields(r, &commands[i], given, detail)
                   : complain(detail, bad, "the value of the command is an object");
    }
    return complain(detail, "unknown_command", "this version has no such command");
}

const char *admin_request_read(struct admin_request *ret, struct parser *p, const char *line,
                               size_t len, struct buf *detail)
{
    invariant(len <= ADMIN_REQUEST_MAX, "a request is not longer than it may be");
    struct rejection duplicate;
    struct rejection why;
    reject_clear(&duplicate);
    reject_clear(&why);
    memset(ret, 0, offsetof(struct admin_request, bytes));
    json_t *tree = parse_line(p, line, len, &duplicate, &why);
    const char *reason = NULL;
    if (tree == NULL) {
        reason =
            complain(detail, bad, why.detail[0] != '\0' ? why.detail : reject_names[why.reason]);
    } else {
        reason = read_object(ret, tree, detail);
    }
    parse_reset(p);
    return reason;
}
