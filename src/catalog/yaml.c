// SPDX-License-Identifier: Apache-2.0
#include "catalog/yaml.h"

#include "base/num.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <yaml.h>

enum { MAX_BYTES = 1 << 20, MAX_LEVELS = 16, MAX_NODES = 50000 };

struct reader {
    yaml_parser_t parser;
    const char *file;
    const char *bytes;
    size_t len;
    struct errs *errs;
    size_t nodes;
    unsigned problems;
};

__attribute__((format(printf, 4, 5))) static void problem(struct reader *r, unsigned line,
                                                          unsigned column, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    errs_add(r->errs, r->file, line, column, "", "%s", text);
    r->problems++;
}

static void node_free(struct yaml_node *n)
{
    if (n == NULL) {
        return;
    }
    for (size_t i = 0; i < n->n; i++) {
        node_free(n->items[i]);
        if (n->keys != NULL) {
            node_free(n->keys[i]);
        }
    }
    free(n->items);
    free(n->keys);
    free(n->text);
    free(n);
}

// The reader knows only which byte it did not like.
static void reader_problem(struct reader *r, const char *what, size_t offset)
{
    unsigned line = 1;
    size_t start = 0;
    for (size_t i = 0; i < offset && i < r->len; i++) {
        if (r->bytes[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    problem(r, line, (unsigned)(offset - start) + 1, "%s", what);
}

// Reads the next event. Returns 0, -EINVAL or -ENOMEM; the caller deletes the event on 0.
static int next(struct reader *r, yaml_event_t *e)
{
    if (yaml_parser_parse(&r->parser, e) != 0) {
        return 0;
    }
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) {
        return -ENOMEM;
    }
    if (p->error == YAML_READER_ERROR) {
        reader_problem(r, p->problem, p->problem_offset);
    } else {
        problem(r, (unsigned)p->problem_mark.line + 1, (unsigned)p->problem_mark.column + 1,
                "%s%s%s", p->problem, p->context != NULL ? " " : "",
                p->context != NULL ? p->context : "");
    }
    return -EINVAL;
}

static int compare_keys(const void *a, const void *b)
{
    const struct yaml_node *x = *(struct yaml_node *const *)a;
    const struct yaml_node *y = *(struct yaml_node *const *)b;
    int by_text = strcmp(x->text, y->text);
    if (by_text != 0) {
        return by_text;
    }
    if (x->line != y->line) {
        return x->line < y->line ? -1 : 1;
    }
    return x->column < y->column ? -1 : x->column > y->column;
}

// Sorted, because a mapping may hold tens of thousands of keys.
static int check_duplicates(struct reader *r, const struct yaml_node *m)
{
    if (m->n < 2) {
        return 0;
    }
    struct yaml_node **sorted = malloc(m->n * sizeof(struct yaml_node *));
    if (sorted == NULL) {
        return -ENOMEM;
    }
    memcpy(sorted, m->keys, m->n * sizeof(struct yaml_node *));
    qsort(sorted, m->n, sizeof(struct yaml_node *), compare_keys);
    for (size_t i = 1; i < m->n; i++) {
        if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0) {
            problem(r, sorted[i]->line, sorted[i]->column,
                    "duplicate key \"%.64s\", first on line %u", sorted[i]->text,
                    sorted[i - 1]->line);
        }
    }
    free(sorted);
    return 0;
}

static int grow(struct yaml_node *n, size_t *cap)
{
    if (n->n < *cap) {
        return 0;
    }
    size_t more = *cap == 0 ? 8 : *cap * 2;
    struct yaml_node **items = realloc(n->items, more * sizeof(struct yaml_node *));
    if (items == NULL) {
        return -ENOMEM;
    }
    n->items = items;
    if (n->kind == YAML_MAPPING_KIND) {
        struct yaml_node **keys = realloc(n->keys, more * sizeof(struct yaml_node *));
        if (keys == NULL) {
            return -ENOMEM;
        }
        n->keys = keys;
    }
    *cap = more;
    return 0;
}

static int fill_scalar(struct reader *r, struct yaml_node *n, const yaml_event_t *e)
{
    const char *bytes = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;
    if (memchr(bytes, 0, len) != NULL) {
        problem(r, n->line, n->column, "a NUL character is not allowed");
    }
    n->text = strndup(bytes, len);
    n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return n->text != NULL ? 0 : -ENOMEM;
}

static int compose(struct reader *r, const yaml_event_t *e, unsigned level, struct yaml_node **ret);

// Reads the value that follows a key and puts both into the mapping, which has room. Takes the key.
static int add_pair(struct reader *r, struct yaml_node *m, struct yaml_node *key, unsigned level)
{
    struct yaml_node *value = NULL;
    yaml_event_t e;
    int err = next(r, &e);
    if (err == 0) {
        err = compose(r, &e, level, &value);
        yaml_event_delete(&e);
    }
    if (err == 0 && key->kind != YAML_SCALAR_NODE_KIND) {
        problem(r, key->line, key->column, "a key must be plain text");
        err = -EINVAL;
    }
    if (err < 0) {
        node_free(key);
        node_free(value);
        return err;
    }
    m->keys[m->n] = key;
    m->items[m->n++] = value;
    return 0;
}

// Reads what follows a start event until its end. On failure the entries so far stay in the node.
static int fill_collection(struct reader *r, struct yaml_node *n, unsigned level)
{
    bool mapping = n->kind == YAML_MAPPING_KIND;
    yaml_event_type_t end = mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    size_t cap = 0;
    for (;;) {
        yaml_event_t e;
        int err = next(r, &e);
        if (err < 0) {
            return err;
        }
        if (e.type == end) {
            yaml_event_delete(&e);
            return mapping ? check_duplicates(r, n) : 0;
        }
        struct yaml_node *first = NULL;
        err = grow(n, &cap);
        if (err == 0) {
            err = compose(r, &e, level, &first);
        }
        yaml_event_delete(&e);
        if (err == 0 && mapping) {
            err = add_pair(r, n, first, level);
        } else if (err == 0) {
            n->items[n->n++] = first;
        }
        if (err < 0) {
            return err;
        }
    }
}

// Says what of YAML is not taken: anchors, aliases and tags.
static void check_properties(struct reader *r, const yaml_event_t *e, const struct yaml_node *n)
{
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag = NULL;
    if (e->type == YAML_ALIAS_EVENT) {
        problem(r, n->line, n->column, "aliases (*name) are not supported");
    } else if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    } else {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    }
    if (anchor != NULL) {
        problem(r, n->line, n->column, "anchors (&name) are not supported");
    }
    if (tag != NULL) {
        problem(r, n->line, n->column, "tags (!name) are not supported");
    }
}

