// SPDX-License-Identifier: Apache-2.0
#include "client/batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_MAX = 1000000 };                      // of a line
static const uint64_t YEAR_2000_MS = 946684800000; // before which the daemon rejects an exemplar

// The lines that are being made.
struct filler {
    struct batch *b;
    size_t bytes;
    bool full;
    char line[WIRE_LINE_MAX];
    size_t len;
};

int batch_init(struct batch *b, struct store *store)
{
    *b = (struct batch){.store = store, .past = calloc(BATCH_PAST, sizeof(uint32_t))};
    return b->past == NULL ? -ENOMEM : 0;
}

void batch_close(struct batch *b)
{
    free(b->past);
}

void batch_connected(struct batch *b, bool merge)
{
    b->merge = merge;
    b->confirmed = false;
}

// ---- Filling

static void begin_line(struct filler *f, const struct virtrigaud_series *x)
{
    memcpy(f->line, x->prefix, x->prefix_len);
    f->len = x->prefix_len;
}

static void put_bytes(struct filler *f, const char *text, size_t n)
{
    memcpy(f->line + f->len, text, n);
    f->len += n;
}

static void put(struct filler *f, const char *text)
{
    put_bytes(f, text, strlen(text));
}

static void put_number(struct filler *f, double v)
{
    f->len += wire_number(f->line + f->len, v);
}

// Gives the line to the link. There is always room for a batch in its buffer.
static void end_line(struct filler *f, struct batch_line line)
{
    struct batch *b = f->b;
    put(f, "}");
    link_put_line(b->link, f->line, f->len);
    b->lines[b->n++] = line;
    f->bytes += f->len + 1;
    bool probes = line.merged && !b->confirmed;
    f->full = probes || f->bytes >= BATCH_BYTES || b->n == BATCH_LINES;
}

static void add_value(struct filler *f, enum batch_kind kind, struct virtrigaud_series *x, double v,
                      uint64_t calls)
{
    begin_line(f, x);
    put(f, ",\"value\":");
    put_number(f, v);
    end_line(f, (struct batch_line){.series = x, .kind = kind, .calls = calls, .value = v});
}

// Occurrences without value.
static void add_count(struct filler *f, struct virtrigaud_series *x)
{
    uint64_t n = x->count < COUNT_MAX ? x->count : COUNT_MAX;
    bool merged = f->b->merge && n > 1;
    char text[40];
    n = merged && f->b->confirmed ? n : 1;
    begin_line(f, x);
    if (merged) {
        snprintf(text, sizeof text, ",\"count\":%llu", (unsigned long long)n);
        put(f, text);
    }
    x->count -= n;
    end_line(f,
             (struct batch_line){.series = x, .kind = BATCH_COUNT, .merged = merged, .calls = n});
}

static void add_exemplar(struct filler *f, struct virtrigaud_series *x)
{
    struct store_exemplar *e = x->exemplar;
    x->exemplar = NULL;
    begin_line(f, x);
    if (e->ms >= YEAR_2000_MS && e->ms <= store_wall_ms()) {
        put_bytes(f, e->text, e->len);
    } else { // the clock was wrong, or was set back: the daemon takes the time of arrival
        put_bytes(f, e->text, e->bare_len);
        put(f, "}");
    }
    put(f, ",\"value\":");
    put_number(f, e->value);
    end_line(f,
             (struct batch_line){.series = x, .kind = BATCH_EXEMPLAR, .calls = 1, .exemplar = e});
}

// Returns false when something is left.
static bool add_chunk(struct filler *f, struct chunk *c)
{
    struct batch *b = f->b;
    if (!b->merge || c->end - c->begin == 1) {
        for (; c->begin < c->end && !f->full; c->begin++) {
            add_value(f, BATCH_VALUE, c->series, c->v[c->begin], 1);
        }
        if (c->begin == c->end) {
            store_free_chunk(b->store, c);
            return true;
        }
        return false;
    }
    begin_line(f, c->series);
    put(f, ",\"values\":[");
    struct batch_line line = {.series = c->series, .kind = BATCH_VALUES, .merged = true};
    if (!b->confirmed) {
        line.kind = BATCH_VALUE;
        line.calls = 1;
        line.value = c->v[c->begin++];
        put_number(f, line.value);
    } else {
        line.chunk = c;
        line.calls = c->end - c->begin;
        for (unsigned i = c->begin; i < c->end; i++) {
            put(f, i > c->begin ? "," : "");
            put_number(f, c->v[i]);
        }
    }
    put(f, "]");
    end_line(f, line);
    return line.chunk != NULL;
}

static void add_series(struct filler *f, struct virtrigaud_series *x)
{
    if (x->kind == STORE_GAUGE && x->send) {
        add_value(f, BATCH_GAUGE, x, x->value, x->calls);
        x->send = false;
        x->calls = 0;
    } else if (x->kind == STORE_COUNTER && x->calls > 0) {
        add_value(f, BATCH_SUM, x, x->value, x->calls);
        x->value = 0;
        x->calls = 0;
    }
    while (x->count > 0 && !f->full) {
        add_count(f, x);
    }
    if (x->exemplar != NULL && !f->full) {
        add_exemplar(f, x);
    }
    if (x->held != NULL) {
        store_queue_chunk(f->b->store, x->held);
        x->held = NULL;
    }
    if (x->count > 0 || x->exemplar != NULL) {
        store_mark(x);
    }
}

