// SPDX-License-Identifier: Apache-2.0
#include "web/auth.h"

#include "base/clock.h"
#include "base/siphash.h"
#include "web/conn.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>

// ---- Passwords

struct auth_attempt {
    struct auth_attempt *next;
    void *who; // NULL: abandoned; the web thread's
    struct auth_verifier *owner;
    bool begun;          // is no more in `asked`
    uint64_t user;       // numbers for whose try it is
    uint64_t peer;       // and, as that user, from where
    uint64_t user_tried; // which try of these was the last one
    uint64_t peer_tried;
    struct siphash mark;
    bool known; // the user is
    int result;
    char hash[CREDENTIALS_HASH + 1];
    char password[CREDENTIALS_PASSWORD_MAX + 1];
};

struct queue {
    struct auth_attempt *head;
    struct auth_attempt **tail;
};

// When a user or peer was tried last, as long as no other one has taken the slot.
struct last_attempt {
    uint64_t whose;
    uint64_t tried; // 0: never
    bool newest;    // of a user: the newest peer that was never tried is next, and not the oldest
};

struct auth_verifier {
    // Of the web thread.
    uint64_t key[2];
    struct siphash good[AUTH_CACHED];
    size_t n_good;  // so far; the oldest is replaced
    size_t waiting; // tries that there are
    bool started;
    pthread_t thread;

    pthread_mutex_t lock; // of what follows
    pthread_cond_t more;
    struct queue asked;
    struct queue done;
    uint64_t tried;                       // so far
    struct last_attempt user[AUTH_SLOTS]; // of them the last of a user
    struct last_attempt peer[AUTH_SLOTS]; // and of a peer as that user
    bool busy;                            // a try is under way
    bool ended;
    int wake; // eventfd
};

static void queue_init(struct queue *q)
{
    q->head = NULL;
    q->tail = &q->head;
}

static void queue_put(struct queue *q, struct auth_attempt *t)
{
    t->next = NULL;
    *q->tail = t;
    q->tail = &t->next;
}

static struct auth_attempt *queue_take(struct queue *q)
{
    struct auth_attempt *t = q->head;
    if (t != NULL) {
        q->head = t->next;
        if (q->head == NULL) {
            q->tail = &q->head;
        }
    }
    return t;
}

// Removes one that is in the queue.
static void queue_remove(struct queue *q, struct auth_attempt *t)
{
    struct auth_attempt **at = &q->head;
    while (*at != t) {
        at = &(*at)->next;
    }
    *at = t->next;
    if (q->tail == &t->next) {
        q->tail = at;
    }
}

static struct last_attempt *last_attempt_of(struct last_attempt *slots, uint64_t whose)
{
    struct last_attempt *t = &slots[whose % AUTH_SLOTS];
    if (t->whose != whose) {
        *t = (struct last_attempt){.whose = whose};
    }
    return t;
}

// Two of the same user that were never tried: alternately the newest peer and the oldest one. So one that comes behind many
// need not wait for all of it, nor one that came before.
static bool is_newer(const struct auth_verifier *l, const struct auth_attempt *a,
                     const struct auth_attempt *b)
{
    const struct last_attempt *user = &l->user[a->user % AUTH_SLOTS];
    return a->user == b->user && a->peer != b->peer && a->peer_tried == 0 && b->peer_tried == 0 &&
           user->whose == a->user && user->newest;
}

static bool is_before(const struct auth_verifier *l, const struct auth_attempt *a,
                      const struct auth_attempt *b)
{
    return a->user_tried < b->user_tried ||
           (a->user_tried == b->user_tried && (a->peer_tried < b->peer_tried || is_newer(l, a, b)));
}

// Two that share a slot take it from each other, and count as never tried; an attempt that waits has its own copy.
static void put(struct auth_verifier *l, struct auth_attempt *t)
{
    t->user_tried = last_attempt_of(l->user, t->user)->tried;
    t->peer_tried = last_attempt_of(l->peer, t->peer)->tried;
    queue_put(&l->asked, t);
}

// Takes the next one, or NULL.
static struct auth_attempt *take_next(struct auth_verifier *l)
{
    struct auth_attempt *next = l->asked.head;
    for (struct auth_attempt *t = next; t != NULL; t = t->next) {
        next = is_before(l, t, next) ? t : next;
    }
    if (next == NULL) {
        return NULL;
    }
    queue_remove(&l->asked, next);
    next->begun = true;
    l->tried++;
    struct last_attempt *user = last_attempt_of(l->user, next->user);
    user->newest = !user->newest;
    user->tried = last_attempt_of(l->peer, next->peer)->tried = l->tried;
    for (struct auth_attempt *t = l->asked.head; t != NULL; t = t->next) {
        t->user_tried = t->user == next->user ? l->tried : t->user_tried;
        t->peer_tried = t->peer == next->peer ? l->tried : t->peer_tried;
    }
    return next;
}

static void try_free(struct auth_attempt *t)
{
    explicit_bzero(t, sizeof *t);
    free(t);
}

