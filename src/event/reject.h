// SPDX-License-Identifier: Apache-2.0
/*
 * reject: the reasons for which a line is refused. One table (reject.def) is their order of checking, the
 * text of the reply, the label of the self metric and the manual.
 */
#ifndef VE_EVENT_REJECT_H
#define VE_EVENT_REJECT_H

enum reject {
#define REJECT(name, meaning) REJECT_##name,
#include "event/reject.def"
#undef REJECT
    REJECT_COUNT,
    REJECT_NONE = REJECT_COUNT, // not refused
};

// "too_long" and so on.
const char *reject_name(enum reject r);
// One sentence's worth of meaning.
const char *reject_meaning(enum reject r);

#endif
