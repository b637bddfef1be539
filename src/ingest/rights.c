// SPDX-License-Identifier: Apache-2.0
#include "ingest/rights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_PERMIT = 16 }; // below are those that stand for no entry

struct rights *rights_new(size_t n)
{
    struct rights *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->entries = calloc(n > 0 ? n : 1, sizeof *r->entries);
    if (r->entries == NULL) {
        free(r);
        return NULL;
    }
    r->n = n;
    for (size_t i = 0; i < n; i++) {
        snprintf(r->entries[i].name, sizeof r->entries[i].name, "sources[%zu]", i);
    }
    return r;
}

void rights_free(struct rights *r)
{
    for (size_t i = 0; r != NULL && i < r->n; i++) {
        struct rights_entry *e = &r->entries[i];
        for (size_t k = 0; k < e->n_labels; k++) {
            free(e->label_names[k]);
            free(e->label_values[k]);
        }
        free(e->members);
        free(e->unit);
        free(e->instance);
        free(e->metrics);
    }
    if (r != NULL) {
        free(r->entries);
        free(r);
    }
}

// What makes an entry of a later configuration the same one. NULL: no memory.
static char *key_of(const struct rights_entry *e)
{
    struct buf key = BUF_INIT;
    buf_addf(&key, "%d %lu %d %lu %u %s", e->by_user, (unsigned long)e->user, e->by_group,
             (unsigned long)e->group, e->component, e->instance != NULL ? e->instance : "");
    if (buf_string(&key) == NULL) {
        buf_free(&key);
    }
    return key.p;
}

static bool names_account(const struct rights *r, size_t n, uint16_t account)
{
    for (size_t i = 0; r != NULL && i < n; i++) {
        if (r->entries[i].account == account) {
            return true;
        }
    }
    return false;
}

// The account of the key, or a free one (which is given the key), or 0. Takes the key.
static uint16_t account_for(struct rights_book *book, char *key, const struct rights *fresh,
                            size_t n, const _Atomic uint32_t *made)
{
    const struct rights *old = rights_current(book);
    uint16_t spare = 0;
    for (uint16_t i = 1; i < TABLE_PAYERS; i++) {
        struct rights_account *a = &book->at[i];
        if (a->key != NULL && strcmp(a->key, key) == 0) {
            free(key);
            return i;
        }
        bool used = atomic_load(&made[i]) > 0 || atomic_load(&a->connections) > 0 ||
                    atomic_load(&a->unsaid) > 0;
        if (spare == 0 && !used && !names_account(fresh, n, i) &&
            !names_account(old, old != NULL ? old->n : 0, i)) {
            spare = i;
        }
    }
    if (spare == 0) {
        free(key);
        return 0;
    }
    free(book->at[spare].key);
    book->at[spare].key = key;
    atomic_store(&book->at[spare].full_ns, 0);
    return spare;
}

static void make_permit(struct rights_book *book, struct rights_entry *e)
{
    struct permit *p = &e->permit;
    *p = (struct permit){
        .number = FIRST_PERMIT + ++book->permits,
        .name = e->name,
        .metrics = e->metrics,
        .interval_ns = e->events_per_second > 0 ? 1000000000 / e->events_per_second : 0,
        .full_ns = &book->at[e->account].full_ns,
        .payer = e->account,
        .series = e->series,
    };
    for (; p->n_labels < e->n_labels; p->n_labels++) {
        p->labels[p->n_labels] =
            (struct permit_label){e->label_names[p->n_labels], e->label_values[p->n_labels]};
    }
}

int rights_bind(struct rights_book *book, struct rights *r, const _Atomic uint32_t *made)
{
    for (size_t i = 0; i < r->n; i++) {
        char *key = key_of(&r->entries[i]);
        if (key == NULL) {
            return -ENOMEM;
        }
        r->entries[i].account = account_for(book, key, r, i, made);
        if (r->entries[i].account == 0) {
            return -ENOSPC;
        }
    }
    for (size_t i = 0; i < r->n; i++) {
        make_permit(book, &r->entries[i]);
    }
    return 0;
}

struct rights *rights_put(struct rights_book *book, struct rights *r)
{
    r->generation = ++book->generation;
    return atomic_exchange(&book->current, r);
}

void rights_close(struct rights_book *book)
{
    rights_free(atomic_exchange(&book->current, NULL));
    for (size_t i = 0; i < TABLE_PAYERS; i++) {
        free(book->at[i].key);
        book->at[i].key = NULL;
    }
}

static int compare_users(const void *a, const void *b)
{
    uid_t x = *(const uid_t *)a;
    uid_t y = *(const uid_t *)b;
    return x < y ? -1 : x > y;
}

// Of a datagram the kernel tells one group only; then counts who was a member when the config was loaded.
static bool in_group(const struct rights_entry *e, const struct peer *peer)
{
    return peer_in_group(peer, e->group) ||
           (!peer->has_groups && e->n_members > 0 &&
            bsearch(&peer->uid, e->members, e->n_members, sizeof peer->uid, compare_users) != NULL);
}

bool rights_fits(const struct rights_entry *e, const struct peer *peer)
{
    return peer->uid != PEER_NOBODY && (!e->by_user || peer->uid == e->user) &&
           (!e->by_group || in_group(e, peer));
}

const struct rights_entry *rights_next(const struct rights *r, const struct peer *peer, size_t *at)
{
    while (*at < r->n) {
        const struct rights_entry *e = &r->entries[(*at)++];
        if (rights_fits(e, peer)) {
            return e;
        }
    }
    return NULL;
}

const struct rights_entry *rights_find(const struct rights *r, const struct peer *peer,
                                       unsigned component, struct slice instance)
{
    const struct rights_entry *e;
    size_t at = 0;
    while ((e = rights_next(r, peer, &at)) != NULL) {
        if (e->component == component &&
            (e->instance == NULL || (strlen(e->instance) == instance.len &&
                                     memcmp(e->instance, instance.p, instance.len) == 0))) {
            return e;
        }
    }
    return NULL;
}

bool rights_covers(const struct rights_entry *a, const struct rights_entry *b)
{
    return a->component == b->component &&
           (a->instance == NULL ||
            (b->instance != NULL && strcmp(a->instance, b->instance) == 0)) &&
           (!a->by_user || (b->by_user && a->user == b->user)) &&
           (!a->by_group || (b->by_group && a->group == b->group));
}
