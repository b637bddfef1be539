// SPDX-License-Identifier: Apache-2.0
// statefile_inside: what statefile.c and statefile_read.c share.
#ifndef VE_SERIES_STATEFILE_INSIDE_H
#define VE_SERIES_STATEFILE_INSIDE_H

#include "series/statefile.h"

// Opens and locks what has the name, which may be a new file. Returns as statefile_open.
int statefile_hold(struct statefile *f);
// Gives what has the name another one, or with `keep` one more. Returns 0 or -errno.
int statefile_set_aside(struct statefile *f, bool keep);
void statefile_drop(int *fd);

#endif
