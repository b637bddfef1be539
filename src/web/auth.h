// SPDX-License-Identifier: Apache-2.0
/*
 * auth: whether a request is allowed, by the web configuration in force.
 *
 * Shape:   first the rate limit (429), then user and password (401). A password that must be tried suspends
 *          the request; auth_serve lets it continue, or answers it, when that has ended. A try takes its time (bcrypt), so
 *          a thread of its own, the verifier, does them one after another. Passwords that were right are cached, as a
 *          keyed hash of user, stored hash and password; wrong ones are tried each time. An unknown user is tried
 *          against the hash of a known one, always the same for a name, so that the time does not show which names exist.
 * Order:   the user who was tried least recently is next (all unknown ones are one user), of that user the peer that was
 *          tried least recently, of that peer the first try; of peers that were never tried alternately the newest and the
 *          oldest. So neither guessing of other names nor guessing from other hosts keeps a user out.
 * Bounds:  AUTH_ATTEMPTS_MAX tries, AUTH_CACHED passwords.
 * Threads: the web thread; the one that auth_verify starts when it is first needed sees tries only.
 * Memory:  borrows the configuration, which lasts until another is set. A try belongs to the verifier, which outlives it;
 *          passwords are wiped once tried. auth_verifier_free does not wait for a try under way: its thread frees the rest
 *          when that ends.
 */
#ifndef VE_WEB_AUTH_H
#define VE_WEB_AUTH_H

#include "base/rate_limit.h"
#include "web/conn.h"
#include "web/credentials.h"
#include "web/webconf.h"

enum { AUTH_ATTEMPTS_MAX = 512, AUTH_CACHED = 64, AUTH_SLOTS = 4096 };

struct auth_verifier;
struct auth_attempt;

enum auth_verification {
    AUTH_VERIFIED,
    AUTH_PENDING, // auth_next_result has the result
    AUTH_BUSY,    // too many wait
    AUTH_ERROR    // out of memory or of threads
};

// `wake` is an eventfd that is written to when a try has ended, never after auth_verifier_free. Returns 0 or -errno.
int auth_verifier_new(struct auth_verifier **ret, int wake);

// `conf` has users. When the answer is AUTH_PENDING, *ret is the try, for `who`, whose peer is this one.
enum auth_verification auth_verify(struct auth_verifier *l, const struct webconf *conf,
                                   const struct credentials *b, uint64_t peer, void *who,
                                   struct auth_attempt **ret);

// Nobody waits for this one any more, and it is not tried unless that has begun.
void auth_abandon(struct auth_attempt *t);

// The next try that has ended, for as long as it returns true. *ret_who is not one that abandoned it. *ret is as
// credentials_try says.
bool auth_next_result(struct auth_verifier *l, void **ret_who, int *ret);

void auth_verifier_free(struct auth_verifier *l);

enum { AUTH_WAIT_MS = 30000 }; // for a password to be tried

struct auth {
    struct conns *conns; // whose `conf` is in force
    struct auth_verifier *verifier;
    struct rate_limit rate;
};

enum auth_result {
    AUTH_ALLOWED,
    AUTH_ANSWERED, // or suspended
    AUTH_FAILED    // the connection must end
};

// Of a request, while there is a web configuration.
enum auth_result auth_check(struct auth *g, struct conn *c);

// Goes on with those whose password was tried.
void auth_serve(struct auth *g);

// The connection is closed.
void auth_cancel(struct conn *c);

#endif
