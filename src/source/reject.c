// SPDX-License-Identifier: Apache-2.0
#include "source/reject.h"

#include <stdarg.h>
#include <stdio.h>

const char *const reject_names[] = {
#define REJECT(name, meaning) #name,
#include "source/reject.def"
#undef REJECT
    "none",
};

void reject_clear(struct rejection *r)
{
    r->reason = REJECT_NONE;
    r->element = -1;
    r->name[0] = '\0';
    r->names_event = false;
    r->detail[0] = '\0';
}

enum reject_reason reject_set(struct rejection *r, enum reject_reason reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->detail, sizeof r->detail, fmt, ap);
    va_end(ap);
    r->reason = reason;
    return reason;
}
