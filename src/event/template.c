// SPDX-License-Identifier: Apache-2.0
#include "event/template.h"

#include "event/budget.h"
#include "event/bytes.h"
#include "event/scan.h"
#include "event/template_set.h"
#include "series/key.h"

#include <stdlib.h>
#include <string.h>

enum {
    BESIDES = TEMPLATE_SLACK + BYTES_COMPACT_SLACK + TEMPLATE_SLACK, // bytes of a compact copy
    COPIES = LINE_MAX_BYTES + TEMPLATE_LINES * BESIDES,
    NUMBERS =
        LINE_MAX_BYTES / 2, // of all lists of a batch, or of the lines that are matched together
    TRY = 16,       // bytes that could be passed over in the time that a comparison takes besides
    PATIENCE = 256, // lines within which a template has to be used where new ones hardly are
};

struct templates {
    uint64_t generation; // of the catalogue that all of them are of
    uint64_t seeds[2];
    bool wide;
    struct template_set set;
    struct line_template fresh; // that may become one
    bool is_made;               // it becomes one before lines are matched again
    uint32_t waited;            // lines since the last one
    struct budgets budgets;
    struct budget *budget; // of the present lines
    size_t spent;          // work of comparing lines in vain (event/budget)
    size_t allowance;      // how much may be
    size_t recognised;     // bytes of lines that have templates
    size_t n_copied;       // bytes
    char copies[COPIES];
    char batch[LINE_MAX_BYTES + BESIDES];
    struct scan_lists lists;
    double line_lists[NUMBERS];
    double batch_lists[NUMBERS];
};

// ---- Matching

// What is in a hole for a number or several. Returns how long it is; 0: it is none.
BYTES_INLINED size_t read_numbers(struct templates *all, const struct template_step *s,
                                  const char *at, const char *end, struct line *line,
                                  const struct bytes_ops *ops)
{
    if (s->hole == TEMPLATE_LIST) {
        size_t list_len = scan_list(&all->lists, at, end, line, ops);
        all->spent += 2 * (list_len > 0 ? list_len : (size_t)(end - at));
        return list_len;
    }
    double count = 1;
    double *number = s->hole == TEMPLATE_NUMBER      ? &line->number
                     : s->hole == TEMPLATE_TIMESTAMP ? &line->timestamp
                                                     : &count;
    size_t len = ops->before(at, end, *s[1].text);
    if (!scan_number(at, len, number) || !sample_is_count(count)) {
        return 0;
    }
    if (s->hole == TEMPLATE_COUNT) {
        line->n = (uint32_t)count;
    }
    return len;
}

// Adds a label's value and the quote behind it to the line's values, of which there are `len` bytes. Returns how many there
// are then.
BYTES_INLINED size_t add_value(struct line *line, size_t len, const char *value, size_t value_len,
                               const struct bytes_ops *ops)
{
    if (__builtin_expect(len + value_len >= LINE_VALUES, 0)) {
        return LINE_VALUES + 1;
    }
    if (__builtin_expect(value_len < BYTES_BLOCK, 1)) {
        ops->copy(line->values + len, value, value_len + 1);
    } else {
        memcpy(line->values + len, value, value_len + 1);
    }
    return len + value_len + 1;
}

// Puts zeros behind the values when all are there.
BYTES_INLINED void end_values(struct line *line, size_t len, const struct bytes_ops *ops)
{
    line->values_len = (uint32_t)len;
    ops->clear(line->values + (len <= LINE_VALUES ? len : 0));
}

// Hashes the values.
BYTES_INLINED void hash_values(struct line *line, const struct line_template *t,
                               const struct bytes_ops *ops)
{
    bytes_hash h;
    memcpy(&h, t->seed, sizeof h);
    size_t at = 0;
    do {
        h = ops->hash(h, line->values + at);
        at += LINE_BLOCK;
    } while (__builtin_expect(at < line->values_len && at < LINE_VALUES, 0));
    line->hash = h[0] ^ h[1];
}

static bool read_long_string(struct templates *all, const char *at, const char *end,
                             size_t *ret_len)
{
    bool plain = scan_long_string(at, end, ret_len);
    all->spent += plain ? *ret_len : (size_t)(end - at);
    return plain;
}

// What was compared so far was in vain.
static inline const char *give_up(struct templates *all, ptrdiff_t work)
{
    all->spent += (size_t)work;
    return NULL;
}

