// SPDX-License-Identifier: Apache-2.0
/*
 * The same conversations with a fixture that caches lines and with one that does not: every reply, every series and
 * every figure must be the same. What is said is made of few pieces, so that much of it is cached, and is damaged
 * now and then; between the words series expire, sources leave, catalogues are loaded anew.
 */
#include "dialogue.h"
#include "native_text.h"
#include "unit.h"

static const char CATALOG[] =
    "labels:\n"
    "  outcome: {values: [success, error], closed: true, aliases: {ok: success}}\n"
    "metrics:\n"
    "- {name: a_total, type: counter, help: A., labels: [x, outcome], precreate: true}\n"
    "- {name: b_total, type: counter, help: B., labels: [x], series_limit: 4}\n"
    "- {name: c_seconds, type: histogram, help: C., labels: [x], buckets: [0.5, 1, 2.5]}\n"
    "- {name: d, type: gauge, help: D., labels: [x], owner: source}\n"
    "- {name: n_seconds, type: histogram, help: N., labels: [x], buckets: [1], native: {factor: "
    "1.2, max_buckets: 12}, ttl: 9s}\n"
    "- {name: e, type: gauge, help: E., labels: [x], ttl: 3s}\n"
    "- {name: f_info, type: gauge, help: F., labels: [x], owner: source}\n"
    "- {name: g, type: gauge, help: G., series_limit: 2, labels: [x]}\n"
    "events:\n"
    "- {name: done, labels: [x, outcome], value: {unit: seconds, optional: true}, updates: [{add: "
    "a_total},\n"
    "   {observe: c_seconds}, {observe: n_seconds}, {add: d, by: -1, when: {outcome: error}}]}\n";

enum { CLIENTS = 3, TURNS = 250, LIMIT = 60, LIMIT_PER_METRIC = 20 };

// X stands for a letter, N for a number, C for a count.
static const char *const PIECES[] = {
    "{\"metric\":\"a_total\",\"labels\":{\"x\":\"X\",\"outcome\":\"ok\"},\"value\":N}",
    "{\"metric\":\"a_total\",\"labels\":{\"x\":\"X\",\"outcome\":\"error\"}}",
    "{\"metric\":\"b_total\",\"labels\":{\"x\":\"X\"},\"value\":N }\r",
    "{\"metric\":\"c_seconds\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"metric\":\"c_seconds\",\"value\":N}",
    "{\"metric\":\"n_seconds\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"metric\":\"n_seconds\",\"labels\":{\"x\":\"X\"},\"values\":[N,N,N,N,N,N]}",
    "[{\"metric\":\"n_seconds\",\"labels\":{\"x\":\"X\"},\"value\":N},"
    "{\"metric\":\"n_seconds\",\"labels\":{\"x\":\"X\"},\"value\":N}]",
    "{\"metric\":\"d\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"metric\":\"d\",\"op\":\"add\",\"value\":N}",
    "{\"metric\":\"e\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"metric\":\"f_info\",\"labels\":{\"x\":\"X\"},\"value\":1}",
    "{\"metric\":\"g\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"outcome\":\"success\"},\"value\":N}",
    "{\"event\": \"done\", \"labels\": {\"x\": \"X\", \"outcome\": \"success\"}, \"value\": N}",
    "{\"event\":\"done\",\"value\":N,\"labels\":{\"x\":\"X\",\"outcome\":\"success\"} }",
    "{\"metric\": \"d\", \"labels\": {\"x\": \"X\"}, \"value\": N}",
    "{\"event\":\"done\",\"labels\":{\"outcome\":\"error\"},\"value\":N}",
    "{\"value\":N,\"event\":\"done\",\"labels\":{\"x\":\"X\",\"outcome\":\"error\"}}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"outcome\":\"success\"},\"count\":C}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"outcome\":\"error\"},\"count\":C}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"outcome\":\"success\"},\"values\":[N,N,N,N]}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"outcome\":\"error\"},\"values\":[N, N]}",
    "{\"values\":[N],\"event\":\"done\",\"labels\":{\"x\":\"X\",\"outcome\":\"success\"}}",
    "{\"metric\":\"c_seconds\",\"labels\":{\"x\":\"X\"},\"values\":[N,N,N]}",
    "{\"metric\":\"a_total\",\"labels\":{\"x\":\"X\",\"outcome\":\"ok\"},\"values\":[N,N]}",
    ("[{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"outcome\":\"ok\"},\"values\":[N,N]},"
     "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"outcome\":\"ok\"},\"count\":C}]"),
    "[{\"metric\":\"b_total\",\"labels\":{\"x\":\"X\"},\"value\":N}]",
    "{\"metric\":\"nope\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"sync\":N}",
    "{\"ping\":\"X\"}",
    "{\"forget\":{\"labels\":{\"x\":\"X\"}}}",
    " ",
    "no JSON X",
};

