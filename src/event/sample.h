// SPDX-License-Identifier: Apache-2.0
/*
 * sample: one sample or event as it was sent: what it names, its labels, its number and its exemplar.
 *
 * Shape:   sample_read takes a tree apart and makes the checks of its structure, from `unknown_field` to `unknown_label`, in
 *          the order of reject.def. All later checks are those of event/plan, which needs no tree. A line template
 *          (event/template) fills in the same struct without one.
 * Threads: pure functions.
 * Memory:  a sample borrows from the catalogue and from the tree or the line. The text of an exemplar and the doubles of a list
 *          are in the buffers that sample_read was given.
 */
#ifndef VE_EVENT_SAMPLE_H
#define VE_EVENT_SAMPLE_H

#include "base/buf.h"
#include "catalog/catalog.h"
#include "source/reject.h"

struct json_t; // of the tree that parse_line returns

enum sample_label_state { SAMPLE_ABSENT, SAMPLE_TEXT, SAMPLE_NO_STRING };

// The labels, by their positions in the declared list.
struct sample_labels {
    const struct label *declared;
    size_t n;
    char *const *ignored; // names of labels that are accepted and dropped
    size_t n_ignored;
    struct slice values[CATALOG_MAX_LABELS]; // as sent, if SAMPLE_TEXT
    uint8_t state[CATALOG_MAX_LABELS];       // enum sample_label_state
};

enum {
    SAMPLE_MAX_VALUES = 1000,   // in a list
    SAMPLE_MAX_COUNT = 1000000, // happenings that a line stands for
};

// Whether a number may be a count.
static inline bool sample_is_count(double n)
{
    return n >= 1 && n <= SAMPLE_MAX_COUNT && n == (double)(uint32_t)n;
}

enum sample_value { SAMPLE_NO_VALUE, SAMPLE_NUMBER, SAMPLE_LIST, SAMPLE_BAD_VALUE };

// Its own checks come late (event/plan), so here is what they need.
struct sample_exemplar {
    bool present;
    bool well_formed;
    const char *bad_label; // a key that is no label with a string; NULL: none
    size_t characters;     // of all names and values
    bool has_timestamp;
    double timestamp; // seconds
    size_t text_at;   // its labels in the buffer, as they stand behind a sample
    size_t text_len;
};

struct sample {
    const struct metric *metric; // one of these two
    const struct event *event;
    enum update_op metric_op;
    struct sample_labels labels;
    enum sample_value value;
    double number;         // of SAMPLE_NUMBER; the last one of SAMPLE_LIST
    size_t values_at;      // of SAMPLE_LIST: in the buffer, in bytes
    uint32_t n_values;     // likewise
    uint32_t count;        // happenings
    const char *bad_value; // why it is SAMPLE_BAD_VALUE
    struct sample_exemplar exemplar;
    int index; // of the batch's element, or -1
};

// Takes an element apart, and appends the text of its exemplar and the values of its list. Returns REJECT_NONE or the reason,
// with all of `why` but the element.
enum reject_reason sample_read(struct sample *s, const struct catalog *c, struct json_t *element,
                               struct buf *exemplars, struct buf *values, struct rejection *why);
// Whether the elements of a batch are samples or events by their structure, which is checked before all else. `duplicate` as
// by parse_line.
enum reject_reason sample_check_batch(struct json_t *batch, const struct rejection *duplicate,
                                      struct rejection *why);

// Empties a sample that names one of the two.
void sample_begin(struct sample *s, const struct metric *metric, const struct event *event);
// Whether two well-formed ones say the same, as far as what is in the buffers is not asked for.
bool sample_is_same(const struct sample *a, const struct sample *b);
// The position of a label in the declared list; -1: it has none.
int sample_find_label(const struct sample_labels *l, const char *name, size_t len);
// Whether a label is accepted and dropped.
bool sample_is_ignored_label(const struct sample_labels *l, const char *name, size_t len);
// Sets what a rejection says of the metric or event that the line names, one of the two.
void sample_set_name(const struct metric *metric, const struct event *event, struct rejection *why);
// Characters of a text, not bytes: OpenMetrics counts UTF-8 code points.
size_t sample_count_characters(const char *text, size_t len);

#endif
