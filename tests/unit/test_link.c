// SPDX-License-Identifier: Apache-2.0
#include "client/link.h"

#include "unit.h"

#include "fake_daemon.h"

static const struct wire_hello hello = {.component = "provider", .instance = "vc1"};
#define HELLO "{\"hello\":{\"component\":\"provider\",\"instance\":\"vc1\"}}\n"

static uint64_t ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct link *open_client(const struct fake *f, const struct wire_hello *h, size_t buffer,
                                unsigned wait_ms)
{
    struct link *c;
    struct link_config config = {.path = f->path, .hello = h, .buffer = buffer, .wait_ms = wait_ms};
    ck_assert_int_eq(link_open(&c, &config), 0);
    return c;
}

START_TEST(every_kind_of_sample_arrives_as_written_here)
{
    struct fake f = {0};
    fake_start(&f);
    struct link *c = open_client(&f, &hello, 0, 0);
    struct wire_label l[] = {{"kind", "VM"}, {"x", "a=\"b\""}};
    ck_assert_int_eq(link_counter_add(c, "c_total", l, 2, 1), 0);
    ck_assert_int_eq(link_gauge_set(c, "g", l, 1, 0.1), 0);
    ck_assert_int_eq(link_gauge_add(c, "g", l, 1, -2), 0);
    ck_assert_int_eq(link_observe(c, "h", NULL, 0, 2.5), 0);
    ck_assert_int_eq(link_event(c, "task_started", l, 1), 0);
    ck_assert_int_eq(link_event_value(c, "rpc", l, 1, 0.84), 0);
    ck_assert_int_eq(link_send_line(c, "[{\"metric\":\"g\",\"value\":1}]", 26), 0);
    ck_assert_int_eq(link_sync(c, 60000), 0);
    struct link_stats s;
    ck_assert_int_eq(link_close(c, 60000, &s), 0);
    fake_stop(&f);
    ck_assert_str_eq(
        f.log,
        HELLO "{\"metric\":\"c_total\",\"labels\":{\"kind\":\"VM\",\"x\":\"a=\\\"b\\\"\"},\"op\":"
              "\"add\",\"value\":1}\n"
              "{\"metric\":\"g\",\"labels\":{\"kind\":\"VM\"},\"op\":\"set\",\"value\":0.1}\n"
              "{\"metric\":\"g\",\"labels\":{\"kind\":\"VM\"},\"op\":\"add\",\"value\":-2}\n"
              "{\"metric\":\"h\",\"op\":\"observe\",\"value\":2.5}\n"
              "{\"event\":\"task_started\",\"labels\":{\"kind\":\"VM\"}}\n"
              "{\"event\":\"rpc\",\"labels\":{\"kind\":\"VM\"},\"value\":0.84}\n"
              "[{\"metric\":\"g\",\"value\":1}]\n"
              "{\"sync\":1}\n");
    ck_assert_uint_eq(s.applied + s.rejected, 7);
    ck_assert_uint_eq(s.lost + s.unknown, 0);
    fake_free(&f);
}
END_TEST

START_TEST(what_is_no_line_is_refused_and_not_counted_as_lost)
{
    struct fake f = {0};
    fake_name(&f);
    struct link *c = open_client(&f, NULL, LINK_BUFFER_MIN, 0);
    char long_line[LINK_BUFFER_MIN];
    memset(long_line, 'x', sizeof long_line);
    struct wire_label bad = {"l", "\xff"};
    ck_assert_int_eq(link_observe(c, "h", NULL, 0, 1.0 / 0.0), -EINVAL);
    ck_assert_int_eq(link_event(c, "e", &bad, 1), -EINVAL);
    ck_assert_int_eq(link_send_line(c, "{}\n{}", 5), -EINVAL);
    ck_assert_int_eq(link_send_line(c, "", 0), -EINVAL);
    ck_assert_int_eq(link_send_line(c, long_line, sizeof long_line), -EMSGSIZE);
    ck_assert_int_eq(link_send_line(c, long_line, sizeof long_line - 1), 0);
    ck_assert_uint_eq(link_stats(c).lost, 0);
    link_close(c, 0, NULL);
    struct link_config config = {.path = long_line};
    long_line[200] = '\0';
    ck_assert_int_eq(link_open(&c, &config), -ENAMETOOLONG);
    fake_free(&f);
}
END_TEST

