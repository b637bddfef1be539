// SPDX-License-Identifier: Apache-2.0
#include "daemon/value.h"
#include "base/num.h"
#include "web/sd.h"
#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/un.h>

enum {
    PATH_MOST = PATH_MAX - 1,
    SOCKET_MOST = sizeof((struct sockaddr_un *)0)->sun_path - 1,
    NAME_MOST = 255,
    URL_PATH_MOST = 255,
    NUMBER_MOST = 20, // digits of a number
    PORT_MOST = 5,    // digits of a port
};

// Words in the order of their enums; "" is no value.
enum { WORDS_MOST = 4 };
static const char *const words_level[WORDS_MOST] = {"debug", "info", "warn", "error"};
static const char *const words_format[WORDS_MOST] = {"auto", "logfmt", "json", "journal"};
static const char *const words_print[WORDS_MOST] = {"", "yaml", "markdown", "json"};

static const char *const *value_words(enum setting_kind kind)
{
    switch (kind) {
    case KIND_LEVEL:
        return words_level;
    case KIND_FORMAT:
        return words_format;
    case KIND_PRINT:
        return words_print;
    default:
        return NULL;
    }
}

static bool read_bool(const char *text, uint64_t *ret)
{
    *ret = strcmp(text, "true") == 0;
    return *ret == 1 || strcmp(text, "false") == 0;
}

static bool read_count(const struct setting *s, const char *text, uint64_t *ret)
{
    if (s->kind == KIND_COUNT_OR_AUTO && strcmp(text, "auto") == 0) {
        *ret = 0;
        return true;
    }
    size_t len = strlen(text);
    return len > 0 && len <= NUMBER_MOST && strspn(text, "0123456789") == len &&
           num_parse_u64(text, ret) == 0 && *ret >= s->min && *ret <= s->max;
}

static bool read_mode(const struct setting *s, const char *text, uint64_t *ret)
{
    size_t len = strlen(text);
    if (len < 3 || len > 4 || strspn(text, "01234567") != len) {
        return false;
    }
    *ret = strtoul(text, NULL, 8);
    return *ret <= s->max;
}

