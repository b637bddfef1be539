// SPDX-License-Identifier: Apache-2.0
#include "web/guard.h"

#include <errno.h>
#include <stdlib.h>

int guard_load(struct guard **ret, const char *file, struct watch *seen, struct errs *errs)
{
    struct guard *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return -ENOMEM;
    }
    int r = 0;
    if (file != NULL) {
        r = webconf_load(&g->conf, file, seen, errs);
    } else {
        watch_clear(seen);
    }
    if (r == 0 && g->conf != NULL && g->conf->tls.on) {
        r = tls_new(&g->tls, g->conf, errs);
    }
    if (r < 0) {
        guard_free(g);
        return r;
    }
    *ret = g;
    return 0;
}

void guard_free(struct guard *g)
{
    if (g != NULL) {
        webconf_free(g->conf);
        tls_unref(g->tls);
        free(g);
    }
}
