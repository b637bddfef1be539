// SPDX-License-Identifier: Apache-2.0
#include "event/reject.h"

static const struct {
    const char *name;
    const char *meaning;
} reasons[] = {
#define REJECT(name, meaning) {#name, meaning},
#include "event/reject.def"
#undef REJECT
};

const char *reject_name(enum reject r)
{
    return r < REJECT_COUNT ? reasons[r].name : "none";
}

const char *reject_meaning(enum reject r)
{
    return r < REJECT_COUNT ? reasons[r].meaning : "";
}
