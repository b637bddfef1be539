// SPDX-License-Identifier: Apache-2.0
#include "client/store.h"

#include "unit.h"

#include <errno.h>

static unsigned woken;

static void on_wake(void *arg)
{
    (void)arg;
    woken++;
}

static void open_store(struct store *s)
{
    woken = 0;
    ck_assert_int_eq(store_init(s, on_wake, NULL), 0);
}

static struct virtrigaud_series *find(struct store *s, enum store_kind kind, const char *name)
{
    struct virtrigaud_series *x = store_find(s, kind, name, NULL, 0, true);
    ck_assert_ptr_nonnull(x);
    return x;
}

START_TEST(a_series_is_its_kind_name_and_labels_in_any_order)
{
    struct store s;
    open_store(&s);
    struct wire_label ab[] = {{"a", "1"}, {"b", "x\"y"}};
    struct wire_label ba[] = {{"b", "x\"y"}, {"a", "1"}};
    struct virtrigaud_series *x = store_find(&s, STORE_GAUGE, "g", ab, 2, true);
    ck_assert_ptr_eq(store_find(&s, STORE_GAUGE, "g", ba, 2, true), x);
    ck_assert_ptr_ne(store_find(&s, STORE_COUNTER, "g", ba, 2, true), x);
    ck_assert_ptr_ne(store_find(&s, STORE_GAUGE, "g", ba, 1, true), x);
    ck_assert_str_eq(x->prefix,
                     "{\"metric\":\"g\",\"labels\":{\"a\":\"1\",\"b\":\"x\\\"y\"},\"op\":\"set\"");
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        struct virtrigaud_series *one = find(&s, STORE_COUNTER, name);
        ck_assert_ptr_eq(find(&s, STORE_COUNTER, name), one);
    }
    ck_assert_uint_eq(s.n_series, 1003);
    ck_assert_uint_eq(s.sent + s.invalid + s.dropped, 0);
    store_free(&s);
}
END_TEST

static size_t noted(const struct store *s, const char *why)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_invalids; i++) {
        n += strncmp(s->invalids[i].why, why, strlen(why)) == 0;
    }
    return n;
}

// However many there are of a reason, the next reason finds room.
START_TEST(what_is_invalid_is_counted_and_noted)
{
    struct store s;
    open_store(&s);
    char *longer = calloc(1, 70001);
    memset(longer, 'x', 70000);
    struct wire_label bad[] = {{"a", "\xff"}};
    struct wire_label too_long[] = {{"a", longer}};
    struct wire_label none[] = {{"a", NULL}};
    ck_assert_ptr_null(store_find(&s, STORE_GAUGE, "g", bad, 1, true));
    ck_assert_ptr_null(store_find(&s, STORE_GAUGE, "g", too_long, 1, true));
    ck_assert_ptr_null(store_find(&s, STORE_GAUGE, "g", none, 1, true));
    ck_assert_ptr_null(store_find(&s, STORE_GAUGE, NULL, NULL, 0, true));
    store_add(find(&s, STORE_COUNTER, "c"), -1);
    store_set(find(&s, STORE_GAUGE, "g"), 0.0 / 0.0);
    store_observe(find(&s, STORE_HISTOGRAM, "h"), 1.0 / 0.0);
    store_set(find(&s, STORE_COUNTER, "c"), 1);
    store_observe(find(&s, STORE_GAUGE, "g"), 1);
    store_count(find(&s, STORE_EVENT, "e"), 0);
    ck_assert_uint_eq(s.invalid, 10);
    ck_assert_uint_eq(noted(&s, "the name or a label is no UTF-8"), 2); // of 3
    ck_assert_uint_eq(noted(&s, "too_long"), 1);
    ck_assert_uint_eq(noted(&s, "bad_value: negative"), 2); // of 4
    ck_assert_uint_eq(noted(&s, "bad_value: not finite"), 2);
    ck_assert_uint_eq(s.n_invalids, 7);
    ck_assert_uint_eq(s.not_noted, 3);
    ck_assert_uint_eq(s.sent, 0);
    ck_assert(!store_has_waiting(&s));
    free(longer);
    store_free(&s);
}
END_TEST

START_TEST(series_have_a_limit_in_bytes_too)
{
    struct store s;
    open_store(&s);
    char text[5001] = {0};
    memset(text, 'x', 5000);
    struct wire_label labels[] = {{"i", text}};
    store_limit(&s, 0, 20);
    size_t n = 0;
    for (; n < 20; n++) {
        text[0] = (char)('a' + n);
        if (store_find(&s, STORE_GAUGE, "g", labels, 1, true) == NULL) {
            break;
        }
    }
    ck_assert_uint_eq(n, 4); // of 10 KiB each, of 20 times 2 KiB
    ck_assert_uint_eq(woken, 1);
    ck_assert_uint_eq(s.dropped, 1);
    ck_assert_uint_eq(s.sent, 1);
    ck_assert_uint_eq(s.n_invalids, 1);
    ck_assert(s.invalids[0].lost);
    ck_assert_str_eq(s.invalids[0].what, "g");
    store_free(&s);
}
END_TEST

