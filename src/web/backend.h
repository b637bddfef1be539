// SPDX-License-Identifier: Apache-2.0
/*
 * backend: what the HTTP side needs: the series and the sources, and of the daemon, which is above it, functions.
 *
 * Threads: as each says. Memory: borrowed until web_free.
 */
#ifndef VE_WEB_BACKEND_H
#define VE_WEB_BACKEND_H

#include "expose/expose.h"
#include "series/schema.h"
#include "source/source.h"
#include "web/request.h"
#include "web/status_view.h"

struct web_backend {
    struct series_store *store;
    const struct sources *sources; // what /sd lists
    const struct self *self;       // what the exporter's own metrics show

    // Writes an exposition: expose_write, but in tests. On the renderer's thread, as `view` is; the others on the web
    // thread. Both have joined RCU. When it fails, or the sink's text, the scrape is answered with 500.
    int (*render)(struct format_sink *sink, struct series_store *store, const struct self *self,
                  const struct expose_filter *filter, const struct format *format);

    void *ctx; // of what follows

    // Writes the status view, or the page of a metric. Returns 0; -ENOENT when there is no such metric; -ENOMEM.
    int (*view)(void *ctx, const struct status_view_request *request, struct buf *out);

    // Whether /readyz says 200.
    bool (*ready)(void *ctx);

    // Asks for a reload and returns at once; web_reload_done answers, within the call or later. It
    // is not called again before that. May be NULL when lifecycle is false.
    void (*reload)(void *ctx);
};

#endif