START_TEST(lines_wait_for_a_daemon_that_comes_later_and_the_rest_is_counted)
{
    struct fake f = {0};
    fake_name(&f);
    struct link *c = open_client(&f, &hello, LINK_BUFFER_MIN, 0);
    ck_assert_int_eq(link_connect(c, 1000), -ENOENT);
    unsigned kept = 0;
    unsigned dropped = 0;
    for (int i = 0; i < 1000; i++) {
        int r = link_counter_add(c, "c", NULL, 0, 1); // 36 bytes with the LF
        kept += r == 0;
        dropped += r == -ENOBUFS;
    }
    ck_assert_uint_eq(kept, LINK_BUFFER_MIN / 36);
    ck_assert_uint_eq(kept + dropped, 1000);
    ck_assert_uint_eq(link_stats(c).lost, dropped);
    fake_listen(&f);
    ck_assert_int_eq(link_sync(c, 60000), 0);
    struct link_stats s;
    link_close(c, 60000, &s);
    fake_stop(&f);
    char want[128];
    int n =
        snprintf(want, sizeof want, "%.*s,\"lost\":%u}}\n", (int)strlen(HELLO) - 3, HELLO, dropped);
    ck_assert_mem_eq(f.log, want, n);
    ck_assert_uint_eq(s.applied, kept);
    ck_assert_uint_eq(s.unknown, 0);
    fake_free(&f);
}
END_TEST

START_TEST(a_reader_that_sleeps_holds_a_send_no_longer_than_asked)
{
    struct fake f = {.stalled = true};
    fake_start(&f);
    struct link *c = open_client(&f, NULL, 16384, 50);
    char line[8000];
    memset(line, 'x', sizeof line);
    line[0] = '{';
    unsigned dropped = 0;
    uint64_t shortest = UINT64_MAX;
    unsigned sent = 0;
    for (; dropped < 5; sent++) {
        uint64_t before = ms();
        if (link_send_line(c, line, sizeof line) == -ENOBUFS) {
            dropped++;
            shortest = ms() - before < shortest ? ms() - before : shortest;
        }
    }
    ck_assert_uint_ge(shortest, 50);
    ck_assert_uint_lt(shortest, 500);
    shortest = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t before = ms();
        ck_assert_int_eq(link_sync(c, 100), -ETIMEDOUT);
        shortest = ms() - before < shortest ? ms() - before : shortest;
    }
    ck_assert_uint_lt(shortest, 500);
    f.stalled = false;
    ck_assert_int_eq(link_sync(c, 60000), 0);
    struct link_stats s;
    link_close(c, 60000, &s);
    fake_stop(&f);
    ck_assert_uint_eq(s.lost, dropped);
    ck_assert_uint_eq(s.applied, sent - dropped);
    fake_free(&f);
}
END_TEST

START_TEST(what_is_lost_while_connected_is_told_before_the_next_sync)
{
    struct fake f = {.stalled = true};
    fake_start(&f);
    struct link *c = open_client(&f, &hello, LINK_BUFFER_MIN, 0);
    while (link_stats(c).lost < 3) {
        link_event(c, "e", NULL, 0); // not written: the hello is not answered
    }
    f.stalled = false;
    ck_assert_int_eq(link_sync(c, 60000), 0);
    link_close(c, 60000, NULL);
    fake_stop(&f);
    ck_assert_ptr_nonnull(
        strstr(f.log, "{\"event\":\"e\"}\n{\"hello\":{\"lost\":3}}\n{\"sync\":1}\n"));
    fake_free(&f);
}
END_TEST

