// SPDX-License-Identifier: Apache-2.0
#include "ingest/reply.h"

#include "base/text.h"

#include <inttypes.h>

void reply_error(struct buf *out, const struct event_verdict *v, uint64_t line)
{
    buf_addf(out, "{\"error\":\"%s\",\"line\":%" PRIu64, reject_name(v->reason), line);
    if (v->index >= 0) {
        buf_addf(out, ",\"index\":%d", v->index);
    }
    buf_str(out, ",\"detail\":");
    text_json(out, v->detail, strlen(v->detail));
    buf_str(out, "}\n");
}

void reply_hello(struct buf *out, uint64_t applied, bool known)
{
    buf_addf(out, "{\"hello\":{\"protocol\":1,\"applied\":%" PRIu64 ",\"known\":%s}}\n", applied,
             known ? "true" : "false");
}

void reply_sync(struct buf *out, struct slice id, uint64_t applied, uint64_t rejected)
{
    buf_str(out, "{\"sync\":");
    buf_add(out, id.p, id.len);
    buf_addf(out, ",\"applied\":%" PRIu64 ",\"rejected\":%" PRIu64 "}\n", applied, rejected);
}

void reply_ping(struct buf *out, struct slice id)
{
    buf_str(out, "{\"ping\":");
    buf_add(out, id.p, id.len);
    buf_str(out, "}\n");
}

void reply_forget(struct buf *out, uint64_t series)
{
    buf_addf(out, "{\"forget\":{\"series\":%" PRIu64 "}}\n", series);
}
