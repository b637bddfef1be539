// SPDX-License-Identifier: Apache-2.0
#include "client/store.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BUCKETS_MIN = 64,
    SPARE_MAX = 64,
    VALUE_BYTES = 10,                  // of the text of an observation, about
    PREFIX_MAX = WIRE_LINE_MAX - 2048, // bytes of a line before its observations
    KEY_MAX = 4096,                    // bytes of a key that is made without memory of its own
    LABELS_MAX = 64,                   // of a call
    MAX_BYTES = 16 << 20,              // default
    MAX_SERIES = 20000,                // default
    SERIES_BYTES = 2048                // that a series may take on average
};

int store_init(struct store *s, void (*wake)(void *arg), void *arg)
{
    *s = (struct store){.wake = wake, .arg = arg, .n_buckets = BUCKETS_MIN};
    s->buckets = calloc(s->n_buckets, sizeof(struct virtrigaud_series *));
    if (s->buckets == NULL) {
        return -ENOMEM;
    }
    pthread_mutex_init(&s->mutex, NULL);
    store_limit(s, 0, 0);
    return 0;
}

static void free_chunks(struct chunk *c)
{
    while (c != NULL) {
        struct chunk *next = c->next;
        free(c);
        c = next;
    }
}

static void drop_forgets(struct store *s)
{
    while (s->forgets != NULL) {
        struct store_forget *f = s->forgets;
        s->forgets = f->next;
        free(f);
    }
}

void store_free(struct store *s)
{
    for (size_t i = 0; i < s->n_buckets; i++) {
        for (struct virtrigaud_series *x = s->buckets[i]; x != NULL;) {
            struct virtrigaud_series *next = x->next;
            free(x->held);
            free(x->exemplar);
            free(x->key);
            free(x->prefix);
            free(x);
            x = next;
        }
    }
    free_chunks(s->oldest);
    free_chunks(s->spare);
    drop_forgets(s);
    free(s->buckets);
    pthread_mutex_destroy(&s->mutex);
}

void store_limit(struct store *s, size_t max_bytes, size_t max_series)
{
    size_t chunks = (max_bytes > 0 ? max_bytes : MAX_BYTES) / sizeof(struct chunk);
    pthread_mutex_lock(&s->mutex);
    s->max_chunks = chunks > 2 ? chunks : 2;
    s->max_series = max_series > 0 ? max_series : MAX_SERIES;
    pthread_mutex_unlock(&s->mutex);
}

// ---- Series

// The key of a call, in memory of its own or of the caller.
struct key {
    char *p;
    size_t len;
    char room[KEY_MAX];
};

static void key_put(struct key *k, const char *text)
{
    size_t len = strlen(text) + 1;
    memcpy(k->p + k->len, text, len);
    k->len += len;
}

// Sorts labels by name: their order is no part of a series.
static void sort_labels(struct wire_label *out, const struct wire_label *labels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && strcmp(out[at - 1].name, labels[i].name) > 0; at--) {
            out[at] = out[at - 1];
        }
        out[at] = labels[i];
    }
}

static bool key_make(struct key *k, enum store_kind kind, const char *name,
                     const struct wire_label *labels, size_t n)
{
    size_t size = strlen(name) + 3;
    for (size_t i = 0; i < n; i++) {
        size += strlen(labels[i].name) + strlen(labels[i].value) + 2;
    }
    k->p = size <= sizeof k->room ? k->room : malloc(size);
    if (k->p == NULL) {
        return false;
    }
    k->p[0] = (char)('0' + (int)kind);
    k->len = 1;
    key_put(k, name);
    for (size_t i = 0; i < n; i++) {
        key_put(k, labels[i].name);
        key_put(k, labels[i].value);
    }
    return true;
}

static void key_free(struct key *k)
{
    if (k->p != k->room) {
        free(k->p);
    }
}

static uint64_t hash_of(const char *p, size_t len)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ len;
    for (uint64_t word; len > 0;) {
        size_t n = len < 8 ? len : 8;
        word = 0;
        memcpy(&word, p, n);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
        p += n;
        len -= n;
    }
    return h;
}

