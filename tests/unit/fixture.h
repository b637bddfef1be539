// SPDX-License-Identifier: Apache-2.0
/*
 * fixture: all that an event passes, without threads: a catalogue, its series, sources and one worker, whose
 * reader and figures a test or fuzz target uses by hand. The clock stands at FIXTURE_NOW_MS until it is moved.
 */
#ifndef VE_TESTS_FIXTURE_H
#define VE_TESTS_FIXTURE_H

#include "base/rcu.h"
#include "catalog/load.h"
#include "expose/expose.h"
#include "ingest/datagram.h"
#include "ingest/worker.h"
#include "source/ttl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIXTURE_SOURCES = 8, FIXTURE_SESSIONS = 4, FIXTURE_NOW_MS = 1000000 };

struct fixture {
    struct series_store *store;
    struct sources *sources;
    struct ingest *ingest;
    struct protocol *p;
    struct origin origin; // of fixture_line
    struct buf text;      // what fixture_text returned
    struct self self;
    struct self_scrapes scrapes;
};

static inline struct self_scrapes fixture_scrapes(void)
{
    static const double bounds[] = {0.5, 2};
    static const char *const faults[] = {"expired", "other"};
    return (struct self_scrapes){.by_format = {3, 4},
                                 .n_bounds = 2,
                                 .bounds = bounds,
                                 .buckets = {2, 0, 1},
                                 .sum_ns = 7250000000,
                                 .n_faults = 2,
                                 .faults = faults,
                                 .tls_errors = {5, 0},
                                 .auth_failures = 6,
                                 .accept_errors = 7};
}

static inline void fixture_must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

// Reads once, and ends the forgets that this begins, as a worker does between others. Returns as connection_read.
static inline int fixture_read(struct connection *c, struct protocol *p, char *input)
{
    int n = connection_read(c, p, input);
    while (c->forget != NULL && !c->closing) {
        connection_go_on(c, p, input);
    }
    return n;
}

static inline int fixture_datagram(int fd, struct protocol *p)
{
    int n = datagram_read(fd, p);
    while (datagram_is_open(p)) {
        datagram_go_on(p);
    }
    return n;
}

// A connection of this source begins, as of user 0. NULL when there is no room.
static inline struct source *fixture_enter(struct sources *s, struct arena_writer *writer,
                                           unsigned component, const char *instance, bool returns,
                                           uint64_t now_ms, uint32_t *ret_lease)
{
    struct source *src = NULL;
    struct source_call call = {.component = component,
                               .instance = {instance, strlen(instance)},
                               .returns = returns,
                               .now_ms = now_ms};
    source_enter(s, writer, &call, &src, ret_lease);
    return src;
}

// `catalog`: YAML, or NULL for the built-in one. `lanes`: room for that many workers, of which `workers` are there.
static inline void fixture_open_workers(struct fixture *h, const char *catalog, uint64_t limit,
                                        uint64_t limit_per_metric, unsigned lanes, unsigned workers)
{
    *h = (struct fixture){0};
    struct errs errs = ERRS_INIT;
    struct catalog *c = NULL;
    if (catalog == NULL) {
        catalog = catalog_builtin;
    }
    size_t len = catalog == catalog_builtin ? catalog_builtin_len : strlen(catalog);
    int rc = catalog_load_bytes(&c, "c.yaml", catalog, len, &errs);
    errs_write(&errs, &h->text);
    fixture_must(rc == 0, buf_string(&h->text));
    errs_free(&errs);
    rcu_join();
    struct schema_settings limits = {.limit = limit, .limit_per_metric = limit_per_metric};
    struct ingest_settings settings = {
        .workers = workers, .connections = 8, .sessions = FIXTURE_SESSIONS};
    settings.stream = settings.datagram = UNIX_SOCKET_NONE;
    fixture_must(sources_new(&h->sources, FIXTURE_SOURCES) == 0 &&
                     schema_open(&h->store, c, &limits, lanes, sources_lease_from(FIXTURE_SOURCES),
                                 sources_max_id(FIXTURE_SOURCES)) == 0 &&
                     ingest_open(&h->ingest, &settings, h->store, h->sources) == 0,
                 "no memory");
    h->p = &h->ingest->workers[0].protocol;
    h->p->clocked = false;
    h->p->now_ms = FIXTURE_NOW_MS;
    h->p->now_real_ms = 1700000000000;
    uint32_t lease;
    const struct source *anonymous =
        fixture_enter(h->sources, NULL, COMPONENT_UNKNOWN, "", false, h->p->now_ms, &lease);
    h->origin.owner = (struct owner){.updater_id = source_updater_id(h->sources, anonymous),
                                     .precreator_id = source_precreator_id(h->sources, anonymous),
                                     .lease = lease,
                                     .now_s = FIXTURE_NOW_MS / 1000};
    h->scrapes = fixture_scrapes();
    h->self = (struct self){.version = "1.2.3",
                            .revision = "abc",
                            .ingest = h->ingest,
                            .sources = h->sources,
                            .scrapes = &h->scrapes,
                            .start_ms = 1500,
                            .reload_ok = true,
                            .reload_at_ms = 2500};
}

