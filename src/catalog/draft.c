// SPDX-License-Identifier: Apache-2.0
#include "catalog/draft.h"

#include "base/text.h"

#include <stdlib.h>

void draft_open(struct draft *d, struct catalog *c, struct errs *errs)
{
    *d = (struct draft){
        .reader = {.errs = errs, .context = d},
        .catalog = c,
        .sections = {[SECTION_BUCKETS] = {.key = "buckets", .noun = "list of buckets"},
                     [SECTION_LABELS] = {.key = "labels", .noun = "label"},
                     [SECTION_METRICS] = {.key = "metrics", .noun = "metric", .listed = true},
                     [SECTION_EVENTS] = {.key = "events", .noun = "event", .listed = true}}};
}

void draft_close(struct draft *d)
{
    for (size_t i = 0; i < SECTIONS; i++) {
        free(d->sections[i].entries);
        catalog_names_free(&d->sections[i].names);
    }
    catalog_names_free(&d->implied);
}

void *draft_alloc(struct yaml_reader *r, size_t n, size_t size)
{
    void *p = catalog_alloc(draft_catalog(r), n, size);
    r->oom = r->oom || p == NULL;
    return p;
}

char *draft_text(struct yaml_reader *r, const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = draft_alloc(r, 1, size);
    return copy != NULL ? memcpy(copy, s, size) : NULL;
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

void draft_read_help(struct yaml_reader *r, const struct yaml_place *place,
                     const struct yaml_node *n, void *field)
{
    if (n->text[0] == '\0') {
        yaml_problem(r, place, n, "is empty");
    } else if (strlen(n->text) > DRAFT_MAX_HELP) {
        yaml_problem(r, place, n, "longer than %d bytes", DRAFT_MAX_HELP);
    } else if (!text_is_utf8(n->text, strlen(n->text))) {
        yaml_problem(r, place, n, "is not UTF-8");
    } else if (has_control(n->text)) {
        yaml_problem(r, place, n, "has a control character or a line break");
    } else {
        *(char **)field = draft_text(r, n->text);
    }
}

bool draft_check_value(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n)
{
    if (!yaml_check_text(r, place, n)) {
        return false;
    }
    const char *why = NULL;
    if (n->text[0] == '\0') {
        why = "is empty; a label's value must not be empty";
    } else if (strlen(n->text) > CATALOG_MAX_LABEL_VALUE) {
        why = "longer than 256 bytes";
    } else if (has_control(n->text)) {
        why = "has a control character or a line break";
    }
    if (why != NULL) {
        yaml_problem(r, place, n, "%s", why);
    }
    return why == NULL;
}

bool draft_check_number(struct yaml_reader *r, const struct yaml_place *place, size_t n,
                        struct yaml_node *const *nodes, size_t max, const char *nouns)
{
    if (n > max) {
        yaml_problem(r, place, nodes[max], "more than %zu %s", max, nouns);
    }
    return n <= max;
}

static bool section_reserve(struct section *s, struct yaml_reader *r)
{
    if (s->n < s->cap) {
        return true;
    }
    size_t more = s->cap == 0 ? 64 : s->cap * 2;
    struct section_entry *entries = realloc(s->entries, more * sizeof *entries);
    if (entries == NULL) {
        r->oom = true;
        return false;
    }
    s->entries = entries;
    s->cap = more;
    return true;
}

// Adds an entry, or puts it in the place of one of the same name when `replace: true` is set.
static void add_entry(struct section *s, struct yaml_reader *r, const struct yaml_place *place,
                      const struct section_entry *e)
{
    // The other keys are read when all files are known.
    struct yaml_key replace = {"replace", .type = YAML_BOOL};
    bool replaces = false;
    if (e->node->kind == YAML_MAPPING_KIND) {
        yaml_read_key(r, place, e->node, &replace, &replaces);
    }
    long found = draft_section_find(s, e->name);
    if (found >= 0 && replaces) {
        s->entries[found] = *e;
        return;
    }
    if (found >= 0) {
        const struct section_entry *old = &s->entries[found];
        yaml_problem(r, place, e->name_node,
                     "%s \"%.100s\" exists already (%.100s:%u); `replace: true` replaces it",
                     s->noun, e->name, old->file, old->name_node->line);
    } else if (catalog_names_add(&s->names, e->name, s->n) < 0) {
        r->oom = true;
    }
    // A second one is kept too, so that all else that is wrong with it is found.
    if (section_reserve(s, r)) {
        s->entries[s->n++] = *e;
    }
}

static void add_listed(struct section *s, struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *item, size_t index)
{
    static const struct yaml_key name = {"name", .type = YAML_ANY, .required = true};
    struct yaml_place here = yaml_place_item(place, index);
    struct yaml_place name_place = yaml_place_key(&here, name.name);
    const struct yaml_node *n = NULL;
    if (!yaml_check_mapping(r, &here, item)) {
        return;
    }
    yaml_read_key(r, &here, item, &name, &n);
    if (n != NULL && yaml_check_text(r, &name_place, n)) {
        struct section_entry e = {
            .name = n->text, .node = item, .name_node = n, .file = r->file, .index = index};
        add_entry(s, r, &here, &e);
    }
}

void draft_section_add(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n, void *field)
{
    struct section *s = field;
    for (size_t i = 0; i < n->n && !r->oom; i++) {
        if (s->listed) {
            add_listed(s, r, place, n->items[i], i);
            continue;
        }
        struct yaml_place here = yaml_place_key(place, n->keys[i]->text);
        struct section_entry e = {.name = n->keys[i]->text,
                                  .node = n->items[i],
                                  .name_node = n->keys[i],
                                  .file = r->file};
        add_entry(s, r, &here, &e);
    }
}

long draft_section_find(const struct section *s, const char *name)
{
    return catalog_names_find(&s->names, name, strlen(name));
}

const char *draft_section_hint(const struct section *s, struct yaml_reader *r,
                               char out[static TEXT_HINT], const char *word)
{
    const char **words = calloc(s->n + 1, sizeof(const char *));
    out[0] = '\0';
    if (words == NULL) {
        r->oom = true;
        return out;
    }
    for (size_t i = 0; i < s->n; i++) {
        words[i] = s->entries[i].name;
    }
    yaml_hint(r, out, word, words, s->n);
    free(words);
    return out;
}

struct yaml_place draft_section_enter(const struct section *s, const struct section_entry *e,
                                      struct yaml_reader *r, struct yaml_place *up)
{
    r->file = e->file;
    *up = yaml_place_key(NULL, s->key);
    return s->listed ? yaml_place_item(up, e->index) : yaml_place_key(up, e->name);
}
