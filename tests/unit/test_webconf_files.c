// SPDX-License-Identifier: Apache-2.0
#include "web/webconf.h"

#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/watch-XXXXXX";

static const char *path(const char *name)
{
    static char out[2][128];
    static unsigned next;
    char *p = out[next++ % 2];
    snprintf(p, sizeof out[0], "%s/%s", dir, name);
    return p;
}

static void put(const char *name, const char *text)
{
    int fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

START_TEST(each_kind_of_change_is_seen_once_looked_at_again)
{
    struct webconf_files w = {0};
    ck_assert_ptr_nonnull(mkdtemp(dir));
    put("a", "1");
    ck_assert_int_eq(webconf_files_add(&w, path("a")), 0);
    ck_assert_int_eq(webconf_files_add(&w, path("b")), 0); // not there
    ck_assert(!webconf_files_have_changed(&w));

    usleep(20000);
    put("a", "2");
    ck_assert_msg(webconf_files_have_changed(&w), "written");
    webconf_files_clear(&w);
    ck_assert_int_eq(webconf_files_add(&w, path("a")), 0);
    ck_assert_int_eq(webconf_files_add(&w, path("b")), 0);
    ck_assert(!webconf_files_have_changed(&w));

    put("b", "1");
    ck_assert_msg(webconf_files_have_changed(&w), "came");
    ck_assert_int_eq(rename(path("b"), path("a")), 0);
    ck_assert_msg(webconf_files_have_changed(&w), "replaced");
    webconf_files_clear(&w);
    ck_assert_int_eq(webconf_files_add(&w, path("a")), 0);
    ck_assert_int_eq(unlink(path("a")), 0);
    ck_assert_msg(webconf_files_have_changed(&w), "went");
    webconf_files_clear(&w);
    ck_assert(!webconf_files_have_changed(&w));
    rmdir(dir);
}
END_TEST

START_TEST(the_target_of_a_link_is_what_counts)
{
    struct webconf_files w = {0};
    strcpy(dir, "/tmp/watch-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    put("one", "1");
    put("two", "1");
    ck_assert_int_eq(symlink("one", path("link")), 0);
    ck_assert_int_eq(webconf_files_add(&w, path("link")), 0);
    ck_assert_int_eq(symlink("two", path("next")), 0);
    ck_assert_int_eq(rename(path("next"), path("link")), 0);
    ck_assert(webconf_files_have_changed(&w));
    webconf_files_clear(&w);
    unlink(path("link"));
    unlink(path("one"));
    unlink(path("two"));
    rmdir(dir);
}
END_TEST

UNIT_MAIN("webconf_files", each_kind_of_change_is_seen_once_looked_at_again,
          the_target_of_a_link_is_what_counts)
