// SPDX-License-Identifier: Apache-2.0
/*
 * dialogue_world: a daemon without threads, for fuzz_dialogue: two workers, four clients of two users, a datagram
 * socket, permissions, catalogues to reload, and a clock that stands until it is moved.
 *
 * The users of the clients are what the test says: peer_of_stream and peer_of_datagram are replaced at the link, and
 * so are the clocks. At other functions, by which a line reaches the tables, a client of the other worker may speak in the middle of a
 * line (dialogue_talk.h), as a thread that is preempted there would find it.
 */
#ifndef VE_TESTS_DIALOGUE_WORLD_H
#define VE_TESTS_DIALOGUE_WORLD_H

#include "base/clock.h"
#include "base/process.h"
#include "dialogue_sums.h"
#include "fixture.h"
#include "ingest/datagram.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS =
        4, // the first two are worker 0's, the others worker 1's; even ones are user 0, odd ones user 1
    WORKERS = 2,
    USERS = 2,
    ACCOUNTS = 16, // more than world_rights needs
    LIMIT = 40,
    LIMIT_PER_METRIC = 12,
    MOST_LINES = 400,       // of a connection, that can be replaced
    MOST_CONNECTIONS = 300, // whose lines can be
    ROOM = 1 << 20          // bytes that a socket holds
};

static const char WORLD_CATALOG[] =
    "labels:\n"
    "  outcome: {values: [success, error], closed: true, aliases: {ok: success}}\n"
    "  k: {values: [u, v], closed: true}\n"
    "metrics:\n"
    "- {name: a_total, type: counter, help: A., labels: [x, outcome], precreate: true}\n"
    "- {name: b_total, type: counter, help: B., labels: [x], series_limit: 4}\n"
    "- {name: c_seconds, type: histogram, help: C., labels: [x], buckets: [0.5, 1, 2.5]}\n"
    "- {name: d, type: gauge, help: D., labels: [x], owner: source}\n"
    "- {name: e, type: gauge, help: E., labels: [x], ttl: 3s}\n"
    "- {name: f_info, type: gauge, help: F., labels: [x], owner: source}\n"
    "- {name: g, type: gauge, help: G., series_limit: 2, labels: [x]}\n"
    "- {name: n_seconds, type: histogram, help: N., labels: [x], buckets: [1], native: {factor: "
    "1.2, max_buckets: 12}}\n"
    "- {name: h_total, type: counter, help: H., labels: [x, k], precreate: true, ttl: 20s}\n"
    "events:\n"
    "- {name: done, labels: [x, outcome], value: {unit: seconds, optional: true}, updates: [{add: "
    "a_total},\n"
    "   {observe: c_seconds}, {add: d, by: -1, when: {outcome: error}}]}\n"
    "- {name: pair, labels: [x], value: seconds, updates: [{add: b_total}, {set: g}, {observe: "
    "n_seconds}]}\n";

// Makes of one catalogue another one.
static inline struct catalog *world_catalog(unsigned variant)
{
    char text[sizeof WORLD_CATALOG];
    memcpy(text, WORLD_CATALOG, sizeof text);
    if ((variant & 1) != 0) {
        *strstr(text, "2.5") = '3'; // c_seconds starts over
        *strchr(strstr(text, "limit: 4"), '4') = '6';
        *strchr(strstr(text, "ttl: 3s"), '3') = '9';
    }
    if ((variant & 2) != 0) {
        memcpy(strstr(text, "u, v"), "u   ", 4); // narrower
        *strchr(strstr(text, "limit: 2"), '2') = '1';
    }
    struct errs errs = ERRS_INIT;
    struct catalog *c = NULL;
    fixture_must(catalog_load_bytes(&c, "c", text, strlen(text), &errs) == 0, "the catalogue");
    return c;
}

