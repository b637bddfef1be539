// SPDX-License-Identifier: Apache-2.0
// Spoils the built-in catalogue at random: loading never crashes, and either succeeds or says why not.
#include "catalog/print.h"
#include "catalog_unit.h"

static uint64_t state;

static size_t below(size_t n)
{
    return (size_t)(unit_random(&state) % n);
}

// Where line `n` starts, counted from 0.
static size_t line_start(const struct buf *b, size_t n)
{
    size_t at = 0;
    while (n > 0 && at < b->len) {
        n -= b->p[at++] == '\n';
    }
    return at;
}

static void cut(struct buf *b, size_t from, size_t to)
{
    memmove(b->p + from, b->p + to, b->len - to);
    b->len -= to - from;
}

static void insert(struct buf *b, size_t at, const char *bytes, size_t len)
{
    ck_assert(buf_reserve(b, len));
    memmove(b->p + at + len, b->p + at, b->len - at);
    memcpy(b->p + at, bytes, len);
    b->len += len;
}

static void mutate(struct buf *b)
{
    static const char *const words[] = {"[",  "]",    "{",       "}",   ": ",   "- ", "\n", "#",
                                        "&a", "!x",   "\"",      "'",   "-1",   "",   "~",  "1e999",
                                        "\0", "true", "replace", "nan", "le: ", "up", ",",  "  "};
    size_t lines = 0;
    for (size_t i = 0; i < b->len; i++) {
        lines += b->p[i] == '\n';
    }
    size_t from = line_start(b, below(lines));
    size_t to = from;
    while (to < b->len && b->p[to++] != '\n') {
    }
    char line[2048];
    size_t len = to - from < sizeof line ? to - from : sizeof line;
    memcpy(line, b->p + from, len);
    switch (below(6)) {
    case 0:
        b->p[below(b->len)] ^= (char)(1 << below(8));
        break;
    case 1:
        cut(b, from, to);
        break;
    case 2:
        insert(b, from, line, len);
        break;
    case 3:
        cut(b, from, to);
        insert(b, line_start(b, below(lines)), line, len);
        break;
    case 4: {
        const char *word = words[below(sizeof words / sizeof words[0])];
        insert(b, below(b->len), word, word[0] == '\0' ? 1 : strlen(word));
        break;
    }
    default: {
        size_t at = below(b->len);
        cut(b, at, at + below(b->len - at < 20 ? b->len - at : 20));
        break;
    }
    }
}

// Whatever loads can be printed and loaded again.
static void check_loaded(struct catalog *c)
{
    struct buf out = BUF_INIT;
    catalog_print_yaml(c, &out);
    struct catalog *again = load_text(buf_string(&out));
    struct buf second = BUF_INIT;
    catalog_print_yaml(again, &second);
    ck_assert_str_eq(out.p, buf_string(&second));
    catalog_print_markdown(c, &out);
    catalog_print_json(c, &out);
    ck_assert(!out.failed);
    buf_free(&out);
    buf_free(&second);
    catalog_free(again);
}

START_TEST(a_spoilt_catalogue_loads_or_has_a_problem)
{
    state = unit_seed() | 1;
    size_t loaded = 0;
    for (int round = 0; round < 2000; round++) {
        struct buf text = BUF_INIT;
        buf_add(&text, catalog_builtin, catalog_builtin_len);
        for (size_t n = 1 + below(4); n > 0; n--) {
            mutate(&text);
        }
        struct errs errs = ERRS_INIT;
        struct catalog *c = NULL;
        int err = catalog_load_bytes(&c, "c.yaml", text.p, text.len, &errs);
        if (err == 0) {
            ck_assert(!errs_has_any(&errs));
            check_loaded(c);
            loaded++;
        } else {
            ck_assert_int_eq(err, -EINVAL);
            ck_assert(errs_has_any(&errs));
            ck_assert_ptr_null(c);
            for (size_t i = 0; i < errs.n; i++) {
                ck_assert_uint_gt(errs.items[i].line, 0);
                ck_assert_uint_gt(errs.items[i].column, 0);
                ck_assert_uint_gt(strlen(errs.items[i].text), 0);
            }
        }
        catalog_free(c);
        errs_free(&errs);
        buf_free(&text);
    }
    // Both ways are taken often, or the mutations were too weak or too strong.
    ck_assert_uint_gt(loaded, 100);
    ck_assert_uint_lt(loaded, 1900);
}
END_TEST

UNIT_MAIN("catalog_mutate", a_spoilt_catalogue_loads_or_has_a_problem)