START_TEST(every_line_is_accounted_for_when_the_daemon_breaks_off_again_and_again)
{
    struct fake f = {.close_after = 700};
    fake_start(&f);
    struct link *c = open_client(&f, &hello, LINK_BUFFER_MIN, 20);
    for (int i = 0; i < 3000; i++) {
        link_counter_add(c, "c_total", NULL, 0, i);
    }
    while (link_sync(c, 60000) == -ECONNRESET) {
    }
    struct link_stats s = link_stats(c);
    ck_assert_uint_gt(s.unknown, 0);
    // Of what is unknown some was applied; all else is certain.
    unsigned applied = 0;
    link_close(c, 60000, NULL);
    fake_stop(&f);
    for (const char *p = f.log; (p = strstr(p, "{\"metric\"")) != NULL; p++) {
        applied++;
    }
    ck_assert_uint_gt(f.connections, 1);
    ck_assert_uint_ge(applied + s.lost + s.unknown, 3000);
    ck_assert_uint_le(applied + s.lost, 3000);
    fake_free(&f);
}
END_TEST

START_TEST(a_restarted_daemon_is_found_again)
{
    struct fake f = {0};
    fake_start(&f);
    struct link *c = open_client(&f, &hello, 0, 0);
    ck_assert_int_eq(link_event(c, "before", NULL, 0), 0);
    ck_assert_int_eq(link_sync(c, 60000), 0);
    fake_stop(&f);
    link_work(c, 0);
    ck_assert_int_eq(link_event(c, "between", NULL, 0), 0);
    ck_assert_int_eq(link_sync(c, 50), -ETIMEDOUT);
    ck_assert(!link_stats(c).connected);
    fake_listen(&f);
    ck_assert_int_eq(link_sync(c, 60000), 0);
    struct link_stats s;
    link_close(c, 60000, &s);
    fake_stop(&f);
    ck_assert_str_eq(f.log, HELLO "{\"event\":\"before\"}\n{\"sync\":1}\n" HELLO
                                  "{\"event\":\"between\"}\n{\"sync\":2}\n");
    ck_assert_uint_eq(s.lost + s.unknown, 0);
    fake_free(&f);
}
END_TEST

START_TEST(one_sample_outlives_the_daemon_that_did_not_take_it)
{
    struct fake f = {0};
    struct link *c;
    struct wire_sample s = {.name = "m", .value = "1"};
    fake_name(&f);
    struct link_config config = {.path = f.path};
    ck_assert_int_eq(link_open(&c, &config), 0);
    ck_assert_int_eq(link_apply(c, &s, 50), -ENOENT);
    fake_listen(&f);
    ck_assert_int_eq(link_apply(c, &s, 5000), 0); // both
    ck_assert_uint_eq(link_stats(c).applied, 2);
    fake_stop(&f);
    fake_listen(&f);
    ck_assert_int_eq(link_apply(c, &s, 5000), 0); // its connection fails
    ck_assert_uint_eq(link_stats(c).applied, 3);
    ck_assert_uint_eq(link_stats(c).unknown, 0);
    ck_assert_int_eq(link_close(c, 0, NULL), 0);
    fake_stop(&f);
    ck_assert_str_eq(
        f.log, "{\"metric\":\"m\",\"value\":1}\n{\"metric\":\"m\",\"value\":1}\n{\"sync\":1}\n"
               "{\"metric\":\"m\",\"value\":1}\n{\"sync\":3}\n");
    fake_free(&f);
}
END_TEST

START_TEST(what_was_taken_and_not_answered_is_not_sent_again)
{
    struct fake f = {.die_one_in = 1};
    struct link *c;
    struct wire_sample s = {.name = "m", .value = "1"};
    fake_start(&f);
    struct link_config config = {.path = f.path};
    ck_assert_int_eq(link_open(&c, &config), 0);
    ck_assert_int_eq(link_apply(c, &s, 5000), -ECONNRESET);
    ck_assert_uint_eq(link_stats(c).unknown, 1);
    link_close(c, 0, NULL);
    fake_stop(&f);
    ck_assert_str_eq(f.log, "{\"metric\":\"m\",\"value\":1}\n");
    fake_free(&f);
}
END_TEST

