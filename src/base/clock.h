// SPDX-License-Identifier: Apache-2.0
/*
 * clock: the two clocks. Ages and deadlines use the monotonic one, which no administrator can set
 * back; only what is shown as a date uses the other.
 */
#ifndef VE_BASE_CLOCK_H
#define VE_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ns(void); // CLOCK_MONOTONIC, nanoseconds
uint64_t clock_mono_ms(void); // CLOCK_MONOTONIC, milliseconds
uint64_t
clock_coarse_ms(void); // CLOCK_MONOTONIC_COARSE, milliseconds: a few behind, and cheaper by far
uint64_t clock_real_ms(void); // CLOCK_REALTIME, milliseconds since 1970

#endif
