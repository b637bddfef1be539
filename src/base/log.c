// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 4096, // with its LF; a pipe takes as much in one piece
    VALUE_MAX_BYTES = 256, // of a value as given, before escapes
    END_MAX_BYTES = 16,    // kept free for the mark of a cut line and its end
    WAIT_MS = 100,         // for room in a pipe, or in the journal's socket
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

// ---- The journal; none in a build without libsystemd

#if VE_HAVE_SYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION // every line would come from this file
#include <ctype.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <systemd/sd-journal.h>

enum {
    ENTRY_MAX_FIELDS = 16,
    ENTRY_MAX_BYTES = 10240, // a message, and as many fields as may be
};

// An entry: its fields, one after the other in `text`.
struct entry {
    struct buf text;
    size_t n;
    size_t begin[ENTRY_MAX_FIELDS + 1];
};

static bool is_stderr_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    uintmax_t dev;
    uintmax_t ino;
    int end = 0;
    struct stat st;
    return text != NULL && sscanf(text, "%" SCNuMAX ":%" SCNuMAX "%n", &dev, &ino, &end) == 2 &&
           text[end] == '\0' && fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
           st.st_ino == ino;
}

static void entry_add(struct entry *e, const char *key, const char *value, size_t len)
{
    if (e->n == ENTRY_MAX_FIELDS) {
        return;
    }
    size_t begin = e->text.len;
    for (const char *k = key; *k != '\0'; k++) {
        buf_char(&e->text, isalnum((unsigned char)*k) ? (char)toupper((unsigned char)*k) : '_');
    }
    buf_char(&e->text, '=');
    buf_add(&e->text, value, len);
    if (e->text.failed) {
        buf_clear(&e->text);
        e->text.len = begin;
        return;
    }
    e->begin[++e->n] = e->text.len;
}

/*
 * Whether the journal's socket is there and would take an entry at once. sd_journal_sendv waits for a journal that reads
 * nothing for as long as that lasts, and takes an entry that no journal is there for as sent. Whoever waited here in vain
 * does so once.
 */
static bool journal_has_room(void)
{
    static const struct sockaddr_un journal = {.sun_family = AF_UNIX,
                                               .sun_path = "/run/systemd/journal/socket"};
    static _Atomic bool stuck;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) { // libsystemd has one, if it ever could
        return access(journal.sun_path, W_OK) == 0;
    }
    bool room = connect(fd, (const struct sockaddr *)&journal, sizeof journal) == 0;
    if (room) {
        struct pollfd out = {.fd = fd, .events = POLLOUT};
        room = poll(&out, 1, atomic_load(&stuck) ? 0 : WAIT_MS) > 0;
        atomic_store(&stuck, !room);
    }
    close(fd);
    return room;
}

// Sends one entry: the message, its priority (a digit, as syslog(3) numbers them), the fields that every entry has, MESSAGE_ID
// unless `id` is NULL, and the pairs, their keys in upper case. Returns whether it was sent; false, too, when a journal that is
// there does not read.
static bool journal_send(char priority, const char *id, const char *message, size_t len,
                         va_list pairs)
{
    if (!journal_has_room()) {
        return false;
    }
    char bytes[ENTRY_MAX_BYTES];
    struct entry e = {.text = {.p = bytes, .cap = sizeof bytes, .max = sizeof bytes}};
    entry_add(&e, "message", message, len);
    entry_add(&e, "priority", &priority, 1);
    entry_add(&e, "syslog_identifier", "virtrigaud-exporter", strlen("virtrigaud-exporter"));
    if (id != NULL) {
        entry_add(&e, "message_id", id, strlen(id));
    }
    const char *key;
    while ((key = va_arg(pairs, const char *)) != NULL) {
        const char *value = va_arg(pairs, const char *);
        value = value != NULL ? value : "";
        entry_add(&e, key, value,
                  text_cut(value, strnlen(value, VALUE_MAX_BYTES + 1), VALUE_MAX_BYTES));
    }
    struct iovec fields[ENTRY_MAX_FIELDS];
    for (size_t i = 0; i < e.n; i++) {
        fields[i] =
            (struct iovec){.iov_base = bytes + e.begin[i], .iov_len = e.begin[i + 1] - e.begin[i]};
    }
    return sd_journal_sendv(fields, (int)e.n) >= 0;
}

#else

static bool is_stderr_journal(void)
{
    return false;
}

static bool journal_send(char priority, const char *id, const char *message, size_t len,
                         va_list pairs)
{
    (void)priority;
    (void)id;
    (void)message;
    (void)len;
    (void)pairs;
    return false;
}

#endif

// ---- Lines

void log_setup(enum log_level level, enum log_format format)
{
    enum log_format automatic = is_stderr_journal() ? LOG_FORMAT_JOURNAL : LOG_FORMAT_LOGFMT;
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
    return journal_send(priorities[level], kind_ids[kind], message.p, len, ap);
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

_Noreturn void log_broken_invariant(const char *what, const char *where)
{
    log_write_kind(LOG_KIND_invariant_broken, LOG_LEVEL_ERROR, "an invariant does not hold",
                   "invariant", what, "where", where, NULL);
    abort();
}