static void destroy(struct auth_verifier *l)
{
    for (struct auth_attempt *t; (t = queue_take(&l->asked)) != NULL;) {
        try_free(t);
    }
    for (struct auth_attempt *t; (t = queue_take(&l->done)) != NULL;) {
        try_free(t);
    }
    pthread_cond_destroy(&l->more);
    pthread_mutex_destroy(&l->lock);
    explicit_bzero(l->key, sizeof l->key);
    free(l);
}

int auth_verifier_new(struct auth_verifier **ret, int wake)
{
    struct auth_verifier *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return -ENOMEM;
    }
    if (getrandom(l->key, sizeof l->key, 0) != (ssize_t)sizeof l->key) {
        free(l);
        return -EIO;
    }
    l->wake = wake;
    queue_init(&l->asked);
    queue_init(&l->done);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->more, NULL);
    *ret = l;
    return 0;
}

// Tries passwords until the end. Returns whether another thread joins this one.
static bool work(struct auth_verifier *l)
{
    pthread_mutex_lock(&l->lock);
    while (!l->ended) {
        struct auth_attempt *t = take_next(l);
        if (t == NULL) {
            pthread_cond_wait(&l->more, &l->lock);
            continue;
        }
        l->busy = true;
        pthread_mutex_unlock(&l->lock);
        int result = credentials_try(t->hash, t->password);
        explicit_bzero(t->password, sizeof t->password);
        pthread_mutex_lock(&l->lock);
        t->result = result == 1 && !t->known ? 0 : result;
        queue_put(&l->done, t);
        if (l->ended) {
            break;
        }
        l->busy = false;
        eventfd_write(l->wake, 1);
    }
    bool joined = !l->busy;
    pthread_mutex_unlock(&l->lock);
    return joined;
}

static void *thread_main(void *arg)
{
    struct auth_verifier *l = arg;
    if (!work(l)) {
        destroy(l);
    }
    return NULL;
}

static bool start(struct auth_verifier *l)
{
    if (!l->started) {
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        l->started = pthread_create(&l->thread, NULL, thread_main, l) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (l->started) {
            pthread_setname_np(l->thread, "auth");
        }
    }
    return l->started;
}

static struct siphash mark_of(const struct auth_verifier *l, const char *user, const char *hash,
                              const char *password)
{
    // Each part ends with its NUL, so that no two lists of parts read the same.
    char text[CREDENTIALS_USER_MAX + 1 + CREDENTIALS_HASH + 1 + CREDENTIALS_PASSWORD_MAX + 1];
    size_t n = 0;
    const char *const parts[] = {user, hash, password};
    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(parts[i]) + 1;
        memcpy(text + n, parts[i], len);
        n += len;
    }
    struct siphash mark = siphash(l->key, text, n);
    explicit_bzero(text, sizeof text);
    return mark;
}

static const struct webconf_user *find(const struct auth_verifier *l, const struct webconf *conf,
                                       const char *name, bool *ret_known)
{
    for (size_t i = 0; i < conf->n_users; i++) {
        if (strcmp(conf->users[i].name, name) == 0) {
            *ret_known = true;
            return &conf->users[i];
        }
    }
    *ret_known = false;
    return &conf->users[siphash(l->key, name, strlen(name)).word[0] % conf->n_users];
}

static bool is_cached(const struct auth_verifier *l, const struct siphash *mark)
{
    size_t n = l->n_good < AUTH_CACHED ? l->n_good : AUTH_CACHED;
    for (size_t i = 0; i < n; i++) {
        if (l->good[i].word[0] == mark->word[0] && l->good[i].word[1] == mark->word[1]) {
            return true;
        }
    }
    return false;
}

// Returns whether its password is cached as good.
static bool try_fill(struct auth_verifier *l, struct auth_attempt *t, const struct webconf *conf,
                     const struct credentials *b, uint64_t peer)
{
    const struct webconf_user *user = find(l, conf, b->user, &t->known);
    // Unknown users are tried against the hash of a known one, and do not count as that user.
    const char *name = t->known ? user->name : "";
    uint64_t key[2] = {t->known ? siphash(l->key, name, strlen(name)).word[0] | 1 : 0, peer};
    t->user = key[0];
    t->peer = siphash(l->key, key, sizeof key).word[0];
    t->owner = l;
    t->mark = mark_of(l, b->user, user->hash, b->password);
    strcpy(t->hash, user->hash);
    strcpy(t->password, b->password);
    return t->known && is_cached(l, &t->mark);
}

enum auth_verification auth_verify(struct auth_verifier *l, const struct webconf *conf,
                                   const struct credentials *b, uint64_t peer, void *who,
                                   struct auth_attempt **ret)
{
    struct auth_attempt *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return AUTH_ERROR;
    }
    bool good = try_fill(l, t, conf, b, peer);
    if (good || l->waiting >= AUTH_ATTEMPTS_MAX || !start(l)) {
        try_free(t);
        return good ? AUTH_VERIFIED : l->waiting >= AUTH_ATTEMPTS_MAX ? AUTH_BUSY : AUTH_ERROR;
    }
    t->who = who;
    l->waiting++;
    pthread_mutex_lock(&l->lock);
    put(l, t);
    pthread_cond_signal(&l->more);
    pthread_mutex_unlock(&l->lock);
    *ret = t;
    return AUTH_PENDING;
}

