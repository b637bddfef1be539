// SPDX-License-Identifier: Apache-2.0
#include "web/login.h"

#include "base/siphash.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct login_try {
    struct login_try *next;
    void *who; // NULL: abandoned; the web thread's
    struct siphash mark;
    bool known; // the user is
    int result;
    char hash[BCRYPT_HASH + 1];
    char password[BCRYPT_PASSWORD_MAX + 1];
};

struct queue {
    struct login_try *head;
    struct login_try **tail;
};

struct login {
    // Of the web thread.
    uint64_t key[2];
    struct siphash good[LOGIN_REMEMBERED];
    size_t n_good;  // so far; the oldest is replaced
    size_t waiting; // tries that there are
    bool started;
    pthread_t thread;

    pthread_mutex_t lock; // of what follows
    pthread_cond_t more;
    struct queue asked;
    struct queue done;
    bool busy; // a try is under way
    bool ended;
    void (*wake)(void *ctx);
    void *ctx;
};

static void queue_init(struct queue *q)
{
    q->head = NULL;
    q->tail = &q->head;
}

static void queue_put(struct queue *q, struct login_try *t)
{
    t->next = NULL;
    *q->tail = t;
    q->tail = &t->next;
}

static struct login_try *queue_take(struct queue *q)
{
    struct login_try *t = q->head;
    if (t != NULL) {
        q->head = t->next;
        if (q->head == NULL) {
            q->tail = &q->head;
        }
    }
    return t;
}

static void try_free(struct login_try *t)
{
    explicit_bzero(t, sizeof *t);
    free(t);
}

static void destroy(struct login *l)
{
    for (struct login_try *t; (t = queue_take(&l->asked)) != NULL;) {
        try_free(t);
    }
    for (struct login_try *t; (t = queue_take(&l->done)) != NULL;) {
        try_free(t);
    }
    pthread_cond_destroy(&l->more);
    pthread_mutex_destroy(&l->lock);
    explicit_bzero(l->key, sizeof l->key);
    free(l);
}

int login_new(struct login **ret, void (*wake)(void *ctx), void *ctx)
{
    struct login *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return -ENOMEM;
    }
    if (getrandom(l->key, sizeof l->key, 0) != (ssize_t)sizeof l->key) {
        free(l);
        return -EIO;
    }
    l->wake = wake;
    l->ctx = ctx;
    queue_init(&l->asked);
    queue_init(&l->done);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->more, NULL);
    *ret = l;
    return 0;
}

// Tries what was asked, until the end. Returns whether somebody waits for this thread.
static bool work(struct login *l)
{
    pthread_mutex_lock(&l->lock);
    while (!l->ended) {
        struct login_try *t = queue_take(&l->asked);
        if (t == NULL) {
            pthread_cond_wait(&l->more, &l->lock);
            continue;
        }
        l->busy = true;
        pthread_mutex_unlock(&l->lock);
        int result = bcrypt_try(t->hash, t->password);
        explicit_bzero(t->password, sizeof t->password);
        pthread_mutex_lock(&l->lock);
        t->result = result == 1 && !t->known ? 0 : result;
        queue_put(&l->done, t);
        if (l->ended) {
            break;
        }
        l->busy = false;
        l->wake(l->ctx);
    }
    bool joined = !l->busy;
    pthread_mutex_unlock(&l->lock);
    return joined;
}

static void *thread_main(void *arg)
{
    struct login *l = arg;
    if (!work(l)) {
        destroy(l);
    }
    return NULL;
}

static bool start(struct login *l)
{
    if (!l->started) {
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        l->started = pthread_create(&l->thread, NULL, thread_main, l) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (l->started) {
            pthread_setname_np(l->thread, "login");
        }
    }
    return l->started;
}

static struct siphash mark_of(const struct login *l, const char *user, const char *hash,
                              const char *password)
{
    // Each part ends with its NUL, so that no two lists of parts read the same.
    char text[BASIC_USER_MAX + 1 + BCRYPT_HASH + 1 + BCRYPT_PASSWORD_MAX + 1];
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

static const struct webconf_user *find(const struct login *l, const struct webconf *conf,
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

static bool is_remembered(const struct login *l, const struct siphash *mark)
{
    size_t n = l->n_good < LOGIN_REMEMBERED ? l->n_good : LOGIN_REMEMBERED;
    for (size_t i = 0; i < n; i++) {
        if (l->good[i].word[0] == mark->word[0] && l->good[i].word[1] == mark->word[1]) {
            return true;
        }
    }
    return false;
}

enum login_answer login_ask(struct login *l, const struct webconf *conf, const struct basic *b,
                            void *who, struct login_try **ret)
{
    bool known;
    const struct webconf_user *user = find(l, conf, b->user, &known);
    struct siphash mark = mark_of(l, b->user, user->hash, b->password);
    if (known && is_remembered(l, &mark)) {
        return LOGIN_GOOD;
    }
    if (l->waiting >= LOGIN_WAITING) {
        return LOGIN_BUSY;
    }
    struct login_try *t = start(l) ? calloc(1, sizeof *t) : NULL;
    if (t == NULL) {
        return LOGIN_FAILED;
    }
    t->who = who;
    t->mark = mark;
    t->known = known;
    strcpy(t->hash, user->hash);
    strcpy(t->password, b->password);
    l->waiting++;
    pthread_mutex_lock(&l->lock);
    queue_put(&l->asked, t);
    pthread_cond_signal(&l->more);
    pthread_mutex_unlock(&l->lock);
    *ret = t;
    return LOGIN_WAITS;
}

void login_abandon(struct login_try *t)
{
    t->who = NULL;
}

bool login_next(struct login *l, void **ret_who, int *ret)
{
    for (;;) {
        pthread_mutex_lock(&l->lock);
        struct login_try *t = queue_take(&l->done);
        pthread_mutex_unlock(&l->lock);
        if (t == NULL) {
            return false;
        }
        l->waiting--;
        if (t->result == 1 && !is_remembered(l, &t->mark)) {
            l->good[l->n_good++ % LOGIN_REMEMBERED] = t->mark;
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

void login_free(struct login *l)
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
