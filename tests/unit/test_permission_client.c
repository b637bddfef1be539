// SPDX-License-Identifier: Apache-2.0
#include "source/permission.h"

#include "dialogue.h"
#include "ingest/datagram.h"
#include "unit.h"

static const char CATALOG[] =
    "metrics:\n"
    "  - {name: a, type: gauge, help: h, component: manager}\n"
    "  - {name: b, type: gauge, help: h, component: provider, labels: [p]}\n"
    "  - {name: c_total, type: counter, help: h, component: any}\n";

enum { A = 1, B = 2, C = 4 };

// An entry for this user, or for others.
struct spec {
    bool ours;
    unsigned component;
    const char *instance;
    uint8_t metrics;
    uint32_t connections;
    const char *p; // what the label must read
};

static struct fixture h;

static uint32_t rate; // of the entries of `put`, in events a second; 0: any number

static void put(const struct spec *specs, size_t n)
{
    struct permission_roles *r = permission_roles_new(n);
    for (size_t i = 0; i < n; i++) {
        struct permission_role *e = &r->entries[i];
        e->by_user = true;
        e->user = specs[i].ours ? geteuid() : geteuid() + 1;
        e->component = specs[i].component;
        e->instance = specs[i].instance != NULL ? strdup(specs[i].instance) : NULL;
        e->metrics = malloc(1);
        *e->metrics = specs[i].metrics;
        e->connections = specs[i].connections;
        e->events_per_second = rate;
        if (specs[i].p != NULL) {
            e->n_labels = 1;
            e->label_names[0] = strdup("p");
            e->label_values[0] = strdup(specs[i].p);
        }
    }
    ck_assert_int_eq(ingest_bind_permissions(h.ingest, r), 0);
    permission_roles_free(ingest_put_permissions(h.ingest, r));
}

#define PUT(...)                                                                                   \
    put((struct spec[]){__VA_ARGS__}, sizeof((struct spec[]){__VA_ARGS__}) / sizeof(struct spec))

// No `sources` any more.
static void put_open(void)
{
    struct permission_roles *r = permission_roles_new(0);
    r->open = true;
    ck_assert_int_eq(ingest_bind_permissions(h.ingest, r), 0);
    permission_roles_free(ingest_put_permissions(h.ingest, r));
}

#define HELLO(component, instance)                                                                 \
    "{\"hello\":{\"component\":\"" component "\",\"instance\":\"" instance "\"}}\n"
#define WELCOME(applied) "{\"hello\":{\"protocol\":1,\"applied\":" #applied ",\"known\":true}}\n"
#define GAUGE "{\"metric\":\"a\",\"value\":1}\n"
#define PGAUGE(p) "{\"metric\":\"b\",\"labels\":{\"p\":\"" p "\"},\"value\":1}\n"
#define COUNTER "{\"metric\":\"c_total\"}\n"
#define NOT(line, detail)                                                                          \
    "{\"error\":\"not_permitted\",\"line\":" #line ",\"detail\":\"" detail "\"}\n"
#define LIMITED(line, detail)                                                                      \
    "{\"error\":\"rate_limited\",\"line\":" #line ",\"detail\":\"" detail "\"}\n"
#define NO_ENTRY "no entry of sources is for this user"
#define MANY "several entries of sources are for this user; a hello must say which"
#define NOT_BE(instance) "no entry of sources lets this user be instance \\\"" instance "\\\""

static uint64_t rejected(unsigned component, enum reject_reason reason)
{
    return count_read(&h.p->statistics.cells[component]->rejected[reason]);
}

static void says(struct dialogue *d, const char *line, const char *answer)
{
    const char *got = dialogue_line(d, line);
    ck_assert_msg(strcmp(got != NULL ? got : "", answer) == 0, "%s is answered\n%s not\n%s", line,
                  got != NULL ? got : "", answer);
}

static void open_dialogue(struct dialogue *d)
{
    dialogue_open(d, &h);
}

