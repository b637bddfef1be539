// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/options.h"
#include "series/rcu.h"

static void facts(struct daemon *d, struct view *view)
{
    struct self_state state;
    state_facts(&d->state, &state);
    struct view_facts facts = {
        .version = VE_VERSION,
        .revision = VE_REVISION,
        .now_ms = clock_real_ms(),
        .start_ms = d->self.start_ms,
        .ready = atomic_load(&d->ready),
        .reload_ok = atomic_load(&d->self.reload_ok),
        .reload_ms = atomic_load(&d->self.reload_at_ms),
        .state_kept = state.kept,
        .state_ok = state.ok,
        .state_trouble = state_trouble(&d->state),
        .state_bytes = state.bytes,
        .state_set_aside = state.set_aside,
        .series = count_read(&d->store->share.count),
        .series_limit = count_read(&d->store->share.limit),
        .connections = ingest_connections(d->ingest),
        .refusals_untold = ingest_missed_refusals(d->ingest),
        .shows_texts = atomic_load(&d->show_refusals),
    };
    view_begin(view, &facts);
}

static void components(struct daemon *d, struct view *view, const struct catalog *c)
{
    view_part(view, VIEW_COMPONENT);
    bool known = atomic_load_explicit(&d->pace.known, memory_order_acquire);
    for (unsigned i = 0; i < c->n_components; i++) {
        struct view_component row = {
            .name = c->components[i],
            .applied = ingest_applied(d->ingest, i),
            .lost = ingest_lost(d->ingest, i),
            .per_second = known ? atomic_load(&d->pace.per_second[i]) : -1,
        };
        for (unsigned r = 0; r < REJECT_COUNT; r++) {
            row.refused += ingest_rejected(d->ingest, i, r);
        }
        view_component(view, &row);
    }
    view_part_end(view, VIEW_COMPONENT);
}

// A reload may have taken a component away.
static const char *component_name(const struct catalog *c, unsigned component)
{
    return c->components[component < c->n_components ? component : COMPONENT_UNKNOWN];
}

static void sources(struct daemon *d, struct view *view, const struct catalog *c)
{
    const struct source *src;
    uint32_t at = 0;
    view_part(view, VIEW_SOURCE);
    while ((src = sources_next(d->sources, &at)) != NULL) {
        struct view_source row = {
            .component = component_name(c, src->component),
            .instance = {src->instance, src->instance_len},
            .connected = source_connected(src),
            .heard_ms = count_read(&src->heard_real),
            .lost = count_read(&src->lost),
        };
        view_source(view, &row);
    }
    view_part_end(view, VIEW_SOURCE);
}

static void refusals(struct daemon *d, struct view *view, const struct catalog *c)
{
    struct recent_refusal e;
    uint64_t at = UINT64_MAX;
    view_part(view, VIEW_REFUSAL);
    while (recent_read(&d->recent, &at, &e)) {
        const struct refusal *r = &e.refusal;
        bool text = view->shows_texts && r->text_len > 0;
        struct view_refusal row = {
            .at_ms = e.at_ms,
            .reason = reject_name(r->reason),
            .component = component_name(c, r->component),
            .instance = r->instance,
            .line = r->line,
            .metric = r->metric,
            .detail = r->detail,
            .text = {text ? r->text : NULL, text ? r->text_len : 0},
            .line_len = r->line_len,
        };
        view_refusal(view, &row);
    }
    view_part_end(view, VIEW_REFUSAL);
}

static void metrics(struct view *view, const struct schema *schema)
{
    view_part(view, VIEW_METRIC);
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        const struct metric *m = schema->families[i].metric;
        const struct table *t = schema->families[i].table;
        double rate;
        bool known = rate_read(&t->rate, &rate);
        struct view_metric row = {
            .name = m->name,
            .type = metric_type_name(m->type),
            .help = m->help,
            .series = count_read(&t->count),
            .limit = count_read(&t->limit),
            .per_second = known ? rate : -1,
            .folded = count_read(&t->account->folded),
            .expired = count_read(&t->account->expired),
        };
        view_metric(view, &row);
    }
    view_part_end(view, VIEW_METRIC);
}

void daemon_view(void *daemon, struct view *view)
{
    struct daemon *d = daemon;
    facts(d, view);
    rcu_enter();
    const struct schema *schema = schema_current(d->store);
    components(d, view, schema->catalog);
    sources(d, view, schema->catalog);
    refusals(d, view, schema->catalog);
    metrics(view, schema);
    rcu_leave();
    view_end(view);
}

void daemon_show(struct daemon *d, const struct config *config)
{
    atomic_store(&d->show_refusals, config->web_show_refusals);
    ingest_tell_texts(d->ingest, config->web_show_refusals);
}

void daemon_show_tick(struct daemon *d, uint64_t now_ms)
{
    rates_tick(&d->rates, d->store, now_ms);
    pace_tick(&d->pace, d->ingest, now_ms);
}
