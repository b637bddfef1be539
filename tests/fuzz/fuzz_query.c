// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_query: a request's head. The first line is the method, version and target, with one space between
 * them; the others are header fields, `name:value`.
 */
#include "web/head.h"
#include "web/query.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static void on_target(char *target)
{
    char *path;
    char *query;
    struct web_filter *f = NULL;
    size_t len = strlen(target);
    if (query_split(target, &path, &query) < 0) {
        return;
    }
    must(strlen(path) <= len, "a path grew");
    if (query == NULL || query_filter(&f, query) < 0 || f == NULL) {
        return;
    }
    must(f->n >= 1 && f->n <= QUERY_MAX_NAMES, "a filter has an odd number of names");
    for (size_t i = 0; i < f->n; i++) {
        must(strlen(f->name[i]) <= QUERY_MAX_NAME, "a name is too long");
        must(i == 0 || strcmp(f->name[i - 1], f->name[i]) < 0, "names are not sorted");
        must(query_filter_has(f, f->name[i]), "a filter does not find its name");
    }
    must(query_filter_same(f, f), "a filter is not the same as itself");
    query_filter_free(f);
}

static void on_fields(struct head *h, char *rest)
{
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        const char *colon = strchr(line, ':');
        const char *value = colon != NULL ? colon + 1 : "";
        head_field(h, line, colon != NULL ? (size_t)(colon - line) : strlen(line), value,
                   strlen(value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    must(text != NULL, "no memory");
    memcpy(text, data, size);
    text[size] = '\0';
    char *rest = text;
    char *line = strsep(&rest, "\n");
    const char *method = strsep(&line, " ");
    const char *version = line != NULL ? strsep(&line, " ") : "";
    struct head h;
    head_begin(&h, version);
    if (line != NULL) {
        on_target(line);
    }
    on_fields(&h, rest);
    const char *wrong = head_end(&h, method);
    must(wrong == NULL || wrong[0] != '\0', "nobody says what is wrong");
    must(wrong != NULL || h.lengths <= 1, "two lengths are trusted");
    must(wrong != NULL || h.lengths == 0 || h.codings == 0, "a length and a coding are trusted");
    head_has_body(&h);
    free(text);
    return 0;
}
