// SPDX-License-Identifier: Apache-2.0
#include "catalog/load.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/read.h"

// The trees of all files so far.
struct loader {
    struct errs *errs;
    bool oom;
    size_t problems; // files without a tree
    size_t n_docs;
    size_t cap_docs;
    struct yaml **docs;
};

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

// A file that was asked for by name and holds nothing was most likely being written just then.
static void take_file(struct loader *l, const char *path, bool named)
{
    struct yaml *doc;
    size_t before = count(l);
    int err = yaml_read(&doc, path, l->errs);
    if (err == 0 && named && doc->root == NULL) {
        errs_add(l->errs, path, 0, 0, "", "is empty: the catalogue has no metric");
        l->problems++;
        yaml_free(doc);
    } else if (err == 0) {
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

// A name that is likely meant to end in .yaml.
static int is_almost_yaml(const struct dirent *d)
{
    size_t len = strlen(d->d_name);
    return d->d_name[0] != '.' && len > 4 &&
           (strcasecmp(d->d_name + len - 4, ".yml") == 0 ||
            (len > 5 && strcasecmp(d->d_name + len - 5, ".yaml") == 0 && !is_yaml(d)));
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void hint_at_others(struct errs *warnings, const char *dir)
{
    struct dirent **names = NULL;
    int n = warnings != NULL ? scandir(dir, &names, is_almost_yaml, by_bytes) : 0;
    for (int i = 0; i < n; i++) {
        errs_add(warnings, dir, 0, 0, names[i]->d_name,
                 "is not read: its name does not end in .yaml");
        free(names[i]);
    }
    free(names);
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
    if (n > LOAD_MAX_FILES) {
        errs_add(l->errs, dir, 0, 0, "", "more than %d files", LOAD_MAX_FILES);
        l->problems++;
    }
    struct buf path = BUF_INIT;
    for (int i = 0; i < n; i++) {
        if (i < LOAD_MAX_FILES && !l->oom) {
            buf_clear(&path);
            buf_addf(&path, "%s/%s", dir, names[i]->d_name);
            if (buf_string(&path) == NULL) {
                l->oom = true;
            } else {
                take_file(l, path.p, false);
            }
        }
        free(names[i]);
    }
    free(names);
    buf_free(&path);
}

// Makes the catalogue of the trees and ends the loader.
static int finish(struct loader *l, struct catalog **ret)
{
    struct catalog *c = l->oom ? NULL : catalog_new();
    int err = c != NULL ? catalog_read(c, l->docs, l->n_docs, l->errs) : -ENOMEM;
    if (err == 0 && l->problems > 0) {
        err = -EINVAL;
    }
    if (err == 0) {
        *ret = c;
    } else {
        catalog_free(c);
    }
    for (size_t i = 0; i < l->n_docs; i++) {
        yaml_free(l->docs[i]);
    }
    free(l->docs);
    return err;
}

int catalog_load(struct catalog **ret, const struct catalog_input *in, struct errs *errs)
{
    struct loader l = {.errs = errs};
    if (in->n_files == 0) {
        take_bytes(&l, "built-in catalogue", catalog_builtin, catalog_builtin_len);
    }
    for (size_t i = 0; i < in->n_files && !l.oom; i++) {
        take_file(&l, in->files[i], true);
    }
    if (in->dir != NULL && !l.oom) {
        take_dir(&l, in->dir, in->dir_must_exist);
        hint_at_others(in->warnings, in->dir);
    }
    struct catalog *c = NULL;
    int err = finish(&l, &c);
    if (err == 0 && c->n_metrics == 0) {
        const char *file = in->n_files > 0 ? in->files[in->n_files - 1] : "built-in catalogue";
        errs_add(errs, file, 0, 0, "metrics", "the catalogue has no metric");
        catalog_free(c);
        return -EINVAL;
    }
    if (err == 0) {
        *ret = c;
    }
    return err;
}

int catalog_load_bytes(struct catalog **ret, const char *file, const char *bytes, size_t len,
                       struct errs *errs)
{
    struct loader l = {.errs = errs};
    take_bytes(&l, file, bytes, len);
    return finish(&l, ret);
}
