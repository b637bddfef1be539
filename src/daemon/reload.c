// SPDX-License-Identifier: Apache-2.0
#include "daemon/reload.h"

#include "catalog/load.h"
#include "catalog/yaml.h"
#include "daemon/config.h"
#include "daemon/config_sources.h"

#include <errno.h>
#include <stdlib.h>

void reload_bundle_free(struct reload_bundle *f)
{
    web_config_free(f->web_config);
    webconf_files_clear(&f->seen);
    permission_roles_free(f->roles);
    catalog_free(f->catalog);
    config_free(f->config);
}

static void add_warnings(const struct errs *warnings, struct buf *report)
{
    for (size_t i = 0; i < warnings->n; i++) {
        buf_addf(report, "probably a mistake: %s: %s\n", warnings->items[i].key,
                 warnings->items[i].text);
    }
}

static bool has_sources(const struct config *c)
{
    return c->file != NULL && c->file->root != NULL && yaml_get(c->file->root, "sources") != NULL;
}

// Loads all again; on failure adds what is wrong and leaves `ret` alone.
static int load(const struct config *old, struct reload_bundle *ret, struct buf *report)
{
    struct errs errs = ERRS_INIT;
    struct errs warnings = ERRS_INIT;
    struct reload_bundle f = {0};
    int rc = config_reload(&f.config, old, &errs);
    if (rc == 0) {
        struct catalog_input input = config_catalog_input(f.config, &warnings);
        rc = catalog_load(&f.catalog, &input, &errs);
    }
    if (rc == 0) {
        rc = config_sources(&f.roles, f.config, f.catalog, &errs, &warnings);
    }
    if (rc == 0 && has_sources(old) && !has_sources(f.config)) {
        errs_add(&warnings, f.config->config_file, 0, 0, "sources",
                 "was removed: every client that may open the socket may now push everything");
    }
    if (rc == 0) {
        rc = web_config_load(&f.web_config, f.config->web_config_file, &f.seen, &errs);
    }
    if (rc < 0) {
        buf_addf(report, "%s", errs_has_any(&errs) ? "" : strerror(-rc));
        errs_write(&errs, report);
        reload_bundle_free(&f);
    } else {
        *ret = f;
        add_warnings(&warnings, report);
    }
    errs_free(&errs);
    errs_free(&warnings);
    return rc;
}

// A component's number is stored with sources and statistics: those that there are must keep theirs.
static bool has_same_components(const struct catalog *old, const struct catalog *c,
                                struct buf *report)
{
    for (size_t i = 0; i < old->n_components; i++) {
        if (i >= c->n_components || strcmp(old->components[i], c->components[i]) != 0) {
            buf_addf(report, "components: removing or moving \"%s\" needs a restart",
                     old->components[i]);
            return false;
        }
    }
    return true;
}

int reload_load(struct reload_bundle *ret, const struct config *old, const struct catalog *in_force,
                struct buf *report)
{
    struct reload_bundle bundle;
    int rc = load(old, &bundle, report);
    if (rc < 0) {
        return rc;
    }
    if (!has_same_components(in_force, bundle.catalog, report)) {
        reload_bundle_free(&bundle);
        return -EINVAL;
    }
    *ret = bundle;
    return 0;
}

void reload_log(struct buf *report, enum log_kind kind, enum log_level level, const char *message)
{
    const char *text = buf_string(report);
    char *copy = text != NULL ? strdup(text) : NULL;
    char *rest = copy;
    for (char *line; copy != NULL && (line = strsep(&rest, "\n")) != NULL;) {
        if (line[0] != '\0') {
            log_write_kind(kind, level, message, "detail", line, NULL);
        }
    }
    free(copy);
}
