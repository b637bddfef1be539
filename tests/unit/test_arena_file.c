// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int no_room; // errno of further steps; 0: there is room

static int some_fallocate(int fd, off_t at, off_t len)
{
    return no_room != 0 ? no_room : posix_fallocate(fd, at, len);
}

#define posix_fallocate some_fallocate
#include "series/arena.c"
#undef posix_fallocate

enum { STEPS = 4 };

static struct arena *a;
static struct arena_writer writer;
static int fd;

static int file(void)
{
    char name[] = "/tmp/ve-arena-XXXXXX";
    int made = mkstemp(name);
    ck_assert_int_ge(made, 0);
    unlink(name);
    return made;
}

static void begin(void)
{
    writer = (struct arena_writer){0};
    ck_assert_int_eq(arena_new(&a, (uint64_t)STEPS * ARENA_STEP), 0);
    fd = file();
}

static void end(void)
{
    arena_guard(NULL);
    arena_free(a);
    close(fd);
}

// A piece with this text in it.
static char *put(const char *text)
{
    uint32_t handle = arena_alloc(a, &writer, ARENA_MAX_PIECE);
    ck_assert_uint_ne(handle, 0);
    char *p = arena_at(arena_base(a), handle);
    strcpy(p, text);
    return p;
}

// What the file has at the piece's place.
static const char *in_file(int of, const char *p)
{
    static char text[64];
    memset(text, 0, sizeof text);
    ck_assert_int_ge(pread(of, text, sizeof text - 1, p - arena_base(a)), 0);
    return text;
}

START_TEST(what_is_written_to_the_arena_is_in_the_file)
{
    begin();
    char *before = put("before");
    ck_assert_int_eq(arena_file_bytes(a), 0);
    ck_assert_int_eq(arena_attach(a, fd), 0);
    ck_assert_int_eq(arena_file_bytes(a), ARENA_STEP);
    ck_assert_str_eq(before, "before");
    ck_assert_str_eq(in_file(fd, before), "before");
    strcpy(before, "changed");
    ck_assert_str_eq(in_file(fd, before), "changed");
    for (int i = 0; i < ARENA_STEP / ARENA_MAX_PIECE; i++) {
        put("more");
    }
    char *after = put("after");
    ck_assert_str_eq(in_file(fd, after), "after");
    ck_assert_int_eq(arena_file_bytes(a), 2 * ARENA_STEP);
    ck_assert_int_eq(arena_file_error(a), 0);
    end();
}
END_TEST

START_TEST(without_room_new_steps_are_memory_until_there_is_some)
{
    begin();
    ck_assert_int_eq(arena_attach(a, fd), 0);
    char *first = put("first");
    no_room = ENOSPC;
    char *p = NULL;
    for (int i = 0; i < 2 * ARENA_STEP / ARENA_MAX_PIECE; i++) {
        p = put("in memory");
    }
    ck_assert_int_eq(arena_file_error(a), -ENOSPC);
    ck_assert_int_eq(arena_file_bytes(a), ARENA_STEP);
    ck_assert_str_eq(in_file(fd, p), "");
    ck_assert_int_eq(arena_reserve(a, fd), -ENOSPC);
    ck_assert_int_eq(arena_attach(a, fd), -ENOSPC);
    ck_assert_int_eq(arena_file_error(a), -ENOSPC);
    no_room = 0;
    ck_assert_int_eq(arena_reserve(a, fd), 0);
    ck_assert_int_eq(arena_file_error(a), -ENOSPC);
    ck_assert_int_eq(arena_attach(a, fd), 0);
    ck_assert_int_eq(arena_file_error(a), 0);
    ck_assert_str_eq(p, "in memory");
    ck_assert_str_eq(in_file(fd, p), "in memory");
    strcpy(p, "in the file");
    ck_assert_str_eq(in_file(fd, p), "in the file");
    ck_assert_str_eq(in_file(fd, first), "first");
    end();
}
END_TEST

START_TEST(an_arena_moves_from_one_file_into_another)
{
    begin();
    ck_assert_int_eq(arena_attach(a, fd), 0);
    char *p = put("one");
    ck_assert_int_eq(arena_detach(a), 0);
    ck_assert_int_eq(arena_file_bytes(a), 0);
    strcpy(p, "two");
    ck_assert_str_eq(in_file(fd, p), "one");
    int other = file();
    ck_assert_int_eq(arena_attach(a, other), 0);
    strcpy(p, "three");
    ck_assert_str_eq(in_file(other, p), "three");
    ck_assert_str_eq(in_file(fd, p), "one");
    close(other);
    end();
}
END_TEST

