// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_template: lines that one reader recognises by templates and another one parses, each of them at the beginning or the
 * end of a page beside which nothing may be touched. Both must say the same of each line, and have the same series. A line's
 * compact form must be the same with and without wide instructions.
 *
 * The input is lines. A line `!N` is no line but changes what comes next: the origin (its defaults, its permission), or the
 * catalogue (a reload). The same input is also what a client says over a connection, once with and once without templates:
 * there `!N` is the end of a connection and another hello, time that passes, so that series expire, a reload, or into how
 * small pieces the next lines are split. All replies, series and own metrics must be the same.
 */
#include "base/rcu.h"
#include "catalog/load.h"
#include "dialogue.h"
#include "event/bytes.c"
#include "event/event.h"
#include "expose/expose.h"
#include "fuzz.h"
#include "native_text.h"

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

enum { PAGE = 4096, MOST_INPUT = 16384, ROOM = 5 * PAGE, CACHE = 1 << 20, LITTLE = 64 << 10 };

static const char CATALOG[] =
    "labels:\n"
    "  o: {values: [good, bad], closed: true, aliases: {ok: good}}\n"
    "  e: {values: [none], empty: none}\n"
    "metrics:\n"
    "- {name: a_total, type: counter, help: A., labels: [x, o], ignored_labels: [z]}\n"
    "- {name: b_total, type: counter, help: B., labels: [x, e], series_limit: 6}\n"
    "- {name: c_seconds, type: histogram, help: C., labels: [x], buckets: [0.5, 1]}\n"
    "- {name: d, type: gauge, help: D., labels: [x], owner: source}\n"
    "- {name: n_seconds, type: histogram, help: N., labels: [x], buckets: [1], native: {factor: "
    "1.2, max_buckets: 12}}\n"
    "- {name: g, type: gauge, help: G., labels: []}\n"
    "- {name: t, type: gauge, help: T., labels: [x], ttl: 3s}\n"
    "- {name: i_info, type: gauge, help: I., labels: [x], owner: source}\n"
    "events:\n"
    "- {name: done, labels: [x, o], value: {unit: seconds, optional: true}, updates: [{add: "
    "a_total},\n"
    "   {observe: c_seconds}, {observe: n_seconds}, {add: d, by: -1, when: {o: bad}}]}\n"
    "- {name: seen, labels: [x, e], updates: [{add: b_total}]}\n";

struct side {
    struct series_store *store;
    struct series_writer writer;
    struct event_reader *reader;
};

static const struct schema_settings SETTINGS = {.limit = 60, .limit_per_metric = 20};

static struct catalog *catalog(void)
{
    struct errs errs = ERRS_INIT;
    struct catalog *c = NULL;
    must(catalog_load_bytes(&c, "c", CATALOG, sizeof CATALOG - 1, &errs) == 0, "the catalogue");
    return c;
}

static void open_side(struct side *s, uint64_t cache)
{
    *s = (struct side){0};
    must(schema_open(&s->store, catalog(), &SETTINGS, 1, 100, 200) == 0, "no memory");
    must(event_reader_new(&s->reader, s->store, &s->writer) == 0, "no memory");
    must(cache == 0 || event_reader_cache(s->reader, cache) == 0, "no memory");
}

static void close_side(struct side *s)
{
    event_reader_free(s->reader);
    schema_close(s->store);
}

static void expose(struct side *s, struct buf *out)
{
    const struct schema *schema = schema_current(s->store);
    struct format_sink sink = format_sink_text(out);
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        must(expose_family(&sink, &(struct format){.kind = FORMAT_OPENMETRICS},
                           &schema->families[i], TABLE_WALK_ALL) == 0,
             "no memory");
    }
    native_text(s->store, out);
}

// ---- The origin of the next lines, and the pages that they are in

struct world {
    struct side with;
    struct side without;
    struct origin origin;
    struct origin_defaults defaults;
    struct permission permission;
    uint8_t metrics[2];
    char *room;
    bool at_end;
};

static char X[] = "x";
static char E[] = "e";
static char VALUE[] = "v";

