// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"
#include "unit.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/stat.h>

static _Atomic int sync_fails;    // with this, -errno
static _Atomic int prepare_fails; // likewise

#include "state/statefile.h"

static int some_sync(struct statefile *f)
{
    int rc = atomic_load(&sync_fails);
    return rc != 0 ? rc : statefile_sync(f);
}

static int some_prepare(struct statefile *f, struct arena *a)
{
    int rc = atomic_load(&prepare_fails);
    return rc != 0 ? rc : statefile_prepare(f, a);
}

static uint64_t test_ms = 1000; // the state's clock

static uint64_t some_now(void)
{
    return test_ms;
}

#define statefile_sync some_sync
#define statefile_prepare some_prepare
#define clock_mono_ms some_now
#include "daemon/state.c"
#undef statefile_sync
#undef statefile_prepare
#undef clock_mono_ms

static char dir[] = "/tmp/ve-state-XXXXXX";
static char path[64];
static struct fixture h;
static struct state st;

static void open_it(void)
{
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    fixture_open(&h, "metrics:\n  - {name: g, type: gauge, help: h, labels: [x]}\n", 100, 100);
    if (path[0] == '\0') {
        ck_assert_ptr_nonnull(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/s", dir);
    }
    ck_assert_int_eq(state_open(&st, path, h.store, h.sources), 0);
    ck_assert_int_eq(state_load(&st, h.ingest), 0);
}

static void close_it(void)
{
    state_close(&st);
    arena_guard(NULL);
    fixture_close(&h);
}

static void clean_up(void)
{
    char name[80];
    static const char *const endings[] = {"", ".aside.1", ".aside.2"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}

// Ticks until the state is kept, or is not. Returns what the trouble was then: the file's own thread may find or mend some
// at any time. Seconds pass until it is kept only, so that trouble, once a new file was tried, stands until it is seen.
static const char *until(bool kept)
{
    const char *trouble = state_trouble(&st);
    for (int i = 0; i < 1000 && (trouble == NULL) != kept; i++) {
        test_ms += kept ? 1000 : 0;
        eventfd_write(st.wake, 1);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        state_tick(&st, h.ingest, test_ms);
        trouble = state_trouble(&st);
    }
    ck_assert_int_eq(trouble == NULL, kept);
    return trouble;
}

static void set(const char *x, double value)
{
    char line[128];
    snprintf(line, sizeof line, "{\"metric\":\"g\",\"labels\":{\"x\":\"%s\"},\"value\":%g}", x,
             value);
    ck_assert_int_eq(fixture_line(&h, line).kind, EVENT_APPLIED);
}

START_TEST(without_a_path_nothing_is_kept_and_nothing_said)
{
    fixture_open(&h, NULL, 100, 100);
    ck_assert_int_eq(state_open(&st, NULL, h.store, h.sources), 0);
    ck_assert_int_eq(state_load(&st, h.ingest), 0);
    state_tick(&st, h.ingest, 1000);
    ck_assert(!st.shown.kept);
    ck_assert_ptr_null(state_trouble(&st));
    state_close(&st);
    fixture_close(&h);
}
END_TEST

START_TEST(what_cannot_be_written_goes_on_in_memory_and_then_in_a_new_file)
{
    open_it();
    set("one", 1);
    until(true);
    atomic_store(&sync_fails, -EIO);
    ck_assert_str_eq(until(false), strerror(EIO));
    set("two", 2);
    struct stat before;
    ck_assert_int_eq(stat(path, &before), 0);
    atomic_store(&sync_fails, 0);
    until(true);
    set("three", 3);
    for (int i = 0; i < 1000; i++) { // until the new file has the name
        struct stat now;
        ck_assert_int_eq(stat(path, &now), 0);
        if (now.st_ino != before.st_ino) {
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    ck_assert_uint_eq(st.shown.set_aside, 0);
    ck_assert(atomic_load(&st.shown.error) == 0 && st.shown.kept);
    ck_assert_uint_eq(st.shown.bytes, ARENA_STEP);
    close_it();
    open_it();
    ck_assert_str_eq(fixture_samples(&h), "g{x=\"one\"} 1\ng{x=\"two\"} 2\ng{x=\"three\"} 3\n");
    close_it();
    clean_up();
}
END_TEST

START_TEST(a_start_that_finds_no_room_serves_what_was_there)
{
    open_it();
    set("one", 1);
    close_it();
    atomic_store(&prepare_fails, -ENOSPC);
    open_it();
    ck_assert_str_eq(state_trouble(&st), strerror(ENOSPC));
    ck_assert_str_eq(fixture_samples(&h), "g{x=\"one\"} 1\n");
    set("two", 2);
    close_it(); // what was in memory only is lost, as was said
    open_it();
    ck_assert_str_eq(fixture_samples(&h), "g{x=\"one\"} 1\n");
    set("two", 2);
    until(false);
    atomic_store(&prepare_fails, 0);
    until(true);
    close_it();
    open_it();
    ck_assert_str_eq(fixture_samples(&h), "g{x=\"one\"} 1\ng{x=\"two\"} 2\n");
    close_it();
    clean_up();
}
END_TEST

UNIT_MAIN("state", without_a_path_nothing_is_kept_and_nothing_said,
          what_cannot_be_written_goes_on_in_memory_and_then_in_a_new_file,
          a_start_that_finds_no_room_serves_what_was_there)
