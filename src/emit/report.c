// SPDX-License-Identifier: Apache-2.0
#include "emit/report.h"

#include "base/buf.h"
#include "base/text.h"
#include "client/notice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void report_rejection(FILE *err, const char *where, const struct wire_reply *rejection)
{
    struct buf shown = BUF_INIT;
    text_visible(&shown, rejection->detail, strlen(rejection->detail));
    fprintf(err, "virtrigaud-emit: %s: %s%s%.*s", where, rejection->reason,
            shown.len > 0 ? ": " : "", (int)shown.len, shown.len > 0 ? shown.p : "");
    buf_free(&shown);
    if (rejection->in_batch) {
        fprintf(err, " (index %llu)", (unsigned long long)rejection->index);
    }
    fputc('\n', err);
}

void report_message(void *arg, int level, const char *text)
{
    struct buf shown = BUF_INIT;
    (void)level;
    text_visible(&shown, text, strlen(text));
    fprintf(arg, "virtrigaud-emit: %.*s\n", (int)shown.len, shown.len > 0 ? shown.p : "");
    buf_free(&shown);
}

void report_unreached(FILE *err, const struct args *a, int error)
{
    char path[WIRE_PATH_SIZE];
    struct notice notice = {.on_message = report_message, .arg = err};
    if (wire_socket_path(path, a->socket) < 0) {
        const char *given = a->socket != NULL ? a->socket : getenv(WIRE_SOCKET_ENV);
        notice_failed_start(&notice, given != NULL ? given : "", -ENAMETOOLONG);
        return;
    }
    notice_trouble(&notice, path, error, false);
    if (a->socket == NULL && (error == -ENOENT || error == -ECONNREFUSED)) {
        fputs("virtrigaud-emit: start virtrigaud-exporter, or name its socket with --socket\n",
              err);
    }
}

int report_unopened(FILE *err, const struct args *a, int error)
{
    if (error == -EMSGSIZE) {
        fprintf(err, "virtrigaud-emit: the hello is too long\n");
        return EMIT_USAGE;
    }
    report_unreached(err, a, error);
    return EMIT_UNREACHED;
}
