// SPDX-License-Identifier: Apache-2.0
#define SD_JOURNAL_SUPPRESS_LOCATION // every line would come from this file
#include "base/log_journal.h"

#include "base/buf.h"
#include "base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

enum {
    FIELDS_MOST = 16,
    ENTRY_MAX_BYTES = 10240, // a message, and as many fields as may be
    VALUE_MAX_BYTES = 256,
};

// As syslog(3) numbers them.
static const char *const priorities[] = {"7", "6", "4", "3"};

// An entry on its way: fields stand one after the other in `text`.
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

bool log_journal_send(enum log_level level, const char *id, const char *message, size_t len,
                      va_list pairs)
{
    char bytes[ENTRY_MAX_BYTES];
    struct entry e = {.text = {.p = bytes, .cap = sizeof bytes, .max = sizeof bytes}};
    add(&e, "message", message, len);
    add(&e, "priority", priorities[level], 1);
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