START_TEST(a_hello_falls_under_the_entry_that_fits_it)
{
    struct dialogue d;
    fixture_open(&h, CATALOG, 100, 100);
    PUT({true, COMPONENT_PROVIDER, "x", B, 0, "1"}, {true, COMPONENT_PROVIDER, "y", B, 0, "2"},
        {true, COMPONENT_MANAGER, NULL, A | C, 0, NULL});
    open_dialogue(&d);
    says(&d, HELLO("provider", "y"), WELCOME(0));
    says(&d, PGAUGE("2") PGAUGE("1"), NOT(3, "sources[1] may push b with p=\\\"2\\\" only"));
    says(&d, COUNTER, NOT(4, "sources[1] may not push c_total"));
    ck_assert_uint_eq(rejected(COMPONENT_PROVIDER, REJECT_not_permitted), 2);
    dialogue_close(&d);
    open_dialogue(&d);
    says(&d, HELLO("manager", "any"), WELCOME(0));
    says(&d, GAUGE COUNTER PGAUGE("2"), NOT(4, "sources[2] may not push b"));
    dialogue_close(&d);
    ck_assert_str_eq(fixture_samples(&h), "a 1\nb{p=\"2\"} 1\nc_total 1\n");
    fixture_close(&h);
}
END_TEST

START_TEST(a_hello_that_no_entry_permits_is_the_last_word)
{
    static const char *const hellos[] = {HELLO("provider", "y"), HELLO("manager", "x"),
                                         "{\"hello\":{\"component\":\"provider\"}}\n"};
    static const char *const answers[] = {NOT(1, NOT_BE("y")), NOT(1, NOT_BE("x")),
                                          NOT(1, NOT_BE(""))};
    fixture_open(&h, CATALOG, 100, 100);
    PUT({true, COMPONENT_PROVIDER, "x", B, 0, NULL}, {false, COMPONENT_PROVIDER, "y", B, 0, NULL},
        {false, COMPONENT_MANAGER, NULL, A, 0, NULL});
    for (size_t i = 0; i < 3; i++) {
        struct dialogue d;
        char both[256];
        open_dialogue(&d);
        snprintf(both, sizeof both, "%s" COUNTER, hellos[i]);
        says(&d, both, answers[i]);
        ck_assert(d.c->closing);
        dialogue_close(&d);
    }
    // As one of the component that it said it was.
    ck_assert_uint_eq(rejected(COMPONENT_PROVIDER, REJECT_not_permitted), 2);
    ck_assert_uint_eq(rejected(COMPONENT_MANAGER, REJECT_not_permitted), 1);
    uint32_t at = 0;
    ck_assert_ptr_null(sources_next(h.sources, &at));
    ck_assert_str_eq(fixture_samples(&h), "");
    struct rejected_line e;
    ck_assert(rejected_take(h.p->rejected_lines, &e));
    ck_assert_uint_eq(e.user, geteuid());
    fixture_close(&h);
}
END_TEST

START_TEST(a_user_whom_no_entry_knows_is_unknown_whatever_it_claims)
{
    struct dialogue d;
    fixture_open(&h, CATALOG, 100, 100);
    PUT({false, COMPONENT_PROVIDER, NULL, B, 0, NULL},
        {false, COMPONENT_MANAGER, NULL, A, 0, NULL});
    open_dialogue(&d);
    says(&d, HELLO("provider", "x"), NOT(1, NOT_BE("x")));
    dialogue_close(&d);
    open_dialogue(&d);
    says(&d, HELLO("manager", "x"), NOT(1, NOT_BE("x")));
    dialogue_close(&d);
    ck_assert_uint_eq(rejected(COMPONENT_PROVIDER, REJECT_not_permitted), 0);
    ck_assert_uint_eq(rejected(COMPONENT_MANAGER, REJECT_not_permitted), 0);
    ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_not_permitted), 2);
    fixture_close(&h);
}
END_TEST

