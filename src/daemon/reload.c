// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "daemon/daemon.h"

#include <inttypes.h>

// Loads both anew; on failure adds what is wrong and leaves both NULL.
static int load(const struct config *old, struct config **ret_config, struct catalog **ret_catalog,
                struct buf *report)
{
    struct errs errs = ERRS_INIT;
    struct config *config = NULL;
    struct catalog *catalog = NULL;
    int rc = config_reload(&config, old, &errs);
    if (rc == 0) {
        struct catalog_input input = config_catalog_input(config);
        rc = catalog_load(&catalog, &input, &errs);
    }
    if (rc < 0) {
        buf_addf(report, "%s", errs_any(&errs) ? "" : strerror(-rc));
        errs_write(&errs, report);
        config_free(config);
    } else {
        *ret_config = config;
        *ret_catalog = catalog;
    }
    errs_free(&errs);
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
 * The workers stand still while tables are exchanged, so that no line falls between two catalogues; the
 * kernel keeps what comes in meanwhile. Scrapes go on with the old schema until they end.
 */
static int put_in_place(struct daemon *d, struct config *config, struct catalog *catalog,
                        struct schema_change *change)
{
    struct schema_settings settings = daemon_schema_settings(config);
    ingest_pause(d->ingest);
    int rc = ingest_adapt(d->ingest, catalog);
    if (rc == 0) {
        rc = schema_reload(d->store, catalog, &settings, change);
    }
    if (rc == 0 && d->state.kept) {
        sources_bind(d->sources, d->store, &d->state.hand);
    }
    ingest_resume(d->ingest);
    return rc;
}

static bool refuse(struct daemon *d, struct config *config, struct catalog *catalog)
{
    catalog_free(catalog);
    config_free(config);
    atomic_store(&d->self.reload_ok, false);
    return false;
}

bool daemon_reload(struct daemon *d, struct buf *report)
{
    struct config *config = NULL;
    struct catalog *catalog = NULL;
    if (load(d->config, &config, &catalog, report) < 0 ||
        !keeps_components(schema_current(d->store)->catalog, catalog, report)) {
        return refuse(d, config, catalog);
    }
    struct schema_change change;
    int rc = put_in_place(d, config, catalog, &change);
    if (rc < 0) {
        buf_str(report, strerror(-rc));
        return refuse(d, config, catalog);
    }
    struct web_settings web = daemon_web_settings(config);
    if (web_change(d->web, &web, report) < 0) {
        buf_str(report, "\nthe web settings stay as they were\n");
    }
    config_free(d->config);
    d->config = config;
    atomic_store(&d->created, config->web_openmetrics_created);
    log_set_level(config->log_level);
    ingest_set_connections(d->ingest, daemon_connections(config));
    atomic_store(&d->self.reload_at_ms, clock_real_ms());
    atomic_store(&d->self.reload_ok, true);
    buf_addf(report, "reloaded: %zu metrics; %zu begin anew, %zu are gone, %" PRIu64 " series went",
             catalog->n_metrics, change.anew, change.gone, change.series);
    return true;
}
