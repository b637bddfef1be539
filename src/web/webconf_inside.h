// SPDX-License-Identifier: Apache-2.0
/*
 * webconf_inside: what the files that read a web configuration share. Private to them.
 *
 * Shape:   a mapping is read by a table: each key with the function that reads its value. Problems are noted
 *          and reading goes on, so that one run names everything; `oom` is sticky.
 * Threads: one owner.
 */
#ifndef VE_WEB_WEBCONF_INSIDE_H
#define VE_WEB_WEBCONF_INSIDE_H

#include "catalog/yaml.h"
#include "web/webconf.h"

struct webconf_reader {
    struct errs *errs;
    const char *file;
    struct webconf *out;
    unsigned problems;
    bool oom;
};

struct webconf_key {
    const char *name;
    void (*read)(struct webconf_reader *r, const char *path, const struct yaml_node *n);
};

// Notes a problem; `n` NULL: no place.
void webconf_problem(struct webconf_reader *r, const struct yaml_node *n, const char *path,
                     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

bool webconf_is_null(const struct yaml_node *n);

// Reads a mapping's values; an empty one is fine.
void webconf_mapping(struct webconf_reader *r, const char *path, const struct yaml_node *n,
                     const struct webconf_key *keys, size_t n_keys);

// Whether it is a sequence of at most `most` entries; notes a problem if not. Nothing at all is none.
bool webconf_is_list(struct webconf_reader *r, const char *path, const struct yaml_node *n,
                     size_t most);

// Copies a scalar. Returns NULL for nothing, and after a problem.
char *webconf_text(struct webconf_reader *r, const char *path, const struct yaml_node *n);

void webconf_bool(struct webconf_reader *r, const char *path, const struct yaml_node *n, bool *ret);

// The position of a scalar's text among `words`, or -1 after a problem that says what it is not ("cipher").
int webconf_choice(struct webconf_reader *r, const char *path, const struct yaml_node *n,
                   const char *what, const char *const *words, size_t n_words);

// webconf_tls.c: the section, and what it must hold when it is there.
void webconf_read_tls(struct webconf_reader *r, const char *path, const struct yaml_node *n);

// webconf_limit.c: the section of the rate limit.
void webconf_read_limit(struct webconf_reader *r, const char *path, const struct yaml_node *n);

#endif