START_TEST(without_a_hello_the_only_entry_decides)
{
    struct dialogue d;
    fixture_open(&h, CATALOG, 100, 100);
    PUT({false, COMPONENT_MANAGER, NULL, A, 0, NULL}, {true, COMPONENT_PROVIDER, "x", B, 0, NULL});
    open_dialogue(&d);
    says(&d, PGAUGE("1") GAUGE, NOT(2, "sources[1] may not push a"));
    ck_assert_uint_eq(count_read(&h.p->statistics.cells[COMPONENT_PROVIDER]->applied), 1);
    ck_assert_uint_eq(rejected(COMPONENT_PROVIDER, REJECT_not_permitted), 1);
    dialogue_close(&d);
    PUT({true, COMPONENT_MANAGER, NULL, A, 0, NULL}, {true, COMPONENT_PROVIDER, "x", B, 0, NULL});
    open_dialogue(&d);
    says(&d, GAUGE "{\"sync\":1}\n", NOT(1, MANY) "{\"sync\":1,\"applied\":0,\"rejected\":1}\n");
    dialogue_close(&d);
    PUT({false, COMPONENT_MANAGER, NULL, A, 0, NULL});
    open_dialogue(&d);
    says(&d, GAUGE "[]\n{\"ping\":1}\n", NOT(1, NO_ENTRY) NOT(2, NO_ENTRY) "{\"ping\":1}\n");
    dialogue_close(&d);
    put(NULL, 0);
    open_dialogue(&d);
    says(&d, GAUGE, NOT(1, NO_ENTRY));
    dialogue_close(&d);
    ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_not_permitted), 4);
    fixture_close(&h);
}
END_TEST

START_TEST(a_reload_changes_what_a_connection_may_do)
{
    struct dialogue named;
    struct dialogue unnamed;
    fixture_open(&h, CATALOG, 100, 100);
    ck_assert_int_eq(event_reader_cache(h.p->reader, 1 << 20), 0);
    open_dialogue(&named);
    open_dialogue(&unnamed);
    says(&named, HELLO("provider", "x") PGAUGE("1") PGAUGE("1") PGAUGE("1"), WELCOME(0));
    says(&unnamed, COUNTER COUNTER COUNTER, "");
    PUT({true, COMPONENT_PROVIDER, "x", B, 0, "2"});
    says(&named, PGAUGE("1") PGAUGE("2"), NOT(5, "sources[0] may push b with p=\\\"2\\\" only"));
    says(&unnamed, COUNTER, NOT(4, "sources[0] may not push c_total"));
    PUT({true, COMPONENT_PROVIDER, "y", B, 0, NULL}, {true, COMPONENT_PROVIDER, "z", C, 0, NULL});
    says(&named, PGAUGE("1"),
         NOT(7, "no entry of sources lets this user push as this source any more"));
    says(&named, "{\"forget\":{\"labels\":{\"p\":\"1\"}}}\n",
         NOT(8, "no entry of sources lets this user push as this source any more"));
    says(&unnamed, COUNTER, NOT(5, MANY));
    put_open();
    says(&named, PGAUGE("1"), "");
    says(&unnamed, COUNTER "{\"sync\":1}\n", "{\"sync\":1,\"applied\":4,\"rejected\":2}\n");
    dialogue_close(&named);
    dialogue_close(&unnamed);
    fixture_close(&h);
}
END_TEST

START_TEST(a_forget_counts_as_an_event)
{
    struct dialogue d;
    fixture_open(&h, CATALOG, 100, 100);
    rate = 2;
    PUT({true, COMPONENT_PROVIDER, "x", B, 0, NULL});
    rate = 0;
    open_dialogue(&d);
    says(&d, HELLO("provider", "x") PGAUGE("1") "{\"forget\":{\"labels\":{\"p\":\"1\"}}}\n",
         WELCOME(0) "{\"forget\":{\"series\":1}}\n");
    dialogue_line(&d, "{\"forget\":{\"labels\":{\"p\":\"1\"}}}\n");
    ck_assert_uint_eq(rejected(COMPONENT_PROVIDER, REJECT_rate_limited), 1);
    ck_assert(!d.c->closing);
    dialogue_close(&d);
    fixture_close(&h);
}
END_TEST

START_TEST(another_user_cannot_be_a_source_that_is_connected)
{
    struct dialogue mine;
    struct dialogue second;
    struct dialogue other;
    fixture_open(&h, CATALOG, 100, 100);
    open_dialogue(&mine);
    open_dialogue(&second);
    says(&mine, HELLO("provider", "x"), WELCOME(0));
    says(&second, HELLO("provider", "x"), WELCOME(0));
    open_dialogue(&other);
    other.c->id.client.peer.uid++;
    says(&other, HELLO("provider", "x") COUNTER,
         NOT(1, "another user is connected as this source"));
    ck_assert(other.c->closing);
    dialogue_close(&other);
    ck_assert_uint_eq(rejected(COMPONENT_PROVIDER, REJECT_not_permitted), 1);
    open_dialogue(&other);
    other.c->id.client.peer.uid++;
    says(&other, HELLO("manager", "x"), WELCOME(0)); // another component's is another source
    dialogue_close(&other);
    dialogue_close(&mine);
    dialogue_close(&second);
    open_dialogue(&other);
    other.c->id.client.peer.uid++;
    says(&other, HELLO("provider", "x"), WELCOME(0)); // they have gone
    dialogue_close(&other);
    fixture_close(&h);
}
END_TEST

