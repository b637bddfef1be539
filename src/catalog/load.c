// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/loader.h"

static int loader_open(struct loader *l, struct errs *errs)
{
    *l = (struct loader){
        .c = catalog_new(),
        .errs = errs,
        .sections = {[SECTION_BUCKETS] = {.key = "buckets", .one = "list of buckets"},
                     [SECTION_LABELS] = {.key = "labels", .one = "label"},
                     [SECTION_METRICS] = {.key = "metrics", .one = "metric", .listed = true},
                     [SECTION_EVENTS] = {.key = "events", .one = "event", .listed = true}}};
    return l->c != NULL ? 0 : -ENOMEM;
}

static void loader_close(struct loader *l)
{
    for (size_t i = 0; i < l->n_docs; i++) {
        yaml_free(l->docs[i]);
    }
    free(l->docs);
    for (size_t i = 0; i < SECTIONS; i++) {
        free(l->sections[i].entries);
        names_free(&l->sections[i].names);
    }
    names_free(&l->implied);
    catalog_free(l->c);
}

// Takes a document that was read.
static void take(struct loader *l, struct yaml *doc)
{
    if (l->n_docs == l->cap_docs) {
        size_t more = l->cap_docs == 0 ? 8 : l->cap_docs * 2;
        struct yaml **docs = realloc(l->docs, more * sizeof(struct yaml *));
        if (docs == NULL) {
            yaml_free(doc);
            l->oom = true;
            return;
        }
        l->docs = docs;
        l->cap_docs = more;
    }
    l->docs[l->n_docs++] = doc;
    gather(l, doc);
}

static size_t count(const struct loader *l)
{
    return l->errs->n + l->errs->left_out;
}

// Notes why there is no document, unless yaml.c has said so: -EINVAL may also come from the system.
static void refuse(struct loader *l, const char *file, int err, size_t before)
{
    if (err == -ENOMEM) {
        l->oom = true;
    } else if (count(l) == before) {
        errs_add(l->errs, file, 0, 0, "", "%s", strerror(-err));
    }
    l->problems++;
}

static void take_bytes(struct loader *l, const char *file, const char *bytes, size_t len)
{
    struct yaml *doc;
    size_t before = count(l);
    int err = yaml_parse(&doc, file, bytes, len, l->errs);
    if (err == 0) {
        take(l, doc);
    } else {
        refuse(l, file, err, before);
    }
}

static void take_file(struct loader *l, const char *path)
{
    struct yaml *doc;
    size_t before = count(l);
    int err = yaml_read(&doc, path, l->errs);
    if (err == 0) {
        take(l, doc);
    } else {
        refuse(l, path, err, before);
    }
}

static int is_yaml(const struct dirent *d)
{
    size_t len = strlen(d->d_name);
    return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".yaml") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void take_dir(struct loader *l, const char *dir, bool must_exist)
{
    struct dirent **names = NULL;
    int n = scandir(dir, &names, is_yaml, by_bytes);
    if (n < 0) {
        if (errno == ENOMEM) {
            l->oom = true;
        } else if (errno != ENOENT || must_exist) {
            errs_add(l->errs, dir, 0, 0, "", "%s", strerror(errno));
            l->problems++;
        }
        return;
    }
    if (n > LOADER_MAX_FILES) {
        errs_add(l->errs, dir, 0, 0, "", "more than %d files", LOADER_MAX_FILES);
        l->problems++;
    }
    struct buf path = BUF_INIT;
    for (int i = 0; i < n; i++) {
        if (i < LOADER_MAX_FILES && !l->oom) {
            buf_clear(&path);
            buf_addf(&path, "%s/%s", dir, names[i]->d_name);
            if (buf_string(&path) == NULL) {
                l->oom = true;
            } else {
                take_file(l, path.p);
            }
        }
        free(names[i]);
    }
    free(names);
    buf_free(&path);
}

// Makes the catalogue of what was gathered and ends the loader.
static int finish(struct loader *l, struct catalog **ret)
{
    void (*const steps[])(struct loader *) = {read_buckets, read_label_defs, read_metrics,
                                              read_events, check_clashes};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && !l->oom; i++) {
        steps[i](l);
    }
    int err = l->oom ? -ENOMEM : l->problems > 0 ? -EINVAL : catalog_index(l->c);
    if (err == 0) {
        *ret = l->c;
        l->c = NULL;
    }
    loader_close(l);
    return err;
}

int catalog_load(struct catalog **ret, const struct catalog_input *in, struct errs *errs)
{
    struct loader l;
    int err = loader_open(&l, errs);
    if (err < 0) {
        return err;
    }
    if (in->n_files == 0) {
        take_bytes(&l, "built-in catalogue", catalog_builtin, catalog_builtin_len);
    }
    for (size_t i = 0; i < in->n_files && !l.oom; i++) {
        take_file(&l, in->files[i]);
    }
    if (in->dir != NULL && !l.oom) {
        take_dir(&l, in->dir, in->dir_must_exist);
    }
    return finish(&l, ret);
}

int catalog_load_bytes(struct catalog **ret, const char *file, const char *bytes, size_t len,
                       struct errs *errs)
{
    struct loader l;
    int err = loader_open(&l, errs);
    if (err < 0) {
        return err;
    }
    take_bytes(&l, file, bytes, len);
    return finish(&l, ret);
}