static void grow_buckets(struct store *s)
{
    size_t n = s->n_buckets * 2;
    struct virtrigaud_series **buckets = calloc(n, sizeof(struct virtrigaud_series *));
    if (buckets == NULL) {
        return; // longer chains
    }
    for (size_t i = 0; i < s->n_buckets; i++) {
        for (struct virtrigaud_series *x = s->buckets[i]; x != NULL;) {
            struct virtrigaud_series *next = x->next;
            x->next = buckets[x->hash & (n - 1)];
            buckets[x->hash & (n - 1)] = x;
            x = next;
        }
    }
    free(s->buckets);
    s->buckets = buckets;
    s->n_buckets = n;
}

// Whether one more of this reason is worth a note.
static bool is_notable(const struct store *s, const char *why)
{
    size_t same = 0;
    for (size_t i = 0; i < s->n_invalids; i++) {
        same += strcmp(s->invalids[i].why, why) == 0;
    }
    return same < STORE_INVALIDS_EACH && s->n_invalids < STORE_INVALIDS;
}

// Notes a call for a message. Called with the mutex held.
static void note(struct store *s, bool lost, const char *why, const char *what)
{
    if (!is_notable(s, why)) {
        s->not_noted++;
        return;
    }
    struct store_invalid *i = &s->invalids[s->n_invalids++];
    i->lost = lost;
    i->why = why;
    size_t n = strlen(what) < sizeof i->what ? strlen(what) : sizeof i->what - 1;
    for (size_t at = 0; at < n; at++) { // of text that may be no UTF-8, what can be shown
        i->what[at] =
            (unsigned char)what[at] >= 0x20 && (unsigned char)what[at] < 0x7f ? what[at] : '?';
    }
    i->what[n] = '\0';
}

void store_note_invalid(struct store *s, const char *why, const char *what)
{
    s->invalid++;
    note(s, false, why, what);
}

static struct virtrigaud_series *look_up(const struct store *s, const struct key *k, uint64_t hash)
{
    struct virtrigaud_series *x = s->buckets[hash & (s->n_buckets - 1)];
    while (x != NULL &&
           (x->hash != hash || x->key_len != k->len || memcmp(x->key, k->p, k->len) != 0)) {
        x = x->next;
    }
    return x;
}

// Makes a series of this text. Returns 0; -errno of wire_line; -ENOMEM.
static int make_series(struct virtrigaud_series **ret, enum store_kind kind, const char *name,
                       const struct wire_label *labels, size_t n)
{
    static const char *const ops[] = {"add", "set", "observe", NULL};
    struct wire_sample sample = {.event = kind == STORE_EVENT,
                                 .name = name,
                                 .op = ops[kind],
                                 .labels = labels,
                                 .n_labels = n};
    char *line = malloc(PREFIX_MAX);
    int len = line == NULL ? -ENOMEM : wire_line(line, PREFIX_MAX, &sample);
    struct virtrigaud_series *x = len < 0 ? NULL : calloc(1, sizeof *x);
    if (x != NULL) {
        x->kind = kind;
        x->prefix_len = (size_t)len - 1; // without the brace
        x->prefix = strndup(line, x->prefix_len);
    }
    free(line);
    if (x == NULL || x->prefix == NULL) {
        free(x);
        return len < 0 ? len : -ENOMEM;
    }
    *ret = x;
    return 0;
}

// Adds a series that is not there. Called with the mutex held. Returns 0; as make_series; -ENOSPC.
static int add_series(struct store *s, struct virtrigaud_series **ret, const struct key *k,
                      uint64_t hash, const struct wire_sample *what, enum store_kind kind)
{
    if (s->n_series >= s->max_series) {
        return -ENOSPC;
    }
    struct virtrigaud_series *x;
    int error = make_series(&x, kind, what->name, what->labels, what->n_labels);
    if (error < 0) {
        return error;
    }
    size_t bytes = s->series_bytes + sizeof *x + k->len + x->prefix_len;
    bool fits = bytes <= s->max_series * SERIES_BYTES;
    x->key = fits ? malloc(k->len) : NULL;
    if (x->key == NULL) {
        free(x->prefix);
        free(x);
        return fits ? -ENOMEM : -ENOSPC;
    }
    s->series_bytes = bytes;
    memcpy(x->key, k->p, k->len);
    x->key_len = k->len;
    x->hash = hash;
    x->store = s;
    if (++s->n_series > s->n_buckets) {
        grow_buckets(s);
    }
    x->next = s->buckets[hash & (s->n_buckets - 1)];
    s->buckets[hash & (s->n_buckets - 1)] = x;
    *ret = x;
    return 0;
}