static const char *const HELLOS[] = {
    "",
    "{\"hello\":{\"component\":\"manager\"}}\n",
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"i\",\"labels\":{\"x\":\"X\"}}}\n",
    ("{\"hello\":{\"component\":\"provider\",\"instance\":\"j\",\"labels\":{\"x\":\"X\"},\"lost\":"
     "3}"
     "}\n"),
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"k\",\"session\":\"s\"}}\n",
};

static const char *const NUMBERS[] = {"1",
                                      "0",
                                      "2.5",
                                      "-1",
                                      "1e400",
                                      "01",
                                      "1e16",
                                      "0.1",
                                      "1e-3",
                                      "\"1\"",
                                      "false",
                                      "-0",
                                      "1.",
                                      "3e2",
                                      "1e308",
                                      "4503599627370496.5",
                                      "12345678901234567890"};

static const char *const COUNTS[] = {"1", "2",   "7",       "20", "1000000", "2", "3",
                                     "0", "1.5", "1000001", "-1", "1e2",     "4", "5"};

// Writes the piece with a letter and a number in it.
static void write_piece(struct buf *out, const char *piece, uint64_t *random)
{
    for (; *piece != '\0'; piece++) {
        if (*piece == 'X') {
            buf_char(out, (char)('a' + unit_random(random) % 6));
        } else if (*piece == 'C') {
            buf_str(out, COUNTS[unit_random(random) % (sizeof COUNTS / sizeof COUNTS[0])]);
        } else if (*piece == 'N' && unit_random(random) % 4 == 0) {
            buf_str(out, NUMBERS[unit_random(random) % (sizeof NUMBERS / sizeof NUMBERS[0])]);
        } else if (*piece == 'N') {
            buf_addf(out, "%.3f", (double)(unit_random(random) % 4000) / 1000);
        } else {
            buf_char(out, *piece);
        }
    }
}

static void write_lines(struct buf *out, uint64_t *random)
{
    for (uint64_t n = unit_random(random) % 60; n > 0; n--) {
        size_t from = out->len;
        write_piece(out, PIECES[unit_random(random) % (sizeof PIECES / sizeof PIECES[0])], random);
        if (unit_random(random) % 60 == 0) {
            out->p[from + unit_random(random) % (out->len - from)] = (char)unit_random(random);
        }
        buf_char(out, '\n');
    }
    if (unit_random(random) % 200 == 0) {
        for (int i = 0; i <= EVENT_MAX_LINE; i++) {
            buf_char(out, 'z');
        }
        buf_char(out, '\n');
    }
}

static struct catalog *load(bool changed)
{
    struct errs errs = ERRS_INIT;
    struct catalog *c = NULL;
    char text[sizeof CATALOG];
    memcpy(text, CATALOG, sizeof text);
    if (changed) {
        *strstr(text, "2.5") = '3'; // c_seconds starts anew
        *strchr(strstr(text, "limit: 4"), '4') = '6';
        *strchr(strstr(text, "ttl: 3s"), '3') = '9';
        *strchr(strstr(text, "max_buckets: 12"), '2') = '0';
    }
    fixture_must(catalog_load_bytes(&c, "c", text, strlen(text), &errs) == 0, "the catalogue");
    return c;
}

