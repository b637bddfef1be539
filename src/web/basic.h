// SPDX-License-Identifier: Apache-2.0
/*
 * basic: user and password from a request's Authorization field.
 *
 * Threads: pure functions.
 * Memory:  a struct in place; basic_wipe when it was looked at.
 * Source:  RFC 7617, RFC 4648 (base64 with padding).
 */
#ifndef VE_WEB_BASIC_H
#define VE_WEB_BASIC_H

#include "web/bcrypt.h"

enum { BASIC_USER_MAX = 255 };

struct basic {
    char user[BASIC_USER_MAX + 1];
    char password[BCRYPT_PASSWORD_MAX + 1];
};

// Takes "Basic dXNlcjpwYXNz" apart. Returns false when it is something else, or too long, or has a NUL.
bool basic_read(struct basic *ret, const char *field);

void basic_wipe(struct basic *b);

#endif
