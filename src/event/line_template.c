// SPDX-License-Identifier: Apache-2.0
#include "event/line_template.h"

#include "event/bytes.h"
#include "series/key.h"

#include <assert.h>
#include <string.h>

// Bytes of a line, of which up to 17 before the end of a number are read.
enum { HEAD_LEAST = 17 };

struct reading {
    const char *p;
    const char *pending; // of the fixed bytes that are not in the template yet
    struct line_template *t;
    size_t text_len;
    bool failed; // it has too much of something
};

static bool eat(struct reading *r, char c)
{
    if (*r->p != c) {
        return false;
    }
    r->p++;
    return true;
}

static struct slice read_string(struct reading *r)
{
    if (!eat(r, '"')) {
        r->failed = true;
        return (struct slice){r->p, 0};
    }
    const char *from = r->p;
    while (*r->p != '"' && *r->p != '\0') {
        r->p++;
    }
    struct slice s = {from, (size_t)(r->p - from)};
    r->failed |= !eat(r, '"');
    return s;
}

// Ends the fixed bytes here, and goes on behind a hole.
static struct template_step *add_hole(struct reading *r, enum template_hole hole, const char *to)
{
    static struct template_step none;
    struct line_template *t = r->t;
    size_t len = (size_t)(r->p - r->pending);
    if (t->n_steps > LINE_MAX_HOLES - (hole != TEMPLATE_END) || r->text_len + len > TEMPLATE_TEXT) {
        r->failed = true;
        return &none;
    }
    struct template_step *s = &t->steps[t->n_steps++];
    *s = (struct template_step){
        .text = t->text + r->text_len, .len = (uint16_t)len, .hole = (uint8_t)hole};
    memcpy(t->text + r->text_len, r->pending, len);
    r->text_len += len;
    r->p = r->pending = to;
    return s;
}

static struct template_step *read_hole_string(struct reading *r, enum template_hole hole)
{
    struct reading ahead = *r;
    struct slice s = read_string(&ahead);
    r->failed |= ahead.failed;
    r->p = s.p; // behind the quote
    return add_hole(r, hole, s.p + s.len);
}

static void read_number(struct reading *r, enum template_hole hole)
{
    const char *to = r->p;
    while (*to != '\0' && *to != ',' && *to != '}') {
        to++;
    }
    add_hole(r, hole, to);
}

static void read_list(struct reading *r)
{
    r->failed |= !eat(r, '[');
    const char *to = r->p;
    while (*to != '\0' && *to != ']') {
        to++;
    }
    add_hole(r, TEMPLATE_LIST, to);
    r->p += !r->failed; // the other bracket
}

// Goes over the keys of an object: whether there is another one, behind whose colon it stops.
static bool next_key(struct reading *r, bool *first, struct slice *ret_key)
{
    if (r->failed || eat(r, '}')) {
        return false;
    }
    r->failed |= !eat(r, *first ? '{' : ',');
    *first = false;
    if (eat(r, '}')) {
        return false;
    }
    *ret_key = read_string(r);
    r->failed |= !eat(r, ':');
    return !r->failed;
}

static bool is_word(struct slice key, const char *word)
{
    return key.len == strlen(word) && memcmp(key.p, word, key.len) == 0;
}

static void read_labels(struct reading *r, const struct sample_labels *labels)
{
    struct slice key;
    for (bool first = true; next_key(r, &first, &key);) {
        int at = sample_find_label(labels, key.p, key.len);
        r->failed |= at < 0 && !sample_is_ignored_label(labels, key.p, key.len);
        read_hole_string(r, at < 0 ? TEMPLATE_IGNORED : TEMPLATE_LABEL)->label = (uint8_t)at;
        r->p += !r->failed; // the other quote
    }
}

static void read_exemplar_labels(struct reading *r)
{
    struct slice key;
    for (bool first = true; next_key(r, &first, &key);) {
        r->failed |= key.len > UINT8_MAX;
        read_hole_string(r, TEMPLATE_EXEMPLAR)->name_len = (uint8_t)key.len;
        r->p += !r->failed;
    }
}

static void read_exemplar(struct reading *r)
{
    struct slice key;
    for (bool first = true; next_key(r, &first, &key);) {
        if (is_word(key, "labels")) {
            read_exemplar_labels(r);
        } else {
            read_number(r, TEMPLATE_TIMESTAMP);
        }
    }
}

