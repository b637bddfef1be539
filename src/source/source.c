// SPDX-License-Identifier: Apache-2.0
#include "source/source.h"

#include "base/clock.h"
#include "base/invariant.h"
#include "base/rcu.h"
#include "series/idset.h"
#include "series/key.h"
#include "source/owner.h"
#include "source/peer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum source_state {
    SOURCE_FREE,
    SOURCE_KNOWN,
    SOURCE_AWAY, // gave way, and can be known again under its name
    SOURCE_GOING // its ids are being taken out of all series
};
enum lease_state {
    LEASE_FREE,
    LEASE_USED,
    LEASE_GONE,
    LEASE_ENDING // its id is being taken out of all series
};

struct sources {
    uint32_t n;                // entries; the first CATALOG_MAX_COMPONENTS are the anonymous ones
    uint32_t limit;            // of `known`
    uint32_t spare;            // entries besides
    pthread_mutex_t lock;      // of what follows, and of what in the entries is not atomic
    _Atomic uint32_t used;     // entries from here on were never used; any thread
    uint32_t known;            // named sources that are SOURCE_KNOWN
    uint32_t away;             // that are SOURCE_AWAY
    uint64_t births;           // sources that ever were
    struct holder_counts kept; // of `known`
    struct holder_counts gone; // of `away`
    struct source *entries;
    uint64_t *
        hashes; // of component and instance of each entry. Side by side, since all are looked through
    uint64_t *ending;           // the tick's: bits of the ids that are being taken out
    uint32_t n_going_away;      // the tick's: of `away`, that it is letting go
    uint64_t tick_ms;           // the tick's: when it looked last
    uint64_t clock_ms;          // the tick's: the same, though lines may wait in sockets
    struct series_store *store; // where records are stored; NULL: nowhere
};

static uint32_t lease_id(const struct sources *s, const struct source *src, unsigned lease)
{
    return OWNER_ID_KINDS * s->n + 1 + (uint32_t)(src - s->entries) * SOURCE_LEASES + lease;
}

static struct lease *lease_of(const struct sources *s, uint32_t id)
{
    uint32_t i = id - OWNER_ID_KINDS * s->n - 1;
    return &s->entries[i / SOURCE_LEASES].leases[i % SOURCE_LEASES];
}

enum { SPARE = 1024 }; // entries at least, for sources that are away

static uint32_t entries(uint32_t limit)
{
    return 2 * limit + SPARE + CATALOG_MAX_COMPONENTS;
}

uint32_t sources_lease_from(uint32_t limit)
{
    return OWNER_ID_KINDS * entries(limit) + 1;
}

uint32_t sources_max_id(uint32_t limit)
{
    return (OWNER_ID_KINDS + SOURCE_LEASES) * entries(limit);
}

static size_t ending_bytes(const struct sources *s)
{
    return (sources_max_id(s->limit) / 64 + 1) * sizeof *s->ending;
}

uint32_t source_updater_id(const struct sources *s, const struct source *src)
{
    return (uint32_t)(src - s->entries) + 1;
}

uint32_t source_namer_id(const struct sources *s, const struct source *src)
{
    return s->n + (uint32_t)(src - s->entries) + 1;
}

uint32_t source_precreator_id(const struct sources *s, const struct source *src)
{
    return 2 * s->n + (uint32_t)(src - s->entries) + 1;
}

uint32_t source_first_lease(const struct sources *s, const struct source *src)
{
    return lease_id(s, src, 0);
}

uint32_t sources_entries(const struct sources *s)
{
    return s->n;
}

int sources_new(struct sources **ret, uint32_t limit)
{
    struct sources *s = calloc(1, sizeof *s);
    if (s == NULL || pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return -ENOMEM;
    }
    s->limit = limit;
    s->spare = limit + SPARE;
    s->n = entries(limit);
    s->entries = calloc(s->n, sizeof *s->entries);
    s->ending = calloc(1, ending_bytes(s));
    s->hashes = calloc(s->n, sizeof *s->hashes);
    if (s->entries == NULL || s->hashes == NULL || s->ending == NULL) {
        sources_free(s);
        return -ENOMEM;
    }
    atomic_store(&s->used, CATALOG_MAX_COMPONENTS);
    for (unsigned i = 0; i < CATALOG_MAX_COMPONENTS; i++) {
        s->entries[i].component = i;
        atomic_init(&s->entries[i].state, SOURCE_KNOWN);
    }
    *ret = s;
    return 0;
}

