// SPDX-License-Identifier: Apache-2.0
#include "daemon/config_read.h"
#include "base/text.h"
#include "daemon/setting.h"
#include "daemon/value.h"
#include <errno.h>
#include <stdio.h>

enum { SECTION_MOST = 32 }; // bytes of a section's name, its NUL included

struct reader {
    struct config *c;
    struct errs *errs;
    const char *file;
    struct buf path; // dotted keys from the root to where we are
};

// The path as text, for a look-up or a problem; "" when memory is short, which the caller sees in
// path.failed.
static const char *reader_path(struct reader *r)
{
    const char *path = buf_string(&r->path);
    return path != NULL ? path : "";
}

static void reader_enter(struct reader *r, const char *key)
{
    if (r->path.len > 0) {
        buf_char(&r->path, '.');
    }
    char shown[SETTING_SHOWN];
    setting_show(shown, key);
    buf_str(&r->path, shown);
}

static bool is_null(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR_NODE_KIND && node->plain &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
            strcasecmp(node->text, "null") == 0);
}

// A mapping or list in the place of a scalar, nothing at all, or quotes around what is no text:
// says what stands there, or returns NULL when it is a text to read.
static const char *not_a_text(const struct setting *s, const struct yaml_node *node)
{
    if (node->kind == YAML_SEQUENCE_KIND) {
        return "a list";
    }
    if (node->kind == YAML_MAPPING_KIND) {
        return "a mapping";
    }
    if (is_null(node)) {
        return "nothing";
    }
    bool is_text = s->kind != KIND_BOOL && s->kind != KIND_COUNT;
    return node->plain || is_text ? NULL : "a text in quotes";
}

static int read_value(struct reader *r, const struct setting *s, const struct yaml_node *node)
{
    uint64_t number;
    const char *other = not_a_text(s, node);
    if (other != NULL || !value_read(s, node->text, &number)) {
        setting_refuse(s, r->errs, r->file, node->line, node->column, reader_path(r), node->text,
                       other);
        return 0;
    }
    if (r->c->origins[s - settings].giver == CONFIG_BY_FLAG) {
        return 0;
    }
    return setting_put(s, r->c, node->text);
}

static int read_list(struct reader *r, const struct setting *s, const struct yaml_node *node)
{
    if (node->kind != YAML_SEQUENCE_KIND) {
        errs_add(r->errs, r->file, node->line, node->column, reader_path(r), "wants a list");
        return 0;
    }
    if (node->n > CONFIG_MAX_LIST) {
        errs_add(r->errs, r->file, node->line, node->column, reader_path(r),
                 "wants a list of at most %d entries, not %zu", CONFIG_MAX_LIST, node->n);
        return 0;
    }
    if (node->n == 0 && s->kind == KIND_ADDRESSES) {
        errs_add(r->errs, r->file, node->line, node->column, reader_path(r),
                 "wants a list of at least one address");
        return 0;
    }
    if (r->c->origins[s - settings].giver != CONFIG_BY_FLAG) {
        setting_clear(s, r->c);
    }
    size_t len = r->path.len;
    int result = 0;
    for (size_t i = 0; result == 0 && i < node->n; i++) {
        buf_addf(&r->path, "[%zu]", i);
        result = read_value(r, s, node->items[i]);
        r->path.len = len;
    }
    return result;
}

static int read_setting(struct reader *r, const struct setting *s, const struct yaml_node *node)
{
    int result = setting_is_list(s) ? read_list(r, s, node) : read_value(r, s, node);
    struct config_origin *origin = &r->c->origins[s - settings];
    if (origin->giver != CONFIG_BY_FLAG) {
        *origin = (struct config_origin){CONFIG_BY_FILE, node->line, node->column};
    }
    return result;
}

static bool is_section(const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strncmp(settings[i].key, path, len) == 0 && settings[i].key[len] == '.') {
            return true;
        }
    }
    return false;
}

// The known key or section that is nearest to the path. A section's name is written to `section`.
static const char *nearest_key(const char *path, char section[SECTION_MOST])
{
    const char *words[2 * SETTING_COUNT + 1];
    char names[SETTING_COUNT][SECTION_MOST];
    size_t n = 0;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *key = settings[i].key;
        if (key[0] != '\0') {
            snprintf(names[i], sizeof names[i], "%.*s", (int)strcspn(key, "."), key);
            words[n++] = key;
            words[n++] = names[i];
        }
    }
    words[n++] = CONFIG_SOURCES;
    const char *nearest = text_nearest(path, words, n);
    if (nearest == NULL || setting_by_key(nearest) != NULL) {
        return nearest;
    }
    snprintf(section, SECTION_MOST, "%s", nearest);
    return section;
}

static void refuse_key(struct reader *r, const struct yaml_node *key)
{
    char section[SECTION_MOST];
    const char *path = reader_path(r);
    const char *nearest = nearest_key(path, section);
    if (strchr(key->text, '.') != NULL) {
        errs_add(r->errs, r->file, key->line, key->column, path,
                 "unknown key; a dot is written as a nested mapping");
    } else if (nearest != NULL) {
        errs_add(r->errs, r->file, key->line, key->column, path, "unknown key; the nearest is %s",
                 nearest);
    } else {
        errs_add(r->errs, r->file, key->line, key->column, path, "unknown key");
    }
}

// Recursion ends with the sections that the table knows.
static int read_mapping(struct reader *r, const struct yaml_node *node)
{
    if (is_null(node)) {
        return 0;
    }
    if (node->kind != YAML_MAPPING_KIND) {
        errs_add(r->errs, r->file, node->line, node->column, reader_path(r), "wants a mapping");
        return 0;
    }
    size_t len = r->path.len;
    int result = 0;
    for (size_t i = 0; result == 0 && i < node->n; i++) {
        const struct yaml_node *key = node->keys[i];
        reader_enter(r, key->text);
        const char *path = reader_path(r);
        const struct setting *s = setting_by_key(path);
        bool nested = strchr(key->text, '.') == NULL;
        if (r->path.failed) {
            result = -ENOMEM;
        } else if (strcmp(path, CONFIG_SOURCES) == 0) {
            r->c->sources =
                node->items[i]; // daemon/config_sources reads it, with the catalogue at hand
        } else if (nested && s != NULL) {
            result = read_setting(r, s, node->items[i]);
        } else if (nested && is_section(path)) {
            result = read_mapping(r, node->items[i]);
        } else {
            refuse_key(r, key);
        }
        r->path.len = len;
    }
    return result;
}

int config_read_tree(struct config *c, const struct yaml *y, struct errs *errs)
{
    struct reader r = {.c = c, .errs = errs, .file = y->file, .path = BUF_INIT};
    int result = y->root != NULL ? read_mapping(&r, y->root) : 0;
    buf_free(&r.path);
    return result;
}

int config_read(struct config *c, struct errs *errs)
{
    struct yaml *y;
    int r = yaml_read(&y, c->config_file, errs);
    if (r == -ENOENT && c->origins[SETTING_config_file].giver == CONFIG_BY_DEFAULT) {
        return 0;
    }
    if (r == -EINVAL || r == -ENOMEM) {
        return r == -ENOMEM ? r : 0;
    }
    if (r < 0) {
        errs_add(errs, c->config_file, 0, 0, "", "cannot be read: %s", strerror(-r));
        return 0;
    }
    r = config_read_tree(c, y, errs);
    if (c->sources != NULL) {
        c->file = y;
    } else {
        yaml_free(y);
    }
    return r;
}