// Makes the node that the event `e` begins.
static int compose(struct reader *r, const yaml_event_t *e, unsigned level, struct yaml_node **ret)
{
    unsigned line = (unsigned)e->start_mark.line + 1;
    unsigned column = (unsigned)e->start_mark.column + 1;
    if (++r->nodes > MAX_NODES) {
        problem(r, line, column, "more than %d values in one file", MAX_NODES);
        return -EINVAL;
    }
    if (level >= MAX_LEVELS) {
        problem(r, line, column, "nested deeper than %d levels", MAX_LEVELS);
        return -EINVAL;
    }
    struct yaml_node *n = calloc(1, sizeof *n);
    if (n == NULL) {
        return -ENOMEM;
    }
    n->line = line;
    n->column = column;
    check_properties(r, e, n);
    int err;
    if (e->type == YAML_SCALAR_EVENT) {
        err = fill_scalar(r, n, e);
    } else if (e->type == YAML_ALIAS_EVENT) {
        n->text = strdup("");
        err = n->text != NULL ? 0 : -ENOMEM;
    } else {
        n->kind = e->type == YAML_SEQUENCE_START_EVENT ? YAML_SEQUENCE_KIND : YAML_MAPPING_KIND;
        err = fill_collection(r, n, level + 1);
    }
    if (err < 0) {
        node_free(n);
        return err;
    }
    *ret = n;
    return 0;
}

