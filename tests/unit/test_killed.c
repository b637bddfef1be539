// SPDX-License-Identifier: Apache-2.0
// A daemon killed between any two instructions of its lines: what the arena's file holds then is what the next
// process counts on. A child deals with the lines, stopped after each instruction.
#include "dialogue.h"
#include "stepped.h"

#include <sys/mman.h>

static const char CATALOG[] =
    "labels:\n"
    "  c: {values: [y, z], closed: true}\n"
    "metrics:\n"
    "  - {name: a_total, type: counter, help: h, component: any, labels: [x]}\n"
    "  - {name: b_seconds, type: histogram, help: h, component: any, labels: [x], buckets: [1],\n"
    "     native: {max_buckets: 2}}\n"
    "  - {name: d_total, type: counter, help: h, component: any, labels: [x, c], precreate: true}\n"
    "  - {name: g, type: gauge, help: h, component: any, labels: [x], owner: source}\n"
    "events:\n"
    "  - {name: e, labels: [x], value: seconds,\n"
    "     updates: [{add: a_total}, {observe: b_seconds}, {set: g}, {add: a_total, by: 2}]}\n"
    "  - {name: d, labels: [x, c], updates: [{add: d_total}, {add: a_total}]}\n";

#define HELLO "{\"hello\":{\"component\":\"provider\",\"instance\":\"s\",\"session\":\"one\"}}\n"
#define E(x, v) "{\"event\":\"e\",\"labels\":{\"x\":\"" x "\"},\"value\":" v "}\n"
#define D(x) "{\"event\":\"d\",\"labels\":{\"x\":\"" x "\",\"c\":\"y\"}}\n"

// What one session counted, over all series.
struct tally {
    double a;
    double b_sum;
    double d;
    uint64_t b_count;
    uint64_t applied;
    uint64_t rejected;
    uint64_t position;
};

// Lines and what each of them adds: cached, new to the cache, with series that are new, refused, control lines.
static const struct {
    const char *line;
    struct tally adds;
} LINES[] = {
    {E("1", "0.5"), {3, 0.5, 0, 1, 1, 0, 1}},
    {E("2", "2.5"), {3, 2.5, 0, 1, 1, 0, 1}},
    {"nonsense\n", {0, 0, 0, 0, 0, 1, 1}},
    {"\n", {.position = 0}},
    {"{\"metric\":\"a_total\",\"labels\":{\"x\":\"1\"},\"value\":0.25}\n",
     {0.25, 0, 0, 0, 1, 0, 1}},
    {"{\"hello\":{\"lost\":5}}\n", {.position = 0}},
    {"[]\n", {0, 0, 0, 0, 0, 1, 1}},
    {D("3"), {1, 0, 1, 0, 1, 0, 1}},
    {"{\"ping\":1}\n", {.position = 0}},
    {E("1", "1.5"), {3, 1.5, 0, 1, 1, 0, 1}},
    {"{\"metric\":\"none\"}\n", {0, 0, 0, 0, 0, 1, 1}},
    {E("1", "0.125"), {3, 0.125, 0, 1, 1, 0, 1}},
};

// A sanitiser makes each line many times longer, and changes nothing of what is tried here.
#if defined(__SANITIZE_THREAD__)
enum { N_LINES = 1 };
#elif defined(__SANITIZE_ADDRESS__)
enum { N_LINES = 3 };
#else
enum { N_LINES = sizeof LINES / sizeof LINES[0] };
#endif
enum { WARM = 3 };

static struct fixture h;
static struct dialogue d;
static struct tally expected[WARM + N_LINES + 1]; // after each number of counted lines
static unsigned n_expected;

static void expect(const struct tally *adds)
{
    const struct tally *last = &expected[n_expected];
    expected[++n_expected] = (struct tally){last->a + adds->a,
                                            last->b_sum + adds->b_sum,
                                            last->d + adds->d,
                                            last->b_count + adds->b_count,
                                            last->applied + adds->applied,
                                            last->rejected + adds->rejected,
                                            last->position + adds->position};
}

static const struct table *table_of(const char *name)
{
    const struct schema *schema = schema_current(h.store);
    int at = catalog_find_metric(schema->catalog, name, strlen(name));
    return schema->families[at].table;
}

static void add_counter(struct record_image *image, const char *name, uint32_t handle, double *sum)
{
    const struct table *t = table_of(name);
    const struct cell_counter *c = record_image_cell(image, handle, 0, t->cell_size);
    if (record_at(image->base, handle)->signature == t->signature && c != NULL) {
        *sum += (double)atomic_load(&c->whole) + atomic_load(&c->rest);
    }
}

// The native buckets have what the classic ones have, whether or not they were rebuilt for this line.
static void check_native(struct record_image *image, uint32_t handle, uint64_t classic)
{
    const struct record *r = record_at(image->base, handle);
    uint32_t piece = native_lane_piece(r, 0);
    const struct native_block *b = record_image_piece(image, handle, RECORD_MAX_LANES, piece,
                                                      native_block_size(NATIVE_SLOTS_FIRST));
    uint64_t native = 0;
    for (uint32_t i = 0; b != NULL && i <= native_slots(b); i++) {
        native += atomic_load(&b->slot[i].count);
    }
    ck_assert(b == NULL || native_block_is_good(b, native_block_size(native_slots(b))));
    ck_assert_uint_eq(native, classic);
}