// Whether the bytes at `p` are what the template has from this step on, in a line whose text begins at `at`. Adds to the values,
// of which there are `*values` bytes. Returns where they end, or NULL.
BYTES_INLINED const char *match_steps(struct templates *all, const struct line_template *t,
                                      unsigned step, const char *at, const char *p, const char *end,
                                      struct line *line, size_t *values,
                                      const struct bytes_ops *ops)
{
    struct line_hole *hole = &line->holes[step];
    for (const struct template_step *s = &t->steps[step];; s++, hole++) {
        if (end - p < s->len || !ops->same(p, s->text, s->len)) {
            return give_up(all, (p - at) / 4);
        }
        p += s->len;
        size_t len;
        if (s->hole <= TEMPLATE_EXEMPLAR) {
            if (s->hole == TEMPLATE_END) {
                return p;
            }
            len = ops->plain(p, end);
            // Of a block that is all plain the quote may be the next byte.
            if (p[len] != '"' && !read_long_string(all, p, end, &len)) {
                return NULL;
            }
            if (s->hole == TEMPLATE_LABEL) {
                *values = add_value(line, *values, p, len, ops);
            }
        } else {
            len = read_numbers(all, s, p, end, line, ops);
            if (len == 0) {
                return NULL;
            }
        }
        *hole = (struct line_hole){(uint16_t)(p - at), (uint16_t)len};
        p += len;
    }
}

// The next line's list goes behind this line's.
static inline void keep_list(struct templates *all, const struct line_template *t,
                             const struct line *line)
{
    all->lists.next += t->has_list ? line->n : 0;
}

// Whether the bytes begin with what the template is of. Returns their end, or NULL.
BYTES_INLINED const char *match(struct templates *all, struct line_template *t, const char *at,
                                const char *end, struct line *line, const struct bytes_ops *ops)
{
    size_t values = 0;
    const char *p = match_steps(all, t, 0, at, at, end, line, &values, ops);
    if (p != NULL) {
        keep_list(all, t, line);
        end_values(line, values, ops);
        hash_values(line, t, ops);
        line->template = t;
        line->text = at;
    }
    return p;
}

// The same for a quick template; if `ret_open` is set, this is for `match` to say. Known where it is passed, so that it is inlined.
typedef const char *quick_fn(struct templates *all, struct line_template *t, const char *at,
                             const char *end, struct line *line, bool *ret_open);

static inline const char *no_match_quick(struct templates *all, struct line_template *t,
                                         const char *at, const char *end, struct line *line,
                                         bool *ret_open)
{
    (void)all, (void)t, (void)at, (void)end, (void)line;
    *ret_open = true;
    return NULL;
}

#ifdef __x86_64__
/*
 * How many labels there are cannot be foreseen, so all quick templates have as many here. A value ends where it is not plain,
 * which the fixed bytes behind it, that begin with a quote, tell. Where anything is unusual `match` has the last word.
 * Returns where the labels end, or NULL.
 */
BYTES_WIDE_INLINED const char *match_labels(const struct line_template *t, const char *at,
                                            const char *end, struct line *line)
{
    const char *p = at;
    char *values = line->values;
    if (!bytes_same_three_wide(p, t->head, t->head_last / 2, t->head_last, t->head_mask)) {
        return NULL;
    }
    p += t->head_len;
#pragma GCC unroll 4
    for (unsigned i = 0; i < TEMPLATE_LABELS; i++) {
        const struct template_label *l = &t->labels[i];
        if (p > end) {
            return NULL;
        }
        size_t len = bytes_plain_wide(p, end) & l->presence;
        bytes_copy_wide(values, p, 0);
        values[len] = '"'; // which a block that is full has not
        values += len + l->quote;
        p += len;
        if (!bytes_same_block_wide(p, l->text, l->mask)) {
            return NULL;
        }
        p += l->len;
    }
    end_values(line, (size_t)(values - line->values), &bytes_wide);
    line->text = at;
    return p <= end ? p : NULL;
}

// What is behind the number of a line that goes on there, for example with an exemplar. Returns where it ends, or NULL; open
// is then whether all holes would be needed for so many values.
BYTES_WIDE const char *match_behind(struct templates *all, struct line_template *t, unsigned step,
                                    const char *p, const char *end, struct line *line,
                                    bool *ret_open)
{
    size_t values = line->values_len;
    p = match_steps(all, t, step, line->text, p, end, line, &values, &bytes_wide);
    end_values(line, values, &bytes_wide);
    *ret_open = values > LINE_VALUES;
    return *ret_open ? NULL : p;
}