// What happens between the words.
static void disturb(struct fixture *h, uint64_t *random)
{
    static const struct schema_settings settings = {.limit = LIMIT,
                                                    .limit_per_metric = LIMIT_PER_METRIC};
    struct schema_change change;
    switch (unit_random(random) % 8) {
    case 0:
        ck_assert_int_eq(schema_reload(h->store, load(unit_random(random) % 2), &settings, &change),
                         0);
        break;
    case 1:
        h->p->now_ms += 40000;
        sources_tick(h->sources, h->store, h->p->now_ms);
        break;
    case 2:
    case 3:
        h->p->now_ms += 2000;
        ttl_expire(h->store, h->sources, (uint32_t)(h->p->now_ms / 1000));
        schema_reclaim(h->store);
        break;
    default:
        break;
    }
}

// A client's next words: sometimes it comes, greets, goes, or breaks off inside a line.
static void speak(struct fixture *h, struct dialogue *d, struct buf *seen, uint64_t *random)
{
    struct buf words = BUF_INIT;
    if (d->h == NULL) {
        dialogue_open(d, h);
        write_piece(&words, HELLOS[unit_random(random) % (sizeof HELLOS / sizeof HELLOS[0])],
                    random);
    }
    write_lines(&words, random);
    size_t whole = words.len;
    size_t part = unit_random(random) % 3 == 0 && whole > 0 ? unit_random(random) % whole : whole;
    buf_str(seen, dialogue_say(d, words.p, part));
    if (!d->c->closing && unit_random(random) % 2 == 0) {
        buf_str(seen, dialogue_say(d, words.p + part, whole - part));
    }
    if (d->c->closing || unit_random(random) % 10 == 0) {
        buf_str(seen, d->c->closing ? "" : dialogue_end(d));
        dialogue_close(d);
        *d = (struct dialogue){0};
    }
    buf_free(&words);
}

// All that is seen of the conversations of a seed, to be freed. Sets how many lines were cached.
static char *converse(uint64_t random, uint64_t cache, uint64_t *ret_hits)
{
    struct fixture h;
    struct dialogue clients[CLIENTS] = {{0}};
    struct buf seen = BUF_INIT;
    fixture_open(&h, CATALOG, LIMIT, LIMIT_PER_METRIC);
    ck_assert_int_eq(cache > 0 ? event_reader_cache(h.p->reader, cache) : 0, 0);
    for (int turn = 0; turn < TURNS; turn++) {
        speak(&h, &clients[unit_random(&random) % CLIENTS], &seen, &random);
        if (unit_random(&random) % 8 == 0) {
            disturb(&h, &random);
            buf_str(&seen, fixture_text_all(&h));
            native_text(h.store, &seen);
        }
    }
    buf_str(&seen, fixture_text_all(&h));
    native_text(h.store, &seen);
    *ret_hits = count_read(&h.p->stats->cache_hits);
    for (int i = 0; i < CLIENTS; i++) {
        if (clients[i].h != NULL) {
            dialogue_close(&clients[i]);
        }
    }
    fixture_close(&h);
    ck_assert_ptr_nonnull(buf_string(&seen));
    return seen.p;
}

static void compare(uint64_t seed, uint64_t cache)
{
    uint64_t hits;
    char *parsed = converse(seed, 0, &hits);
    ck_assert_uint_eq(hits, 0);
    char *cached = converse(seed, cache, &hits);
    ck_assert_uint_gt(hits, 50);
    size_t at = 0;
    while (parsed[at] != '\0' && parsed[at] == cached[at]) {
        at++;
    }
    ck_assert_msg(parsed[at] == cached[at], "%.300s\n%.300s", parsed + (at > 200 ? at - 200 : 0),
                  cached + (at > 200 ? at - 200 : 0));
    free(parsed);
    free(cached);
}

START_TEST(conversations_are_the_same_with_and_without_a_memory)
{
    uint64_t seed = unit_seed() | 1;
    for (int i = 0; i < 10; i++) {
        compare(unit_random(&seed) | 1, 1 << 20);
    }
}
END_TEST

