// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "catalog/yaml.h"
#include "daemon/config.h"
#include "unit.h"

// Reads `text` as a file into the config.
static void read_text(struct config *c, const char *text, struct errs *errs)
{
    struct yaml *y;
    ck_assert_int_eq(yaml_parse(&y, "config.yaml", text, strlen(text), errs), 0);
    ck_assert_int_eq(config_read_tree(c, y, errs), 0);
    yaml_free(y);
}

static struct config *new_config(void)
{
    struct config *c = calloc(1, sizeof *c);
    ck_assert_ptr_nonnull(c);
    return c;
}

// A value of each kind that is nobody's default, as YAML and as the flag takes it.
static const char *other_value(const struct setting *s)
{
    switch (s->kind) {
    case SETTING_KIND_BOOL:
        return "true";
    case SETTING_KIND_COUNT:
    case SETTING_KIND_COUNT_OR_AUTO:
    case SETTING_KIND_SIZE_OR_AUTO:
        return "7";
    case SETTING_KIND_MODE:
        return "0600";
    case SETTING_KIND_LEVEL:
        return "error";
    case SETTING_KIND_FORMAT:
        return "json";
    case SETTING_KIND_ADDRESSES:
        return "127.0.0.1:9100";
    case SETTING_KIND_ADDRESS_OR_NONE:
        return "host.example:9";
    case SETTING_KIND_NAME_OR_NONE:
        return "virtrigaud";
    default:
        return "/other/path";
    }
}

// The YAML text that sets one key.
static void write_key(struct buf *out, const struct setting *s, const char *value)
{
    const char *dot = strchr(s->key, '.');
    bool list = s->kind == SETTING_KIND_PATHS || s->kind == SETTING_KIND_ADDRESSES;
    ck_assert_ptr_nonnull(dot);
    buf_clear(out);
    buf_addf(out, "%.*s:\n  %s: %s%s%s\n", (int)(dot - s->key), s->key, dot + 1, list ? "[\"" : "",
             value, list ? "\"]" : "");
}

START_TEST(every_key_of_the_table_is_read_from_the_file)
{
    struct buf text = BUF_INIT;
    size_t keys = 0;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &settings_table[i];
        if (s->key[0] == '\0') {
            continue;
        }
        keys++;
        struct errs errs = ERRS_INIT;
        struct config *want = new_config();
        struct config *got = new_config();
        ck_assert_int_eq(setting_put(s, want, other_value(s)), 0);
        write_key(&text, s, other_value(s));
        read_text(got, buf_string(&text), &errs);
        ck_assert_msg(!errs_has_any(&errs), "%s", text.p);
        for (size_t k = 0; k < SETTING_COUNT; k++) {
            ck_assert_msg(setting_is_equal(&settings_table[k], got, want), "%s %s", s->key,
                          settings_table[k].flag);
            ck_assert_int_eq(got->origins[k].set_by, k == i ? CONFIG_BY_FILE : CONFIG_BY_DEFAULT);
        }
        ck_assert_uint_eq(got->origins[i].line, 2);
        config_free(got);
        config_free(want);
    }
    // All but config.file and the actions: config.check, catalog.print, reload, version, help.
    ck_assert_uint_eq(keys, SETTING_COUNT - 7);
    buf_free(&text);
}
END_TEST

