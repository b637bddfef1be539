// SPDX-License-Identifier: Apache-2.0
/*
 * backend: what the HTTP side needs of the daemon, as functions.
 *
 * Threads: as each says. Memory: borrowed until web_free.
 */
#ifndef VE_WEB_BACKEND_H
#define VE_WEB_BACKEND_H

#include "expose/format.h"
#include "web/request.h"
#include "web/status_view.h"

struct sd_list;

struct web_backend {
    void *ctx;

    // The web thread or the renderer's begins, and ends, on it. May be NULL.
    void (*thread_start)(void *ctx);
    void (*thread_stop)(void *ctx);

    // On the renderer's thread, as `view` and `targets` are; all others on the web thread.
    // Writes the exposition in the format, of all families or of
    // those that `filter` names (request_filter_has). Returns 0 or -errno; then, or when the sink's text failed,
    // the scrape is answered with 500.
    int (*render)(void *ctx, const struct request_filter *filter, enum format_kind format,
                  struct format_sink *sink);

    // Adds every source that is known with sd_target. It and the next may be NULL: none is known.
    void (*targets)(void *ctx, struct sd_list *list);

    // Appends the metrics of a source's life. Returns 0; -ENOTCONN when it is known and not connected, -ENOENT
    // when it is not known, -ENOMEM.
    int (*source)(void *ctx, const char *component, const char *instance, struct buf *out);

    // Writes the status view, or the page of a metric. Returns 0; -ENOENT when there is no such metric; -ENOMEM.
    int (*view)(void *ctx, const struct status_view_request *request, struct buf *out);

    // Whether /readyz says 200.
    bool (*ready)(void *ctx);

    // Asks for a reload and returns at once; web_reload_done answers, within the call or later. It
    // is not called again before that. May be NULL when lifecycle is false.
    void (*reload)(void *ctx);
};

#endif
