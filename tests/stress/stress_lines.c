// SPDX-License-Identifier: Apache-2.0
/*
 * Workers that apply lines of few sources at once: info metrics that each sets differently, batches that set one over and
 * over, owned gauges that another line forgets, leases that end. No line takes over a second (line_watch); in the end each
 * source that says one more thing in an info metric says just that, and what no line removes holds all that was counted.
 */
#include "catalog/load.h"
#include "event/event.h"

#include "forget.h"
#include "line_watch.h"
#include "stress.h"

enum { WORKERS = 4, SOURCES = 2, VERSIONS = 3, BATCH = 4, LINE = 1024, BASE = 1, LEASE_FROM = 100 };

static const char CATALOG[] =
    "metrics:\n"
    "- {name: c_total, type: counter, help: h, component: any, labels: [x]}\n"
    "- {name: g, type: gauge, help: h, component: any, labels: [x], owner: source}\n"
    "- {name: v_info, type: gauge, help: h, component: any, labels: [v], owner: source}\n";

struct work {
    struct series_store *store;
    uint64_t lines;
    _Atomic unsigned working;
    _Atomic uint64_t counted;
    _Atomic uint64_t forgotten;
    struct event_reader *readers[WORKERS];
    struct series_writer writers[WORKERS];
};

static struct origin origin_of(struct event_reader *r, unsigned source)
{
    struct origin o = {
        .owner = {.updater_id = BASE + source, .lease = LEASE_FROM + source, .now_s = 1000}};
    o.context = event_origin_number(r, &o, source);
    return o;
}

static size_t add_element(char *out, size_t size, uint64_t *seed, uint64_t *counts)
{
    uint64_t r = stress_random(seed) >> 16;
    unsigned v = (unsigned)(r >> 8) % VERSIONS;
    switch (r % 8) {
    case 0:
        ++*counts;
        return (size_t)snprintf(out, size, "{\"metric\":\"c_total\",\"labels\":{\"x\":\"%u\"}}", v);
    case 1:
    case 2:
        return (size_t)snprintf(out, size,
                                "{\"metric\":\"g\",\"labels\":{\"x\":\"%u\"},\"value\":1}", v);
    default:
        return (size_t)snprintf(out, size,
                                "{\"metric\":\"v_info\",\"labels\":{\"v\":\"%u\"},\"value\":1}", v);
    }
}

static size_t write_line(char *out, uint64_t *seed, uint64_t *counts)
{
    uint64_t n = stress_random(seed) >> 16;
    n = n % 2 == 0 ? 1 : 1 + n / 2 % BATCH;
    size_t len = n == 1 ? 0 : (size_t)snprintf(out, LINE, "[");
    *counts = 0;
    for (uint64_t i = 0; i < n; i++) {
        len += add_element(out + len, LINE - len, seed, counts);
        if (n > 1) {
            out[len++] = i + 1 < n ? ',' : ']';
        }
    }
    return len;
}

static void apply_lines(struct work *w, unsigned lane)
{
    char line[LINE];
    struct line_watch watch;
    struct event_reader *r = w->readers[lane];
    struct control_forget forget = {.n_labels = 1, .labels = {{"x", {"1", 1}}}};
    struct origin origins[SOURCES];
    uint64_t seed = 77 + lane;
    for (unsigned i = 0; i < SOURCES; i++) {
        origins[i] = origin_of(r, i);
    }
    line_watch_begin(&watch);
    for (uint64_t n = 0; n < w->lines; n++) {
        struct event_result v;
        uint64_t counts;
        const struct origin *o = &origins[stress_random(&seed) % SOURCES];
        size_t len = write_line(line, &seed, &counts);
        line_watch_next(&watch, line, len);
        rcu_enter();
        event_line(r, o, line, len, &v);
        if (n % 16 == 0 && lane == 0) {
            // The counter must keep its sum, so the one whose series is forgotten has none of it.
            struct origin second = origins[1];
            second.permission = &(struct permission){
                .number = 1, .metrics = (const uint8_t[]){2}, .name = "second"};
            atomic_fetch_add(&w->forgotten, forget_all(w->store, &forget, &second));
        }
        rcu_leave();
        STRESS_CHECK(v.kind == EVENT_APPLIED, "%.*s: %s", (int)len, line, v.rejection.detail);
        atomic_fetch_add_explicit(&w->counted, counts, memory_order_relaxed);
    }
    line_watch_end(&watch);
    atomic_fetch_sub(&w->working, 1);
}

