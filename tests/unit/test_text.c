// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "unit.h"

// A string literal with its length, NULs inside included.
#define BYTES(s) s, sizeof s - 1

static void check_appended(void (*append)(struct buf *, const char *, size_t), const char *s,
                           size_t len, const char *expected)
{
    struct buf out = BUF_INIT;
    buf_char(&out, '<');
    append(&out, s, len);
    ck_assert_str_eq(buf_string(&out) + 1, expected);
    ck_assert_uint_eq(out.len, strlen(expected) + 1);
    buf_free(&out);
}

static const struct {
    const char *bytes;
    size_t len;
    bool good;
} utf8_table[] = {
    {BYTES(""), true},
    {BYTES("plain ascii, more than eight bytes"), true},
    {BYTES("a\0b"), true},
    {BYTES("\x7f"), true},
    {BYTES("\xc2\x80"), true},
    {BYTES("\xdf\xbf"), true},
    {BYTES("\xe0\xa0\x80"), true},
    {BYTES("\xed\x9f\xbf"), true},
    {BYTES("\xee\x80\x80"), true},
    {BYTES("\xef\xbf\xbf"), true},
    {BYTES("\xf0\x90\x80\x80"), true},
    {BYTES("\xf4\x8f\xbf\xbf"), true},
    {BYTES("\x80"), false},
    {BYTES("\xbf"), false},
    {BYTES("\xc0\x80"), false},
    {BYTES("\xc1\xbf"), false},
    {BYTES("\xc2"), false},
    {BYTES("\xc2\x41"), false},
    {BYTES("\xc2\xc2"), false},
    {BYTES("\xe0\x9f\xbf"), false},
    {BYTES("\xe2\x82"), false},
    {BYTES("\xe2\x82\x41"), false},
    {BYTES("\xed\xa0\x80"), false},
    {BYTES("\xed\xbf\xbf"), false},
    {BYTES("\xf0\x8f\xbf\xbf"), false},
    {BYTES("\xf0\x90\x80"), false},
    {BYTES("\xf0\x90\x80\x41"), false},
    {BYTES("\xf4\x90\x80\x80"), false},
    {BYTES("\xf5\x80\x80\x80"), false},
    {BYTES("\xf8\x88\x80\x80\x80"), false},
    {BYTES("\xfe"), false},
    {BYTES("\xff"), false},
};

START_TEST(utf8_is_told_at_every_place_of_a_text)
{
    for (size_t i = 0; i < sizeof utf8_table / sizeof utf8_table[0]; i++) {
        for (size_t before = 0; before < 20; before++) {
            for (size_t after = 0; after < 20; after++) {
                size_t len = before + utf8_table[i].len + after;
                char *text = malloc(len + 1); // of the exact size, for the address sanitizer
                ck_assert_ptr_nonnull(text);
                memset(text, 'x', len);
                memcpy(text + before, utf8_table[i].bytes, utf8_table[i].len);
                ck_assert_msg(text_is_utf8(text, len) == utf8_table[i].good,
                              "row %zu, %zu before, %zu after", i, before, after);
                free(text);
            }
        }
    }
}
END_TEST

// Encodes any number below 2^21 in n bytes, whether that is well-formed or not.
static size_t encode(char *out, unsigned code, size_t n)
{
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; code >>= 6) {
        out[i] = (char)(0x80 | (code & 0x3f));
    }
    out[0] = (char)(first[n] | code);
    return n;
}

START_TEST(utf8_is_each_character_in_its_shortest_form)
{
    char text[4];
    for (unsigned code = 0; code < 0x110000 + 0x10000; code++) {
        size_t shortest = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        bool character = code < 0x110000 && (code < 0xd800 || code > 0xdfff);
        for (size_t n = shortest; n <= 4; n++) {
            encode(text, code, n);
            ck_assert_msg(text_is_utf8(text, n) == (character && n == shortest), "U+%04X in %zu",
                          code, n);
        }
    }
}
END_TEST

START_TEST(a_cut_is_between_characters)
{
    static const struct {
        const char *text;
        size_t max;
        size_t kept;
    } table[] = {
        {"abc", 3, 3},
        {"abc", 9, 3},
        {"abc", 2, 2},
        {"abc", 0, 0},
        {"a\xc3\xa4z", 2, 1},
        {"a\xc3\xa4z", 3, 3},
        {"a\xe2\x82\xacz", 3, 1},
        {"a\xe2\x82\xacz", 2, 1},
        {"a\xf0\x9f\x98\x80z", 4, 1},
        {"a\xf0\x9f\x98\x80z", 5, 5},
        {"\x80\x80\x80\x80\x80\x80\x80\x80", 6, 6},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t kept = text_cut(table[i].text, strlen(table[i].text), table[i].max);
        ck_assert_msg(kept == table[i].kept, "row %zu: %zu", i, kept);
    }
}
END_TEST

