// SPDX-License-Identifier: Apache-2.0
/*
 * number: JSON numbers where they are read for every line.
 *
 * Threads: pure functions. Source: RFC 8259, section 6; exact short decimals as in W. D. Clinger, "How to Read
 *          Floating Point Numbers Accurately", 1990.
 */
#ifndef VE_EVENT_NUMBER_H
#define VE_EVENT_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

// Whether the bytes are one JSON number and nothing else.
bool number_is(const char *at, size_t len);

// Reads bytes that are one JSON number and nothing else, to the double that strtod would give. At least one
// byte that cannot belong to a number must stand behind them. Returns whether they are one.
bool number_read(const char *at, size_t len, double *ret);

#endif