static void set_origin(struct world *w, unsigned what)
{
    w->defaults =
        (struct origin_defaults){.n = what % 3, .names = {X, E}, .values = {VALUE, VALUE}};
    w->metrics[0] = (uint8_t)(what % 4 == 1 ? 0x2D : 0xFF);
    w->permission =
        (struct permission){.number = 1 + what % 4, .name = "sources[0]", .metrics = w->metrics};
    w->origin = (struct origin){
        .defaults = w->defaults.n > 0 ? &w->defaults : NULL,
        .permission = what % 4 > 0 ? &w->permission : NULL,
        .owner = {.updater_id = 1 + what % 2, .lease = 101 + what % 2, .now_s = 100},
    };
    w->origin.context = event_origin_number(w->with.reader, &w->origin, what % 2);
}

static void change(struct world *w, unsigned what)
{
    struct schema_change ret;
    if (what == 9) {
        must(schema_reload(w->with.store, catalog(), &SETTINGS, &ret) == 0 &&
                 schema_reload(w->without.store, catalog(), &SETTINGS, &ret) == 0,
             "no memory");
    } else {
        set_origin(w, what);
    }
}

static void compare(struct world *w, const char *line, size_t len)
{
    static struct event_result a;
    static struct event_result b;
    char *at = w->at_end ? w->room + PAGE + ROOM - len : w->room + PAGE;
    memcpy(at, line, len);
    w->at_end = !w->at_end;
    struct origin other = w->origin;
    other.context = 0;
    event_line(w->with.reader, &w->origin, at, len, &a);
    event_line(w->without.reader, &other, at, len, &b);
    bool same = a.kind == b.kind;
    if (same && a.kind == EVENT_REJECTED) {
        same = a.rejection.reason == b.rejection.reason &&
               a.rejection.element == b.rejection.element &&
               strcmp(a.rejection.detail, b.rejection.detail) == 0 &&
               strcmp(a.rejection.name, b.rejection.name) == 0;
    }
    if (!same) {
        fprintf(stderr, "%.*s\n%d %d %s %s\n%d %d %s %s\n", (int)len, line, a.kind,
                a.rejection.reason, a.rejection.name, a.rejection.detail, b.kind,
                b.rejection.reason, b.rejection.name, b.rejection.detail);
        abort();
    }
}

// Takes away what differs by when it is asked: an exemplar without a time has that of the clock, and one with a time says how far
// the clock is off.
static void drop_now(char *text)
{
    static const char difference[] = "virtrigaud_exporter_clock_difference_seconds{";
    for (char *at = text; (at = strstr(at, difference)) != NULL;) {
        memmove(at, at + strcspn(at, "\n"), strlen(at + strcspn(at, "\n")) + 1);
    }
    char now[16];
    snprintf(now, sizeof now, "%lld", (long long)time(NULL));
    now[6] = '\0'; // this day
    for (char *at = text; (at = strstr(at, now)) != NULL;) {
        size_t len = strspn(at, "0123456789.");
        memmove(at, at + len, strlen(at + len) + 1);
    }
}

static void compare_all(struct world *w)
{
    struct buf a = BUF_INIT;
    struct buf b = BUF_INIT;
    expose(&w->with, &a);
    expose(&w->without, &b);
    must(buf_string(&a) != NULL && buf_string(&b) != NULL, "no memory");
    drop_now(a.p);
    drop_now(b.p);
    if (strcmp(a.p, b.p) != 0) {
        fprintf(stderr, "%s---\n%s", a.p, b.p);
        must(false, "other series");
    }
    buf_free(&a);
    buf_free(&b);
}