// Counts a call for which there is no series. Called with the mutex held.
static void count_failed(struct store *s, int error, const char *name, bool calls)
{
    if (error == -ENOSPC || error == -ENOMEM) {
        s->sent += calls;
        s->dropped += calls;
        note(s, true, error == -ENOSPC ? "no_room for another series" : "no memory", name);
    } else if (calls || error == -EINVAL || error == -EMSGSIZE || error == -ENOBUFS) {
        store_note_invalid(
            s, error == -EINVAL ? "the name or a label is no UTF-8, or missing" : "too_long", name);
    }
}

// Makes the key of a call, and sorts its labels. The key is freed in any case.
static int read_call(struct key *k, struct wire_label sorted[LABELS_MAX], enum store_kind kind,
                     const char *name, const struct wire_label *labels, size_t n)
{
    k->p = k->room;
    int error = name == NULL || (n > 0 && labels == NULL) ? -EINVAL
                : n > LABELS_MAX                          ? -EMSGSIZE
                                                          : 0;
    for (size_t i = 0; i < n && error == 0; i++) {
        error = labels[i].name == NULL || labels[i].value == NULL ? -EINVAL : 0;
    }
    if (error == 0) {
        sort_labels(sorted, labels, n);
        error = key_make(k, kind, name, sorted, n) ? 0 : -ENOMEM;
    }
    return error;
}

struct virtrigaud_series *store_look_up(const struct store *s, enum store_kind kind,
                                        const char *name, const struct wire_label *labels, size_t n)
{
    struct wire_label sorted[LABELS_MAX];
    struct key k;
    struct virtrigaud_series *x = NULL;
    if (read_call(&k, sorted, kind, name, labels, n) == 0) {
        x = look_up(s, &k, hash_of(k.p, k.len));
    }
    key_free(&k);
    return x;
}

struct virtrigaud_series *store_find(struct store *s, enum store_kind kind, const char *name,
                                     const struct wire_label *labels, size_t n, bool calls)
{
    struct wire_label sorted[LABELS_MAX];
    struct virtrigaud_series *x = NULL;
    struct key k;
    int error = read_call(&k, sorted, kind, name, labels, n);
    uint64_t hash = error == 0 ? hash_of(k.p, k.len) : 0;
    pthread_mutex_lock(&s->mutex);
    if (error == 0 && (x = look_up(s, &k, hash)) == NULL) {
        struct wire_sample what = {.name = name, .labels = sorted, .n_labels = n};
        error = add_series(s, &x, &k, hash, &what, kind);
    }
    if (error < 0) {
        count_failed(s, error, name == NULL ? "" : name, calls);
        x = NULL;
    }
    bool news = error < 0 && s->n_invalids == 1;
    pthread_mutex_unlock(&s->mutex);
    key_free(&k);
    if (news) {
        s->wake(s->arg);
    }
    return x;
}

// ---- What waits

void store_mark(struct virtrigaud_series *x)
{
    struct store *s = x->store;
    if (x->waits) {
        return;
    }
    x->waits = true;
    x->next_waiting = NULL;
    if (s->first_waiting == NULL) {
        s->first_waiting = x;
    } else {
        s->last_waiting->next_waiting = x;
    }
    s->last_waiting = x;
}

struct virtrigaud_series *store_take_series(struct store *s)
{
    struct virtrigaud_series *x = s->first_waiting;
    if (x != NULL) {
        s->first_waiting = x->next_waiting;
        x->waits = false;
    }
    return x;
}

struct chunk *store_take_chunk(struct store *s)
{
    struct chunk *c = s->oldest;
    if (c != NULL) {
        s->oldest = c->next;
        s->n_chunks--;
    }
    return c;
}

void store_free_chunk(struct store *s, struct chunk *c)
{
    if (s->n_spare == SPARE_MAX) {
        free(c);
        return;
    }
    c->next = s->spare;
    s->spare = c;
    s->n_spare++;
}