static inline void fixture_open_lanes(struct fixture *h, const char *catalog, uint64_t limit,
                                      uint64_t limit_per_metric, unsigned lanes)
{
    fixture_open_workers(h, catalog, limit, limit_per_metric, lanes, 1);
}

static inline void fixture_open(struct fixture *h, const char *catalog, uint64_t limit,
                                uint64_t limit_per_metric)
{
    fixture_open_lanes(h, catalog, limit, limit_per_metric, 1);
}

// The id of what the owner's hellos named, which lies between the two others.
static inline uint32_t fixture_named(const struct owner *c)
{
    return (c->updater_id + c->precreator_id) / 2;
}

static inline void fixture_close(struct fixture *h)
{
    ingest_free(h->ingest);
    schema_close(h->store);
    sources_free(h->sources);
    buf_free(&h->text);
    rcu_part();
}

// Applies a line of the anonymous source.
static inline struct event_result fixture_bytes(struct fixture *h, const char *line, size_t len)
{
    struct event_result v;
    // Memory of just its size, so that a read beyond it is seen.
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, line, len);
    rcu_enter();
    event_line(h->p->reader, &h->origin, copy, len, &v);
    rcu_leave();
    free(copy);
    return v;
}

static inline struct event_result fixture_line(struct fixture *h, const char *line)
{
    return fixture_bytes(h, line, strlen(line));
}

static inline bool fixture_wants_all(const void *ctx, const char *name)
{
    (void)ctx;
    return strstr(name, "process_") == NULL && strstr(name, "_busy_") == NULL &&
           strstr(name, "_cache_") == NULL;
}

static inline bool fixture_wants_catalog(const void *ctx, const char *name)
{
    (void)ctx;
    return strncmp(name, "virtrigaud_exporter_", 20) != 0 &&
           strncmp(name, "virtrigaud_source_", 18) != 0 && fixture_wants_all(NULL, name);
}

static inline const char *fixture_expose(struct fixture *h,
                                         bool (*wants)(const void *, const char *))
{
    struct expose_filter filter = {.wants = wants};
    struct format_sink sink = format_sink_text(&h->text);
    buf_clear(&h->text);
    fixture_must(expose_write(&sink, h->store, &h->self, &filter,
                              &(struct format){.kind = FORMAT_TEXT}) == 0,
                 "no memory");
    return buf_string(&h->text);
}

static inline const char *fixture_open_text(struct fixture *h,
                                            bool (*wants)(const void *, const char *), bool created)
{
    struct expose_filter filter = {.wants = wants};
    struct format_sink sink = format_sink_text(&h->text);
    buf_clear(&h->text);
    fixture_must(expose_write(&sink, h->store, &h->self, &filter,
                              &(struct format){FORMAT_OPENMETRICS, created}) == 0,
                 "no memory");
    return buf_string(&h->text);
}

// The catalogue's families, byte for byte. Valid until the next call.
static inline const char *fixture_text(struct fixture *h)
{
    return fixture_expose(h, fixture_wants_catalog);
}

// These and the exporter's own, but for what changes by itself and the cache's figures.
static inline const char *fixture_text_all(struct fixture *h)
{
    return fixture_expose(h, fixture_wants_all);
}

// The same without HELP and TYPE: what most tests compare.
static inline const char *fixture_samples(struct fixture *h)
{
    struct buf samples = BUF_INIT;
    fixture_text(h);
    for (const char *line = h->text.p, *next; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n') + 1;
        if (*line != '#') {
            buf_add(&samples, line, (size_t)(next - line));
        }
    }
    buf_free(&h->text);
    h->text = samples;
    return buf_string(&h->text);
}

#endif
