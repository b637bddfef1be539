// SPDX-License-Identifier: Apache-2.0
/*
 * clock_evidence: what shows, without another machine, that CLOCK_REALTIME is wrong by half an hour or more.
 *
 * Shape:   one of each kind for the process, since the clock is one. A difference is positive where the clock is
 *          ahead of what the evidence says, negative where it is behind, and 0 without evidence. Which of the two is
 *          wrong nobody can tell from here.
 * Threads: any. What is read while it is written is old or new.
 */
#ifndef VE_BASE_CLOCK_EVIDENCE_H
#define VE_BASE_CLOCK_EVIDENCE_H

#include <stdint.h>

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
