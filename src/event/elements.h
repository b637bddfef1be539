// SPDX-License-Identifier: Apache-2.0
/*
 * elements: where the elements of a batch most likely begin and end.
 *
 * Shape:   looks for a brace, comma and brace, which may be in a string as well. So whoever asks checks each element; when all
 *          are whole, so is the batch.
 * Reads:   in blocks, up to 66 bytes beyond the end.
 * Threads: a pure function.
 */
#ifndef VE_EVENT_ELEMENTS_H
#define VE_EVENT_ELEMENTS_H

#include "event/line.h"

// Sets `bytes` and `len` of the elements between the brackets. Returns how many there are; 0: there are more than `most`, or it
// is no array of objects.
size_t elements_split(const char *at, const char *end, struct line *ret, size_t most);

#endif