void store_drop_oldest(struct store *s)
{
    while (s->n_chunks > s->max_chunks) {
        struct chunk *c = store_take_chunk(s);
        s->dropped += c->end - c->begin;
        store_free_chunk(s, c);
    }
}

void store_queue_chunk(struct store *s, struct chunk *c)
{
    c->next = NULL;
    if (s->oldest == NULL) {
        s->oldest = c;
    } else {
        s->newest->next = c;
    }
    s->newest = c;
    s->n_chunks++;
}

void store_return_chunk(struct store *s, struct chunk *c)
{
    c->next = s->oldest;
    if (s->oldest == NULL) {
        s->newest = c;
    }
    s->oldest = c;
    s->n_chunks++;
}

static struct chunk *new_chunk(struct virtrigaud_series *x)
{
    struct store *s = x->store;
    struct chunk *c = s->spare;
    if (c != NULL) {
        s->spare = c->next;
        s->n_spare--;
    } else {
        c = malloc(sizeof *c);
    }
    if (c != NULL) {
        c->series = x;
        c->begin = c->end = 0;
    }
    return c;
}

void store_return_value(struct virtrigaud_series *x, double value)
{
    struct store *s = x->store;
    struct chunk *c = s->oldest;
    if (c != NULL && c->series == x && c->begin > 0) {
        c->v[--c->begin] = value;
        return;
    }
    c = new_chunk(x);
    if (c == NULL) {
        s->dropped++;
        return;
    }
    c->begin = STORE_CHUNK_VALUES - 1;
    c->end = STORE_CHUNK_VALUES;
    c->v[c->begin] = value;
    store_return_chunk(s, c);
    store_drop_oldest(s);
}

void store_return_gauge(struct virtrigaud_series *x, uint64_t calls)
{
    if (x->known) {
        x->send = true;
        x->calls += calls;
        store_mark(x);
    } else {
        x->store->forgotten += calls;
    }
}

// ---- Calls that record

// Ends a call that is not recorded.
static void refuse(struct virtrigaud_series *x, const char *why)
{
    struct store *s = x->store;
    store_note_invalid(s, why, x->prefix);
    pthread_mutex_unlock(&s->mutex);
    s->wake(s->arg);
}

static bool begin(struct virtrigaud_series *x, double value, bool valid)
{
    pthread_mutex_lock(&x->store->mutex);
    if (valid && isfinite(value)) {
        return true;
    }
    refuse(x,
           isfinite(value) ? "bad_value: negative, or not for this kind" : "bad_value: not finite");
    return false;
}

static void end(struct virtrigaud_series *x, bool much)
{
    struct store *s = x->store;
    bool first = s->first_waiting == NULL;
    s->sent++;
    store_mark(x);
    pthread_mutex_unlock(&s->mutex);
    if (first || much) {
        s->wake(s->arg);
    }
}

static void set(struct virtrigaud_series *x, double to)
{
    if (!isfinite(to)) { // a sum, for which the gauge keeps its value
        refuse(x, "bad_value: the sum is not finite");
        return;
    }
    x->value = to;
    x->known = x->send = true;
    x->calls++;
    end(x, false);
}

void store_add(struct virtrigaud_series *x, double by)
{
    bool counter = x->kind == STORE_COUNTER;
    if (!begin(x, by, x->kind == STORE_GAUGE || (counter && by >= 0))) {
        return;
    }
    if (!counter) {
        set(x, x->value + by);
        return;
    }
    if (isfinite(x->value + by)) {
        x->value += by;
        x->calls++;
    } else {
        x->store->dropped++; // more than a double holds
    }
    end(x, false);
}

void store_set(struct virtrigaud_series *x, double to)
{
    if (begin(x, to, x->kind == STORE_GAUGE)) {
        set(x, to);
    }
}

void store_count(struct virtrigaud_series *x, uint64_t n)
{
    if (begin(x, 0, x->kind == STORE_EVENT && n > 0)) {
        x->count += n;
        x->store->sent += n - 1;
        end(x, false);
    }
}

