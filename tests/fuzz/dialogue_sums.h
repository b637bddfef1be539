// SPDX-License-Identifier: Apache-2.0
/*
 * dialogue_sums: what the counters of a world must add up to, told from the lines alone: each line adds what it says,
 * wherever its series are, unless it is rejected. While nothing is removed the exposition shows just that, and never
 * more.
 */
#ifndef VE_TESTS_DIALOGUE_SUMS_H
#define VE_TESTS_DIALOGUE_SUMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUMS = 4 };

// The counters, and the count of the histogram.
static const char *const SUMS_NAMES[SUMS] = {"a_total", "b_total", "c_seconds_count", "h_total"};

struct sums {
    double number[SUMS];
};

static inline void sums_add(struct sums *to, const struct sums *what)
{
    for (size_t i = 0; i < SUMS; i++) {
        to->number[i] += what->number[i];
    }
}

static inline void sums_element(struct sums *s, const json_t *element)
{
    const char *metric = json_string_value(json_object_get(element, "metric"));
    const char *event = json_string_value(json_object_get(element, "event"));
    const json_t *value = json_object_get(element, "value");
    const json_t *values = json_object_get(element, "values");
    const json_t *count = json_object_get(element, "count");
    double happenings = json_number_value(count);
    happenings = happenings > 0 ? happenings : 0; // a line with a negative one is rejected
    double n = values != NULL ? (double)json_array_size(values) : count != NULL ? happenings : 1;
    if (event != NULL && strcmp(event, "done") == 0) {
        s->number[0] += n;
        s->number[2] += value != NULL || values != NULL ? n : 0;
    } else if (event != NULL && strcmp(event, "pair") == 0) {
        s->number[1] += n;
    } else if (metric != NULL && strcmp(metric, "c_seconds") == 0) {
        s->number[2] += n;
    }
    for (size_t i = 0; metric != NULL && i < SUMS; i++) {
        if (strcmp(metric, SUMS_NAMES[i]) == 0) {
            double number = value != NULL ? json_number_value(value) : 1;
            s->number[i] += number > 0 ? number : 0; // likewise
        }
    }
}

// What a line adds if it is applied.
static inline struct sums sums_line(const char *line, size_t len)
{
    struct sums s = {{0}};
    json_t *json = json_loadb(line, len, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
    if (json_is_array(json)) {
        for (size_t i = 0; i < json_array_size(json); i++) {
            sums_element(&s, json_array_get(json, i));
        }
    } else {
        sums_element(&s, json);
    }
    json_decref(json);
    return s;
}

// Adds up the samples; `text` is an exposition without comments.
static inline struct sums sums_shown(const char *text)
{
    struct sums s = {{0}};
    for (const char *end; *text != '\0'; text = end + 1) {
        size_t len = strcspn(text, "{ ");
        end = strchr(text, '\n');
        for (size_t i = 0; i < SUMS; i++) {
            if (strlen(SUMS_NAMES[i]) == len && strncmp(text, SUMS_NAMES[i], len) == 0) {
                const char *space = memrchr(text, ' ', (size_t)(end - text));
                s.number[i] += strtod(space + 1, NULL);
            }
        }
    }
    return s;
}

// Whether a sum is the wanted one, or not above it. Of values above 1e15 nothing is exact.
static inline bool sums_agree(const struct sums *shown, const struct sums *wanted, bool all)
{
    for (size_t i = 0; i < SUMS; i++) {
        double off = shown->number[i] - wanted->number[i];
        double most = 1e-9 * (1 + wanted->number[i]);
        if (wanted->number[i] < 1e15 && (off > most || (all && off < -most))) {
            fprintf(stderr, "%s: shown %.17g, sent %.17g\n", SUMS_NAMES[i], shown->number[i],
                    wanted->number[i]);
            return false;
        }
    }
    return true;
}

#endif
