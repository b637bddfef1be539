// SPDX-License-Identifier: Apache-2.0
#include "daemon/config.c"
#include "daemon/config.h"
#include "unit.h"
#include <sys/stat.h>

enum { ARGS_MOST = 80 };

// Reads `args`, separated by |, into a new config without defaults.
static struct config *read_args(const char *args, struct errs *errs)
{
    static char line[16384]; // the config borrows it
    char *argv[ARGS_MOST] = {(char[]){"virtrigaud-exporter"}};
    int argc = 1;
    ck_assert_uint_lt(strlen(args), sizeof line);
    snprintf(line, sizeof line, "%s", args);
    char *rest = line;
    for (char *arg = args[0] != '\0' ? strsep(&rest, "|") : NULL; arg != NULL;
         arg = strsep(&rest, "|")) {
        ck_assert_int_lt(argc, ARGS_MOST);
        argv[argc++] = arg;
    }
    struct config *c = calloc(1, sizeof *c);
    ck_assert_int_eq(config_read_options(c, argc, argv, errs), 0);
    return c;
}

static void expect_problems(const char *args, const char *problems)
{
    struct errs errs = ERRS_INIT;
    struct buf out = BUF_INIT;
    config_free(read_args(args, &errs));
    errs_write(&errs, &out);
    ck_assert_msg(strcmp(buf_string(&out), problems) == 0, "%s\n got: %s\nwant: %s", args, out.p,
                  problems);
    buf_free(&out);
    errs_free(&errs);
}

// A value of each kind that is nobody's default.
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
    case SETTING_KIND_PRINT:
        return "json";
    case SETTING_KIND_ADDRESS_OR_NONE:
        return "host.example:9";
    case SETTING_KIND_NAME_OR_NONE:
        return "virtrigaud";
    case SETTING_KIND_ADDRESSES:
        return "[::1]:9100";
    default:
        return "/other/path";
    }
}

START_TEST(every_setting_is_read_from_its_flag_in_both_forms)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &settings_table[i];
        const char *value = other_value(s);
        struct config *want = calloc(1, sizeof *want);
        ck_assert_int_eq(setting_put(s, want, value), 0);
        bool joined_only = s->kind == SETTING_KIND_BOOL || s->kind == SETTING_KIND_PRINT;
        for (int form = joined_only ? 1 : 0; form < 2; form++) {
            char args[128];
            struct errs errs = ERRS_INIT;
            snprintf(args, sizeof args, "--%s%s%s", s->flag, form == 0 ? "|" : "=", value);
            struct config *c = read_args(args, &errs);
            ck_assert_msg(!errs_has_any(&errs), "%s", args);
            for (size_t k = 0; k < SETTING_COUNT; k++) {
                ck_assert_msg(setting_is_equal(&settings_table[k], c, want), "%s: %s", args,
                              settings_table[k].flag);
                ck_assert_int_eq(c->origins[k].set_by, k == i ? CONFIG_BY_FLAG : CONFIG_BY_DEFAULT);
            }
            config_free(c);
        }
        config_free(want);
    }
}
END_TEST

