// SPDX-License-Identifier: Apache-2.0
#include "series/exemplar.h"
#include "base/clock.h"
#include "base/num.h"
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

static void add_number(struct buf *out, double v)
{
    if (buf_reserve(out, NUM_MAX)) {
        out->len += num_double(out->p + out->len, v);
    }
}

// In seconds. Who says no time means now: what is shown for hours would else be taken for new all the time.
static void add_timestamp(struct buf *out, const json_t *timestamp)
{
    double seconds = json_number_value(timestamp);
    if (timestamp != NULL && !(seconds >= 0 && seconds < 1e12)) {
        add_number(out, seconds); // an odd one stands as it came
    } else if (buf_reserve(out, NUM_MAX)) {
        uint64_t ms = timestamp != NULL ? (uint64_t)(seconds * 1000 + 0.5) : clock_real_ms();
        out->len += num_seconds(out->p + out->len, ms);
    }
}

// As it stands behind a sample.
static void add_exemplar(struct buf *out, json_t *exemplar, double v)
{
    const char *key;
    json_t *value;
    const char *comma = "";
    buf_str(out, " # {");
    json_object_foreach(json_object_get(exemplar, "labels"), key, value)
    {
        buf_addf(out, "%s%s=\"", comma, key);
        text_label_value(out, json_string_value(value), json_string_length(value));
        buf_char(out, '"');
        comma = ",";
    }
    buf_str(out, "} ");
    add_number(out, v);
    buf_char(out, ' ');
    add_timestamp(out, json_object_get(exemplar, "timestamp"));
}

void exemplar_note(struct event_reader *r, const struct planned *p)
{
    struct table *t = p->family->table;
    if (p->exemplar == NULL || t->type == METRIC_GAUGE ||
        (p->series->record->flags & SERIES_BEYOND) != 0) {
        return;
    }
    buf_clear(&r->scratch);
    add_exemplar(&r->scratch, p->exemplar, p->value);
    if (!r->scratch.failed) {
        const struct metric *m = p->family->metric;
        bool histogram = m->type == METRIC_HISTOGRAM;
        size_t bucket = histogram ? cell_bucket(m->bounds, m->n_bounds, p->value) : 0;
        exemplar_keep(t, p->series, bucket, r->scratch.p, r->scratch.len);
    }
}