void sources_free(struct sources *s)
{
    if (s != NULL) {
        pthread_mutex_destroy(&s->lock);
        free(s->entries);
        free(s->ending);
        free(s->hashes);
        free(s);
    }
}

static bool is_named(const struct source *src, unsigned component, struct slice instance)
{
    return src->component == component && src->instance_len == instance.len &&
           memcmp(src->instance, instance.p, instance.len) == 0;
}

static uint64_t hash_of(unsigned component, struct slice instance)
{
    return key_hash(instance.p, instance.len) * 31 + component + 1;
}

static bool is_anonymous(const struct source *src)
{
    return src->instance_len == 0;
}

// The entry of a named source that is known or away, or NULL.
static struct source *find_source(struct sources *s, unsigned component, struct slice instance)
{
    uint64_t hash = hash_of(component, instance);
    uint32_t used = atomic_load(&s->used);
    for (uint32_t i = CATALOG_MAX_COMPONENTS; i < used; i++) {
        if (s->hashes[i] != hash) {
            continue;
        }
        struct source *src = &s->entries[i];
        uint8_t state = atomic_load_explicit(&src->state, memory_order_relaxed);
        if ((state == SOURCE_KNOWN || state == SOURCE_AWAY) && is_named(src, component, instance)) {
            return src;
        }
    }
    return NULL;
}

static struct source *find_free(struct sources *s)
{
    uint32_t used = atomic_load(&s->used);
    uint32_t i = CATALOG_MAX_COMPONENTS;
    while (i < used && atomic_load(&s->entries[i].state) != SOURCE_FREE) {
        i++;
    }
    return i < s->n ? &s->entries[i] : NULL;
}

static void set_lost(struct source *src, uint64_t lost)
{
    atomic_store(&src->lost, lost);
    if (src->record != NULL) {
        atomic_store_explicit(&src->record->word, lost, memory_order_relaxed);
    }
}

// Its record, none without memory or before sources_bind.
static void make_record(const struct sources *s, struct arena_writer *writer, struct source *src)
{
    src->record = NULL;
    if (s->store != NULL && writer != NULL) {
        struct slice instance = {src->instance, src->instance_len};
        src->record = source_record_new(s->store, writer, src->component, instance,
                                        (uint32_t)(src - s->entries));
    }
}

static void free_record(const struct sources *s, struct source *src)
{
    source_record_free(s->store, src->record);
    src->record = NULL;
}

static void become_known(struct sources *s, struct source *src, const struct holder *holder,
                         struct arena_writer *writer)
{
    src->holder = *holder;
    holder_count(&s->kept, holder, 1);
    make_record(s, writer, src);
    set_lost(src, atomic_load(&src->lost));
    s->known++;
    atomic_store_explicit(&src->state, SOURCE_KNOWN, memory_order_release);
}

// Makes a source known in a free entry, for the name and the holder of the call.
static void begin_source(struct sources *s, struct source *src, const struct source_call *call,
                         struct arena_writer *writer)
{
    s->hashes[src - s->entries] = hash_of(call->component, call->instance);
    src->born = ++s->births;
    src->component = call->component;
    src->instance_len = call->instance.len;
    memcpy(src->instance, call->instance.p, call->instance.len);
    src->lease = 0;
    src->datagram_ms = 0;
    src->restored_until = 0;
    atomic_store(&src->heard_real, 0);
    atomic_store(&src->heard_mono, call->now_ms);
    atomic_store(&src->lost, 0);
    atomic_store(&src->applied, 0);
    atomic_store(&src->rejected, 0);
    atomic_store(&src->per_second, -1);
    atomic_store(&src->process, 0);
    atomic_store(&src->interval_s, 0);
    atomic_store(&src->silent_mono, 0);
    atomic_store(&src->forgotten, false);
    become_known(s, src, &call->holder, writer);
    uint32_t i = (uint32_t)(src - s->entries);
    if (i >= atomic_load(&s->used)) {
        atomic_store(&s->used, i + 1);
    }
}

