// SPDX-License-Identifier: Apache-2.0
#include "config_file.h"

static void expect_defaults(const struct config *c)
{
    ck_assert_uint_eq(c->catalog_files.n, 0);
    ck_assert_str_eq(c->catalog_dir, "/etc/virtrigaud-exporter/catalog.d");
    ck_assert_str_eq(c->events_socket, "/run/virtrigaud-exporter/events.sock");
    ck_assert_ptr_null(c->events_datagram_socket);
    ck_assert_uint_eq(c->events_socket_mode, 0660);
    ck_assert_ptr_null(c->events_socket_group);
    ck_assert_uint_eq(c->events_workers, 0);
    ck_assert_uint_eq(c->web_listen_addresses.n, 1);
    ck_assert_str_eq(c->web_listen_addresses.items[0], ":8080");
    ck_assert_str_eq(c->web_telemetry_path, "/metrics");
    ck_assert(!c->web_enable_lifecycle);
    ck_assert_uint_eq(c->web_max_requests, 40);
    ck_assert_uint_eq(c->limits_series, 1000000);
    ck_assert_uint_eq(c->limits_series_per_metric, 10000);
    ck_assert_uint_eq(c->limits_sources, 1000);
    ck_assert_uint_eq(c->limits_sessions, 4096);
    ck_assert_uint_eq(c->limits_connections, 4096);
    ck_assert_int_eq(c->log_level, LOG_LEVEL_INFO);
    ck_assert_int_eq(c->log_format, LOG_FORMAT_AUTO);
}

START_TEST(an_empty_file_leaves_the_defaults)
{
    static const char *const texts[] = {"", "# nothing\n", "---\n", "{}\n",
                                        "web:\nlog: ~\nlimits: null\n"};
    setup_file();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct line l;
        struct config *c = load_well(&l, "", texts[i]);
        expect_defaults(c);
        ck_assert_int_eq(c->action, CONFIG_RUN);
        ck_assert_str_eq(c->config_file, path);
        config_free(c);
    }
    unlink(path);
}
END_TEST

START_TEST(a_file_that_is_no_yaml_is_refused_with_its_place)
{
    static const char *const texts[] = {"web: {", "a: b: c\n", "web:\n\t- x\n",
                                        "web: {}\nweb: {}\n", "a: &x 1\n"};
    setup_file();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct line l;
        struct errs errs = ERRS_INIT;
        ck_assert_ptr_null(load(&l, "", texts[i], &errs));
        ck_assert_str_eq(errs.items[0].file, path);
        ck_assert_uint_gt(errs.items[0].line, 0);
        errs_free(&errs);
    }
    unlink(path);
}
END_TEST

// The sample file, with one leading # taken from each line when `bare`.
static void read_sample(struct buf *out, bool bare)
{
    char line[256];
    char sample[4096];
    const char *top = getenv("SRC"); // tests/run says where the sources are
    snprintf(sample, sizeof sample, "%s/conf/config.yaml", top != NULL ? top : ".");
    FILE *f = fopen(sample, "r");
    ck_assert_msg(f != NULL, "%s: set SRC, or run this from the top of the tree", sample);
    while (fgets(line, sizeof line, f) != NULL) {
        ck_assert_msg(line[0] == '#' || line[0] == '\n', "not commented out: %s", line);
        buf_str(out, bare && line[0] == '#' ? line + 1 : line);
    }
    fclose(f);
}

START_TEST(the_sample_file_names_every_key_with_its_default)
{
    struct buf text = BUF_INIT;
    struct line l;
    setup_file();
    read_sample(&text, false);
    struct config *c = load_well(&l, "", buf_string(&text));
    expect_defaults(c);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        ck_assert_int_ne(c->origins[i].set_by, CONFIG_BY_FILE);
    }
    config_free(c);
    buf_clear(&text);
    read_sample(&text, true);
    c = load_well(&l, "", buf_string(&text));
    expect_defaults(c);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        ck_assert_msg((c->origins[i].set_by == CONFIG_BY_FILE) ==
                          (settings_table[i].key[0] != '\0'),
                      "%s", settings_table[i].flag);
    }
    config_free(c);
    buf_free(&text);
    unlink(path);
}
END_TEST

// Whatever the bytes, a load ends with a config or with problems.
START_TEST(mutated_files_are_read_or_refused)
{
    struct buf text = BUF_INIT;
    uint64_t state = unit_seed() | 1;
    setup_file();
    read_sample(&text, true);
    for (int round = 0; round < 3000; round++) {
        char bytes[4096];
        struct line l;
        struct errs errs = ERRS_INIT;
        struct config *c = NULL;
        ck_assert_uint_le(text.len, sizeof bytes);
        memcpy(bytes, text.p, text.len);
        for (uint64_t n = unit_random(&state) % 8; n < 8; n++) {
            static const char odd[] = "\0\n\t :,[]{}#'\"-~\x80\xff";
            bytes[unit_random(&state) % text.len] = odd[unit_random(&state) % (sizeof odd - 1)];
        }
        split(&l, "");
        write_file(bytes, text.len);
        int r = config_load(&c, l.argc, l.argv, &errs);
        ck_assert(r == 0 ? c != NULL && !errs_has_any(&errs) : r == -EINVAL && errs_has_any(&errs));
        config_free(c);
        errs_free(&errs);
    }
    buf_free(&text);
    unlink(path);
}
END_TEST

UNIT_MAIN("config_file", an_empty_file_leaves_the_defaults,
          a_file_that_is_no_yaml_is_refused_with_its_place,
          the_sample_file_names_every_key_with_its_default, mutated_files_are_read_or_refused)