static void work(void *arg, unsigned i)
{
    struct work *w = arg;
    if (i < WORKERS) {
        apply_lines(w, i);
        return;
    }
    do {
        const uint64_t lease[(LEASE_FROM + SOURCES) / 64 + 1] = {
            [LEASE_FROM / 64] = (uint64_t)1 << LEASE_FROM % 64};
        owner_clear(w->store, lease, true);
        schema_reclaim(w->store);
    } while (atomic_load(&w->working) > 0);
}

static void say_last(struct work *w)
{
    for (unsigned source = 0; source < SOURCES; source++) {
        struct origin o = origin_of(w->readers[0], source);
        struct event_result v;
        char line[LINE];
        int len =
            snprintf(line, sizeof line,
                     "{\"metric\":\"v_info\",\"labels\":{\"v\":\"last %u\"},\"value\":1}", source);
        event_line(w->readers[0], &o, line, (size_t)len, &v);
        STRESS_CHECK(v.kind == EVENT_APPLIED, "%s", v.rejection.detail);
    }
}

// How many series of the family carry an id.
static unsigned marked(const struct table *t, uint32_t id)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < table_slots(t); i++) {
        struct series *s = table_at(t, i);
        n += s != NULL && idset_has(t->share->base, series_ids(s), id);
    }
    return n;
}

static void look(struct work *w)
{
    const struct schema *schema = schema_current(w->store);
    const struct table *infos = schema->families[2].table;
    const struct table *counters = schema->families[0].table;
    uint64_t sum = 0;
    uint64_t exposed = 0;
    for (uint32_t i = 0; i < table_slots(counters); i++) {
        struct series *s = table_at(counters, i);
        uint64_t whole = 0;
        double rest = 0;
        if (s != NULL) {
            table_read_counter(counters, s, &whole, &rest);
        }
        sum += whole;
    }
    STRESS_CHECK(sum == atomic_load(&w->counted), "%" PRIu64 " of %" PRIu64, sum,
                 atomic_load(&w->counted));
    for (uint32_t i = 0; i < table_slots(infos); i++) {
        exposed += table_at(infos, i) != NULL;
    }
    STRESS_CHECK(exposed == atomic_load(&infos->quota.used), "%" PRIu64 " of %" PRIu64, exposed,
                 atomic_load(&infos->quota.used));
    STRESS_CHECK(marked(infos, LEASE_FROM + 1) >= 1,
                 "the source whose lease did not end says nothing");
    say_last(w);
    for (unsigned source = 0; source < SOURCES; source++) {
        STRESS_CHECK(marked(infos, LEASE_FROM + source) == 1, "source %u", source);
    }
}

int main(void)
{
    static struct work w;
    struct errs errs = ERRS_INIT;
    struct catalog *c = NULL;
    static const struct schema_settings settings = {.limit = 1000, .limit_per_metric = 100};
    w.lines = stress_scaled(100000);
    w.working = WORKERS;
    rcu_join();
    STRESS_CHECK(
        catalog_load_bytes(&c, "c", CATALOG, sizeof CATALOG - 1, &errs) == 0 &&
            schema_open(&w.store, c, &settings, WORKERS, LEASE_FROM, LEASE_FROM + SOURCES) == 0,
        "the catalogue");
    for (unsigned i = 0; i < WORKERS; i++) {
        w.writers[i].lane = i;
        STRESS_CHECK(event_reader_new(&w.readers[i], w.store, &w.writers[i]) == 0 &&
                         event_reader_cache(w.readers[i], 1 << 18) == 0,
                     "memory");
    }
    stress_run(WORKERS + 1, work, &w);
    rcu_enter();
    look(&w);
    rcu_leave();
    printf("%" PRIu64 " lines, %" PRIu64 " counted, %" PRIu64 " series forgotten\n",
           w.lines * WORKERS, atomic_load(&w.counted), atomic_load(&w.forgotten));
    for (unsigned i = 0; i < WORKERS; i++) {
        event_reader_free(w.readers[i]);
    }
    schema_close(w.store);
    rcu_part();
    return 0;
}
