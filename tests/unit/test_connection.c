// SPDX-License-Identifier: Apache-2.0
#include "ingest/connection.h"

#include "dialogue.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>

static const char CATALOG[] = "metrics:\n"
                              "  - {name: a_total, type: counter, help: h}\n"
                              "  - {name: g, type: gauge, help: h, labels: [l]}\n";

#define A "{\"metric\":\"a_total\"}"

static struct fixture h;
static struct dialogue d;

static void open_both(void)
{
    fixture_open(&h, CATALOG, 100, 100);
    dialogue_open(&d, &h);
}

static void close_both(void)
{
    dialogue_close(&d);
    fixture_close(&h);
}

static const char CONVERSATION[] =
    "\r\n"
    "{\"hello\":{\"component\":\"provider\",\"instance\":\"i\",\"labels\":{\"l\":\"v\"}}}\n" //
    A "\r\n \t\n" A "\n"
    "nonsense\n"
    "{\"metric\":\"g\",\"value\":4}\n"
    "[" A "," A "]\n"
    "[{\"metric\":\"g\",\"value\":1},{\"metric\":\"g\",\"value\":null}]\n"
    "{\"sync\":\"x\\u00e9\"}\n"
    "{\"hello\":{\"component\":\"provider\",\"lost\":2}}\n"
    "{\"forget\":{\"labels\":{\"l\":\"v\"}}}\n"
    "{\"metric\":\"g\",\"labels\":{\"l\":\"w\"},\"value\":9}\n"
    "{\"ping\":-0.0}\n" A;

static const char ANSWERS[] =
    "{\"hello\":{\"protocol\":1,\"applied\":0,\"known\":true}}\n"
    "{\"error\":\"bad_json\",\"line\":6,\"detail\":\"invalid token near 'nonsense'\"}\n"
    "{\"error\":\"bad_value\",\"line\":9,\"index\":1,\"detail\":\"the value is no finite "
    "number\"}\n"
    "{\"sync\":\"x\\u00e9\",\"applied\":4,\"rejected\":2}\n"
    "{\"hello\":{\"protocol\":1,\"applied\":4,\"known\":true}}\n"
    "{\"forget\":{\"series\":1}}\n"
    "{\"ping\":-0.0}\n";

static const char SAMPLES[] = "a_total 5\ng{l=\"w\"} 9\n";

// Holds the conversation in pieces that end at the given places.
static void converse(const size_t *ends, size_t n)
{
    open_both();
    buf_clear(&d.replies);
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        dialogue_send(&d, CONVERSATION + from, ends[i] - from);
        if (ends[i] > from) {
            ck_assert_int_eq(dialogue_read(&d), (int)(ends[i] - from));
        }
        from = ends[i];
    }
    shutdown(d.fd, SHUT_WR);
    ck_assert_int_eq(dialogue_read(&d), 0);
    ck_assert(d.c->closing);
    ck_assert_str_eq(dialogue_replies(&d), ANSWERS);
    ck_assert_str_eq(fixture_samples(&h), SAMPLES);
    ck_assert_uint_eq(ingest_applied(h.ingest, COMPONENT_PROVIDER), 6);
    ck_assert_uint_eq(ingest_lost(h.ingest, COMPONENT_PROVIDER), 2);
    ck_assert_uint_eq(count_read(&h.p->stats->bytes), sizeof CONVERSATION - 1);
    close_both();
}

START_TEST(a_conversation_split_anywhere_means_the_same)
{
    size_t len = sizeof CONVERSATION - 1;
    for (size_t i = 0; i <= len; i++) {
        converse((size_t[]){i, len}, 2);
    }
}
END_TEST

START_TEST(a_conversation_said_byte_by_byte_means_the_same)
{
    size_t ends[sizeof CONVERSATION - 1];
    for (size_t i = 0; i < sizeof CONVERSATION - 1; i++) {
        ends[i] = i + 1;
    }
    converse(ends, sizeof CONVERSATION - 1);
}
END_TEST

START_TEST(many_lines_come_in_one_read)
{
    open_both();
    struct buf b = BUF_INIT;
    for (int i = 0; i < 3000; i++) {
        buf_str(&b, A "\n");
    }
    buf_str(&b, "{\"sync\":1}\n");
    ck_assert_str_eq(dialogue_say(&d, b.p, b.len),
                     "{\"sync\":1,\"applied\":3000,\"rejected\":0}\n");
    ck_assert_str_eq(fixture_samples(&h), "a_total 3000\n");
    buf_free(&b);
    close_both();
}
END_TEST

