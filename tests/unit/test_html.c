// SPDX-License-Identifier: Apache-2.0
#include "web/html.h"

#include "base/text.h"
#include "unit.h"

#define BYTES(s) s, sizeof s - 1

START_TEST(text_cannot_leave_its_element)
{
    static const struct {
        const char *bytes;
        size_t len, max, all;
        const char *expected;
    } table[] = {
        {BYTES(""), 10, 0, ""},
        {BYTES("plain é 漢 😀"), 99, 0, "plain é 漢 😀"},
        {BYTES("<script>alert('\"&')</script>"), 99, 0,
         "&lt;script&gt;alert(&#39;&quot;&amp;&#39;)&lt;/script&gt;"},
        {BYTES("a\0b\nc\x7f"), 99, 0, "a<i>U+0000</i>b<i>U+000A</i>c<i>U+007F</i>"},
        {BYTES("\xe2\x80\xae\xe2\x81\xa6\xd8\x9c\xef\xbb\xbf\xf3\xa0\x81\x81"), 99, 0,
         "<i>U+202E</i><i>U+2066</i><i>U+061C</i><i>U+FEFF</i><i>U+E0041</i>"},
        {BYTES("\xc2\x9b\xe2\x80\xa8"), 99, 0, "<i>U+009B</i><i>U+2028</i>"},
        {BYTES("\xff\xc3(\xed\xa0\x80\xf0\x9f"), 99, 0,
         "<i>0xFF</i><i>0xC3</i>(<i>0xED</i><i>0xA0</i><i>0x80</i><i>0xF0</i><i>0x9F</i>"},
        {BYTES("abcdef"), 6, 6, "abcdef"},
        {BYTES("abcdef"), 4, 6, "abcd<i>… 2 more bytes</i>"},
        {BYTES("abé"), 3, 4, "ab<i>… 2 more bytes</i>"},
        {BYTES("abcd"), 9, 65536, "abcd<i>… 65532 more bytes</i>"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct buf out = BUF_INIT;
        size_t all = table[i].all > 0 ? table[i].all : table[i].len;
        html_text(&out, table[i].bytes, table[i].len, table[i].max, all);
        ck_assert_str_eq(buf_string(&out), table[i].expected);
        buf_free(&out);
    }
}
END_TEST

START_TEST(any_bytes_become_good_utf8_without_markup_of_theirs)
{
    uint64_t seed = unit_seed();
    for (int round = 0; round < 20000; round++) {
        char bytes[64];
        size_t len = unit_random(&seed) % sizeof bytes;
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (char)unit_random(&seed);
        }
        struct buf out = BUF_INIT;
        html_text(&out, bytes, len, 48, len);
        const char *text = buf_string(&out);
        ck_assert(text_is_utf8(text, out.len));
        ck_assert_uint_eq(strlen(text), out.len);
        for (const char *at = text; (at = strchr(at, '<')) != NULL; at++) {
            ck_assert(strncmp(at, "<i>", 3) == 0 || strncmp(at, "</i>", 4) == 0);
        }
        ck_assert_ptr_null(strpbrk(text, "\"'\n\t\x7f"));
        buf_free(&out);
    }
}
END_TEST

START_TEST(a_path_keeps_its_slashes_alone)
{
    struct buf out = BUF_INIT;
    html_path(&out, "/a b\"/<x>//é");
    ck_assert_str_eq(buf_string(&out), "/a%20b%22/%3Cx%3E//%C3%A9");
    buf_free(&out);
}
END_TEST

UNIT_MAIN("html", text_cannot_leave_its_element,
          any_bytes_become_good_utf8_without_markup_of_theirs, a_path_keeps_its_slashes_alone)