static void add_series(struct record_image *image, uint32_t handle, struct tally *ret)
{
    const struct table *b = table_of("b_seconds");
    const struct record *r = record_at(image->base, handle);
    if (r->signature == b->signature) {
        const struct cell_histogram *c = record_image_cell(image, handle, 0, b->cell_size);
        if (c != NULL) {
            uint64_t count = atomic_load(&c->counts[0]) + atomic_load(&c->counts[1]);
            check_native(image, handle, count);
            ret->b_count += count;
            ret->b_sum += atomic_load(&c->sum);
        }
    } else if (r->signature == table_of("a_total")->signature) {
        add_counter(image, "a_total", handle, &ret->a);
    } else if (r->signature == table_of("d_total")->signature) {
        add_counter(image, "d_total", handle, &ret->d);
    }
}

static void add_account(struct record_image *image, uint32_t handle, struct tally *ret,
                        uint64_t *lost)
{
    const struct statistics *c = record_image_cell(image, handle, 0, sizeof *c);
    if (c != NULL) {
        ret->applied += atomic_load(&c->applied);
        *lost += atomic_load(&c->lost);
        for (unsigned r = 0; r < REJECT_COUNT; r++) {
            ret->rejected += atomic_load(&c->rejected[r]);
        }
    }
}

// What the next process would read of these bytes of the arena.
static struct tally read_image(char *bytes, uint64_t size)
{
    struct record_image image = {.base = bytes, .size = size, .seed = layout_of(bytes)->seed};
    struct tally t = {0};
    uint64_t lost = 0;
    redo_replay(layout_redo(bytes, 0), bytes, ARENA_RESERVED, size);
    ck_assert_int_eq(record_scan(&image), 0);
    for (size_t i = 0; i < image.n; i++) {
        const struct record *r = record_at(bytes, image.handles[i]);
        if (r->kind == RECORD_SERIES) {
            add_series(&image, image.handles[i], &t);
        } else if (r->kind == RECORD_COMPONENT) {
            add_account(&image, image.handles[i], &t, &lost);
        } else if (r->kind == RECORD_SESSION) {
            const struct session_saved *saved = record_payload(r);
            t.position = atomic_load(&r->word);
            lost -= atomic_load(&saved->lost);
        }
    }
    ck_assert_uint_eq(image.damaged, 0);
    ck_assert_uint_eq(lost, 0); // that of the account is that of the session
    record_scan_free(&image);
    return t;
}

static void open_all(void)
{
    fixture_open(&h, CATALOG, 100, 100);
    ck_assert_int_eq(event_reader_cache(h.p->reader, 1 << 20), 0);
    dialogue_open(&d, &h);
    dialogue_line(&d, HELLO);
    n_expected = 0;
    memset(expected, 0, sizeof expected);
    for (int i = 0; i < WARM; i++) {
        dialogue_line(&d, E("1", "4"));
        expect(&(struct tally){3, 4, 0, 1, 1, 0, 1});
    }
    // What came before is where the test begins.
    expected[0] = expected[n_expected];
    n_expected = 0;
    int fd = memfd_create("arena", MFD_CLOEXEC);
    ck_assert_int_eq(arena_attach(h.store->share.arena, fd), 0);
    for (unsigned i = 0; i < N_LINES; i++) {
        dialogue_send(&d, LINES[i].line, strlen(LINES[i].line));
        if (LINES[i].adds.position > 0) {
            expect(&LINES[i].adds);
        }
    }
}

static void read_what_was_sent(void)
{
    dialogue_read(&d);
}

// Whether the child has changed the redo page or what stands behind the fixed part; keeps what it is now.
static bool changed(char *before, const char *base, size_t size)
{
    static const size_t redo = LAYOUT_REDO_AT;
    bool same = memcmp(before + redo, base + redo, sizeof(struct redo_area)) == 0 &&
                memcmp(before + ARENA_RESERVED, base + ARENA_RESERVED, size - ARENA_RESERVED) == 0;
    if (!same) {
        memcpy(before, base, size);
    }
    return !same;
}

START_TEST(each_line_of_a_session_counts_whole_or_not_at_all)
{
    open_all();
    char *base = h.store->share.base;
    size_t size = arena_used(h.store->share.arena);
    char *before = malloc(size);
    char *left = malloc(size);
    pid_t child = stepped_start(read_what_was_sent);
    unsigned counted = 0;
    unsigned moments = 0;
    unsigned steps = 0;
    unsigned marked = 0; // with a line that only its record knows whole
    memcpy(before, base, size);
    while (stepped_step(child)) {
        steps++;
        if (!changed(before, base, size)) {
            continue;
        }
        memcpy(left, base, size);
        marked += atomic_load(&((struct redo_area *)layout_redo(left, 0))->committed) != 0;
        moments++;
        struct tally t = read_image(left, size);
        counted += counted < n_expected && t.position == expected[counted + 1].position;
        ck_assert_msg(memcmp(&t, &expected[counted], sizeof t) == 0,
                      "after %u lines: a %g b %g/%lu d %g applied %lu rejected %lu position %lu",
                      counted, t.a, t.b_sum, (unsigned long)t.b_count, t.d,
                      (unsigned long)t.applied, (unsigned long)t.rejected,
                      (unsigned long)t.position);
    }
    printf("%u steps, %u moments, %u of them in the middle of a line's stores\n", steps, moments,
           marked);
    ck_assert_uint_eq(counted, n_expected);
    ck_assert_uint_ge(marked, 2 * counted);
    free(before);
    free(left);
    dialogue_close(&d);
    fixture_close(&h);
}
END_TEST

UNIT_MAIN("killed", each_line_of_a_session_counts_whole_or_not_at_all)
