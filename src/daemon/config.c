// SPDX-License-Identifier: Apache-2.0
#include "daemon/config.h"

#include "catalog/yaml_schema.h"
#include "daemon/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct setting *setting_at(const struct yaml_place *place)
{
    char key[64];
    snprintf(key, sizeof key, "%s.%s", place->up->key, place->key);
    return setting_by_key(key);
}

static void read_value(struct yaml_reader *r, const struct setting *s,
                       const struct yaml_place *place, const struct yaml_node *n)
{
    struct config *c = r->context;
    uint64_t number;
    bool plain = s->kind == KIND_BOOL || s->kind == KIND_COUNT;
    if (n->kind != YAML_SCALAR_NODE_KIND || yaml_is_null(n) || (plain && !n->plain) ||
        !setting_parse(s, n->text, &number)) {
        struct buf values = BUF_INIT;
        setting_describe(s, &values);
        const char *text = buf_string(&values);
        yaml_reject(r, place, n, plain, "%s", text != NULL ? text : "another value");
        buf_free(&values);
    } else if (c->origins[s - settings_table].set_by != CONFIG_BY_FLAG) {
        r->oom = r->oom || setting_put(s, c, n->text) == -ENOMEM;
    }
}

static void read_setting(struct yaml_reader *r, const struct yaml_place *place,
                         const struct yaml_node *n, void *field)
{
    (void)field;
    struct config *c = r->context;
    const struct setting *s = setting_at(place);
    struct config_origin *origin = &c->origins[s - settings_table];
    bool by_flag = origin->set_by == CONFIG_BY_FLAG;
    if (!by_flag && setting_is_list(s)) {
        setting_clear(s, c);
    }
    if (!setting_is_list(s)) {
        read_value(r, s, place, n);
    }
    for (size_t i = 0; setting_is_list(s) && i < n->n && !r->oom; i++) {
        struct yaml_place item = yaml_place_item(place, i);
        read_value(r, s, &item, n->items[i]);
    }
    if (!by_flag) {
        *origin = (struct config_origin){CONFIG_BY_FILE, n->line, n->column};
    }
}

// The settings whose keys begin with the section's name and a dot.
static void read_section(struct yaml_reader *r, const struct yaml_place *place,
                         const struct yaml_node *n, void *field)
{
    struct yaml_key keys[SETTING_COUNT];
    size_t n_keys = 0;
    size_t len = strlen(place->key);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &settings_table[i];
        if (strncmp(s->key, place->key, len) == 0 && s->key[len] == '.') {
            keys[n_keys++] = (struct yaml_key){.name = s->key + len + 1,
                                               .type = setting_is_list(s) ? YAML_LIST : YAML_ANY,
                                               .min = s->kind == KIND_ADDRESSES ? 1 : 0,
                                               .max = CONFIG_MAX_LIST,
                                               .read = read_setting};
        }
    }
    yaml_read_keys(r, place, n, keys, n_keys, field);
}

int config_read_tree(struct config *c, const struct yaml *y, struct errs *errs)
{
#define SECTION .type = YAML_ANY, .nullable = true, .read = read_section
    static const struct yaml_key keys[] = {
        {"catalog", SECTION},
        {"events", SECTION},
        {"web", SECTION},
        {"state", SECTION},
        {"limits", SECTION},
        {"log", SECTION},
        // Read by daemon/config_sources, which needs the catalogue.
        {"sources", .type = YAML_ANY, .offset = offsetof(struct config, sources)},
    };
#undef SECTION
    struct yaml_reader r = {.errs = errs, .file = y->file, .context = c};
    if (y->root != NULL && !yaml_is_null(y->root)) {
        yaml_read_keys(&r, NULL, y->root, YAML_KEYS(keys), c);
    }
    return r.oom ? -ENOMEM : 0;
}

int config_read(struct config *c, struct errs *errs)
{
    struct yaml *y;
    int r = yaml_read(&y, c->config_file, errs);
    if (r == -ENOENT && c->origins[SETTING_config_file].set_by == CONFIG_BY_DEFAULT) {
        return 0;
    }
    if (r == -EINVAL || r == -ENOMEM) {
        return r == -ENOMEM ? r : 0;
    }
    if (r < 0) {
        errs_add(errs, c->config_file, 0, 0, "", "cannot be read: %s", strerror(-r));
        return 0;
    }
    r = config_read_tree(c, y, errs);
    if (c->sources != NULL) {
        c->file = y;
    } else {
        yaml_free(y);
    }
    return r;
}

// Paths that the daemon serves besides the metrics; a last / means all below it.
static const char *const taken_paths[] = {"/",        "/healthz",  "/-/healthy", "/readyz",
                                          "/-/ready", "/-/reload", "/sd",        "/status",
                                          "/source",  "/source/"};

static size_t problems(const struct errs *e)
{
    return e->n + e->left_out;
}

// Adds a problem at the place where the setting got its value.
static void complain(const struct config *c, enum config_setting id, struct errs *errs,
                     const char *what)
{
    const struct config_origin *origin = &c->origins[id];
    if (origin->set_by == CONFIG_BY_FILE) {
        errs_add(errs, c->config_file, origin->line, origin->column, settings_table[id].key, "%s",
                 what);
        return;
    }
    char flag[64];
    snprintf(flag, sizeof flag, "--%s", settings_table[id].flag);
    errs_add(errs, "", 0, 0, flag, "%s", what);
}

