// SPDX-License-Identifier: Apache-2.0
/*
 * dialogue_owners: whether `forget` removes what another source updated and its own did not. Told from the outside:
 * what a line changed in the exposition its source updated; what a line might mean, since it has the metric's name and
 * the values of the labels in it, its source may have updated. Where it is not clear who changed what, nobody did.
 */
#ifndef VE_TESTS_DIALOGUE_OWNERS_H
#define VE_TESTS_DIALOGUE_OWNERS_H

#include "dialogue_talk.h"

enum { OWNERS_SERIES = 200, OWNERS_KEY = 400, OWNERS_SOURCES = 32 };

struct owners_series {
    char key[OWNERS_KEY]; // name and labels
    double value;
    uint32_t changed; // sources, as bits
    uint32_t maybe;   // sources that may have updated it
    bool there;
};

struct owners {
    bool apart; // each line is read by itself
    bool on;
    size_t n;
    struct owners_series series[OWNERS_SERIES];
    char sources[OWNERS_SOURCES][300];
    char hello[CLIENTS][OWNERS_KEY]; // of the present connection
    // The line at hand.
    struct world *world;
    unsigned client;
    bool whole;
    const char *line;
    size_t len;
    uint64_t applied;
    uint64_t rejected;
};

static struct owners owners;

static inline void owners_begin(bool apart, bool on)
{
    owners = (struct owners){.apart = apart, .on = apart && on};
}

// Somebody changed something, or time did, and sources may have been forgotten.
static inline void owners_unclear(void)
{
    for (size_t i = 0; i < owners.n; i++) {
        owners.series[i].changed = 0;
    }
}

static inline struct owners_series *owners_find(const char *key)
{
    for (size_t i = 0; i < owners.n; i++) {
        if (strcmp(owners.series[i].key, key) == 0) {
            return &owners.series[i];
        }
    }
    struct owners_series *s = &owners.series[owners.n];
    if (owners.n == OWNERS_SERIES || strlen(key) >= sizeof s->key) {
        owners.on = false;
        return &owners.series[0];
    }
    owners.n++;
    *s = (struct owners_series){.value = 0};
    snprintf(s->key, sizeof s->key, "%s", key);
    return s;
}

// Brings the series up to date; `by` has changed what is not as it was.
static inline void owners_take(struct world *w, uint32_t by)
{
    for (size_t i = 0; i < owners.n; i++) {
        owners.series[i].there = false;
    }
    fixture_samples(&w->h);
    for (char *line = w->h.text.p, *end; line != NULL && *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        char *space = strrchr(line, ' ');
        *space = '\0';
        if (strstr(line, "_bucket{") == NULL && strstr(line, "_sum") == NULL) {
            struct owners_series *s = owners_find(line);
            double value = strtod(space + 1, NULL);
            s->changed |= value != s->value ? by : 0;
            s->value = value;
            s->there = true;
        }
    }
}

static inline uint32_t owners_source(const struct source *src)
{
    char name[300];
    snprintf(name, sizeof name, "%u %.*s", src->component, (int)src->instance_len, src->instance);
    for (unsigned i = 0; i < OWNERS_SOURCES; i++) {
        if (owners.sources[i][0] == '\0') {
            snprintf(owners.sources[i], sizeof owners.sources[i], "%s", name);
        }
        if (strcmp(owners.sources[i], name) == 0) {
            return (uint32_t)1 << i;
        }
    }
    owners.on = false;
    return 0;
}

// Whether the line has the value in it, or an alias of it.
static inline bool owners_has(const char *value, size_t len)
{
    char quoted[OWNERS_KEY];
    snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)len, value);
    return talk_has(owners.line, owners.len, quoted) ||
           strstr(owners.hello[owners.client], quoted) != NULL ||
           strcmp(quoted, "\"other\"") == 0 ||
           (strcmp(quoted, "\"success\"") == 0 && talk_has(owners.line, owners.len, "\"ok\"")) ||
           (strcmp(quoted, "\"success\"") == 0 &&
            strstr(owners.hello[owners.client], "\"ok\"") != NULL);
}

// Whether the line may be an update of the series.
static inline bool owners_may_mean(const char *key)
{
    char name[OWNERS_KEY];
    size_t len = strcspn(key, "{");
    bool counts = len > 6 && strncmp(key + len - 6, "_count", 6) == 0;
    snprintf(name, sizeof name, "%.*s", (int)(counts ? len - 6 : len), key);
    if (memchr(owners.line, '\\', owners.len) != NULL || strchr(key, '\\') != NULL) {
        return true;
    }
    if (!talk_has(owners.line, owners.len, name) && !talk_has(owners.line, owners.len, "event")) {
        return false;
    }
    for (const char *at = key + len; (at = strstr(at, "=\"")) != NULL;) {
        at += 2;
        size_t value = strcspn(at, "\"");
        if (!owners_has(at, value)) {
            return false;
        }
        at += value;
    }
    return true;
}

static inline void owners_before(struct world *w, unsigned k, const char *line, size_t len,
                                 bool whole)
{
    if (!owners.on) {
        return;
    }
    const struct client *m = &w->clients[k];
    owners.world = w;
    owners.client = k;
    owners.whole = whole && (m->c == NULL || (m->line.len == 0 && !m->c->waiting));
    owners.line = line;
    owners.len = len;
    owners.applied = m->c != NULL ? m->c->applied : 0;
    owners.rejected = m->c != NULL ? m->c->rejected : 0;
    if (m->c == NULL) {
        owners.hello[k][0] = '\0';
    }
    owners_take(w, 0);
}

static inline void owners_check_forget(uint32_t by)
{
    for (size_t i = 0; i < owners.n; i++) {
        const struct owners_series *s = &owners.series[i];
        if (!s->there && (s->changed & ~by) != 0 && (s->maybe & by) == 0) {
            fprintf(stderr, "forget removes %s, which only another source updated\n", s->key);
            abort();
        }
    }
}

static inline void owners_after(struct world *w)
{
    if (!owners.on || w->intruded) {
        return;
    }
    struct client *m = &w->clients[owners.client];
    if (!owners.whole || m->c == NULL || m->c->waiting) {
        owners_unclear();
        return;
    }
    uint32_t by = owners_source(m->c->id.source);
    bool control = m->c->applied == owners.applied && m->c->rejected == owners.rejected;
    owners_take(w, by);
    if (control && talk_has(owners.line, owners.len, "forget")) {
        owners_check_forget(by);
    } else if (control && talk_has(owners.line, owners.len, "hello")) {
        snprintf(owners.hello[owners.client], OWNERS_KEY, "%.*s", (int)owners.len, owners.line);
    }
    for (size_t i = 0; i < owners.n; i++) {
        struct owners_series *s = &owners.series[i];
        s->maybe |= m->c->applied != owners.applied && owners_may_mean(s->key) ? by : 0;
        if (!s->there) {
            *s = owners.series[--owners.n];
            i--;
        }
    }
}

#endif
