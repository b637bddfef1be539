// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"
#include "series/rcu.h"

#include <assert.h>
#include <errno.h>
#include <sys/eventfd.h>

static void thread_start(void *daemon)
{
    (void)daemon;
    rcu_join();
}

static void thread_stop(void *daemon)
{
    (void)daemon;
    rcu_part();
}

static bool wants(const void *filter, const char *name)
{
    return query_filter_has(filter, name);
}

static int render(void *daemon, const struct web_filter *filter, bool open, struct sink *sink)
{
    struct daemon *d = daemon;
    struct expose_filter named = {.wants = wants, .ctx = filter};
    const struct expose_filter *shown = filter != NULL ? &named : NULL;
    return open ? expose_openmetrics(sink, d->store, &d->self, shown, atomic_load(&d->created))
                : expose_text(sink, d->store, &d->self, shown);
}

// A reload may have taken a source's component away.
static const char *component_of(const struct schema *schema, const struct source *src)
{
    const struct catalog *c = schema->catalog;
    return src->component < c->n_components ? c->components[src->component] : NULL;
}

static void targets(void *daemon, struct sd_list *list)
{
    struct daemon *d = daemon;
    const struct source *src;
    uint32_t at = 0;
    rcu_enter();
    const struct schema *schema = schema_current(d->store);
    while ((src = sources_next(d->sources, &at)) != NULL) {
        const char *component = component_of(schema, src);
        if (component != NULL) {
            sd_target(list, component, src->instance, src->instance_len);
        }
    }
    rcu_leave();
}

static int source(void *daemon, const char *component, const char *instance, struct buf *out)
{
    struct daemon *d = daemon;
    int rc = -ENOENT;
    rcu_enter();
    const struct schema *schema = schema_current(d->store);
    int number = catalog_find_component(schema->catalog, component, strlen(component));
    const struct source *src = number < 0
                                   ? NULL
                                   : sources_find(d->sources, (unsigned)number,
                                                  (struct slice){instance, strlen(instance)});
    if (src != NULL) {
        rc = source_connected(src) ? self_write_source(out, schema, src) : -ENOTCONN;
    }
    rcu_leave();
    return rc;
}

static bool ready(void *daemon)
{
    struct daemon *d = daemon;
    return atomic_load(&d->ready);
}

static void reload(void *daemon)
{
    struct daemon *d = daemon;
    eventfd_write(d->reload_wish, 1);
}

struct web_settings daemon_web_settings(const struct config *c)
{
    return (struct web_settings){
        .addresses = (const char *const *)c->web_listen_addresses.items,
        .n_addresses = c->web_listen_addresses.n,
        .telemetry_path = c->web_telemetry_path,
        .external_address = c->web_external_address,
        .lifecycle = c->web_enable_lifecycle,
        .max_requests = (unsigned)c->web_max_requests,
    };
}

struct web_backend daemon_backend(struct daemon *d)
{
    return (struct web_backend){
        .ctx = d,
        .thread_start = thread_start,
        .thread_stop = thread_stop,
        .render = render,
        .view = daemon_view,
        .targets = targets,
        .source = source,
        .ready = ready,
        .reload = reload,
    };
}

void daemon_state(void *daemon, struct self_state *ret)
{
    const struct daemon *d = daemon;
    state_facts(&d->state, ret);
}

void daemon_scrapes(void *daemon, struct self_scrapes *ret)
{
    static_assert((int)WEB_FORMATS == (int)SELF_FORMATS, "a place for every format");
    static_assert((int)WEB_DURATION_BOUNDS <= (int)SELF_MAX_BOUNDS, "room for the bounds");
    struct daemon *d = daemon;
    struct web_stats stats;
    web_stats_read(d->web, &stats);
    memcpy(ret->by_format, stats.scrapes, sizeof stats.scrapes);
    ret->n_bounds = WEB_DURATION_BOUNDS;
    ret->bounds = web_duration_bounds;
    memcpy(ret->buckets, stats.duration_buckets, sizeof stats.duration_buckets);
    ret->sum = (double)stats.duration_sum_ns / 1e9;
}
