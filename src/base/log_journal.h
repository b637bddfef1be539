// SPDX-License-Identifier: Apache-2.0
/*
 * log_journal: the way of a log line into systemd's journal. For base/log only.
 *
 * Shape:   log_journal_none.c is the same for a build without libsystemd: there is no journal.
 * Threads: any.
 * Source:  sd_journal_sendv(3); $JOURNAL_STREAM in systemd.exec(5).
 */
#ifndef VE_BASE_LOG_JOURNAL_H
#define VE_BASE_LOG_JOURNAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

// Whether stderr leads to the journal.
bool log_journal_is_stderr(void);

// Sends one entry: the message, its priority (a digit, as syslog(3) numbers them), the fields that every entry has, MESSAGE_ID unless `id` is NULL, and the
// pairs, their keys in upper case. Returns whether it was sent; false, too, when a journal that is there does not read.
bool log_journal_send(char priority, const char *id, const char *message, size_t len,
                      va_list pairs);

#endif
