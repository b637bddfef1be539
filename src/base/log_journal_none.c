// SPDX-License-Identifier: Apache-2.0
// In the place of log_journal.c in a build without libsystemd.
#include "base/log_journal.h"

bool log_journal_is_stderr(void)
{
    return false;
}

bool log_journal_send(char priority, const char *id, const char *message, size_t len, va_list pairs)
{
    (void)priority;
    (void)id;
    (void)message;
    (void)len;
    (void)pairs;
    return false;
}
