// SPDX-License-Identifier: Apache-2.0
#include "catalog/yaml.h"

#include "unit.h"

struct things {
    const struct yaml_node *any;
    const struct yaml_node *text;
    bool yes;
    bool on;
    uint64_t count;
    uint64_t quoted;
    int word;
    const struct yaml_node *list;
    const struct yaml_node *mapping;
    size_t handled;
};

static void handle(struct yaml_reader *r, const struct yaml_place *place, const struct yaml_node *n,
                   void *field)
{
    *(size_t *)field += n->n;
    yaml_problem(r, place, n, "is handled");
}

static const char *const words[] = {"red", "green"};

#define FIELD(member) .offset = offsetof(struct things, member)
static const struct yaml_key keys[] = {
    {"any", .type = YAML_ANY, FIELD(any)},
    {"known", .type = YAML_KNOWN},
    {"text", .type = YAML_TEXT, .min = 1, .max = 4, FIELD(text)},
    {"yes", .type = YAML_BOOL, FIELD(yes)},
    {"on", .type = YAML_SWITCH, .nullable = true, FIELD(on)},
    {"count", .type = YAML_COUNT, .min = 2, .max = 9, FIELD(count)},
    {"quoted", .type = YAML_COUNT, .quoted = true, .max = 9, FIELD(quoted)},
    {"word", .type = YAML_WORD, YAML_WORDS(words), FIELD(word)},
    {"list", .type = YAML_LIST, .min = 1, .max = 2, FIELD(list)},
    {"mapping", .type = YAML_MAPPING, .max = 1, FIELD(mapping)},
    {"handled", .type = YAML_LIST, .read = handle, FIELD(handled)},
};
static const struct yaml_key needs[] = {{"a", .type = YAML_ANY, .required = true}};

// Reads the text by the table, in the place top[3], and compares what is said.
static struct things read_text(const char *text, const struct yaml_key *table, size_t n,
                               const char *problems)
{
    struct things out = {.word = -1};
    struct errs errs = ERRS_INIT;
    struct buf said = BUF_INIT;
    struct yaml *y;
    struct yaml_place top = yaml_place_key(NULL, "top");
    struct yaml_place item = yaml_place_item(&top, 3);
    struct yaml_reader r = {.file = "f", .errs = &errs};
    ck_assert_int_eq(yaml_parse(&y, "f", text, strlen(text), &errs), 0);
    yaml_read_keys(&r, &item, y->root, table, n, &out);
    errs_write(&errs, &said);
    ck_assert_msg(strcmp(buf_string(&said), problems) == 0, "%s\n got: %s\nwant: %s", text, said.p,
                  problems);
    ck_assert_uint_eq(r.problems, errs.n);
    ck_assert(!r.oom);
    yaml_free(y);
    buf_free(&said);
    errs_free(&errs);
    return out;
}

START_TEST(each_type_is_stored_in_its_field)
{
    struct things t = read_text("{any: [x], known: 1, text: abcd, yes: true, on: YES, count: 9, "
                                "quoted: '7', word: green, list: [1, 2], mapping: {a: b}}",
                                YAML_KEYS(keys), "");
    ck_assert(t.any != NULL && t.text != NULL && t.list != NULL && t.mapping != NULL);
    ck_assert(t.yes && t.on);
    ck_assert_uint_eq(t.count, 9);
    ck_assert_uint_eq(t.quoted, 7);
    ck_assert_int_eq(t.word, 1);
    t = read_text("{on: ~, yes: false}", YAML_KEYS(keys), "");
    ck_assert(!t.on && !t.yes && t.any == NULL && t.word == -1);
}
END_TEST