static void list_labels(struct line_template *t)
{
    t->given = 0;
    for (unsigned i = 0; i < t->n_steps; i++) {
        if (t->steps[i].hole == TEMPLATE_LABEL) {
            t->given |= (uint16_t)(1U << t->steps[i].label);
        }
    }
}

// All but what depends on where it is.
static bool read_line(struct line_template *t, const char *at, const char *end,
                      const struct sample *s)
{
    struct reading r = {.p = at, .pending = at, .t = t};
    struct slice key;
    t->n_steps = 0;
    t->metric = s->metric;
    t->event = s->event;
    t->op = (uint8_t)s->metric_op;
    t->has_number = s->value == SAMPLE_NUMBER;
    t->has_list = s->value == SAMPLE_LIST;
    t->has_count = false;
    t->has_exemplar = s->exemplar.present;
    for (bool first = true; next_key(&r, &first, &key);) {
        if (is_word(key, "labels")) {
            read_labels(&r, &s->labels);
        } else if (is_word(key, "value")) {
            read_number(&r, TEMPLATE_NUMBER);
        } else if (is_word(key, "values")) {
            read_list(&r);
        } else if (is_word(key, "count")) {
            t->has_count = true;
            read_number(&r, TEMPLATE_COUNT);
        } else if (is_word(key, "exemplar")) {
            read_exemplar(&r);
        } else {
            read_string(&r); // metric, event, op
        }
    }
    add_hole(&r, TEMPLATE_END, r.p);
    list_labels(t);
    t->id = key_hash(t->text, r.text_len);
    return !r.failed && r.p == end;
}

static struct template_target target_of(const struct line_template *t, const struct catalog *c)
{
    size_t number =
        t->metric != NULL ? (size_t)(t->metric - c->metrics) : (size_t)(t->event - c->events);
    uint64_t labels = 0;
    uint32_t n = 0;
    for (unsigned i = 0; i < t->n_steps; i++) {
        if (t->steps[i].hole == TEMPLATE_LABEL) {
            labels = labels << 4 | t->steps[i].label;
            n++;
        }
    }
    static_assert(CATALOG_MAX_LABELS == 16 && CATALOG_MAX_METRICS <= 1024 &&
                      CATALOG_MAX_EVENTS <= 1024,
                  "room for all");
    return (struct template_target){
        .what = 1U << 31 | (uint32_t)(t->event != NULL) << 30 | (uint32_t)(t->op & 3) << 28 |
                (uint32_t)t->has_number << 27 | (uint32_t)t->has_list << 26 |
                (uint32_t)t->has_count << 25 | n << 16 | (uint32_t)number,
        .labels = labels};
}

static_assert((int)TEMPLATE_BLOCK == (int)BYTES_BLOCK, "a block is compared at once");

static void set_label(struct template_label *l, const char *text, uint32_t len)
{
    *l = (struct template_label){.len = len, .presence = UINT32_MAX, .quote = 1};
    memcpy(l->text, text, len);
    memset(l->mask, 0xFF, len);
}

// Sets what matching without a loop needs.
static void make_quick(struct line_template *t)
{
    unsigned n = 0;
    while (n < t->n_steps && t->steps[n].hole == TEMPLATE_LABEL) {
        n++;
    }
    enum template_hole next = t->steps[n].hole;
    bool is_late = next == TEMPLATE_COUNT || next == TEMPLATE_LIST;
    bool ends = next == TEMPLATE_END || next == TEMPLATE_NUMBER || is_late;
    // A number is read with what stands before it, which must be of the line, too.
    t->is_quick = ends && n <= TEMPLATE_LABELS && t->steps[0].len >= HEAD_LEAST &&
                  t->steps[0].len <= TEMPLATE_HEAD;
    for (unsigned i = 1; i <= n; i++) {
        t->is_quick &= t->steps[i].len <= BYTES_BLOCK;
    }
    if (!t->is_quick) {
        return;
    }
    t->head_len = t->steps[0].len;
    memcpy(t->head, t->steps[0].text, t->head_len);
    t->head_last = t->head_len > BYTES_BLOCK ? (uint16_t)(t->head_len - BYTES_BLOCK) : 0;
    memset(t->head_mask, 0, sizeof t->head_mask);
    memset(t->head_mask, 0xFF, t->head_len < BYTES_BLOCK ? t->head_len : BYTES_BLOCK);
    for (unsigned i = 0; i < TEMPLATE_LABELS; i++) {
        unsigned none = TEMPLATE_LABELS - n;
        t->labels[i] = (struct template_label){.presence = 0};
        if (i >= none) {
            const struct template_step *s = &t->steps[i - none + 1];
            set_label(&t->labels[i], s->text, s->len);
        }
    }
    t->late = is_late ? (uint8_t)(n + 1) : 0;
    if (t->has_number) {
        const struct template_step *s = &t->steps[n + 1];
        bool goes_on = n + 2 < t->n_steps || s->len > BYTES_BLOCK;
        set_label(&t->end, s->text, goes_on ? 0 : s->len);
        t->end.text[0] = s->text[0]; // where the number ends
        t->rest = goes_on ? (uint8_t)(n + 1) : 0;
    }
}

