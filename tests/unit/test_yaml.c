// SPDX-License-Identifier: Apache-2.0
#include "catalog/yaml.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

// Parses a text that is wrong and compares what is said about it.
static void expect(const char *text, size_t len, const char *problems)
{
    struct errs errs = ERRS_INIT;
    struct yaml *y = NULL;
    ck_assert_int_eq(yaml_parse(&y, "f", text, len, &errs), -EINVAL);
    ck_assert_ptr_null(y);
    struct buf out = BUF_INIT;
    errs_write(&errs, &out);
    ck_assert_str_eq(buf_string(&out), problems);
    buf_free(&out);
    errs_free(&errs);
}

static struct yaml *parse(const char *text, size_t len)
{
    struct errs errs = ERRS_INIT;
    struct yaml *y = NULL;
    int err = yaml_parse(&y, "f", text, len, &errs);
    ck_assert_msg(err == 0, "%s", errs.n > 0 ? errs.items[0].text : "");
    ck_assert(!errs_has_any(&errs));
    return y;
}

START_TEST(nodes_remember_where_they_stood)
{
    static const char text[] = "a: 1\n\"b c\":\n  - x\n  - {k: 'v'}\n";
    struct yaml *y = parse(text, sizeof text - 1);
    const struct yaml_node *root = y->root;
    ck_assert_str_eq(y->file, "f");
    ck_assert_int_eq(root->kind, YAML_MAPPING_KIND);
    ck_assert_uint_eq(root->n, 2);
    ck_assert_uint_eq(root->line, 1);
    ck_assert_str_eq(root->keys[0]->text, "a");
    ck_assert_str_eq(root->items[0]->text, "1");
    ck_assert(root->items[0]->plain);
    ck_assert_uint_eq(root->items[0]->column, 4);
    ck_assert(!root->keys[1]->plain);
    const struct yaml_node *list = yaml_get(root, "b c");
    ck_assert_ptr_eq(list, root->items[1]);
    ck_assert_int_eq(list->kind, YAML_SEQUENCE_KIND);
    ck_assert_uint_eq(list->line, 3);
    ck_assert_uint_eq(list->column, 3);
    const struct yaml_node *value = yaml_get(list->items[1], "k");
    ck_assert_str_eq(value->text, "v");
    ck_assert(!value->plain);
    ck_assert_uint_eq(value->line, 4);
    ck_assert_uint_eq(value->column, 9);
    ck_assert_ptr_null(yaml_get(root, "b"));
    ck_assert_ptr_null(yaml_get(list, "b"));
    ck_assert_ptr_null(yaml_get(value, "b"));
    yaml_free(y);
}
END_TEST

START_TEST(an_empty_document_has_no_root)
{
    static const char *const texts[] = {"", "\n\n", "# words\n", "---\n", "---\n...\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct yaml *y = parse(texts[i], strlen(texts[i]));
        ck_assert_ptr_null(y->root);
        yaml_free(y);
    }
    yaml_free(NULL);
}
END_TEST

