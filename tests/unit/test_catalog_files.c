// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include "catalog_unit.h"

static char dir[64];

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/test_catalog.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

// Loads and compares the result and all problems; returns the catalogue or NULL.
static struct catalog *load(const struct catalog_input *in, const char *problems)
{
    struct errs errs = ERRS_INIT;
    struct catalog *c = NULL;
    int err = catalog_load(&c, in, &errs);
    struct buf out = BUF_INIT;
    errs_write(&errs, &out);
    ck_assert_str_eq(buf_string(&out), problems);
    ck_assert_int_eq(err, problems[0] != '\0' ? -EINVAL : 0);
    buf_free(&out);
    errs_free(&errs);
    return c;
}

static void remove_all(void)
{
    static const char *const names[] = {"a",        "b",       "d/9.yaml", "d/a.yaml",
                                        "d/B.yaml", "d/c.yml", "d/.h.yaml"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unlink(names[i]);
    }
    rmdir("d");
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(files_come_in_order_and_the_directory_by_name)
{
    setup();
    put("a", "metrics:\n- {name: x, type: gauge, help: h}\n");
    put("b", "metrics:\n- {name: w, type: gauge, help: h}\n");
    ck_assert_int_eq(mkdir("d", 0700), 0);
    put("d/a.yaml", "metrics:\n- {name: e, type: gauge, help: h}\n");
    put("d/B.yaml", "metrics:\n- {name: d, type: gauge, help: h}\n");
    put("d/9.yaml", "metrics:\n- {name: c, type: gauge, help: h}\n");
    put("d/c.yml", "no");
    put("d/.h.yaml", "no");
    const char *const files[] = {"a", "b"};
    struct catalog *c = load(&(struct catalog_input){.n_files = 2, .files = files, .dir = "d"}, "");
    static const char *const names[] = {"x", "w", "c", "d", "e"};
    ck_assert_uint_eq(c->n_metrics, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_str_eq(c->metrics[i].name, names[i]);
    }
    catalog_free(c);
    remove_all();
}
END_TEST

START_TEST(a_directory_adds_to_the_builtin_catalogue)
{
    setup();
    ck_assert_int_eq(mkdir("d", 0700), 0);
    put("d/a.yaml", "components: [agent]\n"
                    "metrics:\n- {name: site_total, type: counter, help: h, component: agent, "
                    "labels: [outcome], precreate: true}\n"
                    "events:\n- {name: site, labels: [outcome, kind], updates: [{add: site_total}, "
                    "{add: virtrigaud_queue_depth}]}\n");
    struct catalog *c = load(&(struct catalog_input){.dir = "d"}, "");
    ck_assert_uint_eq(c->n_metrics, 22);
    ck_assert_uint_eq(c->n_events, 7);
    ck_assert_ptr_eq(c->metrics[21].labels[0].def, c->metrics[3].labels[3].def);
    catalog_free(c);
    remove_all();
}
END_TEST

START_TEST(what_replaces_takes_the_place_and_all_references_follow)
{
    setup();
    put("a", "buckets: {b: [1, 2]}\nlabels: {x: {values: [one]}}\n"
             "metrics:\n- {name: t, type: histogram, help: h, buckets: b, labels: [x]}\n"
             "- {name: g, type: gauge, help: h}\n"
             "events:\n- {name: e, labels: [x], value: seconds, updates: [{observe: t}]}\n"
             "- {name: f, updates: [{add: g}]}\n");
    put("b", "buckets: {b: {bounds: [7], replace: true}}\n"
             "labels: {x: {values: [two], replace: true}}\n"
             "metrics:\n- {name: n, type: gauge, help: new}\n"
             "- {name: t, type: histogram, help: new, buckets: b, labels: [y, x], replace: true}\n"
             "events:\n- {name: e, labels: [x, y], value: seconds, updates: [{observe: t}], "
             "replace: true}\n");
    const char *const files[] = {"a", "b"};
    struct catalog *c = load(&(struct catalog_input){.n_files = 2, .files = files}, "");
    ck_assert_uint_eq(c->n_metrics, 3);
    ck_assert_str_eq(c->metrics[0].name, "t");
    ck_assert_str_eq(c->metrics[0].help, "new");
    ck_assert_uint_eq(c->metrics[0].n_bounds, 1);
    ck_assert(c->metrics[0].bounds[0] == 7);
    ck_assert_uint_eq(c->n_bounds, 1);
    ck_assert_uint_eq(c->n_defs, 2);
    ck_assert_str_eq(c->defs[0].values[0], "two");
    ck_assert_uint_eq(c->n_events, 2);
    ck_assert_str_eq(c->events[0].name, "e");
    ck_assert_uint_eq(c->events[0].updates[0].map[0], 1);
    catalog_free(c);
    remove_all();
}
END_TEST

START_TEST(without_replace_a_second_one_is_a_problem)
{
    setup();
    static const char text[] = "buckets: {b: [1]}\nlabels: {x: {}}\n"
                               "metrics:\n- {name: g, type: gauge, help: h}\n"
                               "events:\n- {name: e, updates: [{add: g}]}\n";
    put("a", text);
    put("b", text);
    const char *const files[] = {"a", "b"};
    load(&(struct catalog_input){.n_files = 2, .files = files},
         "b:1:11: buckets.b: list of buckets \"b\" exists already (a:1); `replace: true` replaces "
         "it\n"
         "b:2:10: labels.x: label \"x\" exists already (a:2); `replace: true` replaces it\n"
         "b:4:10: metrics[0]: metric \"g\" exists already (a:4); `replace: true` replaces it\n"
         "b:6:10: events[0]: event \"e\" exists already (a:6); `replace: true` replaces it\n");
    remove_all();
}
END_TEST

START_TEST(a_replaced_metric_that_no_longer_fits_is_a_problem_of_the_event)
{
    setup();
    ck_assert_int_eq(mkdir("d", 0700), 0);
    put("a", "metrics:\n- {name: g, type: gauge, help: h, labels: [x]}\n"
             "events:\n- {name: e, labels: [x], updates: [{add: g}]}\n");
    put("d/a.yaml", "metrics:\n- {name: g, type: histogram, help: h, labels: [x, y], buckets: [1], "
                    "replace: true}\n");
    const char *const files[] = {"a"};
    load(&(struct catalog_input){.n_files = 1, .files = files, .dir = "d"},
         "a:4:42: events[0].updates[0].add: add is for counters and gauges; \"g\" is a histogram\n"
         "a:4:42: events[0].updates[0].add: the event has no label \"y\", which \"g\" needs\n");
    remove_all();
}
END_TEST

START_TEST(files_that_cannot_be_read_are_named_with_all_other_problems)
{
    setup();
    ck_assert_int_eq(mkdir("d", 0700), 0);
    put("b", "metrics: 1\n");
    put("d/a.yaml", "a: [\n");
    const char *const files[] = {"a", "d", "b"};
    load(&(struct catalog_input){.n_files = 3, .files = files, .dir = "d"},
         "a: No such file or directory\n"
         "d: Is a directory\n"
         "d/a.yaml:2:1: did not find expected node content while parsing a flow node\n"
         "b:1:10: metrics: must be a list, not \"1\"\n");
    remove_all();
}
END_TEST

START_TEST(a_directory_has_a_thousand_files_at_most)
{
    setup();
    ck_assert_int_eq(mkdir("d", 0700), 0);
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "d/%03d.yaml", i);
        put(name, "");
    }
    const char *const files[] = {"a"};
    put("a", "metrics:\n- {name: g, type: gauge, help: h}\n");
    struct catalog_input in = {.n_files = 1, .files = files, .dir = "d"};
    catalog_free(load(&in, ""));
    put("d/one.yaml", "");
    load(&in, "d: more than 1000 files\n");
    unlink("d/one.yaml");
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "d/%03d.yaml", i);
        unlink(name);
    }
    remove_all();
}
END_TEST

