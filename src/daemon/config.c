// SPDX-License-Identifier: Apache-2.0
#include "daemon/config.h"

#include "base/text.h"
#include "catalog/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FLAG_MOST = 64 }; // bytes of a flag, dashes and NUL included

// One flag of the command line, taken apart.
struct option {
    const struct setting *setting;
    char name[FLAG_MOST]; // as problems show it, e.g. --log.level
    const char *value;    // after the = or from the next argument; NULL when there is none
    bool no;              // --no-flag
};

static bool is_switch(const struct setting *s)
{
    return s->kind == SETTING_KIND_BOOL;
}

static void reject_unknown(const char *arg, struct errs *errs)
{
    const char *names[SETTING_COUNT];
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        names[i] = settings_table[i].flag;
    }
    char shown[TEXT_SHOWN];
    char word[FLAG_MOST];
    const char *bare = arg + strspn(arg, "-");
    char hint[TEXT_HINT] = "";
    size_t len = strcspn(bare, "=");
    if (len < sizeof word) {
        memcpy(word, bare, len);
        word[len] = '\0';
        text_hint(hint, "--", word, names, SETTING_COUNT);
    }
    text_show(shown, arg);
    errs_add(errs, "", 0, 0, shown, "unknown flag%s",
             hint[0] != '\0' ? hint : "; --help lists all");
}

// Finds the setting of an argument that begins with a dash. Returns false when there is none.
static bool take_apart(struct option *o, const char *arg)
{
    *o = (struct option){0};
    if (strncmp(arg, "--", 2) != 0) {
        return false;
    }
    const char *flag = arg + 2;
    size_t len = strcspn(flag, "=");
    o->value = flag[len] == '=' ? flag + len + 1 : NULL;
    o->setting = setting_by_flag(flag, len);
    if (o->setting == NULL && len > 3 && strncmp(flag, "no-", 3) == 0) {
        o->setting = setting_by_flag(flag + 3, len - 3);
        o->no = true;
        if (o->setting != NULL && !is_switch(o->setting)) {
            return false;
        }
    }
    if (o->setting == NULL) {
        return false;
    }
    snprintf(o->name, sizeof o->name, "--%s%s", o->no ? "no-" : "", o->setting->flag);
    return true;
}

// Settles the value of a flag that has none behind a =. Returns how many further arguments it took,
// or -EINVAL.
static int settle_value(struct option *o, const char *next, struct errs *errs)
{
    if (o->no && o->value != NULL) {
        errs_add(errs, "", 0, 0, o->name, "takes no value");
        return -EINVAL;
    }
    if (is_switch(o->setting)) {
        o->value = o->value != NULL ? o->value : o->no ? "false" : "true";
        return 0;
    }
    if (o->value != NULL) {
        return 0;
    }
    if (o->setting->kind == SETTING_KIND_PRINT) {
        o->value = "yaml";
        return 0;
    }
    if (next == NULL || strncmp(next, "--", 2) == 0) {
        errs_add(errs, "", 0, 0, o->name, "needs a value: %s", o->setting->argument);
        return -EINVAL;
    }
    o->value = next;
    return 1;
}

static void reject_value(const struct option *o, struct errs *errs)
{
    struct buf values = BUF_INIT;
    char shown[TEXT_SHOWN];
    setting_describe(o->setting, &values);
    const char *text = buf_string(&values);
    text_show(shown, o->value);
    errs_add(errs, "", 0, 0, o->name, "must be %s, not \"%s\"",
             text != NULL ? text : "another value", shown);
    buf_free(&values);
}

static int apply(const struct option *o, struct config *c, struct errs *errs)
{
    const struct setting *s = o->setting;
    struct config_origin *origin = &c->origins[s - settings_table];
    bool first = origin->set_by != CONFIG_BY_FLAG;
    origin->set_by = CONFIG_BY_FLAG;
    if (!first && !setting_is_list(s)) {
        errs_add(errs, "", 0, 0, o->name, "given more than once");
        return 0;
    }
    if (first) {
        setting_clear(s, c);
    }
    int r = setting_put(s, c, o->value);
    if (r == -EINVAL) {
        reject_value(o, errs);
    } else if (r == -E2BIG) {
        errs_add(errs, "", 0, 0, o->name, "given more than %d times", CONFIG_MAX_LIST);
    }
    return r == -ENOMEM ? r : 0;
}

static void reject_argument(const char *arg, struct errs *errs)
{
    char shown[TEXT_SHOWN];
    text_show(shown, arg);
    errs_add(errs, "", 0, 0, shown, "not a flag, and nothing else is accepted");
}

