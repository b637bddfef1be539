// SPDX-License-Identifier: Apache-2.0
/*
 * dialogue_talk: what the clients of a world say and are answered, and what must hold of it: every line is applied,
 * rejected, answered or blank, once; replies are JSON; a session's position is the lines that it dealt with; tables
 * hold as many series as they count, and no more than they may.
 */
#ifndef VE_TESTS_DIALOGUE_TALK_H
#define VE_TESTS_DIALOGUE_TALK_H

#include "dialogue_world.h"

#include <jansson.h>

// What clients of the other worker say in the middle of a line, one after the other.
enum { INTRUSIONS = 4 };

struct intrusion {
    unsigned client;
    unsigned after; // calls, since the one before, at which it may come
    char text[512];
};

static struct {
    size_t n;
    struct intrusion list[INTRUSIONS]; // the next one first
    bool inside;
} intrusions;

static struct world *talk_world; // which is there
static int talk_busy = -1;       // the worker that deals with lines

static void talk_say(struct world *w, unsigned k, const char *text, size_t len, bool reads);

// One of the calls at which another worker may come in between.
static inline void talk_may_intrude(struct world *w)
{
    struct intrusion *next = &intrusions.list[0];
    if (intrusions.n == 0 || intrusions.inside || talk_busy < 0 ||
        (unsigned)talk_busy == next->client / (CLIENTS / WORKERS) || next->after-- > 0) {
        return;
    }
    int busy = talk_busy;
    w->intruded = true;
    intrusions.inside = true;
    talk_say(w, next->client, next->text, strlen(next->text), true);
    intrusions.inside = false;
    intrusions.n--;
    memmove(next, next + 1, intrusions.n * sizeof *next);
    talk_busy = busy;
}

#define TALK_POINT(type, name, parameters, arguments)                                              \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        talk_may_intrude(talk_world);                                                              \
        type result = __real_##name arguments;                                                     \
        talk_may_intrude(talk_world);                                                              \
        return result;                                                                             \
    }

// The steps by which a line's series are found, made, claimed and removed. The Makefile names them too.
TALK_POINT(struct series *, table_find,
           (struct table * t, const char *text, size_t len, uint64_t hash), (t, text, len, hash))
TALK_POINT(int, table_make,
           (struct table * t, struct series_writer *writer, const char *text, size_t len,
            uint64_t hash, enum table_place place, struct series **ret),
           (t, writer, text, len, hash, place, ret))
TALK_POINT(int, owner_add,
           (struct table * t, struct series_writer *writer, struct series *s,
            const struct owner *c),
           (t, writer, s, c))
TALK_POINT(bool, table_is_still_alive, (struct series * s), (s))
TALK_POINT(bool, table_remove, (struct table * t, struct series *s), (t, s))
TALK_POINT(void *, table_cell, (struct table * t, struct series_writer *writer, struct series *s),
           (t, writer, s))
TALK_POINT(struct cds_lfht_node *, cds_lfht_add_unique,
           (struct cds_lfht * index, unsigned long hash,
            int (*match)(struct cds_lfht_node *, const void *), const void *key,
            struct cds_lfht_node *node),
           (index, hash, match, key, node))
TALK_POINT(int, cds_lfht_del, (struct cds_lfht * index, struct cds_lfht_node *node), (index, node))

bool __real_control_forget_step(struct control_forgetting *f, struct series_store *store,
                                const struct origin *origin, uint32_t slots);
bool __wrap_control_forget_step(struct control_forgetting *f, struct series_store *store,
                                const struct origin *origin, uint32_t slots);

bool __wrap_control_forget_step(struct control_forgetting *f, struct series_store *store,
                                const struct origin *origin, uint32_t slots)
{
    return __real_control_forget_step(f, store, origin, talk_world->slow ? 2 : slots);
}

static inline bool talk_has(const char *text, size_t len, const char *word)
{
    return memmem(text, len, word, strlen(word)) != NULL;
}

// Whether a line may be a control line; one with an escape may hide that.
static inline bool talk_may_control(const char *line, size_t len)
{
    return talk_has(line, len, "hello") || talk_has(line, len, "sync") ||
           talk_has(line, len, "ping") || talk_has(line, len, "forget") ||
           memchr(line, '\\', len) != NULL;
}

