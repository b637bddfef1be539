// SPDX-License-Identifier: Apache-2.0
#include "ingest/reply.h"

#include "base/json_writer.h"

static void end_reply(struct buf *out)
{
    buf_str(out, "}\n");
}

void reply_error(struct buf *out, const struct rejection *why, uint64_t line)
{
    json_begin(out, '{');
    json_key(out, "error");
    json_string(out, reject_names[why->reason]);
    json_key(out, "line");
    json_u64(out, line);
    if (why->element >= 0) {
        json_key(out, "index");
        json_u64(out, (uint64_t)why->element);
    }
    json_key(out, "detail");
    json_string(out, why->detail);
    end_reply(out);
}

void reply_hello(struct buf *out, uint64_t applied, bool known)
{
    json_begin(out, '{');
    json_key(out, "hello");
    json_begin(out, '{');
    json_key(out, "protocol");
    json_u64(out, 1);
    json_key(out, "applied");
    json_u64(out, applied);
    json_key(out, "known");
    json_bool(out, known);
    json_end(out, '}');
    end_reply(out);
}

void reply_sync(struct buf *out, struct slice id, uint64_t applied, uint64_t rejected)
{
    json_begin(out, '{');
    json_key(out, "sync");
    json_value(out, id.p, id.len);
    json_key(out, "applied");
    json_u64(out, applied);
    json_key(out, "rejected");
    json_u64(out, rejected);
    end_reply(out);
}

void reply_ping(struct buf *out, struct slice id)
{
    json_begin(out, '{');
    json_key(out, "ping");
    json_value(out, id.p, id.len);
    end_reply(out);
}

void reply_forget(struct buf *out, uint64_t series)
{
    json_begin(out, '{');
    json_key(out, "forget");
    json_begin(out, '{');
    json_key(out, "series");
    json_u64(out, series);
    json_end(out, '}');
    end_reply(out);
}
