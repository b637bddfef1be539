// SPDX-License-Identifier: Apache-2.0
#include "event/hole.h"

#include "base/text.h"

#include <math.h>

bool hole_read_long_string(const char *at, const char *end, size_t *ret_len)
{
    const char *quote = at < end ? memchr(at, '"', (size_t)(end - at)) : NULL;
    if (quote == NULL) {
        return false;
    }
    size_t len = (size_t)(quote - at);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)at[i] < 0x20 || at[i] == '\\') {
            return false;
        }
    }
    *ret_len = len;
    return text_is_utf8(at, len);
}

bool hole_read_long_number(const char *at, size_t len, double *ret)
{
    return number_read(at, len, ret) && isfinite(*ret);
}
