// SPDX-License-Identifier: Apache-2.0
#include "config_file.h"

START_TEST(a_flag_beats_the_file_and_the_file_beats_the_default)
{
    static const char text[] =
        "web: {listen_addresses: [':1', ':2'], max_requests: 3, enable_lifecycle: true}\n"
        "events: {datagram_socket: /d, workers: 9}\n"
        "log: {level: debug}\n";
    struct line l;
    setup_file();
    struct config *c =
        load_well(&l,
                  "--web.listen-address=:5|--log.level|error|--no-web.enable-lifecycle|"
                  "--events.datagram-socket=|--events.workers=auto",
                  text);
    ck_assert_uint_eq(c->web_listen_addresses.n, 1);
    ck_assert_str_eq(c->web_listen_addresses.items[0], ":5");
    ck_assert_uint_eq(c->web_max_requests, 3);
    ck_assert(!c->web_enable_lifecycle);
    ck_assert_ptr_null(c->events_datagram_socket);
    ck_assert_uint_eq(c->events_workers, 0);
    ck_assert_int_eq(c->log_level, LOG_LEVEL_ERROR);
    ck_assert_uint_eq(c->limits_sources, 1000);
    config_free(c);
    c = load_well(&l, "", text);
    ck_assert_uint_eq(c->web_listen_addresses.n, 2);
    ck_assert_str_eq(c->web_listen_addresses.items[1], ":2");
    ck_assert(c->web_enable_lifecycle);
    ck_assert_str_eq(c->events_datagram_socket, "/d");
    ck_assert_int_eq(c->log_level, LOG_LEVEL_DEBUG);
    config_free(c);
    unlink(path);
}
END_TEST

START_TEST(settings_that_clash_are_refused_with_their_place)
{
    static const struct {
        const char *text;
        const char *problems;
    } cases[] = {
        {"web: {telemetry_path: /}\n", "@:1:23: web.telemetry_path: is the path of another page\n"},
        {"events: {socket: /x,\n  datagram_socket: /x}\n",
         "@:2:20: events.datagram_socket: is also the path of events.socket\n"},
        {"web: {listen_addresses: ['unix:/run/virtrigaud-exporter/events.sock']}\n",
         "@:1:25: web.listen_addresses: is also the path of an event socket\n"},
        {"web: {listen_addresses: [':1', ':0', ':0', ':1']}\n",
         "@:1:25: web.listen_addresses: lists the same address twice\n"},
    };
    setup_file();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_problems("", cases[i].text, cases[i].problems);
    }
    unlink(path);
}
END_TEST

START_TEST(problems_of_flags_and_of_the_file_come_in_one_run)
{
    setup_file();
    expect_problems("--bogus|--web.max-requests=0|--web.telemetry-path=/sd",
                    "log: {level: x}\nxxx: 1\n",
                    "--bogus: unknown flag; --help lists all\n"
                    "--web.max-requests: must be a whole number from 1 to 100000, not \"0\"\n"
                    "@:2:1: xxx: unknown key\n"
                    "@:1:14: log.level: must be one of debug, info, warn, error, not \"x\"\n"
                    "--web.telemetry-path: is the path of another page\n");
    unlink(path);
}
END_TEST

START_TEST(what_a_flag_overrides_is_still_checked)
{
    setup_file();
    expect_problems("--log.level=info|--catalog.file=/x",
                    "log: {level: loud}\ncatalog: {files: [1, '']}\n",
                    "@:2:22: catalog.files[1]: must be a path of at most 4095 bytes, not \"\"\n"
                    "@:1:14: log.level: must be one of debug, info, warn, error, not \"loud\"\n");
    unlink(path);
}
END_TEST