// A line of that many bytes that counts once: blanks stand before the value.
static void add_long(struct buf *out, size_t len)
{
    buf_str(out, "{\"metric\":\"a_total\"");
    while (len > 1 + strlen("{\"metric\":\"a_total\"")) {
        buf_char(out, ' ');
        len--;
    }
    buf_str(out, "}\n");
}

START_TEST(a_line_has_at_most_65536_bytes)
{
    open_both();
    struct buf b = BUF_INIT;
    add_long(&b, 65536);
    ck_assert_uint_eq(b.len, 65537);
    ck_assert_str_eq(dialogue_say(&d, b.p, b.len), "");
    buf_clear(&b);
    add_long(&b, 65537);
    ck_assert_str_eq(
        dialogue_say(&d, b.p, b.len),
        "{\"error\":\"too_long\",\"line\":2,\"detail\":\"longer than 65536 bytes\"}\n");
    ck_assert_str_eq(dialogue_line(&d, A "\n{\"sync\":1}\n"),
                     "{\"sync\":1,\"applied\":2,\"rejected\":1}\n");
    ck_assert_str_eq(fixture_samples(&h), "a_total 2\n");
    buf_free(&b);
    close_both();
}
END_TEST

START_TEST(a_line_that_is_too_long_is_skipped_to_its_end_across_reads)
{
    static const size_t pieces[] = {1, 65536, 65537, 70000, 131072, 131073, 200000};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        open_both();
        struct buf b = BUF_INIT;
        struct buf replies = BUF_INIT;
        add_long(&b, 300000);
        buf_str(&b, A "\n{\"sync\":7}\n");
        size_t piece = pieces[i] == 1 ? b.len - 1 : pieces[i];
        for (size_t at = 0; at < b.len; at += piece) {
            buf_str(&replies, dialogue_say(&d, b.p + at, b.len - at < piece ? b.len - at : piece));
        }
        ck_assert_str_eq(
            buf_string(&replies),
            "{\"error\":\"too_long\",\"line\":1,\"detail\":\"longer than 65536 bytes\"}\n"
            "{\"sync\":7,\"applied\":1,\"rejected\":1}\n");
        buf_free(&replies);
        buf_free(&b);
        close_both();
    }
}
END_TEST

START_TEST(the_last_line_counts_without_its_lf)
{
    open_both();
    ck_assert_str_eq(dialogue_line(&d, A "\n" A), "");
    ck_assert_str_eq(fixture_samples(&h), "a_total 1\n");
    ck_assert_str_eq(dialogue_end(&d), "");
    ck_assert_str_eq(fixture_samples(&h), "a_total 2\n");
    close_both();

    open_both();
    dialogue_line(&d, "{\"sync\":1}");
    ck_assert_str_eq(dialogue_end(&d), "{\"sync\":1,\"applied\":0,\"rejected\":0}\n");
    close_both();
}
END_TEST

START_TEST(the_end_of_a_line_that_was_too_long_is_no_line)
{
    open_both();
    struct buf b = BUF_INIT;
    add_long(&b, 70000);
    b.len--;
    dialogue_say(&d, b.p, b.len);
    ck_assert_str_eq(dialogue_end(&d), "");
    ck_assert_uint_eq(d.c->lines, 1);
    ck_assert_uint_eq(ingest_rejected(h.ingest, 0, REJECT_too_long), 1);
    buf_free(&b);
    close_both();
}
END_TEST

START_TEST(blank_lines_are_numbered_and_not_checked)
{
    open_both();
    ck_assert_str_eq(dialogue_line(&d, "\n\r\n \t \n\t\r\nx\n"),
                     "{\"error\":\"bad_json\",\"line\":5,\"detail\":\"invalid token near 'x'\"}\n");
    ck_assert(connection_is_blank("", 0));
    ck_assert(!connection_is_blank("\v", 1));
    ck_assert(!connection_is_blank(" \0", 2));
    close_both();
}
END_TEST

START_TEST(ids_are_echoed_byte_for_byte)
{
    static const char *const ids[] = {"1",
                                      "-0.0",
                                      "1e5",
                                      "\"x\\u00e9\"",
                                      "\"\xc3\xa9\"",
                                      "123456789012345678901234567890",
                                      "1e999",
                                      "\"\\u0000\"",
                                      "0.10"};
    open_both();
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char line[100];
        char want[100];
        snprintf(line, sizeof line, "{ \"ping\" :\t%s }\r\n", ids[i]);
        snprintf(want, sizeof want, "{\"ping\":%s}\n", ids[i]);
        ck_assert_str_eq(dialogue_line(&d, line), want);
        snprintf(line, sizeof line, "{\"sync\":%s}\n", ids[i]);
        snprintf(want, sizeof want, "{\"sync\":%s,\"applied\":0,\"rejected\":0}\n", ids[i]);
        ck_assert_str_eq(dialogue_line(&d, line), want);
    }
    close_both();
}
END_TEST