// The same where a count or a list is next.
BYTES_WIDE const char *match_late(struct templates *all, struct line_template *t, const char *p,
                                  const char *end, struct line *line, bool *ret_open)
{
    size_t len = read_numbers(all, &t->steps[t->late - 1], p, end, line, &bytes_wide);
    *ret_open = len == 0;
    p = len > 0 ? match_behind(all, t, t->late, p + len, end, line, ret_open) : NULL;
    if (p != NULL) {
        keep_list(all, t, line);
    }
    return p;
}

// Goes on behind the labels. Returns where the line ends, or NULL.
BYTES_WIDE_INLINED const char *match_end(struct templates *all, struct line_template *t,
                                         const char *p, const char *end, struct line *line,
                                         bool *ret_open)
{
    *ret_open = true;
    if (t->has_number) {
        size_t len = bytes_before_wide(p, end, *t->end.text);
        bool known = number_short_wide(p, len, &line->number) ||
                     (len - 1 < BYTES_BLOCK - 1 && number_tail(p + len, &line->number) == len);
        *ret_open = !known;
        if (!known || !bytes_same_block_wide(p + len, t->end.text, t->end.mask)) {
            return NULL;
        }
        p += len;
        p = t->rest == 0 ? p + t->end.len : match_behind(all, t, t->rest, p, end, line, ret_open);
    } else if (t->late != 0) {
        p = match_late(all, t, p, end, line, ret_open);
    }
    if (p == NULL) {
        return NULL;
    }
    hash_values(line, t, &bytes_wide);
    line->template = t;
    return p <= end ? p : NULL;
}

BYTES_WIDE_INLINED const char *match_quick(struct templates *all, struct line_template *t,
                                           const char *at, const char *end, struct line *line,
                                           bool *ret_open)
{
    const char *p = match_labels(t, at, end, line);
    *ret_open = true;
    return p != NULL ? match_end(all, t, p, end, line, ret_open) : NULL;
}
#endif

// What comes once is most likely to come next, too.
static inline void move_first(uint16_t *first, uint16_t *link, struct line_template *t)
{
    uint16_t place = *link;
    *link = t->next;
    t->next = *first;
    *first = place;
}

// Finds the template of what begins here, and gives where that ends; NULL: it has none.
BYTES_INLINED const char *find(struct templates *all, const char *at, const char *end,
                               struct line *line, const struct bytes_ops *ops, quick_fn *quick)
{
    line->template = NULL;
    size_t last = end - at > 8 ? template_set_opening(at, end, ops) : 0;
    if (last < 7) {
        return NULL;
    }
    uint16_t *first = &all->set.first[template_set_bucket(at, last)];
    uint16_t *link = first;
    size_t spent = all->spent;
    for (unsigned tries = 0; *link != 0 && tries < TEMPLATE_TRIES; tries++) {
        struct line_template *t = template_set_at(&all->set, *link);
        line->number = 0; // what another template took for one
        bool open = true;
        const char *to = t->is_quick ? quick(all, t, at, end, line, &open) : NULL;
        to = to != NULL || !open ? to : match(all, t, at, end, line, ops);
        if (to != NULL) {
            all->spent = spent; // it was not in vain
            t->uses += t->uses < UINT8_MAX;
            if (tries > 0) {
                move_first(first, link, t);
            }
            return to;
        }
        all->spent += TRY;
        link = &t->next;
    }
    return NULL;
}

// The compact form in the room; sets where it ends. NULL: there is none.
static const char *compact(char *room, const char *at, size_t len, const char **ret_end)
{
    char *to = room + TEMPLATE_SLACK;
    size_t n = bytes_compact(to, at, len);
    memset(to + n, 0, TEMPLATE_SLACK);
    *ret_end = to + n;
    return n > 0 ? to : NULL;
}

// Room for the copy of a line that is matched with others, which is kept. NULL: there is none.
static char *copy_room(struct templates *all, size_t len)
{
    char *room = all->copies + all->n_copied;
    size_t size = len + BESIDES;
    if (size > COPIES - all->n_copied) {
        return NULL;
    }
    all->n_copied += size;
    return room;
}