bool line_template_read(struct line_template *t, const struct catalog *c, const char *at,
                        const char *end, const struct sample *s)
{
    if (!read_line(t, at, end, s)) {
        return false;
    }
    t->target = target_of(t, c);
    return true;
}

void line_template_move(struct line_template *to, const struct line_template *from)
{
    *to = *from;
    for (unsigned i = 0; i < to->n_steps; i++) {
        to->steps[i].text = to->text + (from->steps[i].text - from->text);
    }
    make_quick(to);
}

// ---- What a line says

void line_template_values(const struct line *line, struct slice ret[static CATALOG_MAX_LABELS])
{
    const struct line_template *t = line->template;
    const char *value = line->values;
    for (unsigned i = 0; i < t->n_steps; i++) {
        if (t->steps[i].hole != TEMPLATE_LABEL) {
            continue;
        }
        struct line_hole hole = line->holes[i];
        size_t len = line->values_len > LINE_VALUES
                         ? hole.len
                         : (size_t)((const char *)rawmemchr(value, '"') - value);
        ret[t->steps[i].label] =
            (struct slice){line->values_len > LINE_VALUES ? line->text + hole.start : value, len};
        value += len + 1;
    }
}

// Sets the value, and how many happenings it is of.
static void fill_value(const struct line *line, struct sample *ret, struct buf *values)
{
    const struct line_template *t = line->template;
    ret->value = t->has_number ? SAMPLE_NUMBER : t->has_list ? SAMPLE_LIST : SAMPLE_NO_VALUE;
    ret->number = t->has_number || t->has_list ? line->number : 0;
    if (t->has_list || t->has_count) {
        ret->count = line->n;
    }
    if (t->has_list) {
        ret->values_at = values->len;
        ret->n_values = line->n;
        buf_add(values, (const char *)line->list, line->n * sizeof *line->list);
    }
}

void line_template_fill_exemplar(const struct line *line, struct sample_exemplar *ret,
                                 struct buf *exemplars)
{
    *ret =
        (struct sample_exemplar){.present = true, .well_formed = true, .text_at = exemplars->len};
    buf_str(exemplars, " # {");
    const struct line_hole *hole = line->holes;
    for (const struct template_step *s = line->template->steps; s->hole != TEMPLATE_END;
         s++, hole++) {
        const char *value = line->text + hole->start;
        if (s->hole == TEMPLATE_TIMESTAMP) {
            ret->has_timestamp = true;
            ret->timestamp = line->timestamp;
        } else if (s->hole == TEMPLATE_EXEMPLAR) {
            buf_add(exemplars, ",", ret->characters > 0);
            buf_add(exemplars, s->text + s->len - strlen("\":\"") - s->name_len, s->name_len);
            buf_str(exemplars, "=\"");
            buf_add(exemplars, value, hole->len); // plain text has nothing to be escaped
            buf_char(exemplars, '"');
            ret->characters += s->name_len + sample_count_characters(value, hole->len);
        }
    }
    buf_str(exemplars, "} ");
    ret->text_len = exemplars->len - ret->text_at;
}

void line_template_fill(const struct line *line, struct sample *ret, struct buf *exemplars,
                        struct buf *values)
{
    const struct line_template *t = line->template;
    sample_begin(ret, t->metric, t->event);
    ret->metric_op = t->op;
    fill_value(line, ret, values);
    line_template_values(line, ret->labels.values);
    for (unsigned i = 0; i < t->n_steps; i++) {
        if (t->steps[i].hole == TEMPLATE_LABEL) {
            ret->labels.state[t->steps[i].label] = SAMPLE_TEXT;
        }
    }
    if (t->has_exemplar) {
        line_template_fill_exemplar(line, &ret->exemplar, exemplars);
    }
}
