// SPDX-License-Identifier: Apache-2.0
/*
 * clock: the two clocks, and what shows, without another machine, that the real one is wrong by half an hour or more.
 *
 * Shape:    ages and deadlines use the monotonic clock, which no administrator can set back; only what is shown as a
 *           date uses the real one.
 * Evidence: one of each kind for the process, since the clock is one. A difference is positive where the clock is
 *           ahead of what the evidence says, negative where it is behind, and 0 without evidence. Which of the two is
 *           wrong nobody can tell from here.
 * Threads:  any. Evidence that is read while it is written is old or new.
 */
#ifndef VE_BASE_CLOCK_H
#define VE_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ns(void); // CLOCK_MONOTONIC, nanoseconds
uint64_t clock_mono_ms(void); // CLOCK_MONOTONIC, milliseconds
uint64_t
clock_coarse_ms(void); // CLOCK_MONOTONIC_COARSE, milliseconds: a few behind, and cheaper by far
uint64_t clock_real_ms(void); // CLOCK_REALTIME, milliseconds since 1970

// ---- Evidence

enum clock_evidence {
    CLOCK_EVIDENCE_state_file,  // it was written later than now
    CLOCK_EVIDENCE_certificate, // it is not valid yet
    CLOCK_EVIDENCE_exemplar,    // clients say another time
    CLOCK_EVIDENCE_KINDS
};

enum {
    CLOCK_EVIDENCE_FROM_MS = 30 * 60 * 1000, // less is no evidence
    CLOCK_EVIDENCE_LASTS_MS = 10 * 60 * 1000 // how long that of an exemplar lasts
};

// Its name in the label `evidence`.
const char *clock_evidence_name(enum clock_evidence kind);

// The clock was at real_ms at mono_ms, or later; with mono_ms 0 it is there now, or later. real_ms 0: nothing is known.
void clock_evidence_set(enum clock_evidence kind, uint64_t real_ms, uint64_t mono_ms);

/*
 * A client says stamp_ms at real_ms of the clock. What waited in a client is old and no evidence, so the clock is ahead
 * only if all exemplars for CLOCK_EVIDENCE_LASTS_MS are. What is decades ahead is no time.
 */
void clock_evidence_add_exemplar(uint64_t stamp_ms, uint64_t real_ms, uint64_t mono_ms);

// Returns the difference in milliseconds, 0: the clock agrees.
int64_t clock_evidence_read(enum clock_evidence kind, uint64_t real_ms, uint64_t mono_ms);

#endif
