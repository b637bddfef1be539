// SPDX-License-Identifier: Apache-2.0
#include "client/forgets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// The labels of a series are in its key, behind its kind and its name.
static bool has_label(const struct virtrigaud_series *x, const struct wire_label *label)
{
    const char *end = x->key + x->key_len;
    for (const char *p = x->key + 1 + strlen(x->key + 1) + 1; p < end;) {
        const char *value = p + strlen(p) + 1;
        if (strcmp(p, label->name) == 0 && strcmp(value, label->value) == 0) {
            return true;
        }
        p = value + strlen(value) + 1;
    }
    return false;
}

static bool has_labels(const struct virtrigaud_series *x, const struct wire_label *labels, size_t n)
{
    while (n > 0 && has_label(x, &labels[n - 1])) {
        n--;
    }
    return n == 0;
}

// Copies text behind what is in a block.
static char *put_copy(char **end, const char *text, size_t size)
{
    char *begin = memcpy(*end, text, size);
    *end += size;
    return begin;
}

// Returns new; NULL without memory, or when the daemon would reject it, and *why says that.
static struct store_forget *new_forget(const struct wire_label *labels, size_t n, const char **why)
{
    char line[WIRE_LINE_MAX];
    size_t size = 0;
    bool empty = n == 0 || n > STORE_FORGET_LABELS || labels == NULL;
    for (size_t i = 0; i < n && !empty; i++) {
        empty = labels[i].name == NULL || labels[i].value == NULL || labels[i].value[0] == '\0';
        size += empty ? 0 : strlen(labels[i].name) + strlen(labels[i].value) + 2;
    }
    int len = empty ? -EINVAL : wire_forget_line(line, sizeof line, labels, n);
    struct store_forget *f =
        len < 0 ? NULL : calloc(1, sizeof *f + n * sizeof *labels + size + (size_t)len + 1);
    if (f == NULL) {
        *why = len < 0 ? "its labels are missing, empty, too many, or no UTF-8" : "no memory";
        return NULL;
    }
    f->labels = (struct wire_label *)(f + 1);
    f->n = n;
    char *end = (char *)(f->labels + n);
    for (size_t i = 0; i < n; i++) {
        f->labels[i].name = put_copy(&end, labels[i].name, strlen(labels[i].name) + 1);
        f->labels[i].value = put_copy(&end, labels[i].value, strlen(labels[i].value) + 1);
    }
    f->line = put_copy(&end, line, (size_t)len);
    f->len = (size_t)len;
    return f;
}

// Calls for each gauge with these labels that was set. Called with the mutex held.
static void each_known(struct store *s, const struct store_forget *f,
                       void (*call)(struct virtrigaud_series *x))
{
    for (size_t i = 0; i < s->n_buckets; i++) {
        for (struct virtrigaud_series *x = s->buckets[i]; x != NULL; x = x->next) {
            if (x->kind == STORE_GAUGE && x->known && has_labels(x, f->labels, f->n)) {
                call(x);
            }
        }
    }
}

static void forget_value(struct virtrigaud_series *x)
{
    x->known = x->send = false;
    x->value = 0;
    x->store->forgotten += x->calls;
    x->calls = 0;
}

static void send_value(struct virtrigaud_series *x)
{
    x->send = true;
    store_mark(x);
}

void forgets_add(struct store *s, const struct wire_label *labels, size_t n)
{
    const char *why = "";
    struct store_forget *f = new_forget(labels, n, &why);
    pthread_mutex_lock(&s->mutex);
    if (f == NULL) {
        store_note_invalid(s, why, "forget");
    } else {
        struct store_forget **last = &s->forgets;
        while (*last != NULL) {
            last = &(*last)->next;
        }
        *last = f;
        each_known(s, f, forget_value);
    }
    pthread_mutex_unlock(&s->mutex);
    s->wake(s->arg);
}

const struct store_forget *forgets_first(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    const struct store_forget *f = s->forgets;
    pthread_mutex_unlock(&s->mutex);
    return f;
}

void forgets_done(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    struct store_forget *f = s->forgets;
    s->forgets = f->next;
    each_known(s, f, send_value);
    pthread_mutex_unlock(&s->mutex);
    free(f);
}