START_TEST(a_switch_has_four_spellings)
{
    static const struct {
        const char *args;
        bool want;
    } cases[] = {
        {"", false},
        {"--web.enable-lifecycle", true},
        {"--web.enable-lifecycle=true", true},
        {"--web.enable-lifecycle=false", false},
        {"--no-web.enable-lifecycle", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct errs errs = ERRS_INIT;
        struct config *c = read_args(cases[i].args, &errs);
        ck_assert(!errs_has_any(&errs));
        ck_assert_int_eq(c->web_enable_lifecycle, cases[i].want);
        ck_assert_int_eq(c->origins[SETTING_web_enable_lifecycle].set_by,
                         i == 0 ? CONFIG_BY_DEFAULT : CONFIG_BY_FLAG);
        config_free(c);
    }
}
END_TEST

START_TEST(the_catalogue_is_printed_as_yaml_unless_told)
{
    static const struct {
        const char *args;
        enum config_print want;
    } cases[] = {
        {"", CONFIG_PRINT_NONE},
        {"--catalog.print", CONFIG_PRINT_YAML},
        {"--catalog.print=yaml", CONFIG_PRINT_YAML},
        {"--catalog.print=markdown", CONFIG_PRINT_MARKDOWN},
        {"--catalog.print=json", CONFIG_PRINT_JSON},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct errs errs = ERRS_INIT;
        struct config *c = read_args(cases[i].args, &errs);
        ck_assert(!errs_has_any(&errs));
        ck_assert_int_eq(c->catalog_print, cases[i].want);
        config_free(c);
    }
}
END_TEST

START_TEST(a_repeated_flag_fills_a_list_in_order)
{
    struct errs errs = ERRS_INIT;
    struct config *c =
        read_args("--web.listen-address=:1|--log.level=warn|--web.listen-address|unix:/w|"
                  "--catalog.file=/b|--catalog.file=/a",
                  &errs);
    ck_assert(!errs_has_any(&errs));
    ck_assert_uint_eq(c->web_listen_addresses.n, 2);
    ck_assert_str_eq(c->web_listen_addresses.items[0], ":1");
    ck_assert_str_eq(c->web_listen_addresses.items[1], "unix:/w");
    ck_assert_uint_eq(c->catalog_files.n, 2);
    ck_assert_str_eq(c->catalog_files.items[0], "/b");
    ck_assert_str_eq(c->catalog_files.items[1], "/a");
    ck_assert_int_eq(c->log_level, LOG_LEVEL_WARN);
    config_free(c);
}
END_TEST

START_TEST(a_list_is_bounded)
{
    struct buf args = BUF_INIT;
    for (int i = 0; i <= CONFIG_MAX_LIST; i++) {
        buf_addf(&args, "%s--catalog.file=/%d", i > 0 ? "|" : "", i);
    }
    expect_problems(buf_string(&args), "--catalog.file: given more than 64 times\n");
    buf_free(&args);
}
END_TEST

START_TEST(a_bad_command_line_says_what_is_wanted)
{
    static const struct {
        const char *args;
        const char *problems;
    } cases[] = {
        {"--web.listen-adress=:1",
         "--web.listen-adress=:1: unknown flag; the nearest is --web.listen-address\n"},
        {"-log.level=warn", "-log.level=warn: unknown flag; the nearest is --log.level\n"},
        {"--no-such-thing", "--no-such-thing: unknown flag; --help lists all\n"},
        {"--no-log.level", "--no-log.level: unknown flag; the nearest is --log.level\n"},
        {"-", "-: unknown flag; --help lists all\n"},
        {"--=x", "--=x: unknown flag; --help lists all\n"},
        {"--log.leve\x1b[1m", "--log.leve\\x1b[1m: unknown flag; the nearest is --log.level\n"},
        {"--state.dir=/s", "--state.dir=/s: unknown flag; the nearest is --state.file\n"},
        {"--sources=x", "--sources=x: unknown flag; --help lists all\n"},
        {"run", "run: not a flag, and nothing else is accepted\n"},
        {"", ""},
        {"--", ""},
        {"--|--log.level=warn", "--log.level=warn: not a flag, and nothing else is accepted\n"},
        {"--web.enable-lifecycle|true", "true: not a flag, and nothing else is accepted\n"},
        {"--catalog.print|json", "json: not a flag, and nothing else is accepted\n"},
        {"--no-web.enable-lifecycle=true", "--no-web.enable-lifecycle: takes no value\n"},
        {"--web.enable-lifecycle=yes",
         "--web.enable-lifecycle: must be true or false, not \"yes\"\n"},
        {"--web.enable-lifecycle=", "--web.enable-lifecycle: must be true or false, not \"\"\n"},
        {"--events.socket", "--events.socket: needs a value: PATH\n"},
        {"--events.socket|--log.level=warn", "--events.socket: needs a value: PATH\n"},
        {"--events.socket=", "--events.socket: must be a path of at most 107 bytes, not \"\"\n"},
        {"--log.level=warn|--log.level=info", "--log.level: given more than once\n"},
        {"--log.level=Warn",
         "--log.level: must be one of debug, info, warn, error, not \"Warn\"\n"},
        {"--log.format=syslog",
         "--log.format: must be one of auto, logfmt, json, journal, not \"syslog\"\n"},
        {"--catalog.print=", "--catalog.print: must be one of yaml, markdown, json, not \"\"\n"},
        {"--web.max-requests=0",
         "--web.max-requests: must be a whole number from 1 to 100000, not \"0\"\n"},
        {"--web.max-requests=-1",
         "--web.max-requests: must be a whole number from 1 to 100000, not \"-1\"\n"},
        {"--events.workers=65",
         "--events.workers: must be auto or a whole number from 1 to 64, not \"65\"\n"},
        {"--events.socket-mode=0999",
         "--events.socket-mode: must be octal permissions such as 0660, "
         "at most 0777, not \"0999\"\n"},
        {"--events.socket-group=a:b",
         "--events.socket-group: must be the name of a group, at most 255 bytes, not \"a:b\"\n"},
        {"--web.telemetry-path=metrics",
         "--web.telemetry-path: must be a path that begins with / and needs no "
         "percent-encoding, at most 255 bytes, not \"metrics\"\n"},
        {"--web.listen-address=8080",
         "--web.listen-address: must be an address such as :8080, 127.0.0.1:8080, "
         "[::1]:8080 or unix:/path, not \"8080\"\n"},
        {"x|--y|--log.level=z",
         "x: not a flag, and nothing else is accepted\n"
         "--y: unknown flag; --help lists all\n"
         "--log.level: must be one of debug, info, warn, error, not \"z\"\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_problems(cases[i].args, cases[i].problems);
    }
}
END_TEST

START_TEST(a_problem_repeats_only_the_head_of_a_long_text)
{
    char args[5000];
    char want[300];
    memset(args, 'x', sizeof args - 1);
    args[sizeof args - 1] = '\0';
    snprintf(want, sizeof want, "%.124s...: not a flag, and nothing else is accepted\n", args);
    expect_problems(args, want);
    memcpy(args, "--log.level=", 12);
    snprintf(want, sizeof want,
             "--log.level: must be one of debug, info, warn, error, not \"%.124s...\"\n",
             args + 12);
    expect_problems(args, want);
    memcpy(args, "--", 2);
    memset(args + 2, 'x', 20);
    snprintf(want, sizeof want, "%.124s...: unknown flag; --help lists all\n", args);
    expect_problems(args, want);
}
END_TEST

START_TEST(numbers_arrive_as_numbers)
{
    struct errs errs = ERRS_INIT;
    struct config *c =
        read_args("--events.socket-mode=640|--events.workers=12|--limits.series=100000000", &errs);
    ck_assert(!errs_has_any(&errs));
    ck_assert_uint_eq(c->events_socket_mode, S_IRUSR | S_IWUSR | S_IRGRP);
    ck_assert_uint_eq(c->events_workers, 12);
    ck_assert_uint_eq(c->limits_series, 100000000);
    config_free(c);
}
END_TEST

START_TEST(help_and_version_end_the_reading)
{
    expect_problems("--help|--bogus|x", "");
    expect_problems("--version|--bogus", "");
    expect_problems("--bogus|--help", "--bogus: unknown flag; --help lists all\n");
    expect_problems("--help=false|x", "x: not a flag, and nothing else is accepted\n");
}
END_TEST

// Every entry in the words of the table, found once, and nothing else that looks like a flag.
START_TEST(help_shows_every_setting_of_the_table)
{
    struct buf out = BUF_INIT;
    config_help(&out);
    const char *help = buf_string(&out);
    size_t flags = 0;
    for (const char *p = help; (p = strstr(p, "\n  --")) != NULL; p++) {
        flags++;
    }
    ck_assert_uint_eq(flags, SETTING_COUNT);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &settings_table[i];
        struct buf entry = BUF_INIT;
        bool toggle = s->kind == SETTING_KIND_BOOL && s->key[0] != '\0';
        bool list = s->kind == SETTING_KIND_PATHS || s->kind == SETTING_KIND_ADDRESSES;
        const char *equals = s->argument[0] == '\0' || s->argument[0] == '[' ? "" : "=";
        buf_addf(&entry, "\n  --%s%s%s%s\n      %s%s\n", toggle ? "[no-]" : "", s->flag, equals,
                 s->argument, s->meaning, list ? " (repeatable)" : "");
        if (s->key[0] != '\0') {
            buf_addf(&entry, "      Default: %s\n", s->initial[0] != '\0' ? s->initial : "none");
        }
        ck_assert_msg(strstr(help, buf_string(&entry)) != NULL, "no entry:%s", entry.p);
        buf_free(&entry);
    }
    ck_assert_ptr_nonnull(strstr(help, "\nEvents:\n"
                                       "  --events.socket=PATH\n"
                                       "      Path of the stream socket that accepts events\n"
                                       "      Default: /run/virtrigaud-exporter/events.sock\n"));
    ck_assert_ptr_nonnull(strstr(help, "\n  --config.file=PATH\n"
                                       "      YAML file with settings\n"
                                       "      Default: /etc/virtrigaud-exporter/config.yaml\n"));
    ck_assert_ptr_nonnull(strstr(help, "\n  --[no-]web.enable-lifecycle\n"));
    ck_assert_ptr_nonnull(strstr(help, "\n  --catalog.print[=yaml|markdown|json]\n"));
    buf_free(&out);
}
END_TEST

START_TEST(help_fits_a_terminal)
{
    struct buf out = BUF_INIT;
    config_help(&out);
    size_t column = 0;
    for (size_t i = 0; i < out.len; i++) {
        column = out.p[i] == '\n' ? 0 : column + 1;
        ck_assert_uint_le(column, 90);
        ck_assert_int_ne(out.p[i], '\t');
    }
    ck_assert_uint_eq(column, 0);
    buf_free(&out);
}
END_TEST

START_TEST(the_version_is_one_line)
{
    struct buf out = BUF_INIT;
    config_version(&out);
    ck_assert_str_eq(buf_string(&out),
                     "virtrigaud-exporter " VE_VERSION " (revision " VE_REVISION ")\n");
    buf_free(&out);
}
END_TEST

UNIT_MAIN("options", every_setting_is_read_from_its_flag_in_both_forms, a_switch_has_four_spellings,
          the_catalogue_is_printed_as_yaml_unless_told, a_repeated_flag_fills_a_list_in_order,
          a_list_is_bounded, a_bad_command_line_says_what_is_wanted,
          a_problem_repeats_only_the_head_of_a_long_text, numbers_arrive_as_numbers,
          help_and_version_end_the_reading, help_shows_every_setting_of_the_table,
          help_fits_a_terminal, the_version_is_one_line)