START_TEST(a_missing_directory_matters_only_when_it_was_asked_for)
{
    setup();
    catalog_free(load(&(struct catalog_input){.dir = "d"}, ""));
    load(&(struct catalog_input){.dir = "d", .dir_must_exist = true},
         "d: No such file or directory\n");
    put("a", "");
    load(&(struct catalog_input){.dir = "a"}, "a: Not a directory\n");
    remove_all();
}
END_TEST

START_TEST(the_builtin_catalogue_names_itself_in_problems)
{
    setup();
    ck_assert_int_eq(mkdir("d", 0700), 0);
    put("d/a.yaml", "labels: {kind: {}}\n");
    struct errs errs = ERRS_INIT;
    struct catalog *c = NULL;
    struct catalog_input in = {.dir = "d"};
    ck_assert_int_eq(catalog_load(&c, &in, &errs), -EINVAL);
    ck_assert_ptr_nonnull(strstr(errs.items[0].text, "exists already (built-in catalogue:"));
    errs_free(&errs);
    remove_all();
}
END_TEST

UNIT_MAIN("catalog_files", files_come_in_order_and_the_directory_by_name,
          a_directory_adds_to_the_builtin_catalogue,
          what_replaces_takes_the_place_and_all_references_follow,
          without_replace_a_second_one_is_a_problem,
          a_replaced_metric_that_no_longer_fits_is_a_problem_of_the_event,
          files_that_cannot_be_read_are_named_with_all_other_problems,
          a_directory_has_a_thousand_files_at_most,
          a_missing_directory_matters_only_when_it_was_asked_for,
          the_builtin_catalogue_names_itself_in_problems)
