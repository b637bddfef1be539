// SPDX-License-Identifier: Apache-2.0
#include "client/forgets.h"

#include "unit.h"

static void on_wake(void *arg)
{
    (void)arg;
}

static struct virtrigaud_series *find(struct store *s, enum store_kind kind, const char *provider)
{
    struct wire_label labels[] = {{"kind", "VM"}, {"provider", provider}};
    struct virtrigaud_series *x = store_find(s, kind, "m", labels, 2, true);
    ck_assert_ptr_nonnull(x);
    return x;
}

static void open_store(struct store *s)
{
    ck_assert_int_eq(store_init(s, on_wake, NULL), 0);
}

START_TEST(gauges_with_all_these_labels_are_not_sent_again)
{
    struct store s;
    open_store(&s);
    struct virtrigaud_series *gone = find(&s, STORE_GAUGE, "gone");
    struct virtrigaud_series *kept = find(&s, STORE_GAUGE, "kept");
    struct virtrigaud_series *counter = find(&s, STORE_COUNTER, "gone");
    struct wire_label labels[] = {{"provider", "gone"}, {"kind", "VM"}};
    struct wire_label others[] = {{"provider", "kept"}, {"kind", "VMSet"}};
    store_set(gone, 3);
    store_set(gone, 4);
    store_set(kept, 5);
    store_add(counter, 6);
    forgets_add(&s, others, 2);
    ck_assert(kept->known);
    forgets_add(&s, labels, 2);
    ck_assert(!gone->known && !gone->send && kept->known && kept->send);
    ck_assert_double_eq(gone->value, 0);
    ck_assert_double_eq(counter->value, 6); // is sent before
    ck_assert_uint_eq(s.forgotten, 2);
    store_resend(&s);
    ck_assert(!gone->send);
    ck_assert_str_eq(forgets_first(&s)->line,
                     "{\"forget\":{\"labels\":{\"provider\":\"kept\",\"kind\":\"VMSet\"}}}\n");
    forgets_done(&s);
    ck_assert_str_eq(forgets_first(&s)->line,
                     "{\"forget\":{\"labels\":{\"provider\":\"gone\",\"kind\":\"VM\"}}}\n");
    store_add(gone, 7); // before the daemon has dealt with it
    gone->send = false; // was sent
    forgets_done(&s);
    ck_assert_ptr_null(forgets_first(&s));
    ck_assert(gone->send);
    ck_assert_double_eq(gone->value, 7);
    store_free(&s);
}
END_TEST

START_TEST(what_the_daemon_would_reject_is_invalid)
{
    struct store s;
    open_store(&s);
    struct wire_label many[STORE_FORGET_LABELS + 1];
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        many[i] = (struct wire_label){"a", "b"};
    }
    const struct wire_label bad[] = {{"a", ""}, {"a", NULL}, {NULL, "b"}, {"a", "\xff"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        forgets_add(&s, &bad[i], 1);
    }
    forgets_add(&s, many, STORE_FORGET_LABELS + 1);
    forgets_add(&s, many, 0);
    forgets_add(&s, NULL, 1);
    ck_assert_uint_eq(s.invalid, 7);
    ck_assert_ptr_null(forgets_first(&s));
    forgets_add(&s, many, STORE_FORGET_LABELS);
    forgets_add(&s, many, 1);
    ck_assert_uint_eq(s.invalid, 7);
    store_discard(&s);
    ck_assert_ptr_null(forgets_first(&s));
    forgets_add(&s, many, 1);
    store_free(&s);
}
END_TEST

UNIT_MAIN("forgets", gauges_with_all_these_labels_are_not_sent_again,
          what_the_daemon_would_reject_is_invalid)
