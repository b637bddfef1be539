// SPDX-License-Identifier: Apache-2.0
/*
 * unit: the frame of every unit test. A test file includes what it tests (the .c where it needs insides),
 * names its tests in sentences, and ends with UNIT_MAIN("module", test_a, test_b, ...).
 */
#ifndef VE_TESTS_UNIT_H
#define VE_TESTS_UNIT_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

// Each ck_assert that holds is a system call, by which check knows after a crash how far a test came. There a sanitizer
// says where.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define _mark_point(file, line) ((void)0)
#endif

// The seed of a property loop: VE_SEED or the time, printed so that a failure can be repeated.
static inline uint64_t unit_seed(void)
{
    const char *given = getenv("VE_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("seed %llu (VE_SEED=%llu repeats it)\n", (unsigned long long)seed,
           (unsigned long long)seed);
    return seed;
}

// A small deterministic generator (xorshift64*); state must not be 0.
static inline uint64_t unit_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

// Says that a test is left out in an emulator, for which tests/skips.allowed has to name its program.
#define UNIT_NOT_EMULATED(reason)                                                                  \
    do {                                                                                           \
        if (getenv("VE_EMULATOR") != NULL) {                                                       \
            printf("SKIP: %s\n", reason);                                                          \
            return;                                                                                \
        }                                                                                          \
    } while (0)

static inline int unit_run(const char *module, const TTest *const *tests, size_t n)
{
    Suite *suite = suite_create(module);
    TCase *tc = tcase_create(module);
    tcase_set_timeout(tc, 600); // it is to end what hangs, on a busy machine, too
    for (size_t i = 0; i < n; i++) {
        tcase_add_test(tc, tests[i]);
    }
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

#define UNIT_MAIN(module, ...)                                                                     \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return unit_run(module, tests, sizeof tests / sizeof tests[0]);                            \
    }

#endif
