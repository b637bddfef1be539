// SPDX-License-Identifier: Apache-2.0
#include "daemon/config_sources.h"

#include "config_file.h"

#include <grp.h>
#include <pwd.h>

static const char CATALOG[] =
    "labels:\n"
    "  outcome: {values: [success, failure], closed: true, aliases: {ok: success}}\n"
    "metrics:\n"
    "  - {name: m_ops_total, type: counter, help: h, component: manager, labels: [outcome]}\n"
    "  - {name: m_depth, type: gauge, help: h, component: manager, labels: [kind]}\n"
    "  - {name: p_rpc_total, type: counter, help: h, component: provider, labels: [provider]}\n"
    "  - {name: any_total, type: counter, help: h, component: any, labels: [provider, outcome]}\n";

enum { OPS = 1, DEPTH = 2, RPC = 4, ANY = 8 };

struct loaded {
    struct line line;
    struct config *config;
    struct catalog *catalog;
    struct errs errs;
    struct errs warnings;
    struct permission_roles *roles;
    int rc;
};

static void load_sources(struct loaded *l, const char *text)
{
    *l = (struct loaded){0};
    setup_file();
    ck_assert_int_eq(catalog_load_bytes(&l->catalog, "c.yaml", CATALOG, strlen(CATALOG), &l->errs),
                     0);
    l->config = load_well(&l->line, "", text);
    l->rc = config_sources(&l->roles, l->config, l->catalog, &l->errs, &l->warnings);
}

static void unload(struct loaded *l)
{
    permission_roles_free(l->roles);
    errs_free(&l->errs);
    errs_free(&l->warnings);
    catalog_free(l->catalog);
    config_free(l->config);
    unlink(path);
}

START_TEST(without_sources_all_is_open)
{
    struct loaded l;
    load_sources(&l, "log: {level: info}\n");
    ck_assert_int_eq(l.rc, 0);
    ck_assert(l.roles->open);
    unload(&l);
    load_sources(&l, "sources: []\n");
    ck_assert_int_eq(l.rc, 0);
    ck_assert(!l.roles->open);
    ck_assert_uint_eq(l.roles->n, 0);
    unload(&l);
}
END_TEST

START_TEST(an_entry_says_who_may_push_what)
{
    struct loaded l;
    load_sources(&l, "sources:\n"
                     "  - {user: root, component: manager}\n"
                     "  - {group: root, unit: p.service, component: provider, instance: vc1,\n"
                     "     labels: {provider: vc1, outcome: ok}, metrics: [\"p_*\", any_total],\n"
                     "     events_per_second: 20000, series: 5000, connections: 16}\n"
                     "  - {user: 4294967294, group: 12345, component: provider, instance: \"7\"}\n"
                     "  - {component: provider}\n");
    struct buf text = BUF_INIT;
    errs_write(&l.errs, &text);
    ck_assert_msg(l.rc == 0, "%s", buf_string(&text));
    ck_assert(!errs_has_any(&l.warnings));
    ck_assert_uint_eq(l.roles->n, 4);
    const struct permission_role *e = l.roles->entries;
    ck_assert_str_eq(e[0].name, "sources[0]");
    ck_assert(e[0].by_user && e[0].user == 0 && !e[0].by_group);
    ck_assert_uint_eq(e[0].component, COMPONENT_MANAGER);
    ck_assert_ptr_null(e[0].instance);
    ck_assert_uint_eq(e[0].metrics[0], OPS | DEPTH | ANY);
    ck_assert(e[0].events_per_second == 0 && e[0].series == 0 && e[0].connections == 0);
    ck_assert(!e[1].by_user && e[1].by_group && e[1].group == 0);
    ck_assert_str_eq(e[1].unit, "p.service");
    ck_assert_str_eq(e[1].instance, "vc1");
    ck_assert_uint_eq(e[1].metrics[0], RPC | ANY);
    ck_assert_uint_eq(e[1].n_labels, 2);
    ck_assert_str_eq(e[1].label_names[1], "outcome");
    ck_assert_str_eq(e[1].label_values[1], "ok");
    ck_assert_uint_eq(e[1].events_per_second, 20000);
    ck_assert_uint_eq(e[1].series, 5000);
    ck_assert_uint_eq(e[1].connections, 16);
    ck_assert(e[2].by_user && e[2].user == 4294967294 && e[2].by_group && e[2].group == 12345);
    ck_assert(!e[3].by_user && !e[3].by_group);
    unload(&l);
    buf_free(&text);
}
END_TEST

