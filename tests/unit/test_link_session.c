// SPDX-License-Identifier: Apache-2.0
#include "client/link.h"

#include "unit.h"

#include "fake_daemon.h"

static const struct wire_hello hello = {.component = "provider", .instance = "vc1"};

static uint64_t ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct link *open_client(const struct fake *f, size_t buffer, unsigned wait_ms)
{
    struct link *c;
    struct link_config config = {
        .path = f->path, .hello = &hello, .session = true, .buffer = buffer, .wait_ms = wait_ms};
    ck_assert_int_eq(link_open(&c, &config), 0);
    return c;
}

static int send_number(struct link *c, unsigned i)
{
    char line[64];
    int n = snprintf(line, sizeof line, "{\"metric\":\"m\",\"value\":%u}", i);
    return link_send_line(c, line, (size_t)n);
}

// What the lines of send_number that were dealt with say, as text, with the values [from, to).
static char *numbers(unsigned from, unsigned to)
{
    char *text = calloc(to - from + 1, 40);
    for (char *at = text; from < to; from++) {
        at += sprintf(at, "{\"metric\":\"m\",\"value\":%u}\n", from);
    }
    return text;
}

static void expect_dealt(const struct fake *f, unsigned n)
{
    char *want = numbers(0, n);
    ck_assert_str_eq(f->dealt, want);
    free(want);
}

static uint64_t lost_sent(const struct fake *f)
{
    uint64_t lost = 0;
    for (unsigned i = 0; i < f->n_sessions; i++) {
        lost += f->sessions[i].lost;
    }
    return lost;
}

// The client's account and the daemon's agree.
static void expect_account(const struct fake *f, const struct link_stats *s)
{
    ck_assert_uint_eq(s->waiting, 0);
    ck_assert_uint_eq(s->sent, s->applied + s->rejected + s->unknown + s->lost);
    ck_assert_uint_eq(s->sent, f->total_applied + f->total_rejected + s->lost);
    ck_assert_uint_eq(lost_sent(f), s->lost);
}

START_TEST(a_session_needs_a_hello)
{
    struct link *c;
    struct link_config config = {.path = "/nonexistent/s", .session = true};
    ck_assert_int_eq(link_open(&c, &config), -EINVAL);
}
END_TEST

START_TEST(the_hello_names_a_session_that_no_other_client_has)
{
    struct fake f = {0};
    fake_start(&f);
    for (int i = 0; i < 2; i++) {
        struct link *c = open_client(&f, 0, 0);
        ck_assert_int_eq(send_number(c, 7), 0);
        ck_assert_int_eq(link_sync(c, 60000), 0);
        ck_assert_int_eq(link_close(c, 0, NULL), 0);
    }
    fake_stop(&f);
    ck_assert_uint_eq(f.n_sessions, 2);
    ck_assert_uint_eq(strlen(f.sessions[0].id), 34);
    ck_assert_str_ne(f.sessions[0].id, f.sessions[1].id);
    char want[300];
    snprintf(want, sizeof want,
             "{\"hello\":{\"component\":\"provider\",\"instance\":\"vc1\",\"session\":\"%s\"}}\n"
             "{\"metric\":\"m\",\"value\":7}\n{\"sync\":1}\n",
             f.sessions[0].id);
    ck_assert_mem_eq(f.log, want, strlen(want));
    fake_free(&f);
}
END_TEST

START_TEST(lines_that_the_daemon_would_not_count_are_not_taken)
{
    static const char *const rows[] = {"",
                                       " ",
                                       "\t\r ",
                                       "{\"sync\":1}",
                                       " { \"ping\" : 1 }",
                                       "{\"x\":1,\"forget\":{}}",
                                       "{\"\\u0073ync\":1}",
                                       "{\"hello\":{\"component\":\"provider\"}}"};
    static const char *const taken[] = {"x",
                                        "[]",
                                        "{}",
                                        "{\"event\":\"sync\"}",
                                        "{\"metric\":\"m\",\"sync\":1}",
                                        "{\"labels\":{\"sync\":\"1\"},\"metric\":\"m\"}",
                                        "{\"x\":[{\"sync\":1}]}",
                                        "\"sync\"",
                                        "{\"a\":\"\\u0073ync\"}",
                                        "{\"syn\":1}"};
    struct fake f = {0};
    fake_start(&f);
    struct link *c = open_client(&f, 0, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_msg(link_send_line(c, rows[i], strlen(rows[i])) == -EINVAL, "%s", rows[i]);
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        ck_assert_msg(link_send_line(c, taken[i], strlen(taken[i])) == 0, "%s", taken[i]);
    }
    ck_assert_int_eq(link_sync(c, 60000), 0);
    struct link_stats s;
    link_close(c, 0, &s);
    fake_stop(&f);
    ck_assert_uint_eq(s.sent, sizeof taken / sizeof *taken);
    expect_account(&f, &s);
    fake_free(&f);
}
END_TEST

