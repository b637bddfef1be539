// SPDX-License-Identifier: Apache-2.0
/*
 * print: the effective catalogue as text, in three forms.
 *
 * Threads: pure functions.
 */
#ifndef VE_CATALOG_PRINT_H
#define VE_CATALOG_PRINT_H

#include "catalog/catalog.h"

// Append the catalogue. The YAML loads back to the same catalogue.
void catalog_print_yaml(const struct catalog *c, struct buf *out);
void catalog_print_markdown(const struct catalog *c, struct buf *out);
void catalog_print_json(const struct catalog *c, struct buf *out);

#endif
