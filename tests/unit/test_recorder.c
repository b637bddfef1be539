// SPDX-License-Identifier: Apache-2.0
#include <virtrigaud-client.h>

#include "unit.h"

#include <errno.h>

static const struct virtrigaud_label labels[] = {{"a", "1"}, {"b", "2"}};
static const struct virtrigaud_label other_order[] = {{"b", "2"}, {"a", "1"}};
static const struct virtrigaud_label exemplar[] = {{"trace_id", "t"}};

static double recorded(struct virtrigaud_client *c, const char *name)
{
    double value = -1;
    ck_assert_int_eq(virtrigaud_recorded(c, name, other_order, 2, &value), 0);
    return value;
}

static void expect_nothing(struct virtrigaud_client *c, const char *name)
{
    double value = -1;
    ck_assert_int_eq(virtrigaud_recorded(c, name, labels, 2, &value), -ENOENT);
    ck_assert_double_eq(value, -1);
    ck_assert_uint_eq(virtrigaud_recorded_values(c, name, labels, 2, &value, 1), 0);
}

START_TEST(what_was_recorded_is_found_by_name_and_labels)
{
    struct virtrigaud_client *c = virtrigaud_new();
    virtrigaud_counter_add(c, "c", labels, 2, 2);
    virtrigaud_counter_add(c, "c", other_order, 2, 0.5);
    virtrigaud_counter_add(c, "c", labels, 1, 100);
    virtrigaud_gauge_set(c, "g", labels, 2, 5);
    virtrigaud_gauge_add(c, "g", labels, 2, -7);
    virtrigaud_event(c, "e", labels, 2);
    virtrigaud_event_with_exemplar(c, "e", labels, 2, 0.25, exemplar, 1);
    ck_assert_double_eq(recorded(c, "c"), 2.5);
    ck_assert_double_eq(recorded(c, "g"), -2);
    ck_assert_double_eq(recorded(c, "e"), 2);
    virtrigaud_series_add(virtrigaud_counter(c, "looked up only", labels, 2), -1);
    expect_nothing(c, "looked up only");
    expect_nothing(c, "none");
    expect_nothing(NULL, "c");
    virtrigaud_free(c);
}
END_TEST

START_TEST(observations_are_in_their_order)
{
    struct virtrigaud_client *c = virtrigaud_new();
    double values[4] = {-1, -1, -1, -1};
    virtrigaud_observe_with_exemplar(c, "h", labels, 2, 1000, exemplar, 1);
    for (int i = 0; i < 300; i++) {
        virtrigaud_observe(c, "h", labels, 2, i);
    }
    ck_assert_uint_eq(virtrigaud_recorded_values(c, "h", labels, 2, values, 3), 301);
    ck_assert(values[0] == 0 && values[1] == 1 && values[2] == 2 && values[3] == -1);
    double *all = calloc(301, sizeof *all);
    ck_assert_uint_eq(virtrigaud_recorded_values(c, "h", labels, 2, all, 301), 301);
    ck_assert(all[299] == 299 && all[300] == 1000);
    ck_assert_double_eq(recorded(c, "h"), 301);
    free(all);
    virtrigaud_free(c);
}
END_TEST

START_TEST(an_exemplar_with_too_many_labels_is_left_out)
{
    enum { MANY = 128 };
    struct virtrigaud_client *c = virtrigaud_new();
    struct virtrigaud_label many[MANY];
    char names[MANY][4];
    double values[4] = {-1, -1, -1, -1};
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "%c%c", 'a' + i % 26, 'a' + i / 26);
        many[i] = (struct virtrigaud_label){names[i], ""};
    }
    virtrigaud_observe_with_exemplar(c, "h", labels, 2, 1, many, 64);
    virtrigaud_observe_with_exemplar(c, "h", labels, 2, 2, many, 65);
    virtrigaud_observe_with_exemplar(c, "h", labels, 2, 3, many, MANY);
    // One with an exemplar would be last.
    ck_assert_uint_eq(virtrigaud_recorded_values(c, "h", labels, 2, values, 4), 3);
    ck_assert(values[0] == 2 && values[1] == 3 && values[2] == 1);
    virtrigaud_free(c);
}
END_TEST

START_TEST(a_reset_leaves_nothing)
{
    struct virtrigaud_client *c = virtrigaud_new();
    struct virtrigaud_stats stats;
    virtrigaud_counter_add(c, "c", labels, 2, 2);
    virtrigaud_gauge_set(c, "g", labels, 2, 5);
    virtrigaud_event(c, "e", labels, 2);
    virtrigaud_observe_with_exemplar(c, "h", labels, 2, 1, exemplar, 1);
    virtrigaud_forget(c, labels, 1);
    expect_nothing(c, "g");
    virtrigaud_gauge_set(c, "g", labels, 2, 5);
    virtrigaud_recorded_reset(c);
    expect_nothing(c, "c");
    expect_nothing(c, "g");
    expect_nothing(c, "e");
    expect_nothing(c, "h");
    virtrigaud_get_stats(c, &stats);
    ck_assert_uint_eq(stats.waiting, 0);
    ck_assert_uint_eq(stats.sent, stats.applied);
    virtrigaud_gauge_add(c, "g", labels, 2, 1);
    ck_assert_double_eq(recorded(c, "g"), 1);
    virtrigaud_recorded_reset(NULL);
    virtrigaud_free(c);
}
END_TEST

START_TEST(a_client_that_is_started_is_no_recorder)
{
    struct virtrigaud_client *c = virtrigaud_new();
    struct virtrigaud_config config = VIRTRIGAUD_CONFIG_INIT;
    double value = -1;
    config.component = "provider";
    config.socket = "/nonexistent/s";
    virtrigaud_gauge_set(c, "g", labels, 2, 5);
    ck_assert_int_eq(virtrigaud_start(c, &config), 0);
    virtrigaud_recorded_reset(c);
    ck_assert_int_eq(virtrigaud_recorded(c, "g", labels, 2, &value), -EALREADY);
    ck_assert_uint_eq(virtrigaud_recorded_values(c, "g", labels, 2, &value, 1), 0);
    virtrigaud_close(c, 0, NULL);
    ck_assert_double_eq(recorded(c, "g"), 5); // it was not reset
    virtrigaud_free(c);
}
END_TEST

UNIT_MAIN("recorder", what_was_recorded_is_found_by_name_and_labels,
          observations_are_in_their_order, an_exemplar_with_too_many_labels_is_left_out,
          a_reset_leaves_nothing, a_client_that_is_started_is_no_recorder)