void batch_fill(struct batch *b)
{
    struct store *s = b->store;
    struct filler f = {.b = b};
    b->first += b->n;
    b->head = b->n = 0;
    pthread_mutex_lock(&s->mutex);
    s->bytes = 0;
    struct virtrigaud_series *x;
    while (!f.full && (x = store_take_series(s)) != NULL) {
        add_series(&f, x);
    }
    struct chunk *c;
    while (!f.full && (c = store_take_chunk(s)) != NULL) {
        if (!add_chunk(&f, c)) {
            store_return_chunk(s, c);
        }
    }
    b->drained = s->first_waiting == NULL && s->oldest == NULL;
    pthread_mutex_unlock(&s->mutex);
}

// ---- Ends

// Gives back what a line stood for. Called with the store's mutex held.
static void undo(struct batch *b, const struct batch_line *l)
{
    struct virtrigaud_series *x = l->series;
    b->drained = false;
    switch (l->kind) {
    case BATCH_VALUES:
        store_return_chunk(b->store, l->chunk);
        store_drop_oldest(b->store);
        return;
    case BATCH_VALUE:
        store_return_value(x, l->value);
        return;
    case BATCH_SUM:
        x->value += l->value;
        x->calls += l->calls;
        break;
    case BATCH_EXEMPLAR:
        store_return_exemplar(x, l->exemplar);
        return;
    case BATCH_GAUGE:
        store_return_gauge(x, l->calls);
        return;
    case BATCH_COUNT:
        x->count += l->calls;
        break;
    }
    store_mark(x);
}

static void remember(struct batch *b, const struct batch_line *l)
{
    uint64_t calls = l->kind == BATCH_GAUGE ? 0 : l->calls; // its newest value is sent again
    b->past[b->past_at++ % BATCH_PAST] = (uint32_t)calls;
    b->n_past += b->n_past < BATCH_PAST;
}

// The calls of the last n lines that have ended, which are forgotten now. Of lines long ago, as many as lines.
static uint64_t forget_last(struct batch *b, uint64_t n)
{
    uint64_t calls = 0;
    for (; n > 0 && b->n_past > 0; n--, b->n_past--) {
        calls += b->past[--b->past_at % BATCH_PAST];
    }
    uint64_t all = b->result.applied + b->result.refused;
    calls = calls + n < all ? calls + n : all;
    uint64_t applied = calls < b->result.applied ? calls : b->result.applied;
    b->result.applied -= applied; // which of the two it was is not known any more
    b->result.refused -= calls - applied;
    b->result.lost += calls;
    return calls;
}

static void free_observations(struct batch *b, const struct batch_line *l)
{
    free(l->exemplar);
    if (l->chunk != NULL) {
        store_free_chunk(b->store, l->chunk);
    }
}

static void end_dealt(struct batch *b, const struct batch_line *l, bool answered)
{
    b->result.lines++;
    if (l->again) {
        struct batch_line none = {.kind = BATCH_GAUGE};
        remember(b, &none);
        b->merge = false;
        undo(b, l);
        return;
    }
    remember(b, l);
    if (l->refused) {
        b->result.refused += l->calls;
    } else {
        b->result.applied += l->calls;
        b->result.unknown += answered ? 0 : l->calls;
        b->confirmed = b->confirmed || (answered && l->merged);
    }
    free_observations(b, l);
}

static uint64_t end_lost(struct batch *b, const struct batch_line *l)
{
    if (l->kind == BATCH_GAUGE) {
        undo(b, l);
        return 0;
    }
    free_observations(b, l);
    b->result.lost += l->calls;
    return l->calls;
}

uint64_t batch_end(struct batch *b, enum link_end end, uint64_t n)
{
    uint64_t lost = 0;
    pthread_mutex_lock(&b->store->mutex);
    if (end == LINK_ROLLED_BACK) {
        lost = forget_last(b, n);
        n = 0;
    }
    if (end == LINK_RETURNED) {
        for (size_t i = b->head + n; i > b->head; i--) { // the oldest goes to the front
            undo(b, &b->lines[i - 1]);
        }
        b->head += n;
        n = 0;
    }
    for (; n > 0 && b->head < b->n; n--) {
        const struct batch_line *l = &b->lines[b->head++];
        if (end == LINK_LOST) {
            lost += end_lost(b, l);
        } else {
            end_dealt(b, l, end == LINK_ANSWERED);
        }
    }
    pthread_mutex_unlock(&b->store->mutex);
    return lost;
}

void batch_abandon(struct batch *b)
{
    batch_end(b, LINK_LOST, b->n - b->head);
}

struct virtrigaud_series *batch_reject(struct batch *b, const struct wire_reply *r)
{
    uint64_t i = r->line - 1 - b->first;
    if (r->line == 0 || r->line - 1 < b->first || i < b->head || i >= b->n || b->lines[i].refused) {
        return NULL;
    }
    struct batch_line *l = &b->lines[i];
    l->refused = true;
    l->again = l->merged && strcmp(r->reason, "unknown_field") == 0;
    return l->again ? NULL : l->series;
}
