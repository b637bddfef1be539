// SPDX-License-Identifier: Apache-2.0
/*
 * guard: a web configuration with all that is made of it, ready to be put in force.
 *
 * Threads: made on any thread; then of the web thread.
 * Memory:  returns new; guard_free gives it back but for what connections still hold of `tls`.
 */
#ifndef VE_WEB_GUARD_H
#define VE_WEB_GUARD_H

#include "web/tls.h"
#include "web/webconf.h"

struct guard {
    struct webconf *conf; // NULL: there is none, and everybody may ask for everything
    struct tls *tls;      // NULL: without TLS
};

// Reads the file (NULL: none) and what it names, all of which is then in `seen`. Returns 0; -EINVAL with the
// problems in errs; -ENOMEM.
int guard_load(struct guard **ret, const char *file, struct watch *seen, struct errs *errs);
void guard_free(struct guard *g);

#endif
