// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_statefile: a state file, as a list of changes to a good one. A change has 12 bytes: what is changed, which
 * record, where (2 bytes), and a value (8 bytes). Whatever is restored must have its grammar as an exposition, and so
 * must what is left of it when pages of the file in use are lost.
 */
#include "exposition.h"
#include "fixture.h"
#include "source/source_restore.h"
#include "state/redo.h"
#include "state/statefile.h"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHANGE = 12, MOST = 64, SLACK = 256 << 10, LIMIT = 300, LIMIT_PER_METRIC = 40 };
#define WEEKS_MS ((uint64_t)14 * 24 * 3600 * 1000)

enum kind {
    CHANGE_BYTE,   // of a record, which then does not check out
    CHANGE_RECORD, // of a record, which is published again
    CHANGE_REDO,   // a word of a record, by one more of the first lane's redo list
    CHANGE_HEADER,
    CHANGE_WORD,  // anywhere
    CHANGE_SIZE,  // of the file
    CHANGE_CLOSE, // as at a clean end, so that what is changed later does not fit the sums
    CHANGE_LOST,  // bits: pages that read as zeros after the restart
    CHANGES,
};

static const char lines[] =
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"vc1\",\"session\":\"s\",\"lost\":3}}\n"
    "{\"event\":\"rpc\",\"labels\":{\"provider_type\":\"vsphere\",\"method\":\"Clone\",\"code\":"
    "\"OK\"},"
    "\"value\":0.84}\n"
    "{\"metric\":\"virtrigaud_provider_tasks_inflight\",\"labels\":{\"provider_type\":\"a\","
    "\"provider\":\"b\"},\"value\":2}\n"
    "{\"metric\":\"virtrigaud_errors_total\",\"labels\":{\"reason\":\"a\\\"\\\\b\",\"component\":"
    "\"provider\"},\"value\":1.5}\n"
    "{\"event\":\"task_started\",\"labels\":{\"provider_type\":\"a\",\"provider\":\"c\"}}\n"
    "{\"event\":\"rpc\",\"labels\":{\"provider_type\":\"vsphere\",\"method\":\"Clone\",\"code\":"
    "\"OK\"},"
    "\"values\":[0.1,2,30,-4,500,0]}\n"
    "{\"metric\":\"nothing\"}\n";

static struct record_image base; // a good one, scanned

static void talk(struct fixture *h)
{
    int fds[2];
    fixture_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "no socket");
    struct connection *c = connection_new(fds[0], h->p);
    fixture_must(c != NULL && send(fds[1], lines, sizeof lines - 1, 0) > 0, "no room");
    shutdown(fds[1], SHUT_WR);
    while (!c->closing) {
        fixture_must(fixture_read(c, h->p, h->ingest->workers[0].input) >= 0, "a broken read");
        fixture_must(connection_flush(c) == 0, "a broken flush");
    }
    connection_free(c, h->p);
    close(fds[1]);
}

// The built-in one, of which one histogram has few native buckets.
static const char *catalog(void)
{
    static const char metric[] = "  - name: virtrigaud_provider_rpc_latency_seconds\n";
    static const char native[] = "    native: {max_buckets: 4}\n";
    static char *text;
    if (text == NULL) {
        const char *at = strstr(catalog_builtin, metric);
        fixture_must(at != NULL, "the built-in catalogue has no such histogram");
        size_t before = (size_t)(at - catalog_builtin) + strlen(metric);
        fixture_must(asprintf(&text, "%.*s%s%s", (int)before, catalog_builtin, native,
                              catalog_builtin + before) > 0,
                     "no memory");
    }
    return text;
}

static int compare(const void *a, const void *b)
{
    const uint32_t *x = a;
    const uint32_t *y = b;
    return (*x > *y) - (*x < *y);
}

static void make_base(void)
{
    struct fixture h;
    struct arena_writer writer = {0};
    fixture_open(&h, catalog(), LIMIT, LIMIT_PER_METRIC);
    sources_bind(h.sources, h.store, &writer);
    talk(&h);
    sources_save(h.sources);
    struct arena *arena = h.store->share.arena;
    base.size = arena_used(arena);
    base.base = calloc(1, base.size + SLACK);
    fixture_must(base.base != NULL, "no memory");
    memcpy(base.base, arena_base(arena), base.size);
    fixture_close(&h);
    atomic_store(&layout_of(base.base)->phase, LAYOUT_RUNNING);
    enum statefile_found found;
    fixture_must(statefile_parse(&base, &found) == 0 && found == STATEFILE_GOOD && base.n > 5,
                 "the base is no state file");
    qsort(base.handles, base.n, sizeof *base.handles, compare); // as they stand in the file
}

