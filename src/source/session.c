// SPDX-License-Identifier: Apache-2.0
#include "source/session.h"

#include "base/invariant.h"
#include "series/key.h"
#include "source/peer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct sessions {
    uint32_t n;
    struct arena *arena;
    char *base;
    pthread_mutex_t lock; // of what follows
    uint32_t known;
    struct holder_counts kept;
    struct session *entries;
    uint64_t *hashes; // of each entry; 0: none. Side by side, since all are looked through
};

int sessions_new(struct sessions **ret, uint32_t limit, struct arena *arena)
{
    struct sessions *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return -ENOMEM;
    }
    s->n = limit;
    s->arena = arena;
    s->base = arena_base(arena);
    s->entries = calloc(limit + 1, sizeof *s->entries);
    s->hashes = calloc(limit + 1, sizeof *s->hashes);
    if (s->entries == NULL || s->hashes == NULL || pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s->entries);
        free(s->hashes);
        free(s);
        return -ENOMEM;
    }
    *ret = s;
    return 0;
}

void sessions_free(struct sessions *s)
{
    if (s != NULL) {
        pthread_mutex_destroy(&s->lock);
        free(s->entries);
        free(s->hashes);
        free(s);
    }
}

static void add(struct session_name *n, const void *bytes, size_t len)
{
    if (len > 0) {
        memcpy(n->bytes + n->len, bytes, len);
        n->len += len;
    }
}

static void hash_name(struct session_name *n)
{
    uint64_t hash = key_hash(n->bytes, n->len);
    n->hash = hash != 0 ? hash : 1;
}

// User and lengths go first, so that no two names read the same; the ID goes last.
void session_name(struct session_name *ret, uid_t uid, struct slice component,
                  struct slice instance, struct slice id)
{
    uint32_t head[] = {(uint32_t)uid, (uint32_t)component.len, (uint32_t)instance.len};
    ret->len = 0;
    add(ret, head, sizeof head);
    add(ret, component.p, component.len);
    add(ret, instance.p, instance.len);
    add(ret, id.p, id.len);
    hash_name(ret);
}

bool session_has_id(const struct session *e, struct slice id)
{
    uint32_t head[3];
    const char *name = record_text(e->record);
    memcpy(head, name, sizeof head);
    size_t at = sizeof head + head[1] + head[2];
    return e->record->text_len - at == id.len && memcmp(name + at, id.p, id.len) == 0;
}

static bool is_named(const struct session *e, const struct session_name *name)
{
    return e->record->text_len == name->len &&
           memcmp(record_text(e->record), name->bytes, name->len) == 0;
}

// Under the lock: the session of that name, with one more user.
static struct session *find(struct sessions *s, const struct session_name *name)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->hashes[i] == name->hash && is_named(&s->entries[i], name)) {
            s->entries[i].users++;
            return &s->entries[i];
        }
    }
    return NULL;
}

struct session *session_find(struct sessions *s, const struct session_name *name)
{
    pthread_mutex_lock(&s->lock);
    struct session *e = find(s, name);
    pthread_mutex_unlock(&s->lock);
    return e;
}

static uint32_t handle_of(const struct sessions *s, const struct session *e)
{
    return arena_handle(s->base, e->record);
}

static void forget_session(struct sessions *s, struct session *e)
{
    invariant(e->users == 0, "a session that is forgotten has no connection");
    invariant(s->known > 0, "a session that is forgotten was known");
    if (!e->lost) {
        record_free(s->arena, handle_of(s, e), 0);
    }
    e->record = NULL;
    s->hashes[e - s->entries] = 0;
    holder_count(&s->kept, &e->holder, -1);
    s->known--;
}

static bool is_idle(const struct session *e)
{
    return e->record != NULL && e->users == 0;
}

static int64_t heard(const struct session *e)
{
    return (int64_t)atomic_load_explicit(&e->heard_ms, memory_order_relaxed);
}

// Makes sure that one more may be known for the holder. Returns 0, -ENOSPC, -EDQUOT.
static int make_room(struct sessions *s, const struct holder *holder)
{
    bool has_room = s->known < s->n;
    if (has_room && holder->most == 0) {
        return 0;
    }
    struct holder_choice choice = {.asking = holder, .counts = &s->kept};
    for (uint32_t i = 0; i < s->n; i++) {
        struct session *e = &s->entries[i];
        if (e->record != NULL) {
            holder_offer(&choice, &e->holder, is_idle(e), heard(e), e);
        }
    }
    void *chosen;
    int rc = holder_choose(&choice, has_room, &chosen);
    if (chosen != NULL) {
        forget_session(s, chosen);
    }
    return rc;
}

