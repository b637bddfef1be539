// SPDX-License-Identifier: Apache-2.0
/*
 * sd: the life of sources towards Prometheus: /sd lists them as targets (HTTP service discovery), and
 * /source/COMPONENT/INSTANCE is what such a target answers.
 *
 * Bounds:  lists that are not sent yet take SD_HELD_MAX bytes; then 503.
 * Threads: the web thread only; sd_is_address any.
 * Memory:  borrows the backend and the address.
 * Source:  Prometheus' http_sd_config. It encodes __metrics_path__, which is percent-encoded, once more when it
 *          asks; so the instance of a path may be encoded once or twice.
 */
#ifndef VE_WEB_SD_H
#define VE_WEB_SD_H

#include "web/conn.h"
#include "web/web.h"

enum { SD_HELD_MAX = 64 << 20, SD_NAME_MAX = 1024 };

struct sd {
    const struct web_backend *backend;
    struct conns *conns;
    const char *external_address; // of all targets; NULL: the Host of the request
    size_t held;                  // bytes of lists that are being sent
};

// Whether the path is one of these.
bool sd_handles(const char *path);
// Answers a GET or HEAD of such a path. Returns 0, or -errno and the connection must end.
int sd_answer(struct sd *sd, struct conn *c);

// Whether the text is a host name or an IP address (IPv6 in brackets), with a port or without.
bool sd_is_address(const char *text);

#endif
