// SPDX-License-Identifier: Apache-2.0
#include "daemon/settings.h"

#include "base/num.h"
#include "base/text.h"
#include "web/sd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

enum { LIVE = false, RESTART = true };

const struct setting settings_table[SETTING_COUNT] = {
#define SETTING(field, group, flag, key, kind, min, max, change, initial, argument, meaning)       \
    {flag,                                                                                         \
     key,                                                                                          \
     SETTING_KIND_##kind,                                                                          \
     SETTING_GROUP_##group,                                                                        \
     min,                                                                                          \
     max,                                                                                          \
     change,                                                                                       \
     initial,                                                                                      \
     argument,                                                                                     \
     meaning,                                                                                      \
     offsetof(struct config, field)},
#include "daemon/settings.def"
};

const char *const setting_groups[SETTING_GROUP_COUNT] = {
#define GROUP(id, title) title,
#include "daemon/settings.def"
};

// Every field has the type that its kind is written as.
#define TYPE_BOOL bool
#define TYPE_COUNT uint64_t
#define TYPE_COUNT_OR_AUTO uint64_t
#define TYPE_SIZE_OR_AUTO uint64_t
#define TYPE_MODE mode_t
#define TYPE_LEVEL enum log_level
#define TYPE_FORMAT enum log_format
#define TYPE_PRINT enum config_print
#define TYPE_PATH char *
#define TYPE_DIR char *
#define TYPE_SOCKET char *
#define TYPE_SOCKET_OR_NONE char *
#define TYPE_NAME_OR_NONE char *
#define TYPE_ADDRESS_OR_NONE char *
#define TYPE_URL_PATH char *
#define TYPE_PATHS struct config_list
#define TYPE_ADDRESSES struct config_list
#define SETTING(field, group, flag, key, kind, ...)                                                \
    _Static_assert(                                                                                \
        __builtin_types_compatible_p(__typeof__(((struct config *)0)->field), TYPE_##kind),        \
        "the field " #field " has another type than its kind");
#include "daemon/settings.def"

// How a field is kept. Enums and mode_t are unsigned integers to the compilers that we know.
enum store { STORE_BOOL, STORE_U64, STORE_UNSIGNED, STORE_TEXT, STORE_LIST };

_Static_assert(sizeof(mode_t) == sizeof(unsigned) && sizeof(enum log_level) == sizeof(unsigned) &&
                   sizeof(enum log_format) == sizeof(unsigned) &&
                   sizeof(enum config_print) == sizeof(unsigned),
               "these are written as unsigned");

static enum store setting_store(const struct setting *s)
{
    switch (s->kind) {
    case SETTING_KIND_BOOL:
        return STORE_BOOL;
    case SETTING_KIND_COUNT:
    case SETTING_KIND_COUNT_OR_AUTO:
    case SETTING_KIND_SIZE_OR_AUTO:
        return STORE_U64;
    case SETTING_KIND_MODE:
    case SETTING_KIND_LEVEL:
    case SETTING_KIND_FORMAT:
    case SETTING_KIND_PRINT:
        return STORE_UNSIGNED;
    case SETTING_KIND_PATHS:
    case SETTING_KIND_ADDRESSES:
        return STORE_LIST;
    default:
        return STORE_TEXT;
    }
}

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

static const char *const *words_of(enum setting_kind kind)
{
    switch (kind) {
    case SETTING_KIND_LEVEL:
        return words_level;
    case SETTING_KIND_FORMAT:
        return words_format;
    case SETTING_KIND_PRINT:
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
    if (s->kind == SETTING_KIND_COUNT_OR_AUTO && strcmp(text, "auto") == 0) {
        *ret = 0;
        return true;
    }
    size_t len = strlen(text);
    return len > 0 && len <= NUMBER_MOST && strspn(text, "0123456789") == len &&
           num_parse_u64(text, ret) == 0 && *ret >= s->min && *ret <= s->max;
}

static bool read_size(const struct setting *s, const char *text, uint64_t *ret)
{
    if (strcmp(text, "auto") == 0) {
        *ret = SETTING_AUTO;
        return true;
    }
    return num_parse_size(text, ret) == 0 && *ret >= s->min && *ret <= s->max;
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
    const char *const *words = words_of(s->kind);
    for (size_t i = 0; i < WORDS_MOST && words[i] != NULL; i++) {
        if (text[0] != '\0' && strcmp(words[i], text) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

// A control character in a path or a name is a mistake in quoting or pasting.
static bool is_clean_text(const char *text, size_t least, size_t most)
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

// Takes the interface of a link-local address off it. Returns false when there is one that cannot be.
static bool take_scope(char *host, bool *ret_scoped)
{
    char *scope = strchr(host, '%');
    *ret_scoped = scope != NULL;
    if (scope == NULL) {
        return true;
    }
    *scope++ = '\0';
    return strlen(scope) > 0 && strlen(scope) < IF_NAMESIZE &&
           is_clean_text(scope, 1, IF_NAMESIZE) && strpbrk(scope, "/%[] ") == NULL;
}

// Numbers only: a name could have several addresses, or none while the network is down.
static bool is_address(const char *text)
{
    if (strncmp(text, "unix:", 5) == 0) {
        return text[5] == '/' && is_clean_text(text + 5, 2, SOCKET_MOST);
    }
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !is_port(colon + 1)) {
        return false;
    }
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE];
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
    bool scoped;
    return take_scope(host, &scoped) && inet_pton(v6 ? AF_INET6 : AF_INET, host, &address) == 1 &&
           (!scoped || (v6 && IN6_IS_ADDR_LINKLOCAL(&address)));
}

bool setting_parse(const struct setting *s, const char *text, uint64_t *ret)
{
    uint64_t number = 0;
    bool ok = false;
    switch (s->kind) {
    case SETTING_KIND_BOOL:
        ok = read_bool(text, &number);
        break;
    case SETTING_KIND_COUNT:
    case SETTING_KIND_COUNT_OR_AUTO:
        ok = read_count(s, text, &number);
        break;
    case SETTING_KIND_SIZE_OR_AUTO:
        ok = read_size(s, text, &number);
        break;
    case SETTING_KIND_MODE:
        ok = read_mode(s, text, &number);
        break;
    case SETTING_KIND_LEVEL:
    case SETTING_KIND_FORMAT:
    case SETTING_KIND_PRINT:
        ok = read_word(s, text, &number);
        break;
    case SETTING_KIND_PATH:
    case SETTING_KIND_PATHS:
        ok = is_clean_text(text, 1, PATH_MOST);
        break;
    case SETTING_KIND_DIR:
        ok = is_clean_text(text, 0, PATH_MOST);
        break;
    case SETTING_KIND_SOCKET:
        ok = is_clean_text(text, 1, SOCKET_MOST);
        break;
    case SETTING_KIND_SOCKET_OR_NONE:
        ok = is_clean_text(text, 0, SOCKET_MOST);
        break;
    case SETTING_KIND_NAME_OR_NONE:
        ok = is_clean_text(text, 0, NAME_MOST) && strpbrk(text, ":,/") == NULL;
        break;
    case SETTING_KIND_ADDRESS_OR_NONE:
        ok = text[0] == '\0' || sd_is_address(text);
        break;
    case SETTING_KIND_URL_PATH:
        ok = is_url_path(text);
        break;
    case SETTING_KIND_ADDRESSES:
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
    const char *const *words = words_of(s->kind);
    const char *before = "one of ";
    for (size_t i = 0; i < WORDS_MOST && words[i] != NULL; i++) {
        if (words[i][0] != '\0') {
            buf_addf(out, "%s%s", before, words[i]);
            before = ", ";
        }
    }
}

void setting_describe(const struct setting *s, struct buf *out)
{
    switch (s->kind) {
    case SETTING_KIND_BOOL:
        buf_str(out, "true or false");
        break;
    case SETTING_KIND_COUNT:
    case SETTING_KIND_COUNT_OR_AUTO:
        buf_addf(out, "%sa whole number from %llu to %llu",
                 s->kind == SETTING_KIND_COUNT ? "" : "auto or ", (unsigned long long)s->min,
                 (unsigned long long)s->max);
        break;
    case SETTING_KIND_SIZE_OR_AUTO:
        buf_addf(out, "auto or a size such as 65536, 512KiB or 32MiB, at most %llu bytes",
                 (unsigned long long)s->max);
        break;
    case SETTING_KIND_MODE:
        buf_addf(out, "octal permissions such as 0660, at most 0%llo", (unsigned long long)s->max);
        break;
    case SETTING_KIND_LEVEL:
    case SETTING_KIND_FORMAT:
    case SETTING_KIND_PRINT:
        wants_words(s, out);
        break;
    case SETTING_KIND_PATH:
    case SETTING_KIND_PATHS:
    case SETTING_KIND_DIR:
        buf_addf(out, "a path of at most %d bytes", PATH_MOST);
        break;
    case SETTING_KIND_SOCKET:
    case SETTING_KIND_SOCKET_OR_NONE:
        buf_addf(out, "a path of at most %d bytes", (int)SOCKET_MOST);
        break;
    case SETTING_KIND_NAME_OR_NONE:
        buf_addf(out, "the name of a group, at most %d bytes", NAME_MOST);
        break;
    case SETTING_KIND_ADDRESS_OR_NONE:
        buf_str(out, "a host name or an IP address, with a port or without");
        break;
    case SETTING_KIND_URL_PATH:
        buf_addf(out, "a path that begins with / and needs no percent-encoding, at most %d bytes",
                 URL_PATH_MOST);
        break;
    case SETTING_KIND_ADDRESSES:
        buf_str(out, "an address such as :8080, 127.0.0.1:8080, [::1]:8080 or unix:/path");
        break;
    }
}

bool setting_is_list(const struct setting *s)
{
    return setting_store(s) == STORE_LIST;
}

const struct setting *setting_by_flag(const char *flag, size_t len)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strlen(settings_table[i].flag) == len &&
            memcmp(settings_table[i].flag, flag, len) == 0) {
            return &settings_table[i];
        }
    }
    return NULL;
}

const struct setting *setting_by_key(const char *key)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (key[0] != '\0' && strcmp(settings_table[i].key, key) == 0) {
            return &settings_table[i];
        }
    }
    return NULL;
}

