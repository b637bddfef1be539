// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <time.h>

static struct timespec now(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return t;
}

uint64_t clock_mono_ns(void)
{
    struct timespec t = now(CLOCK_MONOTONIC);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}

uint64_t clock_coarse_ms(void)
{
    struct timespec t = now(CLOCK_MONOTONIC_COARSE);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t clock_real_ms(void)
{
    struct timespec t = now(CLOCK_REALTIME);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