static struct record *make_record(struct sessions *s, struct arena_writer *writer,
                                  const struct session_name *name, uint64_t now_real_ms,
                                  bool rolled_back)
{
    struct record_spec spec = {
        .kind = RECORD_SESSION,
        .flags = rolled_back ? SESSION_ROLLED_BACK : 0,
        .payload = sizeof(struct session_saved),
        .created_ms = now_real_ms,
        .text = name->bytes,
        .text_len = name->len,
    };
    uint32_t handle = record_new(s->arena, writer, &spec);
    if (handle == 0) {
        return NULL;
    }
    struct record *r = record_at(s->base, handle);
    atomic_init(&((struct session_saved *)record_payload(r))->heard_ms, now_real_ms);
    record_persist(s->base, handle);
    return r;
}

// A free entry; there is one.
static struct session *find_free(struct sessions *s)
{
    struct session *e = s->entries;
    while (e->record != NULL) {
        e++;
    }
    invariant(e < s->entries + s->n,
              "there is a free entry while fewer sessions are known than may be");
    return e;
}

static int make(struct sessions *s, struct arena_writer *writer, const struct session_name *name,
                const struct holder *holder, uint64_t now_ms, uint64_t now_real_ms,
                bool rolled_back, struct session **ret)
{
    int rc = make_room(s, holder);
    struct record *record = rc < 0 ? NULL : make_record(s, writer, name, now_real_ms, rolled_back);
    if (record == NULL) {
        return rc < 0 ? rc : -ENOMEM;
    }
    struct session *e = find_free(s);
    e->record = record;
    e->users = 1;
    e->current = 0;
    e->holder = *holder;
    e->lost = false;
    atomic_store(&e->latest, 0);
    atomic_store(&e->heard_ms, now_ms);
    s->hashes[e - s->entries] = name->hash;
    holder_count(&s->kept, holder, 1);
    s->known++;
    *ret = e;
    return 0;
}

