// SPDX-License-Identifier: Apache-2.0
/*
 * request: the head of an HTTP request, read strictly, with what it asks for.
 *
 * Why:     libmicrohttpd (0.9.75, and 1.0.1 unless told otherwise) reads heads leniently: it joins folded lines, ends
 *          values at a NUL, takes a bare LF for a line's end. Another server in front of it may read the same bytes
 *          as other requests, and its callbacks come too late to find out. So none of a peer's bytes reach it: this module
 *          alone reads a head, once, and what the exporter needs of it is taken from here. libmicrohttpd, which frames
 *          bodies and answers, gets a head of a few lines that request_write makes of what was understood, in the one way
 *          that has one meaning; web/channel hands that over, and checks that libmicrohttpd consumed just as many bytes.
 * Shape:   request_scan looks for the end of a head while it arrives, and refuses bytes that no head has at once.
 *          request_parse checks the whole: every line ends in CR LF, one blank on each side of the target, no blank
 *          before a colon, no folded line, no control character; one Host; a body by one Content-Length of digits or by
 *          "chunked" alone; each other field that has one value at most once.
 *          A filter is a set of metric names, sorted, each once; an empty set cannot be made.
 * Bounds:  a head has at most REQUEST_HEAD_MAX bytes; a filter has REQUEST_FILTER_NAMES names of at most
 *          REQUEST_FILTER_NAME_MAX bytes.
 * Units:   a timeout in nanoseconds.
 * Threads: one owner.
 * Memory:  a struct request borrows the head's bytes; a filter owns its names.
 * Source:  RFC 9112 (2.2, 3, 5, 6, 9.3), RFC 9110 (5.5, 7.2, 7.6.1); percent-encoding as in RFC 3986, `+` for a space as in
 *          HTML forms; `name[]` as in client_golang; X-Prometheus-Scrape-Timeout-Seconds as Prometheus sends it: one that
 *          is no number of seconds above 0 and up to REQUEST_TIMEOUT_MAX_S counts for nothing.
 */
#ifndef VE_WEB_REQUEST_H
#define VE_WEB_REQUEST_H

#include "base/buf.h"
#include "expose/negotiate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REQUEST_HEAD_MAX = 16 * 1024, REQUEST_METHOD_MAX = 32, REQUEST_HOST_MAX = 255 };
enum { REQUEST_TIMEOUT_MAX_S = 3600 };

// How far a head was looked at. Begins as zeros.
struct request_scan {
    size_t checked; // bytes without fault
    size_t line;    // where the current line begins
    size_t lines;   // complete ones that are not empty
};

// Why a head is refused.
struct request_fault {
    unsigned status;  // 400, 405, 414, 431 or 505
    const char *text; // lives forever
};

enum request_field {
    REQUEST_HOST,
    REQUEST_AUTHORIZATION,
    REQUEST_SCRAPE_TIMEOUT,
    REQUEST_CONTENT_LENGTH,
    REQUEST_TRANSFER_ENCODING,
    REQUEST_ACCEPT,
    REQUEST_ACCEPT_ENCODING,
    REQUEST_CONNECTION,
    REQUEST_EXPECT,
    REQUEST_FIELDS
};

struct request {
    struct slice method;
    struct slice target;   // path and query; of absolute-form without what precedes the path
    bool path_missing;     // the target was in absolute-form and had none: it is to begin with "/"
    bool http10;           // HTTP/1.0
    bool closing;          // no other request is to follow on its connection
    bool keep_alive;       // HTTP/1.0 that asks to keep the connection
    bool expects_continue; // waits for 100 (Continue) before it sends its body
    bool chunked;
    uint64_t length;                    // of the body, when it is not chunked
    unsigned n[REQUEST_FIELDS];         // how often each field occurs
    struct slice value[REQUEST_FIELDS]; // of fields that may occur once
    struct negotiate_form form;         // of the answer to a scrape
    uint64_t timeout_ns;                // how long a scrape is waited for; UINT64_MAX: not said
};

// Looks at the first `n` bytes of a connection, of which those that were looked at before have not changed. Returns the
// length of the head; 0 when it is not complete; -EINVAL, with the fault.
long request_scan(struct request_scan *s, const char *bytes, size_t n, struct request_fault *fault);

// Reads a complete head. Returns 0, or -EINVAL with the fault.
int request_parse(struct request *r, const char *head, size_t len, struct request_fault *fault);

// Whether a body follows.
bool request_has_body(const struct request *r);

// Whether it asks for a representation: GET, or HEAD, whose answer describes one.
bool request_is_get_or_head(const struct request *r);

// Appends the head for libmicrohttpd, which needs to know where the request ends and whether the connection goes on, and
// nothing else of it: method (HEAD for GET, since bodies are sent by web/channel), path, version, Host, and the fields of
// the body and the connection.
void request_write(const struct request *r, struct buf *out);

enum { REQUEST_FILTER_NAMES = 256, REQUEST_FILTER_NAME_MAX = 256 };

// Metric names that a scrape asks for; the families of other names are left out.
struct request_filter {
    size_t n;    // from 1
    char **name; // ascending by strcmp, no two the same
};

// Decodes percent-encoding in place and ends the text with a NUL; `+` becomes a space when `form`.
// Returns the new length, or -EINVAL for a malformed escape and for an escaped NUL.
long request_decode(char *s, size_t len, bool form);

// Splits a request target (`/path?query`) in place. Returns 0 with the
// decoded path and the still encoded query, both NUL-terminated, *ret_query NULL when there is
// none; or -EINVAL when the path is malformed or has spaces or control characters.
int request_split_target(char *target, char **ret_path, char **ret_query);

// Takes the next parameter off a query, in place. A name without `=` has the value "". Returns 1; 0 at the end;
// -EINVAL for a malformed escape.
int request_next_param(char **query, char **ret_name, char **ret_value);

// Reads the `name[]` parameters; others are ignored. `query` is overwritten. Returns 0, and NULL
// when it names none; -EINVAL for a malformed escape anywhere; -E2BIG beyond the bounds; -ENOMEM.
int request_filter_read(struct request_filter **ret, char *query);

// Whether a family of this name is asked for. A NULL filter asks for all.
bool request_filter_has(const struct request_filter *f, const char *name);

// Whether both ask for the same; NULL is the same as NULL only.
bool request_filter_is_same(const struct request_filter *a, const struct request_filter *b);

void request_filter_free(struct request_filter *f);

#endif
