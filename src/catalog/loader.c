// SPDX-License-Identifier: Apache-2.0
#include "catalog/loader.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/text.h"

struct at at_key(const struct at *up, const char *key)
{
    return (struct at){.up = up, .file = up->file, .key = key};
}

struct at at_item(const struct at *up, size_t index)
{
    return (struct at){.up = up, .file = up->file, .index = index};
}

struct at at_entry(const struct section *s, const struct entry *e, struct at *section)
{
    *section = (struct at){.file = e->file, .key = s->key};
    return s->listed ? at_item(section, e->index) : at_key(section, e->name);
}

static void write_path(const struct at *at, struct buf *out)
{
    if (at == NULL) {
        return;
    }
    write_path(at->up, out);
    if (at->key == NULL) {
        buf_addf(out, "[%zu]", at->index);
    } else {
        // A key may be as long as a file; what names it needs no more than this.
        buf_addf(out, "%s%.100s", out->len > 0 ? "." : "", at->key);
    }
}

void problem(struct loader *l, const struct at *at, const struct yaml_node *node, const char *fmt,
             ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct buf path = BUF_INIT;
    write_path(at, &path);
    const char *key = buf_string(&path);
    errs_add(l->errs, at->file, node != NULL ? node->line : 0, node != NULL ? node->column : 0,
             key != NULL ? key : "", "%s", text);
    buf_free(&path);
    l->problems++;
}

const char *hint(const struct loader *l, char out[static HINT_MAX], const char *word,
                 const char *const *words, size_t n)
{
    // Comparing costs the product of the lengths: not for words that cannot be a slip, nor for
    // problems that will not be shown.
    const char *near = NULL;
    if (strlen(word) <= 128 && l->errs->n < ERRS_MAX) {
        near = text_nearest(word, words, n);
    }
    out[0] = '\0';
    if (near != NULL) {
        snprintf(out, HINT_MAX, " (did you mean \"%.128s\"?)", near);
    }
    return out;
}

const char *hint_entry(struct loader *l, char out[static HINT_MAX], const char *word,
                       const struct section *s)
{
    const char **words = calloc(s->n + 1, sizeof(const char *));
    if (words == NULL) {
        l->oom = true;
        out[0] = '\0';
        return out;
    }
    for (size_t i = 0; i < s->n; i++) {
        words[i] = s->entries[i].name;
    }
    hint(l, out, word, words, s->n);
    free(words);
    return out;
}

void *loader_alloc(struct loader *l, size_t n, size_t size)
{
    void *p = catalog_alloc(l->c, n, size);
    if (p == NULL) {
        l->oom = true;
    }
    return p;
}

char *loader_strdup(struct loader *l, const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = loader_alloc(l, 1, size);
    if (copy != NULL) {
        memcpy(copy, s, size);
    }
    return copy;
}

bool want_mapping(struct loader *l, const struct at *at, const struct yaml_node *n)
{
    if (n->kind != YAML_MAPPING_KIND) {
        problem(l, at, n, "must be a mapping");
    }
    return n->kind == YAML_MAPPING_KIND;
}

bool want_sequence(struct loader *l, const struct at *at, const struct yaml_node *n)
{
    if (n->kind != YAML_SEQUENCE_KIND) {
        problem(l, at, n, "must be a list");
    }
    return n->kind == YAML_SEQUENCE_KIND;
}

bool want_scalar(struct loader *l, const struct at *at, const struct yaml_node *n)
{
    if (n->kind != YAML_SCALAR_NODE_KIND) {
        problem(l, at, n, "must be a single value");
    }
    return n->kind == YAML_SCALAR_NODE_KIND;
}

void check_keys(struct loader *l, const struct at *at, const struct yaml_node *mapping,
                const char *const *known, size_t n)
{
    for (size_t i = 0; i < mapping->n; i++) {
        const char *key = mapping->keys[i]->text;
        size_t k = 0;
        while (k < n && strcmp(known[k], key) != 0) {
            k++;
        }
        if (k == n) {
            char near[HINT_MAX];
            struct at here = at_key(at, key);
            problem(l, &here, mapping->keys[i], "unknown key%s", hint(l, near, key, known, n));
        }
    }
}

void read_bool(struct loader *l, const struct at *at, const struct yaml_node *m, const char *key,
               bool *ret)
{
    const struct yaml_node *n = yaml_get(m, key);
    if (n == NULL) {
        return;
    }
    struct at here = at_key(at, key);
    bool yes = n->kind == YAML_SCALAR_NODE_KIND && n->plain && strcmp(n->text, "true") == 0;
    bool no = n->kind == YAML_SCALAR_NODE_KIND && n->plain && strcmp(n->text, "false") == 0;
    if (!yes && !no) {
        problem(l, &here, n, "must be true or false");
        return;
    }
    *ret = yes;
}

// Whether well-formed UTF-8 text has a C0 or C1 control character.
static bool has_control(const char *s)
{
    for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)) {
            return true;
        }
    }
    return false;
}

void read_help(struct loader *l, const struct at *at, const struct yaml_node *m, char **ret)
{
    const struct yaml_node *n = yaml_get(m, "help");
    if (n == NULL) {
        return;
    }
    struct at here = at_key(at, "help");
    if (!want_scalar(l, &here, n)) {
        return;
    }
    if (n->text[0] == '\0') {
        problem(l, &here, n, "is empty");
    } else if (strlen(n->text) > LOADER_MAX_HELP) {
        problem(l, &here, n, "longer than %d bytes", LOADER_MAX_HELP);
    } else if (!text_is_utf8(n->text, strlen(n->text))) {
        problem(l, &here, n, "is not UTF-8");
    } else if (has_control(n->text)) {
        problem(l, &here, n, "has a control character or a line break");
    } else {
        *ret = loader_strdup(l, n->text);
    }
}

int read_choice(struct loader *l, const struct at *at, const struct yaml_node *m, const char *key,
                const char *const *words, size_t n)
{
    const struct yaml_node *v = yaml_get(m, key);
    if (v == NULL) {
        return -1;
    }
    struct at here = at_key(at, key);
    if (!want_scalar(l, &here, v)) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i], v->text) == 0) {
            return (int)i;
        }
    }
    char near[HINT_MAX];
    problem(l, &here, v, "unknown %s \"%.64s\"%s", key, v->text, hint(l, near, v->text, words, n));
    return -1;
}

bool read_number(struct loader *l, const struct at *at, const struct yaml_node *n, double *ret)
{
    if (!want_scalar(l, at, n)) {
        return false;
    }
    if (!n->plain || num_parse_double(n->text, ret) != 0) {
        problem(l, at, n, "\"%.64s\" is not a finite number", n->text);
        return false;
    }
    return true;
}

bool check_value(struct loader *l, const struct at *at, const struct yaml_node *n)
{
    if (!want_scalar(l, at, n)) {
        return false;
    }
    const char *why = NULL;
    if (n->text[0] == '\0') {
        why = "is empty; a label's value never is";
    } else if (strlen(n->text) > CATALOG_MAX_LABEL_VALUE) {
        why = "longer than 256 bytes";
    } else if (has_control(n->text)) {
        why = "has a control character or a line break";
    }
    if (why != NULL) {
        problem(l, at, n, "%s", why);
    }
    return why == NULL;
}
