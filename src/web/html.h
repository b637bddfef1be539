// SPDX-License-Identifier: Apache-2.0
/*
 * html: any bytes as text of an HTML element.
 *
 * Shape:   characters that text_is_hidden and bytes that are no UTF-8 are shown by their numbers, as
 *          <i>U+202E</i> and <i>0xFF</i>, so that no text changes what stands around it.
 * Threads: pure functions.
 * Memory:  writes into a borrowed buf, which keeps the error.
 */
#ifndef VE_WEB_HTML_H
#define VE_WEB_HTML_H

#include "base/buf.h"

// Appends at most `max` bytes of the text; of the others, how many they are: <i>… 12 more bytes</i>. `all` is the
// length of what the text is the beginning of, at least `len`.
void html_text(struct buf *out, const char *s, size_t len, size_t max, size_t all);
// The same for a whole text of which nothing is cut.
void html_str(struct buf *out, const char *s);
// A path as the value of href: every segment percent-encoded, the slashes kept.
void html_path(struct buf *out, const char *path);

#endif