START_TEST(the_nearest_word_is_a_likely_slip)
{
    static const char *const words[] = {"listen_addresses", "socket", "socket_mode", "level",
                                        "format",           "file",   "ttl"};
    static const struct {
        const char *word;
        const char *nearest;
    } table[] = {
        {"socket", "socket"},
        {"sockte", "socket"},
        {"scoket", "socket"},
        {"sockets", "socket"},
        {"ocket", "socket"},
        {"socket-mode", "socket_mode"},
        {"listen_adress", "listen_addresses"},
        {"listenaddress", "listen_addresses"},
        {"levle", "level"},
        {"form", NULL},
        {"fomat", "format"},
        {"tt", "ttl"},
        {"tlt", "ttl"},
        {"xyz", NULL},
        {"fi", NULL},
        {"", NULL},
        {"something else entirely", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *nearest = text_nearest(table[i].word, words, sizeof words / sizeof words[0]);
        ck_assert_pstr_eq(nearest, table[i].nearest);
        char hint[TEXT_HINT];
        char expected[TEXT_HINT] = "";
        if (nearest != NULL) {
            snprintf(expected, sizeof expected, "; the nearest is --%s", nearest);
        }
        text_hint(hint, "--", table[i].word, words, sizeof words / sizeof words[0]);
        ck_assert_str_eq(hint, expected);
    }
}
END_TEST

START_TEST(of_words_as_near_the_first_is_taken_and_a_nearer_one_beats_it)
{
    static const char *const words[] = {"abcdefxx", "abcdefgx", "abcdefgy"};
    ck_assert_str_eq(text_nearest("abcdefgh", words, 3), "abcdefgx");
    ck_assert_ptr_null(text_nearest("abcdefgh", words, 0));
}
END_TEST

START_TEST(endless_words_are_near_to_nothing)
{
    char word[300];
    memset(word, 'a', sizeof word);
    word[sizeof word - 1] = '\0';
    const char *words[] = {word};
    ck_assert_ptr_null(text_nearest(word, words, 1));
    word[128] = '\0';
    ck_assert_ptr_eq(text_nearest(word, words, 1), word);
    ck_assert_ptr_null(text_nearest("a", words, 1));
}
END_TEST

START_TEST(json_strings_are_escaped)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *expected;
    } table[] = {
        {BYTES(""), "\"\""},
        {BYTES("plain /text"), "\"plain /text\""},
        {BYTES("\"\\"), "\"\\\"\\\\\""},
        {BYTES("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {BYTES("a\0b\x01\x1f\x7f"), "\"a\\u0000b\\u0001\\u001f\\u007f\""},
        {BYTES("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {BYTES("\xc2\x80\xc2\x9b\xc2\xa0"), "\"\\u0080\\u009b\xc2\xa0\""},
        {BYTES("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9"), "\"\xe2\x80\xa7\\u2028\\u2029\""},
        {BYTES("\xe2\x80\xae\xd8\x9c\xf3\xa0\x81\x81"), "\"\\u202e\\u061c\\udb40\\udc41\""},
        {BYTES("\xf3\xa0\x80\x80\xf0\x9d\x85\xb3"), "\"\\udb40\\udc00\\ud834\\udd73\""},
        {BYTES("a\xff"
               "b"),
         "\"a\xef\xbf\xbd"
         "b\""},
        {BYTES("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {BYTES("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        check_appended(text_json, table[i].bytes, table[i].len, table[i].expected);
    }
}
END_TEST

START_TEST(a_character_is_read_with_its_code_point)
{
    static const struct {
        const char *bytes;
        size_t len, n;
        uint32_t code;
    } table[] = {
        {BYTES("\0"), 1, 0},
        {BYTES("az"), 1, 'a'},
        {BYTES("\xc3\xa4"), 2, 0xe4},
        {BYTES("\xe2\x80\xae"), 3, 0x202e},
        {BYTES("\xf4\x8f\xbf\xbf"), 4, 0x10ffff},
        {BYTES("\xf4\x90\x80\x80"), 0, 77},
        {BYTES("\xc3"), 0, 77},
        {BYTES("\x80"), 0, 77},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint32_t code = 77;
        ck_assert_uint_eq(text_char(table[i].bytes, table[i].len, &code), table[i].n);
        ck_assert_uint_eq(code, table[i].code);
    }
}
END_TEST

START_TEST(hidden_are_the_characters_that_change_what_stands_around_them)
{
    static const uint32_t hidden[] = {0,      0x1f,    0x7f,    0x9f,    0xad,   0x34f,  0x61c,
                                      0x115f, 0x17b4,  0x180b,  0x200b,  0x200f, 0x2028, 0x202e,
                                      0x2060, 0x2069,  0x206f,  0x3164,  0xfe0f, 0xfeff, 0xffa0,
                                      0xfffb, 0x1bca0, 0x1d173, 0xe0001, 0xe0fff};
    static const uint32_t shown[] = {0x20,   0x7e,   0xa0,   0xe9,   0x200a,  0x2010,
                                     0x202f, 0x2070, 0x6f22, 0xfffd, 0x1f600, 0x10ffff};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        ck_assert_msg(text_is_hidden(hidden[i]), "U+%04X", hidden[i]);
    }
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        ck_assert_msg(!text_is_hidden(shown[i]), "U+%04X", shown[i]);
    }
}
END_TEST

START_TEST(any_bytes_become_a_json_string_of_good_utf8)
{
    uint64_t state = unit_seed() | 1;
    for (int i = 0; i < 20000; i++) {
        char bytes[24];
        size_t len = unit_random(&state) % sizeof bytes;
        for (size_t j = 0; j < len; j++) {
            bytes[j] = (char)(unit_random(&state) >> 32);
        }
        struct buf out = BUF_INIT;
        text_json(&out, bytes, len);
        ck_assert(text_is_utf8(out.p, out.len));
        ck_assert_uint_ge(out.len, 2);
        for (size_t j = 1; j < out.len - 1; j++) {
            ck_assert_uint_ge((unsigned char)out.p[j], 0x20);
            ck_assert_int_ne(out.p[j], '"');
            if (out.p[j] == '\\') {
                j++;
            }
        }
        buf_free(&out);
    }
}
END_TEST

START_TEST(html_is_safe_in_elements_and_attributes)
{
    check_appended(text_html, BYTES(""), "");
    check_appended(text_html, BYTES("plain"), "plain");
    check_appended(text_html, BYTES("<a href=\"x\">'&amp;'</a>"),
                   "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;&#39;&lt;/a&gt;");
}
END_TEST

START_TEST(path_segments_are_percent_encoded)
{
    check_appended(text_percent, BYTES("azAZ09-._~"), "azAZ09-._~");
    check_appended(text_percent, BYTES("a/b?c#d e%+\0\xc3\xa4"),
                   "a%2Fb%3Fc%23d%20e%25%2B%00%C3%A4");
}
END_TEST

START_TEST(label_values_and_help_escape_no_more_than_needed)
{
    check_appended(text_label_value, BYTES("a\"b\\c\nd\te\r\xc3\xa4"),
                   "a\\\"b\\\\c\\nd\te\r\xc3\xa4");
    check_appended(text_help, BYTES("a\"b\\c\nd\te\r\xc3\xa4"), "a\"b\\\\c\\nd\te\r\xc3\xa4");
    check_appended(text_label_value, BYTES("\n\n"), "\\n\\n");
    check_appended(text_help, BYTES(""), "");
}
END_TEST

START_TEST(a_star_stands_for_any_run)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool matches;
    } table[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"abc", "abc", true},
        {"abc", "abd", false},
        {"abc", "abcd", false},
        {"abcd", "abc", false},
        {"*", "", true},
        {"*", "anything", true},
        {"**", "x", true},
        {"virtrigaud_provider_*", "virtrigaud_provider_tasks", true},
        {"virtrigaud_provider_*", "virtrigaud_provider_", true},
        {"virtrigaud_provider_*", "virtrigaud_manager_x", false},
        {"*_total", "a_total", true},
        {"*_total", "a_total_b", false},
        {"*_total", "a_total_total", true},
        {"a*b*c", "axxbyyc", true},
        {"a*b*c", "axxbyyd", false},
        {"a*b*c", "abc", true},
        {"a*b*c", "acb", false},
        {"*ab*", "aab", true},
        {"a?c", "abc", false},
        {"a?c", "a?c", true},
        {"[a]", "a", false},
        {"\\*", "*", false},
        {"\\*", "\\x", true},
        {"a*", "*", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ck_assert_msg(text_glob(table[i].pattern, table[i].text) == table[i].matches, "%s on %s",
                      table[i].pattern, table[i].text);
    }
}
END_TEST

