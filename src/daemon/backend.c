// SPDX-License-Identifier: Apache-2.0
#include "daemon/backend.h"

#include "base/process.h"
#include "base/rcu.h"
#include "daemon/config.h"
#include "daemon/service.h"
#include "web/metric_page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

static void sum(const struct ingest *in, uint64_t *ret_applied, uint64_t *ret_rejected)
{
    *ret_applied = *ret_rejected = 0;
    for (unsigned c = 0; c < CATALOG_MAX_COMPONENTS; c++) {
        *ret_applied += ingest_applied(in, c);
        for (unsigned r = 0; r < REJECT_COUNT; r++) {
            *ret_rejected += ingest_rejected(in, c, r);
        }
    }
}

static void take_reading(struct status *s, const struct ingest *in,
                         const struct series_store *store, const struct status_trouble *trouble,
                         uint64_t now_ms)
{
    uint64_t applied;
    uint64_t rejected;
    sum(in, &applied, &rejected);
    uint64_t ms = now_ms - s->at_ms;
    uint64_t rate = ms > 0 ? (applied - s->applied) * 1000 / ms : 0;
    snprintf(s->text, sizeof s->text,
             "%" PRIu64 " series, %" PRIu64 " events/s, %" PRIu64 " rejected%s%.60s%s%.110s",
             count_read(&store->share.quota.used), rate, rejected,
             trouble->state != NULL ? "; in memory only: " : "",
             trouble->state != NULL ? trouble->state : "",
             trouble->socket != NULL ? "; no client can connect to " : "",
             trouble->socket != NULL ? trouble->socket : "");
    s->at_ms = now_ms;
    s->applied = applied;
}

void backend_status_open(struct status *s, const struct ingest *ingest,
                         const struct series_store *store, const struct status_trouble *trouble,
                         uint64_t now_ms)
{
    *s = (struct status){.at_ms = now_ms};
    take_reading(s, ingest, store, trouble, now_ms);
}

void backend_status_tick(struct status *s, const struct ingest *ingest,
                         const struct series_store *store, const struct status_trouble *trouble,
                         uint64_t now_ms)
{
    if (now_ms - s->at_ms < STATUS_MS) {
        return;
    }
    char before[sizeof s->text];
    memcpy(before, s->text, sizeof before);
    take_reading(s, ingest, store, trouble, now_ms);
    if (strcmp(before, s->text) != 0) {
        service_status(s->text);
    }
}

void backend_rates_tick(struct status_rates *p, const struct ingest *ingest, uint64_t now_ms)
{
    if (p->at_ms != 0 && now_ms - p->at_ms < STATUS_RATES_MS) {
        return;
    }
    for (unsigned c = 0; c < CATALOG_MAX_COMPONENTS; c++) {
        uint64_t applied = ingest_applied(ingest, c);
        if (p->at_ms != 0) {
            double rate = (double)(applied - p->applied[c]) * 1000 / (double)(now_ms - p->at_ms);
            atomic_store_explicit(&p->per_second[c], rate, memory_order_relaxed);
        }
        p->applied[c] = applied;
    }
    atomic_store_explicit(&p->known, p->at_ms != 0, memory_order_release);
    p->at_ms = now_ms;
}

// ---- The status view

uint64_t backend_unlisted(const struct backend *b)
{
    return ingest_missed_rejected(b->ingest) + count_read(&b->rejects->more);
}

static void collect_summary(struct backend *b, struct status_view_summary *ret)
{
    const struct self_state *state = &b->state->shown;
    *ret = (struct status_view_summary){
        .version = VE_VERSION,
        .revision = VE_REVISION,
        .now_ms = clock_real_ms(),
        .start_ms = clock_real_ms() - (clock_mono_ms() - b->opened_ms),
        .uptime_ms = clock_mono_ms() - b->opened_ms,
        .ready = backend_is_ready(b),
        .reload_ok = atomic_load(&b->self->reload_ok),
        .reload_ms = atomic_load(&b->self->reload_at_ms),
        .state_kept = state->kept,
        .state_ok = atomic_load(&state->error) == 0,
        .state_trouble = state_trouble(b->state),
        .state_bytes = atomic_load(&state->bytes),
        .state_set_aside = atomic_load(&state->set_aside),
        .series = count_read(&b->store->share.quota.used),
        .series_limit = count_read(&b->store->share.quota.limit),
        .connections = ingest_connections(b->ingest),
        .certificate_expiry_ms = web_certificate_expiry(b->web) * 1000,
        .rejections_unlisted = backend_unlisted(b),
    };
    struct process process;
    process_read(&process);
    ret->resident_bytes = process.resident_bytes;
    ret->open_fds = process.open_fds;
    ret->max_fds = process.max_fds;
    struct stats_last_scrape last;
    web_last_scrape(b->web, &last);
    ret->scraped = last.at_ms > 0;
    if (ret->scraped) {
        ret->scrape_ms = last.at_ms;
        ret->scrape_ns = last.ns;
        ret->scrape_status = last.status;
        stats_name_peer(&last.peer, ret->scrape_peer);
    }
}

