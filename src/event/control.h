// SPDX-License-Identifier: Apache-2.0
/*
 * control: the lines that speak of the connection and not of a metric.
 *
 * Memory:  strings are borrowed from the reader's parsed line, until its next line; an id from the line.
 */
#ifndef VE_EVENT_CONTROL_H
#define VE_EVENT_CONTROL_H

#include "series/key.h"

#include <stdint.h>

enum control_kind { CONTROL_HELLO, CONTROL_SYNC, CONTROL_PING, CONTROL_FORGET };

enum { CONTROL_MAX_LABELS = 16, CONTROL_MAX_NAME = 256 };

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

#endif