static void check_telemetry_path(const struct config *c, struct errs *errs)
{
    const char *path = c->web_telemetry_path;
    for (size_t i = 0; path != NULL && i < sizeof taken_paths / sizeof taken_paths[0]; i++) {
        size_t len = strlen(taken_paths[i]);
        bool below = len > 1 && taken_paths[i][len - 1] == '/';
        if (below ? strncmp(path, taken_paths[i], len) == 0 : strcmp(path, taken_paths[i]) == 0) {
            complain(c, SETTING_web_telemetry_path, errs, "is the path of another page");
            return;
        }
    }
}

static bool is_same_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

// Port 0 is a new port each time, so it may be named again.
static bool is_named_before(const struct config_list *list, size_t i)
{
    const char *port = strrchr(list->items[i], ':');
    bool any_port = list->items[i][0] != 'u' && strspn(port + 1, "0") == strlen(port + 1);
    for (size_t k = 0; k < i; k++) {
        if (!any_port && strcmp(list->items[k], list->items[i]) == 0) {
            return true;
        }
    }
    return false;
}

// Two sockets at one path would take it from each other.
static void check_sockets(const struct config *c, struct errs *errs)
{
    if (is_same_text(c->events_socket, c->events_datagram_socket)) {
        complain(c, SETTING_events_datagram_socket, errs, "is also the path of events.socket");
    }
    const struct config_list *list = &c->web_listen_addresses;
    for (size_t i = 0; i < list->n; i++) {
        const char *path = strncmp(list->items[i], "unix:", 5) == 0 ? list->items[i] + 5 : NULL;
        if (is_same_text(path, c->events_socket) || is_same_text(path, c->events_datagram_socket)) {
            complain(c, SETTING_web_listen_addresses, errs, "is also the path of an event socket");
        }
        if (is_named_before(list, i)) {
            complain(c, SETTING_web_listen_addresses, errs, "lists the same address twice");
        }
    }
}

static enum config_action action_of(const struct config *c)
{
    if (c->help) {
        return CONFIG_HELP;
    }
    if (c->version) {
        return CONFIG_VERSION;
    }
    if (c->reload != 0) {
        return CONFIG_RELOAD;
    }
    if (c->config_check) {
        return CONFIG_CHECK;
    }
    return c->catalog_print != CONFIG_PRINT_NONE ? CONFIG_PRINT : CONFIG_RUN;
}

static int put_defaults(struct config *c)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        int r = settings_table[i].initial[0] != '\0'
                    ? setting_put(&settings_table[i], c, settings_table[i].initial)
                    : 0;
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

// systemd names a directory for what shall last (StateDirectory=), or several, of which the first counts.
static int put_state_file(struct config *c)
{
    const char *dirs = getenv("STATE_DIRECTORY");
    if (c->origins[SETTING_state_file].set_by != CONFIG_BY_DEFAULT || dirs == NULL ||
        dirs[0] != '/') {
        return 0;
    }
    struct buf path = BUF_INIT;
    buf_add(&path, dirs, strcspn(dirs, ":"));
    buf_str(&path, "/series.state");
    const char *text = buf_string(&path);
    int r = text == NULL ? -ENOMEM : setting_put(&settings_table[SETTING_state_file], c, text);
    buf_free(&path);
    return r;
}

// Of what a process is to do instead of running there may be one.
static void check_actions(const struct config *c, struct errs *errs)
{
    bool print = c->catalog_print != CONFIG_PRINT_NONE;
    if (c->config_check && print) {
        complain(c, SETTING_catalog_print, errs, "cannot be combined with --config.check");
    }
    if (c->reload != 0 && (c->config_check || print)) {
        complain(c, SETTING_reload, errs,
                 "cannot be combined with --config.check or --catalog.print");
    }
}

static int fill(struct config *c, struct errs *errs)
{
    int r = put_defaults(c);
    if (r == 0) {
        r = options_read(c, c->argc, c->argv, errs);
    }
    c->action = action_of(c);
    if (r < 0 || c->action == CONFIG_HELP || c->action == CONFIG_VERSION) {
        return r;
    }
    check_actions(c, errs);
    if (c->action == CONFIG_RELOAD) {
        return r;
    }
    // A file whose name was rejected is not looked for.
    r = c->config_file != NULL ? config_read(c, errs) : 0;
    r = r == 0 ? put_state_file(c) : r;
    if (r == 0) {
        check_telemetry_path(c, errs);
        check_sockets(c, errs);
    }
    return r;
}

int config_load(struct config **ret, int argc, char **argv, struct errs *errs)
{
    size_t before = problems(errs);
    struct config *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return -ENOMEM;
    }
    c->argc = argc;
    c->argv = argv;
    int r = fill(c, errs);
    if (r == 0 && problems(errs) > before) {
        r = -EINVAL;
    }
    if (r < 0) {
        config_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

int config_reload(struct config **ret, const struct config *old, struct errs *errs)
{
    struct config *c;
    int r = config_load(&c, old->argc, old->argv, errs);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (settings_table[i].needs_restart && !setting_is_equal(&settings_table[i], old, c)) {
            const struct config_origin *origin = &c->origins[i];
            errs_add(errs, c->config_file, origin->line, origin->column, settings_table[i].key,
                     "needs a restart");
            r = -EINVAL;
        }
    }
    if (r < 0) {
        config_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

struct catalog_input config_catalog_input(const struct config *c, struct errs *warnings)
{
    return (struct catalog_input){
        .n_files = c->catalog_files.n,
        .files = (const char *const *)c->catalog_files.items,
        .dir = c->catalog_dir,
        .dir_must_exist = c->origins[SETTING_catalog_dir].set_by != CONFIG_BY_DEFAULT,
        .warnings = warnings,
    };
}

void config_free(struct config *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        setting_clear(&settings_table[i], c);
    }
    if (c->file != NULL) {
        yaml_free(c->file);
    }
    free(c);
}
