// SPDX-License-Identifier: Apache-2.0
/*
 * reject: why a line is rejected. One table (reject.def) is the reasons' order of checking, the text of the reply, the
 * label of the self metric and the manual.
 */
#ifndef VE_SOURCE_REJECT_H
#define VE_SOURCE_REJECT_H

#include <stdbool.h>

enum reject_reason {
#define REJECT(name, meaning) REJECT_##name,
#include "source/reject.def"
#undef REJECT
    REJECT_COUNT,
    REJECT_NONE = REJECT_COUNT, // not rejected
};

// Why a line is rejected, and where in it.
struct rejection {
    enum reject_reason reason;
    int element;   // of the batch that is rejected, or -1
    char name[96]; // the metric or event of the catalogue that the line or element names; "": none
    bool names_event; // and not a metric
    char detail[160]; // what exactly, for people
};

// Forgets what an earlier line left.
void reject_clear(struct rejection *r);
// Sets reason and detail; returns the reason.
enum reject_reason reject_set(struct rejection *r, enum reject_reason reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

// "too_long" and so on, by reason; "none".
extern const char *const reject_names[REJECT_COUNT + 1];

#endif
