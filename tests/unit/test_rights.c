// SPDX-License-Identifier: Apache-2.0
#include "ingest/rights.c"

#include "unit.h"

static struct rights_book book;
static _Atomic uint32_t made[TABLE_PAYERS];

struct spec {
    int user; // -1: any
    int group;
    unsigned component;
    const char *instance;
};

static struct rights *rights_of(const struct spec *specs, size_t n)
{
    struct rights *r = rights_new(n);
    for (size_t i = 0; i < n; i++) {
        r->entries[i].by_user = specs[i].user >= 0;
        r->entries[i].user = (uid_t)specs[i].user;
        r->entries[i].by_group = specs[i].group >= 0;
        r->entries[i].group = (gid_t)specs[i].group;
        r->entries[i].component = specs[i].component;
        r->entries[i].instance = specs[i].instance != NULL ? strdup(specs[i].instance) : NULL;
    }
    return r;
}

static void put(struct rights *r)
{
    ck_assert_int_eq(rights_bind(&book, r, made), 0);
    rights_free(rights_put(&book, r));
}

static struct slice slice(const char *text)
{
    return (struct slice){text, strlen(text)};
}

START_TEST(the_first_entry_that_fits_decides)
{
    static const struct spec specs[] = {
        {1000, -1, COMPONENT_MANAGER, NULL},    {-1, 50, COMPONENT_PROVIDER, "a"},
        {-1, 50, COMPONENT_PROVIDER, "b"},      {1001, 60, COMPONENT_PROVIDER, "c"},
        {-1, -1, COMPONENT_PROVIDER, "shared"}, {1000, -1, COMPONENT_PROVIDER, NULL},
    };
    gid_t more[] = {50, 70};
    const struct peer peers[] = {
        {.uid = 1000, .gid = 1, .has_groups = true},
        {.uid = 1001, .gid = 1, .has_groups = true, .n_groups = 2, .groups = more},
        {.uid = 1001, .gid = 60, .has_groups = true},
        {.uid = 1002, .gid = 60, .has_groups = true},
        {.uid = PEER_NOBODY, .gid = 50},
    };
    static const struct {
        size_t peer;
        unsigned component;
        const char *instance;
        int entry; // -1: none
    } cases[] = {
        {0, COMPONENT_MANAGER, "", 0},         {0, COMPONENT_MANAGER, "x", 0},
        {0, COMPONENT_PROVIDER, "a", 5},       {0, COMPONENT_PROVIDER, "", 5},
        {0, COMPONENT_PROVIDER, "shared", 4},  {1, COMPONENT_PROVIDER, "a", 1},
        {1, COMPONENT_PROVIDER, "b", 2},       {1, COMPONENT_PROVIDER, "ab", -1},
        {1, COMPONENT_PROVIDER, "", -1},       {1, COMPONENT_PROVIDER, "c", -1},
        {1, COMPONENT_MANAGER, "a", -1},       {2, COMPONENT_PROVIDER, "c", 3},
        {2, COMPONENT_PROVIDER, "a", -1},      {3, COMPONENT_PROVIDER, "c", -1},
        {3, COMPONENT_PROVIDER, "shared", 4},  {4, COMPONENT_PROVIDER, "a", -1},
        {4, COMPONENT_PROVIDER, "shared", -1},
    };
    struct rights *r = rights_of(specs, sizeof specs / sizeof specs[0]);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct rights_entry *e =
            rights_find(r, &peers[cases[i].peer], cases[i].component, slice(cases[i].instance));
        ck_assert_msg((e == NULL ? -1 : (int)(e - r->entries)) == cases[i].entry, "case %zu", i);
    }
    rights_free(r);
}
END_TEST

START_TEST(of_a_datagram_the_members_of_the_group_count)
{
    static const struct spec spec = {-1, 50, COMPONENT_PROVIDER, NULL};
    struct rights *r = rights_of(&spec, 1);
    uid_t members[] = {5, 7, 4000000000};
    r->entries[0].members = malloc(sizeof members);
    memcpy(r->entries[0].members, members, sizeof members);
    r->entries[0].n_members = 3;
    ck_assert(rights_fits(r->entries, &(struct peer){.uid = 7, .gid = 1}));
    ck_assert(rights_fits(r->entries, &(struct peer){.uid = 4000000000, .gid = 1}));
    ck_assert(rights_fits(r->entries, &(struct peer){.uid = 1, .gid = 50}));
    ck_assert(!rights_fits(r->entries, &(struct peer){.uid = 6, .gid = 1}));
    // Of a connection the kernel knows all groups, and a member who left his group is none.
    ck_assert(!rights_fits(r->entries, &(struct peer){.uid = 7, .gid = 1, .has_groups = true}));
    rights_free(r);
}
END_TEST

