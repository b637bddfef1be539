// SPDX-License-Identifier: Apache-2.0
#include "base/json_writer.h"

#include "base/num.h"
#include "base/text.h"

static void separate(struct buf *out)
{
    char last = out->len > 0 ? out->p[out->len - 1] : '[';
    if (last != '[' && last != '{' && last != ':' && last != '\n') {
        buf_char(out, ',');
    }
}

void json_begin(struct buf *out, char bracket)
{
    separate(out);
    buf_char(out, bracket);
}

void json_key(struct buf *out, const char *key)
{
    json_string(out, key);
    buf_char(out, ':');
}

void json_text(struct buf *out, const char *s, size_t len)
{
    separate(out);
    text_json(out, s, len);
}

void json_string(struct buf *out, const char *s)
{
    json_text(out, s, strlen(s));
}

void json_u64(struct buf *out, uint64_t n)
{
    char digits[NUM_MAX];
    json_value(out, digits, num_u64(digits, n));
}

void json_double(struct buf *out, double n)
{
    char digits[NUM_MAX];
    json_value(out, digits, num_double(digits, n));
}

void json_bool(struct buf *out, bool value)
{
    json_value(out, value ? "true" : "false", value ? 4 : 5);
}

void json_null(struct buf *out)
{
    json_value(out, "null", 4);
}

void json_value(struct buf *out, const char *json, size_t len)
{
    separate(out);
    buf_add(out, json, len);
}

void json_line(struct buf *out)
{
    separate(out);
    buf_char(out, '\n');
}
