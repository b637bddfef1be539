// SPDX-License-Identifier: Apache-2.0
#include "web/head.h"

#include <string.h>
#include <strings.h>

enum { HOST_MAX = 255 };

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_token(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_alnum(s[i]) && !is_one_of(s[i], "!#$%&'*+-.^_`|~")) {
            return false;
        }
    }
    return len > 0;
}

static bool is_field_value(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

// host [":" port]; a name, an IPv4 address, or an IPv6 one in brackets.
static bool is_host(const char *s, size_t len)
{
    size_t i = 0;
    if (len > 0 && s[0] == '[') {
        for (i = 1; i < len && (is_alnum(s[i]) || is_one_of(s[i], ":.")); i++) {
        }
        if (i < 3 || i == len || s[i++] != ']') {
            return false;
        }
    } else {
        for (; i < len && (is_alnum(s[i]) || is_one_of(s[i], "-._~%!$&'()*+,;=")); i++) {
        }
        if (i == 0) {
            return false;
        }
    }
    if (i < len && s[i] != ':') {
        return false;
    }
    size_t digits = 0;
    for (i++; i < len; i++, digits++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
    }
    return digits <= 5 && len <= HOST_MAX;
}

static bool parse_length(const char *s, size_t len, uint64_t *ret)
{
    uint64_t v = 0;
    if (len == 0 || len > 18) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(s[i] - '0');
    }
    *ret = v;
    return true;
}

static bool is_name(const char *name, size_t len, const char *wanted)
{
    return len == strlen(wanted) && strncasecmp(name, wanted, len) == 0;
}

static void set_wrong(struct head *h, const char *what)
{
    if (h->wrong == NULL) {
        h->wrong = what;
    }
}

void head_begin(struct head *h, const char *version)
{
    *h = (struct head){.old = strcmp(version, "HTTP/1.0") == 0};
}

void head_field(struct head *h, const char *name, size_t name_len, const char *value,
                size_t value_len)
{
    while (value_len > 0 && is_one_of(value[value_len - 1], " \t")) {
        value_len--;
    }
    if (!is_token(name, name_len)) {
        set_wrong(h, "a header's name is not a token");
    }
    if (!is_field_value(value, value_len)) {
        set_wrong(h, "a header's value has control characters");
    }
    if (is_name(name, name_len, "Host")) {
        if (h->hosts++ > 0) {
            set_wrong(h, "more than one Host");
        } else if (!is_host(value, value_len)) {
            set_wrong(h, "the Host is not one");
        }
    } else if (is_name(name, name_len, "Content-Length")) {
        if (h->lengths++ > 0) {
            set_wrong(h, "more than one Content-Length");
        } else if (!parse_length(value, value_len, &h->length)) {
            set_wrong(h, "the Content-Length is not a number");
        }
    } else if (is_name(name, name_len, "Transfer-Encoding")) {
        if (h->codings++ > 0 || !is_name(value, value_len, "chunked")) {
            set_wrong(h, "a Transfer-Encoding other than chunked");
        }
    }
}

const char *head_end(struct head *h, const char *method)
{
    if (!h->old && h->hosts == 0) {
        set_wrong(h, "no Host");
    }
    if (h->codings > 0 && h->old) {
        set_wrong(h, "a Transfer-Encoding in HTTP/1.0");
    }
    if (h->codings > 0 && h->lengths > 0) {
        set_wrong(h, "both Transfer-Encoding and Content-Length");
    }
    if (head_has_body(h) && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)) {
        set_wrong(h, "a body where there can be none");
    }
    return h->wrong;
}

bool head_has_body(const struct head *h)
{
    return h->codings > 0 || h->length > 0;
}