static void collect_components(struct backend *b, struct status_view *v, const struct catalog *c)
{
    bool known = atomic_load_explicit(&b->line_rates.known, memory_order_acquire);
    for (unsigned i = 0; i < c->n_components; i++) {
        struct status_view_component row = {
            .name = c->components[i],
            .applied = ingest_applied(b->ingest, i),
            .lost = ingest_lost(b->ingest, i),
            .per_second = known ? atomic_load(&b->line_rates.per_second[i]) : -1,
        };
        for (unsigned r = 0; r < REJECT_COUNT; r++) {
            row.rejected += ingest_rejected(b->ingest, i, r);
        }
        v->components[v->n_components.n++] = row;
    }
}

// A reload may have taken a component away.
static const char *component_name(const struct catalog *c, unsigned component)
{
    return c->components[component < c->n_components ? component : COMPONENT_UNKNOWN];
}

struct status_view_source backend_source(const struct catalog *c, const struct source *src)
{
    return (struct status_view_source){
        .component = component_name(c, src->component),
        .instance = {src->instance, src->instance_len},
        .connected = source_is_connected(src),
        .up = source_is_up(src),
        .connections = atomic_load_explicit(&src->connections, memory_order_relaxed),
        .interval_s = atomic_load_explicit(&src->interval_s, memory_order_relaxed),
        .process = atomic_load_explicit(&src->process, memory_order_relaxed),
        .heard_ms = count_read(&src->heard_real),
        .applied = count_read(&src->applied),
        .rejected = count_read(&src->rejected),
        .per_second = atomic_load_explicit(&src->per_second, memory_order_relaxed),
        .lost = count_read(&src->lost),
    };
}

struct status_view_rejection backend_rejection(const struct catalog *c,
                                               const struct log_rejects_entry *e)
{
    return (struct status_view_rejection){
        .at_ms = e->at_ms, .component = component_name(c, e->line.component), .line = e->line};
}

// Those that are up, or those that are not. Whether one is may change meanwhile; then it is twice there, or not at all.
static void collect_sources(struct backend *b, struct status_view *v, const struct catalog *c,
                            bool up)
{
    const struct source *src;
    uint32_t at = 0;
    while ((src = sources_next(b->sources, &at)) != NULL) {
        if (source_is_up(src) != up) {
            continue;
        }
        v->summary.sources++;
        v->summary.sources_down += !up;
        int i = status_view_row(&v->n_sources, STATUS_VIEW_SOURCES);
        if (i >= 0) {
            v->sources[i] = backend_source(c, src);
        }
    }
}

static void collect_rejections(struct backend *b, struct status_view *v, const struct catalog *c)
{
    struct log_rejects_entry e;
    uint64_t at = UINT64_MAX;
    while (log_rejects_read(b->rejects, &at, &e)) {
        int i = status_view_row(&v->n_rejections, STATUS_VIEW_REJECTIONS);
        if (i >= 0) {
            v->rejections[i] = backend_rejection(c, &e);
        }
    }
}

static void collect_metrics(struct status_view *v, const struct schema *schema)
{
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        const struct metric *m = schema->families[i].metric;
        const struct table *t = schema->families[i].table;
        double rate;
        bool known = rate_read(&t->rate, &rate);
        int row = status_view_row(&v->n_metrics, STATUS_VIEW_METRICS);
        if (row < 0) {
            continue;
        }
        v->metrics[row] = (struct status_view_metric){
            .name = m->name,
            .type = catalog_type_names[m->type],
            .help = m->help,
            .series = count_read(&t->quota.used),
            .limit = count_read(&t->quota.limit),
            .per_second = known ? rate : -1,
            .folded = count_read(&t->stats->folded),
            .expired = count_read(&t->stats->expired),
        };
    }
}