BYTES_INLINED void match_line(struct templates *all, struct line *line, const struct bytes_ops *ops,
                              quick_fn *quick)
{
    const char *at = line->bytes;
    const char *end = at + line->len;
    if (line->len - 1 >= LINE_MAX_MATCH || *at == '[') {
        return;
    }
    all->spent += TRY + line->len / 8;
    // One that has blanks that may be dropped has no template as it is; one that has none is compact.
    bool tried = bytes_is_apart(at, end, TEMPLATE_SLACK) && memchr(at, ' ', line->len) == NULL;
    if (tried && find(all, at, end, line, ops, quick) == end) {
        return;
    }
    line->template = NULL;
    if (tried && memchr(at, '\t', line->len) == NULL && memchr(at, '\r', line->len) == NULL) {
        return;
    }
    char *room = copy_room(all, line->len);
    at = room != NULL ? compact(room, at, line->len, &end) : NULL;
    bool same = at == NULL || (tried && (size_t)(end - at) == line->len);
    if (same || find(all, at, end, line, ops, quick) != end) {
        line->template = NULL;
    }
}

#ifdef __x86_64__
/*
 * Three steps, each over all lines, so that several lines are at the same step where it takes a chain of instructions. What
 * is not as most lines are is left to match_line.
 */
BYTES_WIDE void choose_quick(struct templates *all, struct line *lines, size_t n)
{
    const char *readable = lines[n - 1].bytes + lines[n - 1].len; // from any of them on
    for (size_t i = 0; i < n; i++) {
        struct line *line = &lines[i];
        const char *at = line->bytes;
        const char *end = at + line->len;
        line->template = NULL;
        // Nothing is read from before a line whose number comes last.
        if (line->len - 9 >= LINE_MAX_MATCH - 8 ||
            (readable - end < TEMPLATE_SLACK && !bytes_is_end_apart(end, TEMPLATE_SLACK))) {
            continue;
        }
        size_t last = template_set_opening(at, end, &bytes_wide);
        unsigned place = last >= 7 ? all->set.first[template_set_bucket(at, last)] : 0;
        if (place != 0 && template_set_at(&all->set, place)->is_quick) {
            line->template = template_set_at(&all->set, place);
        }
    }
}

BYTES_WIDE void match_all_labels(struct line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct line *line = &lines[i];
        struct line_template *t = line->template;
        if (t != NULL) {
            const char *p = match_labels(t, line->bytes, line->bytes + line->len, line);
            line->template = p != NULL ? t : NULL;
            line->entry = (uint32_t)(p - line->bytes); // until the next step
        }
    }
}

BYTES_WIDE void match_all_ends(struct templates *all, struct line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct line *line = &lines[i];
        struct line_template *t = line->template;
        if (t != NULL) {
            const char *end = line->bytes + line->len;
            bool open;
            line->number = 0;
            if (match_end(all, t, line->bytes + line->entry, end, line, &open) != end) {
                line->template = NULL;
            } else {
                t->uses += t->uses < UINT8_MAX;
            }
        }
    }
}

BYTES_WIDE void match_slowly_wide(struct templates *all, struct line *line)
{
    match_line(all, line, &bytes_wide, match_quick);
}
#endif

static __attribute__((noinline)) void match_slowly_plain(struct templates *all, struct line *line)
{
    match_line(all, line, &bytes_plain, no_match_quick);
}

// The next lists go here.
static void begin_lists(struct templates *all, double *lists)
{
    all->lists = (struct scan_lists){lists, lists + NUMBERS};
}

static inline size_t min_lines(size_t n)
{
    return n < TEMPLATE_LINES ? n : TEMPLATE_LINES;
}

// The elements between the brackets. Returns how many; 0: one has no template, or it is no batch.
BYTES_INLINED size_t match_elements(struct templates *all, const char *at, const char *end,
                                    struct line *ret, const struct bytes_ops *ops, quick_fn *quick)
{
    size_t n = 0;
    for (const char *p = at; *p == (n == 0 ? '[' : ',') && n < TEMPLATE_BATCH; n++) {
        struct line *e = &ret[n];
        e->bytes = ++p;
        p = p < end ? find(all, p, end, e, ops, quick) : NULL;
        if (p == NULL || p - e->bytes > LINE_MAX_MATCH || p >= end) {
            return 0;
        }
        e->len = (uint32_t)(p - e->bytes);
        if (*p == ']') {
            return p + 1 == end ? n + 1 : 0;
        }
    }
    return 0;
}

