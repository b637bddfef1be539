// SPDX-License-Identifier: Apache-2.0
/*
 * json_writer: JSON into a buffer. Whoever writes JSON does it by these.
 *
 * Shape:   what is to be separated from what is before it by a comma is seen from the buffer's last byte, so there is no
 *          state. A value in an empty buffer, behind a key or an opening bracket needs none.
 * Errors:  the buffer's.
 * Threads: pure functions.
 * Source:  RFC 8259.
 */
#ifndef VE_BASE_JSON_WRITER_H
#define VE_BASE_JSON_WRITER_H

#include "base/buf.h"

#include <stdint.h>

// Begins and ends an object or array; `bracket` is the one that is written.
void json_begin(struct buf *out, char bracket);
static inline void json_end(struct buf *out, char bracket)
{
    buf_char(out, bracket);
}

// The next key of an object; its value is what is written then.
void json_key(struct buf *out, const char *key);

// Values. Any bytes are a text, as text_json has it.
void json_text(struct buf *out, const char *s, size_t len);
void json_string(struct buf *out, const char *s);
void json_u64(struct buf *out, uint64_t n);
void json_double(struct buf *out, double n); // finite
void json_bool(struct buf *out, bool value);
void json_null(struct buf *out);
// Bytes that are JSON.
void json_value(struct buf *out, const char *json, size_t len);

// The next key or value begins a line.
void json_line(struct buf *out);

#endif
