// SPDX-License-Identifier: Apache-2.0
/*
 * query: the target of a request: its path, and the `name[]=` filters of its query.
 *
 * Shape:   a filter is a set of metric names, sorted, each once; an empty set cannot be made.
 * Bounds:  QUERY_MAX_NAMES names of at most QUERY_MAX_NAME bytes; the target itself is bounded
 *          by the size of a request's head.
 * Threads: pure functions.
 * Memory:  a filter owns its names.
 * Source:  percent-encoding as in RFC 3986, `+` for a space as in HTML forms; `name[]` as in
 *          client_golang.
 */
#ifndef VE_WEB_QUERY_H
#define VE_WEB_QUERY_H

#include <stdbool.h>
#include <stddef.h>

enum { QUERY_MAX_NAMES = 256, QUERY_MAX_NAME = 256 };

// Metric names that a scrape asks for; the families of other names are left out.
struct web_filter {
    size_t n;    // from 1
    char **name; // ascending by strcmp, no two the same
};

// Decodes percent-encoding in place and ends the text with a NUL; `+` becomes a space when `form`.
// Returns the new length, or -EINVAL for a malformed escape and for one that stands for a NUL.
long query_decode(char *s, size_t len, bool form);

// Splits a request target (`/path?query`, or `http://host/path?query`) in place. Returns 0 with the
// decoded path and the still encoded query, both NUL-terminated, *ret_query NULL when there is
// none; or -EINVAL when the path is malformed or spaces or control characters stand anywhere.
int query_split(char *target, char **ret_path, char **ret_query);

// Reads the `name[]` parameters; others are ignored. `query` is overwritten. Returns 0, and NULL
// when it names none; -EINVAL for a malformed escape anywhere; -E2BIG beyond the bounds; -ENOMEM.
int query_filter(struct web_filter **ret, char *query);

// Whether a family of this name is asked for. A NULL filter asks for all.
bool query_filter_has(const struct web_filter *f, const char *name);

// Whether both ask for the same; NULL is the same as NULL only.
bool query_filter_same(const struct web_filter *a, const struct web_filter *b);

void query_filter_free(struct web_filter *f);

#endif