START_TEST(error_replies_that_nobody_reads_are_dropped_and_counted)
{
    open_both();
    int room = 4096;
    setsockopt(d.c->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    uint64_t said = 0;
    while (count_read(&h.p->stats->replies_dropped) == 0 && said < 100000) {
        dialogue_send(&d, "x\nx\nx\nx\n", 8);
        ck_assert_int_eq(dialogue_read(&d), 8);
        said += 4;
    }
    dialogue_send(&d, "x\n", 2);
    dialogue_read(&d);
    said++;
    ck_assert(!d.c->closing);
    ck_assert_uint_eq(ingest_rejected(h.ingest, 0, REJECT_bad_json), said);
    ck_assert_uint_le(d.c->replies.len - d.c->replies_sent, CONNECTION_REPLIES);
    uint64_t dropped = count_read(&h.p->stats->replies_dropped);

    // Now it reads: every reply that was not dropped is there, and whole.
    const char *text = dialogue_replies(&d);
    uint64_t lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    ck_assert_uint_eq(lines + dropped, said);
    char want[100];
    snprintf(want, sizeof want, "{\"sync\":1,\"applied\":0,\"rejected\":%d}\n", (int)said);
    ck_assert_str_eq(dialogue_line(&d, "{\"sync\":1}\n"), want);
    close_both();
}
END_TEST

START_TEST(a_reply_other_than_an_error_that_finds_no_room_closes)
{
    static const char *const lines[] = {
        "{\"sync\":1}\n", "{\"ping\":\"an id that is longer than an error's rest\"}\n"};
    for (size_t i = 0; i < 2; i++) {
        open_both();
        int room = 4096;
        setsockopt(d.c->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
        while (count_read(&h.p->stats->replies_dropped) == 0) {
            dialogue_send(&d, "x\nx\n", 4);
            dialogue_read(&d);
        }
        // What room is left may hold a sync or two.
        for (int k = 0; k < 10 && !d.c->closing; k++) {
            dialogue_send(&d, lines[i], strlen(lines[i]));
            dialogue_read(&d);
        }
        ck_assert(d.c->closing);
        ck_assert(!connection_is_waiting(d.c));
        // Nothing of what stands behind is read any more.
        ck_assert_str_eq(fixture_samples(&h), "");
        close_both();
    }
}
END_TEST

START_TEST(an_idle_connection_holds_no_big_buffer)
{
    struct buf text = BUF_INIT;
    open_both();
    for (int i = 0; i < 60000; i++) {
        buf_char(&text, 'x');
    }
    dialogue_say(&d, text.p, text.len);
    ck_assert_uint_ge(d.c->tail_cap, text.len);
    for (int i = 0; i < 300; i++) {
        buf_str(&text, "\nnonsense");
    }
    buf_char(&text, '\n');
    ck_assert_uint_gt(strlen(dialogue_say(&d, text.p + 60000, text.len - 60000)), 10000);
    ck_assert_uint_le(d.c->tail_cap, 512);
    ck_assert_uint_le(d.c->replies.cap, 512);
    buf_free(&text);
    close_both();
}
END_TEST

START_TEST(a_broken_connection_says_so)
{
    open_both();
    dialogue_line(&d, "x\n");
    close(d.fd);
    d.fd = open("/dev/null", O_RDONLY);
    dialogue_read(&d);
    d.c->replies.len = 0;
    buf_str(&d.c->replies, "y");
    ck_assert_int_eq(connection_flush(d.c), -EPIPE);
    close_both();
}
END_TEST

UNIT_MAIN("connection", a_conversation_split_anywhere_means_the_same,
          a_conversation_said_byte_by_byte_means_the_same, many_lines_come_in_one_read,
          a_line_has_at_most_65536_bytes,
          a_line_that_is_too_long_is_skipped_to_its_end_across_reads,
          the_last_line_counts_without_its_lf, the_end_of_a_line_that_was_too_long_is_no_line,
          blank_lines_are_numbered_and_not_checked, ids_are_echoed_byte_for_byte,
          error_replies_that_nobody_reads_are_dropped_and_counted,
          a_reply_other_than_an_error_that_finds_no_room_closes,
          an_idle_connection_holds_no_big_buffer, a_broken_connection_says_so)
