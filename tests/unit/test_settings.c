// SPDX-License-Identifier: Apache-2.0
#include "daemon/settings.h"
#include "unit.h"
#include <errno.h>

// Values at the edges of each kind.
START_TEST(values_are_checked_to_the_edge)
{
    static const struct {
        const char *flag;
        const char *value;
        bool ok;
    } cases[] = {
        {"web.listen-address", ":8080", true},
        {"web.listen-address", ":0", true},
        {"web.listen-address", ":65535", true},
        {"web.listen-address", "127.0.0.1:8080", true},
        {"web.listen-address", "0.0.0.0:1", true},
        {"web.listen-address", "[::1]:8080", true},
        {"web.listen-address", "[fe80::1%lo]:8080", true},
        {"web.listen-address", "[fe80::1%]:8080", false},
        {"web.listen-address", "[fe80::1%a/b]:8080", false},
        {"web.listen-address", "[::1%lo]:8080", false},
        {"web.listen-address", "127.0.0.1%lo:8080", false},
        {"web.listen-address", "[fe80::1%0123456789abcdef]:8080", false},
        {"web.listen-address", "[::]:0", true},
        {"web.listen-address", "[::ffff:127.0.0.1]:80", true},
        {"web.listen-address", "unix:/run/web.sock", true},
        {"web.listen-address", "", false},
        {"web.listen-address", ":", false},
        {"web.listen-address", ":65536", false},
        {"web.listen-address", ":000080", false},
        {"web.listen-address", ":-1", false},
        {"web.listen-address", ":+1", false},
        {"web.listen-address", ": 1", false},
        {"web.listen-address", ":80x", false},
        {"web.listen-address", "127.0.0.1", false},
        {"web.listen-address", "127.0.0.1:", false},
        {"web.listen-address", "127.0.1:80", false},
        {"web.listen-address", "256.0.0.1:80", false},
        {"web.listen-address", "localhost:80", false},
        {"web.listen-address", "::1:80", false},
        {"web.listen-address", "[::1]", false},
        {"web.listen-address", "[::1:80", false},
        {"web.listen-address", "[]:80", false},
        {"web.listen-address", "]:80", false},
        {"web.listen-address", "[127.0.0.1]:80", false},
        {"web.listen-address", "[::1%lo]:80", false},
        {"web.listen-address", "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80",
         false},
        {"web.listen-address", "http://127.0.0.1:80", false},
        {"web.listen-address", "unix:", false},
        {"web.listen-address", "unix:/", false},
        {"web.listen-address", "unix:web.sock", false},
        {"web.telemetry-path", "/m", true},
        {"web.telemetry-path", "/a/b-c_d.e~f", true},
        {"web.telemetry-path", "", false},
        {"web.telemetry-path", "/a?b", false},
        {"web.telemetry-path", "/a#b", false},
        {"web.telemetry-path", "/a b", false},
        {"web.telemetry-path", "/a%20b", false},
        {"web.telemetry-path", "/\xc3\xa9", false},
        {"web.telemetry-path", "/\"><script>", false},
        {"web.max-requests", "1", true},
        {"web.max-requests", "100000", true},
        {"web.max-requests", "100001", false},
        {"web.max-requests", "18446744073709551617", false},
        {"web.max-requests", "999999999999999999999999999", false},
        {"web.max-requests", "", false},
        {"web.max-requests", "auto", false},
        {"web.max-requests", "4e1", false},
        {"web.max-requests", " 4", false},
        {"web.max-requests", "0x10", false},
        {"events.workers", "auto", true},
        {"events.workers", "1", true},
        {"events.workers", "64", true},
        {"events.workers", "0", false},
        {"events.workers", "Auto", false},
        {"events.socket-mode", "0777", true},
        {"events.socket-mode", "600", true},
        {"events.socket-mode", "0000", true},
        {"events.socket-mode", "1777", false},
        {"events.socket-mode", "00660", false},
        {"events.socket-mode", "66", false},
        {"events.socket-mode", "", false},
        {"events.socket-mode", "u=rw", false},
        {"events.socket-group", "", true},
        {"events.socket-group", "virtrigaud", true},
        {"events.socket-group", "a/b", false},
        {"events.socket-group", "a\nb", false},
        {"events.datagram-socket", "", true},
        {"catalog.dir", "", true},
        {"catalog.dir", "a\tb", false},
        {"catalog.file", "", false},
        {"config.file", "", false},
        {"config.file", "relative/path \xc3\xa9.yaml", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *flag = cases[i].flag;
        struct config c = {0};
        const struct setting *s = setting_by_flag(flag, strlen(flag));
        ck_assert_ptr_nonnull(s);
        ck_assert_msg(setting_put(s, &c, cases[i].value) == (cases[i].ok ? 0 : -EINVAL), "%s %s",
                      flag, cases[i].value);
        setting_clear(s, &c);
    }
}
END_TEST

START_TEST(a_socket_path_fits_its_address)
{
    char path[108 + 1];
    memset(path, 'p', sizeof path - 1);
    path[0] = '/';
    path[108] = '\0';
    struct config c = {0};
    const struct setting *s = &settings_table[SETTING_events_socket];
    ck_assert_int_eq(setting_put(s, &c, path), -EINVAL);
    path[107] = '\0';
    ck_assert_int_eq(setting_put(s, &c, path), 0);
    ck_assert_str_eq(c.events_socket, path);
    setting_clear(s, &c);
    ck_assert_ptr_null(c.events_socket);
}
END_TEST

START_TEST(no_two_settings_share_a_flag_or_a_key)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &settings_table[i];
        ck_assert_ptr_eq(setting_by_flag(s->flag, strlen(s->flag)), s);
        if (s->key[0] != '\0') {
            ck_assert_ptr_eq(setting_by_key(s->key), s);
        }
    }
    ck_assert_ptr_null(setting_by_key(""));
}
END_TEST

UNIT_MAIN("settings", values_are_checked_to_the_edge, a_socket_path_fits_its_address,
          no_two_settings_share_a_flag_or_a_key)
