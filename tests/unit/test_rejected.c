// SPDX-License-Identifier: Apache-2.0
#include "ingest/rejected.h"

#include "base/count.h"
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static struct rejected_lines ring;
static const struct permission_role role = {.name = "sources[1]"};
static const struct permission_client who = {.peer.uid = 7, .role = &role};

static void put(uint64_t line)
{
    static const struct source src = {.component = 2, .instance_len = 3, .instance = "vc1xxx"};
    struct rejection why = {.reason = REJECT_bad_op, .name = "m"};
    snprintf(why.detail, sizeof why.detail, "detail %llu", (unsigned long long)line);
    rejected_put(&ring, &src, &who, line, &why, (struct slice){0});
}

static void check_taken(uint64_t line, uint32_t more)
{
    struct rejected_line e;
    char detail[32];
    snprintf(detail, sizeof detail, "detail %llu", (unsigned long long)line);
    ck_assert(rejected_take(&ring, &e));
    ck_assert_uint_eq(e.line, line);
    ck_assert_uint_eq(e.more, more);
    ck_assert_uint_eq(e.component, 2);
    ck_assert_int_eq(e.reason, REJECT_bad_op);
    ck_assert_str_eq(e.instance, "vc1");
    ck_assert_str_eq(e.detail, detail);
    ck_assert_uint_eq(e.user, 7);
    ck_assert_str_eq(e.entry, "sources[1]");
}

START_TEST(what_was_put_is_taken_in_order)
{
    struct rejected_line e;
    ck_assert(!rejected_take(&ring, &e));
    for (uint64_t line = 1; line < 5 * REJECTED_RING; line += 2) {
        put(line);
        put(line + 1);
        check_taken(line, 0);
        check_taken(line + 1, 0);
        ck_assert(!rejected_take(&ring, &e));
    }
    ck_assert_uint_eq(count_read(&ring.missed), 0);
}
END_TEST

START_TEST(one_source_leaves_room_for_others)
{
    static const struct source other = {.component = 1};
    static const struct rejection why = {
        .reason = REJECT_bad_json, .name = "rpc", .names_event = true};
    for (uint64_t line = 1; line <= 1000; line++) {
        put(line);
    }
    rejected_put(&ring, &other, &who, 1, &why, (struct slice){0});
    for (uint64_t line = 1; line < REJECTED_SHARE; line++) {
        check_taken(line, 0);
    }
    check_taken(REJECTED_SHARE, 1000 - REJECTED_SHARE);
    struct rejected_line e;
    ck_assert(rejected_take(&ring, &e));
    ck_assert_uint_eq(e.component, 1);
    ck_assert(e.is_event);
    ck_assert_str_eq(e.metric, "rpc");
    ck_assert(!rejected_take(&ring, &e));
    ck_assert_uint_eq(count_read(&ring.missed), 0);
    put(2000);
    check_taken(2000, 0);
}
END_TEST

START_TEST(what_finds_no_room_is_counted)
{
    static const struct rejection why = {.reason = REJECT_bad_json};
    static struct source sources[REJECTED_RING + 7];
    for (size_t i = 0; i < REJECTED_RING + 7; i++) {
        rejected_put(&ring, &sources[i], &who, i, &why, (struct slice){0});
    }
    ck_assert_uint_eq(count_read(&ring.missed), 7);
    struct rejected_line e;
    for (uint64_t i = 0; i < REJECTED_RING; i++) {
        ck_assert(rejected_take(&ring, &e));
        ck_assert_uint_eq(e.line, i);
    }
    ck_assert(!rejected_take(&ring, &e));
    put(100);
    check_taken(100, 0);
    ck_assert_uint_eq(count_read(&ring.missed), 7);
}
END_TEST

START_TEST(the_counters_may_wrap)
{
    atomic_store(&ring.written, UINT32_MAX - 3);
    atomic_store(&ring.taken, UINT32_MAX - 3);
    for (uint64_t line = 1; line <= REJECTED_SHARE + 1; line++) {
        put(line);
    }
    for (uint64_t line = 1; line <= REJECTED_SHARE; line++) {
        check_taken(line, line == REJECTED_SHARE);
    }
    ck_assert_uint_eq(count_read(&ring.missed), 0);
}
END_TEST

START_TEST(the_longest_texts_fit)
{
    static struct source src = {.instance_len = SOURCE_MAX_NAME};
    struct rejection why = {.reason = REJECT_bad_op, .name = "m"};
    memset(src.instance, 'i', sizeof src.instance);
    memset(why.detail, 'd', sizeof why.detail - 1);
    rejected_put(&ring, &src, &who, 0, &why, (struct slice){0});
    struct rejected_line e;
    ck_assert(rejected_take(&ring, &e));
    ck_assert_uint_eq(strlen(e.instance), SOURCE_MAX_NAME);
    ck_assert_uint_eq(strlen(e.detail), sizeof e.detail - 1);
}
END_TEST

START_TEST(the_text_of_a_line_is_kept_when_it_is_asked_for)
{
    static const struct source src = {0};
    static char text[65536];
    struct rejected_line e;
    memset(text, 'x', sizeof text);
    memcpy(text, "\0\xff", 2);
    rejected_put(&ring, &src, &who, 1, &(struct rejection){.reason = REJECT_bad_utf8},
                 (struct slice){text, 9});
    ck_assert(rejected_take(&ring, &e));
    ck_assert_uint_eq(e.text_len, 0);
    ck_assert_uint_eq(e.line_len, 9);
    ring.texts = true;
    rejected_put(&ring, &src, &who, 1, &(struct rejection){.reason = REJECT_bad_utf8},
                 (struct slice){text, 9});
    rejected_put(&ring, &src, &who, 2, &(struct rejection){.reason = REJECT_too_long},
                 (struct slice){text, sizeof text});
    rejected_put(&ring, &src, &who, 3, &(struct rejection){.reason = REJECT_bad_control},
                 (struct slice){0});
    ck_assert(rejected_take(&ring, &e));
    ck_assert_uint_eq(e.text_len, 9);
    ck_assert_int_eq(memcmp(e.text, text, 9), 0);
    ck_assert(rejected_take(&ring, &e));
    ck_assert_uint_eq(e.text_len, REJECTED_TEXT);
    ck_assert_uint_eq(e.line_len, sizeof text);
    ck_assert_int_eq(memcmp(e.text, text, REJECTED_TEXT), 0);
    ck_assert(rejected_take(&ring, &e));
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
    uint64_t counted = 0;
    uint64_t last = 0;
    while (taken + counted + count_read(&ring.missed) < LINES) {
        struct rejected_line e;
        if (!rejected_take(&ring, &e)) {
            sched_yield();
            continue;
        }
        char detail[32];
        snprintf(detail, sizeof detail, "detail %llu", (unsigned long long)e.line);
        ck_assert_str_eq(e.detail, detail);
        ck_assert_uint_gt(e.line, last);
        last = e.line;
        taken++;
        counted += e.more;
    }
    pthread_join(writer, NULL);
    ck_assert_uint_eq(taken + counted + count_read(&ring.missed), LINES);
    ck_assert_uint_ge(taken, REJECTED_SHARE);
}
END_TEST

UNIT_MAIN("rejected", one_source_leaves_room_for_others, what_was_put_is_taken_in_order,
          what_finds_no_room_is_counted, the_counters_may_wrap, the_longest_texts_fit,
          the_text_of_a_line_is_kept_when_it_is_asked_for,
          a_reader_beside_the_writer_sees_whole_entries_and_misses_none_uncounted)
