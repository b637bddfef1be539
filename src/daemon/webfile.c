// SPDX-License-Identifier: Apache-2.0
#include "daemon/webfile.h"

#include "daemon/reload.h"

#include <stdlib.h>

static int load(struct webfile *f, struct web *web, const char *path, struct buf *problem)
{
    struct errs errs = ERRS_INIT;
    struct web_config *web_config = NULL;
    int rc = web_config_load(&web_config, path, &f->seen, &errs);
    if (rc == 0) {
        web_set_config(web, web_config);
    } else {
        buf_str(problem, errs_has_any(&errs) ? "" : strerror(-rc));
        errs_write(&errs, problem);
    }
    errs_free(&errs);
    return rc;
}

int webfile_open(struct webfile *f, struct web *web, const char *path, struct buf *problem)
{
    return load(f, web, path, problem);
}

void webfile_replace(struct webfile *f, struct web *web, struct web_config *web_config,
                     struct webconf_files *seen)
{
    web_set_config(web, web_config);
    webconf_files_clear(&f->seen);
    f->seen = *seen;
    seen->n = 0;
    f->rejected = false;
}

void webfile_tick(struct webfile *f, struct web *web, struct self *self, const char *path)
{
    if (!webconf_files_have_changed(&f->seen)) {
        return;
    }
    struct buf problem = BUF_INIT;
    if (load(f, web, path, &problem) < 0) {
        reload_log(&problem, LOG_KIND_reload_refused, LOG_LEVEL_ERROR,
                   "web configuration refused, the previous one stays in force");
        f->rejected = f->rejected || atomic_load(&self->reload_ok);
        atomic_store(&self->reload_ok, false);
    } else {
        log_write_kind(LOG_KIND_reloaded, LOG_LEVEL_INFO, "web configuration reloaded", "file",
                       path, NULL);
        if (f->rejected) {
            atomic_store(&self->reload_ok, true);
        }
        f->rejected = false;
    }
    buf_free(&problem);
}

void webfile_close(struct webfile *f)
{
    webconf_files_clear(&f->seen);
}