void auth_abandon(struct auth_attempt *t)
{
    struct auth_verifier *l = t->owner;
    t->who = NULL;
    pthread_mutex_lock(&l->lock);
    bool begun = t->begun;
    if (!begun) {
        queue_remove(&l->asked, t);
    }
    pthread_mutex_unlock(&l->lock);
    if (!begun) {
        l->waiting--;
        try_free(t);
    }
}

bool auth_next_result(struct auth_verifier *l, void **ret_who, int *ret)
{
    for (;;) {
        pthread_mutex_lock(&l->lock);
        struct auth_attempt *t = queue_take(&l->done);
        pthread_mutex_unlock(&l->lock);
        if (t == NULL) {
            return false;
        }
        l->waiting--;
        if (t->result == 1 && !is_cached(l, &t->mark)) {
            l->good[l->n_good++ % AUTH_CACHED] = t->mark;
        }
        void *who = t->who;
        int result = t->result;
        try_free(t);
        if (who != NULL) {
            *ret_who = who;
            *ret = result;
            return true;
        }
    }
}

void auth_verifier_free(struct auth_verifier *l)
{
    if (l == NULL) {
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->ended = true;
    bool busy = l->busy;
    pthread_t thread = l->thread;
    bool started = l->started;
    pthread_cond_signal(&l->more);
    pthread_mutex_unlock(&l->lock);
    if (started && busy) {
        pthread_detach(thread);
        return;
    }
    if (started) {
        pthread_join(thread, NULL);
    }
    destroy(l);
}

// ---- Requests

static const struct conn_reply too_many = {
    .status = MHD_HTTP_TOO_MANY_REQUESTS, .text = "Too Many Requests\n", .bare = true};
static const struct conn_reply unauthorized = {
    .status = MHD_HTTP_UNAUTHORIZED, .text = "Unauthorized\n", .authenticate = true};
static const struct conn_reply too_many_tries = {.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                                                 .text = "too many passwords are being tried\n",
                                                 .retry_later = true};
static const struct conn_reply no_memory = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR,
                                            .text = "out of memory\n"};

static enum auth_result answer(struct auth *g, struct conn *c, const struct conn_reply *r)
{
    return conn_reply(g->conns, c, r) == 0 ? AUTH_ANSWERED : AUTH_FAILED;
}

static enum auth_result authenticate(struct auth *g, struct conn *c)
{
    struct credentials basic;
    if (c->authorization == NULL || !credentials_read(&basic, c->authorization)) {
        return answer(g, c, &unauthorized);
    }
    c->user = conn_user_id(g->conns->key, basic.user);
    enum auth_verification a =
        auth_verify(g->verifier, g->conns->conf, &basic, c->peer, c, &c->attempt);
    credentials_wipe(&basic);
    switch (a) {
    case AUTH_VERIFIED:
        c->authenticated = true;
        return AUTH_ALLOWED;
    case AUTH_PENDING:
        MHD_suspend_connection(c->mhd);
        c->suspended = true;
        conn_move(g->conns, c, CONN_AUTH);
        return AUTH_ANSWERED;
    case AUTH_BUSY:
        return answer(g, c, &too_many_tries);
    default:
        return answer(g, c, &no_memory);
    }
}

enum auth_result auth_check(struct auth *g, struct conn *c)
{
    const struct webconf *conf = g->conns->conf;
    if (c->authenticated) {
        return AUTH_ALLOWED;
    }
    if (conf->interval_ns > 0 && !rate_limit_take(&g->rate, clock_mono_ns(), conf->interval_ns,
                                                  conf->burst * conf->interval_ns)) {
        return answer(g, c, &too_many);
    }
    return conf->n_users > 0 ? authenticate(g, c) : AUTH_ALLOWED;
}

void auth_serve(struct auth *g)
{
    void *who;
    int result;
    while (auth_next_result(g->verifier, &who, &result)) {
        struct conn *c = who;
        c->attempt = NULL;
        if (c->state != CONN_AUTH) {
            continue;
        }
        if (result == 1) {
            // libmicrohttpd asks once more.
            c->authenticated = true;
            conn_move(g->conns, c, CONN_HEAD);
            conn_resume(g->conns, c);
        } else {
            conn_reply(g->conns, c, result == 0 ? &unauthorized : &no_memory);
        }
    }
    struct conn_list *waiting = &g->conns->list[CONN_AUTH];
    while (waiting->head != NULL && g->conns->now_ms - waiting->head->since_ms >= AUTH_WAIT_MS) {
        struct conn *c = waiting->head;
        auth_cancel(c);
        conn_reply(g->conns, c, &too_many_tries);
    }
}

void auth_cancel(struct conn *c)
{
    if (c->attempt != NULL) {
        auth_abandon(c->attempt);
        c->attempt = NULL;
    }
}