START_TEST(many_stars_take_no_endless_time)
{
    static char text[20001];
    static char pattern[401];
    memset(text, 'a', sizeof text - 1);
    for (size_t i = 0; i < sizeof pattern - 2; i += 2) {
        memcpy(pattern + i, "*a", 2);
    }
    pattern[sizeof pattern - 2] = 'b';
    ck_assert(!text_glob(pattern, text));
}
END_TEST

START_TEST(names_are_those_of_prometheus)
{
    static const struct {
        const char *name;
        bool metric;
        bool label;
    } table[] = {
        {"a", true, true},     {"_", true, true},          {"aZ_09", true, true},
        {":", true, false},    {"a:b", true, false},       {"__name__", true, true},
        {"", false, false},    {"0a", false, false},       {"a-b", false, false},
        {"a.b", false, false}, {"a b", false, false},      {" a", false, false},
        {"a\n", false, false}, {"\xc3\xa4", false, false}, {"a\xc3\xa4", false, false},
        {"{", false, false},   {"@", false, false},        {"`", false, false},
        {"[", false, false},   {"a/", false, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ck_assert_msg(text_is_metric_name(table[i].name) == table[i].metric, "%s", table[i].name);
        ck_assert_msg(text_is_label_name(table[i].name) == table[i].label, "%s", table[i].name);
    }
}
END_TEST

START_TEST(plain_is_what_holds_neither_nul_nor_more_than_ascii)
{
    enum { LEN = 100 };
    char text[LEN];
    memset(text, 'x', LEN);
    for (size_t len = 0; len <= LEN; len++) {
        ck_assert(text_is_plain(text, len));
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                text[at] = (char)c;
                ck_assert_msg(text_is_plain(text, len) == (c > 0 && c < 128), "%d at %zu of %zu", c,
                              at, len);
            }
            text[at] = 'x';
        }
    }
}
END_TEST