START_TEST(an_entry_covers_those_that_it_leaves_nothing_to)
{
    static const struct {
        struct spec a, b;
        bool covers;
    } cases[] = {
        {{-1, -1, 1, NULL}, {-1, -1, 1, NULL}, true},  {{-1, -1, 1, NULL}, {5, 6, 1, "x"}, true},
        {{-1, -1, 1, NULL}, {-1, -1, 2, NULL}, false}, {{5, -1, 1, NULL}, {5, -1, 1, "x"}, true},
        {{5, -1, 1, NULL}, {5, 6, 1, NULL}, true},     {{5, -1, 1, NULL}, {6, -1, 1, NULL}, false},
        {{5, -1, 1, NULL}, {-1, -1, 1, NULL}, false},  {{5, 6, 1, NULL}, {5, -1, 1, NULL}, false},
        {{-1, 6, 1, NULL}, {5, 6, 1, "x"}, true},      {{-1, 6, 1, NULL}, {5, -1, 1, "x"}, false},
        {{-1, -1, 1, "x"}, {-1, -1, 1, NULL}, false},  {{-1, -1, 1, "x"}, {-1, -1, 1, "y"}, false},
        {{-1, -1, 1, "x"}, {-1, 5, 1, "x"}, true},     {{0, -1, 1, NULL}, {-1, 0, 1, NULL}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rights *a = rights_of(&cases[i].a, 1);
        struct rights *b = rights_of(&cases[i].b, 1);
        ck_assert_msg(rights_covers(a->entries, b->entries) == cases[i].covers, "case %zu", i);
        rights_free(a);
        rights_free(b);
    }
}
END_TEST

START_TEST(the_same_entry_keeps_its_account_over_a_reload)
{
    static const struct spec before[] = {{1, -1, 1, NULL}, {2, -1, 2, "a"}, {3, -1, 2, "a"}};
    static const struct spec after[] = {{3, -1, 2, "a"}, {1, -1, 1, "b"}, {2, -1, 2, "a"}};
    struct rights *r = rights_of(before, 3);
    put(r);
    ck_assert_uint_eq(rights_generation(&book), 1);
    uint16_t account[] = {r->entries[0].account, r->entries[1].account, r->entries[2].account};
    uint64_t number = r->entries[2].permit.number;
    ck_assert(account[0] != 0 && account[0] != account[1] && account[1] != account[2]);
    r = rights_of(after, 3);
    r->entries[0].events_per_second = 1000;
    r->entries[0].series = 7;
    put(r);
    ck_assert_uint_eq(rights_generation(&book), 2);
    ck_assert_uint_eq(r->entries[0].account, account[2]);
    ck_assert_uint_eq(r->entries[2].account, account[1]);
    // That of an entry in force is not given away, though nothing counts in it.
    ck_assert(r->entries[1].account != account[0] && r->entries[1].account != account[1]);
    const struct permit *p = &r->entries[0].permit;
    ck_assert_uint_gt(p->number, number);
    ck_assert_uint_eq(p->interval_ns, 1000000);
    ck_assert_uint_eq(p->series, 7);
    ck_assert_uint_eq(p->payer, account[2]);
    ck_assert_ptr_eq(p->full_ns, &book.at[account[2]].full_ns);
    rights_close(&book);
    ck_assert_uint_eq(rights_generation(&book), 0);
}
END_TEST

START_TEST(an_account_in_which_something_counts_is_not_given_away)
{
    struct spec spec = {0, -1, 1, NULL};
    for (int i = 0; i < TABLE_PAYERS - 3; i++) {
        spec.user = i;
        struct rights *r = rights_of(&spec, 1);
        put(r);
        uint16_t at = r->entries[0].account;
        atomic_store(i % 3 == 0   ? &made[at]
                     : i % 3 == 1 ? &book.at[at].connections
                                  : &book.at[at].unsaid,
                     1);
    }
    // Two are left, and one of them is in force when the next is wanted.
    spec.user = 5000;
    put(rights_of(&spec, 1));
    uint16_t at = rights_current(&book)->entries[0].account;
    spec.user = 5001;
    put(rights_of(&spec, 1));
    ck_assert_uint_ne(rights_current(&book)->entries[0].account, at);
    spec.user = 5002;
    put(rights_of(&spec, 1));
    ck_assert_uint_eq(rights_current(&book)->entries[0].account, at);
    struct spec two[] = {{6000, -1, 1, NULL}, {6001, -1, 1, NULL}};
    struct rights *r = rights_of(two, 2);
    uint64_t generation = rights_generation(&book);
    ck_assert_int_eq(rights_bind(&book, r, made), -ENOSPC);
    ck_assert_uint_eq(rights_generation(&book), generation);
    rights_free(r);
    rights_close(&book);
}
END_TEST

UNIT_MAIN("rights", the_first_entry_that_fits_decides, of_a_datagram_the_members_of_the_group_count,
          an_entry_covers_those_that_it_leaves_nothing_to,
          the_same_entry_keeps_its_account_over_a_reload,
          an_account_in_which_something_counts_is_not_given_away)
