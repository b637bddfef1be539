// SPDX-License-Identifier: Apache-2.0
#include "daemon/config.h"
#include "catalog/yaml.h"
#include "daemon/config_read.h"
#include "daemon/options.h"
#include "daemon/setting.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

// Paths that the daemon serves besides the metrics; a last / stands for all below it.
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
    if (origin->giver == CONFIG_BY_FILE) {
        errs_add(errs, c->config_file, origin->line, origin->column, settings[id].key, "%s", what);
        return;
    }
    char flag[64];
    snprintf(flag, sizeof flag, "--%s", settings[id].flag);
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

static bool same_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

// Port 0 is a new port each time, so it may be named again.
static bool named_before(const struct config_list *list, size_t i)
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
    if (same_text(c->events_socket, c->events_datagram_socket)) {
        complain(c, SETTING_events_datagram_socket, errs, "is the path of events.socket too");
    }
    const struct config_list *list = &c->web_listen_addresses;
    for (size_t i = 0; i < list->n; i++) {
        const char *path = strncmp(list->items[i], "unix:", 5) == 0 ? list->items[i] + 5 : NULL;
        if (same_text(path, c->events_socket) || same_text(path, c->events_datagram_socket)) {
            complain(c, SETTING_web_listen_addresses, errs, "has the path of an event socket");
        }
        if (named_before(list, i)) {
            complain(c, SETTING_web_listen_addresses, errs, "has the same address twice");
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
    if (c->config_check) {
        return CONFIG_CHECK;
    }
    return c->catalog_print != CONFIG_PRINT_NONE ? CONFIG_PRINT : CONFIG_RUN;
}

static int put_defaults(struct config *c)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        int r =
            settings[i].initial[0] != '\0' ? setting_put(&settings[i], c, settings[i].initial) : 0;
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
    if (c->origins[SETTING_state_file].giver != CONFIG_BY_DEFAULT || dirs == NULL ||
        dirs[0] != '/') {
        return 0;
    }
    struct buf path = BUF_INIT;
    buf_add(&path, dirs, strcspn(dirs, ":"));
    buf_str(&path, "/series.state");
    const char *text = buf_string(&path);
    int r = text == NULL ? -ENOMEM : setting_put(&settings[SETTING_state_file], c, text);
    buf_free(&path);
    return r;
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
    if (c->config_check && c->catalog_print != CONFIG_PRINT_NONE) {
        complain(c, SETTING_catalog_print, errs, "does not go together with --config.check");
    }
    // A file whose name was refused is not looked for.
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
        if (settings[i].needs_restart && !setting_equal(&settings[i], old, c)) {
            const struct config_origin *origin = &c->origins[i];
            errs_add(errs, c->config_file, origin->line, origin->column, settings[i].key,
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

struct catalog_input config_catalog_input(const struct config *c)
{
    return (struct catalog_input){
        .n_files = c->catalog_files.n,
        .files = (const char *const *)c->catalog_files.items,
        .dir = c->catalog_dir,
        .dir_must_exist = c->origins[SETTING_catalog_dir].giver != CONFIG_BY_DEFAULT,
    };
}

void config_free(struct config *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        setting_clear(&settings[i], c);
    }
    if (c->file != NULL) {
        yaml_free(c->file);
    }
    free(c);
}