// It is not listed any more; what it set goes with its leases, or when its entry is needed.
static void give_way(struct sources *s, struct source *src)
{
    free_record(s, src);
    holder_count(&s->kept, &src->holder, -1);
    holder_count(&s->gone, &src->holder, 1);
    invariant(s->known > 0 && atomic_load(&src->state) == SOURCE_KNOWN,
              "only a known source is evicted");
    s->known--;
    s->away++;
    atomic_store(&src->state, SOURCE_AWAY);
}

// Makes sure that one more may be known for the holder. Returns 0, -ENOSPC, -EDQUOT.
static int make_room(struct sources *s, const struct holder *holder)
{
    bool has_room = s->known < s->limit;
    if (has_room && holder->most == 0) {
        return 0;
    }
    struct holder_choice choice = {.asking = holder, .counts = &s->kept};
    for (uint32_t i = CATALOG_MAX_COMPONENTS, used = atomic_load(&s->used); i < used; i++) {
        struct source *src = &s->entries[i];
        if (atomic_load(&src->state) == SOURCE_KNOWN) {
            holder_offer(&choice, &src->holder, !source_is_connected(src),
                         (int64_t)atomic_load(&src->heard_mono), src);
        }
    }
    void *chosen;
    int rc = holder_choose(&choice, has_room, &chosen);
    if (chosen != NULL) {
        give_way(s, chosen);
    }
    return rc;
}

// The source of this name, made when it is new. Returns 0, -ENOSPC, -EDQUOT.
static int find_or_add(struct sources *s, struct arena_writer *writer,
                       const struct source_call *call, struct source **ret)
{
    if (call->instance.len == 0) {
        *ret = &s->entries[call->component];
        return 0;
    }
    struct source *src = find_source(s, call->component, call->instance);
    if (src != NULL && atomic_load(&src->state) == SOURCE_KNOWN) {
        *ret = src;
        return 0;
    }
    // Until the next tick makes room nobody may use more than half of the spare entries.
    if (src == NULL && holder_counted(&s->gone, &call->holder) >= s->spare / 2) {
        return -EDQUOT;
    }
    if (src == NULL && find_free(s) == NULL) {
        return -ENOSPC;
    }
    int rc = make_room(s, &call->holder);
    if (rc < 0) {
        return rc;
    }
    if (src != NULL) {
        s->away--;
        holder_count(&s->gone, &src->holder, -1);
        become_known(s, src, &call->holder, writer);
        if (src->lease != 0) {
            source_record_lease(src->record, src->lease);
        }
    } else {
        src = find_free(s);
        begin_source(s, src, call, writer);
    }
    *ret = src;
    return 0;
}

// A lease of the source that is free, or 0.
static uint32_t find_free_lease(const struct sources *s, const struct source *src)
{
    for (unsigned i = 0; i < SOURCE_LEASES; i++) {
        if (src->leases[i].state == LEASE_FREE) {
            return lease_id(s, src, i);
        }
    }
    return 0;
}

// Whether the lease that ended last can go on: the tick has not begun to take its series away.
static bool can_go_on(const struct sources *s, const struct source *src)
{
    return src->lease != 0 && lease_of(s, src->lease)->state == LEASE_GONE;
}