// Lines that have no template yet, until the budget is spent.
static inline void match_rest(struct templates *all, struct line *lines, size_t n,
                              void (*match_slowly)(struct templates *all, struct line *line))
{
    for (size_t i = 0; i < n; i++) {
        struct line *line = &lines[i];
        if (line->template == NULL) {
            line->hash = 0;
            if (all->spent < all->allowance + all->recognised * BUDGET_SAVED) {
                match_slowly(all, line);
            }
        }
        all->recognised += line->template != NULL ? line->len : 0;
    }
}

#ifdef __x86_64__
static void match_lines_wide(struct templates *all, struct line *lines, size_t n)
{
    choose_quick(all, lines, n);
    match_all_labels(lines, n);
    match_all_ends(all, lines, n);
    all->spent = 0; // what has no template yet is compared again
    match_rest(all, lines, n, match_slowly_wide);
}

// Finds templates of lines of a batch. Returns whether all have one.
BYTES_WIDE bool match_all_wide(struct templates *all, struct line *lines, size_t n)
{
    choose_quick(all, lines, n);
    match_all_labels(lines, n);
    match_all_ends(all, lines, n);
    for (size_t i = 0; i < n; i++) {
        const char *at = lines[i].bytes;
        const char *end = at + lines[i].len;
        if (lines[i].template == NULL &&
            (lines[i].len > LINE_MAX_MATCH ||
             find(all, at, end, &lines[i], &bytes_wide, match_quick) != end)) {
            return false;
        }
    }
    return true;
}

// Where elements end is guessed, so that several are at the same step together, too. Where that is wrong they are read one after
// the other.
BYTES_WIDE size_t match_elements_wide(struct templates *all, const char *at, const char *end,
                                      struct line *ret)
{
    size_t n = scan_elements(at, end, ret, TEMPLATE_BATCH);
    size_t known = 0;
    while (known < n && match_all_wide(all, ret + known, min_lines(n - known))) {
        known += min_lines(n - known);
    }
    if (n > 0 && known == n) {
        return n;
    }
    begin_lists(all, all->batch_lists);
    return match_elements(all, at, end, ret, &bytes_wide, match_quick);
}
#endif

static void match_lines_plain(struct templates *all, struct line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        lines[i].template = NULL;
    }
    match_rest(all, lines, n, match_slowly_plain);
}

static size_t match_elements_plain(struct templates *all, const char *at, const char *end,
                                   struct line *ret)
{
    return match_elements(all, at, end, ret, &bytes_plain, no_match_quick);
}

#ifndef __x86_64__
#define match_lines_wide match_lines_plain
#define match_elements_wide match_elements_plain
#endif

// ---- Lines

// What learning has left to be done before so many lines are matched.
static void finish_learning(struct templates *all, size_t n)
{
    if (all->is_made) {
        template_set_add(&all->set, &all->fresh);
        all->is_made = false;
        all->waited = 0;
    }
    all->waited += (uint32_t)n;
    uint32_t n_new = all->set.n_new;
    if (template_set_is_doubtful(&all->set) &&
        (n_new > 1 || (n_new == 1 && all->waited >= PATIENCE))) {
        template_set_drop_unused(&all->set, all->waited < PATIENCE);
    }
}

// Drops all that are of another catalogue.
static void renew(struct templates *all, uint64_t generation)
{
    if (all->generation != generation) {
        all->generation = generation;
        all->is_made = false;
        template_set_clear(&all->set);
    }
}

// Leaves lines to the parser.
static void pass(struct line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        lines[i].template = NULL;
        lines[i].hash = 0;
    }
}

bool template_match(struct templates *all, uint64_t generation, uint64_t context,
                    struct line *lines, size_t n)
{
    renew(all, generation);
    finish_learning(all, n);
    begin_lists(all, all->line_lists);
    all->n_copied = 0;
    all->spent = 0;
    all->budget = budget_of(&all->budgets, context);
    size_t n_compared;
    struct line *compared = lines + budget_take(all->budget, n, &n_compared);
    if (n_compared < n) {
        pass(lines, n);
    }
    if (n_compared > 0) {
        all->recognised = 0;
        all->allowance = budget_left(all->budget);
        (all->wide ? match_lines_wide : match_lines_plain)(all, compared, n_compared);
        budget_settle(all->budget, all->spent, all->recognised);
    }
    return n_compared > 0;
}