START_TEST(a_bad_file_is_refused_with_its_place)
{
    static const struct {
        const char *text;
        const char *problems;
    } cases[] = {
        {"web:\n  telemetry_pth: /m\n",
         "config.yaml:2:3: web.telemetry_pth: unknown key; the nearest is telemetry_path\n"},
        {"web:\n  listen_address: [':1']\n",
         "config.yaml:2:3: web.listen_address: unknown key; the nearest is listen_addresses\n"},
        {"web:\n  max-requests: 3\n",
         "config.yaml:2:3: web.max-requests: unknown key; the nearest is max_requests\n"},
        {"limit: {series: 3}\n", "config.yaml:1:1: limit: unknown key; the nearest is limits\n"},
        {"web.max_requests: 3\n",
         "config.yaml:1:1: web.max_requests: unknown key; a dot is written as a nested mapping\n"},
        {"web: {max_requests: {x: 1}}\n", "config.yaml:1:21: web.max_requests: must be a whole "
                                          "number from 1 to 100000, not a mapping\n"},
        {"web: {web: {max_requests: 1}}\n", "config.yaml:1:7: web.web: unknown key\n"},
        {"'': 1\n", "config.yaml:1:1: unknown key\n"},
        {"config: {file: /x}\n", "config.yaml:1:1: config: unknown key\n"},
        {"catalog: {print: yaml}\n", "config.yaml:1:11: catalog.print: unknown key\n"},
        {"version: true\n", "config.yaml:1:1: version: unknown key\n"},
        {"state: {dir: /s}\n", "config.yaml:1:9: state.dir: unknown key\n"},
        {"sourcess: []\n", "config.yaml:1:1: sourcess: unknown key; the nearest is sources\n"},
        {"- web\n", "config.yaml:1:1: must be a mapping, not a list\n"},
        {"web\n", "config.yaml:1:1: must be a mapping, not \"web\"\n"},
        {"web: [1]\n", "config.yaml:1:6: web: must be a mapping, not a list\n"},
        {"web: ''\n", "config.yaml:1:6: web: must be a mapping, not \"\"\n"},
        {"web: {listen_addresses: ':1'}\n",
         "config.yaml:1:25: web.listen_addresses: must be a list of 1 to 64 entries, not \":1\"\n"},
        {"web: {listen_addresses: }\n", "config.yaml:1:25: web.listen_addresses: must be a list of "
                                        "1 to 64 entries, not nothing\n"},
        {"web: {listen_addresses: []}\n",
         "config.yaml:1:25: web.listen_addresses: must be a list of 1 to 64 entries, not 0\n"},
        {"catalog:\n  files: /x\n",
         "config.yaml:2:10: catalog.files: must be a list of at most 64 entries, not \"/x\"\n"},
        {"catalog:\n  files: [/x, [], '']\n",
         "config.yaml:2:15: catalog.files[1]: must be a path of at most 4095 bytes, not a list\n"
         "config.yaml:2:19: catalog.files[2]: must be a path of at most 4095 bytes, not \"\"\n"},
        {"web:\n  listen_addresses:\n  - ':1'\n  - 'x'\n",
         "config.yaml:4:5: web.listen_addresses[1]: must be an address such as :8080, "
         "127.0.0.1:8080, "
         "[::1]:8080 or "
         "unix:/path, not \"x\"\n"},
        {"web: {enable_lifecycle: yes}\n",
         "config.yaml:1:25: web.enable_lifecycle: must be true or false, not \"yes\"\n"},
        {"web: {enable_lifecycle: 'true'}\n",
         "config.yaml:1:25: web.enable_lifecycle: must be true or false, not a text in quotes\n"},
        {"web: {max_requests: '4'}\n", "config.yaml:1:21: web.max_requests: must be a whole number "
                                       "from 1 to 100000, not a text in quotes\n"},
        {"web: {max_requests: 4.0}\n", "config.yaml:1:21: web.max_requests: must be a whole number "
                                       "from 1 to 100000, not \"4.0\"\n"},
        {"web: {max_requests: 1_000}\n",
         "config.yaml:1:21: web.max_requests: must be a whole number "
         "from 1 to 100000, not \"1_000\"\n"},
        {"events: {socket: ~}\n",
         "config.yaml:1:18: events.socket: must be a path of at most 107 bytes, not nothing\n"},
        {"events: {socket: [/x]}\n",
         "config.yaml:1:18: events.socket: must be a path of at most 107 bytes, not a list\n"},
        {"log: {level: loud, format: syslog}\n",
         "config.yaml:1:14: log.level: must be one of debug, info, warn, error, not \"loud\"\n"
         "config.yaml:1:28: log.format: must be one of auto, logfmt, json, journal, not "
         "\"syslog\"\n"},
        {"{wbe: 1,\n b: 2,\n log: {level: x}}\n",
         "config.yaml:1:2: wbe: unknown key; the nearest is web\n"
         "config.yaml:2:2: b: unknown key\n"
         "config.yaml:3:15: log.level: must be one of debug, info, warn, error, not \"x\"\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct errs errs = ERRS_INIT;
        struct buf out = BUF_INIT;
        struct config *c = new_config();
        read_text(c, cases[i].text, &errs);
        errs_write(&errs, &out);
        ck_assert_msg(strcmp(buf_string(&out), cases[i].problems) == 0, "%s\n got: %s\nwant: %s",
                      cases[i].text, out.p, cases[i].problems);
        config_free(c);
        buf_free(&out);
        errs_free(&errs);
    }
}
END_TEST

START_TEST(a_list_is_bounded)
{
    struct errs errs = ERRS_INIT;
    struct buf text = BUF_INIT;
    struct config *c = new_config();
    buf_str(&text, "catalog: {files: [");
    for (int i = 0; i < CONFIG_MAX_LIST; i++) {
        buf_addf(&text, "%d,", i);
    }
    size_t len = text.len;
    buf_str(&text, "]}");
    read_text(c, buf_string(&text), &errs);
    ck_assert(!errs_has_any(&errs));
    ck_assert_uint_eq(c->catalog_files.n, CONFIG_MAX_LIST);
    text.len = len;
    buf_str(&text, "x]}");
    read_text(c, buf_string(&text), &errs);
    ck_assert_uint_eq(errs.n, 1);
    ck_assert_str_eq(errs.items[0].text, "must be a list of at most 64 entries, not 65");
    config_free(c);
    errs_free(&errs);
    buf_free(&text);
}
END_TEST

START_TEST(a_long_key_is_cut_in_its_problem)
{
    char text[2000];
    struct errs errs = ERRS_INIT;
    struct config *c = new_config();
    memset(text, 'k', sizeof text);
    memcpy(text, "web: {", 6);
    strcpy(text + 900, ": 1}");
    read_text(c, text, &errs);
    ck_assert_uint_eq(errs.n, 1);
    ck_assert_uint_eq(strlen(errs.items[0].key), strlen("web.") + TEXT_SHOWN - 1);
    ck_assert_str_eq(errs.items[0].text, "unknown key");
    config_free(c);
    errs_free(&errs);
}
END_TEST

START_TEST(a_missing_file_is_a_problem_only_when_it_was_named)
{
    char gone[] = "/tmp/ve-config-gone/config.yaml";
    struct errs errs = ERRS_INIT;
    struct config c = {.config_file = gone};
    ck_assert_int_eq(config_read(&c, &errs), 0);
    ck_assert(!errs_has_any(&errs));
    c.origins[SETTING_config_file].set_by = CONFIG_BY_FLAG;
    ck_assert_int_eq(config_read(&c, &errs), 0);
    c.config_file = (char[]){"/tmp"};
    c.origins[SETTING_config_file].set_by = CONFIG_BY_DEFAULT;
    ck_assert_int_eq(config_read(&c, &errs), 0);
    ck_assert_uint_eq(errs.n, 2);
    ck_assert_str_eq(errs.items[0].file, gone);
    ck_assert_str_eq(errs.items[0].text, "cannot be read: No such file or directory");
    ck_assert_str_eq(errs.items[1].file, "/tmp");
    ck_assert_str_eq(errs.items[1].text, "cannot be read: Is a directory");
    errs_free(&errs);
}
END_TEST

UNIT_MAIN("config_read", every_key_of_the_table_is_read_from_the_file,
          a_bad_file_is_refused_with_its_place, a_list_is_bounded, a_long_key_is_cut_in_its_problem,
          a_missing_file_is_a_problem_only_when_it_was_named)