static void change(char *bytes, uint64_t *size, uint64_t *lost, const uint8_t *data)
{
    uint64_t value;
    memcpy(&value, data + 4, sizeof value);
    uint32_t handle = base.handles[data[1] % base.n];
    struct record *r = record_at(bytes, handle);
    uint64_t at = data[2] | (uint64_t)data[3] << 8;
    char *in_record = (char *)r + at % record_size(record_at(base.base, handle));
    struct redo_area *redo = layout_redo(bytes, 0);
    switch ((enum kind)(data[0] % CHANGES)) {
    case CHANGE_BYTE:
        *in_record = (char)value;
        break;
    case CHANGE_RECORD:
        *in_record = (char)value;
        if (r->lanes <= RECORD_MAX_LANES && r->payload <= RECORD_MAX_PAYLOAD) {
            record_persist(bytes, handle);
        }
        break;
    case CHANGE_REDO:
        redo->words[redo->committed % REDO_WORDS].offset =
            (uint64_t)(in_record - bytes) & ~(uint64_t)7;
        redo->words[redo->committed % REDO_WORDS].value = value;
        redo->committed = redo->committed % REDO_WORDS + 1;
        break;
    case CHANGE_HEADER:
        bytes[at % sizeof(struct layout)] = (char)value;
        break;
    case CHANGE_WORD:
        memcpy(bytes + (at << 8 | data[1]) * 8 % base.size, &value, sizeof value);
        break;
    case CHANGE_SIZE:
        *size = value % (base.size + 1);
        break;
    case CHANGE_CLOSE:
        layout_close(bytes, base.size - value % base.size);
        break;
    case CHANGE_LOST:
        *lost |= value;
        break;
    case CHANGES:
        break;
    }
}

static void check(struct fixture *h)
{
    const char *line = "";
    const char *wrong = exposition_check(fixture_text_all(h), &line);
    if (wrong != NULL) {
        fprintf(stderr, "%s: %.300s\n", wrong, line);
        abort();
    }
}

// As daemon/state does it, with all workers paused.
static void lose(struct fixture *h, struct arena_writer *writer, uint64_t lost)
{
    struct arena *arena = h->store->share.arena;
    for (uint64_t at = ARENA_RESERVED; at < arena_used(arena) && lost != 0; lost >>= 1) {
        uint64_t bytes = arena_used(arena) - at < ARENA_PAGE ? arena_used(arena) - at : ARENA_PAGE;
        memset(arena_base(arena) + at, 0, lost % 2 * bytes);
        at += bytes;
    }
    schema_repair(h->store);
    sources_repair(h->sources, writer);
    ingest_repair(h->ingest, false);
    fixture_must(schema_repair(h->store) == 0, "what was repaired is not whole");
}

static void restore(struct record_image *image, uint64_t lost, bool whole)
{
    struct fixture h;
    struct arena_writer writer = {0};
    struct restore_owners owners;
    struct restored done = {0};
    fixture_open(&h, catalog(), LIMIT, LIMIT_PER_METRIC);
    sources_bind(h.sources, h.store, &writer);
    const struct catalog *c = schema_current(h.store)->catalog;
    fixture_must(sources_restore(h.sources, image, c, &writer, h.p->now_ms, &owners) == 0,
                 "no memory");
    fixture_must(restore_series(h.store, image, &owners, &done) == 0, "no memory");
    fixture_must(!whole || (done.series > 4 && image->damaged == 0),
                 "a good file is not taken over");
    restore_owners_free(&owners);
    ingest_restore(h.ingest, image, h.p->now_ms, h.p->now_real_ms);
    talk(&h);
    check(&h);
    if (lost != 0) {
        lose(&h, &writer, lost);
        talk(&h);
        check(&h);
    }
    // All of it can go again.
    h.p->now_ms += WEEKS_MS;
    sources_tick(h.sources, h.store, h.p->now_ms);
    schema_reclaim(h.store);
    check(&h);
    fixture_close(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (base.base == NULL) {
        make_base();
    }
    struct record_image image = {.size = base.size};
    uint64_t lost = 0;
    char *room = malloc(base.size + SLACK);
    fixture_must(room != NULL, "no memory");
    memcpy(room, base.base, base.size + SLACK);
    for (size_t at = 0; at + CHANGE <= size && at < (size_t)MOST * CHANGE; at += CHANGE) {
        change(room, &image.size, &lost, data + at);
    }
    // Memory of just the file's size, so that a read beyond it is seen.
    image.base = malloc(image.size > 0 ? image.size : 1);
    fixture_must(image.base != NULL, "no memory");
    memcpy(image.base, room, image.size);
    free(room);
    enum statefile_found found;
    fixture_must(statefile_parse(&image, &found) == 0, "no memory");
    if (found == STATEFILE_GOOD) {
        image.behind = atomic_load(&layout_of(image.base)->behind) != 0;
        restore(&image, lost, size < CHANGE);
    }
    record_scan_free(&image);
    free(image.base);
    return 0;
}
