// SPDX-License-Identifier: Apache-2.0
// Which of a line's defects is named: the one whose reason comes first in reject.def.
#include "event/event.h"

#include "fixture.h"
#include "unit.h"

#include <sys/socket.h>
#include <unistd.h>

/*
 * The pieces of a line, each of which may be spoilt. The metric of the line is a counter with a closed label,
 * or a gauge at its limit where a defect needs that.
 */
struct pieces {
    const char *open;      // before all
    const char *name;      // the member that names metric or event
    const char *op;        // with its comma
    const char *labels[4]; // members of labels
    const char *value;     // with its comma
    const char *exemplar;  // with its comma
    const char *more;      // with its comma
    const char *close;     // behind all
    bool many;             // with blanks to be too long
};

static const char CATALOG[] =
    "labels:\n"
    "  c: {values: [x, y], closed: true}\n"
    "  o: {values: [p]}\n"
    "metrics:\n"
    "  - {name: c_total, type: counter, help: h, labels: [a, b, c, o]}\n"
    "  - {name: g, type: gauge, help: h, series_limit: 1, labels: [a, b, c, o]}\n";

// Each spoils one thing. Defects that spoil the same piece cannot stand in one line.
struct defect {
    enum reject_reason reason;
    unsigned pieces; // a bit for each piece that it takes
    void (*spoil)(struct pieces *p);
};

enum {
    OPEN = 1,
    NAME = 2,
    OP = 4,
    A = 8,
    B = 16,
    C = 32,
    O = 64,
    VALUE = 128,
    EXEMPLAR = 256,
    MORE = 512,
    CLOSE = 1024,
    LENGTH = 2048
};

#define SPOIL(what, statement)                                                                     \
    static void what(struct pieces *p)                                                             \
    {                                                                                              \
        statement;                                                                                 \
    }

SPOIL(too_long, p->many = true)
SPOIL(bad_utf8, p->more = ",\"\xff\":1")
SPOIL(bad_json, p->close = "}}")
SPOIL(not_an_object, (p->open = "[[],{", p->close = "}]"))
SPOIL(duplicate_field, p->labels[3] = "\"o\":\"p\",\"o\":\"p\"")
SPOIL(unknown_field, p->more = ",\"time\":1")
SPOIL(both, p->more = ",\"event\":\"e\"")
SPOIL(bad_control, (p->name = "\"sync\":1,\"ping\":2"))
SPOIL(unknown_metric, p->name = "\"metric\":\"d_total\"")
SPOIL(unknown_event, p->name = "\"event\":\"d\"")
SPOIL(bad_op, p->op = ",\"op\":\"observe\"")
SPOIL(unknown_label, p->labels[3] = "\"o\":\"p\",\"z\":\"p\"")
SPOIL(missing_label, p->labels[0] = "\"a\":\"\"")
SPOIL(bad_label_value, p->labels[1] = "\"b\":7")
SPOIL(not_allowed, p->labels[2] = "\"c\":\"z\"")
SPOIL(missing_value, (p->name = "\"metric\":\"g\"", p->value = ""))
SPOIL(bad_value, p->value = ",\"value\":1e400")
SPOIL(negative_counter, p->value = ",\"value\":-1")
SPOIL(bad_exemplar, p->exemplar = ",\"exemplar\":1")
SPOIL(series_limit, p->name = "\"metric\":\"g\"")

static const struct defect defects[] = {
    {REJECT_too_long, LENGTH, too_long},
    {REJECT_bad_utf8, MORE, bad_utf8},
    {REJECT_bad_json, CLOSE, bad_json},
    {REJECT_not_an_object, OPEN | CLOSE, not_an_object},
    {REJECT_duplicate_field, O, duplicate_field},
    {REJECT_unknown_field, MORE, unknown_field},
    {REJECT_unknown_field, MORE | NAME, both},
    {REJECT_bad_control, NAME, bad_control},
    {REJECT_unknown_metric, NAME, unknown_metric},
    {REJECT_unknown_event, NAME, unknown_event},
    {REJECT_bad_op, OP, bad_op},
    {REJECT_unknown_label, O, unknown_label},
    {REJECT_missing_label, A, missing_label},
    {REJECT_bad_label_value, B, bad_label_value},
    {REJECT_label_value_not_allowed, C, not_allowed},
    {REJECT_missing_value, NAME | VALUE, missing_value},
    {REJECT_bad_value, VALUE, bad_value},
    {REJECT_negative_counter, VALUE, negative_counter},
    {REJECT_bad_exemplar, EXEMPLAR, bad_exemplar},
    {REJECT_series_limit, NAME, series_limit},
};

enum { DEFECTS = sizeof defects / sizeof defects[0] };

static struct fixture h;
static const char *client_says; // the reply to the last line

