// SPDX-License-Identifier: Apache-2.0
#include "web/credentials.h"

#include <crypt.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DECODED_MAX = CREDENTIALS_USER_MAX + 1 + CREDENTIALS_PASSWORD_MAX };

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

bool credentials_read(struct credentials *ret, const char *field)
{
    char text[DECODED_MAX + 3];
    if (strncasecmp(field, "Basic ", 6) != 0) {
        return false;
    }
    long n = decode(text, field + 6 + strspn(field + 6, " "));
    const char *colon = n > 0 ? memchr(text, ':', (size_t)n) : NULL;
    size_t user = colon != NULL ? (size_t)(colon - text) : 0;
    size_t password = colon != NULL ? (size_t)n - user - 1 : 0;
    bool good = colon != NULL && user <= CREDENTIALS_USER_MAX &&
                password <= CREDENTIALS_PASSWORD_MAX && memchr(text, '\0', (size_t)n) == NULL;
    if (good) {
        memcpy(ret->user, text, user);
        ret->user[user] = '\0';
        memcpy(ret->password, colon + 1, password);
        ret->password[password] = '\0';
    }
    explicit_bzero(text, sizeof text);
    return good;
}

void credentials_wipe(struct credentials *b)
{
    explicit_bzero(b, sizeof *b);
}

bool credentials_is_hash(const char *text, const char **why)
{
    static const char letters[] =
        "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if (text[0] != '$' || text[1] != '2' || text[2] == '\0' || strchr("aby", text[2]) == NULL ||
        text[3] != '$') {
        *why =
            "is not a bcrypt hash; it starts with $2a$, $2b$ or $2y$, and htpasswd -nB makes one";
        return false;
    }
    if (strlen(text) != CREDENTIALS_HASH || text[6] != '$' || strspn(text + 7, letters) != 53) {
        *why = "is not a complete bcrypt hash, which has 60 characters";
        return false;
    }
    int cost = (text[4] - '0') * 10 + (text[5] - '0');
    if (strspn(text + 4, "0123456789") != 2 || cost < 4 || cost > 31) {
        *why = "has a cost outside bcrypt's range of 04 to 31";
        return false;
    }
    return true;
}

// Looks at all bytes whatever they are.
static bool is_same(const char *a, const char *b)
{
    unsigned char differs = 0;
    for (size_t i = 0; i < CREDENTIALS_HASH; i++) {
        differs |= (unsigned char)(a[i] ^ b[i]);
    }
    return differs == 0;
}

int credentials_try(const char *hash, const char *password)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    if (data == NULL) {
        return -ENOMEM;
    }
    // Not crypt_r: sanitizers have one of that name, for which the linker leaves libcrypt out.
    const char *got = crypt_rn(password, hash, data, sizeof *data);
    bool good = got != NULL && strlen(got) == CREDENTIALS_HASH &&
                strlen(hash) == CREDENTIALS_HASH && is_same(got, hash);
    explicit_bzero(data, sizeof *data);
    free(data);
    return good;
}