static void *setting_field(const struct setting *s, struct config *c)
{
    return (char *)c + s->offset;
}

void setting_clear(const struct setting *s, struct config *c)
{
    void *field = setting_field(s, c);
    switch (setting_store(s)) {
    case STORE_BOOL:
        *(bool *)field = false;
        break;
    case STORE_U64:
        *(uint64_t *)field = 0;
        break;
    case STORE_UNSIGNED:
        *(unsigned *)field = 0;
        break;
    case STORE_TEXT:
        free(*(char **)field);
        *(char **)field = NULL;
        break;
    case STORE_LIST: {
        struct config_list *list = field;
        while (list->n > 0) {
            free(list->items[--list->n]);
        }
        break;
    }
    }
}

// "" is kept as NULL.
static int put_text(char **field, const char *text)
{
    char *copy = NULL;
    if (text[0] != '\0') {
        copy = strdup(text);
        if (copy == NULL) {
            return -ENOMEM;
        }
    }
    free(*field);
    *field = copy;
    return 0;
}

static int put_entry(struct config_list *list, const char *text)
{
    if (list->n == CONFIG_MAX_LIST) {
        return -E2BIG;
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return -ENOMEM;
    }
    list->items[list->n++] = copy;
    return 0;
}

int setting_put(const struct setting *s, struct config *c, const char *text)
{
    uint64_t number;
    if (!setting_parse(s, text, &number)) {
        return -EINVAL;
    }
    void *field = setting_field(s, c);
    switch (setting_store(s)) {
    case STORE_BOOL:
        *(bool *)field = number != 0;
        return 0;
    case STORE_U64:
        *(uint64_t *)field = number;
        return 0;
    case STORE_UNSIGNED:
        *(unsigned *)field = (unsigned)number;
        return 0;
    case STORE_TEXT:
        return put_text(field, text);
    case STORE_LIST:
        return put_entry(field, text);
    }
    return -EINVAL;
}

static bool is_same_list(const struct config_list *a, const struct config_list *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) {
        same = strcmp(a->items[i], b->items[i]) == 0;
    }
    return same;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool setting_is_equal(const struct setting *s, const struct config *a, const struct config *b)
{
    const void *x = (const char *)a + s->offset;
    const void *y = (const char *)b + s->offset;
    switch (setting_store(s)) {
    case STORE_BOOL:
        return *(const bool *)x == *(const bool *)y;
    case STORE_U64:
        return *(const uint64_t *)x == *(const uint64_t *)y;
    case STORE_UNSIGNED:
        return *(const unsigned *)x == *(const unsigned *)y;
    case STORE_TEXT:
        return is_same_text(*(char *const *)x, *(char *const *)y);
    case STORE_LIST:
        return is_same_list(x, y);
    }
    return false;
}
