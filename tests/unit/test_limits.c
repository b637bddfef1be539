// SPDX-License-Identifier: Apache-2.0
#include "daemon/limits.h"
#include "unit.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void make_folder(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

static uint64_t limit_of(const char *list)
{
    char path[256];
    write_file("list", list);
    snprintf(path, sizeof path, "%s/list", root);
    return limits_memory_of_group(path, root);
}

START_TEST(the_least_of_a_group_and_those_above_it_counts)
{
    snprintf(root, sizeof root, "/tmp/ve-memory-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    make_folder("a");
    make_folder("a/b");
    ck_assert(limit_of("0::/a/b\n") == UINT64_MAX);
    write_file("a/b/memory.max", "max\n");
    ck_assert(limit_of("0::/a/b\n") == UINT64_MAX);
    write_file("a/memory.max", "1048576\n");
    ck_assert_uint_eq(limit_of("0::/a/b\n"), 1048576);
    write_file("a/b/memory.max", "4096\n");
    ck_assert_uint_eq(limit_of("0::/a/b\n"), 4096);
    ck_assert_uint_eq(limit_of("12:cpu:/x\n0::/a\n"), 1048576);
    write_file("a/b/memory.max", "nonsense\n");
    ck_assert_uint_eq(limit_of("0::/a/b\n"), 1048576);
    ck_assert(limit_of("") == UINT64_MAX);
    ck_assert(limit_of("0::/\n") == UINT64_MAX);
    ck_assert(limits_memory_of_group("/nowhere", root) == UINT64_MAX);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", root);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(the_process_has_no_more_than_the_machine)
{
    long size = sysconf(_SC_PAGESIZE);
    uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)size;
    ck_assert_uint_gt(limits_memory(), 0);
    ck_assert_uint_le(limits_memory(), all);
}
END_TEST

UNIT_MAIN("limits", the_least_of_a_group_and_those_above_it_counts,
          the_process_has_no_more_than_the_machine)