struct client {
    struct connection *c; // NULL: none
    int fd;
    unsigned number;   // of all connections
    struct buf line;   // sent of a line that has no LF yet
    uint64_t lines;    // sent
    uint64_t blanks;   // of them
    struct buf text;   // of replies
    uint64_t errors;   // replies
    uint64_t controls; // replies
    struct sums *sums; // of each line
    size_t sums_cap;
    uint64_t strange; // errors that do not count in a session
    bool based;       // it has a session, which stood at `base` when it began
    uint64_t base;
    uint64_t lost; // the most that it said
    bool unread;   // something was sent that its worker has not read
};

struct world {
    struct fixture h;
    struct client clients[CLIENTS];
    int fds[2];          // for datagrams: the daemon's end, the clients'
    struct buf datagram; // being written
    struct buf seen;     // what all clients see, every byte
    struct buf plain;    // the same but for why lines are rejected, and for the order of series
    unsigned connections;
    unsigned datagrams;
    uint64_t applied; // of connections that are gone
    uint64_t rejected;
    uint64_t datagram_applied;
    uint64_t datagram_rejected;
    bool censored;    // what was rejected in the run before is sent as x
    bool intruded;    // a line was interrupted by another one
    bool slow;        // a forget looks at few series at a time
    uint64_t limit;   // the greatest so far
    uint64_t lost;    // as clients said: of each connection the most
    struct sums sums; // that was applied, of connections that are gone and of datagrams
    bool removed;     // some series, or it is not clear which lines of a datagram were applied
};

// Lines that were rejected, of the last run that was not censored.
static uint8_t world_rejected[MOST_CONNECTIONS][MOST_LINES];
static uint8_t world_rejected_datagram[MOST_CONNECTIONS];
// Lines that stay as they are even so.
static uint8_t world_kept[MOST_CONNECTIONS][MOST_LINES];

enum { USER = 1000 };

static unsigned world_user; // of who connects or sends a datagram

void __wrap_peer_of_stream(struct peer *ret, int fd);
void __wrap_peer_of_datagram(struct peer *ret, struct msghdr *m);

void __wrap_peer_of_stream(struct peer *ret, int fd)
{
    (void)fd;
    *ret = (struct peer){.uid = USER + world_user, .gid = USER, .has_groups = true};
}

void __wrap_peer_of_datagram(struct peer *ret, struct msghdr *m)
{
    (void)m;
    __wrap_peer_of_stream(ret, -1);
}

// The clock that stands.
static uint64_t world_ms; // since the world was opened
uint64_t __wrap_clock_mono_ms(void);
uint64_t __wrap_clock_real_ms(void);

uint64_t __wrap_clock_mono_ms(void)
{
    return FIXTURE_NOW_MS + world_ms;
}

uint64_t __wrap_clock_real_ms(void)
{
    return 1700000000000 + world_ms;
}

// No thread is in a section when the tick waits for the end of all.
void __wrap_rcu_wait(void);
void __wrap_rcu_wait(void)
{
}

// Asking the kernel of the process takes longer than all else.
void __wrap_process_read(struct process *ret);
void __wrap_process_read(struct process *ret)
{
    *ret = (struct process){0};
}

int __wrap_process_read_other(pid_t pid, struct process_other *ret);
int __wrap_process_read_other(pid_t pid, struct process_other *ret)
{
    (void)pid;
    *ret = (struct process_other){.start_ticks = 1};
    return -ESRCH;
}

static inline struct worker *world_worker(struct world *w, unsigned client)
{
    return &w->h.ingest->workers[client / (CLIENTS / WORKERS)];
}

static inline struct protocol *world_protocol(struct world *w, unsigned client)
{
    return &world_worker(w, client)->protocol;
}

// An entry of `sources`.
struct world_right {
    unsigned user;
    unsigned component;
    const char *instance;
    uint8_t metrics;
    uint32_t events_per_second;
    uint32_t series;
    uint32_t connections;
    const char *x; // what the label must read
};

static inline void world_entry(struct permission_role *e, const struct world_right *of)
{
    e->by_user = true;
    e->user = USER + of->user;
    e->component = of->component;
    e->instance = of->instance != NULL ? strdup(of->instance) : NULL;
    e->metrics = malloc(2);
    e->metrics[0] = of->metrics;
    e->metrics[1] = 0;
    e->events_per_second = of->events_per_second;
    e->series = of->series;
    e->connections = of->connections;
    if (of->x != NULL) {
        e->n_labels = 1;
        e->label_names[0] = strdup("x");
        e->label_values[0] = strdup(of->x);
    }
}