START_TEST(what_is_not_taken_is_named_with_its_place)
{
    static const struct {
        const char *text;
        const char *problems;
    } cases[] = {
        {"a: &x 1\nb: *x\n", "f:1:4: anchors (&name) are not supported\n"
                             "f:2:4: aliases (*name) are not supported\n"},
        {"a: !!str 1\nb: !x [1]\nc: !y {a: b}\n", "f:1:4: tags (!name) are not supported\n"
                                                  "f:2:4: tags (!name) are not supported\n"
                                                  "f:3:4: tags (!name) are not supported\n"},
        {"- &x [1]\n- &y {a: b}\n", "f:1:3: anchors (&name) are not supported\n"
                                    "f:2:3: anchors (&name) are not supported\n"},
        {"a: 1\nb: 2\na: 3\nb: 4\n", "f:3:1: duplicate key \"a\", first on line 1\n"
                                     "f:4:1: duplicate key \"b\", first on line 2\n"},
        {"{a: {b: 1, b: 2}}", "f:1:12: duplicate key \"b\", first on line 1\n"},
        {"? [a]\n: b\n", "f:1:3: a key must be plain text\n"},
        {"{{a: b}: c}", "f:1:2: a key must be plain text\n"},
        {"a: \"b\\0c\"\n", "f:1:4: a NUL character is not allowed\n"},
        {"a\n---\nb\n", "f:2:1: a second document begins; a file holds one\n"},
        {"a: b: c\n", "f:1:5: mapping values are not allowed in this context\n"},
        {"a: \"b\n", "f:2:1: found unexpected end of stream while scanning a quoted scalar\n"},
        {"\tb: 1\n", "f:1:1: found character that cannot start any token while scanning for the "
                     "next token\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(cases[i].text, strlen(cases[i].text), cases[i].problems);
    }
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused)
{
    expect("a\n\xff\n", 4, "f:2:1: invalid leading UTF-8 octet\n");
    expect("a\0b", 3, "f:1:2: control characters are not allowed\n");
    expect("\xff\xfe\x61\0", 4, "f:1:1: invalid leading UTF-8 octet\n");
}
END_TEST

START_TEST(sixteen_levels_are_enough)
{
    static const char text[] = "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]";
    struct yaml *y = parse(text, 32);
    yaml_free(y);
    expect("[[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]", 33, "f:1:17: nested deeper than 16 levels\n");
}
END_TEST

START_TEST(size_and_number_of_values_are_bounded)
{
    struct buf text = BUF_INIT;
    buf_char(&text, '[');
    for (int i = 0; i < 49999; i++) {
        buf_str(&text, "1,");
    }
    struct yaml *y = NULL;
    size_t len = text.len;
    buf_char(&text, ']');
    y = parse(text.p, text.len);
    ck_assert_uint_eq(y->root->n, 49999);
    yaml_free(y);
    text.len = len;
    buf_str(&text, "1]");
    expect(text.p, text.len, "f:1:100000: more than 50000 values in one file\n");
    buf_clear(&text);
    while (text.len < 1 << 20) {
        buf_char(&text, '\n');
    }
    yaml_free(parse(text.p, text.len));
    buf_char(&text, '\n');
    expect(text.p, text.len, "f: larger than 1048576 bytes\n");
    buf_free(&text);
}
END_TEST

START_TEST(files_are_read_or_the_reason_is_returned)
{
    char dir[] = "/tmp/test_yaml.XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    char path[64];
    snprintf(path, sizeof path, "%s/f", dir);
    struct errs errs = ERRS_INIT;
    struct yaml *y = NULL;
    ck_assert_int_eq(yaml_read(&y, path, &errs), -ENOENT);
    ck_assert_int_eq(yaml_read(&y, dir, &errs), -EISDIR);
    ck_assert(!errs_has_any(&errs));
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(yaml_read(&y, path, &errs), 0);
    ck_assert_ptr_null(y->root);
    yaml_free(y);
    fputs("a: 1\n", f);
    fflush(f);
    ck_assert_int_eq(yaml_read(&y, path, &errs), 0);
    ck_assert_str_eq(y->file, path);
    ck_assert_str_eq(yaml_get(y->root, "a")->text, "1");
    yaml_free(y);
    // A sparse file: only its first MiB and one byte more are read.
    ck_assert_int_eq(ftruncate(fileno(f), 1L << 40), 0);
    ck_assert_int_eq(yaml_read(&y, path, &errs), -EINVAL);
    ck_assert_uint_eq(errs.n, 1);
    ck_assert_str_eq(errs.items[0].text, "larger than 1048576 bytes");
    errs_free(&errs);
    fclose(f);
    unlink(path);
    rmdir(dir);
}
END_TEST

UNIT_MAIN("yaml", nodes_remember_where_they_stood, an_empty_document_has_no_root,
          what_is_not_taken_is_named_with_its_place, bytes_that_are_no_text_are_refused,
          sixteen_levels_are_enough, size_and_number_of_values_are_bounded,
          files_are_read_or_the_reason_is_returned)
