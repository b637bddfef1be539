// SPDX-License-Identifier: Apache-2.0
#include "web/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

long query_decode(char *s, size_t len, bool form)
{
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '%') {
            int high = i + 2 < len ? hex_digit(s[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(s[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0)) {
                return -EINVAL;
            }
            s[out++] = (char)(high * 16 + low);
            i += 2;
        } else {
            s[out++] = form && s[i] == '+' ? ' ' : s[i];
        }
    }
    s[out] = '\0';
    return (long)out;
}

static bool is_printable(const char *s)
{
    while ((unsigned char)*s > ' ' && *s != 0x7f) {
        s++;
    }
    return *s == '\0';
}

int query_split(char *target, char **ret_path, char **ret_query)
{
    if (!is_printable(target)) {
        return -EINVAL;
    }
    char *path = target;
    if (strncasecmp(path, "http://", 7) == 0) {
        path += 7 + strcspn(path + 7, "/?");
    }
    char *query = strchr(path, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    if (query_decode(path, strlen(path), false) < 0) {
        return -EINVAL;
    }
    *ret_path = path;
    *ret_query = query;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int filter_add(struct web_filter *f, const char *name, size_t len)
{
    if (f->n == QUERY_MAX_NAMES || len > QUERY_MAX_NAME) {
        return -E2BIG;
    }
    if (f->name == NULL) {
        f->name = calloc(QUERY_MAX_NAMES, sizeof *f->name);
        if (f->name == NULL) {
            return -ENOMEM;
        }
    }
    f->name[f->n] = strdup(name);
    if (f->name[f->n] == NULL) {
        return -ENOMEM;
    }
    f->n++;
    return 0;
}

// One `key=value` pair, NUL-terminated.
static int filter_pair(struct web_filter *f, char *pair)
{
    char *value = strchr(pair, '=');
    if (value != NULL) {
        *value++ = '\0';
    }
    long value_len = value != NULL ? query_decode(value, strlen(value), true) : 0;
    if (query_decode(pair, strlen(pair), true) < 0 || value_len < 0) {
        return -EINVAL;
    }
    if (strcmp(pair, "name[]") != 0) {
        return 0;
    }
    return filter_add(f, value != NULL ? value : "", (size_t)value_len);
}

static void filter_sort(struct web_filter *f)
{
    qsort(f->name, f->n, sizeof *f->name, compare_names);
    size_t kept = 1;
    for (size_t i = 1; i < f->n; i++) {
        if (strcmp(f->name[i], f->name[kept - 1]) == 0) {
            free(f->name[i]);
        } else {
            f->name[kept++] = f->name[i];
        }
    }
    f->n = kept;
}

int query_filter(struct web_filter **ret, char *query)
{
    struct web_filter *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return -ENOMEM;
    }
    int r = 0;
    char *next = query;
    while (next != NULL && r == 0) {
        char *pair = strsep(&next, "&");
        r = filter_pair(f, pair);
    }
    if (r < 0 || f->n == 0) {
        query_filter_free(f);
        f = NULL;
    } else {
        filter_sort(f);
    }
    if (r == 0) {
        *ret = f;
    }
    return r;
}

bool query_filter_has(const struct web_filter *f, const char *name)
{
    return f == NULL || bsearch(&name, f->name, f->n, sizeof *f->name, compare_names) != NULL;
}

bool query_filter_same(const struct web_filter *a, const struct web_filter *b)
{
    if (a == NULL || b == NULL || a->n != b->n) {
        return a == b;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->name[i], b->name[i]) != 0) {
            return false;
        }
    }
    return true;
}

void query_filter_free(struct web_filter *f)
{
    if (f == NULL) {
        return;
    }
    for (size_t i = 0; i < f->n; i++) {
        free(f->name[i]);
    }
    free(f->name);
    free(f);
}