// Adds an observation to those that are collected. Returns whether much waits by that.
static bool keep(struct virtrigaud_series *x, double value)
{
    struct store *s = x->store;
    if (x->held == NULL) {
        x->held = new_chunk(x);
    }
    if (x->held == NULL) {
        s->dropped++;
        return false;
    }
    x->held->v[x->held->end++] = value;
    size_t most = s->max_chunks * STORE_CHUNK_VALUES * VALUE_BYTES / 2;
    size_t many = most < STORE_MANY_BYTES ? most : STORE_MANY_BYTES;
    bool much = s->bytes < many && s->bytes + VALUE_BYTES >= many;
    s->bytes += VALUE_BYTES;
    if (x->held->end == STORE_CHUNK_VALUES) {
        store_queue_chunk(s, x->held);
        store_drop_oldest(s);
        x->held = NULL;
    }
    return much;
}

static bool begin_observation(struct virtrigaud_series *x, double value)
{
    return begin(x, value, x->kind == STORE_HISTOGRAM || x->kind == STORE_EVENT);
}

void store_observe(struct virtrigaud_series *x, double value)
{
    if (begin_observation(x, value)) {
        end(x, keep(x, value));
    }
}

uint64_t store_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// Returns new; NULL when it would be rejected, or without memory.
static struct store_exemplar *new_exemplar(double value, const struct wire_label *labels, size_t n)
{
    char text[STORE_EXEMPLAR_MAX];
    uint64_t ms = store_wall_ms();
    int len = wire_exemplar(text, sizeof text, labels, n, ms);
    struct store_exemplar *e = len < 0 ? NULL : malloc(sizeof *e + (size_t)len);
    if (e != NULL) {
        e->value = value;
        e->len = (size_t)len;
        memcpy(e->text, text, e->len);
        e->ms = ms;
        e->bare_len = (size_t)((char *)memrchr(text, ',', e->len) - text); // the time is last
    }
    return e;
}

void store_observe_with_exemplar(struct virtrigaud_series *x, double value,
                                 const struct wire_label *labels, size_t n)
{
    struct store_exemplar *e = new_exemplar(value, labels, n);
    if (!begin_observation(x, value)) {
        free(e);
        return;
    }
    if (e == NULL) {
        note(x->store, false, "bad_exemplar, left out", x->prefix);
        end(x, keep(x, value));
        return;
    }
    struct store_exemplar *older = x->exemplar;
    x->exemplar = e;
    end(x, older != NULL && keep(x, older->value));
    free(older);
}

void store_return_exemplar(struct virtrigaud_series *x, struct store_exemplar *e)
{
    if (x->exemplar == NULL) {
        x->exemplar = e;
        store_mark(x);
    } else {
        store_return_value(x, e->value);
        free(e);
    }
}

bool store_has_waiting(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    bool has = s->first_waiting != NULL || s->oldest != NULL;
    pthread_mutex_unlock(&s->mutex);
    return has;
}

void store_resend(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->n_buckets; i++) {
        for (struct virtrigaud_series *x = s->buckets[i]; x != NULL; x = x->next) {
            if (x->kind == STORE_GAUGE && x->known) {
                x->send = true;
                store_mark(x);
            }
        }
    }
    pthread_mutex_unlock(&s->mutex);
}

void store_forget_gauges(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->n_buckets; i++) {
        for (struct virtrigaud_series *x = s->buckets[i]; x != NULL; x = x->next) {
            x->known = false;
        }
    }
    pthread_mutex_unlock(&s->mutex);
}

uint64_t store_discard(struct store *s)
{
    uint64_t calls = 0;
    pthread_mutex_lock(&s->mutex);
    drop_forgets(s);
    for (struct virtrigaud_series *x; (x = store_take_series(s)) != NULL;) {
        calls += x->calls + x->count;
        x->calls = x->count = 0;
        x->value = x->kind == STORE_GAUGE ? x->value : 0;
        x->send = false;
        calls += x->exemplar != NULL;
        free(x->exemplar);
        x->exemplar = NULL;
        if (x->held != NULL) {
            calls += x->held->end - x->held->begin;
            store_free_chunk(s, x->held);
            x->held = NULL;
        }
    }
    for (struct chunk *c; (c = store_take_chunk(s)) != NULL;) {
        calls += c->end - c->begin;
        store_free_chunk(s, c);
    }
    s->bytes = 0;
    pthread_mutex_unlock(&s->mutex);
    return calls;
}
