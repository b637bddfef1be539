// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_text: what text is, and how it is escaped, against naive readers and writers. What comes before the first LF is
 * also a pattern for what comes behind it.
 */
#include "base/text.h"
#include "fuzz.h"

#include <ctype.h>
#include <jansson.h>

// The bytes of the character at the beginning, 0 when it is none: by its bits, and what RFC 3629 leaves out.
static size_t take_char(const unsigned char *s, size_t len, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    if (n == 0 || n > len) {
        return 0;
    }
    uint32_t code = n == 1 ? s[0] : s[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if (s[i] >> 6 != 2) {
            return 0;
        }
        code = code << 6 | (s[i] & 63);
    }
    *ret = code;
    return code < least[n] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ? 0 : n;
}

static void characters(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    bool utf8 = true;
    bool plain = true;
    for (size_t i = 0; i < len;) {
        uint32_t code = 0;
        uint32_t wanted = 0;
        size_t n = take_char(s + i, len - i, &wanted);
        must(text_char(text + i, len - i, &code) == n, "another length of a character");
        must(n == 0 || code == wanted, "another character");
        utf8 &= n > 0;
        plain &= s[i] != 0 && s[i] < 0x80;
        i += n > 0 ? n : 1;
    }
    must(text_is_utf8(text, len) == utf8, "whether it is UTF-8");
    must(text_is_plain(text, len) == plain, "whether it is plain");
    for (size_t max = 0; utf8 && max < 9; max++) {
        size_t n = text_cut(text, len, max);
        size_t whole = 0;
        uint32_t code;
        for (size_t k;
             whole < len && (k = take_char(s + whole, len - whole, &code)) + whole <= max;) {
            whole += k;
        }
        must(n == whole || (max < 4 && n <= max), "text is cut elsewhere");
    }
}

// What JSON makes of the bytes, each that is no UTF-8 as U+FFFD.
static void json(const char *text, size_t len)
{
    struct buf out = BUF_INIT;
    struct buf wanted = BUF_INIT;
    text_json(&out, text, len);
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = take_char((const unsigned char *)text + i, len - i, &code);
        buf_add(&wanted, n > 0 ? text + i : "\xef\xbf\xbd", n > 0 ? n : 3);
        i += n > 0 ? n : 1;
    }
    json_error_t err;
    json_t *back = json_loadb(out.p, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &err);
    must(json_is_string(back), "what is written is no JSON string");
    must(json_string_length(back) == wanted.len &&
             (wanted.len == 0 || memcmp(json_string_value(back), wanted.p, wanted.len) == 0),
         "another string");
    json_decref(back);
    for (size_t i = 0; i < out.len;) {
        uint32_t code = 0;
        size_t n = take_char((const unsigned char *)out.p + i, out.len - i, &code);
        must(n > 0 && (code > 0xFFFF || !text_is_hidden(code)), "something hidden is left");
        i += n;
    }
    buf_free(&out);
    buf_free(&wanted);
}

// Writes each byte as the table says, or as it is.
static void compare(const char *text, size_t len, void (*write)(struct buf *, const char *, size_t),
                    const char *bytes, const char *const *as)
{
    struct buf out = BUF_INIT;
    struct buf wanted = BUF_INIT;
    write(&out, text, len);
    for (size_t i = 0; i < len; i++) {
        const char *at = text[i] != '\0' ? strchr(bytes, text[i]) : NULL;
        if (at != NULL) {
            buf_str(&wanted, as[at - bytes]);
        } else {
            buf_char(&wanted, text[i]);
        }
    }
    must(out.len == wanted.len && (out.len == 0 || memcmp(out.p, wanted.p, out.len) == 0),
         "another spelling");
    buf_free(&out);
    buf_free(&wanted);
}

static void percent(const char *text, size_t len)
{
    struct buf out = BUF_INIT;
    struct buf wanted = BUF_INIT;
    text_percent(&out, text, len);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool stays = c < 0x80 && (isalnum(c) || (c != '\0' && strchr("-._~", c) != NULL));
        buf_addf(&wanted, stays ? "%c" : "%%%02X", c);
    }
    must(out.len == wanted.len && (out.len == 0 || memcmp(out.p, wanted.p, out.len) == 0),
         "another segment of a path");
    buf_free(&out);
    buf_free(&wanted);
}

