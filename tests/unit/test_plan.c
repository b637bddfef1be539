// SPDX-License-Identifier: Apache-2.0
#include "base/rcu.h"
#include "catalog/load.h"
#include "event/apply.h"
#include "event/parse.h"
#include "event/place.h"
#include "unit.h"

#include <jansson.h>

static const char CATALOG[] =
    "labels: {outcome: {values: [success, error], closed: true, aliases: {ok: success}}}\n"
    "metrics:\n"
    "- {name: a_total, type: counter, help: A., labels: [x, outcome]}\n"
    "- {name: c_seconds, type: histogram, help: C., labels: [x], buckets: [1, 2]}\n"
    "- {name: g, type: gauge, help: G., labels: []}\n"
    "events:\n"
    "- {name: done, labels: [x, outcome], value: {unit: seconds, optional: true}, updates: [{add: "
    "a_total},\n"
    "   {observe: c_seconds}]}\n";

static struct series_store *store;
static struct series_writer writer;
static const struct origin ORIGIN = {.owner = {.updater_id = 1, .lease = 101}};

static void open_store(void)
{
    struct errs errs = ERRS_INIT;
    struct catalog *c;
    struct schema_settings settings = {.limit = 60, .limit_per_metric = 20};
    ck_assert_int_eq(catalog_load_bytes(&c, "c", CATALOG, sizeof CATALOG - 1, &errs), 0);
    writer = (struct series_writer){0};
    rcu_join();
    ck_assert_int_eq(schema_open(&store, c, &settings, 1, 100, 200), 0);
    rcu_enter();
}

static void close_store(void)
{
    rcu_leave();
    schema_close(store);
    rcu_part();
}

static enum reject_reason plan_element(struct plan *p, json_t *element, int index,
                                       struct rejection *why)
{
    struct sample s;
    enum reject_reason reason =
        sample_read(&s, p->schema->catalog, element, &p->exemplars, &p->values, why);
    s.index = index;
    why->element = index;
    return reason == REJECT_NONE ? plan_sample(p, &s, why) : reason;
}

static enum reject_reason plan_batch(struct plan *p, json_t *batch,
                                     const struct rejection *duplicate, struct rejection *why)
{
    enum reject_reason reason = sample_check_batch(batch, duplicate, why);
    for (size_t i = 0; reason == REJECT_NONE && i < json_array_size(batch); i++) {
        reason = plan_element(p, json_array_get(batch, i), (int)i, why);
    }
    return reason;
}

// Plans a line, of which neither bytes nor tree are there any more afterwards.
static enum reject_reason plan(struct plan *p, const char *line, struct rejection *why)
{
    struct parser parser = {0};
    struct rejection duplicate;
    size_t len = strlen(line);
    char *copy = malloc(len);
    memcpy(copy, line, len);
    reject_clear(why);
    plan_begin(p, schema_current(store), &ORIGIN, writer.lane);
    json_t *root = parse_line(&parser, copy, len, &duplicate, why);
    ck_assert_msg(root != NULL, "%s", line);
    enum reject_reason reason =
        line[0] == '[' ? plan_batch(p, root, &duplicate, why) : plan_element(p, root, -1, why);
    parse_free(&parser);
    memset(copy, 'x', len);
    free(copy);
    return reason;
}

static void expect_update(const struct plan *p, size_t i, const char *metric, const char *key,
                          double value, bool takes_number)
{
    const struct plan_update *u = &p->updates[i];
    ck_assert_uint_lt(i, p->n);
    ck_assert_str_eq(u->family->metric->name, metric);
    ck_assert_uint_eq(u->key_len, strlen(key));
    ck_assert(memcmp(plan_key(p, u), key, u->key_len) == 0);
    ck_assert(u->value == value && u->takes_number == takes_number);
}

