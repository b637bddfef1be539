// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "daemon/config_sources.h"
#include "daemon/daemon.h"
#include "series/rcu.h"

#include <inttypes.h>

// What a reload puts in the place of what was before.
struct fresh {
    struct config *config;
    struct catalog *catalog;
    struct rights *rights;
    struct guard *guard;
    struct watch seen; // the files of `guard`
};

static void fresh_free(struct fresh *f)
{
    guard_free(f->guard);
    watch_clear(&f->seen);
    rights_free(f->rights);
    catalog_free(f->catalog);
    config_free(f->config);
}

static void add_warnings(const struct errs *warnings, struct buf *report)
{
    for (size_t i = 0; i < warnings->n; i++) {
        buf_addf(report, "likely not meant: %s: %s\n", warnings->items[i].key,
                 warnings->items[i].text);
    }
}

// Loads all anew; on failure adds what is wrong and leaves `ret` alone.
static int load(const struct config *old, struct fresh *ret, struct buf *report)
{
    struct errs errs = ERRS_INIT;
    struct errs warnings = ERRS_INIT;
    struct fresh f = {0};
    int rc = config_reload(&f.config, old, &errs);
    if (rc == 0) {
        struct catalog_input input = config_catalog_input(f.config);
        rc = catalog_load(&f.catalog, &input, &errs);
    }
    if (rc == 0) {
        rc = config_sources(&f.rights, f.config, f.catalog, &errs, &warnings);
    }
    if (rc == 0) {
        rc = guard_load(&f.guard, f.config->web_config_file, &f.seen, &errs);
    }
    if (rc < 0) {
        buf_addf(report, "%s", errs_any(&errs) ? "" : strerror(-rc));
        errs_write(&errs, report);
        fresh_free(&f);
    } else {
        *ret = f;
        add_warnings(&warnings, report);
    }
    errs_free(&errs);
    errs_free(&warnings);
    return rc;
}

/*
 * A component's number stands in sources and counts: those that there are must keep theirs.
 */
static bool keeps_components(const struct catalog *old, const struct catalog *c, struct buf *report)
{
    for (size_t i = 0; i < old->n_components; i++) {
        if (i >= c->n_components || strcmp(old->components[i], c->components[i]) != 0) {
            buf_addf(report, "components: taking away or moving \"%s\" needs a restart",
                     old->components[i]);
            return false;
        }
    }
    return true;
}

/*
 * The workers stand still while tables and rights are exchanged, so that no line falls between two catalogues; the
 * kernel keeps what comes in meanwhile. Scrapes go on with the old schema until they end.
 */
static int put_in_place(struct daemon *d, const struct fresh *fresh, struct schema_change *change)
{
    struct schema_settings settings = daemon_schema_settings(fresh->config);
    struct rights *old = NULL;
    int rc = ingest_bind_rights(d->ingest, fresh->rights);
    if (rc < 0) {
        return rc;
    }
    ingest_pause(d->ingest);
    rc = ingest_adapt(d->ingest, fresh->catalog);
    if (rc == 0) {
        rc = schema_reload(d->store, fresh->catalog, &settings, change);
    }
    if (rc == 0) {
        old = ingest_put_rights(d->ingest, fresh->rights);
    }
    if (rc == 0 && d->state.kept) {
        sources_bind(d->sources, d->store, &d->state.hand);
    }
    ingest_resume(d->ingest);
    rcu_wait();
    rights_free(old);
    return rc;
}

static bool refuse(struct daemon *d, struct fresh *fresh)
{
    fresh_free(fresh);
    d->webfile.refused = false;
    atomic_store(&d->self.reload_ok, false);
    return false;
}

bool daemon_reload(struct daemon *d, struct buf *report)
{
    struct fresh fresh = {0};
    if (load(d->config, &fresh, report) < 0 ||
        !keeps_components(schema_current(d->store)->catalog, fresh.catalog, report)) {
        return refuse(d, &fresh);
    }
    struct schema_change change;
    struct config *config = fresh.config;
    size_t metrics = fresh.catalog->n_metrics;
    int rc = put_in_place(d, &fresh, &change);
    if (rc < 0) {
        buf_str(report, strerror(-rc));
        return refuse(d, &fresh);
    }
    struct web_settings web = daemon_web_settings(config);
    if (web_change(d->web, &web, report) < 0) {
        buf_str(report, "\nthe web settings stay as they were\n");
    }
    webfile_replace(&d->webfile, d->web, fresh.guard, &fresh.seen);
    config_free(d->config);
    d->config = config;
    atomic_store(&d->created, config->web_openmetrics_created);
    daemon_show(d, config);
    log_set_level(config->log_level);
    ingest_set_connections(d->ingest, daemon_connections(config));
    atomic_store(&d->self.reload_at_ms, clock_real_ms());
    atomic_store(&d->self.reload_ok, true);
    buf_addf(report, "reloaded: %zu metrics; %zu begin anew, %zu are gone, %" PRIu64 " series went",
             metrics, change.anew, change.gone, change.series);
    return true;
}
