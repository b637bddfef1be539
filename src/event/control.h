// SPDX-License-Identifier: Apache-2.0
/*
 * control: the lines that speak of the connection and not of a metric, and what a forget does.
 *
 * Memory:  strings are borrowed from the tree; an id from the line.
 */
#ifndef VE_EVENT_CONTROL_H
#define VE_EVENT_CONTROL_H

#include "catalog/catalog.h"
#include "event/origin.h"
#include "event/parse.h"
#include "series/key.h"
#include "series/schema.h"

#include <stdint.h>

enum control_kind { CONTROL_HELLO, CONTROL_SYNC, CONTROL_PING, CONTROL_FORGET };

enum { CONTROL_MAX_LABELS = 16, CONTROL_MAX_INTERVAL_S = 3600 };

struct control_pair {
    const char *name;
    struct slice value;
};

struct control_hello {
    unsigned component;    // number in the catalogue; COMPONENT_UNKNOWN: none named
    struct slice instance; // len 0: none named
    size_t n_labels;
    struct control_pair labels[CONTROL_MAX_LABELS];
    bool has_labels; // whether `labels` stood there at all
    bool has_lost;
    uint64_t lost;
    struct slice session; // its ID; len 0: none named
    bool has_transient;
    bool transient;      // it comes and goes
    uint32_t interval_s; // in which it promises to be heard; 0: it does not
};

struct control_forget {
    size_t n_labels; // at least one
    struct control_pair labels[CONTROL_MAX_LABELS];
};

struct control {
    enum control_kind kind;
    struct slice id; // sync, ping: the value's bytes as they stood
    struct control_hello hello;
    struct control_forget forget;
};

// Whether an object is a control line, and no sample or event.
bool control_is_line(json_t *object);
// What the object of such a line says. Returns REJECT_NONE or the reason.
enum reject_reason control_parse(const struct catalog *c, json_t *object, const char *line,
                                 size_t len, struct control *ret, struct rejection *why);

/*
 * control_forgetting: removes the permitted series that are an origin's and have given label values, a bounded number of slots
 * at a time.
 *
 * Threads: one, inside an RCU section. Between two steps the section may be left, and catalogue and permission may change.
 * Memory:  control_forget_new returns new, and copies what is to be forgotten.
 */
struct control_forgetting;

// NULL: no memory.
struct control_forgetting *control_forget_new(const struct control_forget *what);
// Looks at about that many slots more. Returns whether it is done.
bool control_forget_step(struct control_forgetting *f, struct series_store *store,
                         const struct origin *origin, uint32_t slots);
// Returns how many were removed, and frees it.
uint64_t control_forget_end(struct control_forgetting *f);

#endif
