// SPDX-License-Identifier: Apache-2.0
/*
 * config_file: a config file for one test, the flags that name it, and what loading both gave.
 */
#ifndef VE_TESTS_CONFIG_FILE_H
#define VE_TESTS_CONFIG_FILE_H

#include "daemon/config.h"
#include "unit.h"
#include <errno.h>
#include <unistd.h>

static char path[64]; // the running test's config file

static inline void setup_file(void)
{
    snprintf(path, sizeof path, "/tmp/ve-config-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static inline void write_file(const char *bytes, size_t len)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

// Room for the flags that a config borrows.
struct line {
    char bytes[1024];
    char *argv[16];
    int argc;
};

// Splits `args` at | and puts --config.file of the test's file before them.
static inline void split(struct line *l, const char *args)
{
    int n = snprintf(l->bytes, sizeof l->bytes, "ve|--config.file=%s%s%s", path,
                     args[0] != '\0' ? "|" : "", args);
    ck_assert_int_lt(n, (int)sizeof l->bytes);
    char *rest = l->bytes;
    l->argc = 0;
    for (char *arg = strsep(&rest, "|"); arg != NULL; arg = strsep(&rest, "|")) {
        ck_assert_int_lt(l->argc, 16);
        l->argv[l->argc++] = arg;
    }
}

// Loads `text` under the flags `args`; returns NULL when it is refused.
static inline struct config *load(struct line *l, const char *args, const char *text,
                                  struct errs *errs)
{
    struct config *c = NULL;
    split(l, args);
    write_file(text, strlen(text));
    int r = config_load(&c, l->argc, l->argv, errs);
    ck_assert_int_eq(r, errs_has_any(errs) ? -EINVAL : 0);
    ck_assert_int_eq(c == NULL, errs_has_any(errs));
    return c;
}

static inline struct config *load_well(struct line *l, const char *args, const char *text)
{
    struct errs errs = ERRS_INIT;
    struct config *c = load(l, args, text, &errs);
    struct buf out = BUF_INIT;
    errs_write(&errs, &out);
    ck_assert_msg(c != NULL, "%s\n%s\n%s", args, text, buf_string(&out));
    buf_free(&out);
    return c;
}

// Compares problems with the expected ones, in which @ stands for the file's path.
static inline void expect_errs(struct errs *errs, const char *what, const char *want)
{
    struct buf got = BUF_INIT;
    struct buf full = BUF_INIT;
    errs_write(errs, &got);
    for (const char *p = want; *p != '\0'; p++) {
        if (*p == '@') {
            buf_str(&full, path);
        } else {
            buf_char(&full, *p);
        }
    }
    buf_string(&got);
    buf_string(&full);
    ck_assert_msg(strcmp(got.p, full.p) == 0, "%s\n got: %s\nwant: %s", what, got.p, full.p);
    buf_free(&got);
    buf_free(&full);
    errs_free(errs);
}

static inline void expect_problems(const char *args, const char *text, const char *want)
{
    struct line l;
    struct errs errs = ERRS_INIT;
    config_free(load(&l, args, text, &errs));
    expect_errs(&errs, text, want);
}

#endif
