// SPDX-License-Identifier: Apache-2.0
/*
 * catalog_unit: loads catalogues from text in tests, and compares all problems with what is expected.
 */
#ifndef VE_TESTS_CATALOG_UNIT_H
#define VE_TESTS_CATALOG_UNIT_H

#include <errno.h>
#include <string.h>

#include "catalog/load.h"
#include "unit.h"

// A text and the problems that it has, as errs_write writes them; "" for none.
struct problem_case {
    const char *text;
    const char *problems;
};

static inline void expect_problems(const char *text, size_t len, const char *problems)
{
    struct errs errs = ERRS_INIT;
    struct catalog *c = NULL;
    int err = catalog_load_bytes(&c, "c.yaml", text, len, &errs);
    struct buf out = BUF_INIT;
    errs_write(&errs, &out);
    ck_assert_msg(strcmp(buf_string(&out), problems) == 0, "of\n%s\nexpected\n%s\ngot\n%s", text,
                  problems, out.p);
    ck_assert_int_eq(err, problems[0] != '\0' ? -EINVAL : 0);
    ck_assert((c != NULL) == (err == 0));
    catalog_free(c);
    buf_free(&out);
    errs_free(&errs);
}

static inline void expect_cases(const struct problem_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        expect_problems(cases[i].text, strlen(cases[i].text), cases[i].problems);
    }
}

#define EXPECT_CASES(cases) expect_cases(cases, sizeof cases / sizeof cases[0])

// Loads a text that is right.
static inline struct catalog *load_text(const char *text)
{
    struct errs errs = ERRS_INIT;
    struct catalog *c = NULL;
    int err = catalog_load_bytes(&c, "c.yaml", text, strlen(text), &errs);
    struct buf out = BUF_INIT;
    errs_write(&errs, &out);
    ck_assert_msg(err == 0, "%s", buf_string(&out));
    buf_free(&out);
    errs_free(&errs);
    return c;
}

#endif