int config_read_options(struct config *c, int argc, char *const *argv, struct errs *errs)
{
    bool ended = false; // by a lone --
    for (int i = 1; i < argc && !c->help && !c->version; i++) {
        struct option o;
        if (ended || argv[i][0] != '-') {
            reject_argument(argv[i], errs);
        } else if (strcmp(argv[i], "--") == 0) {
            ended = true;
        } else if (!take_apart(&o, argv[i])) {
            reject_unknown(argv[i], errs);
        } else {
            int more = settle_value(&o, i + 1 < argc ? argv[i + 1] : NULL, errs);
            if (more < 0) {
                c->origins[o.setting - settings_table].set_by = CONFIG_BY_FLAG;
                setting_clear(o.setting, c);
                continue;
            }
            int r = apply(&o, c, errs);
            if (r < 0) {
                return r;
            }
            i += more;
        }
    }
    return 0;
}

static void help_setting(const struct setting *s, struct buf *out)
{
    bool in_file = s->key[0] != '\0';
    buf_addf(out, "  --%s%s", is_switch(s) && in_file ? "[no-]" : "", s->flag);
    if (s->argument[0] != '\0') {
        buf_addf(out, "%s%s", s->argument[0] == '[' ? "" : "=", s->argument);
    }
    buf_addf(out, "\n      %s", s->meaning);
    if (setting_is_list(s)) {
        buf_str(out, " (repeatable)");
    }
    buf_char(out, '\n');
    // A flag that names an action has no default.
    if (in_file || s->kind == SETTING_KIND_PATH) {
        buf_addf(out, "      Default: %s\n", s->initial[0] != '\0' ? s->initial : "none");
    }
}

void config_help(struct buf *out)
{
    buf_str(
        out,
        "Usage: virtrigaud-exporter [FLAG...]\n"
        "\n"
        "Accepts events of VirtRigaud's components on a Unix socket and serves them as metrics\n"
        "to Prometheus. A flag overrides the config file, which overrides the default.\n");
    for (size_t group = 0; group < SETTING_GROUP_COUNT; group++) {
        buf_addf(out, "\n%s:\n", setting_groups[group]);
        for (size_t i = 0; i < SETTING_COUNT; i++) {
            if (settings_table[i].group == group) {
                help_setting(&settings_table[i], out);
            }
        }
    }
}

void config_version(struct buf *out)
{
    buf_str(out, "virtrigaud-exporter " VE_VERSION " (revision " VE_REVISION ")\n");
}

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
    bool plain = s->kind == SETTING_KIND_BOOL || s->kind == SETTING_KIND_COUNT;
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
                                               .min = s->kind == SETTING_KIND_ADDRESSES ? 1 : 0,
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
        {"admin", SECTION},
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
    if (c->healthcheck) {
        return CONFIG_HEALTHCHECK;
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

// systemd names a directory for what shall last (StateDirectory=) and one for sockets (RuntimeDirectory=), or several, of
// which the first counts.
static int put_default(struct config *c, enum config_setting setting, const char *variable,
                       const char *file, struct errs *errs)
{
    const char *dirs = getenv(variable);
    if (c->origins[setting].set_by != CONFIG_BY_DEFAULT || dirs == NULL || dirs[0] != '/') {
        return 0;
    }
    struct buf path = BUF_INIT;
    buf_add(&path, dirs, strcspn(dirs, ":"));
    buf_str(&path, file);
    const char *text = buf_string(&path);
    int r = text == NULL ? -ENOMEM : setting_put(&settings_table[setting], c, text);
    buf_free(&path);
    if (r == -EINVAL) {
        char what[128];
        snprintf(what, sizeof what, "its default, $%s%s, is not a path that can be used; set it",
                 variable, file);
        complain(c, setting, errs, what);
        r = 0;
    }
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
    if (c->healthcheck && (c->config_check || print || c->reload != 0)) {
        complain(c, SETTING_healthcheck, errs,
                 "cannot be combined with --config.check, --catalog.print or --reload");
    }
}

static int fill(struct config *c, struct errs *errs)
{
    int r = put_defaults(c);
    if (r == 0) {
        r = config_read_options(c, c->argc, c->argv, errs);
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
    r = r == 0 ? put_default(c, SETTING_state_file, "STATE_DIRECTORY", "/series.state", errs) : r;
    r = r == 0 ? put_default(c, SETTING_admin_socket, "RUNTIME_DIRECTORY", "/admin.sock", errs) : r;
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
        .native = c->web_enable_native_histograms,
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
