// SPDX-License-Identifier: Apache-2.0
#include "web/sd.h"

#include "fixture.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

START_TEST(requests_for_other_lists_differ)
{
    static const char *const lists[][3] = {
        {NULL, "a:1", "http"},       {"provider", "a:1", "http"}, {"manager", "a:1", "http"},
        {"provider", "b:1", "http"}, {NULL, "a:1", "https"},      {"", "a:1", "http"},
    };
    enum { N = sizeof lists / sizeof lists[0] };
    for (size_t i = 0; i < N; i++) {
        struct sd_request *a = sd_request_new(lists[i][0], lists[i][1], lists[i][2]);
        ck_assert(!sd_request_is_same(a, NULL) && !sd_request_is_same(NULL, a));
        for (size_t k = 0; k < N; k++) {
            struct sd_request *b = sd_request_new(lists[k][0], lists[k][1], lists[k][2]);
            ck_assert_int_eq(sd_request_is_same(a, b), i == k);
            sd_request_free(b);
        }
        sd_request_free(a);
    }
    ck_assert(sd_request_is_same(NULL, NULL));
}
END_TEST

// Of two sources.
static char *write_list(const char *component)
{
    struct fixture h;
    uint32_t lease;
    fixture_open(&h, "metrics: []\n", 10, 10);
    fixture_enter(h.sources, NULL, COMPONENT_PROVIDER, "a b", false, h.p->now_ms, &lease);
    fixture_enter(h.sources, NULL, COMPONENT_MANAGER, "a%20b", false, h.p->now_ms, &lease);
    const struct web_backend backend = {.store = h.store, .sources = h.sources};
    struct buf out = BUF_INIT;
    struct sd_request *request = sd_request_new(component, "h:1", "http");
    ck_assert_int_eq(sd_list_write(request, &backend, &out), 0);
    sd_request_free(request);
    char *text = strdup(buf_string(&out));
    buf_free(&out);
    fixture_close(&h);
    return text;
}

START_TEST(a_list_has_the_targets_of_one_component_or_of_all)
{
    char *all = write_list(NULL);
    char *some = write_list("manager");
    char *none = write_list("");
    ck_assert_str_eq(
        all, "[{\"targets\":[\"h:1\"],\"labels\":{\"__metrics_path__\":\"/source/provider/a%20b\","
             "\"__scheme__\":\"http\",\"instance\":\"a "
             "b\",\"__meta_virtrigaud_component\":\"provider\"}},\n"
             "{\"targets\":[\"h:1\"],\"labels\":{\"__metrics_path__\":\"/source/manager/a%2520b\","
             "\"__scheme__\":\"http\",\"instance\":\"a%20b\",\"__meta_virtrigaud_component\":"
             "\"manager\"}}]\n");
    ck_assert_str_eq(
        some,
        "[{\"targets\":[\"h:1\"],\"labels\":{\"__metrics_path__\":\"/source/manager/a%2520b\","
        "\"__scheme__\":\"http\",\"instance\":\"a%20b\",\"__meta_virtrigaud_component\":"
        "\"manager\"}}]\n");
    ck_assert_str_eq(none, "[]\n");
    free(all);
    free(some);
    free(none);
}
END_TEST

UNIT_MAIN("sd_targets", requests_for_other_lists_differ,
          a_list_has_the_targets_of_one_component_or_of_all)
