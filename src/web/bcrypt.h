// SPDX-License-Identifier: Apache-2.0
/*
 * bcrypt: passwords and their hashes, as htpasswd -B writes them.
 *
 * Threads: any.
 * Source:  crypt(5), prefixes $2a$, $2b$, $2y$; libcrypt.
 */
#ifndef VE_WEB_BCRYPT_H
#define VE_WEB_BCRYPT_H

#include <stdbool.h>

enum { BCRYPT_HASH = 60, BCRYPT_PASSWORD_MAX = 511 }; // bytes of a hash, and of a password at most

// Whether the text is a hash that can be tried. If not, *why is the reason, in words that live forever.
bool bcrypt_is_hash(const char *text, const char **why);

// Tries a password. Takes from milliseconds to minutes, as the hash says. Returns 1 when it is the one, 0 when it
// is not, or -ENOMEM.
int bcrypt_try(const char *hash, const char *password);

#endif