static inline bool talk_is_blank(const char *line, size_t len)
{
    if (len > EVENT_MAX_LINE) {
        return false;
    }
    while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL && line[len - 1] != '\0') {
        len--;
    }
    return len == 0;
}

// The greatest number behind "lost" in the text, whatever becomes of it.
static inline uint64_t talk_lost(const char *text, size_t len)
{
    const char *end = len > 0 ? text + len : text;
    uint64_t most = 0;
    for (const char *at = text;
         len > 0 && (at = memmem(at, (size_t)(end - at), "lost\":", 6)) != NULL;) {
        char number[40] = "";
        at += 6;
        memcpy(number, at, (size_t)(end - at) < sizeof number - 1 ? (size_t)(end - at) : 39);
        double v = strtod(number, NULL);
        most = v >= 1 && v < 0x1p63 && (uint64_t)v > most ? (uint64_t)v : most;
    }
    return most;
}

// A line was sent, with its LF or as the last one.
static inline void talk_count(struct world *w, struct client *m)
{
    bool blank = talk_is_blank(m->line.p, m->line.len);
    uint64_t lost = talk_lost(m->line.p, m->line.len);
    m->lines++;
    m->blanks += blank;
    if (m->lines >= m->sums_cap) {
        m->sums_cap = m->sums_cap * 2 + 16;
        m->sums = realloc(m->sums, m->sums_cap * sizeof *m->sums);
        fixture_must(m->sums != NULL, "no memory");
    }
    m->sums[m->lines] = blank ? (struct sums){{0}} : sums_line(m->line.p, m->line.len);
    w->removed |= m->line.len > 0 && talk_has(m->line.p, m->line.len, "forget");
    w->lost += lost > m->lost ? lost - m->lost : 0;
    m->lost = lost > m->lost ? lost : m->lost;
    if (!w->censored && m->number < MOST_CONNECTIONS && m->lines < MOST_LINES) {
        world_kept[m->number][m->lines] =
            blank || m->line.len > EVENT_MAX_LINE || talk_may_control(m->line.p, m->line.len);
    }
    buf_clear(&m->line);
}

// Takes note of a byte that is sent; returns the byte that is sent in its place.
static inline char talk_byte(struct world *w, struct client *m, char c)
{
    uint64_t line = m->lines + 1;
    bool known = m->number < MOST_CONNECTIONS && line < MOST_LINES;
    if (c != '\n') {
        buf_char(&m->line, c);
        return w->censored && known && world_rejected[m->number][line] != 0 &&
                       world_kept[m->number][line] == 0
                   ? 'x'
                   : c;
    }
    talk_count(w, m);
    return c;
}

// ---- What is answered

static inline void talk_check_json(const char *at, size_t len)
{
    json_error_t err;
    // An id is echoed as it stood, so a number in it may be beyond a double.
    json_t *reply = json_loadb(at, len, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &err);
    fixture_must(json_is_object(reply) ||
                     (reply == NULL && json_error_code(&err) == json_error_numeric_overflow),
                 "a reply is no JSON object");
    json_decref(reply);
}

static inline uint64_t talk_number(const char *line, const char *key)
{
    const char *at = strstr(line, key);
    fixture_must(at != NULL, "a reply lacks a number");
    return strtoull(at + strlen(key), NULL, 10);
}

static inline void talk_error(struct world *w, struct client *m, unsigned k, const char *line)
{
    uint64_t number = talk_number(line, "\"line\":");
    m->errors++;
    m->strange += strstr(line, "{\"error\":\"bad_control\"") == line ||
                  strstr(line, "{\"error\":\"not_permitted\"") == line ||
                  strstr(line, "{\"error\":\"rate_limited\"") == line; // a forget
    fixture_must(number <= m->lines + 1, "an error names a line that was not sent");
    if (!w->censored && m->number < MOST_CONNECTIONS && number < MOST_LINES) {
        world_rejected[m->number][number] = 1;
    }
    if (number <= m->lines && m->sums != NULL) {
        m->sums[number] = (struct sums){{0}};
    }
    buf_addf(&w->plain, "%u: error %lu\n", k, (unsigned long)number);
}

