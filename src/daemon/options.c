// SPDX-License-Identifier: Apache-2.0
#include "daemon/options.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>

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
    return s->kind == KIND_BOOL;
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
    const char *nearest = NULL;
    size_t len = strcspn(bare, "=");
    if (len < sizeof word) {
        memcpy(word, bare, len);
        word[len] = '\0';
        nearest = text_nearest(word, names, SETTING_COUNT);
    }
    text_show(shown, arg);
    if (nearest != NULL) {
        errs_add(errs, "", 0, 0, shown, "unknown flag; the nearest is --%s", nearest);
    } else {
        errs_add(errs, "", 0, 0, shown, "unknown flag; --help lists all");
    }
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
    if (o->setting->kind == KIND_PRINT) {
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

int options_read(struct config *c, int argc, char *const *argv, struct errs *errs)
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
    if (in_file || s->kind == KIND_PATH) {
        buf_addf(out, "      Default: %s\n", s->initial[0] != '\0' ? s->initial : "none");
    }
}

void options_help(struct buf *out)
{
    buf_str(
        out,
        "Usage: virtrigaud-exporter [FLAG...]\n"
        "\n"
        "Accepts events of VirtRigaud's components on a Unix socket and serves them as metrics\n"
        "to Prometheus. A flag overrides the config file, which overrides the default.\n");
    for (size_t group = 0; group < GROUP_COUNT; group++) {
        buf_addf(out, "\n%s:\n", setting_groups[group]);
        for (size_t i = 0; i < SETTING_COUNT; i++) {
            if (settings_table[i].group == group) {
                help_setting(&settings_table[i], out);
            }
        }
    }
}

void options_version(struct buf *out)
{
    buf_str(out, "virtrigaud-exporter " VE_VERSION " (revision " VE_REVISION ")\n");
}
