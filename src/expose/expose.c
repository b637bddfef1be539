// SPDX-License-Identifier: Apache-2.0
#include "expose/expose.h"

#include "base/clock.h"
#include "base/count.h"
#include "base/process.h"
#include "base/rcu.h"
#include "base/text.h"
#include "expose/protobuf.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

enum self_id {
#define SELF(id, name, type, help) SELF_##id,
#include "expose/self.def"
    SELF_COUNT
};

static const struct {
    const char *name;
    const char *type;
    const char *help;
} table[] = {
#define SELF(id, name, type, help) {name, type, help},
#include "expose/self.def"
};

static bool is_selected(const struct expose_filter *filter, const char *name)
{
    return filter == NULL || filter->wants(filter->ctx, name);
}

// What the writers below share.
struct self_writer {
    struct buf *out;
    struct buf labels; // of the sample at hand
    const struct format *format;
    size_t begun; // of the family's protobuf message; PROTOBUF_NOT_OPEN: none
    const struct schema *schema;
    const struct self *self;
    const struct expose_filter *filter;
};

// The last word of a family's name if that is a unit.
static const char *unit_of(const char *name, size_t len)
{
    static const char *const units[] = {"seconds", "bytes"};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t unit_len = strlen(units[i]);
        if (len > unit_len + 1 && name[len - unit_len - 1] == '_' &&
            memcmp(name + len - unit_len, units[i], unit_len) == 0) {
            return units[i];
        }
    }
    return "";
}

