// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include "series/layout.c"

#include "state/statefile.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char dir[] = "/tmp/ve-state-XXXXXX";
static char path[64];
static struct statefile f;
static struct arena *a;
static struct arena_writer writer;

static const char *beside(const char *ending)
{
    static char name[80];
    snprintf(name, sizeof name, "%s%s", path, ending);
    return name;
}

static void begin(void)
{
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
}

static void end(void)
{
    static const char *const endings[] = {"", ".new", ".aside.1", ".aside.2", ".aside.3"};
    for (size_t i = 0; i < 5; i++) {
        unlink(beside(endings[i]));
    }
    ck_assert_int_eq(rmdir(dir), 0); // nothing else was left
}

static bool is_there(const char *ending)
{
    return access(beside(ending), F_OK) == 0;
}

static void write_file(const char *ending, const void *bytes, size_t len)
{
    int fd = open(beside(ending), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

static int try_open(void)
{
    struct statefile other;
    int rc = statefile_open(&other, path);
    statefile_close(&other);
    return rc;
}

static void put_record(const char *text)
{
    struct record_spec spec = {
        .kind = RECORD_SESSION, .created_ms = 1, .text = text, .text_len = strlen(text)};
    uint32_t handle = record_new(a, &writer, &spec);
    ck_assert_uint_ne(handle, 0);
    record_persist(arena_base(a), handle);
}

// What is found at the start of a process: the texts of its records, or what else there is.
static const char *start(bool *ret_power_cut)
{
    static char found_text[256];
    struct record_image image;
    enum statefile_found found;
    ck_assert_int_eq(statefile_open(&f, path), 0);
    ck_assert_int_eq(statefile_read(&f, &image, &found), 0);
    writer = (struct arena_writer){0};
    ck_assert_int_eq(arena_new(&a, 4 * (uint64_t)ARENA_STEP), 0);
    layout_init(arena_base(a), 101);
    ck_assert_int_eq(statefile_prepare(&f, a), 0);
    ck_assert_int_eq(statefile_begin(&f, a), 0);
    if (found != STATEFILE_GOOD) {
        return found == STATEFILE_NOTHING ? "nothing" : "foreign";
    }
    found_text[0] = '\0';
    size_t at = 0;
    for (uint32_t handle; (handle = record_next(&image, RECORD_SESSION, &at)) != 0;) {
        const struct record *r = record_at(image.base, handle);
        char text[64] = "";
        memcpy(text, record_text(r), r->text_len);
        strcat(strcat(found_text, text), " ");
        put_record(text);
    }
    strcat(found_text, image.damaged > 0 ? "damaged" : "");
    f.aside |= image.damaged > 0;
    if (ret_power_cut != NULL) {
        *ret_power_cut = image.power_cut;
    }
    statefile_image_free(&image);
    return found_text;
}

static void stop(bool clean)
{
    if (clean) {
        ck_assert_int_eq(statefile_finish(&f, a), 0);
    }
    statefile_close(&f);
    arena_free(a);
}

// One whole life that adds a record.
static void live(const char *text, bool clean)
{
    start(NULL);
    put_record(text);
    statefile_complete(a);
    ck_assert_int_eq(statefile_commit(&f), 0);
    stop(clean);
}

// As if the machine was started anew since the file was written.
static void reboot(const char *ending)
{
    int fd = open(beside(ending), O_RDWR);
    struct layout l;
    ck_assert_int_eq(pread(fd, &l, sizeof l, 0), sizeof l);
    l.boot[0] = l.boot[0] == '1' ? '2' : '1';
    l.check = check_of(&l);
    ck_assert_int_eq(pwrite(fd, &l, sizeof l, 0), sizeof l);
    close(fd);
}

START_TEST(what_one_process_leaves_the_next_one_finds)
{
    for (int clean = 0; clean < 2; clean++) {
        begin();
        ck_assert_str_eq(start(NULL), "nothing");
        put_record("one");
        statefile_complete(a);
        ck_assert(is_there(".new"));
        ck_assert_int_eq(statefile_commit(&f), 0);
        ck_assert_int_eq(statefile_commit(&f), 0);
        ck_assert(!is_there(".new"));
        put_record("two");
        stop(clean != 0);
        bool power_cut = true;
        ck_assert_str_eq(start(&power_cut), "one two ");
        ck_assert(!power_cut);
        stop(false);
        end();
    }
}
END_TEST

START_TEST(a_process_that_is_killed_at_its_start_loses_nothing)
{
    begin();
    live("one", true);
    start(NULL); // killed before all was taken over
    put_record("two");
    stop(false);
    ck_assert(is_there(".new"));
    ck_assert_str_eq(start(NULL), "one ");
    put_record("three");
    statefile_complete(a);
    stop(false); // killed before the file got its name
    ck_assert(is_there(".new"));
    ck_assert_str_eq(start(NULL), "one three ");
    stop(false);
    end();
}
END_TEST

START_TEST(a_power_cut_is_told_from_a_kill)
{
    begin();
    bool power_cut = false;
    live("one", false);
    reboot("");
    ck_assert_str_eq(start(&power_cut), "one ");
    ck_assert(power_cut);
    statefile_complete(a);
    ck_assert_int_eq(statefile_commit(&f), 0);
    stop(true);
    reboot(""); // it was complete: nothing was cut
    ck_assert_str_eq(start(&power_cut), "one ");
    ck_assert(!power_cut);
    stop(false);
    // A file that had no name when the power went may not be on the disk.
    write_file(".new", "", 0);
    live("two", false);
    start(NULL);
    put_record("three");
    statefile_complete(a);
    stop(false);
    reboot(".new");
    ck_assert_str_eq(start(NULL), "one two ");
    stop(false);
    end();
}
END_TEST

START_TEST(of_the_first_file_of_all_there_is_no_other)
{
    begin();
    ck_assert_str_eq(start(NULL), "nothing");
    put_record("one");
    statefile_complete(a);
    stop(false);
    reboot(".new");
    bool power_cut = false;
    ck_assert_str_eq(start(&power_cut), "one ");
    ck_assert(power_cut);
    stop(false);
    end();
}
END_TEST

START_TEST(a_file_is_one_process_s_at_every_moment)
{
    begin();
    live("one", true);
    ck_assert_int_eq(try_open(), 0);
    start(NULL);
    ck_assert_int_eq(try_open(), -EBUSY);
    statefile_complete(a);
    ck_assert_int_eq(statefile_commit(&f), 0);
    ck_assert_int_eq(try_open(), -EBUSY);
    ck_assert_int_eq(statefile_abandon(&f, a), 0);
    ck_assert_int_eq(try_open(), -EBUSY);
    ck_assert_int_eq(statefile_prepare(&f, a), 0);
    ck_assert_int_eq(statefile_begin(&f, a), 0);
    statefile_complete(a);
    ck_assert_int_eq(statefile_commit(&f), 0);
    ck_assert_int_eq(try_open(), -EBUSY);
    ck_assert(!is_there(".aside.1")); // the new one has all that the other one had
    stop(false);
    ck_assert_int_eq(try_open(), 0);
    write_file("", "foreign", 7);
    ck_assert_str_eq(start(NULL), "foreign");
    ck_assert_int_eq(try_open(), -EBUSY);
    stop(false);
    end();
}
END_TEST

START_TEST(what_can_be_no_state_file_is_refused)
{
    begin();
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(try_open(), -EINVAL);
    rmdir(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(try_open(), -EINVAL);
    unlink(path);
    ck_assert_int_eq(symlink("/dev/null", path), 0);
    ck_assert_int_eq(try_open(), -EINVAL);
    unlink(path);
    strcat(path, "/below");
    ck_assert_int_eq(try_open(), -ENOENT);
    path[strlen(path) - 6] = '\0';
    end();
}
END_TEST

START_TEST(a_file_that_is_damaged_is_kept_when_another_takes_its_place)
{
    begin();
    live("one", true);
    int fd = open(path, O_RDWR);
    ck_assert_int_eq(pwrite(fd, "x", 1, ARENA_RESERVED + 5000), 1);
    close(fd);
    ck_assert_str_eq(start(NULL), "one damaged");
    statefile_complete(a);
    ck_assert(!is_there(".aside.1"));
    ck_assert_int_eq(statefile_commit(&f), 0);
    ck_assert(is_there(".aside.1"));
    ck_assert_uint_eq(f.n_aside, 1);
    stop(true);
    ck_assert_str_eq(start(NULL), "one ");
    stop(false);
    end();
}
END_TEST

START_TEST(spans_cover_an_arena_of_any_size)
{
    const uint64_t sizes[] = {0,
                              1,
                              ARENA_PAGE,
                              (uint64_t)LAYOUT_SUMS * ARENA_PAGE,
                              (uint64_t)LAYOUT_SUMS * ARENA_PAGE + 1,
                              ARENA_REACH};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t span = layout_span(sizes[i]);
        ck_assert_uint_gt(span, 0);
        ck_assert_uint_eq(span % ARENA_PAGE, 0);
        ck_assert_uint_le(sizes[i], span * LAYOUT_SUMS);
    }
    ck_assert_uint_eq(layout_span((uint64_t)LAYOUT_SUMS * ARENA_PAGE), ARENA_PAGE);
}
END_TEST

START_TEST(a_part_that_is_cut_off_is_missed)
{
    begin();
    live("one", true);
    ck_assert_int_eq(truncate(path, ARENA_RESERVED), 0);
    ck_assert_str_eq(start(NULL), "damaged");
    stop(false);
    ck_assert_int_eq(truncate(path, ARENA_RESERVED - 1), 0);
    ck_assert_str_eq(start(NULL), "foreign");
    stop(false);
    end();
}
END_TEST

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITISED = 1 };
#else
enum { SANITISED = 0 };
#endif
enum { HOLE = 1 << 30 };

// Lets the process have so much more address space, however much of it would ever be memory.
static void limit_address_space(uint64_t more)
{
    FILE *statm = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    ck_assert_ptr_nonnull(statm);
    ck_assert_int_eq(fscanf(statm, "%lu", &pages), 1);
    fclose(statm);
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = pages * (uint64_t)sysconf(_SC_PAGESIZE) + more;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

START_TEST(a_hole_of_any_size_costs_no_memory)
{
    begin();
    live("one", false);
    ck_assert_int_eq(truncate(path, HOLE), 0);
    if (!SANITISED) { // a sanitiser needs address space of its own
        limit_address_space(HOLE / 16);
    }
    ck_assert_str_eq(start(NULL), "one ");
    stop(false);
    end();
}
END_TEST

UNIT_MAIN("statefile", what_one_process_leaves_the_next_one_finds,
          a_process_that_is_killed_at_its_start_loses_nothing, a_power_cut_is_told_from_a_kill,
          of_the_first_file_of_all_there_is_no_other, a_file_is_one_process_s_at_every_moment,
          what_can_be_no_state_file_is_refused,
          a_file_that_is_damaged_is_kept_when_another_takes_its_place,
          spans_cover_an_arena_of_any_size, a_part_that_is_cut_off_is_missed,
          a_hole_of_any_size_costs_no_memory)
