// SPDX-License-Identifier: Apache-2.0
#include "base/log.c"
#include "unit.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_stderr(const char *format, uintmax_t dev, uintmax_t ino)
{
    char text[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, format, dev, ino);
#pragma GCC diagnostic pop
    setenv("JOURNAL_STREAM", text, 1);
    return is_stderr_journal();
}

START_TEST(stderr_is_the_journal_when_the_environment_names_its_inode)
{
    struct stat st;
    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    uintmax_t dev = st.st_dev;
    uintmax_t ino = st.st_ino;
    unsetenv("JOURNAL_STREAM");
    ck_assert(!is_stderr_journal());
    ck_assert(is_stderr("%ju:%ju", dev, ino));
    ck_assert(!is_stderr("%ju:%ju", dev + 1, ino));
    ck_assert(!is_stderr("%ju:%ju", dev, ino + 1));
    ck_assert(!is_stderr("%ju:%ju", ino, dev));
    static const char *const broken[] = {"", ":", "%ju", "%ju:", "%ju %ju", "%ju:%jux", "x%ju:%ju"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        ck_assert_msg(!is_stderr(broken[i], dev, ino), "%s", broken[i]);
    }
}
END_TEST

START_TEST(without_stderr_there_is_no_journal)
{
    struct stat st;
    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    close(STDERR_FILENO);
    ck_assert(!is_stderr("%ju:%ju", st.st_dev, st.st_ino));
}
END_TEST

UNIT_MAIN("log_journal", stderr_is_the_journal_when_the_environment_names_its_inode,
          without_stderr_there_is_no_journal)
