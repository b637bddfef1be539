// SPDX-License-Identifier: Apache-2.0
#include "daemon/log_rejects.h"

#include "base/clock.h"
#include "base/count.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { UID_TEXT = 24 };

// The fields that are not always there, in pairs; what is left of `ret` is NULL.
static void gather(const struct rejected_line *e, char uid[static UID_TEXT], const char *ret[8])
{
    size_t n = 0;
    if (e->instance[0] != '\0') {
        ret[n++] = "instance";
        ret[n++] = e->instance;
    }
    if (e->user != PEER_NOBODY) {
        snprintf(uid, UID_TEXT, "%lu", (unsigned long)e->user);
        ret[n++] = "uid";
        ret[n++] = uid;
    }
    if (e->entry[0] != '\0') {
        ret[n++] = "entry";
        ret[n++] = e->entry;
    }
    if (e->metric[0] != '\0') {
        ret[n++] = e->is_event ? "event" : "metric";
        ret[n++] = e->metric;
    }
}

static void name_source(const struct rejected_line *e, const struct catalog *c,
                        char ret[static LOG_REJECTS_NAME])
{
    // A reload may have taken the component away.
    const char *component =
        e->component < c->n_components ? c->components[e->component] : "unknown";
    snprintf(ret, LOG_REJECTS_NAME, "%.60s%s%s", component, e->instance[0] != '\0' ? "/" : "",
             e->instance);
}

static void log_one(const struct rejected_line *e, const char *source)
{
    char line[24] = "";
    if (e->line > 0) {
        snprintf(line, sizeof line, "%" PRIu64, e->line);
    }
    char uid[UID_TEXT];
    const char *more[8] = {NULL};
    gather(e, uid, more);
    if (e->reason == REJECT_NONE) {
        log_warn("a source runs in a unit other than its entry in sources names", "source", source,
                 "unit", e->detail, more[0], more[1], more[2], more[3], more[4], more[5], NULL);
        return;
    }
    log_write_kind(LOG_KIND_lines_refused, LOG_LEVEL_WARN, "line rejected", "reason",
                   reject_names[e->reason], "source", source, "line", line, "detail", e->detail,
                   more[0], more[1], more[2], more[3], more[4], more[5], more[6], more[7], NULL);
}

// Logs how many of a source were left out, and starts over with it.
static void end(struct log_rejects_source *s)
{
    if (s->left_out > 0) {
        char count[24];
        snprintf(count, sizeof count, "%" PRIu64, s->left_out);
        bool named = s->name[0] != '\0';
        log_write_kind(LOG_KIND_lines_refused, LOG_LEVEL_WARN, "more lines rejected", "count",
                       count, named ? "source" : NULL, s->name, NULL);
    }
    s->logged = 0;
    s->left_out = 0;
}

void log_rejects_end(struct log_rejects *r)
{
    for (size_t i = 0; i < LOG_REJECTS_SOURCES; i++) {
        end(&r->sources[i]);
    }
    end(&r->others);
}

static void end_late(struct log_rejects_source *s, uint64_t now_ms)
{
    if (s->logged > 0 && now_ms - s->since_ms >= LOG_REJECTS_MS) {
        end(s);
    }
}

// The place of a source, or, when all are taken, that of all others.
static struct log_rejects_source *find(struct log_rejects *r, const char *name, uid_t user)
{
    struct log_rejects_source *free_one = NULL;
    for (size_t i = 0; i < LOG_REJECTS_SOURCES; i++) {
        struct log_rejects_source *s = &r->sources[i];
        if (s->logged > 0 && s->user == user && strcmp(s->name, name) == 0) {
            return s;
        }
        if (s->logged == 0 && free_one == NULL) {
            free_one = s;
        }
    }
    if (free_one != NULL) {
        snprintf(free_one->name, sizeof free_one->name, "%s", name);
        free_one->user = user;
    }
    return free_one != NULL ? free_one : &r->others;
}

static void leave_out(struct log_rejects_source *s, uint64_t n, uint64_t now_ms)
{
    if (n > 0 && s->logged == 0) {
        s->since_ms = now_ms;
        s->logged = 1;
    }
    s->left_out += n;
}

static void take(struct log_rejects *r, const struct rejected_line *e, const struct catalog *c,
                 uint64_t now_ms)
{
    char name[LOG_REJECTS_NAME];
    name_source(e, c, name);
    struct log_rejects_source *s = find(r, name, e->user);
    if (s != &r->others && s->logged < LOG_REJECTS_LINES) {
        s->since_ms = s->logged == 0 ? now_ms : s->since_ms;
        s->logged++;
        log_one(e, name);
        leave_out(s, e->more, now_ms);
    } else {
        leave_out(s, 1 + (uint64_t)e->more, now_ms);
    }
}

// ---- For the page

void log_rejects_open(struct log_rejects *r)
{
    pthread_mutex_init(&r->lock, NULL);
}

static void keep(struct log_rejects *r, const struct rejected_line *line, uint64_t at_ms)
{
    pthread_mutex_lock(&r->lock);
    struct log_rejects_entry *e = &r->ring[r->n++ % LOG_REJECTS_RING];
    e->line = *line;
    e->at_ms = at_ms;
    pthread_mutex_unlock(&r->lock);
}

bool log_rejects_read(struct log_rejects *r, uint64_t *at, struct log_rejects_entry *ret)
{
    pthread_mutex_lock(&r->lock);
    uint64_t before = *at < r->n ? *at : r->n;
    bool there = before > 0 && r->n - before < LOG_REJECTS_RING;
    if (there) {
        *at = before - 1;
        *ret = r->ring[*at % LOG_REJECTS_RING];
    }
    pthread_mutex_unlock(&r->lock);
    return there;
}

bool log_rejects_next(struct log_rejects *r, uint64_t *next, struct log_rejects_entry *ret)
{
    pthread_mutex_lock(&r->lock);
    uint64_t oldest = r->n > LOG_REJECTS_RING ? r->n - LOG_REJECTS_RING : 0;
    uint64_t number = *next > oldest ? *next : oldest;
    bool there = number < r->n;
    if (there) {
        *ret = r->ring[number % LOG_REJECTS_RING];
        *next = number + 1;
    }
    pthread_mutex_unlock(&r->lock);
    return there;
}

void log_rejects_tick(struct log_rejects *r, struct ingest *ingest, const struct catalog *c,
                      uint64_t now_ms)
{
    for (size_t i = 0; i < LOG_REJECTS_SOURCES; i++) {
        end_late(&r->sources[i], now_ms);
    }
    end_late(&r->others, now_ms);
    struct rejected_line e;
    while (ingest_take_rejected(ingest, &e)) {
        if (e.reason != REJECT_NONE) {
            keep(r, &e, clock_real_ms());
        }
        count_add(&r->more, e.more);
        take(r, &e, c, now_ms);
    }
    uint64_t missed = ingest_missed_rejected(ingest);
    leave_out(&r->others, missed - r->missed, now_ms);
    r->missed = missed;
}
