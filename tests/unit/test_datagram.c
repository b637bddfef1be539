// SPDX-License-Identifier: Apache-2.0
#include "ingest/datagram.h"

#include "house.h"
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static const char CATALOG[] = "metrics:\n"
                              "  - {name: a_total, type: counter, help: h}\n"
                              "  - {name: g, type: gauge, help: h, labels: [l], owner: source}\n";

#define A "{\"metric\":\"a_total\"}"
#define HELLO(rest) "{\"hello\":{\"component\":\"provider\"" rest "}}\n"

static struct house h;
static int fds[2]; // ours, the client's

static void open_it(void)
{
    int room = 1 << 20;
    house_open(&h, CATALOG, 100, 100);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

static void close_it(void)
{
    close(fds[0]);
    close(fds[1]);
    house_close(&h);
}

static void say(const char *bytes, size_t len)
{
    ck_assert_int_eq(send(fds[1], bytes, len, 0), (ssize_t)len);
    ck_assert_int_eq(datagram_read(fds[0], h.p, h.ingest->workers[0].input), 1);
}

static uint64_t rejected(unsigned component, enum reject reason)
{
    return ingest_rejected(h.ingest, component, reason);
}

static uint64_t applied(unsigned component)
{
    return ingest_applied(h.ingest, component);
}

START_TEST(a_datagram_carries_lines_and_the_last_lf_may_be_missing)
{
    open_it();
    ck_assert_int_eq(datagram_read(fds[0], h.p, h.ingest->workers[0].input), 0);
    static const char *const datagrams[] = {
        A, A "\n", A "\n\n \r\n" A, A "\r\n" A "\n", "[" A "," A "]", "", "\n"};
    for (size_t i = 0; i < sizeof datagrams / sizeof datagrams[0]; i++) {
        say(datagrams[i], strlen(datagrams[i]));
    }
    ck_assert_str_eq(house_samples(&h), "a_total 8\n");
    ck_assert_uint_eq(applied(COMPONENT_UNKNOWN), 7);
    ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_bad_json), 0);
    close_it();
}
END_TEST

START_TEST(a_refused_line_does_not_touch_those_beside_it)
{
    open_it();
    say(A "\nx\n" A, strlen(A "\nx\n" A));
    ck_assert_str_eq(house_samples(&h), "a_total 2\n");
    ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_bad_json), 1);
    char byte;
    ck_assert_int_eq(recv(fds[1], &byte, 1, MSG_DONTWAIT), -1);
    close_it();
}
END_TEST

START_TEST(a_datagram_has_at_most_65536_bytes)
{
    open_it();
    struct buf b = BUF_INIT;
    buf_str(&b, A "\n" A);
    while (b.len < EVENT_MAX_LINE) {
        buf_char(&b, ' ');
    }
    say(b.p, b.len);
    ck_assert_str_eq(house_samples(&h), "a_total 2\n");
    buf_char(&b, '\n');
    say(b.p, b.len);
    buf_str(&b, A "\n");
    say(b.p, b.len);
    ck_assert_str_eq(house_samples(&h), "a_total 2\n");
    ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_too_long), 2);
    buf_free(&b);
    close_it();
}
END_TEST

START_TEST(a_hello_holds_for_its_datagram)
{
    open_it();
    const char *text = "\n" HELLO(
        ",\"instance\":\"i\",\"labels\":{\"l\":\"v\"},\"lost\":4") "{\"metric\":\"g\",\"value\":1}"
                                                                   "\n{\"sync\":1}\n{\"ping\":1}";
    say(text, strlen(text));
    ck_assert_str_eq(house_samples(&h), "g{l=\"v\"} 1\n");
    ck_assert_uint_eq(applied(COMPONENT_PROVIDER), 1);
    ck_assert_uint_eq(ingest_lost(h.ingest, COMPONENT_PROVIDER), 4);
    say("{\"metric\":\"g\",\"value\":1}", 24);
    ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_missing_label), 1);
    close_it();
}
END_TEST

