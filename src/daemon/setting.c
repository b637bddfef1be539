// SPDX-License-Identifier: Apache-2.0
#include "daemon/setting.h"
#include "base/text.h"
#include "daemon/value.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIVE = false, RESTART = true };

const struct setting settings[SETTING_COUNT] = {
#define SETTING(field, group, flag, key, kind, min, max, change, initial, argument, meaning)       \
    {flag,                                                                                         \
     key,                                                                                          \
     KIND_##kind,                                                                                  \
     GROUP_##group,                                                                                \
     min,                                                                                          \
     max,                                                                                          \
     change,                                                                                       \
     initial,                                                                                      \
     argument,                                                                                     \
     meaning,                                                                                      \
     offsetof(struct config, field)},
#include "daemon/settings.def"
};

const char *const setting_groups[GROUP_COUNT] = {
#define GROUP(id, title) title,
#include "daemon/settings.def"
};

// Every field has the type that its kind is written as.
#define TYPE_BOOL bool
#define TYPE_COUNT uint64_t
#define TYPE_COUNT_OR_AUTO uint64_t
#define TYPE_SIZE uint64_t
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
    case KIND_BOOL:
        return STORE_BOOL;
    case KIND_COUNT:
    case KIND_COUNT_OR_AUTO:
    case KIND_SIZE:
        return STORE_U64;
    case KIND_MODE:
    case KIND_LEVEL:
    case KIND_FORMAT:
    case KIND_PRINT:
        return STORE_UNSIGNED;
    case KIND_PATHS:
    case KIND_ADDRESSES:
        return STORE_LIST;
    default:
        return STORE_TEXT;
    }
}

bool setting_is_list(const struct setting *s)
{
    return setting_store(s) == STORE_LIST;
}

const struct setting *setting_by_flag(const char *flag, size_t len)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strlen(settings[i].flag) == len && memcmp(settings[i].flag, flag, len) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

const struct setting *setting_by_key(const char *key)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (key[0] != '\0' && strcmp(settings[i].key, key) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

void setting_show(char out[SETTING_SHOWN], const char *text)
{
    static const char more[] = "...";
    size_t len = strnlen(text, SETTING_SHOWN);
    bool fits = len < SETTING_SHOWN;
    size_t shown = fits ? len : text_cut(text, len, SETTING_SHOWN - sizeof more);
    snprintf(out, SETTING_SHOWN, "%.*s%s", (int)shown, text, fits ? "" : more);
}

void setting_refuse(const struct setting *s, struct errs *errs, const char *file, unsigned line,
                    unsigned column, const char *key, const char *text, const char *instead)
{
    struct buf wants = BUF_INIT;
    value_wants(s, &wants);
    const char *wanted = buf_string(&wants);
    wanted = wanted != NULL ? wanted : "another value";
    if (instead != NULL) {
        errs_add(errs, file, line, column, key, "wants %s, not %s", wanted, instead);
    } else {
        char shown[SETTING_SHOWN];
        setting_show(shown, text);
        errs_add(errs, file, line, column, key, "wants %s, not \"%s\"", wanted, shown);
    }
    buf_free(&wants);
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
    if (!value_read(s, text, &number)) {
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

static bool list_equal(const struct config_list *a, const struct config_list *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) {
        same = strcmp(a->items[i], b->items[i]) == 0;
    }
    return same;
}

static bool text_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool setting_equal(const struct setting *s, const struct config *a, const struct config *b)
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
        return text_equal(*(char *const *)x, *(char *const *)y);
    case STORE_LIST:
        return list_equal(x, y);
    }
    return false;
}