// Reads the one document that a file may hold.
static int read_stream(struct reader *r, struct yaml_node **root)
{
    unsigned documents = 0;
    for (;;) {
        yaml_event_t e;
        int err = next(r, &e);
        if (err < 0) {
            return err;
        }
        yaml_event_type_t type = e.type;
        if (type == YAML_DOCUMENT_START_EVENT && ++documents > 1) {
            problem(r, (unsigned)e.start_mark.line + 1, (unsigned)e.start_mark.column + 1,
                    "a second document begins; a file holds one");
            err = -EINVAL;
        } else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                   type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT) {
            err = compose(r, &e, 0, root);
        }
        yaml_event_delete(&e);
        if (err < 0 || type == YAML_STREAM_END_EVENT) {
            return err;
        }
    }
}

static int parse(struct yaml *y, const char *bytes, size_t len, struct errs *errs)
{
    struct reader r = {.file = y->file, .bytes = bytes, .len = len, .errs = errs};
    if (len > MAX_BYTES) {
        problem(&r, 0, 0, "larger than %d bytes", MAX_BYTES);
        return -EINVAL;
    }
    if (yaml_parser_initialize(&r.parser) == 0) {
        return -ENOMEM;
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)bytes, len);
    int err = read_stream(&r, &y->root);
    yaml_parser_delete(&r.parser);
    if (err == 0 && r.problems > 0) {
        err = -EINVAL;
    }
    // "---" alone is an empty document too.
    if (y->root != NULL && y->root->kind == YAML_SCALAR_NODE_KIND && y->root->plain &&
        y->root->text[0] == '\0') {
        node_free(y->root);
        y->root = NULL;
    }
    return err;
}

int yaml_parse(struct yaml **ret, const char *file, const char *bytes, size_t len,
               struct errs *errs)
{
    struct yaml *y = calloc(1, sizeof *y);
    if (y == NULL) {
        return -ENOMEM;
    }
    y->file = strdup(file);
    int err = y->file != NULL ? parse(y, bytes, len, errs) : -ENOMEM;
    if (err < 0) {
        yaml_free(y);
        return err;
    }
    *ret = y;
    return 0;
}

static bool is_null(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

int yaml_read(struct yaml **ret, const char *path, struct errs *errs)
{
    // A FIFO would wait for a writer, and a device may never end; but /dev/null is how some say "no file".
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !is_null(&st))) {
        bool directory = S_ISDIR(st.st_mode);
        close(fd);
        if (directory) {
            return -EISDIR;
        }
        errs_add(errs, path, 0, 0, "", "is not a regular file");
        return -EINVAL;
    }
    // One byte more than is allowed, so that parse sees that there is too much.
    struct buf bytes = {.max = MAX_BYTES + 1};
    int err = 0;
    while (err == 0 && bytes.len < bytes.max) {
        size_t room = bytes.max - bytes.len < 65536 ? bytes.max - bytes.len : 65536;
        if (!buf_reserve(&bytes, room)) {
            err = -ENOMEM;
            break;
        }
        ssize_t got = read(fd, bytes.p + bytes.len, room);
        if (got == 0) {
            break;
        }
        if (got > 0) {
            bytes.len += (size_t)got;
        } else if (errno != EINTR) {
            err = -errno;
        }
    }
    close(fd);
    if (err == 0) {
        err = yaml_parse(ret, path, bytes.p != NULL ? bytes.p : "", bytes.len, errs);
    }
    buf_free(&bytes);
    return err;
}

const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key)
{
    for (size_t i = 0; mapping->kind == YAML_MAPPING_KIND && i < mapping->n; i++) {
        if (strcmp(mapping->keys[i]->text, key) == 0) {
            return mapping->items[i];
        }
    }
    return NULL;
}

void yaml_close(struct yaml *y)
{
    if (y != NULL) {
        node_free(y->root);
        free(y->file);
        free(y);
    }
}

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

const char *yaml_hint(const struct yaml_reader *r, char out[static TEXT_HINT], const char *word,
                      const char *const *words, size_t n_words)
{
    // Comparing takes as many steps as the product of the lengths: not for problems that will not be shown.
    out[0] = '\0';
    return r->errs->n < ERRS_MAX ? text_hint(out, "", word, words, n_words) : out;
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
    char near[TEXT_HINT];
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
    char near[TEXT_HINT];
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