START_TEST(connections_have_a_number_and_hellos_count_for_themselves)
{
    struct dialogue d[6];
    fixture_open(&h, CATALOG, 100, 100);
    PUT({true, COMPONENT_PROVIDER, "x", B, 2, NULL}, {true, COMPONENT_PROVIDER, "y", B, 1, NULL});
    for (int i = 0; i < 3; i++) {
        open_dialogue(&d[i]); // three that said nothing find room under both entries
        ck_assert(!d[i].c->closing);
    }
    open_dialogue(&d[3]);
    ck_assert(d[3].c->closing);
    ck_assert_str_eq(dialogue_replies(&d[3]),
                     LIMITED(0, "too many connections that have not said hello"));
    dialogue_close(&d[3]);
    says(&d[0], HELLO("provider", "x"), WELCOME(0));
    says(&d[1], HELLO("provider", "x"), WELCOME(0));
    says(&d[2], HELLO("provider", "x"), LIMITED(1, "sources[0] has its 2 connections"));
    ck_assert(d[2].c->closing);
    dialogue_close(&d[2]);
    // Those with a hello do not take the room of those without.
    for (int i = 2; i < 5; i++) {
        open_dialogue(&d[i]);
        ck_assert(!d[i].c->closing);
    }
    says(&d[2], HELLO("provider", "y"), WELCOME(0));
    dialogue_close(&d[0]);
    says(&d[3], HELLO("provider", "x"), WELCOME(0));
    // A lower number leaves those that are there.
    PUT({true, COMPONENT_PROVIDER, "x", B, 1, NULL}, {true, COMPONENT_PROVIDER, "y", B, 1, NULL});
    says(&d[1], PGAUGE("1"), "");
    says(&d[3], PGAUGE("1"), "");
    dialogue_close(&d[1]);
    says(&d[4], HELLO("provider", "x"), LIMITED(1, "sources[0] has its 1 connections"));
    ck_assert_uint_eq(rejected(COMPONENT_PROVIDER, REJECT_rate_limited), 2);
    for (int i = 2; i < 5; i++) {
        dialogue_close(&d[i]);
    }
    for (int i = 1; i < TABLE_QUOTAS; i++) {
        ck_assert_uint_eq(h.p->permissions->usages[i].connections, 0);
        ck_assert_uint_eq(h.p->permissions->usages[i].anonymous, 0);
    }
    fixture_close(&h);
}
END_TEST

START_TEST(strangers_have_a_few_connections_all_together)
{
    struct dialogue d[PERMISSION_MAX_STRANGERS + 1];
    fixture_open(&h, CATALOG, 100, 100);
    PUT({false, COMPONENT_MANAGER, NULL, A, 0, NULL});
    for (int i = 0; i <= PERMISSION_MAX_STRANGERS; i++) {
        open_dialogue(&d[i]);
        ck_assert_int_eq(d[i].c->closing, i == PERMISSION_MAX_STRANGERS);
    }
    put_open();
    for (int i = 0; i <= PERMISSION_MAX_STRANGERS; i++) {
        says(&d[i], COUNTER,
             i < PERMISSION_MAX_STRANGERS
                 ? ""
                 : LIMITED(0, "too many connections that have not said hello"));
        dialogue_close(&d[i]);
    }
    ck_assert_uint_eq(h.p->permissions->usages[0].anonymous, 0);
    fixture_close(&h);
}
END_TEST

