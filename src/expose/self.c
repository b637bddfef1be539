// SPDX-License-Identifier: Apache-2.0
#include "expose/self.h"

#include "base/clock.h"
#include "base/text.h"
#include "expose/expose.h"
#include "expose/process.h"

#include <errno.h>
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

// What the writers below share.
struct pen {
    struct buf *out;
    struct buf labels; // of the sample at hand
    const struct format *format;
    const struct schema *schema;
    const struct self *self;
    const struct expose_filter *filter;
};

// The last word of a family's name where that is a unit.
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

// OpenMetrics calls a counter's family as some gauge is called already: there its type is not told.
static bool clashes(enum self_id id)
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

// Begins a family. Returns whether it is wanted.
static bool begin(struct pen *p, enum self_id id)
{
    if (p->filter != NULL && !p->filter->wants(p->filter->ctx, table[id].name)) {
        return false;
    }
    const char *type = p->format->open && clashes(id) ? "unknown" : table[id].type;
    const struct format_head head = {
        .name = table[id].name,
        .help = table[id].help,
        .type = type,
        .unit = unit_of(table[id].name, format_family_len(table[id].name, type))};
    format_head(p->out, p->format, &head);
    return true;
}

static void label(struct pen *p, const char *name, const char *value, size_t len)
{
    buf_addf(&p->labels, "%s%s=\"", p->labels.len > 0 ? "," : "", name);
    text_label_value(&p->labels, value, len);
    buf_char(&p->labels, '"');
}

// Writes a sample with the labels that were added since the last one.
static void sample(struct pen *p, enum self_id id, double value)
{
    const char *labels = buf_string(&p->labels);
    if (labels == NULL) {
        p->out->failed = true;
        return;
    }
    format_sample(p->out, table[id].name, labels, value);
    buf_clear(&p->labels);
}

static void single(struct pen *p, enum self_id id, double value)
{
    if (begin(p, id)) {
        sample(p, id, value);
    }
}

// Sums one count of ingest_stats over the workers; `at` is its place in the struct.
static double sum_of(const struct pen *p, size_t at)
{
    uint64_t sum = 0;
    for (unsigned w = 0; w < ingest_workers(p->self->ingest); w++) {
        const char *stats = (const char *)ingest_stats_of(p->self->ingest, w);
        sum += count_read((const _Atomic uint64_t *)(const void *)(stats + at));
    }
    return (double)sum;
}

#define SUM(p, field) sum_of(p, offsetof(struct ingest_stats, field))

static void write_build_info(struct pen *p)
{
    if (begin(p, SELF_build_info)) {
        label(p, "version", p->self->version, strlen(p->self->version));
        label(p, "revision", p->self->revision, strlen(p->self->revision));
        sample(p, SELF_build_info, 1);
    }
}