START_TEST(replies_and_lines_in_pieces_of_one_byte_are_whole_in_the_end)
{
    struct fake f = {.by_bytes = true};
    fake_start(&f);
    struct link *c = open_client(&f, &hello, 0, 0);
    ck_assert_int_eq(link_connect(c, 60000), 0);
    for (int i = 0; i < 1500; i++) {
        ck_assert_int_eq(link_event(c, i % 2 == 0 ? "rpc" : "no_such", NULL, 0), 0);
    }
    ck_assert_int_eq(link_sync(c, 60000), 0);
    struct link_stats s;
    ck_assert_int_eq(link_close(c, 60000, &s), 0);
    fake_stop(&f);
    ck_assert_uint_eq(s.applied, 750);
    ck_assert_uint_eq(s.rejected, 750);
    ck_assert_uint_eq(s.refused, 750);
    ck_assert_ptr_nonnull(strstr(f.log, "{\"sync\":2}\n")); // the other nobody asked for
    fake_free(&f);
}
END_TEST

static void remember(void *arg, const struct wire_reply *refusal)
{
    *(struct wire_reply *)arg = *refusal;
}

START_TEST(refusals_are_delivered)
{
    struct fake f = {0};
    fake_start(&f);
    struct wire_reply last = {0};
    struct link *c;
    struct link_config config = {
        .path = f.path, .hello = &hello, .on_rejection = remember, .arg = &last};
    ck_assert_int_eq(link_open(&c, &config), 0);
    link_counter_add(c, "no_such_total", NULL, 0, 1);
    ck_assert_int_eq(link_sync(c, 60000), 0);
    ck_assert_str_eq(last.reason, "unknown_metric");
    ck_assert_str_eq(last.detail, "a \"b\"");
    ck_assert_uint_eq(last.line, 1); // of what was sent
    ck_assert_uint_eq(link_stats(c).rejected, 1);
    link_close(c, 0, NULL);
    fake_stop(&f);
    fake_free(&f);
}
END_TEST

START_TEST(after_a_refused_hello_no_line_is_written)
{
    struct fake f = {.refuse_hello = true};
    fake_start(&f);
    struct link *c = open_client(&f, &hello, 0, 0);
    ck_assert_int_eq(link_connect(c, 60000), -EPERM);
    link_event(c, "e", NULL, 0);
    struct link_stats s;
    ck_assert_int_eq(link_close(c, 50, &s), -ETIMEDOUT);
    fake_stop(&f);
    ck_assert_str_eq(f.log, HELLO);
    ck_assert_uint_eq(s.lost, 1);
    ck_assert_uint_eq(s.unknown, 0);
    fake_free(&f);
}
END_TEST

START_TEST(what_a_silent_daemon_got_is_unknown_in_the_end)
{
    struct fake f = {.silent = true};
    fake_start(&f);
    struct link *c = open_client(&f, NULL, 0, 0);
    link_event(c, "a", NULL, 0);
    link_event(c, "b", NULL, 0);
    struct link_stats s;
    ck_assert_int_eq(link_close(c, 50, &s), -ETIMEDOUT);
    fake_stop(&f);
    ck_assert_uint_eq(s.unknown, 2);
    ck_assert_uint_eq(s.lost, 0);
    fake_free(&f);
}
END_TEST

UNIT_MAIN("client", every_kind_of_sample_arrives_as_written_here,
          what_is_no_line_is_refused_and_not_counted_as_lost,
          lines_wait_for_a_daemon_that_comes_later_and_the_rest_is_counted,
          a_reader_that_sleeps_holds_a_send_no_longer_than_asked,
          what_is_lost_while_connected_is_told_before_the_next_sync,
          every_line_is_accounted_for_when_the_daemon_breaks_off_again_and_again,
          a_restarted_daemon_is_found_again, one_sample_outlives_the_daemon_that_did_not_take_it,
          what_was_taken_and_not_answered_is_not_sent_again,
          replies_and_lines_in_pieces_of_one_byte_are_whole_in_the_end, refusals_are_delivered,
          after_a_refused_hello_no_line_is_written, what_a_silent_daemon_got_is_unknown_in_the_end)
