// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
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

// ---- Evidence

#define MOST_AHEAD_MS ((int64_t)10 * 365 * 86400 * 1000)

static struct {
    _Atomic uint64_t real_ms; // the clock was not before it
    _Atomic uint64_t mono_ms; // when
} earliest[CLOCK_EVIDENCE_KINDS];

static struct {
    _Atomic int64_t difference_ms;  // of the last one; 0: it agrees
    _Atomic uint64_t since_mono_ms; // from when on none has agreed
    _Atomic uint64_t last_mono_ms;  // when the last one came
} exemplars;

const char *clock_evidence_name(enum clock_evidence kind)
{
    static const char *const names[CLOCK_EVIDENCE_KINDS] = {"state_file", "certificate",
                                                            "exemplar"};
    return names[kind];
}

static bool is_evidence(int64_t difference_ms)
{
    return difference_ms >= CLOCK_EVIDENCE_FROM_MS || difference_ms <= -CLOCK_EVIDENCE_FROM_MS;
}

void clock_evidence_set(enum clock_evidence kind, uint64_t real_ms, uint64_t mono_ms)
{
    atomic_store(&earliest[kind].real_ms, real_ms);
    atomic_store(&earliest[kind].mono_ms, mono_ms);
}

void clock_evidence_add_exemplar(uint64_t stamp_ms, uint64_t real_ms, uint64_t mono_ms)
{
    int64_t difference = (int64_t)real_ms - (int64_t)stamp_ms;
    int64_t before = atomic_load_explicit(&exemplars.difference_ms, memory_order_relaxed);
    if (!is_evidence(difference)) {
        if (before != 0) {
            atomic_store(&exemplars.difference_ms, 0);
        }
        return;
    }
    if (difference < -MOST_AHEAD_MS) {
        return;
    }
    if (before == 0 || mono_ms - atomic_load(&exemplars.last_mono_ms) > CLOCK_EVIDENCE_LASTS_MS) {
        atomic_store(&exemplars.since_mono_ms, mono_ms);
    }
    atomic_store(&exemplars.last_mono_ms, mono_ms);
    atomic_store(&exemplars.difference_ms, difference);
}

static int64_t read_exemplars(uint64_t mono_ms)
{
    int64_t difference = atomic_load(&exemplars.difference_ms);
    uint64_t last = atomic_load(&exemplars.last_mono_ms);
    uint64_t since = atomic_load(&exemplars.since_mono_ms);
    bool over = mono_ms > last + CLOCK_EVIDENCE_LASTS_MS;
    bool may_have_waited = difference > 0 && last < since + CLOCK_EVIDENCE_LASTS_MS;
    return over || may_have_waited ? 0 : difference;
}

int64_t clock_evidence_read(enum clock_evidence kind, uint64_t real_ms, uint64_t mono_ms)
{
    if (kind == CLOCK_EVIDENCE_exemplar) {
        return read_exemplars(mono_ms);
    }
    uint64_t from = atomic_load(&earliest[kind].real_ms);
    uint64_t since = atomic_load(&earliest[kind].mono_ms);
    uint64_t least = from + (since != 0 && mono_ms > since ? mono_ms - since : 0);
    int64_t difference = (int64_t)real_ms - (int64_t)least;
    return difference < 0 && is_evidence(difference) ? difference : 0;
}