static size_t match_batch(struct templates *all, const char *at, const char *end, struct line *ret)
{
    begin_lists(all, all->batch_lists); // the other one is in use
    return all->wide ? match_elements_wide(all, at, end, ret)
                     : match_elements_plain(all, at, end, ret);
}

size_t template_match_batch(struct templates *all, uint64_t generation, const struct line *line,
                            struct line ret[static TEMPLATE_BATCH])
{
    renew(all, generation);
    const char *at = line->bytes;
    const char *end = at + line->len;
    if (line->len == 0 || line->len > LINE_MAX_BYTES || *at != '[') {
        return 0;
    }
    size_t n;
    budget_take(all->budget, 1, &n);
    if (n == 0) {
        return 0;
    }
    all->spent = 0;
    bool tried = bytes_is_apart(at, end, TEMPLATE_SLACK);
    n = tried ? match_batch(all, at, end, ret) : 0;
    if (n == 0) {
        at = compact(all->batch, line->bytes, line->len, &end);
        bool same = at == NULL || (tried && (size_t)(end - at) == line->len);
        n = same ? 0 : match_batch(all, at, end, ret);
    }
    budget_settle(all->budget, n > 0 ? 0 : all->spent + line->len, n > 0 ? line->len : 0);
    return n;
}

// ---- Learning

// Whether the bytes by which a template is found are not in a hole.
static bool has_opening(const struct line_template *t, size_t last)
{
    size_t hole = t->steps[0].len;
    return last >= 7 && (hole > last || t->steps[0].hole >= TEMPLATE_NUMBER);
}

// Whether a line says the same by way of a template.
static bool has_same_meaning(struct templates *all, struct line_template *t, const char *at,
                             const char *end, const struct sample *s)
{
    struct line line;
    struct sample said;
    struct buf exemplar = BUF_INIT;
    struct buf values = BUF_INIT;
    begin_lists(all, all->batch_lists);
    if (match(all, t, at, end, &line, &bytes_plain) != end) {
        return false;
    }
    line_template_fill(&line, &said, &exemplar, &values);
    bool same = !exemplar.failed && !values.failed && sample_is_same(&said, s);
    buf_free(&exemplar);
    buf_free(&values);
    return same;
}

static bool is_worth_it(struct templates *all, const struct line *line)
{
    return !all->is_made && line->len - 1 < LINE_MAX_MATCH && template_set_takes_line(&all->set);
}

void template_learn(struct templates *all, const struct catalog *c, const struct line *line,
                    const struct sample *s)
{
    const struct sample_exemplar *e = &s->exemplar;
    bool good =
        s->value != SAMPLE_BAD_VALUE && (!e->present || (e->well_formed && e->bad_label == NULL));
    if (!good || !is_worth_it(all, line)) {
        return;
    }
    char *at = all->batch + TEMPLATE_SLACK;
    size_t len = bytes_compact(at, line->bytes, line->len);
    memset(at + len, 0, TEMPLATE_SLACK);
    const char *end = at + len;
    struct line_template *t = &all->fresh;
    if (len == 0 || !line_template_read(t, c, at, end, s) ||
        !template_set_came_lately(&all->set, t->id)) {
        return;
    }
    size_t last = template_set_opening(at, end, &bytes_plain);
    if (!has_opening(t, last)) {
        return;
    }
    t->bucket = template_set_bucket(at, last);
    if (template_set_has(&all->set, t->bucket, t->id) || !has_same_meaning(all, t, at, end, s)) {
        return;
    }
    uint64_t target[] = {t->target.what, t->target.labels};
    for (unsigned i = 0; i < 2; i++) {
        t->seed[i] = key_hash_with(target, sizeof target, all->seeds[i]);
    }
    all->is_made = true;
}

// ---- All of them

struct templates *templates_new(void)
{
    struct templates *all = calloc(1, sizeof *all);
    if (all != NULL) {
        for (unsigned i = 0; i < 2; i++) {
            all->seeds[i] = key_hash((const char *)&i, sizeof i);
        }
        all->wide = bytes_can_wide();
        all->budget = &all->budgets.list[0];
    }
    return all;
}

void templates_free(struct templates *all)
{
    free(all);
}