START_TEST(a_plan_outlives_line_and_tree)
{
    struct plan p = {0};
    struct rejection why;
    open_store();
    ck_assert_int_eq(
        plan(&p,
             "{\"event\":\"done\",\"labels\":{\"outcome\":\"ok\",\"x\":\"a\\\"\"},"
             "\"exemplar\":{\"labels\":{\"t\":\"\\u00e9\"},\"timestamp\":1600000000.5},"
             "\"value\":1.5}",
             &why),
        REJECT_NONE);
    ck_assert_uint_eq(p.n, 2);
    expect_update(&p, 0, "a_total", "x=\"a\\\"\",outcome=\"success\"", 1, false);
    expect_update(&p, 1, "c_seconds", "x=\"a\\\"\"", 1.5, true);
    static const char exemplar[] = " # {t=\"\xc3\xa9\"} ";
    for (size_t i = 0; i < p.n; i++) {
        const struct plan_update *u = &p.updates[i];
        ck_assert_uint_eq(u->exemplar_len, sizeof exemplar - 1);
        ck_assert(memcmp(p.exemplars.p + u->exemplar_at, exemplar, sizeof exemplar - 1) == 0);
        ck_assert_uint_eq(u->exemplar_ms, 1600000000500);
    }
    plan_free(&p);
    close_store();
}
END_TEST

START_TEST(it_tells_what_the_number_is)
{
    static const struct {
        const char *line;
        double value;
        bool takes_number;
    } cases[] = {
        {"{\"metric\":\"g\",\"value\":2}", 2, true},
        {"{\"value\":2,\"metric\":\"g\"}", 2, true},
        {"{\"metric\":\"a_total\",\"labels\":{\"x\":\"a\",\"outcome\":\"ok\"}}", 1, false},
        {"{\"metric\":\"a_total\",\"labels\":{\"x\":\"a\",\"outcome\":\"ok\"},\"value\":3}", 3,
         true},
        {"{\"event\":\"done\",\"labels\":{\"x\":\"a\",\"outcome\":\"error\"}}", 1, false},
    };
    struct plan p = {0};
    struct rejection why;
    open_store();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(plan(&p, cases[i].line, &why), REJECT_NONE);
        ck_assert_uint_eq(p.n, 1);
        ck_assert(p.updates[0].value == cases[i].value);
        ck_assert(p.updates[0].takes_number == cases[i].takes_number);
    }
    plan_free(&p);
    close_store();
}
END_TEST

START_TEST(of_a_batch_the_elements_before_the_rejected_one_are_planned)
{
    struct plan p = {0};
    struct rejection why;
    open_store();
    ck_assert_int_eq(
        plan(&p, "[{\"metric\":\"g\",\"value\":1},{\"metric\":\"g\",\"value\":\"2\"}]", &why),
        REJECT_bad_value);
    ck_assert_int_eq(why.element, 1);
    ck_assert_str_eq(why.name, "g");
    ck_assert_uint_eq(p.n, 1);
    ck_assert_int_eq(p.updates[0].element, 0);
    // The structure of all elements is checked first.
    ck_assert_int_eq(plan(&p, "[{\"metric\":\"nope\"},{\"sync\":1}]", &why), REJECT_not_an_object);
    ck_assert_int_eq(why.element, 1);
    ck_assert_uint_eq(p.n, 0);
    plan_free(&p);
    close_store();
}
END_TEST

START_TEST(placed_and_applied_it_changes_its_series)
{
    struct plan p = {0};
    struct placer placer = {.writer = &writer};
    struct rejection why;
    struct buf scratch = BUF_INIT;
    open_store();
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(plan(&p, "{\"metric\":\"g\",\"op\":\"add\",\"value\":2.5}", &why),
                         REJECT_NONE);
        ck_assert((p.updates[0].series != NULL) == (i > 0));
        ck_assert(place_plan(&placer, &p, &why));
        ck_assert(p.updates[0].made == (i == 0) && !p.updates[0].folded);
        apply_plan(&p, &writer, &scratch);
        ck_assert(*series_gauge(p.updates[0].series) == 2.5 * (i + 1));
    }
    place_free(&placer);
    plan_free(&p);
    buf_free(&scratch);
    close_store();
}
END_TEST

UNIT_MAIN("plan", a_plan_outlives_line_and_tree, it_tells_what_the_number_is,
          of_a_batch_the_elements_before_the_rejected_one_are_planned,
          placed_and_applied_it_changes_its_series)