static void write_by_component(struct pen *p, enum self_id id,
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

static void write_rejected(struct pen *p)
{
    const struct catalog *c = p->schema->catalog;
    if (!begin(p, SELF_rejected)) {
        return;
    }
    for (size_t i = 0; i < c->n_components; i++) {
        for (unsigned r = 0; r < REJECT_COUNT; r++) {
            label(p, "component", c->components[i], strlen(c->components[i]));
            label(p, "reason", reject_name(r), strlen(reject_name(r)));
            sample(p, SELF_rejected, (double)ingest_rejected(p->self->ingest, (unsigned)i, r));
        }
    }
}

// One sample for each metric of the catalogue; `at` is the figure's place in struct table, or in its account.
static void write_by_metric(struct pen *p, enum self_id id, bool account, size_t at)
{
    if (!begin(p, id)) {
        return;
    }
    for (size_t i = 0; i < p->schema->catalog->n_metrics; i++) {
        const struct family *f = &p->schema->families[i];
        const char *figure = account ? (const char *)f->table->account : (const char *)f->table;
        label(p, "metric", f->metric->name, strlen(f->metric->name));
        sample(p, id, (double)count_read((const _Atomic uint64_t *)(const void *)(figure + at)));
    }
}

static void write_busy(struct pen *p)
{
    if (!begin(p, SELF_busy)) {
        return;
    }
    for (unsigned w = 0; w < ingest_workers(p->self->ingest); w++) {
        char name[16];
        int len = snprintf(name, sizeof name, "%u", w);
        label(p, "worker", name, (size_t)len);
        sample(p, SELF_busy,
               (double)count_read(&ingest_stats_of(p->self->ingest, w)->busy_ns) / 1e9);
    }
}

static void write_state(struct pen *p)
{
    struct self_state state = {0};
    if (p->self->state != NULL) {
        p->self->state(p->self->ctx, &state);
    }
    if (state.kept) {
        single(p, SELF_state_ok, state.ok);
        single(p, SELF_state_bytes, (double)state.bytes);
        single(p, SELF_state_set_aside, (double)state.set_aside);
    }
}

static void write_scrapes(struct pen *p)
{
    struct self_scrapes scrapes = {0};
    p->self->scrapes(p->self->ctx, &scrapes);
    static const char *const formats[SELF_FORMATS] = {"text", "openmetrics"};
    bool wanted = begin(p, SELF_scrapes);
    for (size_t i = 0; wanted && i < SELF_FORMATS; i++) {
        label(p, "format", formats[i], strlen(formats[i]));
        sample(p, SELF_scrapes, (double)scrapes.by_format[i]);
    }
    if (begin(p, SELF_scrape_duration)) {
        format_buckets(p->out, p->format, table[SELF_scrape_duration].name, scrapes.bounds,
                       scrapes.n_bounds, scrapes.buckets, scrapes.sum);
    }
}

static void label_source(struct pen *p, const struct source *src)
{
    const char *component = p->schema->catalog->components[src->component];
    label(p, "component", component, strlen(component));
    label(p, "instance", src->instance, src->instance_len);
}

static void write_sources(struct pen *p, enum self_id id)
{
    bool begun = false;
    uint32_t at = 0;
    const struct source *src;
    while ((src = sources_next(p->self->sources, &at)) != NULL) {
        uint64_t heard = atomic_load_explicit(&src->heard_real, memory_order_relaxed);
        // A reload may have taken the component away; nothing was heard yet: no time to show.
        if (src->component >= p->schema->catalog->n_components ||
            (id == SELF_source_last_event && heard == 0)) {
            continue;
        }
        if (!begun && !begin(p, id)) {
            return;
        }
        begun = true;
        label_source(p, src);
        sample(p, id, id == SELF_source_up ? source_connected(src) : (double)heard / 1000);
    }
}

static void write_process(struct pen *p)
{
    struct process process;
    process_read(&process);
    single(p, SELF_cpu, process.cpu_seconds);
    single(p, SELF_open_fds, (double)process.open_fds);
    single(p, SELF_max_fds, (double)process.max_fds);
    single(p, SELF_virtual_memory, (double)process.virtual_bytes);
    single(p, SELF_resident_memory, (double)process.resident_bytes);
    single(p, SELF_start_time, (double)p->self->start_ms / 1000);
}

int self_write(struct buf *out, const struct format *format, const struct schema *schema,
               const struct self *self, const struct expose_filter *filter)
{
    struct pen p = {.out = out, .format = format, .schema = schema, .self = self, .filter = filter};
    write_build_info(&p);
    write_by_component(&p, SELF_events, ingest_applied);
    write_rejected(&p);
    single(&p, SELF_bytes, SUM(&p, bytes));
    single(&p, SELF_connections, ingest_connections(self->ingest));
    single(&p, SELF_connections_total, SUM(&p, connections));
    single(&p, SELF_replies_dropped, SUM(&p, replies_dropped));
    write_by_metric(&p, SELF_series, false, offsetof(struct table, count));
    write_by_metric(&p, SELF_series_limit, false, offsetof(struct table, limit));
    write_by_metric(&p, SELF_folded, true, offsetof(struct table_account, folded));
    write_by_metric(&p, SELF_expired, true, offsetof(struct table_account, expired));
    write_by_component(&p, SELF_lost, ingest_lost);
    single(&p, SELF_memo_hits, SUM(&p, memo_hits));
    single(&p, SELF_memo_misses, SUM(&p, memo_misses));
    single(&p, SELF_accept_errors, SUM(&p, accept_errors));
    write_by_metric(&p, SELF_precreate_skipped, true,
                    offsetof(struct table_account, precreate_skipped));
    write_busy(&p);
    write_state(&p);
    write_scrapes(&p);
    single(&p, SELF_reload_successful, atomic_load(&self->reload_ok));
    single(&p, SELF_reload_timestamp, (double)atomic_load(&self->reload_at_ms) / 1000);
    write_sources(&p, SELF_source_up);
    write_sources(&p, SELF_source_last_event);
    write_process(&p);
    bool failed = out->failed;
    buf_free(&p.labels);
    return failed ? -ENOMEM : 0;
}

int self_write_source(struct buf *out, const struct schema *schema, const struct source *src)
{
    const struct format text = {.open = false};
    struct pen p = {.out = out, .format = &text, .schema = schema};
    uint64_t heard = atomic_load_explicit(&src->heard_real, memory_order_relaxed);
    begin(&p, SELF_source_up);
    label_source(&p, src);
    sample(&p, SELF_source_up, source_connected(src));
    if (heard != 0 && begin(&p, SELF_source_last_event)) {
        label_source(&p, src);
        sample(&p, SELF_source_last_event, (double)heard / 1000);
    }
    buf_free(&p.labels);
    return out->failed ? -ENOMEM : 0;
}

uint64_t self_start_ms(void)
{
    uint64_t ms = process_start_ms();
    return ms != 0 ? ms : clock_real_ms();
}
