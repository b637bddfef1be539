// SPDX-License-Identifier: Apache-2.0
#include "ingest/datagram.h"

#include "fixture.h"
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static const char CATALOG[] = "metrics:\n"
                              "  - {name: a_total, type: counter, help: h}\n"
                              "  - {name: g, type: gauge, help: h, labels: [l], owner: source}\n";

#define A "{\"metric\":\"a_total\"}"
#define HELLO(rest) "{\"hello\":{\"component\":\"provider\"" rest "}}\n"

static struct fixture h;
static int fds[2]; // ours, the client's

static void open_it(void)
{
    int room = 1 << 20;
    fixture_open(&h, CATALOG, 100, 100);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

static void close_it(void)
{
    close(fds[0]);
    close(fds[1]);
    fixture_close(&h);
}

static void say(const char *bytes, size_t len)
{
    ck_assert_int_eq(send(fds[1], bytes, len, 0), (ssize_t)len);
    ck_assert_int_eq(fixture_datagram(fds[0], h.p), 1);
}

static uint64_t rejected(unsigned component, enum reject_reason reason)
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
    ck_assert_int_eq(fixture_datagram(fds[0], h.p), 0);
    static const char *const datagrams[] = {
        A, A "\n", A "\n\n \r\n" A, A "\r\n" A "\n", "[" A "," A "]", "", "\n"};
    for (size_t i = 0; i < sizeof datagrams / sizeof datagrams[0]; i++) {
        say(datagrams[i], strlen(datagrams[i]));
    }
    ck_assert_str_eq(fixture_samples(&h), "a_total 8\n");
    ck_assert_uint_eq(applied(COMPONENT_UNKNOWN), 7);
    ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_bad_json), 0);
    close_it();
}
END_TEST

START_TEST(a_refused_line_does_not_touch_those_beside_it)
{
    open_it();
    say(A "\nx\n" A, strlen(A "\nx\n" A));
    ck_assert_str_eq(fixture_samples(&h), "a_total 2\n");
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
    ck_assert_str_eq(fixture_samples(&h), "a_total 2\n");
    buf_char(&b, '\n');
    say(b.p, b.len);
    buf_str(&b, A "\n");
    say(b.p, b.len);
    ck_assert_str_eq(fixture_samples(&h), "a_total 2\n");
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
    ck_assert_str_eq(fixture_samples(&h), "g{l=\"v\"} 1\n");
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
        ck_assert_str_eq(fixture_samples(&h), "");
        ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_bad_control), 2);
        close_it();
    }
    open_it();
    const char *late = A "\n" HELLO("") A;
    say(late, strlen(late));
    ck_assert_str_eq(fixture_samples(&h), "a_total 1\n");
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
    ck_assert_str_eq(fixture_samples(&h), "g{l=\"v\"} 1\n");
    say(both, strlen(both));
    ck_assert_str_eq(fixture_samples(&h), "");
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
    ck_assert(source_is_connected(src));
    sources_tick(h.sources, h.store, start + 50000 + SOURCE_DATAGRAM_MS);
    ck_assert(!source_is_connected(src));
    sources_tick(h.sources, h.store, start + 50000 + SOURCE_DATAGRAM_MS + SOURCE_GRACE_MS - 1);
    ck_assert_str_eq(fixture_samples(&h), "g{l=\"v\"} 1\n");
    sources_tick(h.sources, h.store, start + 50000 + SOURCE_DATAGRAM_MS + SOURCE_GRACE_MS);
    ck_assert_str_eq(fixture_samples(&h), "");
    close_it();
}
END_TEST

START_TEST(each_datagram_without_a_hello_opens_the_window_too)
{
    open_it();
    const struct source *src = source_anonymous(h.sources, COMPONENT_UNKNOWN);
    uint64_t start = h.p->now_ms;
    for (uint64_t after = 0; after <= 50000; after += 50000) {
        h.p->now_ms = start + after;
        say(A, strlen(A));
        say(HELLO(",\"instance\":\"i\"") A, strlen(HELLO(",\"instance\":\"i\"") A));
        say(A, strlen(A));
        say("x\n" A, strlen("x\n" A));
        ck_assert_uint_eq(src->datagram_ms, start + after);
    }
    ck_assert_uint_eq(applied(COMPONENT_UNKNOWN), 6);
    ck_assert_uint_eq(applied(COMPONENT_PROVIDER), 2);
    sources_tick(h.sources, h.store, start + 50000 + SOURCE_DATAGRAM_MS - 1);
    ck_assert_uint_ne(src->datagram_ms, 0);
    sources_tick(h.sources, h.store, start + 50000 + SOURCE_DATAGRAM_MS);
    ck_assert_uint_eq(src->datagram_ms, 0);
    close_it();
}
END_TEST

