// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/log_journal.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 4096, // with its LF; a pipe takes as much in one piece
    VALUE_MAX_BYTES = 256, // of a value as given, before escapes
    END_MAX_BYTES = 16,    // kept free for the mark of a cut line and its end
    WAIT_MS = 100          // for room in a pipe
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static const char priorities[] = {'7', '6', '4', '3'}; // as syslog(3) numbers them

static const char *const kind_ids[] = {
    NULL,
#define KIND(name, id, meaning) id,
#include "base/log.def"
};

static _Atomic(int) least_level = LOG_LEVEL_INFO;
static enum log_format line_format = LOG_FORMAT_LOGFMT;

void log_setup(enum log_level level, enum log_format format)
{
    enum log_format automatic = log_journal_is_stderr() ? LOG_FORMAT_JOURNAL : LOG_FORMAT_LOGFMT;
    line_format = format == LOG_FORMAT_AUTO ? automatic : format;
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
}

// A logfmt value: bare when that reads back as the same, else quoted as JSON does it.
static void add_bare_or_quoted(struct buf *line, const char *value, size_t len)
{
    size_t begin = line->len;
    text_json(line, value, len);
    bool plain = len > 0 && memchr(value, ' ', len) == NULL && memchr(value, '=', len) == NULL;
    if (!line->failed && plain && line->len - begin == len + 2) {
        memcpy(line->p + begin, value, len);
        line->len -= 2;
    }
}

// Adds a field, whole or not at all. Returns false when there was no room for it.
static bool add_field(struct buf *line, const char *key, const char *value)
{
    size_t begin = line->len;
    if (value == NULL) {
        value = "";
    }
    size_t len = text_cut(value, strnlen(value, VALUE_MAX_BYTES + 1), VALUE_MAX_BYTES);
    if (line_format == LOG_FORMAT_JSON) {
        if (begin == 0) {
            json_begin(line, '{');
        }
        json_key(line, key);
        json_text(line, value, len);
    } else {
        if (begin != 0) {
            buf_char(line, ' ');
        }
        buf_str(line, key);
        buf_char(line, '=');
        add_bare_or_quoted(line, value, len);
    }
    if (line->failed) {
        buf_clear(line);
        line->len = begin;
        return false;
    }
    return true;
}

static void add_time(struct buf *line)
{
    uint64_t ms = clock_real_ms();
    time_t seconds = (time_t)(ms / 1000);
    struct tm t = {0};
    gmtime_r(&seconds, &t);
    char text[64];
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &t);
    snprintf(text + n, sizeof text - n, ".%03uZ", (unsigned)(ms % 1000));
    add_field(line, "ts", text);
}

static bool add_pairs(struct buf *line, va_list ap)
{
    const char *key;
    while ((key = va_arg(ap, const char *)) != NULL) {
        if (!add_field(line, key, va_arg(ap, const char *))) {
            return false;
        }
    }
    return true;
}

// Returns whether the journal took it.
static bool send_entry(enum log_kind kind, enum log_level level, const char *msg, va_list ap)
{
    char bytes[LINE_MAX_BYTES];
    struct buf message = {.p = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    size_t bare = strnlen(msg, VALUE_MAX_BYTES);
    buf_add(&message, msg, bare);
    buf_char(&message, ':');
    va_list pairs;
    va_copy(pairs, ap);
    add_pairs(&message, pairs);
    va_end(pairs);
    size_t len = message.len == bare + 1 ? bare : message.len; // no colon before nothing
    return log_journal_send(priorities[level], kind_ids[kind], message.p, len, ap);
}

// A pipe that is not read must not hold the process up. After one wait in vain none is made until it is read again.
static bool has_room(void)
{
    static _Atomic bool stuck;
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    bool room = poll(&out, 1, atomic_load(&stuck) ? 0 : WAIT_MS) != 0;
    atomic_store(&stuck, !room);
    return room;
}

static void write_line(enum log_level level, const char *msg, va_list ap)
{
    char bytes[LINE_MAX_BYTES];
    struct buf line = {.p = bytes};
    line.cap = line.max = sizeof bytes - END_MAX_BYTES;
    add_time(&line);
    add_field(&line, "level", level_names[level]);
    add_field(&line, "msg", msg);
    bool whole = add_pairs(&line, ap);
    line.cap = line.max = sizeof bytes;
    if (!whole) {
        add_field(&line, "cut", "true");
    }
    buf_str(&line, line_format == LOG_FORMAT_JSON ? "}\n" : "\n");
    if (!has_room()) {
        return;
    }
    ssize_t n;
    do {
        n = write(STDERR_FILENO, line.p, line.len);
    } while (n < 0 && errno == EINTR);
}

static void log_all(enum log_kind kind, enum log_level level, const char *msg, va_list ap)
{
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed)) {
        return;
    }
    int saved = errno;
    va_list again;
    va_copy(again, ap);
    if (line_format != LOG_FORMAT_JOURNAL || !send_entry(kind, level, msg, again)) {
        write_line(level, msg, ap);
    }
    va_end(again);
    errno = saved;
}

void log_write(enum log_level level, const char *msg, ...)
{
    va_list ap;
    va_start(ap, msg);
    log_all(LOG_KIND_NONE, level, msg, ap);
    va_end(ap);
}

void log_write_kind(enum log_kind kind, enum log_level level, const char *msg, ...)
{
    va_list ap;
    va_start(ap, msg);
    log_all(kind, level, msg, ap);
    va_end(ap);
}