START_TEST(the_telemetry_path_is_no_other_page)
{
    static const struct {
        const char *at;
        bool free;
    } cases[] = {
        {"/", false},         {"/healthz", false},  {"/-/healthy", false},  {"/readyz", false},
        {"/-/ready", false},  {"/-/reload", false}, {"/sd", false},         {"/status", false},
        {"/source", false},   {"/source/", false},  {"/source/a/b", false}, {"/metrics", true},
        {"/healthz/x", true}, {"/sources", true},   {"/probe", true},       {"/SD", true},
    };
    setup_file();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char flag[64];
        snprintf(flag, sizeof flag, "--web.telemetry-path=%s", cases[i].at);
        expect_problems(flag, "",
                        cases[i].free ? "" : "--web.telemetry-path: is the path of another page\n");
    }
    unlink(path);
}
END_TEST

START_TEST(flags_say_what_is_to_be_done)
{
    static const struct {
        const char *args;
        enum config_action want;
    } cases[] = {
        {"", CONFIG_RUN},
        {"--config.check", CONFIG_CHECK},
        {"--reload=1", CONFIG_RELOAD},
        {"--healthcheck", CONFIG_HEALTHCHECK},
        {"--catalog.print=json", CONFIG_PRINT},
        {"--help", CONFIG_HELP},
        {"--config.check|--version|--bogus", CONFIG_VERSION},
    };
    setup_file();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct line l;
        struct config *c = load_well(&l, cases[i].args, "");
        ck_assert_int_eq(c->action, cases[i].want);
        config_free(c);
    }
    struct line l;
    struct config *c = load_well(&l, "--help", "a file that nobody reads: [");
    ck_assert_int_eq(c->action, CONFIG_HELP);
    config_free(c);
    c = load_well(&l, "--reload=7", "a file that nobody reads: [");
    ck_assert_uint_eq(c->reload, 7);
    config_free(c);
    expect_problems("--config.check|--catalog.print", "",
                    "--catalog.print: cannot be combined with --config.check\n");
    expect_problems("--reload=1|--config.check", "",
                    "--reload: cannot be combined with --config.check or --catalog.print\n");
    expect_problems(
        "--healthcheck|--config.check", "",
        "--healthcheck: cannot be combined with --config.check, --catalog.print or --reload\n");
    expect_problems("--reload=0", "",
                    "--reload: must be a whole number from 1 to 4194304, not \"0\"\n");
    unlink(path);
}
END_TEST

START_TEST(a_refused_file_name_is_not_looked_for)
{
    setup_file();
    struct errs errs = ERRS_INIT;
    struct config *c = NULL;
    char *argv[] = {(char[]){"ve"}, (char[]){"--config.file="}, NULL};
    ck_assert_int_eq(config_load(&c, 2, argv, &errs), -EINVAL);
    ck_assert_ptr_null(c);
    expect_errs(&errs, "", "--config.file: must be a path of at most 4095 bytes, not \"\"\n");
    unlink(path);
}
END_TEST

START_TEST(a_reload_applies_what_can_change_live)
{
    struct line l;
    setup_file();
    struct config *old =
        load_well(&l, "--limits.sources=5", "limits: {series: 10}\nlog: {level: warn}\n");
    static const char text[] =
        "limits: {series: 20, series_per_metric: 3, sources: 6, connections: 7}\n"
        "web: {telemetry_path: /m, max_requests: 2, enable_lifecycle: true}\n"
        "catalog: {files: [/a], dir: ''}\n"
        "log: {level: debug}\n";
    struct errs errs = ERRS_INIT;
    struct config *c = NULL;
    write_file(text, strlen(text));
    ck_assert_int_eq(config_reload(&c, old, &errs), 0);
    ck_assert_uint_eq(c->limits_series, 20);
    ck_assert_uint_eq(c->limits_sources, 5);
    ck_assert_int_eq(c->log_level, LOG_LEVEL_DEBUG);
    ck_assert_uint_eq(old->limits_series, 10);
    config_free(old);

    // And back to nothing: a key taken out of the file has its default again.
    struct config *third = NULL;
    write_file("", 0);
    ck_assert_int_eq(config_reload(&third, c, &errs), 0);
    ck_assert_uint_eq(third->limits_series, 1000000);
    ck_assert_uint_eq(third->limits_sources, 5);
    config_free(c);
    config_free(third);
    unlink(path);
}
END_TEST