START_TEST(a_line_that_only_looks_like_a_hello_opens_the_window)
{
    open_it();
    const char *text = "{\"metric\":\"g\",\"labels\":{\"l\":\"hello\"},\"value\":1}";
    say(text, strlen(text));
    const struct source *src = source_anonymous(h.sources, COMPONENT_UNKNOWN);
    ck_assert_uint_ne(src->datagram_ms, 0);
    close_it();
}
END_TEST

static void send_only(const char *text)
{
    ck_assert_int_eq(send(fds[1], text, strlen(text), 0), (ssize_t)strlen(text));
}

START_TEST(a_batch_is_applied_in_the_order_in_which_it_was_sent)
{
    open_it();
    enum { MANY = 3 * DATAGRAM_BATCH + 1 };
    char text[128];
    for (int sent = 0, read = 0; read < MANY;) {
        // Whatever the socket holds: fewer than a batch, or several.
        for (; sent < MANY; sent++) {
            snprintf(text, sizeof text,
                     "{\"metric\":\"g\",\"labels\":{\"l\":\"v\"},\"value\":%d}\n" A, sent);
            if (send(fds[1], text, strlen(text), MSG_DONTWAIT) < 0) {
                break;
            }
        }
        int n = datagram_read(fds[0], h.p);
        ck_assert_int_gt(n, 0);
        read += n;
        ck_assert_int_le(n, DATAGRAM_BATCH);
        char want[64];
        snprintf(want, sizeof want, "a_total %d\ng{l=\"v\"} %d\n", read, read - 1);
        ck_assert_str_eq(fixture_samples(&h), want);
    }
    ck_assert_int_eq(datagram_read(fds[0], h.p), 0);
    ck_assert_uint_eq(applied(COMPONENT_UNKNOWN), 2 * MANY);
    close_it();
}
END_TEST

START_TEST(a_datagram_that_is_too_long_is_refused_alone_in_its_batch)
{
    open_it();
    static char text[EVENT_MAX_LINE + 10];
    memset(text, ' ', sizeof text);
    send_only(A "\n" A);
    ck_assert_int_eq(send(fds[1], text, sizeof text, 0), (ssize_t)sizeof text);
    send_only(A);
    send_only("");
    ck_assert_int_eq(datagram_read(fds[0], h.p), 4);
    ck_assert_str_eq(fixture_samples(&h), "a_total 3\n");
    ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_too_long), 1);
    ck_assert_uint_eq(ingest_statistics(h.ingest, 0)->bytes,
                      3 * strlen(A) + 1 + EVENT_MAX_LINE + 1);
    send_only(A); // where the long one was
    send_only(A "\n");
    ck_assert_int_eq(datagram_read(fds[0], h.p), 2);
    ck_assert_str_eq(fixture_samples(&h), "a_total 5\n");
    close_it();
}
END_TEST

// As another user, which root may do.
static void send_as(uid_t user, const char *text)
{
    struct ucred cred = {.pid = getpid(), .uid = user, .gid = getegid()};
    struct peer_control control;
    struct iovec data = {.iov_base = (void *)text, .iov_len = strlen(text)};
    struct msghdr m = {.msg_iov = &data,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof cred), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS};
    memcpy(CMSG_DATA(c), &cred, sizeof cred);
    ck_assert_int_eq(sendmsg(fds[1], &m, 0), (ssize_t)strlen(text));
}

START_TEST(each_datagram_of_a_batch_is_its_sender_s)
{
    open_it();
    uid_t self = geteuid();
    uid_t other = self == 0 ? 1234 : self;
    ck_assert_int_eq(peer_ask(fds[0]), 0);
    const uid_t users[] = {self, other, other, self};
    for (size_t i = 0; i < 4; i++) {
        send_as(users[i], "x");
    }
    ck_assert_int_eq(datagram_read(fds[0], h.p), 4);
    int off = 0;
    setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &off, sizeof off);
    send_only("x");
    ck_assert_int_eq(datagram_read(fds[0], h.p), 1);
    struct rejected_line line;
    for (size_t i = 0; i < 4; i++) {
        ck_assert(ingest_take_rejected(h.ingest, &line));
        ck_assert_uint_eq(line.user, users[i]);
        ck_assert_uint_eq(line.line, 0);
    }
    ck_assert(ingest_take_rejected(h.ingest, &line));
    ck_assert_uint_eq(line.user, PEER_NOBODY);
    ck_assert(!ingest_take_rejected(h.ingest, &line));
    close_it();
}
END_TEST