static inline void talk_reply(struct world *w, unsigned k, const char *line, size_t len)
{
    struct client *m = &w->clients[k];
    talk_check_json(line, len);
    buf_addf(&w->seen, "%u: ", k);
    buf_add(&w->seen, line, len);
    buf_char(&w->seen, '\n');
    if (strncmp(line, "{\"error\":", 9) == 0) {
        talk_error(w, m, k, line);
        return;
    }
    if (strncmp(line, "{\"hello\":", 9) == 0 && m->controls++ == 0 && m->errors == 0) {
        m->based = m->c != NULL && m->c->session != NULL;
        m->base = talk_number(line, "\"applied\":");
    } else if (strncmp(line, "{\"hello\":", 9) != 0) {
        m->controls++;
    }
    buf_addf(&w->plain, "%u: ", k);
    buf_add(&w->plain, line, len);
    buf_char(&w->plain, '\n');
}

// Takes all replies that there are.
static inline void talk_listen(struct world *w, unsigned k)
{
    struct client *m = &w->clients[k];
    char bytes[4096];
    ssize_t n;
    do {
        fixture_must(connection_flush(m->c) == 0, "a broken connection");
        while ((n = recv(m->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
            buf_add(&m->text, bytes, (size_t)n);
        }
    } while (connection_is_waiting(m->c));
    fixture_must(buf_string(&m->text) != NULL, "no memory");
    for (char *line = m->text.p, *end; line != NULL && *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        fixture_must(end != NULL, "a reply has no LF");
        *end = '\0';
        talk_reply(w, k, line, (size_t)(end - line));
    }
    buf_clear(&m->text);
}

// ---- What must hold

static inline void talk_check_lines(struct client *m)
{
    struct connection *c = m->c;
    bool stopped =
        c->closing || c->waiting || c->forget != NULL || m->unread || connection_is_taken_over(c);
    uint64_t rejected =
        c->rejected - (c->rejected > 0 && c->lines == 0); // it was let in no further
    fixture_must(c->rejected == m->errors, "not every rejected line was answered");
    uint64_t account = c->applied + rejected + m->controls;
    fixture_must(account <= c->lines && c->lines <= m->lines + 1, "more lines than were sent");
    if (!stopped && !c->skipping) {
        fixture_must(c->lines == m->lines, "not every line was dealt with");
        fixture_must(account + m->blanks == c->lines, "sent is not applied and rejected");
    }
    if (m->based && !stopped) {
        uint64_t position = session_position(c->session);
        fixture_must(position <= m->base + c->applied + rejected &&
                         position >= m->base + c->applied + rejected - m->strange,
                     "the position of a session is wrong");
    }
}

// What the accounts hold beyond what connections and earlier datagrams put there.
static inline void talk_unexplained(struct world *w, uint64_t *ret_applied, uint64_t *ret_rejected)
{
    uint64_t applied = -w->applied - w->datagram_applied;
    uint64_t rejected = -w->rejected - w->datagram_rejected;
    const struct catalog *catalog = schema_current(w->h.store)->catalog;
    for (unsigned k = 0; k < CLIENTS; k++) {
        const struct connection *c = w->clients[k].c;
        applied -= c != NULL ? c->applied : 0;
        rejected -= c != NULL ? c->rejected : 0;
    }
    for (unsigned i = 0; i < catalog->n_components; i++) {
        applied += ingest_applied(w->h.ingest, i);
        for (int r = 0; r < REJECT_COUNT; r++) {
            rejected += ingest_rejected(w->h.ingest, i, (enum reject_reason)r);
        }
    }
    *ret_applied = applied;
    *ret_rejected = rejected;
}

// What counters must show (dialogue_sums.h).
static inline struct sums talk_sums(const struct world *w)
{
    struct sums all = w->sums;
    for (unsigned k = 0; k < CLIENTS; k++) {
        const struct client *m = &w->clients[k];
        for (uint64_t i = 1; m->c != NULL && i <= m->c->lines && i <= m->lines; i++) {
            sums_add(&all, &m->sums[i]);
        }
    }
    return all;
}

static inline void talk_check_accounts(struct world *w)
{
    uint64_t applied;
    uint64_t rejected;
    talk_unexplained(w, &applied, &rejected);
    fixture_must(applied == 0, "accounts and connections differ in what was applied");
    fixture_must(rejected == 0, "accounts and connections differ in what was rejected");
    uint64_t lost = 0;
    for (unsigned i = 0; i < CATALOG_MAX_COMPONENTS; i++) {
        lost += ingest_lost(w->h.ingest, i);
    }
    fixture_must(lost <= w->lost, "more is lost than clients said");
}

static inline void talk_check_tables(struct world *w)
{
    const struct schema *schema = schema_current(w->h.store);
    struct table_share *share = &w->h.store->share;
    uint32_t paid[ACCOUNTS] = {0};
    uint64_t all = 0;
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        struct table *t = schema->families[i].table;
        uint64_t count = 0;
        for (uint32_t slot = 0; slot < table_slots(t); slot++) {
            const struct series *s = table_at(t, slot);
            bool beyond = s != NULL && (s->record->flags & SERIES_FOLDED) != 0;
            count += s != NULL && !beyond;
            fixture_must(s == NULL || s->quota_id < ACCOUNTS, "an account that nobody has");
            paid[s != NULL ? s->quota_id : 0]++;
        }
        fixture_must(count == t->quota.used, "a table counts series that it has not");
        fixture_must(count <= w->limit, "a table is beyond its limit");
        all += count;
    }
    fixture_must(all == share->quota.used && all <= LIMIT,
                 "the series of all tables are not what is counted");
    for (unsigned i = 1; i < ACCOUNTS; i++) {
        fixture_must(paid[i] == share->quotas[i], "an account counts series that nobody made");
    }
    fixture_must(sessions_known(w->h.ingest->sessions) <= FIXTURE_SESSIONS, "too many sessions");
    uint32_t at = 0;
    uint32_t sources = 0;
    while (sources_next(w->h.sources, &at) != NULL) {
        sources++;
    }
    fixture_must(sources <= FIXTURE_SOURCES, "too many sources");
}

// ---- What is said

static inline void talk_open(struct world *w, unsigned k)
{
    struct client *m = &w->clients[k];
    int fds[2];
    int room = ROOM;
    fixture_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "no socket");
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    *m = (struct client){.fd = fds[0], .number = w->connections++};
    if (!w->censored && m->number < MOST_CONNECTIONS) {
        memset(world_rejected[m->number], 0, sizeof world_rejected[0]);
        memset(world_kept[m->number], 0, sizeof world_kept[0]);
    }
    world_user = k % 2;
    m->c = connection_new(fds[1], world_protocol(w, k));
    fixture_must(m->c != NULL, "no memory");
}

