// SPDX-License-Identifier: Apache-2.0
#include "catalog/yaml_schema.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/num.h"
#include "base/text.h"

enum { KEYS_MAX = 64 };

struct yaml_place yaml_place_key(const struct yaml_place *up, const char *key)
{
    return (struct yaml_place){.up = up, .key = key};
}

struct yaml_place yaml_place_item(const struct yaml_place *up, size_t index)
{
    return (struct yaml_place){.up = up, .index = index};
}

static void write_place(const struct yaml_place *place, struct buf *out)
{
    if (place == NULL) {
        return;
    }
    write_place(place->up, out);
    if (place->key == NULL) {
        buf_addf(out, "[%zu]", place->index);
    } else {
        // A key may be as long as a file; what names it needs no more than this.
        char shown[TEXT_SHOWN];
        text_show(shown, place->key);
        buf_addf(out, "%s%s", out->len > 0 ? "." : "", shown);
    }
}

static void note(struct yaml_reader *r, const struct yaml_place *place, const struct yaml_node *n,
                 const char *text)
{
    struct buf path = BUF_INIT;
    write_place(place, &path);
    const char *key = buf_string(&path);
    errs_add(r->errs, r->file, n != NULL ? n->line : 0, n != NULL ? n->column : 0,
             key != NULL ? key : "", "%s", text);
    buf_free(&path);
    r->problems++;
}

void yaml_problem(struct yaml_reader *r, const struct yaml_place *place, const struct yaml_node *n,
                  const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    note(r, place, n, text);
}

void yaml_reject(struct yaml_reader *r, const struct yaml_place *place, const struct yaml_node *n,
                 bool plain, const char *fmt, ...)
{
    char text[512] = "must be ";
    char shown[TEXT_SHOWN];
    size_t len = strlen(text);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text + len, sizeof text - len - sizeof ", not a text in quotes" - TEXT_SHOWN, fmt,
              ap);
    va_end(ap);
    len = strlen(text);
    const char *instead = n->kind == YAML_SEQUENCE_KIND  ? "a list"
                          : n->kind == YAML_MAPPING_KIND ? "a mapping"
                          : yaml_is_null(n)              ? "nothing"
                          : plain && !n->plain           ? "a text in quotes"
                                                         : NULL;
    if (instead != NULL) {
        snprintf(text + len, sizeof text - len, ", not %s", instead);
    } else {
        text_show(shown, n->text);
        snprintf(text + len, sizeof text - len, ", not \"%s\"", shown);
    }
    note(r, place, n, text);
}

const char *yaml_hint(const struct yaml_reader *r, char out[static YAML_HINT], const char *word,
                      const char *const *words, size_t n_words)
{
    // Comparing takes as many steps as the product of the lengths: not for problems that will not be shown.
    const char *nearest = r->errs->n < ERRS_MAX ? text_nearest(word, words, n_words) : NULL;
    out[0] = '\0';
    if (nearest != NULL) {
        snprintf(out, YAML_HINT, "; the nearest is %.128s", nearest);
    }
    return out;
}

bool yaml_is_null(const struct yaml_node *n)
{
    return n->kind == YAML_SCALAR_NODE_KIND && n->plain &&
           (n->text[0] == '\0' || strcmp(n->text, "~") == 0 || strcasecmp(n->text, "null") == 0);
}

bool yaml_check_text(struct yaml_reader *r, const struct yaml_place *place,
                     const struct yaml_node *n)
{
    if (n->kind != YAML_SCALAR_NODE_KIND) {
        yaml_reject(r, place, n, false, "a text");
    }
    return n->kind == YAML_SCALAR_NODE_KIND;
}

bool yaml_check_list(struct yaml_reader *r, const struct yaml_place *place,
                     const struct yaml_node *n)
{
    if (n->kind != YAML_SEQUENCE_KIND) {
        yaml_reject(r, place, n, false, "a list");
    }
    return n->kind == YAML_SEQUENCE_KIND;
}

bool yaml_check_mapping(struct yaml_reader *r, const struct yaml_place *place,
                        const struct yaml_node *n)
{
    if (n->kind != YAML_MAPPING_KIND) {
        yaml_reject(r, place, n, false, "a mapping");
    }
    return n->kind == YAML_MAPPING_KIND;
}

int yaml_word(struct yaml_reader *r, const struct yaml_place *place, const struct yaml_node *n,
              const char *const *words, size_t n_words)
{
    char near[YAML_HINT];
    if (!yaml_check_text(r, place, n)) {
        return -1;
    }
    for (size_t i = 0; i < n_words; i++) {
        if (strcmp(words[i], n->text) == 0) {
            return (int)i;
        }
    }
    yaml_problem(r, place, n, "unknown value \"%.64s\"%s", n->text,
                 yaml_hint(r, near, n->text, words, n_words));
    return -1;
}

bool yaml_number(struct yaml_reader *r, const struct yaml_place *place, const struct yaml_node *n,
                 double *ret)
{
    bool good = n->kind == YAML_SCALAR_NODE_KIND && n->plain && num_parse_double(n->text, ret) == 0;
    if (!good) {
        yaml_reject(r, place, n, true, "a finite number");
    }
    return good;
}