START_TEST(a_file_that_was_cut_costs_its_bytes_and_nothing_else)
{
    begin();
    ck_assert_int_eq(arena_attach(a, fd), 0);
    arena_guard(a);
    char *lost = put("lost");
    char *kept = put("kept");
    kept[ARENA_PAGE] = 'x'; // of a page that is not touched before the cut
    ck_assert_int_eq(ftruncate(fd, kept - arena_base(a) + ARENA_PAGE), 0);
    ck_assert_int_eq(kept[ARENA_PAGE], 0);
    ck_assert(arena_is_corrupt(a));
    ck_assert_int_eq(arena_file_error(a), -EIO);
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_str_eq(lost, "");
    strcpy(lost, "again");
    ck_assert_int_eq(arena_detach(a), 0);
    ck_assert(!arena_is_corrupt(a));
    ck_assert_str_eq(lost, "again");
    ck_assert_str_eq(kept, "");
    int other = file();
    ck_assert_int_eq(arena_attach(a, other), 0);
    ck_assert_str_eq(in_file(other, lost), "again");
    close(other);
    end();
}
END_TEST

// The status with which a child ends that does this.
static int status_of(void (*what)(void))
{
    pid_t child = fork();
    if (child == 0) {
        what();
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

static void read_elsewhere(void)
{
    int empty = file();
    volatile char *p = mmap(NULL, ARENA_PAGE, PROT_READ, MAP_SHARED, empty, 0);
    (void)*p;
}

static void be_sent_one(void)
{
    kill(getpid(), SIGBUS);
}

START_TEST(a_bus_error_that_is_not_the_arena_s_ends_the_process)
{
    begin();
    ck_assert_int_eq(arena_attach(a, fd), 0);
    arena_guard(a);
    ck_assert_int_eq(status_of(read_elsewhere), SIGBUS);
    ck_assert_int_eq(status_of(be_sent_one), SIGBUS);
    end();
}
END_TEST

START_TEST(a_page_that_became_memory_on_the_way_is_left_alone)
{
    begin();
    ck_assert_int_eq(arena_attach(a, fd), 0);
    char *p = put("kept");
    ck_assert_int_eq(arena_detach(a), 0);
    // As a thread does that met the page before.
    ck_assert(rescue(a, (uint64_t)(p - arena_base(a)), false));
    ck_assert_str_eq(p, "kept");
    ck_assert(!arena_is_corrupt(a));
    ck_assert_int_eq(arena_file_error(a), 0);
    ck_assert(!rescue(a, (uint64_t)(p - arena_base(a)), true)); // of broken memory nothing is left
    end();
}
END_TEST

START_TEST(pages_of_the_system_are_replaced_whole)
{
    begin();
    a->page = 4 * ARENA_PAGE;
    ck_assert_int_eq(arena_attach(a, fd), 0);
    arena_guard(a);
    char *base = arena_base(a);
    uint64_t last = ARENA_STEP - a->page;
    base[last] = 'x';
    base[last - 1] = 'y';
    ck_assert_int_eq(ftruncate(fd, (off_t)last), 0);
    ck_assert_int_eq(base[ARENA_STEP - 1], 0);
    ck_assert_int_eq(ftruncate(fd, ARENA_STEP), 0);
    for (uint64_t at = last; at < ARENA_STEP; at++) {
        base[at] = 'n';
    }
    char in = 'f';
    ck_assert_int_eq(pread(fd, &in, 1, (off_t)last), 1);
    ck_assert_int_eq(in, 0); // all of it is memory
    ck_assert_int_eq(base[last - 1], 'y');
    end();
}
END_TEST

UNIT_MAIN("arena_file", what_is_written_to_the_arena_is_in_the_file,
          without_room_new_steps_are_memory_until_there_is_some,
          an_arena_moves_from_one_file_into_another,
          a_file_that_was_cut_costs_its_bytes_and_nothing_else,
          a_bus_error_that_is_not_the_arena_s_ends_the_process,
          a_page_that_became_memory_on_the_way_is_left_alone,
          pages_of_the_system_are_replaced_whole)