static void run(const char *text, uint64_t cache)
{
    static struct world world;
    struct world *w = &world;
    *w = (struct world){0};
    w->room =
        mmap(NULL, ROOM + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(w->room != MAP_FAILED && mprotect(w->room, PAGE, PROT_NONE) == 0 &&
             mprotect(w->room + PAGE + ROOM, PAGE, PROT_NONE) == 0,
         "no memory");
    rcu_join();
    open_side(&w->with, cache);
    open_side(&w->without, 0);
    set_origin(w, 0);
    for (const char *line = text, *end; *line != '\0'; line = *end != '\0' ? end + 1 : end) {
        end = line + strcspn(line, "\n");
        if (line[0] == '!') {
            change(w, (unsigned)(unsigned char)(line[1] - '0') % 10);
        } else if (end > line) {
            rcu_enter();
            compare(w, line, (size_t)(end - line));
            rcu_leave();
        }
    }
    compare_all(w);
    close_side(&w->with);
    close_side(&w->without);
    rcu_part();
    munmap(w->room, ROOM + 2 * PAGE);
}

// ---- The same as a conversation

struct talk {
    struct fixture h;
    struct dialogue client;
    struct buf said; // and not sent yet
    struct buf seen;
    size_t piece; // bytes of a read; 0: all
};

static const char *const HELLOS[] = {
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"i\",\"session\":\"s\"}}\n",
    ("{\"hello\":{\"component\":\"provider\",\"instance\":\"i\",\"session\":\"s\",\"labels\":{"
     "\"x\":"
     "\"v\"}}}\n"),
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"j\",\"labels\":{\"x\":\"v\"}}}\n",
    "{\"hello\":{\"component\":\"manager\"}}\n",
};

static void say_all(struct talk *t)
{
    size_t piece = t->piece > 0 ? t->piece : t->said.len;
    for (size_t at = 0; at < t->said.len && !t->client.c->closing; at += piece) {
        size_t rest = t->said.len - at;
        buf_str(&t->seen, dialogue_say(&t->client, t->said.p + at, rest < piece ? rest : piece));
    }
    buf_clear(&t->said);
}

static void come_again(struct talk *t, const char *hello)
{
    if (!t->client.c->closing) {
        buf_str(&t->seen, dialogue_end(&t->client));
    }
    dialogue_close(&t->client);
    dialogue_open(&t->client, &t->h);
    buf_str(&t->said, hello);
}

static void pass_time(struct talk *t, int64_t ms)
{
    struct fixture *h = &t->h;
    h->p->now_ms += ms;
    sources_tick(h->sources, h->store, h->p->now_ms);
    ttl_expire(h->store, h->sources, (uint32_t)(h->p->now_ms / 1000));
    schema_reclaim(h->store);
}

static void interrupt(struct talk *t, unsigned what)
{
    static const size_t pieces[] = {0, 200, 37};
    struct schema_change ret;
    say_all(t);
    if (what < 4) {
        come_again(t, HELLOS[what]);
    } else if (what < 6) {
        pass_time(t, what == 4 ? 2000 : 40000);
    } else if (what < 9) {
        t->piece = pieces[what - 6];
    } else {
        must(schema_reload(t->h.store, catalog(), &SETTINGS, &ret) == 0, "no memory");
    }
}

// All that is seen of it, to be freed.
static char *converse(const char *text, uint64_t cache)
{
    static struct talk talk;
    struct talk *t = &talk;
    *t = (struct talk){0};
    fixture_open(&t->h, CATALOG, SETTINGS.limit, SETTINGS.limit_per_metric);
    must(cache == 0 || event_reader_cache(t->h.p->reader, cache) == 0, "no memory");
    dialogue_open(&t->client, &t->h);
    for (const char *line = text, *end; *line != '\0'; line = *end != '\0' ? end + 1 : end) {
        end = line + strcspn(line, "\n");
        if (line[0] == '!') {
            interrupt(t, (unsigned)(unsigned char)(line[1] - '0') % 10);
        } else {
            buf_add(&t->said, line, (size_t)(end - line));
            buf_char(&t->said, '\n');
        }
    }
    say_all(t);
    buf_str(&t->seen, fixture_text_all(&t->h));
    native_text(t->h.store, &t->seen);
    must(buf_string(&t->seen) != NULL, "no memory");
    dialogue_close(&t->client);
    fixture_close(&t->h);
    buf_free(&t->said);
    drop_now(t->seen.p);
    return t->seen.p;
}

static void compare_talks(const char *text)
{
    char *parsed = converse(text, 0);
    char *recognised = converse(text, CACHE);
    if (strcmp(parsed, recognised) != 0) {
        fprintf(stderr, "%s---\n%s", parsed, recognised);
        must(false, "another conversation");
    }
    free(parsed);
    free(recognised);
}

static void compact_both(const char *line, size_t len)
{
    static char forms[2][MOST_INPUT + BYTES_COMPACT_SLACK];
    size_t n = bytes_compact(forms[0], line, len);
    must(write_plain(forms[1], line, len) == n, "lengths of compact forms");
    must(memcmp(forms[0], forms[1], n) == 0, "compact forms");
}

static void compact_lines(const char *text, size_t size)
{
    for (const char *end = text + size; text < end;) {
        const char *lf = memchr(text, '\n', (size_t)(end - text));
        size_t len = (size_t)((lf != NULL ? lf : end) - text);
        compact_both(text, len);
        text += len + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > MOST_INPUT) {
        return 0;
    }
    compact_lines((const char *)data, size);
    char *text = text_of(data, size);
    run(text, CACHE);
    run(text, LITTLE);
    compare_talks(text);
    free(text);
    return 0;
}

// ---- Inputs that mean something

// X, E and O stand for values of labels, N for a number, T for a time, C for a count, L for a list.
static const char *const LINES[] = {
    "{\"metric\":\"a_total\",\"labels\":{\"x\":\"X\",\"o\":\"O\"},\"value\":N}",
    "{\"metric\":\"a_total\",\"labels\":{\"o\":\"O\",\"x\":\"X\",\"z\":\"X\"}}",
    "{\"metric\":\"a_total\",\"labels\":{\"o\":\"O\"},\"value\":N}",
    "{\"metric\":\"b_total\",\"labels\":{\"x\":\"X\",\"e\":\"E\"},\"value\":N}",
    "{\"metric\":\"c_seconds\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"metric\":\"d\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"metric\":\"d\",\"labels\":{\"x\":\"X\"},\"op\":\"add\",\"value\":N}",
    "{\"metric\":\"g\",\"value\":N}",
    "{\"metric\":\"t\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"metric\":\"i_info\",\"labels\":{\"x\":\"X\"},\"value\":1}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"o\":\"O\"},\"value\":N}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"o\":\"O\"}}",
    "{\"value\":N,\"event\":\"done\",\"labels\":{\"o\":\"O\",\"x\":\"X\"}}",
    "{\"labels\":{\"x\":\"X\",\"o\":\"O\"},\"event\":\"done\",\"value\":N}",
    "{\"event\":\"seen\",\"labels\":{\"x\":\"X\",\"e\":\"E\"}}",
    "{\"event\":\"seen\",\"labels\":{\"x\":\"X\"}}",
    ("{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"o\":\"O\"},"
     "\"exemplar\":{\"labels\":{\"t\":\"X\"},\"timestamp\":T},\"value\":N}"),
    ("{\"metric\":\"a_total\",\"labels\":{\"x\":\"X\",\"o\":\"O\"},"
     "\"exemplar\":{\"labels\":{\"t\":\"X\",\"u\":\"X\"},\"timestamp\":T}}"),
    "{\"metric\":\"d\",\"value\":N,\"exemplar\":{\"timestamp\":T,\"labels\":{}}}",
    "{\"metric\":\"a_total\",\"labels\":{\"x\":\"X\",\"o\":\"ok\"},\"exemplar\":{}}",
    ("{\"metric\":\"a_total\",\"labels\":{\"x\":\"X\",\"o\":\"ok\"},"
     "\"exemplar\":{\"labels\":{\"1\":\"X\"}}}"),
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"o\":\"O\"},\"count\":C}",
    "{\"count\":C,\"event\":\"seen\",\"labels\":{\"x\":\"X\",\"e\":\"E\"}}",
    "{\"event\":\"seen\",\"labels\":{\"x\":\"X\",\"e\":\"E\"},\"count\":C}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"o\":\"O\"},\"values\":[L]}",
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"o\":\"bad\"},\"values\":[L]}",
    "{\"values\":[L],\"event\":\"done\",\"labels\":{\"x\":\"X\",\"o\":\"O\"}}",
    "{\"metric\":\"c_seconds\",\"labels\":{\"x\":\"X\"},\"values\":[L]}",
    "{\"metric\":\"d\",\"labels\":{\"x\":\"X\"},\"values\":[L]}",
    ("{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"o\":\"O\"},\"values\":[L],"
     "\"exemplar\":{\"labels\":{\"t\":\"X\"},\"timestamp\":T}}"),
    ("{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"o\":\"O\"},"
     "\"exemplar\":{\"labels\":{\"t\":\"X\"}},\"count\":C}"),
    "{\"event\":\"done\",\"labels\":{\"x\":\"X\",\"o\":\"O\"},\"count\":C,\"values\":[L]}",
    "{\"metric\":\"a_total\",\"labels\":{\"x\":\"X\",\"o\":\"ok\"},\"exemplar\":N}",
    "{\"metric\":\"t\",\"value\":N}",
    "{\"metric\":\"c_seconds\",\"labels\":{},\"value\":N}",
    "{\"event\":\"done\",\"labels\":{\"o\":\"O\"},\"value\":N}",
    "{\"event\":\"seen\",\"count\":C}",
    "{\"metric\":\"nope\",\"labels\":{\"x\":\"X\"},\"value\":N}",
    "{\"sync\":N}",
};

static const char *const VALUES[] = {
    "a",
    "b",
    "c",
    "",
    "\xc3\xa9",
    "\xff",
    "\\u0061",
    "a\\\"",
    "\"",
    "none",
    "x y",
    "a value that is longer than a block of thirty-two bytes is",
    "\x7f",
    "\t",
    "ok",
    "good",
    ("a value of more than a hundred and twenty-eight characters, which is more than an exemplar "
     "may have, all of its labels together, in this protocol"),
};

static const char *const OUTCOMES[] = {"ok", "good", "bad", "ugly", "", "GOOD"};

static const char *const NUMBERS[] = {
    "1",
    "0",
    "-1",
    "2.5",
    "0.25",
    "1e5",
    "1E-3",
    "-0",
    "1e15",
    "1e16",
    "1e308",
    "1e400",
    "01",
    "1.",
    ".5",
    "null",
    "\"1\"",
    "true",
    "17",
    "0.1234567890123456789",
    "12345678901234567890",
    "9007199254740993",
    "4.9e-324",
    "1 2",
    "- 1",
    " 3 ",
    "4294967297",
};

static const char *const TIMES[] = {"1700000000.5", "1600000000", "1",    "-1",
                                    "1e18",         "\"1\"",      "null", "1700000000.123456789",
                                    "946684800"};

static const char *const COUNTS[] = {"1",  "2",   "30",   "1000000", "0",  "1000001", "1.5",
                                     "-1", "1e3", "null", "1.0",     "01", "1e400",   "[1]"};

static uint64_t draw(uint64_t *random, uint64_t below)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random % below;
}