static void read_now(struct backend *b, struct history_sample *ret)
{
    const struct stats *stats = web_stats(b->web);
    *ret = (struct history_sample){
        .at_ms = clock_mono_ms(),
        .scrape_ns = count_read(&stats->shown.sum_ns),
        .unauthorized = count_read(&stats->shown.auth_failures),
        .unavailable = count_read(&stats->scrapes_refused),
        .series = count_read(&b->store->share.quota.used),
    };
    sum(b->ingest, &ret->applied, &ret->rejected);
    for (size_t i = 0; i < FORMAT_KINDS; i++) {
        ret->scrapes += count_read(&stats->shown.by_format[i]);
    }
    for (size_t i = 0; i < TLS_FAULTS; i++) {
        ret->tls_failures += count_read(&stats->shown.tls_errors[i]);
    }
}

// Names and texts are borrowed of the catalogue and of sources, which stay for as long as the section.
int backend_view(struct backend *b, const struct status_view_request *request, bool shows_texts,
                 struct buf *out)
{
    struct status_view *v = malloc(sizeof *v);
    if (v == NULL) {
        return -ENOMEM;
    }
    struct history_sample now;
    read_now(b, &now);
    status_history_read(&b->history, &now, &v->history);
    v->n_components = v->n_sources = v->n_rejections = v->n_metrics = (struct status_view_rows){0};
    collect_summary(b, &v->summary);
    v->summary.telemetry_path = request->telemetry_path;
    v->summary.refresh_s = request->refresh_s;
    v->summary.shows_texts = shows_texts;
    rcu_enter();
    const struct schema *schema = schema_current(b->store);
    collect_components(b, v, schema->catalog);
    collect_sources(b, v, schema->catalog, false);
    collect_sources(b, v, schema->catalog, true);
    collect_rejections(b, v, schema->catalog);
    collect_metrics(v, schema);
    request->form->write(out, v);
    rcu_leave();
    free(v);
    return out->failed ? -ENOMEM : 0;
}

static int view_metric(struct backend *b, const struct status_view_request *request,
                       struct buf *out)
{
    int rc = -ENOENT;
    rcu_enter();
    const struct schema *schema = schema_current(b->store);
    int number = catalog_find_metric(schema->catalog, request->metric, strlen(request->metric));
    if (number >= 0) {
        const struct metric_page page = {.family = &schema->families[number],
                                         .telemetry_path = request->telemetry_path,
                                         .refresh_s = request->refresh_s,
                                         .now_ms = clock_real_ms(),
                                         .mono_ms = clock_mono_ms()};
        metric_page_write(out, &page);
        rc = out->failed ? -ENOMEM : 0;
    }
    rcu_leave();
    return rc;
}

static int view(void *backend, const struct status_view_request *request, struct buf *out)
{
    struct backend *b = backend;
    return request->metric != NULL ? view_metric(b, request, out)
                                   : backend_view(b, request, atomic_load(&b->show_rejected), out);
}

// ---- The rest

static bool is_ready(void *backend)
{
    return backend_is_ready(backend);
}

static void reload(void *backend)
{
    struct backend *b = backend;
    eventfd_write(b->reload_requested, 1);
}

struct web_backend backend_web(struct backend *b)
{
    return (struct web_backend){
        .store = b->store,
        .sources = b->sources,
        .self = b->self,
        .render = expose_write,
        .ctx = b,
        .view = view,
        .ready = is_ready,
        .reload = reload,
    };
}

void backend_set(struct backend *b, const struct config *config)
{
    atomic_store(&b->self->created, config->web_openmetrics_created);
    atomic_store(&b->show_rejected, config->web_show_rejected);
    ingest_keep_texts(b->ingest, config->web_show_rejected || b->keep_rejected);
}

int backend_open(struct backend *b)
{
    int rc = status_history_open(&b->history);
    if (rc == 0) {
        struct history_sample first;
        read_now(b, &first);
        status_history_add(&b->history, &first);
        b->self->state = &b->state->shown;
        b->opened = true;
    }
    return rc;
}

void backend_close(struct backend *b)
{
    if (b->opened) {
        status_history_close(&b->history);
        b->opened = false;
    }
}

void backend_tick(struct backend *b, uint64_t now_ms)
{
    if (status_history_is_due(&b->history, now_ms)) {
        struct history_sample s;
        read_now(b, &s);
        status_history_add(&b->history, &s);
    }
    rates_tick(&b->rates, b->store, now_ms);
    backend_rates_tick(&b->line_rates, b->ingest, now_ms);
}