START_TEST(what_was_not_dealt_with_at_a_break_is_sent_again_and_nothing_else)
{
    struct fake f = {.close_after = 700};
    fake_start(&f);
    struct link *c = open_client(&f, LINK_BUFFER_MIN, 5000);
    for (unsigned i = 0; i < 3000; i++) {
        ck_assert_int_eq(send_number(c, i), 0);
    }
    ck_assert_int_eq(link_sync(c, 60000), 0);
    struct link_stats s;
    ck_assert_int_eq(link_close(c, 60000, &s), 0);
    fake_stop(&f);
    ck_assert_uint_gt(f.connections, 4);
    ck_assert_uint_eq(s.lost, 0);
    expect_dealt(&f, 3000);
    expect_account(&f, &s);
    ck_assert_uint_eq(f.n_sessions, 1);
    fake_free(&f);
}
END_TEST

START_TEST(a_daemon_that_was_away_finds_everything_again)
{
    struct fake f = {0};
    fake_name(&f);
    struct link *c = open_client(&f, 0, 0);
    unsigned i = 0;
    for (int round = 0; round < 3; round++) {
        for (; i < (unsigned)(round + 1) * 1000; i++) {
            ck_assert_int_eq(send_number(c, i), 0);
        }
        fake_listen(&f);
        for (; i < (unsigned)(round + 1) * 1100; i++) {
            ck_assert_int_eq(send_number(c, i), 0);
        }
        if (round == 1) {
            ck_assert_int_eq(link_sync(c, 60000), 0);
        }
        fake_stop(&f);
    }
    fake_listen(&f);
    struct link_stats s;
    ck_assert_int_eq(link_close(c, 60000, &s), 0);
    fake_stop(&f);
    expect_dealt(&f, 3300);
    expect_account(&f, &s);
    ck_assert_uint_eq(s.lost, 0);
    fake_free(&f);
}
END_TEST

START_TEST(a_full_buffer_drops_what_is_new_and_says_so)
{
    struct fake f = {0};
    fake_name(&f);
    struct link *c = open_client(&f, LINK_BUFFER_MIN, 0);
    unsigned kept = 0;
    for (unsigned i = 0; i < 1000; i++) {
        int r = send_number(c, i);
        ck_assert(r == 0 || (r == -ENOBUFS && kept > 0));
        kept += r == 0;
    }
    ck_assert_uint_eq(link_stats(c).lost, 1000 - kept);
    ck_assert_uint_eq(link_stats(c).waiting, kept);
    fake_listen(&f);
    struct link_stats s;
    ck_assert_int_eq(link_close(c, 60000, &s), 0);
    fake_stop(&f);
    expect_dealt(&f, kept);
    expect_account(&f, &s);
    fake_free(&f);
}
END_TEST

START_TEST(what_is_lost_later_is_told_by_a_later_hello)
{
    struct fake f = {0};
    fake_start(&f);
    struct link *c = open_client(&f, LINK_BUFFER_MIN, 0);
    ck_assert_int_eq(link_sync(c, 60000), 0);
    send_number(c, 0);
    ck_assert_int_eq(link_sync(c, 60000), 0);
    fake_stall(&f);
    unsigned taken = 1;
    while (link_stats(c).lost < 3) {
        taken += send_number(c, taken) == 0;
    }
    f.stalled = false;
    struct link_stats s;
    ck_assert_int_eq(link_close(c, 60000, &s), 0);
    fake_stop(&f);
    ck_assert_ptr_nonnull(strstr(f.log, "{\"hello\":{\"lost\":3}}\n{\"sync\":"));
    expect_dealt(&f, taken);
    expect_account(&f, &s);
    fake_free(&f);
}
END_TEST

