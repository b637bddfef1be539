// SPDX-License-Identifier: Apache-2.0
/*
 * log: one line per happening, to stderr, each written by one write(2).
 *
 * Shape:   a level, a message in plain words, and fields (key, value) that say of what.
 *          logfmt: ts=2026-11-22T15:04:05.123Z level=warn msg="line rejected" reason=bad_json line=7
 *          json:   {"ts":"…","level":"warn","msg":"…","reason":"bad_json","line":"7"}
 *          journal: no line but an entry of systemd's journal: MESSAGE=line rejected: reason=bad_json line=7,
 *          PRIORITY, REASON=bad_json, LINE=7, and MESSAGE_ID for the kinds of base/log.def. What the
 *          journal does not take, and everything in a build without libsystemd, goes to stderr as logfmt.
 *          A logfmt value is quoted, with JSON's escapes, when it could not be read without.
 * Bounds:  a value is cut after 256 bytes between characters; a line has at most 4096 bytes: fields
 *          that do not fit are left out and cut=true ends it. What is not printable UTF-8 is
 *          escaped.
 *          A line that stderr does not take within 100 ms is left out, and later ones at once until it
 *          takes lines again.
 * Threads: any; log_setup before the second thread starts, log_set_level at any time.
 * Source:  sd_journal_sendv(3); $JOURNAL_STREAM in systemd.exec(5).
 * Use:     log_warn("line rejected", "reason", reason, "source", name, NULL);
 *          Only daemon/ and the files that own a thread log; library code returns errors.
 */
#ifndef VE_BASE_LOG_H
#define VE_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
// LOG_FORMAT_AUTO: the journal when stderr leads there, else logfmt.
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL };

enum log_kind {
    LOG_KIND_NONE,
#define KIND(name, ...) LOG_KIND_##name,
#include "base/log.def"
};

void log_setup(enum log_level level, enum log_format format);
void log_set_level(enum log_level level);

// Writes one line. `...` is pairs of const char * (key, value), ended by NULL. A NULL value reads
// "". errno is kept.
void log_write(enum log_level level, const char *msg, ...) __attribute__((sentinel));
// The same for something that is searched for.
void log_write_kind(enum log_kind kind, enum log_level level, const char *msg, ...)
    __attribute__((sentinel));
// Logs an invariant that does not hold (base/invariant), and ends the process by SIGABRT.
_Noreturn void log_broken_invariant(const char *what, const char *where) __attribute__((cold));

#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
