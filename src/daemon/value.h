// SPDX-License-Identifier: Apache-2.0
/*
 * value: what the text of a setting may be, for each kind.
 *
 * Threads: pure functions.
 */
#ifndef VE_DAEMON_VALUE_H
#define VE_DAEMON_VALUE_H

#include "daemon/setting.h"

// Whether the text is a value (of a list: an entry) of the setting. Then *ret is the number that it
// stands for, 0 for kinds that are texts.
bool value_read(const struct setting *s, const char *text, uint64_t *ret);

// Appends what the setting's values look like, to follow the word "wants".
void value_wants(const struct setting *s, struct buf *out);

#endif
