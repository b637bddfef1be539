// SPDX-License-Identifier: Apache-2.0
#include "base/invariant.h"

#include "base/log.h"

#include <stdlib.h>

_Noreturn void invariant_broken(const char *what, const char *where)
{
    log_write_kind(LOG_KIND_invariant_broken, LOG_LEVEL_ERROR, "an invariant does not hold",
                   "invariant", what, "where", where, NULL);
    abort();
}
