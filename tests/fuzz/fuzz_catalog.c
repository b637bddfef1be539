// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_catalog: a catalogue file. What is accepted must print as a catalogue that is accepted and prints the
 * same; what is refused must say why.
 */
#include "catalog/load.h"
#include "catalog/print.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

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
        catalog_print_yaml(printed, &again);
        must(again.len == text.len && (text.len == 0 || memcmp(again.p, text.p, text.len) == 0),
             "the printed catalogue prints otherwise", &again);
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
