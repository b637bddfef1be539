// SPDX-License-Identifier: Apache-2.0
#include "web/sd.h"

#include "unit.h"

START_TEST(a_target_is_a_host_with_or_without_a_port)
{
    static const char *const good[] = {"a",         "example.org",       "a-b_c.D9", "127.0.0.1",
                                       "a:1",       "a:65535",           "[::1]",    "[::1]:8080",
                                       "[fe80::1]", "[::ffff:1.2.3.4]:9"};
    static const char *const bad[] = {"",         ":80",  "a:",     "a:0",   "a:65536", "a:000001",
                                      "a:b",      "a b",  "a/b",    "a\"",   "a%41",    "[::1",
                                      "[]",       "[:]x", "[::1]x", "[g::]", "::1",     "a:1:2",
                                      "\xc3\xbc", "a\n",  "a@b",    "a:+1",  "a:-1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_msg(sd_is_address(good[i]), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!sd_is_address(bad[i]), "%s", bad[i]);
    }
    char long_name[255];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[254] = '\0';
    ck_assert(!sd_is_address(long_name));
    ck_assert(sd_is_address(long_name + 1));
}
END_TEST

START_TEST(these_paths_are_its_own)
{
    ck_assert(sd_is_path("/sd"));
    ck_assert(sd_is_path("/source/"));
    ck_assert(sd_is_path("/source/a/b"));
    ck_assert(!sd_is_path("/sd/"));
    ck_assert(!sd_is_path("/sdx"));
    ck_assert(!sd_is_path("/source"));
    ck_assert(!sd_is_path("/sources/a"));
}
END_TEST

UNIT_MAIN("sd", a_target_is_a_host_with_or_without_a_port, these_paths_are_its_own)