// By all lengths of the run for which the first star stands. Only for few stars.
static bool matches(const char *pattern, const char *s)
{
    if (*pattern != '*') {
        return *pattern == *s && (*s == '\0' || matches(pattern + 1, s + 1));
    }
    while (!matches(pattern + 1, s)) {
        if (*s++ == '\0') {
            return false;
        }
    }
    return true;
}

static void glob(char *text)
{
    enum { STARS = 4, LENGTH = 60 };
    char *s = strchr(text, '\n');
    if (s == NULL || strlen(s) > LENGTH || s - text > LENGTH) {
        return;
    }
    *s++ = '\0';
    size_t stars = 0;
    for (const char *at = text; *at != '\0'; at++) {
        stars += *at == '*';
    }
    must(stars > STARS || text_glob(text, s) == matches(text, s), "whether the pattern matches");
}

static void names(const char *s)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789:";
    size_t metric = strspn(s, letters);
    size_t label = strcspn(s, ":");
    bool good = *s != '\0' && s[metric] == '\0' && !isdigit((unsigned char)*s);
    must(text_is_metric_name(s) == good, "whether it is a metric's name");
    must(text_is_label_name(s) == (good && s[label] == '\0'), "whether it is a label's name");
}

static void shown(const char *s, size_t size)
{
    char out[TEXT_SHOWN];
    text_show(out, s);
    size_t len = strlen(out);
    size_t dots = strlen(s) < TEXT_SHOWN ? 0 : 3;
    must(len < TEXT_SHOWN && memcmp(out, s, len - dots) == 0, "another text is shown");
    must(dots > 0 ? strcmp(out + len - 3, "...") == 0 : len == strlen(s), "its end is not shown");
    must(strlen(s) != size || !text_is_utf8(s, size) || text_is_utf8(out, len), "half a character");
}

static void visible(const char *s, size_t size)
{
    struct buf out = BUF_INIT;
    text_visible(&out, s, size);
    must(text_is_utf8(out.p, out.len), "what is shown is no UTF-8");
    uint32_t code;
    for (size_t i = 0; i < out.len; i += text_char(out.p + i, out.len - i, &code)) {
        must(text_char(out.p + i, out.len - i, &code) > 0 && !text_is_hidden(code),
             "a terminal obeys it");
    }
    buf_free(&out);
}

static void nearest(const char *s)
{
    static const char *const words[] = {"value", "values", "labels", "level", "a"};
    static const size_t n = sizeof words / sizeof words[0];
    const char *found = text_nearest(s, words, n);
    for (size_t i = 0; i < n; i++) {
        must(strcmp(s, words[i]) != 0 || found == words[i], "a word is not the nearest to itself");
        must(strncmp(s, words[i], strlen(words[i])) != 0 || strlen(s) != strlen(words[i]) + 1 ||
                 strlen(s) < 6 || found != NULL,
             "one letter too many is too far");
    }
}

// The first bytes as a number of seconds: what is told is of it, and leaves out less than the smaller unit.
static void span(const uint8_t *data, size_t size)
{
    static const uint64_t units[] = {86400, 3600, 60, 1};
    static const char *const short_names[] = {"d", "h", "min", "s"};
    struct buf out = BUF_INIT;
    uint64_t seconds = 0;
    memcpy(&seconds, data, size < sizeof seconds ? size : sizeof seconds);
    text_span(&out, seconds);
    uint64_t told = 0;
    uint64_t least = 1;
    for (char *at = buf_string(&out) != NULL ? out.p : NULL, *word; at != NULL && *at != '\0';) {
        uint64_t n = strtoull(at, &at, 10);
        at += *at == ' ';
        word = strsep(&at, " ");
        for (size_t i = 0; i < 4; i++) {
            least = strcmp(word, short_names[i]) == 0 ? units[i] : least;
        }
        told += n * least;
    }
    must(told <= seconds && seconds - told < least, "another span");
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const value[] = {"\\\\", "\\\"", "\\n"};
    static const char *const help[] = {"\\\\", "\\n"};
    static const char *const html[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    char *text = text_of(data, size);
    characters(text, size);
    json(text, size);
    compare(text, size, text_label_value, "\\\"\n", value);
    compare(text, size, text_help, "\\\n", help);
    compare(text, size, text_html, "&<>\"'", html);
    percent(text, size);
    names(text);
    shown(text, size);
    visible(text, size);
    nearest(text);
    glob(text);
    span(data, size);
    free(text);
    return 0;
}