static inline void world_rights(struct world *w, unsigned variant)
{
    static const struct {
        size_t n;
        struct world_right entries[3];
    } all[] = {
        {0, {{0}}},
        {2,
         {{0, COMPONENT_PROVIDER, "i", 0xFF, 20, 6, 2, NULL},
          {1, COMPONENT_PROVIDER, NULL, 0xFF, 0, 4, 0, "a"}}},
        {3,
         {{0, COMPONENT_MANAGER, NULL, 0x7B, 0, 0, 0, NULL},
          {1, COMPONENT_PROVIDER, "j", 0xFF, 5, 0, 1, NULL},
          {1, COMPONENT_MANAGER, NULL, 0x0F, 0, 3, 0, NULL}}},
        {1, {{0, COMPONENT_PROVIDER, "i", 0xFF, 2, 0, 0, "b"}}},
    };
    variant %= sizeof all / sizeof all[0];
    struct permission_roles *r = permission_roles_new(all[variant].n);
    fixture_must(r != NULL, "no memory");
    r->open = all[variant].n == 0;
    for (size_t i = 0; i < all[variant].n; i++) {
        world_entry(&r->entries[i], &all[variant].entries[i]);
    }
    fixture_must(ingest_bind_permissions(w->h.ingest, r) == 0, "permissions");
    permission_roles_free(ingest_put_permissions(w->h.ingest, r));
}

static inline void world_open(struct world *w, uint64_t cache)
{
    int room = ROOM;
    *w = (struct world){.limit = LIMIT_PER_METRIC};
    world_ms = 0;
    fixture_open_workers(&w->h, WORLD_CATALOG, LIMIT, LIMIT_PER_METRIC, WORKERS, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++) {
        struct protocol *p = &w->h.ingest->workers[i].protocol;
        p->clocked = false;
        p->now_ms = clock_mono_ms();
        p->now_real_ms = clock_real_ms();
        fixture_must(cache == 0 || event_reader_cache(p->reader, cache) == 0, "no memory");
    }
    struct sources *sources = w->h.sources;
    source_leave(sources, source_anonymous(sources, COMPONENT_UNKNOWN), w->h.p->now_ms);
    fixture_must(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, w->fds) == 0, "no socket");
    setsockopt(w->fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

static inline void world_close(struct world *w)
{
    close(w->fds[0]);
    close(w->fds[1]);
    buf_free(&w->datagram);
    buf_free(&w->seen);
    buf_free(&w->plain);
    fixture_close(&w->h);
}

// What the main thread does in a second, after some time.
static inline void world_pass(struct world *w, uint64_t ms)
{
    world_ms += ms;
    uint64_t now_ms = clock_mono_ms();
    for (unsigned i = 0; i < WORKERS; i++) {
        w->h.ingest->workers[i].protocol.now_ms = now_ms;
        w->h.ingest->workers[i].protocol.now_real_ms = clock_real_ms();
    }
    sources_tick(w->h.sources, w->h.store, now_ms);
    ingest_tick(w->h.ingest, now_ms);
    ttl_expire(w->h.store, w->h.sources, (uint32_t)(now_ms / 1000));
    schema_reclaim(w->h.store);
}

static inline void world_reload(struct world *w, unsigned variant)
{
    struct schema_settings settings = {.limit = LIMIT, .limit_per_metric = LIMIT_PER_METRIC};
    struct schema_change change;
    struct catalog *c = world_catalog(variant);
    if ((variant & 4) != 0) {
        settings = (struct schema_settings){.limit = LIMIT / 2, .limit_per_metric = 5};
    }
    fixture_must(ingest_adapt(w->h.ingest, c) == 0 &&
                     schema_reload(w->h.store, c, &settings, &change) == 0,
                 "a reload");
    schema_reclaim(w->h.store);
}

#endif