static void expect_reload(const char *args, const char *before, const char *after,
                          const char *problems)
{
    struct line l;
    struct errs errs = ERRS_INIT;
    struct config *old = load_well(&l, args, before);
    struct config *c = NULL;
    write_file(after, strlen(after));
    ck_assert_int_eq(config_reload(&c, old, &errs), problems[0] != '\0' ? -EINVAL : 0);
    ck_assert_int_eq(c == NULL, problems[0] != '\0');
    expect_errs(&errs, after, problems);
    config_free(c);
    config_free(old);
}

START_TEST(a_reload_that_needs_a_restart_is_refused)
{
    setup_file();
    expect_reload(
        "", "events: {workers: 2}\n",
        "web: {listen_addresses: [':1']}\n"
        "events:\n  socket: /s\n  datagram_socket: /d\n  socket_mode: 0600\n  socket_group: g\n"
        "log: {format: json, level: warn}\n",
        "@:3:11: events.socket: needs a restart\n"
        "@:4:20: events.datagram_socket: needs a restart\n"
        "@:5:16: events.socket_mode: needs a restart\n"
        "@:6:17: events.socket_group: needs a restart\n"
        "@: events.workers: needs a restart\n"
        "@:1:25: web.listen_addresses: needs a restart\n"
        "@:7:15: log.format: needs a restart\n");
    expect_reload("", "web: {listen_addresses: [':1', ':2']}\n",
                  "web: {listen_addresses: [':2', ':1']}\n",
                  "@:1:25: web.listen_addresses: needs a restart\n");
    // The same value in other words is no change, nor is one that a flag overrides.
    expect_reload("", "", "events: {socket_mode: '660', datagram_socket: '', workers: auto}\n", "");
    expect_reload("--events.workers=3", "", "events: {workers: 4}\n", "");
    expect_reload("", "", "log: {level: x}\nevents: {workers: 4}\n",
                  "@:1:14: log.level: must be one of debug, info, warn, error, not \"x\"\n");
    unlink(path);
}
END_TEST

START_TEST(the_catalogue_comes_from_where_the_config_says)
{
    struct line l;
    setup_file();
    struct config *c = load_well(&l, "", "");
    struct catalog_input in = config_catalog_input(c, NULL);
    ck_assert_uint_eq(in.n_files, 0);
    ck_assert_str_eq(in.dir, "/etc/virtrigaud-exporter/catalog.d");
    ck_assert(!in.dir_must_exist);
    config_free(c);
    c = load_well(&l, "--catalog.dir=/d", "catalog: {files: [/a, /b]}\n");
    in = config_catalog_input(c, NULL);
    ck_assert_uint_eq(in.n_files, 2);
    ck_assert_str_eq(in.files[1], "/b");
    ck_assert_str_eq(in.dir, "/d");
    ck_assert(in.dir_must_exist);
    config_free(c);
    c = load_well(&l, "", "catalog: {dir: ''}\n");
    in = config_catalog_input(c, NULL);
    ck_assert_ptr_null(in.dir);
    config_free(c);
    unlink(path);
}
END_TEST

UNIT_MAIN("config", a_flag_beats_the_file_and_the_file_beats_the_default,
          settings_that_clash_are_refused_with_their_place,
          problems_of_flags_and_of_the_file_come_in_one_run, what_a_flag_overrides_is_still_checked,
          the_telemetry_path_is_no_other_page, flags_say_what_is_to_be_done,
          a_refused_file_name_is_not_looked_for, a_reload_applies_what_can_change_live,
          a_reload_that_needs_a_restart_is_refused, the_catalogue_comes_from_where_the_config_says)