START_TEST(so_they_are_when_the_memory_is_too_small)
{
    uint64_t seed = unit_seed() | 1;
    for (int i = 0; i < 10; i++) {
        compare(unit_random(&seed) | 1, 16 << 10);
    }
}
END_TEST

// A catalogue with an event that changes as many words as one can: it observes in each of its updates a histogram with as many
// bounds and native buckets as there may be.
static void add_largest_catalog(struct buf *out)
{
    buf_str(out, "buckets:\n  all: [");
    for (int i = 1; i <= CATALOG_MAX_BOUNDS; i++) {
        buf_addf(out, "%s%g", i > 1 ? ", " : "", i * 0.15);
    }
    buf_str(out, "]\nmetrics:\n");
    for (int i = 0; i < CATALOG_MAX_UPDATES; i++) {
        buf_addf(out,
                 "- {name: h%d_seconds, type: histogram, help: H., buckets: all, native: "
                 "{factor: 1.001, max_buckets: %d}}\n",
                 i, NATIVE_BUCKETS_MOST);
    }
    buf_str(out, "events:\n- {name: all, value: seconds, updates: [");
    for (int i = 0; i < CATALOG_MAX_UPDATES; i++) {
        buf_addf(out, "%s{observe: h%d_seconds}", i > 0 ? ", " : "", i);
    }
    buf_str(out, "]}\n");
}

// As many values as there may be, each in a bucket of its own.
static void add_largest_line(struct buf *out)
{
    double v = 1;
    buf_str(out, "{\"event\":\"all\",\"values\":[");
    for (int i = 0; i < SAMPLE_MAX_VALUES; i++) {
        buf_addf(out, "%s%.6f", i > 0 ? "," : "", v);
        v *= 1.003;
    }
    buf_str(out, "]}\n");
}

START_TEST(a_session_takes_the_line_that_changes_most)
{
    enum { LINES = 3 };
    struct fixture h;
    struct dialogue d;
    struct buf catalog = BUF_INIT;
    struct buf line = BUF_INIT;
    struct buf native = BUF_INIT;
    add_largest_catalog(&catalog);
    add_largest_line(&line);
    fixture_open(&h, buf_string(&catalog), LIMIT, LIMIT_PER_METRIC);
    ck_assert_int_eq(event_reader_cache(h.p->reader, 1 << 20), 0);
    dialogue_open(&d, &h);
    dialogue_line(
        &d, "{\"hello\":{\"component\":\"provider\",\"instance\":\"s\",\"session\":\"one\"}}\n");
    for (int i = 0; i < LINES; i++) {
        ck_assert_str_eq(dialogue_say(&d, line.p, line.len), "");
    }
    ck_assert_str_eq(dialogue_line(&d, "{\"sync\":1}\n"),
                     "{\"sync\":1,\"applied\":3,\"rejected\":0}\n");
    const char *text = fixture_text(&h);
    native_text(h.store, &native);
    const char *lowest = " schema 8, 0 up to 0x1p-128: +0=3 +2=3 +3=3 +4=3 ";
    for (int i = 0; i < CATALOG_MAX_UPDATES; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\nh%d_seconds_count %d\n", i, LINES * SAMPLE_MAX_VALUES);
        ck_assert_ptr_nonnull(strstr(text, wanted));
        snprintf(wanted, sizeof wanted, "h%d_seconds{}%.30s", i, lowest);
        ck_assert_msg(strstr(buf_string(&native), wanted) != NULL, "%.200s", native.p);
    }
    const struct redo_area *area = layout_redo(h.store->share.base, 0);
    ck_assert_uint_ne(atomic_load(&area->more[REDO_PIECES - 1]), 0);
    dialogue_close(&d);
    fixture_close(&h);
    buf_free(&native);
    buf_free(&line);
    buf_free(&catalog);
}
END_TEST

UNIT_MAIN("cache_dialogue", conversations_are_the_same_with_and_without_a_memory,
          so_they_are_when_the_memory_is_too_small, a_session_takes_the_line_that_changes_most)