static void read_bool(struct yaml_reader *r, const struct yaml_place *place,
                      const struct yaml_node *n, bool is_switch, bool *ret)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; n->kind == YAML_SCALAR_NODE_KIND && n->plain && i < (is_switch ? 6 : 2);
         i++) {
        if (is_switch ? strcasecmp(n->text, words[i]) == 0 : strcmp(n->text, words[i]) == 0) {
            *ret = i % 2 == 1;
            return;
        }
    }
    yaml_reject(r, place, n, true, "true or false");
}

static void read_count(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n, const struct yaml_key *key, uint64_t *ret)
{
    uint64_t number;
    if (n->kind == YAML_SCALAR_NODE_KIND && (n->plain || key->quoted) &&
        num_parse_u64(n->text, &number) == 0 && number >= key->min && number <= key->max) {
        *ret = number;
    } else {
        yaml_reject(r, place, n, !key->quoted, "a whole number from %llu to %llu",
                    (unsigned long long)key->min, (unsigned long long)key->max);
    }
}

static bool check_text(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n, const struct yaml_key *key)
{
    if (key->max == 0) {
        return yaml_check_text(r, place, n);
    }
    size_t len = n->kind == YAML_SCALAR_NODE_KIND ? strlen(n->text) : 0;
    bool good = n->kind == YAML_SCALAR_NODE_KIND && len >= key->min && len <= key->max;
    if (!good) {
        yaml_reject(r, place, n, false, "a text of %llu to %llu bytes",
                    (unsigned long long)key->min, (unsigned long long)key->max);
    }
    return good;
}

// A list or a mapping, of as many entries as the key says.
static bool check_entries(struct yaml_reader *r, const struct yaml_place *place,
                          const struct yaml_node *n, const struct yaml_key *key)
{
    bool list = key->type == YAML_LIST;
    bool right = n->kind == (list ? YAML_SEQUENCE_KIND : YAML_MAPPING_KIND);
    char least[32] = "at most";
    char what[96];
    if (key->max == 0) {
        return list ? yaml_check_list(r, place, n) : yaml_check_mapping(r, place, n);
    }
    if (right && n->n >= key->min && n->n <= key->max) {
        return true;
    }
    if (key->min > 0) {
        snprintf(least, sizeof least, "%llu to", (unsigned long long)key->min);
    }
    snprintf(what, sizeof what, "%s of %s %llu entries", list ? "a list" : "a mapping", least,
             (unsigned long long)key->max);
    if (right) {
        yaml_problem(r, place, n, "must be %s, not %zu", what, n->n);
    } else {
        yaml_reject(r, place, n, false, "%s", what);
    }
    return false;
}

static void read_value(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n, const struct yaml_key *key, void *field)
{
    bool good = true;
    switch (key->type) {
    case YAML_KNOWN:
        return;
    case YAML_BOOL:
    case YAML_SWITCH:
        read_bool(r, place, n, key->type == YAML_SWITCH, field);
        return;
    case YAML_COUNT:
        read_count(r, place, n, key, field);
        return;
    case YAML_WORD: {
        int word = yaml_word(r, place, n, key->words, key->n_words);
        *(int *)field = word >= 0 ? word : *(int *)field;
        return;
    }
    case YAML_TEXT:
        good = check_text(r, place, n, key);
        break;
    case YAML_LIST:
    case YAML_MAPPING:
        good = check_entries(r, place, n, key);
        break;
    case YAML_ANY:
        break;
    }
    if (good && key->read != NULL) {
        key->read(r, place, n, field);
    } else if (good) {
        *(const struct yaml_node **)field = n;
    }
}

static void check_keys(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *mapping, const struct yaml_key *keys, size_t n_keys)
{
    const char *words[KEYS_MAX];
    char near[YAML_HINT];
    assert(n_keys <= KEYS_MAX);
    for (size_t k = 0; k < n_keys; k++) {
        words[k] = keys[k].name;
    }
    for (size_t i = 0; i < mapping->n; i++) {
        const char *name = mapping->keys[i]->text;
        struct yaml_place here = yaml_place_key(place, name);
        size_t k = 0;
        while (k < n_keys && strcmp(keys[k].name, name) != 0) {
            k++;
        }
        if (k == n_keys) {
            yaml_problem(r, &here, mapping->keys[i], "unknown key%s",
                         strchr(name, '.') != NULL ? "; a dot is written as a nested mapping"
                                                   : yaml_hint(r, near, name, words, n_keys));
        }
    }
}

void yaml_read_key(struct yaml_reader *r, const struct yaml_place *place, const struct yaml_node *n,
                   const struct yaml_key *key, void *out)
{
    struct yaml_place here = yaml_place_key(place, key->name);
    const struct yaml_node *value = yaml_get(n, key->name);
    if (value == NULL && key->required) {
        yaml_problem(r, &here, n, "is missing");
    } else if (value != NULL && !(key->nullable && yaml_is_null(value))) {
        read_value(r, &here, value, key, (char *)out + key->offset);
    }
}

void yaml_read_keys(struct yaml_reader *r, const struct yaml_place *place,
                    const struct yaml_node *n, const struct yaml_key *keys, size_t n_keys,
                    void *out)
{
    if (!yaml_check_mapping(r, place, n)) {
        return;
    }
    check_keys(r, place, n, keys, n_keys);
    for (size_t k = 0; k < n_keys && !r->oom; k++) {
        yaml_read_key(r, place, n, &keys[k], out);
    }
}
