// SPDX-License-Identifier: Apache-2.0
/*
 * line_template: the fixed bytes of lines, with holes for what differs from line to line; how they are taken out of a line, and
 * what a line that has them says.
 *
 * Shape:   a template is read from a compact line that the parser accepted and that says what a sample says. So this looks for
 *          what is where in it, and checks nothing of the grammar. What it cannot read has no template: too many holes, values
 *          of labels that are no strings. event/template compares what the template gives for this very line with the sample
 *          before it uses it.
 * Threads: pure functions. Memory: a template is a plain struct, whose steps point into itself.
 */
#ifndef VE_EVENT_LINE_TEMPLATE_H
#define VE_EVENT_LINE_TEMPLATE_H

#include "event/line.h"
#include "event/sample.h"

enum {
    TEMPLATE_TEXT = 640, // fixed bytes
    TEMPLATE_SLACK = 96, // that are read beyond them, and beyond lines
};

enum template_hole {
    TEMPLATE_END,
    TEMPLATE_LABEL,
    TEMPLATE_IGNORED, // a label that is dropped
    TEMPLATE_EXEMPLAR,
    TEMPLATE_NUMBER,
    TEMPLATE_TIMESTAMP,
    TEMPLATE_COUNT,
    TEMPLATE_LIST, // between its brackets
};

// Fixed bytes, and the hole behind them.
struct template_step {
    const char *text; // in that of the template
    uint16_t len;
    uint8_t hole;  // enum template_hole
    uint8_t label; // of TEMPLATE_LABEL: its position in the declared list
    uint8_t
        name_len; // of TEMPLATE_EXEMPLAR: its name is the last thing in the text but for quote, colon and quote
};

// What most templates begin with, so that they are matched without a loop: a head of one to three blocks, then labels, of
// which the first ones may be none, with their fixed bytes in one block each.
enum { TEMPLATE_LABELS = 4, TEMPLATE_HEAD = 96, TEMPLATE_BLOCK = 32 };

struct template_label {
    char text[TEMPLATE_BLOCK];
    uint8_t mask[TEMPLATE_BLOCK]; // its bytes
    uint32_t len;
    uint32_t presence; // all ones; 0: there is none
    uint64_t quote;    // 1: one is behind the value; 0: there is none
};

// Which series a line updates depends on this and on the values of its labels, in this order, the hello's defaults aside.
struct template_target {
    uint32_t
        what; // metric or event, op, how many labels, what value there is; 0: an unused template
    uint64_t labels; // their positions in the declared list, four bits each
};

struct line_template {
    const struct metric *metric; // one of these two
    const struct event *event;
    uint64_t id; // of the fixed bytes
    struct template_target target;
    uint64_t seed[2]; // of the hash of its lines
    uint16_t next;    // with the same opening; 0: none, else its place + 1
    uint8_t bucket;   // of its opening
    uint8_t uses;     // lately
    bool is_proven;   // was used often
    uint8_t op;       // enum update_op
    uint8_t n_steps;
    uint16_t given; // labels by position in the declared list, as bits
    bool has_number;
    bool has_count;
    bool has_list;
    bool has_exemplar;
    bool is_quick; // the following hold
    uint16_t head_len;
    uint16_t head_last; // where its last block begins
    uint8_t head_mask[TEMPLATE_BLOCK];
    struct template_label labels[TEMPLATE_LABELS];
    struct template_label end; // behind the number; empty if there is a rest
    uint8_t rest; // the step behind the number where the line goes on; 0: it ends there
    uint8_t
        late; // the step whose hole, of a count or list, is behind these labels, + 1; 0: none is
    char head[TEMPLATE_HEAD];
    struct template_step steps[LINE_MAX_HOLES + 1];
    char text[TEMPLATE_TEXT + TEMPLATE_SLACK];
};

// Reads compact bytes with NUL behind them. Returns whether there is a template of them.
bool line_template_read(struct line_template *t, const struct catalog *c, const char *at,
                        const char *end, const struct sample *s);
// Copies a template.
void line_template_move(struct line_template *to, const struct line_template *from);

// The values of a line's labels, by their positions in the declared list. Borrows from the line and its text.
void line_template_values(const struct line *line, struct slice ret[static CATALOG_MAX_LABELS]);
// What a line with a template says. Appends the text of its exemplar, and the values of its list.
void line_template_fill(const struct line *line, struct sample *ret, struct buf *exemplars,
                        struct buf *values);
// The exemplar alone, of a line that has one.
void line_template_fill_exemplar(const struct line *line, struct sample_exemplar *ret,
                                 struct buf *exemplars);

#endif
