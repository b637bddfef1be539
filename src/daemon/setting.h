// SPDX-License-Identifier: Apache-2.0
/*
 * setting: daemon/settings.def as data, and the way of a text into a field of struct config.
 *
 * Shape:   settings[id] describes setting `id` of enum config_setting.
 * Threads: the table is constant; a config has one owner while it is written.
 * Memory:  setting_put copies; the config owns what it holds.
 */
#ifndef VE_DAEMON_SETTING_H
#define VE_DAEMON_SETTING_H

#include "daemon/config.h"

enum { SETTING_SHOWN = 128 }; // bytes of a text that problems repeat, its NUL included

enum setting_kind {
    KIND_BOOL,            // true or false
    KIND_COUNT,           // a whole number from min to max
    KIND_COUNT_OR_AUTO,   // likewise; auto is 0
    KIND_SIZE,            // bytes, from min to max: 65536, 32MiB, 0
    KIND_MODE,            // octal permissions
    KIND_LEVEL,           // enum log_level
    KIND_FORMAT,          // enum log_format
    KIND_PRINT,           // enum config_print; a flag without value means yaml
    KIND_PATH,            // a path
    KIND_DIR,             // a path, "" for none
    KIND_SOCKET,          // a path that fits a socket address
    KIND_SOCKET_OR_NONE,  // likewise, "" for none
    KIND_NAME_OR_NONE,    // a group's name, "" for none
    KIND_ADDRESS_OR_NONE, // a host with or without a port, "" for none
    KIND_URL_PATH,        // a URL's path
    KIND_PATHS,           // a list of paths, may be empty
    KIND_ADDRESSES,       // a list of listen addresses, at least one
};

enum setting_group {
#define GROUP(id, title) GROUP_##id,
#include "daemon/settings.def"
    GROUP_COUNT
};

struct setting {
    const char *flag; // without the leading --
    const char *key;  // path in the config file; "" when it is a flag only
    enum setting_kind kind;
    enum setting_group group;
    uint64_t min; // of a number
    uint64_t max;
    bool needs_restart;   // when a reload would change it
    const char *initial;  // the default, as it would be written; "" for none
    const char *argument; // what --help shows after the flag
    const char *meaning;  // one line
    size_t offset;        // of its field in struct config
};

extern const struct setting settings[SETTING_COUNT];
extern const char *const setting_groups[GROUP_COUNT]; // titles

bool setting_is_list(const struct setting *s);

// The setting with this flag or key (not NUL-terminated), or NULL.
const struct setting *setting_by_flag(const char *flag, size_t len);
const struct setting *setting_by_key(const char *key);

// Writes a foreign text so that a problem can repeat it: cut when it is long.
void setting_show(char out[SETTING_SHOWN], const char *text);

// Adds the problem "wants …, not …" in the given place, with the text in quotes; or, unless NULL,
// with what stands there instead of a text.
void setting_refuse(const struct setting *s, struct errs *errs, const char *file, unsigned line,
                    unsigned column, const char *key, const char *text, const char *instead);

// Reads the text into the config: replaces a value, adds to a list. Returns 0; -EINVAL when the
// text is not a value of the setting; -E2BIG when the list is full; -ENOMEM.
int setting_put(const struct setting *s, struct config *c, const char *text);

// Empties the field.
void setting_clear(const struct setting *s, struct config *c);

// Whether both configs hold the same value.
bool setting_equal(const struct setting *s, const struct config *a, const struct config *b);

#endif