// Anonymous clients are many, of which none comes back: they have one lease, which goes on with the next of them.
static void choose_lease(struct sources *s, struct source *src, bool returns, uint64_t now_ms)
{
    if ((returns || is_anonymous(src)) && can_go_on(s, src)) {
        return;
    }
    uint32_t id = find_free_lease(s, src);
    if (id == 0) {
        // It came and went that often within SOURCE_GRACE_MS. The tick never ends all leases of a source at once.
        for (unsigned i = 0; !can_go_on(s, src) && i < SOURCE_LEASES; i++) {
            src->lease = lease_id(s, src, i);
        }
        invariant(can_go_on(s, src), "a source that connects has a lease");
        return;
    }
    if (can_go_on(s, src)) {
        // It came back: what the old lease set has as long again to be set again.
        lease_of(s, src->lease)->ends_ms = now_ms + SOURCE_GRACE_MS;
    }
    src->lease = id;
    source_record_lease(src->record, id);
}

// Counts a connection.
static void connect_source(struct sources *s, struct source *src, bool returns, uint64_t now_ms)
{
    atomic_store_explicit(&src->heard_mono, now_ms, memory_order_relaxed);
    if (!source_is_connected(src)) {
        choose_lease(s, src, returns, now_ms);
        lease_of(s, src->lease)->state = LEASE_USED;
    }
    atomic_fetch_add(&src->connections, 1);
}

static void disconnect_source(struct sources *s, struct source *src, uint64_t now_ms)
{
    atomic_store_explicit(&src->heard_mono, now_ms, memory_order_relaxed);
    uint32_t had = atomic_fetch_sub(&src->connections, 1);
    invariant(had > 0, "a source that is left has a connection");
    if (had == 1) {
        *lease_of(s, src->lease) = (struct lease){now_ms + SOURCE_GRACE_MS, LEASE_GONE};
    }
}

// Under the lock; returns as source_enter.
static int enter_source(struct sources *s, struct arena_writer *writer,
                        const struct source_call *call, struct source **ret, uint32_t *ret_lease)
{
    struct source *src;
    int rc = find_or_add(s, writer, call, &src);
    if (rc < 0) {
        return rc;
    }
    // A named source belongs to one user for as long as a client is connected as it.
    if (!is_anonymous(src) && source_is_connected(src) && src->user != call->holder.user) {
        return -EPERM;
    }
    if (!is_anonymous(src) && !source_is_connected(src)) {
        src->user = call->holder.user;
        holder_count(&s->kept, &src->holder, -1);
        src->holder = call->holder;
        holder_count(&s->kept, &src->holder, 1);
    }
    connect_source(s, src, call->returns, call->now_ms);
    *ret = src;
    *ret_lease = src->lease;
    return 0;
}

