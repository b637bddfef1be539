// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_credentials: a value of Authorization, against a reader of base64 bit by bit, and hashes of passwords, against one
 * that begins at their end. The input is the value as it came, what is encoded in one, and a hash.
 */
#include "fuzz.h"
#include "web/credentials.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

enum { MOST = 2000 };

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The bytes that the text stands for, one bit after the other; -1 when it is no base64 with padding. The last bits, which
// belong to no byte, may be any.
static long decode(char *out, const char *text)
{
    size_t len = strlen(text);
    size_t letters = strspn(text, LETTERS);
    size_t bits = 0;
    if (len % 4 != 0 || len - letters > 2 || strspn(text + letters, "=") != len - letters) {
        return -1;
    }
    memset(out, 0, letters);
    for (size_t i = 0; i < letters; i++) {
        size_t digit = (size_t)(strchr(LETTERS, text[i]) - LETTERS);
        for (int bit = 5; bit >= 0; bit--, bits++) {
            out[bits / 8] = (char)(out[bits / 8] | (char)((digit >> bit & 1) << (7 - bits % 8)));
        }
    }
    return (long)(bits / 8);
}

static void compare(const char *field)
{
    struct credentials got;
    char *bytes = malloc(strlen(field) + 1);
    must(bytes != NULL, "no memory");
    bool scheme = strncasecmp(field, "Basic ", 6) == 0;
    long n = scheme ? decode(bytes, field + 6 + strspn(field + 6, " ")) : -1;
    const char *colon = n > 0 ? memchr(bytes, ':', (size_t)n) : NULL;
    size_t user = colon != NULL ? (size_t)(colon - bytes) : 0;
    size_t password = colon != NULL ? (size_t)n - user - 1 : 0;
    bool good = colon != NULL && user <= CREDENTIALS_USER_MAX &&
                password <= CREDENTIALS_PASSWORD_MAX && memchr(bytes, '\0', (size_t)n) == NULL;
    must(credentials_read(&got, field) == good, "whether there are credentials");
    if (good) {
        must(strlen(got.user) == user && memcmp(got.user, bytes, user) == 0, "another user");
        must(strlen(got.password) == password && memcmp(got.password, colon + 1, password) == 0,
             "another password");
        credentials_wipe(&got);
    }
    free(bytes);
}

// "Basic " and the bytes in base64.
static void encode(char *out, const uint8_t *data, size_t size)
{
    size_t at = (size_t)sprintf(out, "bAsIc ");
    for (size_t i = 0; i < size; i += 3) {
        uint32_t three = (uint32_t)data[i] << 16;
        three |= i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0;
        three |= i + 2 < size ? data[i + 2] : 0;
        for (unsigned k = 0; k < 4; k++) {
            out[at++] = i + k <= size ? LETTERS[three >> (18 - 6 * k) & 63] : '=';
        }
    }
    out[at] = '\0';
}

// Whether the text is a hash of bcrypt, read from its end.
static bool is_hash(const char *text)
{
    size_t len = strlen(text);
    size_t letters = 0;
    while (letters < len && (isalnum((unsigned char)text[len - letters - 1]) != 0 ||
                             strchr("./", text[len - letters - 1]) != NULL)) {
        letters++;
    }
    unsigned cost = 0;
    char kind[2];
    return len == 60 && letters == 53 && isdigit((unsigned char)text[4]) &&
           isdigit((unsigned char)text[5]) && sscanf(text, "$2%1[aby]$%2u$", kind, &cost) == 2 &&
           text[6] == '$' && cost >= 4 && cost <= 31;
}

// Hashes that take little time are tried.
static void compare_hash(const char *text)
{
    const char *why = NULL;
    bool good = credentials_is_hash(text, &why);
    must(good == is_hash(text), "whether it is a hash");
    must(good || why != NULL, "no reason");
    if (good && text[4] == '0' && text[5] <= '5') {
        must(credentials_try(text, "U*U") >= 0, "no memory");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char field[MOST * 2];
    if (size > MOST) {
        return 0;
    }
    char *text = text_of(data, size);
    compare(text);
    compare_hash(text);
    free(text);
    encode(field, data, size);
    compare(field);
    return 0;
}
