// SPDX-License-Identifier: Apache-2.0
#include "web/bcrypt.h"

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool bcrypt_is_hash(const char *text, const char **why)
{
    static const char letters[] =
        "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if (text[0] != '$' || text[1] != '2' || text[2] == '\0' || strchr("aby", text[2]) == NULL ||
        text[3] != '$') {
        *why = "is no bcrypt hash; it starts with $2a$, $2b$ or $2y$, and htpasswd -nB makes one";
        return false;
    }
    if (strlen(text) != BCRYPT_HASH || text[6] != '$' || strspn(text + 7, letters) != 53) {
        *why = "is no whole bcrypt hash: that has 60 characters";
        return false;
    }
    int cost = (text[4] - '0') * 10 + (text[5] - '0');
    if (strspn(text + 4, "0123456789") != 2 || cost < 4 || cost > 31) {
        *why = "has a cost that bcrypt does not know: from 04 to 31";
        return false;
    }
    return true;
}

// Looks at all bytes whatever they are.
static bool same(const char *a, const char *b)
{
    unsigned char differs = 0;
    for (size_t i = 0; i < BCRYPT_HASH; i++) {
        differs |= (unsigned char)(a[i] ^ b[i]);
    }
    return differs == 0;
}

int bcrypt_try(const char *hash, const char *password)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    if (data == NULL) {
        return -ENOMEM;
    }
    // Not crypt_r: sanitizers have one of that name, for which the linker leaves libcrypt out.
    const char *got = crypt_rn(password, hash, data, sizeof *data);
    bool good =
        got != NULL && strlen(got) == BCRYPT_HASH && strlen(hash) == BCRYPT_HASH && same(got, hash);
    explicit_bzero(data, sizeof *data);
    free(data);
    return good;
}