START_TEST(a_refused_hello_refuses_what_follows)
{
    static const char *const texts[] = {HELLO(",\"session\":\"s\"") A, "{\"hello\":{}}\n" A};
    for (size_t i = 0; i < 2; i++) {
        open_it();
        say(texts[i], strlen(texts[i]));
        ck_assert_str_eq(house_samples(&h), "");
        ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_bad_control), 2);
        close_it();
    }
    open_it();
    const char *late = A "\n" HELLO("") A;
    say(late, strlen(late));
    ck_assert_str_eq(house_samples(&h), "a_total 1\n");
    ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_bad_control), 2);
    close_it();
}
END_TEST

START_TEST(forget_needs_a_hello)
{
    open_it();
    const char *set =
        HELLO(",\"instance\":\"i\"") "{\"metric\":\"g\",\"labels\":{\"l\":\"v\"},\"value\":1}";
    const char *forget = "{\"forget\":{\"labels\":{\"l\":\"v\"}}}";
    const char *both = HELLO(",\"instance\":\"i\"") "{\"forget\":{\"labels\":{\"l\":\"v\"}}}";
    say(set, strlen(set));
    say(forget, strlen(forget));
    ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_bad_control), 1);
    ck_assert_str_eq(house_samples(&h), "g{l=\"v\"} 1\n");
    say(both, strlen(both));
    ck_assert_str_eq(house_samples(&h), "");
    close_it();
}
END_TEST

START_TEST(a_source_of_datagrams_is_connected_for_a_minute)
{
    open_it();
    const char *text =
        HELLO(",\"instance\":\"i\"") "{\"metric\":\"g\",\"labels\":{\"l\":\"v\"},\"value\":1}";
    uint64_t start = h.p->now_ms;
    say(text, strlen(text));
    uint32_t at = 0;
    const struct source *src = sources_next(h.sources, &at);
    h.p->now_ms = start + 50000;
    say(text, strlen(text));
    sources_tick(h.sources, h.store, start + 50000 + SOURCE_DATAGRAM_MS - 1);
    ck_assert(source_connected(src));
    sources_tick(h.sources, h.store, start + 50000 + SOURCE_DATAGRAM_MS);
    ck_assert(!source_connected(src));
    sources_tick(h.sources, h.store, start + 50000 + SOURCE_DATAGRAM_MS + SOURCE_GRACE_MS - 1);
    ck_assert_str_eq(house_samples(&h), "g{l=\"v\"} 1\n");
    sources_tick(h.sources, h.store, start + 50000 + SOURCE_DATAGRAM_MS + SOURCE_GRACE_MS);
    ck_assert_str_eq(house_samples(&h), "");
    close_it();
}
END_TEST

START_TEST(a_line_that_only_looks_like_a_hello_opens_the_window)
{
    open_it();
    const char *text = "{\"metric\":\"g\",\"labels\":{\"l\":\"hello\"},\"value\":1}";
    say(text, strlen(text));
    uint32_t life;
    const struct source *src = source_nameless(h.sources, COMPONENT_UNKNOWN, &life);
    ck_assert_uint_ne(atomic_load(&src->datagram_at), 0);
    close_it();
}
END_TEST

START_TEST(a_broken_socket_says_so)
{
    open_it();
    ck_assert_int_eq(datagram_read(-1, h.p, h.ingest->workers[0].input), -EBADF);
    close_it();
}
END_TEST

UNIT_MAIN("datagram", a_datagram_carries_lines_and_the_last_lf_may_be_missing,
          a_refused_line_does_not_touch_those_beside_it, a_datagram_has_at_most_65536_bytes,
          a_hello_holds_for_its_datagram, a_refused_hello_refuses_what_follows,
          forget_needs_a_hello, a_source_of_datagrams_is_connected_for_a_minute,
          a_line_that_only_looks_like_a_hello_opens_the_window, a_broken_socket_says_so)
