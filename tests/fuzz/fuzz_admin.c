// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_admin: a line of the admin socket.
 *
 * What is accepted has what its command needs, and nothing that it does not take; written again as JSON it reads the same.
 * What is refused has a reason and a detail.
 */
#include "base/json_writer.h"
#include "base/text.h"
#include "daemon/admin_request.h"
#include "fuzz.h"

static struct parser parser;

static void write_text(struct buf *out, const char *key, const char *text, size_t len)
{
    json_key(out, key);
    json_text(out, text, len);
}

static void write_members(struct buf *out, const struct admin_request *r)
{
    if (r->metric != NULL) {
        write_text(out, "metric", r->metric, strlen(r->metric));
        json_key(out, "labels");
        json_begin(out, '{');
        for (size_t i = 0; i < r->n_labels; i++) {
            write_text(out, r->labels[i].name, r->labels[i].value.p, r->labels[i].value.len);
        }
        json_end(out, '}');
    }
    if (r->component != NULL) {
        write_text(out, "component", r->component, strlen(r->component));
        write_text(out, "instance", r->instance.p, r->instance.len);
        json_key(out, "series");
        json_bool(out, r->with_series);
    }
    if (r->command == ADMIN_REJECTS) {
        json_key(out, "follow");
        json_bool(out, r->follow);
    }
}

static void write_request(struct buf *out, const struct admin_request *r)
{
    static const char *const names[] = {
        [ADMIN_STATUS] = "status",   [ADMIN_SOURCES] = "sources", [ADMIN_SERIES] = "series",
        [ADMIN_REJECTS] = "rejects", [ADMIN_FORGET] = "forget",   [ADMIN_DELETE] = "delete",
        [ADMIN_RELOAD] = "reload",
    };
    json_begin(out, '{');
    json_key(out, names[r->command]);
    json_begin(out, '{');
    write_members(out, r);
    json_end(out, '}');
    json_end(out, '}');
}

static void check(const struct admin_request *r)
{
    bool series = r->command == ADMIN_SERIES || r->command == ADMIN_DELETE;
    bool forget = r->command == ADMIN_FORGET;
    must(series == (r->metric != NULL), "a metric is of series and delete");
    must(forget == (r->component != NULL && r->instance.len > 0), "a source is of forget");
    must(r->n_labels <= KEY_MATCH_MAX_LABELS && (series || r->n_labels == 0),
         "labels are of series");
    must(r->command != ADMIN_DELETE || r->n_labels > 0, "delete without a label");
    must(!r->follow || r->command == ADMIN_REJECTS, "only rejects follows");
    must(!r->with_series || forget, "only forget takes series with it");
    must(r->used <= sizeof r->bytes, "texts beyond their room");
}

static bool is_same(const struct admin_request *a, const struct admin_request *b)
{
    bool same = a->command == b->command && a->follow == b->follow &&
                a->with_series == b->with_series && a->n_labels == b->n_labels &&
                a->instance.len == b->instance.len &&
                memcmp(a->instance.p != NULL ? a->instance.p : "",
                       b->instance.p != NULL ? b->instance.p : "", a->instance.len) == 0;
    for (size_t i = 0; same && i < a->n_labels; i++) {
        same = strcmp(a->labels[i].name, b->labels[i].name) == 0 &&
               a->labels[i].value.len == b->labels[i].value.len &&
               memcmp(a->labels[i].value.p, b->labels[i].value.p, a->labels[i].value.len) == 0;
    }
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct admin_request first;
    static struct admin_request again;
    struct buf detail = BUF_INIT;
    struct buf text = BUF_INIT;
    char *line = text_of(data, size <= ADMIN_REQUEST_MAX ? size : ADMIN_REQUEST_MAX);
    size_t len = size <= ADMIN_REQUEST_MAX ? size : ADMIN_REQUEST_MAX;
    const char *reason = admin_request_read(&first, &parser, line, len, &detail);
    must((reason == NULL) == (detail.len == 0), "what is refused says why, and nothing else does");
    if (reason == NULL) {
        check(&first);
        write_request(&text, &first);
        // Escapes may make it longer than the line that it came from.
        if (text.len <= ADMIN_REQUEST_MAX) {
            reason = admin_request_read(&again, &parser, text.p, text.len, &detail);
            must(reason == NULL, "what is accepted is refused when it is written again");
            check(&again);
            must(is_same(&first, &again), "what is accepted reads otherwise when written again");
        }
    }
    buf_free(&detail);
    buf_free(&text);
    free(line);
    return 0;
}
