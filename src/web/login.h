// SPDX-License-Identifier: Apache-2.0
/*
 * login: whether a user and a password are those of the web configuration.
 *
 * Shape:   a try of a password takes its time (bcrypt), so a thread of its own does them one after another.
 *          Passwords that were right are remembered, as a keyed hash of user, stored hash and password; wrong
 *          ones are tried each time. Whoever is not known is tried against the hash of somebody who is, always
 *          the same one for a name, so that the time does not tell.
 * Bounds:  LOGIN_WAITING tries, LOGIN_REMEMBERED passwords.
 * Threads: the web thread; the one that login_ask starts when it is first needed sees tries only.
 * Memory:  a try belongs to `login`; passwords are wiped once tried. login_free does not wait for a try
 *          under way: its thread gives the rest back when that ends.
 */
#ifndef VE_WEB_LOGIN_H
#define VE_WEB_LOGIN_H

#include "web/basic.h"
#include "web/webconf.h"

enum { LOGIN_WAITING = 16, LOGIN_REMEMBERED = 64 };

struct login;
struct login_try;

enum login_answer {
    LOGIN_GOOD,
    LOGIN_WAITS, // login_next tells
    LOGIN_BUSY,  // too many wait
    LOGIN_FAILED // out of memory or of threads
};

// `wake` is called on the other thread when a try has ended, never after login_free. Returns 0 or -errno.
int login_new(struct login **ret, void (*wake)(void *ctx), void *ctx);

// `conf` has users. When the answer is LOGIN_WAITS, *ret is the try, for `who`.
enum login_answer login_ask(struct login *l, const struct webconf *conf, const struct basic *b,
                            void *who, struct login_try **ret);

// Nobody waits for this one any more.
void login_abandon(struct login_try *t);

// The next try that has ended, for as long as it returns true. *ret_who is not one that abandoned it. *ret is as
// bcrypt_try says.
bool login_next(struct login *l, void **ret_who, int *ret);

void login_free(struct login *l);

#endif
