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

enum { NUMBER_TAIL = 40 };

// Reads the number that ends just before `end` if it is a short one: at most 15 digits, no sign, no exponent.
// NUMBER_TAIL bytes must be readable before `end`. Returns how long it is; 0 when what stands there is no number or
// not so short, which is for number_read to say.
size_t number_tail(const char *end, double *ret);

#endif