START_TEST(acknowledgement_comes_without_a_sync_by_the_caller)
{
    struct fake f = {0};
    fake_start(&f);
    struct link *c = open_client(&f, 0, 0);
    send_number(c, 0);
    struct pollfd p;
    uint64_t end = ms() + 10000;
    while (link_stats(c).waiting > 0 && ms() < end) {
        int wait = link_wait(c, &p);
        ck_assert_int_ge(wait, -1);
        ck_assert_int_le(wait, 1000);
        poll(&p, 1, wait);
        link_work(c, 0);
    }
    ck_assert_uint_eq(link_stats(c).applied, 1);
    poll(&p, 1, 10);
    link_work(c, 0);
    ck_assert_int_eq(link_wait(c, &p), -1);
    link_close(c, 0, NULL);
    fake_stop(&f);
    fake_free(&f);
}
END_TEST

// A client with 100 lines acknowledged and `more` dealt with, whose daemon is away.
static struct link *left_alone(struct fake *f, unsigned more)
{
    fake_start(f);
    struct link *c = open_client(f, 0, 0);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_int_eq(send_number(c, i), 0);
    }
    ck_assert_int_eq(link_sync(c, 60000), 0);
    for (unsigned i = 100; i < 100 + more; i++) {
        ck_assert_int_eq(send_number(c, i), 0);
    }
    while (f->total_applied < 100 + more) {
        usleep(1000);
    }
    fake_stop(f);
    link_work(c, 0);
    return c;
}

