// SPDX-License-Identifier: Apache-2.0
#include "web/credentials.h"

#include "unit.h"

#include <string.h>

START_TEST(user_and_password_are_taken_apart)
{
    static const struct {
        const char *field;
        const char *user; // NULL: refused
        const char *password;
    } table[] = {
        {"Basic YWxpY2U6c2VjcmV0", "alice", "secret"},
        {"basic   YWxpY2U6c2VjcmV0", "alice", "secret"},
        {"Basic YTpiOmM=", "a", "b:c"},
        {"Basic Og==", "", ""},
        {"Basic YTo=", "a", ""},
        {"Basic OmI=", "", "b"},
        {"Basic w6Q6w7Y=", "\xc3\xa4", "\xc3\xb6"},
        {"Basic ", NULL, NULL},
        {"Basic", NULL, NULL},
        {"", NULL, NULL},
        {"Bearer YWxpY2U6c2VjcmV0", NULL, NULL},
        {"BasicYWxpY2U6c2VjcmV0", NULL, NULL},
        {"Basic YWxpY2U=", NULL, NULL},        // no colon
        {"Basic YWxpY2U6c2VjcmV", NULL, NULL}, // cut
        {"Basic YTpi=", NULL, NULL},           // not a multiple of four
        {"Basic Y===", NULL, NULL},
        {"Basic ====", NULL, NULL},
        {"Basic YTo=YTo=", NULL, NULL}, // padding inside
        {"Basic YWxpY2U6c2VjcmV0 ", NULL, NULL},
        {"Basic YWxp-2U6c2VjcmV0", NULL, NULL}, // the other alphabet
        {"Basic YWxpY2U6\x80VjcmV0", NULL, NULL},
        {"Basic YToAYg==", NULL, NULL}, // a NUL
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct credentials b;
        bool good = credentials_read(&b, table[i].field);
        ck_assert_msg(good == (table[i].user != NULL), "%s", table[i].field);
        if (good) {
            ck_assert_str_eq(b.user, table[i].user);
            ck_assert_str_eq(b.password, table[i].password);
        }
    }
}
END_TEST

// Whether a user and a password of these lengths come through.
static bool reads(size_t user, size_t password)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char text[4096];
    char field[8192] = "Basic ";
    memset(text, 'a', sizeof text);
    text[user] = ':';
    size_t n = user + 1 + password;
    size_t at = 6;
    for (size_t i = 0; i < n; i += 3) {
        unsigned left = n - i < 3 ? (unsigned)(n - i) : 3;
        uint32_t bits = (uint32_t)text[i] << 16;
        bits |= left > 1 ? (uint32_t)text[i + 1] << 8 : 0;
        bits |= left > 2 ? text[i + 2] : 0;
        for (unsigned k = 0; k < 4; k++) {
            field[at++] = k <= left ? digits[bits >> (18 - 6 * k) & 63] : '=';
        }
    }
    field[at] = '\0';
    struct credentials b;
    return credentials_read(&b, field) && strlen(b.user) == user && strlen(b.password) == password;
}

START_TEST(lengths_are_bounded)
{
    ck_assert(reads(255, 511));
    ck_assert(!reads(256, 511));
    ck_assert(!reads(255, 512));
    ck_assert(!reads(256, 3));
    ck_assert(!reads(3, 512));
    ck_assert(!reads(3, 3000));
    for (size_t i = 0; i < 12; i++) {
        ck_assert(reads(i, 5));
    }
}
END_TEST

UNIT_MAIN("credentials", user_and_password_are_taken_apart, lengths_are_bounded)