static int find_or_make(struct sessions *s, struct arena_writer *writer,
                        const struct session_name *name, const struct holder *holder,
                        uint64_t now_ms, uint64_t now_real_ms, bool rolled_back,
                        struct session **ret)
{
    pthread_mutex_lock(&s->lock);
    struct session *e = find(s, name);
    int rc = e != NULL ? 1 : make(s, writer, name, holder, now_ms, now_real_ms, rolled_back, &e);
    if (rc >= 0) {
        *ret = e;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int session_make(struct sessions *s, struct arena_writer *writer, const struct session_name *name,
                 const struct holder *holder, uint64_t now_ms, uint64_t now_real_ms,
                 struct session **ret)
{
    return find_or_make(s, writer, name, holder, now_ms, now_real_ms, false, ret);
}

// ---- Which of its connections has a session

enum { WORKER_BITS = 8 }; // of a takeover; above them its number

static int worker_of(uint64_t takeover)
{
    return takeover & ((1u << WORKER_BITS) - 1);
}

uint64_t session_take_over(struct sessions *s, struct session *e, unsigned worker, int *ret_wake)
{
    *ret_wake = SESSION_NO_WORKER;
    pthread_mutex_lock(&s->lock);
    uint64_t before = atomic_load(&e->latest);
    uint64_t takeover = ((before >> WORKER_BITS) + 1) << WORKER_BITS | worker;
    atomic_store(&e->latest, takeover);
    // The connection of the previous takeover may still wait for it, and is to stop.
    if (before != 0 && e->users > 1) {
        *ret_wake = worker_of(before);
    }
    pthread_mutex_unlock(&s->lock);
    return takeover;
}

enum session_access session_acquire(struct sessions *s, struct session *e, uint64_t takeover,
                                    int *ret_wake)
{
    *ret_wake = SESSION_NO_WORKER;
    enum session_access access = SESSION_ACQUIRED;
    pthread_mutex_lock(&s->lock);
    if (atomic_load(&e->latest) != takeover) {
        access = SESSION_TAKEN_OVER;
    } else if (e->current != 0 && e->current != takeover) {
        *ret_wake = worker_of(e->current);
        access = SESSION_BUSY;
    } else {
        e->current = takeover;
    }
    pthread_mutex_unlock(&s->lock);
    return access;
}

void session_heard(struct session *e, uint64_t now_ms, uint64_t now_real_ms)
{
    atomic_store_explicit(&e->heard_ms, now_ms, memory_order_relaxed);
    atomic_store_explicit(&session_saved(e)->heard_ms, now_real_ms, memory_order_relaxed);
}

int session_leave(struct sessions *s, struct session *e, uint64_t takeover)
{
    int wake = SESSION_NO_WORKER;
    pthread_mutex_lock(&s->lock);
    if (takeover != 0 && e->current == takeover) {
        e->current = 0;
        uint64_t latest = atomic_load(&e->latest);
        if (latest != takeover) {
            wake = worker_of(latest); // who waits for it
        }
    }
    invariant(e->users > 0, "a connection leaves only its own session");
    e->users--;
    pthread_mutex_unlock(&s->lock);
    return wake;
}

// ---- Restart, repair, time

// Makes room for one that was heard then; one that was silent for longer goes. Returns whether there is.
static bool make_room_since(struct sessions *s, int64_t heard_ms)
{
    struct session *oldest = NULL;
    for (uint32_t i = 0; s->known == s->n && i < s->n; i++) {
        struct session *e = &s->entries[i];
        if (is_idle(e) && heard(e) < (oldest == NULL ? heard_ms : heard(oldest))) {
            oldest = e;
        }
    }
    if (oldest != NULL) {
        forget_session(s, oldest);
    }
    return s->known < s->n;
}

// A session of an earlier process has no connection yet. One that was rolled back once stays so, since its client may
// not have read that.
static void restore_session(struct sessions *s, struct arena_writer *writer, const struct record *r,
                            bool behind, uint64_t now_ms, uint64_t now_real_ms)
{
    struct session_name name;
    const struct session_saved *saved = record_payload(r);
    uint32_t head[3];
    if (r->payload != sizeof *saved || r->text_len < sizeof head ||
        r->text_len > sizeof name.bytes) {
        return;
    }
    memcpy(head, record_text(r), sizeof head);
    if ((uint64_t)head[1] + head[2] > r->text_len - sizeof head) {
        return;
    }
    name.len = 0;
    add(&name, record_text(r), r->text_len);
    hash_name(&name);
    uint64_t idle_ms = now_real_ms - atomic_load_explicit(&saved->heard_ms, memory_order_relaxed);
    idle_ms = (int64_t)idle_ms < 0 ? 0 : idle_ms; // the clock was set back
    if (idle_ms >= SESSION_FORGOTTEN_MS || !make_room_since(s, (int64_t)(now_ms - idle_ms))) {
        return;
    }
    // Its name has its user; which role that falls under is known when it comes back.
    struct holder holder = {.user = head[0]};
    uint64_t position = atomic_load_explicit(&r->word, memory_order_relaxed);
    bool rolled_back = behind || (r->flags & SESSION_ROLLED_BACK) != 0;
    struct session *e;
    if (rolled_back && position == 0) { // as good as new
        return;
    }
    if (find_or_make(s, writer, &name, &holder, now_ms - idle_ms, now_real_ms - idle_ms,
                     rolled_back, &e) < 0) {
        return;
    }
    if (position >= session_position(e)) {
        atomic_store(&e->record->word, position);
        atomic_store(&session_saved(e)->lost, atomic_load(&saved->lost));
    }
    session_leave(s, e, 0);
}

void sessions_restore(struct sessions *s, struct arena_writer *writer,
                      const struct record_image *image, uint64_t now_ms, uint64_t now_real_ms)
{
    size_t at = 0;
    for (uint32_t handle; (handle = record_next(image, RECORD_SESSION, &at)) != 0;) {
        restore_session(s, writer, record_at(image->base, handle), image->behind, now_ms,
                        now_real_ms);
    }
}

bool sessions_repair(struct sessions *s, bool all)
{
    bool any = false;
    int wake;
    for (uint32_t i = 0; i < s->n; i++) {
        struct session *e = &s->entries[i];
        bool whole = e->record != NULL && record_is_whole(s->base, handle_of(s, e));
        if (e->record != NULL && (all || !whole)) {
            e->lost = !whole;
            record_withdraw(s->base, handle_of(s, e));
            s->hashes[i] = 1; // no name's, and the entry is not free
            e->users++;
            session_leave(s, e, session_take_over(s, e, 0, &wake));
            any = true;
            atomic_store(&e->heard_ms, (uint64_t)-SESSION_FORGOTTEN_MS); // the next tick takes it
        }
    }
    return any;
}

void sessions_tick(struct sessions *s, uint64_t now_ms)
{
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->n; i++) {
        struct session *e = &s->entries[i];
        if (is_idle(e) && (int64_t)now_ms - heard(e) >= (int64_t)SESSION_FORGOTTEN_MS) {
            forget_session(s, e);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

uint32_t sessions_known(struct sessions *s)
{
    pthread_mutex_lock(&s->lock);
    uint32_t known = s->known;
    pthread_mutex_unlock(&s->lock);
    return known;
}
