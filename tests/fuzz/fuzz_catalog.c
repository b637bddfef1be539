// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_catalog: a catalogue file. What is accepted must print as a catalogue that is accepted and prints the
 * same, from memory and as a file; what is refused must say why.
 */
#include "catalog/load.h"
#include "catalog/print.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good, const char *what, const struct buf *text)
{
    if (!good) {
        fprintf(stderr, "%s:\n%.*s\n", what, (int)text->len, text->p != NULL ? text->p : "");
        abort();
    }
}

static struct catalog *load(const char *bytes, size_t len, struct buf *problems)
{
    struct catalog *c = NULL;
    struct errs errs = ERRS_INIT;
    int rc = catalog_load_bytes(&c, "c.yaml", len > 0 ? bytes : "", len, &errs);
    buf_clear(problems);
    errs_write(&errs, problems);
    must((rc == 0) == (c != NULL) && (rc == 0) == !errs_has_any(&errs),
         "result and problems differ", problems);
    errs_free(&errs);
    return c;
}

// The same from a file, beside a directory that is not there.
static struct catalog *load_file(const struct buf *text, struct buf *problems)
{
    char path[32];
    int fd = memfd_create("catalogue", 0);
    must(fd >= 0 && write(fd, text->p, text->len) == (ssize_t)text->len, "no file", text);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const char *files[] = {path};
    struct catalog *c = NULL;
    struct errs errs = ERRS_INIT;
    struct catalog_input in = {.n_files = 1, .files = files, .dir = "/proc/self/no"};
    catalog_load(&c, &in, &errs);
    buf_clear(problems);
    errs_write(&errs, problems);
    errs_free(&errs);
    close(fd);
    return c;
}

static void must_print(const struct catalog *c, const struct buf *text, struct buf *again)
{
    buf_clear(again);
    catalog_print_yaml(c, again);
    must(again->len == text->len && (text->len == 0 || memcmp(again->p, text->p, text->len) == 0),
         "the printed catalogue prints otherwise", again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = BUF_INIT;
    struct buf again = BUF_INIT;
    struct buf problems = BUF_INIT;
    struct catalog *c = load((const char *)data, size, &problems);
    if (c != NULL) {
        catalog_print_yaml(c, &text);
        struct catalog *printed = load(text.p, text.len, &problems);
        must(printed != NULL, "the printed catalogue is refused", &problems);
        must_print(printed, &text, &again);
        catalog_free(printed);
        printed = load_file(&text, &problems);
        must((printed != NULL) == (c->n_metrics > 0), "the same from a file", &problems);
        if (printed != NULL) {
            must_print(printed, &text, &again);
        }
        catalog_print_markdown(c, &again);
        catalog_print_json(c, &again);
        catalog_free(printed);
        catalog_free(c);
    }
    buf_free(&text);
    buf_free(&again);
    buf_free(&problems);
    return 0;
}