START_TEST(rights_that_come_and_go_leave_no_connection_counted)
{
    uint64_t seed = unit_seed() | 1;
    struct dialogue d[6];
    bool open[6] = {false};
    fixture_open(&h, CATALOG, 100, 100);
    for (int i = 0; i < 2000; i++) {
        size_t k = unit_random(&seed) % 6;
        switch (unit_random(&seed) % 6) {
        case 0:
            PUT({true, COMPONENT_PROVIDER, "x", B, 2, NULL},
                {true, COMPONENT_MANAGER, NULL, A, 1, NULL});
            break;
        case 1:
            PUT({true, COMPONENT_MANAGER, NULL, A, 1, NULL},
                {false, COMPONENT_PROVIDER, "x", B, 3, NULL});
            break;
        case 2:
            put_open();
            break;
        default:
            if (!open[k]) {
                open_dialogue(&d[k]);
            } else if (unit_random(&seed) % 2 == 0 || d[k].c->closing) {
                dialogue_close(&d[k]);
            } else {
                static const char *const words[] = {HELLO("provider", "x"), HELLO("manager", "m"),
                                                    GAUGE};
                dialogue_line(&d[k], words[unit_random(&seed) % 3]);
                break;
            }
            open[k] = !open[k];
        }
    }
    for (size_t k = 0; k < 6; k++) {
        if (open[k]) {
            dialogue_close(&d[k]);
        }
    }
    for (int i = 0; i < TABLE_QUOTAS; i++) {
        ck_assert_uint_eq(h.p->permissions->usages[i].connections, 0);
        ck_assert_uint_eq(h.p->permissions->usages[i].anonymous, 0);
    }
    uint32_t at = 0;
    for (const struct source *s; (s = sources_next(h.sources, &at)) != NULL;) {
        ck_assert(!source_is_connected(s));
    }
    fixture_close(&h);
}
END_TEST

START_TEST(who_has_more_lines_refused_than_events_rests)
{
    struct dialogue d;
    fixture_open(&h, CATALOG, 100, 100);
    PUT({true, COMPONENT_PROVIDER, NULL, B, 0, NULL});
    struct permission_role *e = h.p->permissions->current->entries;
    open_dialogue(&d);
    says(&d, HELLO("provider", "x"), WELCOME(0));
    ck_assert_uint_eq(permission_throttle(&d.c->id.client, h.p->permissions, 1000000, 5000),
                      0);                 // it has no rate
    e->permission.interval_ns = 10000000; // 100 a second
    ck_assert_uint_eq(permission_throttle(&d.c->id.client, h.p->permissions, 0, 5000), 0);
    ck_assert_uint_eq(permission_throttle(&d.c->id.client, h.p->permissions, 100, 5000), 0);
    ck_assert_uint_eq(permission_throttle(&d.c->id.client, h.p->permissions, 10, 5000), 5100);
    ck_assert_uint_eq(permission_throttle(&d.c->id.client, h.p->permissions, 10, 5200), 0);
    ck_assert_uint_eq(permission_throttle(&d.c->id.client, h.p->permissions, 1000, 5200),
                      5200 + PERMISSION_THROTTLE_MS);
    ck_assert_uint_eq(permission_throttle(&d.c->id.client, h.p->permissions, 1, 99000), 0);
    // What is refused costs none of its events.
    ck_assert_uint_eq(atomic_load(&e->permission.rate->full_ns), 0);
    dialogue_close(&d);
    fixture_close(&h);
}
END_TEST

START_TEST(a_client_that_is_refused_often_is_read_in_smaller_pieces)
{
    struct dialogue d;
    struct buf b = BUF_INIT;
    fixture_open(&h, CATALOG, 100, 100);
    open_dialogue(&d);
    for (int i = 0; i < 4000; i++) {
        buf_str(&b, "x\n");
    }
    dialogue_send(&d, b.p, b.len);
    dialogue_send(&d, b.p, b.len);
    ck_assert_int_eq(dialogue_read(&d), 16000);
    dialogue_send(&d, b.p, b.len);
    ck_assert_int_eq(dialogue_read(&d), CONNECTION_READ_LESS);
    ck_assert_int_eq(dialogue_read(&d), 8000 - CONNECTION_READ_LESS);
    for (int i = 0; i < CONNECTION_SMALL_READS; i++) {
        ck_assert_uint_gt(d.c->small_reads, 0);
        dialogue_send(&d, COUNTER, strlen(COUNTER));
        ck_assert_int_eq(dialogue_read(&d), (int)strlen(COUNTER));
    }
    dialogue_send(&d, b.p, b.len);
    ck_assert_int_eq(dialogue_read(&d), 8000);
    buf_free(&b);
    dialogue_close(&d);
    fixture_close(&h);
}
END_TEST