START_TEST(what_is_behind_a_forget_in_a_batch_waits_for_it)
{
    open_it();
#define SET(value) "{\"metric\":\"g\",\"labels\":{\"l\":\"v\"},\"value\":" value "}"
#define FORGET "{\"forget\":{\"labels\":{\"l\":\"v\"}}}\n"
    send_only(HELLO(",\"instance\":\"i\"") SET("1"));
    send_only(HELLO(",\"instance\":\"i\"") FORGET SET("2") "\n" FORGET "nonsense\n" SET("3"));
    send_only(A);
    send_only(HELLO(",\"instance\":\"i\"") FORGET);
    send_only(A);
    ck_assert_int_eq(datagram_read(fds[0], h.p), 5);
    ck_assert(datagram_is_open(h.p));
    ck_assert_str_eq(fixture_samples(&h), "g{l=\"v\"} 1\n");
    for (int i = 0; datagram_is_open(h.p); i++) {
        ck_assert_int_lt(i, 100);
        datagram_go_on(h.p);
        uint64_t more = applied(COMPONENT_UNKNOWN);
        ck_assert(more == 0 || applied(COMPONENT_PROVIDER) == 3);
    }
    ck_assert_str_eq(fixture_samples(&h), "a_total 2\n");
    ck_assert_uint_eq(applied(COMPONENT_PROVIDER), 3);
    ck_assert_uint_eq(rejected(COMPONENT_PROVIDER, REJECT_bad_json), 1);
    ck_assert_int_eq(datagram_read(fds[0], h.p), 0);
    close_it();
}
END_TEST

START_TEST(a_batch_that_waits_for_a_forget_is_freed_with_its_worker)
{
    open_it();
    send_only(HELLO(",\"instance\":\"i\"") SET("1"));
    send_only(HELLO(",\"instance\":\"i\"") FORGET A);
    send_only(A);
    ck_assert_int_eq(datagram_read(fds[0], h.p), 3);
    ck_assert(datagram_is_open(h.p));
    close_it();
}
END_TEST

// Its source is the anonymous one, which need not be connected.
START_TEST(a_transient_client_may_forget)
{
    open_it();
    send_only(HELLO(",\"transient\":true") SET("1"));
    send_only(HELLO(",\"transient\":true") FORGET A);
    send_only(A);
    ck_assert_int_eq(datagram_read(fds[0], h.p), 3);
    ck_assert(datagram_is_open(h.p));
    for (int i = 0; datagram_is_open(h.p); i++) {
        ck_assert_int_lt(i, 100);
        datagram_go_on(h.p);
    }
    ck_assert_str_eq(fixture_samples(&h), "a_total 2\n");
    ck_assert(!source_is_connected(source_anonymous(h.sources, COMPONENT_PROVIDER)));
    close_it();
}
END_TEST

START_TEST(a_broken_socket_says_so)
{
    open_it();
    ck_assert_int_eq(datagram_read(-1, h.p), -EBADF);
    close_it();
}
END_TEST

UNIT_MAIN("datagram", a_datagram_carries_lines_and_the_last_lf_may_be_missing,
          a_refused_line_does_not_touch_those_beside_it, a_datagram_has_at_most_65536_bytes,
          a_hello_holds_for_its_datagram, a_refused_hello_refuses_what_follows,
          forget_needs_a_hello, a_source_of_datagrams_is_connected_for_a_minute,
          each_datagram_without_a_hello_opens_the_window_too,
          a_line_that_only_looks_like_a_hello_opens_the_window,
          a_batch_is_applied_in_the_order_in_which_it_was_sent,
          a_datagram_that_is_too_long_is_refused_alone_in_its_batch,
          each_datagram_of_a_batch_is_its_sender_s, what_is_behind_a_forget_in_a_batch_waits_for_it,
          a_batch_that_waits_for_a_forget_is_freed_with_its_worker, a_transient_client_may_forget,
          a_broken_socket_says_so)