#define ONE_OF(list) list[draw(random, sizeof list / sizeof list[0])]

static const char *word_of(char letter, uint64_t *random)
{
    bool usual = draw(random, 8) != 0;
    return letter == 'X'   ? (usual ? VALUES[draw(random, 3)] : ONE_OF(VALUES))
           : letter == 'E' ? ONE_OF(VALUES)
           : letter == 'O' ? ONE_OF(OUTCOMES)
           : letter == 'N' ? (usual ? NUMBERS[draw(random, 6)] : ONE_OF(NUMBERS))
           : letter == 'C' ? (usual ? COUNTS[draw(random, 4)] : ONE_OF(COUNTS))
           : letter == 'T' ? ONE_OF(TIMES)
                           : NULL;
}

// Rarely as long as lists may be.
static void write_list(struct buf *out, uint64_t *random)
{
    uint64_t most = draw(random, 40) == 0 ? SAMPLE_MAX_VALUES + 1 : draw(random, 8);
    for (uint64_t n = 0; n < most; n++) {
        buf_str(out, n > 0 ? "," : "");
        buf_str(out, most > 8 ? "1" : draw(random, 30) == 0 ? "[]" : word_of('N', random));
    }
}

static void write_line(struct buf *out, uint64_t *random)
{
    bool blanks = draw(random, 5) == 0;
    for (const char *p = ONE_OF(LINES); *p != '\0'; p++) {
        if (*p == 'L') {
            write_list(out, random);
            continue;
        }
        const char *word = word_of(*p, random);
        word != NULL ? buf_str(out, word) : buf_char(out, *p);
        if (blanks && strchr("{,:}", *p) != NULL && draw(random, 2) == 0) {
            buf_str(out, draw(random, 2) == 0 ? " " : "\t ");
        }
    }
}

