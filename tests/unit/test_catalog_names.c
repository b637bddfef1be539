// SPDX-License-Identifier: Apache-2.0
#include "catalog/catalog.h"

#include <string.h>

#include "unit.h"

START_TEST(an_empty_table_knows_nothing)
{
    struct names t = {0};
    ck_assert_int_eq(catalog_names_find(&t, "a", 1), -1);
    ck_assert_int_eq(catalog_names_find(&t, "", 0), -1);
    catalog_names_free(&t);
}
END_TEST

START_TEST(every_name_leads_to_its_own_position)
{
    enum { N = 5000 };
    static char text[N][8];
    struct names t = {0};
    for (size_t i = 0; i < N; i++) {
        snprintf(text[i], sizeof text[i], "n%zu", i);
        ck_assert_int_eq(catalog_names_find(&t, text[i], strlen(text[i])), -1);
        ck_assert_int_eq(catalog_names_add(&t, text[i], i), 0);
    }
    for (size_t i = 0; i < N; i++) {
        ck_assert_int_eq(catalog_names_find(&t, text[i], strlen(text[i])), (long)i);
    }
    catalog_names_free(&t);
}
END_TEST

START_TEST(all_bytes_of_a_name_count)
{
    struct names t = {0};
    ck_assert_int_eq(catalog_names_add(&t, "abc", 7), 0);
    ck_assert_int_eq(catalog_names_find(&t, "abcd", 3), 7);
    ck_assert_int_eq(catalog_names_find(&t, "abcd", 4), -1);
    ck_assert_int_eq(catalog_names_find(&t, "abc", 2), -1);
    ck_assert_int_eq(catalog_names_find(&t, "abc", 4), -1);
    catalog_names_free(&t);
}
END_TEST

UNIT_MAIN("names", an_empty_table_knows_nothing, every_name_leads_to_its_own_position,
          all_bytes_of_a_name_count)