// What is wrong with one entry, which begins in line 1, column 11.
static void refuses(const char *entry, const char *want)
{
    struct loaded l;
    struct buf text = BUF_INIT;
    buf_addf(&text, "sources: [%s]\n", entry);
    load_sources(&l, buf_string(&text));
    ck_assert_msg(l.rc == -EINVAL, "%s is not refused", entry);
    ck_assert_ptr_null(l.roles);
    expect_errs(&l.errs, entry, want);
    unload(&l);
    buf_free(&text);
}

START_TEST(what_is_wrong_is_told_with_its_place)
{
    static const char *const cases[][2] = {
        {"1", "@:1:11: sources[0]: must be a mapping, not \"1\"\n"},
        {"{user: root}", "@:1:11: sources[0].component: is missing\n"},
        {"{component: manger}", "@:1:23: sources[0].component: the catalogue has no component "
                                "\"manger\"; the nearest is manager\n"},
        {"{component: unknown}",
         "@:1:23: sources[0].component: the catalogue has no component \"unknown\"\n"},
        {"{component: []}",
         "@:1:23: sources[0].component: must be a text of 1 to 256 bytes, not a list\n"},
        {"{component: manager, usr: root}",
         "@:1:32: sources[0].usr: unknown key; the nearest is user\n"},
        {"{component: manager, colour: red}", "@:1:32: sources[0].colour: unknown key\n"},
        {"{component: manager, user: nobody-at-all}",
         "@:1:38: sources[0].user: user \"nobody-at-all\" does not exist\n"},
        {"{component: manager, user: 4294967295}",
         "@:1:38: sources[0].user: user \"4294967295\" does not exist\n"},
        {"{component: manager, user: -1}", "@:1:38: sources[0].user: user \"-1\" does not exist\n"},
        {"{component: manager, user: \"\"}",
         "@:1:38: sources[0].user: must be a text of 1 to 256 bytes, not \"\"\n"},
        {"{component: manager, group: nobodies}",
         "@:1:39: sources[0].group: group \"nobodies\" does not exist\n"},
        {"{component: manager, instance: {}}",
         "@:1:42: sources[0].instance: must be a text of 1 to 256 bytes, not a mapping\n"},
        {"{component: manager, metrics: \"*\"}",
         "@:1:41: sources[0].metrics: must be a list of 1 to 64 entries, not \"*\"\n"},
        {"{component: manager, metrics: []}",
         "@:1:41: sources[0].metrics: must be a list of 1 to 64 entries, not 0\n"},
        {"{component: manager, metrics: [any_total, \"q_*\"]}",
         "@:1:53: sources[0].metrics: the catalogue has no metric \"q_*\"\n"},
        {"{component: manager, labels: [provider]}",
         "@:1:40: sources[0].labels: must be a mapping of at most 16 entries, not a list\n"},
        {"{component: manager, labels: {host: a}}",
         "@:1:41: sources[0].labels.host: no metric that this entry may push declares this "
         "label\n"},
        {"{component: manager, metrics: [m_depth], labels: {provider: a}}",
         "@:1:61: sources[0].labels.provider: no metric that this entry may push declares this "
         "label\n"},
        {"{component: manager, labels: {outcome: fine}}",
         "@:1:50: sources[0].labels.outcome: no metric that this entry may push allows \"fine\"\n"},
        {"{component: manager, labels: {outcome: }}",
         "@:1:50: sources[0].labels.outcome: must be a text of 1 to 256 bytes, not nothing\n"},
        {"{component: manager, series: 0}",
         "@:1:40: sources[0].series: must be a whole number from 1 to 100000000, not \"0\"\n"},
        {"{component: manager, series: 1e3}",
         "@:1:40: sources[0].series: must be a whole number from 1 to 100000000, not \"1e3\"\n"},
        {"{component: manager, series: \"5\"}", "@:1:40: sources[0].series: must be a whole number "
                                                "from 1 to 100000000, not a text in quotes\n"},
        {"{component: manager, connections: 1000001}",
         "@:1:45: sources[0].connections: must be a whole number from 1 to 1000000, not "
         "\"1000001\"\n"},
        {"{component: manager, events_per_second: 99999999999999999999}",
         "@:1:51: sources[0].events_per_second: must be a whole number from 1 to 10000000, not "
         "\"99999999999999999999\"\n"},
        {"{component: manager, events_per_second: -5}",
         "@:1:51: sources[0].events_per_second: must be a whole number from 1 to 10000000, not "
         "\"-5\"\n"},
        {"{component: manager}, {user: root, component: manager, instance: a}",
         "@:1:33: sources[1]: can never match: sources[0] comes first and matches the same "
         "clients\n"},
        {"{usr: a, component: manager, series: 0}",
         "@:1:12: sources[0].usr: unknown key; the nearest is user\n"
         "@:1:48: sources[0].series: must be a whole number from 1 to 100000000, not \"0\"\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refuses(cases[i][0], cases[i][1]);
    }
    struct loaded l;
    load_sources(&l, "sources: {user: root}\n");
    ck_assert_int_eq(l.rc, -EINVAL);
    expect_errs(&l.errs, "a mapping",
                "@:1:10: sources: must be a list of at most 256 entries, not a mapping\n");
    unload(&l);
    load_sources(&l, "sources:\n");
    ck_assert_int_eq(l.rc, -EINVAL);
    unload(&l);
    setup_file();
    expect_problems("", "source: []\n", "@:1:1: source: unknown key; the nearest is sources\n");
    expect_problems("", "web: {sources: []}\n", "@:1:7: web.sources: unknown key\n");
    unlink(path);
}
END_TEST

START_TEST(more_entries_than_there_may_be_are_refused)
{
    struct loaded l;
    struct buf text = BUF_INIT;
    for (int n = PERMISSION_MAX_ROLES; n <= PERMISSION_MAX_ROLES + 1; n++) {
        buf_clear(&text);
        buf_str(&text, "sources:\n");
        for (int i = 0; i < n; i++) {
            buf_addf(&text, "  - {component: manager, instance: i%d}\n", i);
        }
        load_sources(&l, buf_string(&text));
        ck_assert_int_eq(l.rc, n <= PERMISSION_MAX_ROLES ? 0 : -EINVAL);
        unload(&l);
    }
    buf_free(&text);
}
END_TEST

START_TEST(what_is_likely_not_meant_is_a_warning)
{
    struct loaded l;
    load_sources(&l, "limits: {series: 10, connections: 20}\n"
                     "sources: [{component: manager, series: 11, connections: 21}]\n");
    ck_assert_int_eq(l.rc, 0);
    expect_errs(&l.warnings, "limits",
                "@:2:40: sources[0].series: is more than limits.series, 10\n"
                "@:2:57: sources[0].connections: is more than limits.connections, 20\n");
    unload(&l);
}
END_TEST

// The first group of the system that has a user among its members, or NULL.
static const struct group *group_with_member(void)
{
    const struct group *g;
    setgrent();
    while ((g = getgrent()) != NULL && (g->gr_mem[0] == NULL || getpwnam(g->gr_mem[0]) == NULL)) {
    }
    return g;
}

START_TEST(a_user_who_falls_under_an_earlier_group_is_a_warning)
{
    const struct group *g = group_with_member();
    if (g == NULL) {
        return; // no group here has members
    }
    struct loaded l;
    struct buf text = BUF_INIT;
    buf_addf(&text, "sources: [{group: %s, component: manager}, {user: %s, component: manager}]\n",
             g->gr_name, g->gr_mem[0]);
    uid_t user = getpwnam(g->gr_mem[0])->pw_uid;
    load_sources(&l, buf_string(&text));
    ck_assert_int_eq(l.rc, 0);
    ck_assert_uint_eq(l.warnings.n, 1);
    ck_assert_str_eq(l.warnings.items[0].text,
                     "its user is a member of the group of sources[0], which comes first");
    ck_assert_uint_ge(l.roles->entries[0].n_members, 1);
    ck_assert(
        permission_role_is_for(l.roles->entries, &(struct peer){.uid = user, .gid = (gid_t)-1}));
    unload(&l);
    buf_free(&text);
}
END_TEST

UNIT_MAIN("config_sources", without_sources_all_is_open, an_entry_says_who_may_push_what,
          what_is_wrong_is_told_with_its_place, more_entries_than_there_may_be_are_refused,
          what_is_likely_not_meant_is_a_warning,
          a_user_who_falls_under_an_earlier_group_is_a_warning)