// What is to be escaped may stand anywhere in a value of any length, alone or twice.
START_TEST(label_values_are_escaped_wherever_it_is_needed)
{
    enum { LEN = 40 };
    char text[LEN + 1];
    for (size_t len = 1; len <= LEN; len++) {
        for (size_t a = 0; a < len; a++) {
            for (size_t b = 0; b < len; b++) {
                memset(text, 'x', len);
                text[a] = '"';
                text[b] = '\n';
                char *exact = malloc(len);
                memcpy(exact, text, len);
                struct buf got = BUF_INIT;
                struct buf want = BUF_INIT;
                text_label_value(&got, exact, len);
                for (size_t i = 0; i < len; i++) {
                    buf_str(&want, text[i] == '"' ? "\\\"" : text[i] == '\n' ? "\\n" : "x");
                }
                ck_assert_str_eq(buf_string(&got), buf_string(&want));
                buf_free(&got);
                buf_free(&want);
                free(exact);
            }
        }
    }
}
END_TEST

START_TEST(a_span_has_its_two_largest_units)
{
    static const struct {
        uint64_t seconds;
        const char *expected;
    } table[] = {
        {0, "0 s"},     {59, "59 s"},
        {60, "1 min"},  {61, "1 min 1 s"},
        {3600, "1 h"},  {3661, "1 h 1 min"},
        {86400, "1 d"}, {90061, "1 d 1 h"},
        {86460, "1 d"}, {UINT64_MAX, "213503982334601 d 7 h"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct buf out = BUF_INIT;
        text_span(&out, table[i].seconds);
        ck_assert_str_eq(buf_string(&out), table[i].expected);
        buf_free(&out);
    }
}
END_TEST

UNIT_MAIN("text", utf8_is_told_at_every_place_of_a_text,
          utf8_is_each_character_in_its_shortest_form, a_cut_is_between_characters,
          the_nearest_word_is_a_likely_slip,
          of_words_as_near_the_first_is_taken_and_a_nearer_one_beats_it,
          endless_words_are_near_to_nothing, a_character_is_read_with_its_code_point,
          hidden_are_the_characters_that_change_what_stands_around_them, json_strings_are_escaped,
          any_bytes_become_a_json_string_of_good_utf8, html_is_safe_in_elements_and_attributes,
          path_segments_are_percent_encoded, label_values_and_help_escape_no_more_than_needed,
          a_star_stands_for_any_run, many_stars_take_no_endless_time, names_are_those_of_prometheus,
          plain_is_what_holds_neither_nul_nor_more_than_ascii,
          label_values_are_escaped_wherever_it_is_needed, a_span_has_its_two_largest_units)