static void write_change(struct buf *out, uint64_t *random)
{
    buf_addf(out, "!%u\n", (unsigned)draw(random, 10));
}

static void write_step(struct buf *out, uint64_t *random)
{
    uint64_t how = draw(random, 16);
    if (how == 0) {
        write_change(out, random);
        return;
    }
    if (how < 3) {
        buf_char(out, '[');
        for (uint64_t n = 1 + draw(random, 4); n > 0; n--) {
            write_line(out, random);
            buf_str(out, n > 1 ? "," : "]");
        }
    } else {
        write_line(out, random);
    }
    buf_char(out, '\n');
}

// A line that the cache knows before and after changes, of which some make it mean something else.
static void write_scene(struct buf *out, uint64_t *random)
{
    struct buf line = BUF_INIT;
    write_line(&line, random);
    buf_char(&line, '\n');
    for (uint64_t changes = 1 + draw(random, 4); changes > 0; changes--) {
        for (uint64_t n = 1 + draw(random, 4); n > 0; n--) {
            buf_add(out, line.p, line.len);
        }
        write_change(out, random);
    }
    buf_add(out, line.p, line.len);
    buf_free(&line);
}

static void write_more(struct buf *out, uint64_t *random)
{
    for (uint64_t n = 1 + draw(random, 8); n > 0; n--) {
        draw(random, 6) == 0 ? write_scene(out, random) : write_step(out, random);
    }
}

