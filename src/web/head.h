// SPDX-License-Identifier: Apache-2.0
/*
 * head: whether a request's head may be trusted. libmicrohttpd lets through what two servers in
 * a row could understand in two ways; here it is refused.
 *
 * Shape:   head_begin, head_field for every header field, head_end.
 * Threads: one owner.
 * Memory:  keeps nothing of what it is given.
 * Source:  RFC 9112 (3.2, 5.1, 6.1, 6.3), RFC 9110 (5.1, 5.5, 7.2).
 */
#ifndef VE_WEB_HEAD_H
#define VE_WEB_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct head {
    bool old;          // HTTP/1.0
    unsigned hosts;    // Host fields so far
    unsigned lengths;  // Content-Length fields so far
    unsigned codings;  // Transfer-Encoding fields so far
    uint64_t length;   // of the body, from Content-Length
    const char *wrong; // the first thing that is wrong, in words; or NULL
};

void head_begin(struct head *h, const char *version);
void head_field(struct head *h, const char *name, size_t name_len, const char *value,
                size_t value_len);

// Judges the whole. Returns NULL, or what is wrong in words that live forever.
const char *head_end(struct head *h, const char *method);

// Whether a body follows (of unknown length when there is a transfer coding).
bool head_has_body(const struct head *h);

#endif
