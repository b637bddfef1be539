// SPDX-License-Identifier: Apache-2.0
#include "web/basic.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { DECODED_MAX = BASIC_USER_MAX + 1 + BCRYPT_PASSWORD_MAX };

static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

// Returns the length, or -1.
static long decode(char out[DECODED_MAX + 3], const char *text)
{
    size_t len = strlen(text);
    size_t pad = len > 0 && text[len - 1] == '=' ? 1 + (len > 1 && text[len - 2] == '=') : 0;
    if (len % 4 != 0 || len / 4 * 3 > DECODED_MAX + 2) {
        return -1;
    }
    long n = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        int d = i < len - pad ? digit(text[i]) : 0;
        if (d < 0) {
            return -1;
        }
        bits = bits << 6 | (uint32_t)d;
        if (i % 4 == 3) {
            out[n++] = (char)(bits >> 16 & 0xff);
            out[n++] = (char)(bits >> 8 & 0xff);
            out[n++] = (char)(bits & 0xff);
        }
    }
    return n - (long)pad;
}

bool basic_read(struct basic *ret, const char *field)
{
    char text[DECODED_MAX + 3];
    if (strncasecmp(field, "Basic ", 6) != 0) {
        return false;
    }
    long n = decode(text, field + 6 + strspn(field + 6, " "));
    const char *colon = n > 0 ? memchr(text, ':', (size_t)n) : NULL;
    size_t user = colon != NULL ? (size_t)(colon - text) : 0;
    size_t password = colon != NULL ? (size_t)n - user - 1 : 0;
    bool good = colon != NULL && user <= BASIC_USER_MAX && password <= BCRYPT_PASSWORD_MAX &&
                memchr(text, '\0', (size_t)n) == NULL;
    if (good) {
        memcpy(ret->user, text, user);
        ret->user[user] = '\0';
        memcpy(ret->password, colon + 1, password);
        ret->password[password] = '\0';
    }
    explicit_bzero(text, sizeof text);
    return good;
}

void basic_wipe(struct basic *b)
{
    explicit_bzero(b, sizeof *b);
}