// The line that begins nowhere before `at`.
static size_t line_from(const uint8_t *data, size_t size, size_t at, size_t *ret_len)
{
    while (at > 0 && data[at - 1] != '\n') {
        at--;
    }
    const uint8_t *end = memchr(data + at, '\n', size - at);
    *ret_len = end != NULL ? (size_t)(end - data) + 1 - at : size - at;
    return at;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    uint64_t random = (uint64_t)seed * 0x9E3779B97F4A7C15u | 1;
    size_t len;
    size_t from = line_from(data, size, size > 0 ? draw(&random, size) : 0, &len);
    uint64_t how = draw(&random, 10);
    if (how == 0 && LLVMFuzzerMutate != NULL) {
        return LLVMFuzzerMutate(data, size, max);
    }
    struct buf out = {.max = max};
    buf_add(&out, data, from);
    if (how < 5) {
        write_more(&out, &random);
        buf_add(&out, data + from, size - from);
    } else if (how == 5) {
        buf_add(&out, data + from + len, size - from - len); // one less
    } else if (how == 6) {
        buf_add(&out, data + from, len); // once more
        buf_add(&out, data + from, size - from);
    } else { // with a byte changed, added or left out
        size_t at = len > 1 ? draw(&random, len - 1) : 0;
        buf_add(&out, data + from, at);
        if (how < 9) {
            buf_char(&out,
                     (char)(draw(&random, 2) == 0
                                ? draw(&random, 256)
                                : (uint8_t) "\"\\{}[],: 019.eE-+\x1f\xc3"[draw(&random, 20)]));
        }
        size_t rest = from + at + (how != 8 && len > 0);
        buf_add(&out, data + rest, size - rest);
    }
    if (out.failed || out.len == 0) {
        buf_free(&out);
        return size;
    }
    memcpy(data, out.p, out.len);
    len = out.len;
    buf_free(&out);
    return len;
}