static bool read_word(const struct setting *s, const char *text, uint64_t *ret)
{
    const char *const *words = value_words(s->kind);
    for (size_t i = 0; i < WORDS_MOST && words[i] != NULL; i++) {
        if (text[0] != '\0' && strcmp(words[i], text) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

// A control character in a path or a name is a slip of a quote or of a paste, never meant.
static bool text_is_plain(const char *text, size_t least, size_t most)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return len >= least && len <= most;
}

// Only what needs no percent-encoding, so that the path reads the same in a request.
static bool is_url_path(const char *text)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._~!$&'()*+,;=:@/";
    size_t len = strlen(text);
    return text[0] == '/' && len <= URL_PATH_MOST && strspn(text, legal) == len;
}

static bool is_port(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= PORT_MOST && strspn(text, "0123456789") == len &&
           strtoul(text, NULL, 10) <= UINT16_MAX;
}

// Numbers only: a name could stand for several addresses, or for none while the network is down.
static bool is_address(const char *text)
{
    if (strncmp(text, "unix:", 5) == 0) {
        return text[5] == '/' && text_is_plain(text + 5, 2, SOCKET_MOST);
    }
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !is_port(colon + 1)) {
        return false;
    }
    char host[INET6_ADDRSTRLEN];
    size_t len = (size_t)(colon - text);
    if (len == 0) {
        return true;
    }
    bool v6 = text[0] == '[' && colon[-1] == ']' && len > 2;
    if (v6) {
        text++;
        len -= 2;
    }
    if (len >= sizeof host) {
        return false;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    struct in6_addr address;
    return inet_pton(v6 ? AF_INET6 : AF_INET, host, &address) == 1;
}

bool value_read(const struct setting *s, const char *text, uint64_t *ret)
{
    uint64_t number = 0;
    bool ok = false;
    switch (s->kind) {
    case KIND_BOOL:
        ok = read_bool(text, &number);
        break;
    case KIND_COUNT:
    case KIND_COUNT_OR_AUTO:
        ok = read_count(s, text, &number);
        break;
    case KIND_SIZE:
        ok = num_parse_size(text, &number) == 0 && number >= s->min && number <= s->max;
        break;
    case KIND_MODE:
        ok = read_mode(s, text, &number);
        break;
    case KIND_LEVEL:
    case KIND_FORMAT:
    case KIND_PRINT:
        ok = read_word(s, text, &number);
        break;
    case KIND_PATH:
    case KIND_PATHS:
        ok = text_is_plain(text, 1, PATH_MOST);
        break;
    case KIND_DIR:
        ok = text_is_plain(text, 0, PATH_MOST);
        break;
    case KIND_SOCKET:
        ok = text_is_plain(text, 1, SOCKET_MOST);
        break;
    case KIND_SOCKET_OR_NONE:
        ok = text_is_plain(text, 0, SOCKET_MOST);
        break;
    case KIND_NAME_OR_NONE:
        ok = text_is_plain(text, 0, NAME_MOST) && strpbrk(text, ":,/") == NULL;
        break;
    case KIND_ADDRESS_OR_NONE:
        ok = text[0] == '\0' || sd_is_address(text);
        break;
    case KIND_URL_PATH:
        ok = is_url_path(text);
        break;
    case KIND_ADDRESSES:
        ok = is_address(text);
        break;
    }
    if (ok) {
        *ret = number;
    }
    return ok;
}

static void wants_words(const struct setting *s, struct buf *out)
{
    const char *const *words = value_words(s->kind);
    const char *before = "one of ";
    for (size_t i = 0; i < WORDS_MOST && words[i] != NULL; i++) {
        if (words[i][0] != '\0') {
            buf_addf(out, "%s%s", before, words[i]);
            before = ", ";
        }
    }
}

void value_wants(const struct setting *s, struct buf *out)
{
    switch (s->kind) {
    case KIND_BOOL:
        buf_str(out, "true or false");
        break;
    case KIND_COUNT:
    case KIND_COUNT_OR_AUTO:
        buf_addf(out, "%sa whole number from %llu to %llu", s->kind == KIND_COUNT ? "" : "auto or ",
                 (unsigned long long)s->min, (unsigned long long)s->max);
        break;
    case KIND_SIZE:
        buf_addf(out, "a size such as 65536, 512KiB or 32MiB, at most %llu bytes",
                 (unsigned long long)s->max);
        break;
    case KIND_MODE:
        buf_addf(out, "octal permissions such as 0660, at most 0%llo", (unsigned long long)s->max);
        break;
    case KIND_LEVEL:
    case KIND_FORMAT:
    case KIND_PRINT:
        wants_words(s, out);
        break;
    case KIND_PATH:
    case KIND_PATHS:
    case KIND_DIR:
        buf_addf(out, "a path of at most %d bytes", PATH_MOST);
        break;
    case KIND_SOCKET:
    case KIND_SOCKET_OR_NONE:
        buf_addf(out, "a path of at most %d bytes", (int)SOCKET_MOST);
        break;
    case KIND_NAME_OR_NONE:
        buf_addf(out, "the name of a group, at most %d bytes", NAME_MOST);
        break;
    case KIND_ADDRESS_OR_NONE:
        buf_str(out, "a host name or an IP address, with a port or without");
        break;
    case KIND_URL_PATH:
        buf_addf(out, "a path that begins with / and needs no percent-encoding, at most %d bytes",
                 URL_PATH_MOST);
        break;
    case KIND_ADDRESSES:
        buf_str(out, "an address such as :8080, 127.0.0.1:8080, [::1]:8080 or unix:/path");
        break;
    }
}
