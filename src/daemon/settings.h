// SPDX-License-Identifier: Apache-2.0
/*
 * settings: the settings as data (daemon/settings.def), the struct that holds their values, and the way of a text into
 * a field of it.
 *
 * Shape:   settings_table[id] describes setting `id` of enum config_setting. struct config is one plain struct; its
 *          settings are those of daemon/settings.def, in the same order.
 * Bounds:  CONFIG_MAX_LIST entries in a list; numbers and texts as the table says.
 * Threads: the table is constant; a config has one owner while it is written.
 * Memory:  setting_put copies; the config owns what it holds.
 */
#ifndef VE_DAEMON_SETTINGS_H
#define VE_DAEMON_SETTINGS_H

#include "base/buf.h"
#include "base/log.h"

#include <sys/types.h>

enum { CONFIG_MAX_LIST = 64 };

struct yaml;
struct yaml_node;

// What the program is to do.
enum config_action {
    CONFIG_RUN,
    CONFIG_CHECK,
    CONFIG_PRINT,
    CONFIG_RELOAD,
    CONFIG_HEALTHCHECK,
    CONFIG_HELP,
    CONFIG_VERSION
};

enum config_print {
    CONFIG_PRINT_NONE,
    CONFIG_PRINT_YAML,
    CONFIG_PRINT_MARKDOWN,
    CONFIG_PRINT_JSON
};

// What set a setting's value; a greater one is not overridden by a smaller one.
enum config_set_by { CONFIG_BY_DEFAULT, CONFIG_BY_FILE, CONFIG_BY_FLAG };

struct config_list {
    size_t n;
    char *items[CONFIG_MAX_LIST];
};

// Where a setting's value was written.
struct config_origin {
    enum config_set_by set_by;
    unsigned line;   // in the config file, from 1; 0: not from the file
    unsigned column; // likewise
};

enum config_setting {
#define SETTING(field, ...) SETTING_##field,
#include "daemon/settings.def"
    SETTING_COUNT
};

struct config {
    enum config_action action;

    char *config_file;
    bool config_check;
    struct config_list catalog_files; // none: the built-in catalogue
    char *catalog_dir;                // NULL: none
    enum config_print catalog_print;
    char *events_socket;
    char *events_datagram_socket; // NULL: none
    mode_t events_socket_mode;
    char *events_socket_group;  // NULL: that of the process
    uint64_t events_workers;    // 0: auto
    uint64_t events_cache_size; // bytes, or SETTING_AUTO
    struct config_list web_listen_addresses;
    mode_t web_unix_socket_mode;
    char *web_unix_socket_group; // NULL: that of the process
    char *web_config_file;       // NULL: none
    char *web_telemetry_path;
    char *web_external_address; // NULL: the request's Host
    bool web_enable_lifecycle;
    bool web_openmetrics_created;
    bool web_enable_native_histograms;
    uint64_t web_max_requests;
    bool web_show_rejected;
    char *admin_socket; // NULL: none
    char *state_file;   // NULL: none
    uint64_t limits_series;
    uint64_t limits_series_per_metric;
    uint64_t limits_sources;
    uint64_t limits_sessions;
    uint64_t limits_connections;
    enum log_level log_level;
    enum log_format log_format;
    uint64_t reload; // a process ID; 0: none
    bool healthcheck;
    bool version;
    bool help;

    const struct yaml_node *sources; // the value of that key, in `file`; NULL: none
    struct yaml *file;               // NULL: not kept

    struct config_origin origins[SETTING_COUNT];
    int argc; // as given to config_load
    char **argv;
};

#define SETTING_AUTO UINT64_MAX

enum setting_kind {
    SETTING_KIND_BOOL,            // true or false
    SETTING_KIND_COUNT,           // a whole number from min to max
    SETTING_KIND_COUNT_OR_AUTO,   // likewise; auto is 0
    SETTING_KIND_SIZE_OR_AUTO,    // bytes, from min to max: 65536, 32MiB, 0; auto is SETTING_AUTO
    SETTING_KIND_MODE,            // octal permissions
    SETTING_KIND_LEVEL,           // enum log_level
    SETTING_KIND_FORMAT,          // enum log_format
    SETTING_KIND_PRINT,           // enum config_print; a flag without value means yaml
    SETTING_KIND_PATH,            // a path
    SETTING_KIND_DIR,             // a path, "" for none
    SETTING_KIND_SOCKET,          // a path that fits a socket address
    SETTING_KIND_SOCKET_OR_NONE,  // likewise, "" for none
    SETTING_KIND_NAME_OR_NONE,    // a group's name, "" for none
    SETTING_KIND_ADDRESS_OR_NONE, // a host with or without a port, "" for none
    SETTING_KIND_URL_PATH,        // a URL's path
    SETTING_KIND_PATHS,           // a list of paths, may be empty
    SETTING_KIND_ADDRESSES,       // a list of listen addresses, at least one
};

enum setting_group {
#define GROUP(id, title) SETTING_GROUP_##id,
#include "daemon/settings.def"
    SETTING_GROUP_COUNT
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

extern const struct setting settings_table[SETTING_COUNT];
extern const char *const setting_groups[SETTING_GROUP_COUNT]; // titles

bool setting_is_list(const struct setting *s);

// The setting with this flag or key (not NUL-terminated), or NULL.
const struct setting *setting_by_flag(const char *flag, size_t len);
const struct setting *setting_by_key(const char *key);

// Reads the text into the config: replaces a value, adds to a list. Returns 0; -EINVAL when the
// text is not a value of the setting; -E2BIG when the list is full; -ENOMEM.
int setting_put(const struct setting *s, struct config *c, const char *text);

// Empties the field.
void setting_clear(const struct setting *s, struct config *c);

// Whether both configs hold the same value.
bool setting_is_equal(const struct setting *s, const struct config *a, const struct config *b);

// Whether the text is a value (of a list: an entry) of the setting. Then *ret is the number that it
// means, 0 for kinds that are texts.
bool setting_parse(const struct setting *s, const char *text, uint64_t *ret);

// Appends what the setting's values look like, to follow "must be".
void setting_describe(const struct setting *s, struct buf *out);

#endif