int source_enter(struct sources *s, struct arena_writer *writer, const struct source_call *call,
                 struct source **ret, uint32_t *ret_lease)
{
    pthread_mutex_lock(&s->lock);
    int rc = enter_source(s, writer, call, ret, ret_lease);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int source_datagram(struct sources *s, struct arena_writer *writer, const struct source_call *call,
                    struct source **ret, uint32_t *ret_lease)
{
    pthread_mutex_lock(&s->lock);
    int rc = enter_source(s, writer, call, ret, ret_lease);
    if (rc == 0) {
        // A window that is open already counts as a connection.
        if ((*ret)->datagram_ms != 0) {
            disconnect_source(s, *ret, call->now_ms);
        }
        (*ret)->datagram_ms = call->now_ms;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

void source_leave(struct sources *s, struct source *src, uint64_t now_ms)
{
    pthread_mutex_lock(&s->lock);
    disconnect_source(s, src, now_ms);
    pthread_mutex_unlock(&s->lock);
}

void source_add_connection(struct sources *s, struct source *src)
{
    pthread_mutex_lock(&s->lock);
    invariant(source_is_connected(src), "a source that stays is connected");
    atomic_fetch_add(&src->connections, 1);
    pthread_mutex_unlock(&s->lock);
}

struct source *source_anonymous(struct sources *s, unsigned component)
{
    return &s->entries[component];
}

uint32_t source_anonymous_lease(struct sources *s, struct source *src, uint64_t now_ms)
{
    pthread_mutex_lock(&s->lock);
    if (!source_is_connected(src) && !can_go_on(s, src)) {
        choose_lease(s, src, false, now_ms);
        *lease_of(s, src->lease) = (struct lease){now_ms + SOURCE_GRACE_MS, LEASE_GONE};
    }
    uint32_t lease = src->lease;
    pthread_mutex_unlock(&s->lock);
    return lease;
}

uint64_t source_report_lost(struct sources *s, struct source *src, enum source_report how,
                            uint64_t before, uint64_t lost)
{
    pthread_mutex_lock(&s->lock);
    uint64_t known = atomic_load(&src->lost);
    bool alone = how == SOURCE_LOST_FIRST && atomic_load(&src->connections) <= 1;
    bool goes_on = alone || how == SOURCE_LOST_DATAGRAM;
    if (goes_on || lost > known) {
        set_lost(src, lost);
    }
    pthread_mutex_unlock(&s->lock);
    // A client that goes on with the count of the previous one has reported less only if it started over.
    before = goes_on && lost >= known ? known : before;
    return lost > before ? lost - before : 0;
}

bool sources_has_named(const struct sources *s, const struct table *t, const struct series *series)
{
    uint32_t from = s->n + 1;
    uint32_t to = 2 * s->n;
    for (uint32_t id = idset_next(t->share->base, series_ids(series), from, to);
         id != 0 && id <= to;
         id = id < to ? idset_next(t->share->base, series_ids(series), id + 1, to) : 0) {
        const struct source *src = &s->entries[id - s->n - 1];
        if (source_is_connected(src) || s->tick_ms < src->restored_until) {
            return true;
        }
    }
    return false;
}

// Who said forget and left stays in the table until its last lease has ended.
static bool is_listed(const struct source *src)
{
    return atomic_load_explicit(&src->state, memory_order_acquire) == SOURCE_KNOWN &&
           (source_is_connected(src) || !atomic_load(&src->forgotten));
}

const struct source *sources_next(const struct sources *s, uint32_t *at)
{
    uint32_t i = *at < CATALOG_MAX_COMPONENTS ? CATALOG_MAX_COMPONENTS : *at;
    for (uint32_t used = atomic_load(&s->used); i < used; i++) {
        const struct source *src = &s->entries[i];
        if (is_listed(src)) {
            *at = i + 1;
            return src;
        }
    }
    return NULL;
}

const struct source *sources_find(const struct sources *s, unsigned component,
                                  struct slice instance)
{
    const struct source *src;
    uint32_t at = 0;
    while ((src = sources_next(s, &at)) != NULL && !is_named(src, component, instance)) {
    }
    return src;
}

int source_forget(struct sources *s, unsigned component, struct slice instance)
{
    pthread_mutex_lock(&s->lock);
    struct source *src = find_source(s, component, instance);
    bool known = src != NULL && is_listed(src);
    bool connected = known && source_is_connected(src);
    if (known) {
        atomic_store(&src->forgotten, true);
    }
    pthread_mutex_unlock(&s->lock);
    return !known ? -ENOENT : connected ? 1 : 0;
}

// ---- What time does: windows close, leases end, the silent are forgotten

enum { ENTRIES_AT_ONCE = 256 }; // entries that are looked at before the lock is given to others

// Calls for each entry that was ever used, under the lock. Returns how often the calls returned true.
static size_t for_each(struct sources *s, uint64_t now_ms,
                       bool (*call)(struct sources *s, struct source *src, uint64_t now_ms))
{
    size_t n = 0;
    uint32_t used = atomic_load(&s->used);
    for (uint32_t from = 0; from < used; from += ENTRIES_AT_ONCE) {
        pthread_mutex_lock(&s->lock);
        for (uint32_t i = from; i < used && i < from + ENTRIES_AT_ONCE; i++) {
            n += call(s, &s->entries[i], now_ms);
        }
        pthread_mutex_unlock(&s->lock);
    }
    return n;
}

static void id_ending(struct sources *s, uint32_t id)
{
    s->ending[id / 64] |= (uint64_t)1 << id % 64;
}

// Takes the ids that were noted out of all series.
static void clear_ids(struct sources *s, struct series_store *store, bool owned_only)
{
    owner_clear(store, s->ending, owned_only);
    memset(s->ending, 0, ending_bytes(s));
}

static bool close_window(struct sources *s, struct source *src, uint64_t now_ms)
{
    source_check_silence(src, now_ms);
    source_measure(src, s->clock_ms);
    bool over = src->datagram_ms != 0 && now_ms >= src->datagram_ms + SOURCE_DATAGRAM_MS;
    if (over) {
        src->datagram_ms = 0;
        disconnect_source(s, src, now_ms);
    }
    return over;
}

// All but one: a source that comes meanwhile needs a lease.
static bool end_leases(struct sources *s, struct source *src, uint64_t now_ms)
{
    unsigned n = 0;
    for (unsigned i = 0; i < SOURCE_LEASES && n < SOURCE_LEASES - 1; i++) {
        struct lease *lease = &src->leases[i];
        if (lease->state == LEASE_GONE && now_ms >= lease->ends_ms) {
            lease->state = LEASE_ENDING;
            id_ending(s, lease_id(s, src, i));
            n++;
        }
    }
    return n > 0;
}

static bool free_leases(struct sources *s, struct source *src, uint64_t now_ms)
{
    (void)now_ms;
    for (unsigned i = 0; i < SOURCE_LEASES; i++) {
        if (src->leases[i].state == LEASE_ENDING) {
            src->leases[i].state = LEASE_FREE;
            src->lease = src->lease == lease_id(s, src, i) ? 0 : src->lease;
        }
    }
    return false;
}

static bool has_leases(const struct source *src)
{
    bool any = false;
    for (unsigned i = 0; i < SOURCE_LEASES; i++) {
        any |= src->leases[i].state != LEASE_FREE;
    }
    return any;
}

// Whether the source is to be forgotten, now that it has gone and its last lease with it.
static bool is_over(const struct sources *s, const struct source *src, uint64_t now_ms)
{
    uint8_t state = atomic_load(&src->state);
    int64_t idle = (int64_t)(now_ms - atomic_load(&src->heard_mono));
    if (src->instance_len == 0 || source_is_connected(src)) {
        return false;
    }
    if (state == SOURCE_KNOWN) {
        return !has_leases(src) &&
               (atomic_load(&src->forgotten) || idle >= (int64_t)SOURCE_FORGOTTEN_MS);
    }
    // Seldom, since all series are walked for it; in need also before the leases have ended.
    return state == SOURCE_AWAY && s->away >= s->spare / 4 &&
           (!has_leases(src) || s->away >= s->spare / 2);
}

static bool forget_source(struct sources *s, struct source *src, uint64_t now_ms)
{
    if (!is_over(s, src, now_ms)) {
        return false;
    }
    if (atomic_load(&src->state) == SOURCE_KNOWN) {
        free_record(s, src);
        holder_count(&s->kept, &src->holder, -1);
        s->known--;
    } else {
        holder_count(&s->gone, &src->holder, -1);
        s->n_going_away++;
    }
    atomic_store(&src->state, SOURCE_GOING);
    id_ending(s, source_updater_id(s, src));
    id_ending(s, source_namer_id(s, src));
    id_ending(s, source_precreator_id(s, src));
    for (unsigned i = 0; i < SOURCE_LEASES; i++) {
        if (src->leases[i].state != LEASE_FREE) {
            id_ending(s, lease_id(s, src, i));
        }
    }
    return true;
}

static bool become_free(struct sources *s, struct source *src, uint64_t now_ms)
{
    (void)s;
    (void)now_ms;
    bool going = atomic_load(&src->state) == SOURCE_GOING;
    if (going) {
        memset(src->leases, 0, sizeof src->leases);
        src->lease = 0;
        atomic_store(&src->state, SOURCE_FREE);
    }
    return going;
}

void sources_tick(struct sources *s, struct series_store *store, uint64_t now_ms)
{
    s->tick_ms = now_ms;
    s->clock_ms = clock_mono_ms();
    for_each(s, now_ms, close_window);
    if (for_each(s, now_ms, end_leases) > 0) {
        clear_ids(s, store, true);
        for_each(s, now_ms, free_leases);
    }
    if (for_each(s, now_ms, forget_source) > 0) {
        pthread_mutex_lock(&s->lock);
        s->away -= s->n_going_away;
        s->n_going_away = 0;
        pthread_mutex_unlock(&s->lock);
        clear_ids(s, store, false);
        rcu_wait(); // who reads what they are called has read it
        for_each(s, now_ms, become_free);
    }
}

// ---- Records

void sources_bind(struct sources *s, struct series_store *store, struct arena_writer *writer)
{
    s->store = store;
    for (unsigned i = 0; i < schema_current(store)->catalog->n_components; i++) {
        if (s->entries[i].record == NULL) {
            make_record(s, writer, &s->entries[i]);
        }
    }
}

void sources_repair(struct sources *s, struct arena_writer *writer)
{
    for (uint32_t i = 0; i < atomic_load(&s->used); i++) {
        struct source *src = &s->entries[i];
        if (src->record == NULL ||
            record_is_whole(s->store->share.base,
                            arena_handle(s->store->share.base, src->record))) {
            continue;
        }
        make_record(s, writer, src);
        source_record_lease(src->record, src->lease);
        set_lost(src, atomic_load(&src->lost));
    }
}

void sources_save(struct sources *s)
{
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < atomic_load(&s->used); i++) {
        struct source *src = &s->entries[i];
        if (atomic_load_explicit(&src->state, memory_order_acquire) != SOURCE_KNOWN) {
            continue;
        }
        source_record_heard(src->record,
                            atomic_load_explicit(&src->heard_real, memory_order_relaxed),
                            atomic_load_explicit(&src->heard_mono, memory_order_relaxed),
                            atomic_load_explicit(&src->forgotten, memory_order_relaxed));
    }
    pthread_mutex_unlock(&s->lock);
}

// A free entry for the source, at best the one that it had, so that sources keep their order.
static struct source *entry_for(struct sources *s, uint32_t entry, unsigned component, size_t len)
{
    if (len == 0) {
        return &s->entries[component];
    }
    if (s->known >= s->limit) {
        return NULL;
    }
    if (entry >= CATALOG_MAX_COMPONENTS && entry < s->n &&
        atomic_load(&s->entries[entry].state) == SOURCE_FREE) {
        return &s->entries[entry];
    }
    return find_free(s);
}

// Under the lock: source_recall.
static struct source *recall(struct sources *s, struct arena_writer *writer,
                             const struct source_past *past, uint64_t now_ms)
{
    if (past->instance.len > 0 && find_source(s, past->component, past->instance) != NULL) {
        return NULL;
    }
    struct source *src = entry_for(s, past->entry, past->component, past->instance.len);
    if (src == NULL) {
        return NULL;
    }
    if (past->instance.len > 0) {
        struct source_call call = {.component = past->component,
                                   .instance = past->instance,
                                   .holder = {.user = PEER_NOBODY},
                                   .now_ms = now_ms};
        begin_source(s, src, &call, writer);
    }
    atomic_store(&src->heard_real, past->heard_real);
    atomic_store(&src->heard_mono, past->heard_mono);
    atomic_store(&src->forgotten, past->forgotten);
    set_lost(src, past->lost);
    src->restored_until = now_ms + SOURCE_GRACE_MS;
    uint32_t id = past->lived ? find_free_lease(s, src) : 0;
    if (id != 0) {
        src->lease = id;
        *lease_of(s, id) = (struct lease){now_ms + SOURCE_GRACE_MS, LEASE_GONE};
        source_record_lease(src->record, id);
    }
    return src;
}

const struct source *source_recall(struct sources *s, struct arena_writer *writer,
                                   const struct source_past *past, uint64_t now_ms)
{
    pthread_mutex_lock(&s->lock);
    const struct source *src = recall(s, writer, past, now_ms);
    pthread_mutex_unlock(&s->lock);
    return src;
}