START_TEST(calls_add_up_and_the_first_one_wakes)
{
    struct store s;
    open_store(&s);
    struct virtrigaud_series *counter = find(&s, STORE_COUNTER, "c");
    struct virtrigaud_series *gauge = find(&s, STORE_GAUGE, "g");
    struct virtrigaud_series *event = find(&s, STORE_EVENT, "e");
    for (int i = 0; i < 10; i++) {
        store_add(counter, 2);
        store_add(gauge, 1);
        store_count(event, 3);
    }
    store_set(gauge, 4);
    store_add(gauge, -1);
    ck_assert_uint_eq(woken, 1);
    ck_assert_double_eq(counter->value, 20);
    ck_assert_double_eq(gauge->value, 3);
    ck_assert_uint_eq(event->count, 30);
    ck_assert_uint_eq(s.sent, 10 + 12 + 30);
    ck_assert_uint_eq(store_discard(&s), 52);
    ck_assert(!store_has_waiting(&s));
    store_resend(&s); // the gauge's value stays
    ck_assert_ptr_eq(store_take_series(&s), gauge);
    ck_assert_double_eq(gauge->value, 3);
    ck_assert_ptr_null(store_take_series(&s));
    store_forget_gauges(&s);
    store_resend(&s);
    ck_assert(!store_has_waiting(&s));
    store_free(&s);
}
END_TEST

START_TEST(a_sum_that_is_not_finite_leaves_a_gauge_as_it_is)
{
    struct store s;
    open_store(&s);
    struct virtrigaud_series *gauge = find(&s, STORE_GAUGE, "g");
    store_set(gauge, 1e308);
    store_add(gauge, 1e308);
    ck_assert_double_eq(gauge->value, 1e308);
    ck_assert_uint_eq(gauge->calls, 1);
    ck_assert_uint_eq(s.sent, 1);
    ck_assert_uint_eq(s.invalid, 1);
    store_free(&s);
}
END_TEST

START_TEST(the_newest_exemplar_is_kept_and_no_observation_lost)
{
    struct store s;
    open_store(&s);
    struct virtrigaud_series *h = find(&s, STORE_HISTOGRAM, "h");
    struct wire_label first = {"trace_id", "t1"};
    struct wire_label second = {"trace_id", "t2"};
    struct wire_label bad = {"trace id", "t3"};
    store_observe_with_exemplar(h, 1, &first, 1);
    store_observe_with_exemplar(h, 2, &second, 1);
    store_observe_with_exemplar(h, 3, &bad, 1);
    store_observe_with_exemplar(h, 1.0 / 0.0, &first, 1);
    store_observe_with_exemplar(find(&s, STORE_GAUGE, "g"), 1, &first, 1);
    ck_assert_uint_eq(s.sent, 3);
    ck_assert_uint_eq(s.invalid, 2);
    ck_assert_uint_eq(s.n_invalids, 3);
    ck_assert_str_eq(s.invalids[0].why, "bad_exemplar, left out");
    ck_assert_double_eq(h->exemplar->value, 2);
    ck_assert_ptr_nonnull(memmem(h->exemplar->text, h->exemplar->len, "\"t2\"", 4));
    ck_assert_uint_eq(h->held->end, 2);
    struct store_exemplar *taken = h->exemplar; // a line that comes back
    h->exemplar = NULL;
    pthread_mutex_lock(&s.mutex);
    store_return_exemplar(h, taken);
    pthread_mutex_unlock(&s.mutex);
    ck_assert_ptr_eq(h->exemplar, taken);
    h->exemplar = NULL;
    store_observe_with_exemplar(h, 4, &first, 1);
    pthread_mutex_lock(&s.mutex);
    store_return_exemplar(h, taken); // there is a newer one
    pthread_mutex_unlock(&s.mutex);
    ck_assert_double_eq(h->exemplar->value, 4);
    ck_assert_double_eq(s.oldest->v[s.oldest->begin], 2);
    ck_assert_uint_eq(store_discard(&s), 4);
    ck_assert_ptr_null(h->exemplar);
    store_observe_with_exemplar(h, 5, &first, 1);
    store_free(&s);
}
END_TEST

START_TEST(the_oldest_observations_are_dropped)
{
    struct store s;
    open_store(&s);
    store_limit(&s, 3 * sizeof(struct chunk), 0);
    struct virtrigaud_series *x = find(&s, STORE_HISTOGRAM, "h");
    for (int i = 0; i < 10 * STORE_CHUNK_VALUES + 5; i++) {
        store_observe(x, i);
    }
    ck_assert_uint_eq(s.dropped, 7 * STORE_CHUNK_VALUES);
    ck_assert_uint_eq(s.n_chunks, 3);
    ck_assert_uint_gt(woken, 1);
    struct chunk *c = store_take_chunk(&s);
    ck_assert_double_eq(c->v[0], 7 * STORE_CHUNK_VALUES);
    store_return_chunk(&s, c);
    c = store_take_chunk(&s);
    c->begin++;
    store_return_chunk(&s, c);
    store_return_value(x, -1);
    ck_assert_double_eq(s.oldest->v[0], -1);
    ck_assert_uint_eq(store_discard(&s), 3 * STORE_CHUNK_VALUES + 5);
    store_free(&s);
}
END_TEST

START_TEST(calls_for_more_series_than_allowed_are_lost)
{
    struct store s;
    open_store(&s);
    store_limit(&s, 0, 2);
    find(&s, STORE_COUNTER, "a");
    find(&s, STORE_COUNTER, "b");
    ck_assert_ptr_null(store_find(&s, STORE_COUNTER, "c", NULL, 0, true));
    ck_assert_ptr_null(store_find(&s, STORE_COUNTER, "c", NULL, 0, false));
    ck_assert_uint_eq(s.sent, 1);
    ck_assert_uint_eq(s.dropped, 1);
    store_free(&s);
}
END_TEST

UNIT_MAIN("store", a_series_is_its_kind_name_and_labels_in_any_order,
          what_is_invalid_is_counted_and_noted, calls_add_up_and_the_first_one_wakes,
          series_have_a_limit_in_bytes_too, the_oldest_observations_are_dropped,
          a_sum_that_is_not_finite_leaves_a_gauge_as_it_is,
          the_newest_exemplar_is_kept_and_no_observation_lost,
          calls_for_more_series_than_allowed_are_lost)
