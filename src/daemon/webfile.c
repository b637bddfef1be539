// SPDX-License-Identifier: Apache-2.0
#include "daemon/webfile.h"

#include "base/log.h"

#include <stdlib.h>

static int load(struct webfile *f, struct web *web, const char *path, struct buf *problem)
{
    struct errs errs = ERRS_INIT;
    struct guard *guard = NULL;
    int rc = guard_load(&guard, path, &f->seen, &errs);
    if (rc == 0) {
        web_guard(web, guard);
    } else {
        buf_str(problem, errs_any(&errs) ? "" : strerror(-rc));
        errs_write(&errs, problem);
    }
    errs_free(&errs);
    return rc;
}

int webfile_open(struct webfile *f, struct web *web, const char *path, struct buf *problem)
{
    return load(f, web, path, problem);
}

void webfile_replace(struct webfile *f, struct web *web, struct guard *guard, struct watch *seen)
{
    web_guard(web, guard);
    watch_clear(&f->seen);
    f->seen = *seen;
    seen->n = 0;
    f->refused = false;
}

static void tell_refused(struct buf *problem)
{
    const char *text = buf_string(problem);
    char *copy = text != NULL ? strdup(text) : NULL;
    char *rest = copy;
    for (char *line; copy != NULL && (line = strsep(&rest, "\n")) != NULL;) {
        if (line[0] != '\0') {
            log_tell(LOG_KIND_reload_refused, LOG_LEVEL_ERROR,
                     "web configuration refused, the old one stays", "detail", line, NULL);
        }
    }
    free(copy);
}

void webfile_tick(struct webfile *f, struct web *web, struct self *self, const char *path)
{
    if (!watch_changed(&f->seen)) {
        return;
    }
    struct buf problem = BUF_INIT;
    if (load(f, web, path, &problem) < 0) {
        tell_refused(&problem);
        f->refused = f->refused || atomic_load(&self->reload_ok);
        atomic_store(&self->reload_ok, false);
    } else {
        log_tell(LOG_KIND_reloaded, LOG_LEVEL_INFO, "web configuration read again", "file", path,
                 NULL);
        if (f->refused) {
            atomic_store(&self->reload_ok, true);
        }
        f->refused = false;
    }
    buf_free(&problem);
}

void webfile_close(struct webfile *f)
{
    watch_clear(&f->seen);
}
