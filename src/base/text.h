// SPDX-License-Identifier: Apache-2.0
/*
 * text: checks and forms of text that more than one layer needs.
 *
 * Threads: pure functions.
 * Source:  UTF-8 as in RFC 3629, JSON strings as in RFC 8259, label values as in
 *          Prometheus text 0.0.4.
 */
#ifndef VE_BASE_TEXT_H
#define VE_BASE_TEXT_H

#include "base/buf.h"

// Whether the bytes are well-formed UTF-8 (no surrogates, no overlong forms, nothing above
// U+10FFFF).
bool text_is_utf8(const char *s, size_t len);

// Whether the bytes are ASCII and none of them is NUL, which is found out faster than anything else about them.
bool text_is_plain(const char *s, size_t len);

// The bytes of the well-formed character that the text (not empty) begins with, 1 to 4, and its code point; 0
// when it begins with none.
size_t text_char(const char *s, size_t len, uint32_t *ret);

// Whether a code point does something to the text around it instead of showing itself: controls, separators of
// lines, what changes the direction of text, what takes no room.
bool text_is_hidden(uint32_t code);

// How many of the bytes fit into `max` when a character must not be cut in two: at most max.
size_t text_cut(const char *s, size_t len, size_t max);

// Writes a foreign text so that a problem can repeat it: cut when it is long, which "..." then says.
enum { TEXT_SHOWN = 128 };
void text_show(char out[static TEXT_SHOWN], const char *s);

// Appends a text of which the characters that would do something instead of being seen are shown by their numbers, as \u001b,
// and bytes that are no UTF-8 as \xff.
void text_visible(struct buf *out, const char *s, size_t len);

// The entry of `words` nearest to `word` by edit distance, when it is near enough to be a likely
// slip (at most a third of the word's length, at least one edit allowed); else NULL. The first of
// several as near. Bytes are compared, not characters; words above 128 bytes are not near.
const char *text_nearest(const char *word, const char *const *words, size_t n);

// "; the nearest is X", with the entry that text_nearest finds behind `prefix`, a few bytes; "" when it finds none. Returns `out`.
enum { TEXT_HINT = 160 };
const char *text_hint(char out[static TEXT_HINT], const char *prefix, const char *word,
                      const char *const *words, size_t n);

// Appends a JSON string with its quotes. Each byte that is not UTF-8 becomes U+FFFD. Escaped are
// also those of the others that text_is_hidden, so that the result is safe on a terminal and is one line.
void text_json(struct buf *out, const char *s, size_t len);

// Appends HTML text, safe inside an element and inside a double-quoted attribute.
void text_html(struct buf *out, const char *s, size_t len);

// Appends one percent-encoded URI path segment (RFC 3986: all but unreserved characters are
// encoded).
void text_percent(struct buf *out, const char *s, size_t len);

// Appends a label value escaped for the exposition: \ " and LF, nothing else.
void text_label_value(struct buf *out, const char *s, size_t len);

// Appends a HELP text escaped for text 0.0.4: \ and LF.
void text_help(struct buf *out, const char *s, size_t len);

// Appends a span of time by its two largest units: "3 h 12 min".
void text_span(struct buf *out, uint64_t seconds);

// Whether `s` matches `pattern`, in which `*` matches any run of characters and nothing else is
// special.
bool text_glob(const char *pattern, const char *s);

// Whether the name may be a metric's ([a-zA-Z_:][a-zA-Z0-9_:]*) or a label's
// ([a-zA-Z_][a-zA-Z0-9_]*).
bool text_is_metric_name(const char *s);
bool text_is_label_name(const char *s);

#endif