START_TEST(a_position_that_cannot_be_begins_another_session)
{
    static const struct {
        const char *what;
        unsigned unacknowledged; // lines dealt with and not acknowledged at the break
        int drift;               // of the position that is answered
        bool forget;
        unsigned sessions;
        unsigned lost;
    } rows[] = {
        {"as it is", 10, 0, false, 1, 0},
        {"some were not dealt with after all", 10, -4, false, 1, 0},
        {"none of them", 10, -10, false, 1, 0},
        {"behind what was acknowledged", 10, -11, false, 2, 10},
        {"far behind", 10, -110, false, 2, 10},
        {"beyond what was sent", 10, 1, false, 2, 10},
        {"beyond what was sent, nothing being open", 0, 1, false, 2, 0},
        {"unknown", 10, 0, true, 2, 10},
        {"unknown, nothing being open", 0, 0, true, 2, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake f = {0};
        struct link *c = left_alone(&f, rows[i].unacknowledged);
        ck_assert_int_eq(send_number(c, 1000), 0);
        f.drift = rows[i].drift;
        f.forget = rows[i].forget;
        fake_listen(&f);
        ck_assert_msg(link_sync(c, 60000) == (rows[i].lost > 0 ? -ECONNRESET : 0), "%s",
                      rows[i].what);
        struct link_stats s;
        ck_assert_msg(link_close(c, 60000, &s) == 0, "%s", rows[i].what);
        fake_stop(&f);
        ck_assert_msg(f.n_sessions == rows[i].sessions + rows[i].forget, "%s: %u sessions",
                      rows[i].what, f.n_sessions);
        ck_assert_msg(s.lost == rows[i].lost && lost_sent(&f) == s.lost, "%s", rows[i].what);
        ck_assert_uint_eq(s.sent, s.applied + s.rejected + s.unknown + s.lost);
        ck_assert_str_eq(f.dealt + f.dealt_len - 28, "{\"metric\":\"m\",\"value\":1000}\n");
        fake_free(&f);
    }
}
END_TEST

START_TEST(what_was_acknowledged_and_rolled_back_is_lost)
{
    static const struct {
        const char *what;
        unsigned
            back; // the position that is left, of 100 that were acknowledged and 10 that were not
        unsigned swallow;
        unsigned swallow_later;
        unsigned unknown;
        unsigned lost;
    } rows[] = {
        {"before what was acknowledged", 60, 0, 0, 0, 50},
        {"at the first line", 1, 0, 0, 0, 109},
        {"just what was acknowledged", 100, 0, 0, 0, 10},
        {"some more", 105, 0, 0, 5, 5},
        {"all", 110, 0, 0, 10, 0},
        {"whose answer got lost", 60, 2, 0, 0, 50},
        {"whose answer got lost, with some more", 105, 2, 0, 5, 5},
        {"whose answer to `lost` got lost", 60, 0, 2, 0, 50},
        {"whose answer to `lost` got lost, with some more", 105, 0, 2, 5, 5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake f = {0};
        struct link *c = left_alone(&f, 10);
        ck_assert_int_eq(send_number(c, 1000), 0);
        f.roll_back = rows[i].back;
        f.swallow = rows[i].swallow;
        f.swallow_later = rows[i].swallow_later;
        fake_listen(&f);
        ck_assert_msg(link_sync(c, 60000) == (rows[i].lost > 0 ? -ECONNRESET : 0), "%s",
                      rows[i].what);
        struct link_stats s;
        ck_assert_msg(link_close(c, 60000, &s) == 0, "%s", rows[i].what);
        fake_stop(&f);
        ck_assert_msg(f.n_sessions == 2, "%s: %u sessions", rows[i].what, f.n_sessions);
        ck_assert_msg(s.lost == rows[i].lost && s.unknown == rows[i].unknown,
                      "%s: %llu lost, %llu unknown", rows[i].what, (unsigned long long)s.lost,
                      (unsigned long long)s.unknown);
        expect_account(&f, &s);
        ck_assert_str_eq(f.dealt + f.dealt_len - 28, "{\"metric\":\"m\",\"value\":1000}\n");
        fake_free(&f);
    }
}
END_TEST

START_TEST(what_was_told_as_lost_and_rolled_back_is_told_again)
{
    struct fake f = {0};
    fake_name(&f);
    struct link *c = open_client(&f, LINK_BUFFER_MIN, 0);
    while (link_stats(c).lost < 5) {
        send_number(c, 0);
    }
    for (int round = 0; round < 2; round++) { // in two sessions
        fake_listen(&f);
        send_number(c, 1);
        link_sync(c, 60000);
        send_number(c, 1);
        ck_assert_int_eq(link_sync(c, 60000), 0);
        fake_stop(&f);
        link_work(c, 0);
        f.roll_back = 1;
    }
    fake_listen(&f);
    struct link_stats s;
    send_number(c, 2);
    link_sync(c, 60000);
    ck_assert_int_eq(link_close(c, 60000, &s), 0);
    fake_stop(&f);
    ck_assert_uint_eq(f.n_sessions, 3);
    ck_assert_uint_gt(s.lost, 5);
    expect_account(&f, &s);
    fake_free(&f);
}
END_TEST

START_TEST(what_another_session_has_told_as_lost_is_not_told_again)
{
    struct fake f = {0};
    fake_name(&f);
    struct link *c = open_client(&f, LINK_BUFFER_MIN, 0);
    while (link_stats(c).lost < 5) {
        send_number(c, 0);
    }
    for (int round = 0; round < 3; round++) {
        fake_listen(&f);
        ck_assert_int_eq(link_sync(c, 60000), 0);
        fake_stop(&f);
        link_work(c, 0);
        f.forget = true;
    }
    fake_listen(&f);
    struct link_stats s;
    ck_assert_int_eq(link_close(c, 60000, &s), 0);
    fake_stop(&f);
    ck_assert_uint_eq(s.lost, 5);
    expect_account(&f, &s);
    fake_free(&f);
}
END_TEST

START_TEST(a_sync_that_counts_other_lines_than_ours_begins_another_session)
{
    for (int drift = -1; drift <= 1; drift += 2) {
        struct fake f = {0};
        fake_start(&f);
        struct link *c = open_client(&f, 0, 0);
        for (unsigned i = 0; i < 10; i++) {
            send_number(c, i);
        }
        f.drift_sync = drift;
        ck_assert_int_eq(link_sync(c, 60000), -ECONNRESET);
        struct link_stats s;
        ck_assert_int_eq(link_close(c, 60000, &s), 0);
        fake_stop(&f);
        ck_assert_uint_eq(f.n_sessions, 2);
        ck_assert_uint_eq(s.lost, 10);
        ck_assert_uint_eq(lost_sent(&f), 10);
        fake_free(&f);
    }
}
END_TEST

START_TEST(a_daemon_that_always_lies_is_asked_ever_more_seldom)
{
    struct fake f = {.lies = true};
    fake_start(&f);
    struct link *c = open_client(&f, 0, 0);
    send_number(c, 1);
    uint64_t before = ms();
    ck_assert_int_eq(link_sync(c, 1000), -ETIMEDOUT);
    ck_assert_uint_lt(ms() - before, 3000);
    struct link_stats s;
    link_close(c, 0, &s);
    fake_stop(&f);
    ck_assert_uint_ge(f.connections, 2);
    ck_assert_uint_le(f.connections, 8);
    ck_assert_str_eq(f.dealt, "");
    ck_assert_uint_eq(s.lost, 1);
    fake_free(&f);
}
END_TEST

START_TEST(a_refused_hello_ends_a_sync_and_keeps_the_lines)
{
    struct fake f = {.refuse_hello = true};
    fake_start(&f);
    struct link *c = open_client(&f, 0, 0);
    send_number(c, 0);
    ck_assert_int_eq(link_sync(c, 60000), -EPERM);
    ck_assert_uint_eq(link_stats(c).waiting, 1);
    struct link_stats s;
    link_close(c, 0, &s);
    fake_stop(&f);
    ck_assert_uint_eq(s.lost, 1);
    fake_free(&f);
}
END_TEST

START_TEST(refusals_name_the_line_across_breaks)
{
    struct fake f = {.close_after = 5};
    fake_start(&f);
    struct link *c = open_client(&f, 0, 0);
    for (unsigned i = 1; i <= 20; i++) {
        i % 4 == 0 ? link_send_line(c, "no", 2) : send_number(c, i);
    }
    ck_assert_int_eq(link_sync(c, 60000), 0);
    struct link_stats s;
    link_close(c, 60000, &s);
    fake_stop(&f);
    ck_assert_uint_eq(s.refused, 5);
    ck_assert_uint_eq(s.rejected, 5); // also those whose sync was never answered
    expect_account(&f, &s);
    fake_free(&f);
}
END_TEST

static void remember(void *arg, const struct wire_reply *refusal)
{
    char *text = arg;
    sprintf(text + strlen(text), "%llu ", (unsigned long long)refusal->line);
}

START_TEST(refusals_are_numbered_as_sent)
{
    struct fake f = {.close_after = 6};
    char text[200] = "";
    fake_start(&f);
    struct link *c;
    struct link_config config = {
        .path = f.path, .hello = &hello, .session = true, .on_rejection = remember, .arg = text};
    ck_assert_int_eq(link_open(&c, &config), 0);
    for (unsigned i = 1; i <= 24; i++) {
        i % 5 == 0 ? link_send_line(c, "no", 2) : send_number(c, i);
        if (i % 7 == 0) {
            ck_assert_int_eq(link_sync(c, 60000), 0);
        }
    }
    ck_assert_int_eq(link_sync(c, 60000), 0);
    link_close(c, 60000, NULL);
    fake_stop(&f);
    ck_assert_str_eq(text, "5 10 15 20 ");
    fake_free(&f);
}
END_TEST

START_TEST(no_call_waits_for_a_daemon_that_does_not_read)
{
    struct fake f = {.stalled = true};
    fake_start(&f);
    struct link *c = open_client(&f, 0, 0);
    uint64_t longest = 0;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t before = ms();
        send_number(c, i);
        longest = ms() - before > longest ? ms() - before : longest;
    }
    ck_assert_uint_lt(longest, 30000); // one that waits for the daemon takes for ever
    ck_assert_uint_gt(link_stats(c).lost, 0);
    f.stalled = false;
    struct link_stats s;
    ck_assert_int_eq(link_close(c, 60000, &s), 0);
    fake_stop(&f);
    expect_account(&f, &s);
    fake_free(&f);
}
END_TEST

START_TEST(what_a_silent_daemon_got_is_unknown_and_the_rest_lost)
{
    struct fake f = {0};
    fake_start(&f);
    struct link *c = open_client(&f, 0, 0);
    ck_assert_int_eq(link_connect(c, 60000), 0);
    fake_stall(&f);
    send_number(c, 0);
    send_number(c, 1);
    struct link_stats s;
    ck_assert_int_eq(link_close(c, 50, &s), -ETIMEDOUT);
    fake_stop(&f);
    ck_assert_uint_eq(s.unknown, 2);
    ck_assert_uint_eq(s.lost, 0);
    fake_free(&f);
}
END_TEST

START_TEST(what_a_session_got_that_was_forgotten_unheard_is_lost_and_not_sent_again)
{
    struct fake f = {0};
    fake_start(&f);
    struct link *c = open_client(&f, 0, 5000);
    ck_assert_int_eq(link_connect(c, 60000), 0);
    for (unsigned i = 0; i < 10; i++) {
        ck_assert_int_eq(send_number(c, i), 0);
    }
    while (f.total_applied < 10) { // no sync was answered
        usleep(1000);
    }
    fake_stop(&f);
    f.forget = true;
    f.swallow = 1;
    fake_listen(&f);
    ck_assert_int_eq(send_number(c, 10), 0);
    ck_assert_int_eq(link_sync(c, 60000), -ECONNRESET);
    struct link_stats s;
    ck_assert_int_eq(link_close(c, 60000, &s), 0);
    fake_stop(&f);
    expect_dealt(&f, 11);
    ck_assert_uint_eq(s.lost, 10);
    fake_free(&f);
}
END_TEST

START_TEST(whatever_breaks_whenever_every_line_is_dealt_with_once)
{
    uint64_t seed = unit_seed();
    for (int round = 0; round < 6; round++) {
        struct fake f = {.die_one_in = 40, .by_bytes = round == 5, .random = seed + 1};
        fake_start(&f);
        struct link *c = open_client(&f, LINK_BUFFER_MIN << round % 3, 5000);
        unsigned n = round == 5 ? 100 : 400;
        unsigned i = 0;
        for (; i < n; i++) {
            uint64_t r = unit_random(&seed);
            ck_assert_int_eq(send_number(c, i), 0);
            if (r % 64 == 0) {
                ck_assert_int_eq(link_sync(c, 60000), 0);
            } else if (r % 64 == 1) {
                fake_stop(&f);
                fake_listen(&f);
            }
        }
        struct link_stats s;
        ck_assert_int_eq(link_close(c, 60000, &s), 0);
        fake_stop(&f);
        expect_dealt(&f, n);
        expect_account(&f, &s);
        ck_assert_uint_eq(s.lost, 0);
        fake_free(&f);
    }
}
END_TEST

START_TEST(under_forgetting_and_breaks_the_accounts_agree)
{
    uint64_t seed = unit_seed();
    struct fake f = {.die_one_in = 60, .random = seed + 1};
    fake_start(&f);
    struct link *c = open_client(&f, LINK_BUFFER_MIN, 20);
    for (unsigned i = 0; i < 1500; i++) {
        uint64_t r = unit_random(&seed);
        send_number(c, i);
        if (r % 128 == 0 && f.n_sessions < 20) {
            fake_stop(&f);
            f.forget = true;
            fake_listen(&f);
        }
        struct link_stats s = link_stats(c);
        ck_assert_uint_eq(s.sent, s.applied + s.rejected + s.unknown + s.lost + s.waiting);
    }
    struct link_stats s;
    ck_assert(link_close(c, 60000, &s) == 0 || s.lost > 0);
    fake_stop(&f);
    // What was lost with a session may have been applied; nothing else is in two places.
    ck_assert_uint_eq(s.sent, s.applied + s.rejected + s.unknown + s.lost);
    ck_assert_uint_ge(f.total_applied + f.total_rejected + s.lost, s.sent);
    ck_assert_uint_le(f.total_applied + f.total_rejected, s.sent);
    for (unsigned i = 0; i < 1500; i++) {
        char line[64];
        snprintf(line, sizeof line, "{\"metric\":\"m\",\"value\":%u}\n", i);
        const char *first = strstr(f.dealt, line);
        ck_assert_ptr_null(first == NULL ? NULL : strstr(first + 1, line));
    }
    fake_free(&f);
}
END_TEST

UNIT_MAIN("client_session", a_session_needs_a_hello,
          the_hello_names_a_session_that_no_other_client_has,
          lines_that_the_daemon_would_not_count_are_not_taken,
          what_was_not_dealt_with_at_a_break_is_sent_again_and_nothing_else,
          a_daemon_that_was_away_finds_everything_again,
          a_full_buffer_drops_what_is_new_and_says_so, what_is_lost_later_is_told_by_a_later_hello,
          acknowledgement_comes_without_a_sync_by_the_caller,
          a_position_that_cannot_be_begins_another_session,
          what_was_acknowledged_and_rolled_back_is_lost,
          what_was_told_as_lost_and_rolled_back_is_told_again,
          what_another_session_has_told_as_lost_is_not_told_again,
          a_sync_that_counts_other_lines_than_ours_begins_another_session,
          a_daemon_that_always_lies_is_asked_ever_more_seldom,
          a_refused_hello_ends_a_sync_and_keeps_the_lines, refusals_name_the_line_across_breaks,
          refusals_are_numbered_as_sent, no_call_waits_for_a_daemon_that_does_not_read,
          what_a_silent_daemon_got_is_unknown_and_the_rest_lost,
          what_a_session_got_that_was_forgotten_unheard_is_lost_and_not_sent_again,
          whatever_breaks_whenever_every_line_is_dealt_with_once,
          under_forgetting_and_breaks_the_accounts_agree)