// Sends one line through a connection, since that is what knows of too long ones.
static const char *reply_to(struct buf *line)
{
    static char reply[1024];
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct connection *c = connection_new(fds[0], h.p);
    ck_assert_int_eq(send(fds[1], line->p, line->len, 0), (ssize_t)line->len);
    shutdown(fds[1], SHUT_WR);
    while (!c->closing) {
        ck_assert_int_ge(fixture_read(c, h.p, h.ingest->workers[0].input), 0);
    }
    ck_assert_int_eq(connection_flush(c), 0);
    ssize_t n = recv(fds[1], reply, sizeof reply - 1, MSG_DONTWAIT);
    reply[n > 0 ? n : 0] = '\0';
    connection_free(c, h.p);
    close(fds[1]);
    return reply;
}

static void write_line(struct buf *out, const struct pieces *p)
{
    buf_addf(out, "%s%s%s,\"labels\":{%s,%s,%s,%s}%s%s%s%s", p->open, p->name, p->op, p->labels[0],
             p->labels[1], p->labels[2], p->labels[3], p->value, p->exemplar, p->more, p->close);
    for (size_t i = 0; p->many && i < EVENT_MAX_LINE; i++) {
        buf_char(out, ' ');
    }
    buf_char(out, '\n');
}

static const struct pieces GOOD = {
    .open = "{",
    .name = "\"metric\":\"c_total\"",
    .op = "",
    .labels = {"\"a\":\"a\"", "\"b\":\"b\"", "\"c\":\"x\"", "\"o\":\"p\""},
    .value = ",\"value\":1",
    .exemplar = "",
    .more = "",
    .close = "}",
};

// Says a line with two defects (twice the same: with one), and returns the reason of the reply.
static const char *reason_of(const struct defect *one, const struct defect *two)
{
    static char reason[64];
    struct pieces p = GOOD;
    struct buf line = BUF_INIT;
    one->spoil(&p);
    two->spoil(&p);
    write_line(&line, &p);
    client_says = reply_to(&line);
    buf_free(&line);
    reason[0] = '\0';
    sscanf(client_says, "{\"error\":\"%63[a-z_0-9]\"", reason);
    return reason;
}

static void open_at_limit(void)
{
    fixture_open(&h, CATALOG, 100, 100);
    struct event_result v =
        fixture_line(&h, "{\"metric\":\"g\",\"labels\":{\"a\":\"1\",\"b\":\"1\","
                         "\"c\":\"x\",\"o\":\"1\"},\"value\":1}");
    ck_assert_int_eq(v.kind, EVENT_APPLIED);
}

START_TEST(a_line_without_a_defect_is_applied)
{
    open_at_limit();
    struct buf line = BUF_INIT;
    write_line(&line, &GOOD);
    ck_assert_str_eq(reply_to(&line), "");
    ck_assert_uint_eq(ingest_applied(h.ingest, 0), 1);
    buf_free(&line);
    fixture_close(&h);
}
END_TEST

START_TEST(every_defect_alone_has_its_reason)
{
    open_at_limit();
    for (size_t i = 0; i < DEFECTS; i++) {
        ck_assert_str_eq(reason_of(&defects[i], &defects[i]), reject_names[defects[i].reason]);
    }
    fixture_close(&h);
}
END_TEST

static bool is(const struct defect *one, const struct defect *two, enum reject_reason a,
               enum reject_reason b)
{
    return (one->reason == a && two->reason == b) || (one->reason == b && two->reason == a);
}

// A further key in a control line is bad_control itself; and the metric at its limit is no counter.
static bool fit(const struct defect *one, const struct defect *two)
{
    return (one->pieces & two->pieces) == 0 &&
           !is(one, two, REJECT_bad_control, REJECT_unknown_field) &&
           !is(one, two, REJECT_series_limit, REJECT_negative_counter);
}

START_TEST(of_two_defects_the_first_of_the_list_is_named)
{
    open_at_limit();
    size_t pairs = 0;
    for (size_t i = 0; i < DEFECTS; i++) {
        for (size_t k = 0; k < DEFECTS; k++) {
            if (i == k || !fit(&defects[i], &defects[k])) {
                continue;
            }
            enum reject_reason first =
                defects[i].reason < defects[k].reason ? defects[i].reason : defects[k].reason;
            const char *got = reason_of(&defects[i], &defects[k]);
            ck_assert_msg(strcmp(got, reject_names[first]) == 0, "%s and %s: %s",
                          reject_names[defects[i].reason], reject_names[defects[k].reason],
                          client_says);
            pairs++;
        }
    }
    ck_assert_uint_ge(pairs, 2 * 130);
    fixture_close(&h);
}
END_TEST

START_TEST(a_refused_line_leaves_everything_as_it_was)
{
    open_at_limit();
    char *before = strdup(fixture_samples(&h));
    for (size_t i = 0; i < DEFECTS; i++) {
        reason_of(&defects[i], &defects[i]);
    }
    ck_assert_str_eq(fixture_samples(&h), before);
    ck_assert_str_eq(before, "g{a=\"1\",b=\"1\",c=\"x\",o=\"1\"} 1\n");
    free(before);
    fixture_close(&h);
}
END_TEST

UNIT_MAIN("event_order", a_line_without_a_defect_is_applied, every_defect_alone_has_its_reason,
          of_two_defects_the_first_of_the_list_is_named, a_refused_line_leaves_everything_as_it_was)