START_TEST(what_is_wrong_has_one_wording)
{
    static const struct {
        const char *text;
        const char *said;
    } cases[] = {
        {"[]", "f:1:1: top[3]: must be a mapping, not a list\n"},
        {"{}", ""},
        {"{txt: 1}", "f:1:2: top[3].txt: unknown key; the nearest is text\n"},
        {"{zzzzzz: 1}", "f:1:2: top[3].zzzzzz: unknown key\n"},
        {"{a.text: 1}",
         "f:1:2: top[3].a.text: unknown key; a dot is written as a nested mapping\n"},
        {"{text: abcde}", "f:1:8: top[3].text: must be a text of 1 to 4 bytes, not \"abcde\"\n"},
        {"{text: ''}", "f:1:8: top[3].text: must be a text of 1 to 4 bytes, not \"\"\n"},
        {"{text: }", "f:1:8: top[3].text: must be a text of 1 to 4 bytes, not nothing\n"},
        {"{text: {}}", "f:1:8: top[3].text: must be a text of 1 to 4 bytes, not a mapping\n"},
        {"{yes: yes}", "f:1:7: top[3].yes: must be true or false, not \"yes\"\n"},
        {"{yes: 'true'}", "f:1:7: top[3].yes: must be true or false, not a text in quotes\n"},
        {"{on: 1}", "f:1:6: top[3].on: must be true or false, not \"1\"\n"},
        {"{count: 1}", "f:1:9: top[3].count: must be a whole number from 2 to 9, not \"1\"\n"},
        {"{count: 10}", "f:1:9: top[3].count: must be a whole number from 2 to 9, not \"10\"\n"},
        {"{count: +5}", "f:1:9: top[3].count: must be a whole number from 2 to 9, not \"+5\"\n"},
        {"{count: '5'}",
         "f:1:9: top[3].count: must be a whole number from 2 to 9, not a text in quotes\n"},
        {"{quoted: 'x'}", "f:1:10: top[3].quoted: must be a whole number from 0 to 9, not \"x\"\n"},
        {"{word: gren}", "f:1:8: top[3].word: unknown value \"gren\"; the nearest is green\n"},
        {"{word: [red]}", "f:1:8: top[3].word: must be a text, not a list\n"},
        {"{list: []}", "f:1:8: top[3].list: must be a list of 1 to 2 entries, not 0\n"},
        {"{list: [1, 2, 3]}", "f:1:8: top[3].list: must be a list of 1 to 2 entries, not 3\n"},
        {"{list: x}", "f:1:8: top[3].list: must be a list of 1 to 2 entries, not \"x\"\n"},
        {"{mapping: {a: 1, b: 2}}",
         "f:1:11: top[3].mapping: must be a mapping of at most 1 entries, not 2\n"},
        {"{handled: [1]}", "f:1:11: top[3].handled: is handled\n"},
        {"{handled: 1}", "f:1:11: top[3].handled: must be a list, not \"1\"\n"},
        {"{count: 1, zzzzzz: 1, yes: 2}",
         "f:1:12: top[3].zzzzzz: unknown key\nf:1:28: top[3].yes: must be true or false, not "
         "\"2\"\n"
         "f:1:9: top[3].count: must be a whole number from 2 to 9, not \"1\"\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct things t = read_text(cases[i].text, YAML_KEYS(keys), cases[i].said);
        ck_assert(t.count == 0 && !t.yes && t.list == NULL && t.word == -1);
    }
    read_text("{}", YAML_KEYS(needs), "f:1:1: top[3].a: is missing\n");
    read_text("{b: 1}", YAML_KEYS(needs),
              "f:1:2: top[3].b: unknown key; the nearest is a\nf:1:1: top[3].a: is missing\n");
}
END_TEST

START_TEST(a_foreign_text_is_cut)
{
    char text[600];
    char want[600];
    snprintf(text, sizeof text, "{count: %0400d}", 10);
    snprintf(want, sizeof want,
             "f:1:9: top[3].count: must be a whole number from 2 to 9, not \"%0124d...\"\n", 0);
    read_text(text, YAML_KEYS(keys), want);
    snprintf(text, sizeof text, "{k%0400d: 1}", 0);
    snprintf(want, sizeof want, "f:1:2: top[3].k%0123d...: unknown key\n", 0);
    read_text(text, YAML_KEYS(keys), want);
}
END_TEST

UNIT_MAIN("yaml_schema", each_type_is_stored_in_its_field, what_is_wrong_has_one_wording,
          a_foreign_text_is_cut)
