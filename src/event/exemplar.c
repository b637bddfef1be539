// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "event/line.h"

#include <jansson.h>

// Characters, not bytes: OpenMetrics counts UTF-8 code points.
static size_t characters(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n += ((unsigned char)s[i] & 0xC0) != 0x80;
    }
    return n;
}

enum reject exemplar_check(json_t *exemplar, struct event_verdict *v)
{
    json_t *labels = json_object_get(exemplar, "labels");
    json_t *timestamp = json_object_get(exemplar, "timestamp");
    size_t known = (labels != NULL) + (timestamp != NULL);
    if (!json_is_object(labels) || json_object_size(exemplar) != known ||
        (timestamp != NULL && !json_is_number(timestamp))) {
        return line_refuse(v, REJECT_bad_exemplar,
                           "an exemplar is {\"labels\":{...},\"timestamp\":N}");
    }
    size_t n = 0;
    const char *key;
    json_t *value;
    json_object_foreach(labels, key, value)
    {
        size_t len = json_string_length(value);
        if (!json_is_string(value) || !text_is_label_name(key) ||
            memchr(json_string_value(value), 0, len) != NULL) {
            return line_refuse(v, REJECT_bad_exemplar, "label \"%.64s\" is no label with a string",
                               key);
        }
        n += characters(key, strlen(key)) + characters(json_string_value(value), len);
    }
    if (n > EVENT_MAX_EXEMPLAR) {
        return line_refuse(v, REJECT_bad_exemplar,
                           "%zu characters of names and values are too many", n);
    }
    return REJECT_NONE;
}
