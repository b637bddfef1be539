// SPDX-License-Identifier: Apache-2.0
#include "ingest/refusal.h"

#include "base/count.h"
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static struct refusals ring;
static const struct rights_entry entry = {.name = "sources[1]"};
static const struct admission who = {.peer.uid = 7, .entry = &entry};

static void put(uint64_t line)
{
    static const struct source src = {.component = 2, .instance_len = 3, .instance = "vc1xxx"};
    char detail[32];
    snprintf(detail, sizeof detail, "detail %llu", (unsigned long long)line);
    refusal_put(&ring, &src, &who, line, REJECT_bad_op, "m", detail, (struct slice){0});
}

static void check_taken(uint64_t line)
{
    struct refusal e;
    char detail[32];
    snprintf(detail, sizeof detail, "detail %llu", (unsigned long long)line);
    ck_assert(refusal_take(&ring, &e));
    ck_assert_uint_eq(e.line, line);
    ck_assert_uint_eq(e.component, 2);
    ck_assert_int_eq(e.reason, REJECT_bad_op);
    ck_assert_str_eq(e.instance, "vc1");
    ck_assert_str_eq(e.detail, detail);
    ck_assert_uint_eq(e.user, 7);
    ck_assert_str_eq(e.entry, "sources[1]");
}

START_TEST(what_was_put_is_taken_in_order)
{
    struct refusal e;
    ck_assert(!refusal_take(&ring, &e));
    for (uint64_t line = 1; line < 5 * REFUSAL_RING; line += 2) {
        put(line);
        put(line + 1);
        check_taken(line);
        check_taken(line + 1);
        ck_assert(!refusal_take(&ring, &e));
    }
    ck_assert_uint_eq(count_read(&ring.missed), 0);
}
END_TEST

START_TEST(what_finds_no_room_is_counted)
{
    for (uint64_t line = 1; line <= REFUSAL_RING + 7; line++) {
        put(line);
    }
    ck_assert_uint_eq(count_read(&ring.missed), 7);
    for (uint64_t line = 1; line <= REFUSAL_RING; line++) {
        check_taken(line);
    }
    struct refusal e;
    ck_assert(!refusal_take(&ring, &e));
    put(100);
    check_taken(100);
    ck_assert_uint_eq(count_read(&ring.missed), 7);
}
END_TEST

START_TEST(the_counters_may_wrap)
{
    atomic_store(&ring.written, UINT32_MAX - 3);
    atomic_store(&ring.taken, UINT32_MAX - 3);
    for (uint64_t line = 1; line <= REFUSAL_RING + 1; line++) {
        put(line);
    }
    for (uint64_t line = 1; line <= REFUSAL_RING; line++) {
        check_taken(line);
    }
    ck_assert_uint_eq(count_read(&ring.missed), 1);
}
END_TEST

START_TEST(the_longest_texts_fit)
{
    static struct source src = {.instance_len = CONTROL_MAX_NAME};
    char detail[1000];
    memset(src.instance, 'i', sizeof src.instance);
    memset(detail, 'd', sizeof detail - 1);
    detail[sizeof detail - 1] = '\0';
    refusal_put(&ring, &src, &who, 0, REJECT_bad_op, "m", detail, (struct slice){0});
    struct refusal e;
    ck_assert(refusal_take(&ring, &e));
    ck_assert_uint_eq(strlen(e.instance), CONTROL_MAX_NAME);
    ck_assert_uint_eq(strlen(e.detail), sizeof e.detail - 1);
}
END_TEST

START_TEST(the_text_of_a_line_is_kept_when_it_is_asked_for)
{
    static const struct source src = {0};
    static char text[65536];
    struct refusal e;
    memset(text, 'x', sizeof text);
    memcpy(text, "\0\xff", 2);
    refusal_put(&ring, &src, &who, 1, REJECT_bad_utf8, "", "", (struct slice){text, 9});
    ck_assert(refusal_take(&ring, &e));
    ck_assert_uint_eq(e.text_len, 0);
    ck_assert_uint_eq(e.line_len, 9);
    ring.texts = true;
    refusal_put(&ring, &src, &who, 1, REJECT_bad_utf8, "", "", (struct slice){text, 9});
    refusal_put(&ring, &src, &who, 2, REJECT_too_long, "", "", (struct slice){text, sizeof text});
    refusal_put(&ring, &src, &who, 3, REJECT_bad_control, "", "", (struct slice){0});
    ck_assert(refusal_take(&ring, &e));
    ck_assert_uint_eq(e.text_len, 9);
    ck_assert_int_eq(memcmp(e.text, text, 9), 0);
    ck_assert(refusal_take(&ring, &e));
    ck_assert_uint_eq(e.text_len, REFUSAL_TEXT);
    ck_assert_uint_eq(e.line_len, sizeof text);
    ck_assert_int_eq(memcmp(e.text, text, REFUSAL_TEXT), 0);
    ck_assert(refusal_take(&ring, &e));
    ck_assert_uint_eq(e.text_len, 0);
}
END_TEST

enum { LINES = 20000 };

static void *write_lines(void *arg)
{
    for (uint64_t line = 1; line <= LINES; line++) {
        put(line);
    }
    return arg;
}

START_TEST(a_reader_beside_the_writer_sees_whole_entries_and_misses_none_uncounted)
{
    pthread_t writer;
    ck_assert_int_eq(pthread_create(&writer, NULL, write_lines, NULL), 0);
    uint64_t taken = 0;
    uint64_t last = 0;
    while (taken + count_read(&ring.missed) < LINES) {
        struct refusal e;
        if (!refusal_take(&ring, &e)) {
            sched_yield();
            continue;
        }
        char detail[32];
        snprintf(detail, sizeof detail, "detail %llu", (unsigned long long)e.line);
        ck_assert_str_eq(e.detail, detail);
        ck_assert_uint_gt(e.line, last);
        last = e.line;
        taken++;
    }
    pthread_join(writer, NULL);
    ck_assert_uint_eq(taken + count_read(&ring.missed), LINES);
    ck_assert_uint_ge(taken, REFUSAL_RING);
}
END_TEST

UNIT_MAIN("refusal", what_was_put_is_taken_in_order, what_finds_no_room_is_counted,
          the_counters_may_wrap, the_longest_texts_fit,
          the_text_of_a_line_is_kept_when_it_is_asked_for,
          a_reader_beside_the_writer_sees_whole_entries_and_misses_none_uncounted)