static void send_datagram(int fds[2], const char *text)
{
    ck_assert_int_eq(send(fds[1], text, strlen(text), 0), (ssize_t)strlen(text));
    ck_assert_int_eq(fixture_datagram(fds[0], h.p), 1);
}

START_TEST(datagrams_are_held_to_the_same)
{
    int fds[2];
    fixture_open(&h, CATALOG, 100, 100);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
    PUT({true, COMPONENT_PROVIDER, "x", B, 1, NULL}, {true, COMPONENT_PROVIDER, "y", C, 1, NULL});
    send_datagram(fds, HELLO("provider", "x") PGAUGE("1"));
    // Nobody asked who sends, and no entry is for nobody.
    ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_not_permitted), 1);
    ck_assert_uint_eq(rejected(COMPONENT_PROVIDER, REJECT_not_permitted), 0);
    ck_assert_int_eq(peer_ask(fds[0]), 0);
    send_datagram(fds, HELLO("provider", "x") PGAUGE("1") COUNTER);
    ck_assert_uint_eq(rejected(COMPONENT_PROVIDER, REJECT_not_permitted), 1);
    send_datagram(fds, HELLO("provider", "y") COUNTER);
    send_datagram(fds, COUNTER);
    ck_assert_uint_eq(rejected(COMPONENT_UNKNOWN, REJECT_not_permitted), 2);
    send_datagram(fds, HELLO("manager", "m") COUNTER);
    ck_assert_uint_eq(rejected(COMPONENT_MANAGER, REJECT_not_permitted), 1);
    ck_assert_str_eq(fixture_samples(&h), "b{p=\"1\"} 1\nc_total 1\n");
    PUT({true, COMPONENT_PROVIDER, NULL, C, 1, NULL});
    send_datagram(fds, COUNTER);
    send_datagram(fds, COUNTER);
    ck_assert_uint_eq(count_read(&h.p->statistics.cells[COMPONENT_PROVIDER]->applied), 4);
    PUT({true, COMPONENT_MANAGER, NULL, B, 1, NULL}); // the same sender, under another entry
    send_datagram(fds, COUNTER);
    ck_assert_uint_eq(rejected(COMPONENT_MANAGER, REJECT_not_permitted), 2);
    close(fds[0]);
    close(fds[1]);
    fixture_close(&h);
}
END_TEST

START_TEST(another_unit_than_the_entry_s_is_told_and_nothing_more)
{
    struct dialogue d;
    struct rejected_line e;
    fixture_open(&h, CATALOG, 100, 100);
    PUT({true, COMPONENT_MANAGER, NULL, A, 0, NULL});
    h.p->permissions->current->entries[0].unit = strdup("no-such-unit.service");
    open_dialogue(&d);
    says(&d, HELLO("manager", "m") GAUGE, WELCOME(0));
    ck_assert(rejected_take(h.p->rejected_lines, &e));
    ck_assert_int_eq(e.reason, REJECT_NONE);
    ck_assert_str_eq(e.instance, "m");
    ck_assert_str_ne(e.detail, "");
    ck_assert(!rejected_take(h.p->rejected_lines, &e));
    dialogue_close(&d);
    fixture_close(&h);
}
END_TEST

UNIT_MAIN("permission_client", who_has_more_lines_refused_than_events_rests,
          a_client_that_is_refused_often_is_read_in_smaller_pieces,
          a_hello_falls_under_the_entry_that_fits_it,
          a_hello_that_no_entry_permits_is_the_last_word,
          a_user_whom_no_entry_knows_is_unknown_whatever_it_claims,
          without_a_hello_the_only_entry_decides, a_reload_changes_what_a_connection_may_do,
          a_forget_counts_as_an_event, another_user_cannot_be_a_source_that_is_connected,
          connections_have_a_number_and_hellos_count_for_themselves,
          strangers_have_a_few_connections_all_together,
          rights_that_come_and_go_leave_no_connection_counted, datagrams_are_held_to_the_same,
          another_unit_than_the_entry_s_is_told_and_nothing_more)
