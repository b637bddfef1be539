// SPDX-License-Identifier: Apache-2.0
#include "source/permission.c"

#include "unit.h"

static struct permission_registry registry = {.lock = PTHREAD_MUTEX_INITIALIZER};
static _Atomic uint64_t made[TABLE_QUOTAS];

struct spec {
    int user; // -1: any
    int group;
    unsigned component;
    const char *instance;
};

static struct permission_roles *rights_of(const struct spec *specs, size_t n)
{
    struct permission_roles *r = permission_roles_new(n);
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

static void put(struct permission_roles *r)
{
    ck_assert_int_eq(permission_bind(&registry, r, made), 0);
    permission_roles_free(permission_put(&registry, r));
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
    struct permission_roles *r = rights_of(specs, sizeof specs / sizeof specs[0]);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct permission_role *e = permission_find_role(
            r, &peers[cases[i].peer], cases[i].component, slice(cases[i].instance));
        ck_assert_msg((e == NULL ? -1 : (int)(e - r->entries)) == cases[i].entry, "case %zu", i);
    }
    permission_roles_free(r);
}
END_TEST

START_TEST(of_a_datagram_the_members_of_the_group_count)
{
    static const struct spec spec = {-1, 50, COMPONENT_PROVIDER, NULL};
    struct permission_roles *r = rights_of(&spec, 1);
    uid_t members[] = {5, 7, 4000000000};
    r->entries[0].members = malloc(sizeof members);
    memcpy(r->entries[0].members, members, sizeof members);
    r->entries[0].n_members = 3;
    ck_assert(permission_role_is_for(r->entries, &(struct peer){.uid = 7, .gid = 1}));
    ck_assert(permission_role_is_for(r->entries, &(struct peer){.uid = 4000000000, .gid = 1}));
    ck_assert(permission_role_is_for(r->entries, &(struct peer){.uid = 1, .gid = 50}));
    ck_assert(!permission_role_is_for(r->entries, &(struct peer){.uid = 6, .gid = 1}));
    // Of a connection the kernel knows all groups, and a member who left his group is none.
    ck_assert(!permission_role_is_for(r->entries,
                                      &(struct peer){.uid = 7, .gid = 1, .has_groups = true}));
    permission_roles_free(r);
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
        struct permission_roles *a = rights_of(&cases[i].a, 1);
        struct permission_roles *b = rights_of(&cases[i].b, 1);
        ck_assert_msg(permission_role_has_all_of(a->entries, b->entries) == cases[i].covers,
                      "case %zu", i);
        permission_roles_free(a);
        permission_roles_free(b);
    }
}
END_TEST

START_TEST(the_same_role_keeps_its_usage_over_a_reload)
{
    static const struct spec before[] = {{1, -1, 1, NULL}, {2, -1, 2, "a"}, {3, -1, 2, "a"}};
    static const struct spec after[] = {{3, -1, 2, "a"}, {1, -1, 1, "b"}, {2, -1, 2, "a"}};
    struct permission_roles *r = rights_of(before, 3);
    put(r);
    ck_assert_uint_eq(permission_generation(&registry), 1);
    uint16_t usage[] = {r->entries[0].usage, r->entries[1].usage, r->entries[2].usage};
    uint64_t number = r->entries[2].permission.number;
    ck_assert(usage[0] != 0 && usage[0] != usage[1] && usage[1] != usage[2]);
    r = rights_of(after, 3);
    r->entries[0].events_per_second = 1000;
    r->entries[0].series = 7;
    put(r);
    ck_assert_uint_eq(permission_generation(&registry), 2);
    ck_assert_uint_eq(r->entries[0].usage, usage[2]);
    ck_assert_uint_eq(r->entries[2].usage, usage[1]);
    // That of an entry in force is not given away, though nothing counts in it.
    ck_assert(r->entries[1].usage != usage[0] && r->entries[1].usage != usage[1]);
    const struct permission *p = &r->entries[0].permission;
    ck_assert_uint_gt(p->number, number);
    ck_assert_uint_eq(p->interval_ns, 1000000);
    ck_assert_uint_eq(p->series, 7);
    ck_assert_uint_eq(p->quota_id, usage[2]);
    ck_assert_ptr_eq(p->rate, &registry.usages[usage[2]].events);
    permission_close(&registry);
    ck_assert_uint_eq(permission_generation(&registry), 0);
}
END_TEST

START_TEST(a_usage_in_which_something_counts_is_not_given_away)
{
    struct spec spec = {0, -1, 1, NULL};
    for (int i = 0; i < TABLE_QUOTAS - 3; i++) {
        spec.user = i;
        struct permission_roles *r = rights_of(&spec, 1);
        put(r);
        uint16_t at = r->entries[0].usage;
        atomic_store(&made[at], i % 3 == 0);
        registry.usages[at].connections = i % 3 == 1;
        registry.usages[at].anonymous = i % 3 == 2;
    }
    // Two are left, and one of them is in force when the next is wanted.
    spec.user = 5000;
    put(rights_of(&spec, 1));
    uint16_t at = permission_current(&registry)->entries[0].usage;
    spec.user = 5001;
    put(rights_of(&spec, 1));
    ck_assert_uint_ne(permission_current(&registry)->entries[0].usage, at);
    spec.user = 5002;
    put(rights_of(&spec, 1));
    ck_assert_uint_eq(permission_current(&registry)->entries[0].usage, at);
    struct spec two[] = {{6000, -1, 1, NULL}, {6001, -1, 1, NULL}};
    struct permission_roles *r = rights_of(two, 2);
    uint64_t generation = permission_generation(&registry);
    ck_assert_int_eq(permission_bind(&registry, r, made), -ENOSPC);
    ck_assert_uint_eq(permission_generation(&registry), generation);
    permission_roles_free(r);
    permission_close(&registry);
}
END_TEST

UNIT_MAIN("permission_roles", the_first_entry_that_fits_decides,
          of_a_datagram_the_members_of_the_group_count,
          an_entry_covers_those_that_it_leaves_nothing_to,
          the_same_role_keeps_its_usage_over_a_reload,
          a_usage_in_which_something_counts_is_not_given_away)