// In OpenMetrics the counter's family has the name of a gauge: there its type is unknown.
static bool has_clash(enum self_id id)
{
    size_t len = format_family_len(table[id].name, table[id].type);
    for (size_t i = 0; i < SELF_COUNT; i++) {
        if (i != id && strlen(table[i].name) == len &&
            memcmp(table[i].name, table[id].name, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct self_writer *p, enum self_id id)
{
    return is_selected(p->filter, table[id].name);
}

// Begins a family. Returns whether it is wanted.
static bool begin(struct self_writer *p, enum self_id id)
{
    if (!is_wanted(p, id)) {
        return false;
    }
    const char *type =
        p->format->kind == FORMAT_OPENMETRICS && has_clash(id) ? "unknown" : table[id].type;
    const struct format_head head = {
        .name = table[id].name,
        .help = table[id].help,
        .type = type,
        .unit = unit_of(table[id].name, format_family_len(table[id].name, type))};
    if (p->format->kind == FORMAT_PROTOBUF) {
        protobuf_end(p->out, p->begun);
        p->begun = protobuf_begin(p->out, &head);
    } else {
        format_head(p->out, p->format, &head);
    }
    return true;
}

static void label(struct self_writer *p, const char *name, const char *value, size_t len)
{
    if (p->format->kind == FORMAT_PROTOBUF) {
        protobuf_label(&p->labels, name, value, len);
        return;
    }
    buf_str(&p->labels, p->labels.len > 0 ? "," : "");
    buf_str(&p->labels, name);
    buf_str(&p->labels, "=\"");
    text_label_value(&p->labels, value, len);
    buf_char(&p->labels, '"');
}

// Writes a sample with the labels that were added since the last one.
static void sample(struct self_writer *p, enum self_id id, double value)
{
    const char *labels = buf_string(&p->labels);
    if (labels == NULL) {
        p->out->failed = true;
    } else if (p->format->kind == FORMAT_PROTOBUF) {
        protobuf_sample(p->out, table[id].type, &p->labels, value);
    } else {
        format_sample(p->out, table[id].name, labels, value);
    }
    buf_clear(&p->labels);
}

static void single(struct self_writer *p, enum self_id id, double value)
{
    if (begin(p, id)) {
        sample(p, id, value);
    }
}

// A figure that the system does not give (NAN) is left out.
static void single_known(struct self_writer *p, enum self_id id, double value)
{
    if (!isnan(value)) {
        single(p, id, value);
    }
}

// Sums one count of ingest_stats over the workers; `at` is its place in the struct.
static double sum_of(const struct self_writer *p, size_t at)
{
    uint64_t sum = 0;
    for (unsigned w = 0; w < ingest_workers(p->self->ingest); w++) {
        const char *stats = (const char *)ingest_statistics(p->self->ingest, w);
        sum += count_read((const _Atomic uint64_t *)(const void *)(stats + at));
    }
    return (double)sum;
}

#define SUM(p, field) sum_of(p, offsetof(struct statistics_worker, field))

static void write_build_info(struct self_writer *p)
{
    if (begin(p, SELF_build_info)) {
        label(p, "version", p->self->version, strlen(p->self->version));
        label(p, "revision", p->self->revision, strlen(p->self->revision));
        sample(p, SELF_build_info, 1);
    }
}

static void write_by_component(struct self_writer *p, enum self_id id,
                               uint64_t (*figure)(const struct ingest *, unsigned))
{
    const struct catalog *c = p->schema->catalog;
    if (!begin(p, id)) {
        return;
    }
    for (size_t i = 0; i < c->n_components; i++) {
        label(p, "component", c->components[i], strlen(c->components[i]));
        sample(p, id, (double)figure(p->self->ingest, (unsigned)i));
    }
}

static void write_rejected(struct self_writer *p)
{
    const struct catalog *c = p->schema->catalog;
    if (!begin(p, SELF_rejected)) {
        return;
    }
    for (size_t i = 0; i < c->n_components; i++) {
        for (unsigned r = 0; r < REJECT_COUNT; r++) {
            label(p, "component", c->components[i], strlen(c->components[i]));
            label(p, "reason", reject_names[r], strlen(reject_names[r]));
            sample(p, SELF_rejected, (double)ingest_rejected(p->self->ingest, (unsigned)i, r));
        }
    }
}

// One sample for each metric of the catalogue; `at` is the figure's place in struct table, or in its account.
static void write_by_metric(struct self_writer *p, enum self_id id, bool account, size_t at)
{
    if (!begin(p, id)) {
        return;
    }
    for (size_t i = 0; i < p->schema->catalog->n_metrics; i++) {
        const struct family *f = &p->schema->families[i];
        const char *figure = account ? (const char *)f->table->stats : (const char *)f->table;
        label(p, "metric", f->metric->name, strlen(f->metric->name));
        sample(p, id, (double)count_read((const _Atomic uint64_t *)(const void *)(figure + at)));
    }
}

static void write_busy(struct self_writer *p)
{
    if (!begin(p, SELF_busy)) {
        return;
    }
    for (unsigned w = 0; w < ingest_workers(p->self->ingest); w++) {
        char name[16];
        int len = snprintf(name, sizeof name, "%u", w);
        label(p, "worker", name, (size_t)len);
        sample(p, SELF_busy,
               (double)count_read(&ingest_statistics(p->self->ingest, w)->busy_ns) / 1e9);
    }
}

static void write_state(struct self_writer *p)
{
    const struct self_state *state = p->self->state;
    if (state != NULL && state->kept) {
        single(p, SELF_state_ok, atomic_load(&state->error) == 0);
        single(p, SELF_state_bytes, (double)atomic_load(&state->bytes));
        single(p, SELF_state_set_aside, (double)atomic_load(&state->set_aside));
    }
}

static void write_durations(struct self_writer *p, const struct self_scrapes *scrapes)
{
    uint64_t counts[SELF_MAX_BOUNDS + 1];
    for (size_t i = 0; i <= scrapes->n_bounds; i++) {
        counts[i] = count_read(&scrapes->buckets[i]);
    }
    double sum = (double)count_read(&scrapes->sum_ns) / 1e9;
    if (p->format->kind == FORMAT_PROTOBUF) {
        const struct format_series series = {.counts = counts, .sum = sum};
        struct protobuf_family bare = {
            .type = METRIC_HISTOGRAM, .bounds = scrapes->bounds, .n_bounds = scrapes->n_bounds};
        protobuf_series(p->out, &bare, &series);
    } else {
        format_buckets(p->out, p->format, table[SELF_scrape_duration].name, scrapes->bounds,
                       scrapes->n_bounds, counts, sum);
    }
}

static void write_scrapes(struct self_writer *p, const struct self_scrapes *scrapes)
{
    static const char *const formats[FORMAT_KINDS] = {"text", "openmetrics", "protobuf"};
    bool wanted = begin(p, SELF_scrapes);
    for (size_t i = 0; wanted && i < FORMAT_KINDS; i++) {
        label(p, "format", formats[i], strlen(formats[i]));
        sample(p, SELF_scrapes, (double)count_read(&scrapes->by_format[i]));
    }
    if (begin(p, SELF_scrape_duration)) {
        write_durations(p, scrapes);
    }
}

// Clients that did not get in.
static void write_refused(struct self_writer *p, const struct self_scrapes *web)
{
    bool wanted = web->n_faults > 0 && begin(p, SELF_tls_errors);
    for (size_t i = 0; wanted && i < web->n_faults; i++) {
        label(p, "reason", web->faults[i], strlen(web->faults[i]));
        sample(p, SELF_tls_errors, (double)count_read(&web->tls_errors[i]));
    }
    uint64_t expiry = count_read(&web->certificate_expiry);
    if (expiry != 0) {
        single(p, SELF_certificate_expiry, (double)expiry);
    }
    single(p, SELF_auth_failures, (double)count_read(&web->auth_failures));
    single(p, SELF_accept_errors, SUM(p, accept_errors) + (double)count_read(&web->accept_errors));
    single(p, SELF_sockets_lost, atomic_load(&p->self->sockets_lost));
}

static void write_clock(struct self_writer *p)
{
    bool wanted = begin(p, SELF_clock_difference);
    for (enum clock_evidence kind = 0; wanted && kind < CLOCK_EVIDENCE_KINDS; kind++) {
        const char *name = clock_evidence_name(kind);
        label(p, "evidence", name, strlen(name));
        sample(p, SELF_clock_difference,
               (double)clock_evidence_read(kind, clock_real_ms(), clock_mono_ms()) / 1000);
    }
}

static void label_source(struct self_writer *p, const struct source *src)
{
    const char *component = p->schema->catalog->components[src->component];
    label(p, "component", component, strlen(component));
    label(p, "source", src->instance, src->instance_len);
}

static double source_value(const struct source *src, enum self_id id)
{
    switch (id) {
    case SELF_source_up:
        return source_is_up(src);
    case SELF_source_last_event:
        return (double)count_read(&src->heard_real) / 1000;
    case SELF_source_events:
        return (double)count_read(&src->applied);
    default:
        return (double)count_read(&src->rejected);
    }
}

static void write_sources(struct self_writer *p, enum self_id id)
{
    bool begun = false;
    uint32_t at = 0;
    const struct source *src;
    while ((src = sources_next(p->self->sources, &at)) != NULL) {
        // A reload may have taken the component away; nothing was heard yet: no time to show.
        if (src->component >= p->schema->catalog->n_components ||
            (id == SELF_source_last_event && count_read(&src->heard_real) == 0)) {
            continue;
        }
        if (!begun && !begin(p, id)) {
            return;
        }
        begun = true;
        label_source(p, src);
        sample(p, id, source_value(src, id));
    }
}

// The process of a connected source, while the number is still that process'.
struct source_process {
    const struct source *source;
    struct process_other now;
    double start_seconds;
};

static bool read_source_process(const struct self_writer *p, const struct source *src,
                                struct source_process *ret)
{
    pid_t pid = atomic_load(&src->process);
    uint64_t start = atomic_load(&src->process_start_ticks);
    *ret = (struct source_process){
        .source = src, .start_seconds = (double)atomic_load(&src->process_start_real_ms) / 1000};
    return pid != 0 && source_is_connected(src) &&
           src->component < p->schema->catalog->n_components &&
           process_read_other(pid, &ret->now) == 0 && ret->now.start_ticks == start;
}

static void write_source_processes(struct self_writer *p, const struct source_process *list,
                                   size_t n, enum self_id id)
{
    for (size_t i = 0; i < n && (i > 0 || begin(p, id)); i++) {
        label_source(p, list[i].source);
        sample(p, id,
               id == SELF_source_cpu       ? list[i].now.cpu_seconds
               : id == SELF_source_memory  ? list[i].now.resident_bytes
               : id == SELF_source_threads ? list[i].now.threads
                                           : list[i].start_seconds);
    }
}

// Each process is looked at once. Without memory for the list there is none.
static void write_sources_processes(struct self_writer *p)
{
    static const enum self_id ids[] = {SELF_source_cpu, SELF_source_memory, SELF_source_threads,
                                       SELF_source_start};
    bool wanted = false;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        wanted |= is_wanted(p, ids[i]);
    }
    struct buf list = BUF_INIT;
    struct source_process one;
    uint32_t at = 0;
    for (const struct source *src; wanted && (src = sources_next(p->self->sources, &at)) != NULL;) {
        if (read_source_process(p, src, &one)) {
            buf_add(&list, (const char *)&one, sizeof one);
        }
    }
    size_t n = list.failed ? 0 : list.len / sizeof one;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        write_source_processes(p, (const struct source_process *)(const void *)list.p, n, ids[i]);
    }
    buf_free(&list);
}

static void write_process(struct self_writer *p)
{
    struct process process;
    process_read(&process);
    single_known(p, SELF_cpu, process.cpu_seconds);
    single_known(p, SELF_open_fds, process.open_fds);
    single_known(p, SELF_max_fds, process.max_fds);
    single_known(p, SELF_virtual_memory, process.virtual_bytes);
    single_known(p, SELF_resident_memory, process.resident_bytes);
    double start_ms = p->self->start_ms != 0 ? (double)p->self->start_ms : NAN;
    single_known(p, SELF_start_time, start_ms / 1000);
}

static int write_self(struct buf *out, const struct format *format, const struct schema *schema,
                      const struct self *self, const struct expose_filter *filter)
{
    struct self_writer p = {.out = out,
                            .format = format,
                            .begun = PROTOBUF_NOT_OPEN,
                            .schema = schema,
                            .self = self,
                            .filter = filter};
    const struct self_scrapes *web = self->scrapes;
    write_build_info(&p);
    write_by_component(&p, SELF_events, ingest_applied);
    write_rejected(&p);
    single(&p, SELF_bytes, SUM(&p, bytes));
    single(&p, SELF_connections, ingest_connections(self->ingest));
    single(&p, SELF_connections_total, SUM(&p, connections));
    single(&p, SELF_replies_dropped, SUM(&p, replies_dropped));
    write_by_metric(&p, SELF_series, false, offsetof(struct table, quota.used));
    write_by_metric(&p, SELF_series_limit, false, offsetof(struct table, quota.limit));
    write_by_metric(&p, SELF_folded, true, offsetof(struct table_stats, folded));
    write_by_metric(&p, SELF_expired, true, offsetof(struct table_stats, expired));
    write_by_component(&p, SELF_lost, ingest_lost);
    single(&p, SELF_cache_hits, SUM(&p, cache_hits));
    single(&p, SELF_cache_misses, SUM(&p, cache_misses));
    write_refused(&p, web);
    write_clock(&p);
    write_by_metric(&p, SELF_precreate_skipped, true,
                    offsetof(struct table_stats, precreate_skipped));
    write_busy(&p);
    write_state(&p);
    write_scrapes(&p, web);
    single(&p, SELF_reload_successful, atomic_load(&self->reload_ok));
    single(&p, SELF_reload_timestamp, (double)atomic_load(&self->reload_at_ms) / 1000);
    write_sources(&p, SELF_source_up);
    write_sources(&p, SELF_source_last_event);
    write_sources(&p, SELF_source_events);
    write_sources(&p, SELF_source_rejected);
    write_sources_processes(&p);
    write_process(&p);
    if (format->kind == FORMAT_PROTOBUF) {
        protobuf_end(out, p.begun);
    }
    bool failed = out->failed;
    buf_free(&p.labels);
    return failed ? -ENOMEM : 0;
}

int expose_self_source(struct buf *out, const struct schema *schema, const struct source *src)
{
    const struct format text = {.kind = FORMAT_TEXT};
    struct self_writer p = {.out = out, .format = &text, .schema = schema};
    uint64_t heard = atomic_load_explicit(&src->heard_real, memory_order_relaxed);
    begin(&p, SELF_source_up);
    label_source(&p, src);
    sample(&p, SELF_source_up, source_is_up(src));
    if (heard != 0 && begin(&p, SELF_source_last_event)) {
        label_source(&p, src);
        sample(&p, SELF_source_last_event, (double)heard / 1000);
    }
    buf_free(&p.labels);
    return out->failed ? -ENOMEM : 0;
}

// ---- The whole exposition

// The series from the first one on, in messages of about a piece of the sink.
static void write_protobuf(struct format_sink *sink, const struct format *format,
                           const struct format_head *head, const struct family *f,
                           struct table_walk *walk, const struct series *s)
{
    uint64_t counts[CATALOG_MAX_BOUNDS + 1];
    struct native_sum native = {.n = 0};
    struct format_series series = {.native = NULL};
    struct buf *out = sink->text;
    struct protobuf_family family;
    protobuf_family_init(&family, f->metric);
    family.is_native_alone = f->has_native && !f->metric->native.classic;
    while (s != NULL && !out->failed) {
        size_t begun = protobuf_begin(out, head);
        for (; s != NULL && !out->failed && out->len - begun < FORMAT_SINK_PIECE;
             s = table_walk_next(walk)) {
            format_read_series(format, f->table, s, counts, &series);
            if (f->has_native) {
                series.native_count =
                    table_read_native(f->table, s, f->metric->bounds, &f->native, &native);
                series.native = &native;
                out->failed |= native.failed;
            }
            protobuf_series(out, &family, &series);
        }
        protobuf_end(out, begun);
        format_sink_flush_full(sink);
    }
    native_sum_free(&native);
    protobuf_family_close(&family);
}

int expose_family(struct format_sink *sink, const struct format *format, const struct family *f,
                  uint32_t scrape)
{
    const struct metric *m = f->metric;
    struct table_walk walk = table_walk_begin(f->table, scrape);
    const struct series *s = table_walk_next(&walk);
    if (s == NULL) {
        return 0;
    }
    const struct format_head head = {
        .name = m->name, .help = m->help, .type = catalog_type_names[m->type], .unit = m->unit};
    if (format->kind == FORMAT_PROTOBUF) {
        write_protobuf(sink, format, &head, f, &walk, s);
    } else {
        format_write(sink, format, &head, f, &walk, s);
    }
    return sink->text->failed ? -ENOMEM : 0;
}

int expose_write(struct format_sink *sink, struct series_store *store, const struct self *self,
                 const struct expose_filter *filter, const struct format *format)
{
    int rc = 0;
    rcu_enter();
    uint32_t scrape =
        table_scrape(&store->share); // its fence goes with that before the reply to a sync
    const struct schema *schema = schema_current(store);
    for (size_t i = 0; rc == 0 && i < schema->catalog->n_metrics; i++) {
        if (is_selected(filter, schema->families[i].metric->name)) {
            rc = expose_family(sink, format, &schema->families[i], scrape);
        }
    }
    if (rc == 0) {
        rc = write_self(sink->text, format, schema, self, filter);
    }
    rcu_leave();
    format_end(sink->text, format);
    return rc < 0 || !sink->text->failed ? rc : -ENOMEM;
}
