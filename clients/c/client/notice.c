// SPDX-License-Identifier: Apache-2.0
#include "client/notice.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

void notice_write(const struct notice *n, int level, const char *fmt, ...)
{
    char text[NOTICE_MAX];
    va_list ap;
    if (n->on_message == NULL) {
        return;
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    n->on_message(n->arg, level, text);
}

// Whether one more of this reason may be written.
static bool is_allowed(struct notice *n, uint64_t now, const char *what, const char *reason)
{
    char name[sizeof n->reasons->name];
    if (n->window == 0 || now - n->window >= NOTICE_WINDOW_MS) {
        if (n->suppressed > 0) {
            notice_write(n, LOG_WARNING, "%llu more were refused, invalid or lost",
                         (unsigned long long)n->suppressed);
        }
        n->window = now;
        n->suppressed = 0;
        n->n_reasons = 0;
    }
    snprintf(name, sizeof name, "%s %.25s", what, reason);
    size_t i = 0;
    while (i < n->n_reasons && strcmp(n->reasons[i].name, name) != 0) {
        i++;
    }
    if (i == NOTICE_REASONS || (i < n->n_reasons && n->reasons[i].n == NOTICE_EACH)) {
        n->suppressed++;
        return false;
    }
    if (i == n->n_reasons) {
        memcpy(n->reasons[i].name, name, sizeof name);
        n->reasons[i].n = 0;
        n->n_reasons++;
    }
    n->reasons[i].n++;
    return true;
}

void notice_line(struct notice *n, uint64_t now_ms, const char *what, const char *reason,
                 const char *detail, const char *line)
{
    if (n->on_message != NULL && is_allowed(n, now_ms, what, reason)) {
        notice_write(n, LOG_WARNING, "%s: %s%s%s: %.250s", what, reason,
                     *detail != '\0' ? ": " : "", detail, line);
    }
}

// Why the socket may not be connected to: its group, where that can be seen.
static void explain_permission(char *out, size_t size, const char *path)
{
    struct stat st;
    struct group group;
    struct group *found = NULL;
    char room[4096];
    if (stat(path, &st) < 0) {
        snprintf(out, size, "permission denied: a directory above the socket must not be entered");
        return;
    }
    getgrgid_r(st.st_gid, &group, room, sizeof room, &found);
    if (found != NULL) {
        snprintf(out, size, "permission denied: socket's group is %.60s, its mode %04o",
                 group.gr_name, (unsigned)st.st_mode & 07777);
    } else {
        snprintf(out, size, "permission denied: socket's group is %u, its mode %04o",
                 (unsigned)st.st_gid, (unsigned)st.st_mode & 07777);
    }
}

static void explain(char *out, size_t size, const struct notice *n, const char *path, int error)
{
    switch (-error) {
    case EACCES:
        explain_permission(out, size, path);
        return;
    case ENOENT:
        snprintf(out, size, "no socket there: the daemon does not run, or has another path");
        return;
    case ECONNREFUSED:
        snprintf(out, size, "nobody listens: the daemon does not run");
        return;
    case EPROTOTYPE:
        snprintf(out, size, "it is a datagram socket, which takes single lines only");
        return;
    case EMFILE:
    case ENFILE:
        snprintf(out, size, "no file descriptor is left");
        return;
    case EPERM:
        snprintf(out, size, "the daemon rejected the hello: %s", n->refusal);
        return;
    case ECONNRESET:
    case EPIPE:
        snprintf(out, size, "the daemon closed the connection");
        return;
    default:
        snprintf(out, size, "%s", strerror(-error));
    }
}

void notice_trouble(struct notice *n, const char *path, int error, bool was_connected)
{
    char why[400];
    if (error == 0 || (!was_connected && error == n->trouble)) {
        return;
    }
    explain(why, sizeof why, n, path, error);
    n->trouble = error;
    notice_write(n, LOG_WARNING,
                 was_connected ? "connection to %s lost (%s)" : "cannot connect to %s (%s)", path,
                 why);
}

void notice_failed_start(const struct notice *n, const char *path, int error)
{
    switch (-error) {
    case ENAMETOOLONG:
        notice_write(n, LOG_WARNING,
                     "not started: the socket's path has %zu bytes, %d are possible", strlen(path),
                     (int)WIRE_PATH_SIZE - 1);
        return;
    case EINVAL:
        notice_write(n, LOG_WARNING, "not started: component or labels are missing or no UTF-8");
        return;
    case EMSGSIZE:
        notice_write(n, LOG_WARNING, "not started: the labels are longer than a line may be");
        return;
    default:
        notice_write(n, LOG_WARNING, "not started: %s", strerror(-error));
    }
}
