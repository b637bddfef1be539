// SPDX-License-Identifier: Apache-2.0
/*
 * config: what the daemon was told, by flags, by the config file and by defaults, in that order of
 * weight.
 *
 * Shape:   one plain struct; its settings are those of daemon/settings.def, in the same order.
 * Bounds:  CONFIG_MAX_LIST entries in a list; numbers and texts as the table says.
 * Threads: read-only once loaded; any number of readers.
 * Memory:  config_load returns a new config, config_free gives all of it back. It borrows argv,
 * which must live as long as the config and those reloaded from it (main's own does).
 */
#ifndef VE_DAEMON_CONFIG_H
#define VE_DAEMON_CONFIG_H

#include "base/err.h"
#include "base/log.h"
#include "catalog/catalog.h"
#include <sys/types.h>

enum { CONFIG_MAX_LIST = 64 };

struct yaml;
struct yaml_node;

// What the program is to do.
enum config_action { CONFIG_RUN, CONFIG_CHECK, CONFIG_PRINT, CONFIG_HELP, CONFIG_VERSION };

enum config_print {
    CONFIG_PRINT_NONE,
    CONFIG_PRINT_YAML,
    CONFIG_PRINT_MARKDOWN,
    CONFIG_PRINT_JSON
};

// Who gave a setting its value; a greater one is not overridden by a smaller one.
enum config_giver { CONFIG_BY_DEFAULT, CONFIG_BY_FILE, CONFIG_BY_FLAG };

struct config_list {
    size_t n;
    char *items[CONFIG_MAX_LIST];
};

// Where a setting's value was written.
struct config_origin {
    enum config_giver giver;
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
    char *events_socket_group; // NULL: that of the process
    uint64_t events_workers;   // 0: auto
    uint64_t events_memo_size; // bytes
    struct config_list web_listen_addresses;
    char *web_config_file; // NULL: none
    char *web_telemetry_path;
    char *web_external_address; // NULL: the request's Host
    bool web_enable_lifecycle;
    bool web_openmetrics_created;
    uint64_t web_max_requests;
    bool web_show_refusals;
    char *state_file; // NULL: none
    uint64_t limits_series;
    uint64_t limits_series_per_metric;
    uint64_t limits_sources;
    uint64_t limits_sessions;
    uint64_t limits_connections;
    enum log_level log_level;
    enum log_format log_format;
    bool version;
    bool help;

    const struct yaml_node *sources; // what stands there, in `file`; NULL: nothing
    struct yaml *file;               // NULL: not kept

    struct config_origin origins[SETTING_COUNT];
    int argc; // as given to config_load
    char **argv;
};

// Reads the flags and then the config file; a default file that is missing counts as an empty one.
// --help and --version end the reading of flags, and the file is left alone. Returns 0 and the
// config; -EINVAL when anything is wrong (all of it is in errs); -ENOMEM.
int config_load(struct config **ret, int argc, char **argv, struct errs *errs);

// Reads the file again under the same flags. As config_load; a changed setting that needs a restart
// is a problem too, looked for when all else is right. `old` is not touched. What may change live
// is for the caller to apply.
int config_reload(struct config **ret, const struct config *old, struct errs *errs);

// Where the catalogue of this config comes from. Borrows from the config.
struct catalog_input config_catalog_input(const struct config *c);

void config_free(struct config *c);

#endif