// Lets the worker of a client read all that the client sent.
static inline void talk_read(struct world *w, unsigned k)
{
    struct connection *c = w->clients[k].c;
    int busy = talk_busy;
    talk_busy = (int)(k / (CLIENTS / WORKERS));
    int n = 1;
    while (!c->closing && n > 0) {
        n = fixture_read(c, world_protocol(w, k), world_worker(w, k)->input);
        fixture_must(n >= 0, "a broken connection");
    }
    talk_busy = busy;
    w->clients[k].unread = false;
    talk_listen(w, k);
}

static inline void talk_close(struct world *w, unsigned k)
{
    struct client *m = &w->clients[k];
    if (m->unread) {
        talk_read(w, k);
    }
    talk_listen(w, k);
    talk_check_lines(m);
    w->applied += m->c->applied;
    w->rejected += m->c->rejected;
    for (uint64_t i = 1; i <= m->c->lines && i <= m->lines; i++) {
        sums_add(&w->sums, &m->sums[i]);
    }
    free(m->sums);
    connection_free(m->c, world_protocol(w, k));
    close(m->fd);
    buf_free(&m->line);
    buf_free(&m->text);
    *m = (struct client){0};
}

// Lets a client go on that waits for its session, or whose forget is under way. Returns whether it waits no more.
static inline bool talk_go_on(struct world *w, unsigned k)
{
    struct connection *c = w->clients[k].c;
    connection_go_on(c, world_protocol(w, k), world_worker(w, k)->input);
    talk_listen(w, k);
    bool goes_on = !c->waiting && c->forget == NULL;
    if (goes_on && !c->closing) {
        talk_read(w, k);
    }
    return goes_on;
}

