// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";

// The bytes of the well-formed character at s, 1 to 4; 0 when there is none. RFC 3629, section 4.
static size_t char_len(const unsigned char *s, size_t len)
{
    unsigned char c = s[0];
    if (c < 0x80) {
        return 1;
    }
    size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (c < 0xc2 || c > 0xf4 || len < n) {
        return 0;
    }
    // The second byte alone keeps overlong forms, surrogates and what is above U+10FFFF out.
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

size_t text_char(const char *s, size_t len, uint32_t *ret)
{
    static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const unsigned char *p = (const unsigned char *)s;
    size_t n = char_len(p, len);
    uint32_t code = p[0] & first[n];
    for (size_t i = 1; i < n; i++) {
        code = code << 6 | (p[i] & 0x3f);
    }
    if (n > 0) {
        *ret = code;
    }
    return n;
}

bool text_is_hidden(uint32_t code)
{
    static const struct {
        uint32_t from, to;
    } hidden[] = {
        {0, 0x1f},          {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},
        {0x61c, 0x61c},     {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
        {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},
        {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},
        {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (code >= hidden[i].from && code <= hidden[i].to) {
            return true;
        }
    }
    return false;
}

bool text_is_utf8(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t i = 0;
    while (i < len) {
        uint64_t eight;
        if (len - i >= sizeof eight) {
            memcpy(&eight, p + i, sizeof eight);
            if ((eight & 0x8080808080808080) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        size_t n = char_len(p + i, len - i);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

// A bit for each of eight bytes that is above 127; also one for some byte when any is NUL.
static uint64_t unusual(const char *s)
{
    uint64_t eight;
    memcpy(&eight, s, sizeof eight);
    return (eight | (eight - 0x0101010101010101)) & 0x8080808080808080;
}

bool text_is_plain(const char *s, size_t len)
{
    size_t i = 0;
    uint64_t found = 0;
    for (; i + 32 <= len; i += 32) {
        found |= unusual(s + i) | unusual(s + i + 8) | unusual(s + i + 16) | unusual(s + i + 24);
    }
    for (; i + 8 <= len; i += 8) {
        found |= unusual(s + i);
    }
    for (; i < len; i++) {
        found |= (unsigned char)(s[i] - 1) > 126; // NUL becomes 255
    }
    return found == 0;
}

size_t text_cut(const char *s, size_t len, size_t max)
{
    if (len <= max) {
        return len;
    }
    for (size_t back = 0; back < 4 && back < max; back++) {
        if (((unsigned char)s[max - back] & 0xc0) != 0x80) {
            return max - back;
        }
    }
    return max;
}

void text_show(char out[static TEXT_SHOWN], const char *s)
{
    static const char more[] = "...";
    size_t len = strnlen(s, TEXT_SHOWN);
    bool fits = len < TEXT_SHOWN;
    size_t shown = fits ? len : text_cut(s, len, TEXT_SHOWN - sizeof more);
    snprintf(out, TEXT_SHOWN, "%.*s%s", (int)shown, s, fits ? "" : more);
}

void text_visible(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code = 0;
        size_t n = text_char(s + i, len - i, &code);
        if (n > 0 && !text_is_hidden(code)) {
            buf_add(out, s + i, n);
        } else if (n > 0) {
            buf_addf(out, code > 0xFFFF ? "\\U%08x" : "\\u%04x", (unsigned)code);
        } else {
            buf_addf(out, "\\x%02x", (unsigned char)s[i]);
        }
        i += n > 0 ? n : 1;
    }
}

// The letter of the short escape of a character, or 0.
static char short_escape(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

// The code point of a character that must or should not be shown as it is, or 0 for one that may,
// and for NUL, which is compared as a byte.
static unsigned unprintable(const unsigned char *p, size_t n)
{
    if (n == 1) {
        return p[0] < 0x20 || p[0] == 0x7f ? p[0] : 0;
    }
    uint32_t code;
    if (n > 1 && text_char((const char *)p, n, &code) == n) {
        return text_is_hidden(code) ? code : 0;
    }
    return 0;
}

static void json_escape(struct buf *out, unsigned unit)
{
    const char escape[] = {'\\',
                           'u',
                           hex_lower[unit >> 12],
                           hex_lower[unit >> 8 & 15],
                           hex_lower[unit >> 4 & 15],
                           hex_lower[unit & 15]};
    buf_add(out, escape, sizeof escape);
}

static void json_char(struct buf *out, const unsigned char *p, size_t n)
{
    char letter = n == 1 ? short_escape(p[0]) : 0;
    unsigned code = unprintable(p, n);
    if (n == 0) {
        buf_str(out, "\xef\xbf\xbd");
    } else if (letter != 0) {
        buf_add(out, (const char[]){'\\', letter}, 2);
    } else if (code > 0xffff) {
        json_escape(out, 0xd7c0 + (code >> 10)); // the two surrogates
        json_escape(out, 0xdc00 + (code & 0x3ff));
    } else if (code != 0 || p[0] == '\0') {
        json_escape(out, code);
    } else {
        buf_add(out, p, n);
    }
}

void text_json(struct buf *out, const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    buf_char(out, '"');
    size_t plain = 0; // where the bytes begin that are not yet added
    size_t i = 0;
    while (i < len) {
        if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"' && p[i] != '\\') {
            i++;
            continue;
        }
        buf_add(out, s + plain, i - plain);
        size_t n = char_len(p + i, len - i);
        json_char(out, p + i, n);
        i += n > 0 ? n : 1;
        plain = i;
    }
    buf_add(out, s + plain, len - plain);
    buf_char(out, '"');
}

// `escape` returns what is written for a byte, or NULL when that is the byte itself.
static void add_escaped(struct buf *out, const char *s, size_t len, const char *(*escape)(char))
{
    size_t plain = 0;
    for (size_t i = 0; i < len; i++) {
        const char *instead = escape(s[i]);
        if (instead != NULL) {
            buf_add(out, s + plain, i - plain);
            buf_str(out, instead);
            plain = i + 1;
        }
    }
    buf_add(out, s + plain, len - plain);
}

static const char *escape_html(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void text_html(struct buf *out, const char *s, size_t len)
{
    add_escaped(out, s, len, escape_html);
}

static const char *escape_help(char c)
{
    return c == '\\' ? "\\\\" : c == '\n' ? "\\n" : NULL;
}

static const char *escape_label_value(char c)
{
    return c == '"' ? "\\\"" : escape_help(c);
}

// A bit for each of the eight bytes that is this one; bits above the first one mean nothing.
static uint64_t bytes_like(uint64_t eight, char c)
{
    uint64_t other = eight ^ 0x0101010101010101 * (unsigned char)c;
    return (other - 0x0101010101010101) & ~other & 0x8080808080808080;
}

// Whether one of eight bytes must be escaped in a label value.
static bool is_escaped_among(const char *s)
{
    uint64_t eight;
    memcpy(&eight, s, sizeof eight);
    return (bytes_like(eight, '"') | bytes_like(eight, '\\') | bytes_like(eight, '\n')) != 0;
}

// How many bytes of the beginning hold nothing to be escaped: all, or some.
static size_t plain_before(const char *s, size_t len)
{
    static const bool escaped[256] = {['"'] = true, ['\\'] = true, ['\n'] = true};
    size_t plain = 0;
    while (len - plain >= 8 && !is_escaped_among(s + plain)) {
        plain += 8;
    }
    if (len >= 8 && len - plain < 8 && !is_escaped_among(s + len - 8)) {
        return len; // of the last eight, some were looked at before
    }
    while (plain < len && !escaped[(unsigned char)s[plain]]) {
        plain++;
    }
    return plain;
}

// The same of what may escape `"`, `\` and LF: the beginning without these is copied at once.
static void add_escaped_line(struct buf *out, const char *s, size_t len,
                             const char *(*escape)(char))
{
    size_t plain = plain_before(s, len);
    buf_add(out, s, plain);
    if (plain < len) {
        add_escaped(out, s + plain, len - plain, escape);
    }
}

void text_help(struct buf *out, const char *s, size_t len)
{
    add_escaped_line(out, s, len, escape_help);
}

void text_label_value(struct buf *out, const char *s, size_t len)
{
    add_escaped_line(out, s, len, escape_label_value);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

void text_percent(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (is_letter(s[i]) || is_digit(s[i]) || c == '-' || c == '.' || c == '_' || c == '~') {
            buf_char(out, s[i]);
        } else {
            buf_add(out, (const char[]){'%', hex_upper[c >> 4], hex_upper[c & 15]}, 3);
        }
    }
}

bool text_glob(const char *pattern, const char *s)
{
    const char *star = NULL; // the pattern after the last star
    const char *tried = s;   // where that star's run ends so far
    while (*s != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            tried = s;
        } else if (*pattern == *s) {
            pattern++;
            s++;
        } else if (star != NULL) {
            pattern = star;
            s = ++tried;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

static bool is_name(const char *s, bool colon)
{
    if (*s == '\0' || is_digit(*s)) {
        return false;
    }
    for (; *s != '\0'; s++) {
        if (!is_letter(*s) && !is_digit(*s) && *s != '_' && !(colon && *s == ':')) {
            return false;
        }
    }
    return true;
}

bool text_is_metric_name(const char *s)
{
    return is_name(s, true);
}

bool text_is_label_name(const char *s)
{
    return is_name(s, false);
}

// ---- Words that were most likely meant

enum { NEAREST_MAX = 128 }; // bytes of a word that may still be a slip of the pen

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

// Edits (insert, delete, replace, swap of neighbours) between two words of at most NEAREST_MAX
// bytes.
static unsigned distance(const char *a, size_t la, const char *b, size_t lb)
{
    unsigned rows[3][NEAREST_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= lb; j++) {
        last[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= la; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned d = least(last[j], row[j - 1]) + 1;
            d = least(d, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                d = least(d, before[j - 2] + 1);
            }
            row[j] = d;
        }
        unsigned *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[lb];
}

const char *text_nearest(const char *word, const char *const *words, size_t n)
{
    size_t len = strnlen(word, NEAREST_MAX + 1);
    if (len > NEAREST_MAX) {
        return NULL;
    }
    unsigned limit = len < 6 ? 1 : (unsigned)len / 3;
    const char *best = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t other = strnlen(words[i], NEAREST_MAX + 1);
        size_t apart = other > len ? other - len : len - other;
        if (other > NEAREST_MAX || apart > limit) {
            continue;
        }
        unsigned d = distance(word, len, words[i], other);
        if (d < limit || (d == limit && best == NULL)) {
            best = words[i];
            limit = d;
        }
    }
    return best;
}

const char *text_hint(char out[static TEXT_HINT], const char *prefix, const char *word,
                      const char *const *words, size_t n)
{
    const char *nearest = text_nearest(word, words, n);
    out[0] = '\0';
    if (nearest != NULL) {
        snprintf(out, TEXT_HINT, "; the nearest is %s%.128s", prefix, nearest);
    }
    return out;
}

void text_span(struct buf *out, uint64_t seconds)
{
    static const struct {
        const char *unit;
        uint64_t seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    uint64_t rest = seconds;
    size_t i = 0;
    while (i < 3 && rest < units[i].seconds) {
        i++;
    }
    buf_addf(out, "%" PRIu64 " %s", rest / units[i].seconds, units[i].unit);
    rest %= units[i].seconds;
    if (i < 3 && rest >= units[i + 1].seconds) {
        buf_addf(out, " %" PRIu64 " %s", rest / units[i + 1].seconds, units[i + 1].unit);
    }
}
