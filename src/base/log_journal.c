// SPDX-License-Identifier: Apache-2.0
#define SD_JOURNAL_SUPPRESS_LOCATION // every line would come from this file
#include "base/log_journal.h"

#include "base/buf.h"
#include "base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

enum {
    FIELDS_MOST = 16,
    ENTRY_MAX_BYTES = 10240, // a message, and as many fields as may be
    VALUE_MAX_BYTES = 256,
    WAIT_MS = 100, // for room in the journal's socket
};

// An entry: its fields, one after the other in `text`.
struct entry {
    struct buf text;
    size_t n;
    size_t begin[FIELDS_MOST + 1];
};

bool log_journal_is_stderr(void)
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

static void add(struct entry *e, const char *key, const char *value, size_t len)
{
    if (e->n == FIELDS_MOST) {
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
static bool has_room(void)
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

bool log_journal_send(char priority, const char *id, const char *message, size_t len, va_list pairs)
{
    if (!has_room()) {
        return false;
    }
    char bytes[ENTRY_MAX_BYTES];
    struct entry e = {.text = {.p = bytes, .cap = sizeof bytes, .max = sizeof bytes}};
    add(&e, "message", message, len);
    add(&e, "priority", &priority, 1);
    add(&e, "syslog_identifier", "virtrigaud-exporter", strlen("virtrigaud-exporter"));
    if (id != NULL) {
        add(&e, "message_id", id, strlen(id));
    }
    const char *key;
    while ((key = va_arg(pairs, const char *)) != NULL) {
        const char *value = va_arg(pairs, const char *);
        value = value != NULL ? value : "";
        add(&e, key, value, text_cut(value, strnlen(value, VALUE_MAX_BYTES + 1), VALUE_MAX_BYTES));
    }
    struct iovec fields[FIELDS_MOST];
    for (size_t i = 0; i < e.n; i++) {
        fields[i] =
            (struct iovec){.iov_base = bytes + e.begin[i], .iov_len = e.begin[i + 1] - e.begin[i]};
    }
    return sd_journal_sendv(fields, (int)e.n) >= 0;
}