// What the workers do when they were woken: they close whose session was taken over or who is done, and let who waits go on.
static inline void talk_settle(struct world *w)
{
    bool changed = true;
    while (changed) { // each round closes one, or lets one go on that has a line less to be read
        changed = false;
        for (unsigned k = 0; k < CLIENTS; k++) {
            struct client *m = &w->clients[k];
            if (m->c != NULL && (m->c->closing || connection_is_taken_over(m->c))) {
                talk_close(w, k);
                changed = true;
            } else if (m->c != NULL && (m->c->waiting || m->c->forget != NULL)) {
                changed |= talk_go_on(w, k) || (m->c->forget != NULL && !w->slow);
            }
        }
    }
}

static inline void talk_check(struct world *w)
{
    for (unsigned k = 0; k < CLIENTS; k++) {
        if (w->clients[k].c != NULL) {
            talk_check_lines(&w->clients[k]);
        }
    }
    talk_check_accounts(w);
    talk_check_tables(w);
}

static void talk_say(struct world *w, unsigned k, const char *text, size_t len, bool reads)
{
    struct client *m = &w->clients[k];
    if (m->c == NULL) {
        talk_open(w, k);
    }
    if (m->c->waiting && len > EVENT_MAX_LINE) {
        return; // it would find no room, and wait
    }
    struct buf bytes = BUF_INIT;
    for (size_t i = 0; i < len; i++) {
        buf_char(&bytes, talk_byte(w, m, text[i]));
    }
    fixture_must(bytes.len == 0 || send(m->fd, bytes.p, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
                                       (ssize_t)bytes.len,
                 "no room");
    buf_free(&bytes);
    m->unread = true;
    if (reads) {
        talk_read(w, k);
    }
}

static inline void talk_end(struct world *w, unsigned k)
{
    struct client *m = &w->clients[k];
    if (m->c != NULL) {
        if (m->line.len > 0 && m->c->session == NULL) {
            talk_count(w, m);
        }
        shutdown(m->fd, SHUT_WR);
        talk_read(w, k);
        while (m->c->forget != NULL && !m->c->closing) {
            talk_go_on(w, k);
        }
        talk_settle(w);
        if (m->c != NULL && m->c->waiting) {
            talk_close(w, k); // as a worker does that is told so
        }
    }
}

// What became of the lines of a datagram, which are not answered.
static inline void talk_check_datagram(struct world *w, unsigned number)
{
    uint64_t applied;
    uint64_t rejected;
    uint64_t lines = 0;
    const char *at = w->datagram.p;
    const char *end = at + w->datagram.len;
    for (const char *stop; at < end; at = stop + 1) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        stop = lf != NULL ? lf : end;
        lines += !talk_is_blank(at, (size_t)(stop - at));
        struct sums sums = sums_line(at, (size_t)(stop - at));
        sums_add(&w->sums, &sums);
    }
    bool control = talk_may_control(w->datagram.p, w->datagram.len);
    talk_unexplained(w, &applied, &rejected);
    fixture_must(applied + rejected == lines || (control && applied + rejected < lines) ||
                     (w->datagram.len > EVENT_MAX_LINE && rejected == 1 && applied == 0),
                 "not every line of a datagram was dealt with");
    w->datagram_applied += applied;
    w->datagram_rejected += rejected;
    w->removed |= rejected > 0 || control;
    if (!w->censored && number < MOST_CONNECTIONS) {
        world_rejected_datagram[number] = lines == 1 && rejected == 1 && !control;
    }
}

// Sends the datagram that was written.
static inline void talk_send(struct world *w, unsigned user)
{
    unsigned number = w->datagrams++;
    if (w->datagram.len == 0) {
        return;
    }
    if (w->censored && number < MOST_CONNECTIONS && world_rejected_datagram[number] != 0) {
        memset(w->datagram.p, 'x', w->datagram.len);
    }
    w->lost += talk_lost(w->datagram.p, w->datagram.len);
    world_user = user % USERS;
    talk_busy = 0;
    fixture_must(send(w->fds[1], w->datagram.p, w->datagram.len, MSG_DONTWAIT) ==
                         (ssize_t)w->datagram.len &&
                     fixture_datagram(w->fds[0], w->h.p) == 1,
                 "no datagram");
    while (datagram_is_open(w->h.p)) {
        datagram_go_on(w->h.p);
    }
    talk_busy = -1;
    talk_check_datagram(w, number);
    buf_clear(&w->datagram);
}

#endif
