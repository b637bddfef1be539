// SPDX-License-Identifier: Apache-2.0
/*
 * credentials: user and password of a request, and passwords' hashes as htpasswd -B writes them.
 *
 * Threads: any.
 * Memory:  a struct in place; credentials_wipe after use.
 * Source:  RFC 7617, RFC 4648 (base64 with padding); crypt(5), prefixes $2a$, $2b$, $2y$; libcrypt.
 */
#ifndef VE_WEB_CREDENTIALS_H
#define VE_WEB_CREDENTIALS_H

#include <stdbool.h>

enum {
    CREDENTIALS_HASH = 60,
    CREDENTIALS_PASSWORD_MAX = 511
}; // bytes of a hash, and of a password at most

enum { CREDENTIALS_USER_MAX = 255 };

struct credentials {
    char user[CREDENTIALS_USER_MAX + 1];
    char password[CREDENTIALS_PASSWORD_MAX + 1];
};

// Takes "Basic dXNlcjpwYXNz" apart. Returns false when it is something else, or too long, or has a NUL.
bool credentials_read(struct credentials *ret, const char *field);

void credentials_wipe(struct credentials *b);

// Whether the text is a hash that can be tried. If not, *why is the reason, in words that live forever.
bool credentials_is_hash(const char *text, const char **why);

// Tries a password. Takes from milliseconds to minutes, as the hash says. Returns 1 when it is the one, 0 when it
// is not, or -ENOMEM.
int credentials_try(const char *hash, const char *password);

#endif
