// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { TS_LEN = 24 }; // of 2026-11-22T15:04:05.123Z

static char written[1 << 16];
static int reader;

// stderr leads into a pipe from now on; every test runs in a process of its own.
static void capture(void)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    close(ends[1]);
    reader = ends[0];
    ck_assert_int_eq(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
}

// What came since the last call; "" for nothing.
static const char *captured(void)
{
    ssize_t n = read(reader, written, sizeof written - 1);
    if (n < 0) {
        ck_assert_int_eq(errno, EAGAIN);
        n = 0;
    }
    written[n] = '\0';
    return written;
}

// The captured line behind its time stamp, which must be one.
static const char *captured_after_time(const char *before)
{
    const char *line = captured();
    ck_assert_msg(strncmp(line, before, strlen(before)) == 0, "%s", line);
    const char *ts = line + strlen(before);
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; i < TS_LEN; i++) {
        bool digit = ts[i] >= '0' && ts[i] <= '9';
        ck_assert_msg(shape[i] == 'd' ? digit : ts[i] == shape[i], "%s", line);
    }
    return ts + TS_LEN;
}

START_TEST(a_logfmt_line_is_as_documented)
{
    capture();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    log_warn("line rejected", "reason", "bad_json", "line", "7", NULL);
    ck_assert_str_eq(captured_after_time("ts="),
                     " level=warn msg=\"line rejected\" reason=bad_json line=7\n");
}
END_TEST

START_TEST(a_json_line_is_as_documented)
{
    capture();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_warn("line rejected", "reason", "bad_json", "line", "7", NULL);
    ck_assert_str_eq(captured_after_time("{\"ts\":\""),
                     "\",\"level\":\"warn\",\"msg\":\"line "
                     "rejected\",\"reason\":\"bad_json\",\"line\":\"7\"}\n");
}
END_TEST

START_TEST(logfmt_values_are_quoted_only_when_needed)
{
    static const struct {
        const char *value;
        const char *expected;
    } table[] = {
        {"plain", "plain"},
        {"/run/x.sock:1", "/run/x.sock:1"},
        {"\xc3\xa4", "\xc3\xa4"},
        {"", "\"\""},
        {NULL, "\"\""},
        {"a b", "\"a b\""},
        {"a=b", "\"a=b\""},
        {"a\"b", "\"a\\\"b\""},
        {"a\\b", "\"a\\\\b\""},
        {"a\nlevel=error", "\"a\\nlevel=error\""},
        {"\x1b[2J", "\"\\u001b[2J\""},
        {"\xc2\x9b", "\"\\u009b\""},
        {"\xff", "\"\xef\xbf\xbd\""},
    };
    capture();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char expected[256];
        snprintf(expected, sizeof expected, " level=error msg=m k=%s\n", table[i].expected);
        log_error("m", "k", table[i].value, NULL);
        ck_assert_str_eq(captured_after_time("ts="), expected);
    }
}
END_TEST

START_TEST(json_values_are_always_escaped)
{
    capture();
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    log_debug("a \"b\"", "k", "\n\xff", "empty", NULL, NULL);
    ck_assert_str_eq(captured_after_time("{\"ts\":\""),
                     "\",\"level\":\"debug\",\"msg\":\"a \\\"b\\\"\",\"k\":\"\\n\xef\xbf\xbd\","
                     "\"empty\":\"\"}\n");
}
END_TEST

START_TEST(levels_below_the_least_write_nothing)
{
    static const enum log_level all[] = {LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN,
                                         LOG_LEVEL_ERROR};
    capture();
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    for (size_t least = 0; least < 4; least++) {
        log_set_level(all[least]);
        for (size_t level = 0; level < 4; level++) {
            log_write(all[level], "m", NULL);
            ck_assert_int_eq(captured()[0] != '\0', level >= least);
        }
    }
}
END_TEST

START_TEST(a_long_value_is_cut_between_characters)
{
    char value[1000];
    memset(value, 'x', sizeof value);
    memcpy(value + 255, "\xc3\xa4", 2);
    value[sizeof value - 1] = '\0';
    char expected[1200];
    snprintf(expected, sizeof expected, " level=info msg=m k=%.255s after=1\n", value);
    capture();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    log_info("m", "k", value, "after", "1", NULL);
    ck_assert_str_eq(captured_after_time("ts="), expected);
    value[255] = 'x';
    value[256] = '\0';
    snprintf(expected, sizeof expected, " level=info msg=m k=%s\n", value);
    log_info("m", "k", value, NULL);
    ck_assert_str_eq(captured_after_time("ts="), expected);
}
END_TEST

// Whether the line ends in `end`, has no other LF, and fits.
static void check_cut_line(const char *line, const char *end)
{
    size_t len = strlen(line);
    ck_assert_uint_le(len, 4096);
    ck_assert_uint_gt(len, 2000);
    ck_assert_ptr_eq(strchr(line, '\n'), line + len - 1);
    ck_assert_str_eq(line + len - strlen(end), end);
}

START_TEST(a_line_that_would_be_too_long_ends_with_a_mark)
{
    char v[257];
    memset(v, '\x01', sizeof v - 1);
    v[sizeof v - 1] = '\0';
    capture();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    log_info(v, "a", v, "b", v, "c", v, "d", "never reached", NULL);
    check_cut_line(captured(), "\\u0001\" cut=true\n");
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_info(v, "a", v, "b", v, "c", v, "d", "never reached", NULL);
    check_cut_line(captured(), "\\u0001\",\"cut\":\"true\"}\n");
}
END_TEST

START_TEST(a_line_of_any_length_fits_whole_or_ends_with_a_mark)
{
    char v[257];
    memset(v, 'x', sizeof v - 1);
    v[sizeof v - 1] = '\0';
    capture();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    size_t longest = 0;
    bool marked = false;
    for (size_t cut = 0; cut <= 256; cut++) {
        const char *w = v + cut;
        log_info("m", "1", v, "2", v, "3", v, "4", v, "5", v, "6", v, "7", v, "8", v, "9", v, "a",
                 v, "b", v, "c", v, "d", v, "e", v, "f", v + 128, "w", w, "g", "end", NULL);
        const char *line = captured();
        size_t len = strlen(line);
        ck_assert_uint_le(len, 4096);
        ck_assert_int_eq(line[len - 1], '\n');
        bool whole = strstr(line, "\"g\":\"end\"}\n") != NULL;
        ck_assert_int_ne(whole, strstr(line, ",\"cut\":\"true\"}\n") != NULL);
        longest = len > longest ? len : longest;
        marked |= !whole;
    }
    ck_assert(marked);
    ck_assert_uint_ge(longest, 4080);
}
END_TEST

START_TEST(errno_is_kept_even_when_nobody_reads)
{
    capture();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    close(STDERR_FILENO);
    errno = ENOTTY;
    log_info("m", NULL);
    ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

enum { WRITERS = 4, LINES = 500 };

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++) {
        log_info("many lines at once", "writer", arg, "text", "0123456789 0123456789", NULL);
    }
    return NULL;
}

START_TEST(lines_of_many_threads_do_not_mix)
{
    static char names[WRITERS][2] = {"0", "1", "2", "3"};
    capture();
    ck_assert_int_eq(fcntl(reader, F_SETFL, 0), 0);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    FILE *in = fdopen(reader, "r");
    ck_assert_ptr_nonnull(in);
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    }
    int seen[WRITERS] = {0};
    for (int i = 0; i < WRITERS * LINES; i++) {
        ck_assert_ptr_nonnull(fgets(written, sizeof written, in));
        ck_assert_uint_gt(strlen(written), 3 + TS_LEN);
        unsigned writer = WRITERS;
        int end = 0;
        sscanf(written + 3 + TS_LEN,
               " level=info msg=\"many lines at once\" writer=%u text=\"0123456789 0123456789\"%n",
               &writer, &end);
        ck_assert_msg(writer < WRITERS && end > 0, "%s", written);
        ck_assert_str_eq(written + 3 + TS_LEN + end, "\n");
        seen[writer]++;
    }
    for (int i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(seen[i], LINES);
    }
    fclose(in);
}
END_TEST

START_TEST(the_time_is_now_in_utc)
{
    capture();
    setenv("TZ", "JST-9", 1);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    time_t before = time(NULL) - 1;
    log_info("m", NULL);
    time_t after = time(NULL) + 1;
    struct tm tm = {0};
    const char *rest = strptime(captured() + 3, "%Y-%m-%dT%H:%M:%S", &tm);
    ck_assert_ptr_nonnull(rest);
    ck_assert_int_le(before, timegm(&tm));
    ck_assert_int_ge(after, timegm(&tm));
}
END_TEST

UNIT_MAIN("log", a_logfmt_line_is_as_documented, a_json_line_is_as_documented,
          logfmt_values_are_quoted_only_when_needed, json_values_are_always_escaped,
          levels_below_the_least_write_nothing, a_long_value_is_cut_between_characters,
          a_line_that_would_be_too_long_ends_with_a_mark,
          a_line_of_any_length_fits_whole_or_ends_with_a_mark, errno_is_kept_even_when_nobody_reads,
          lines_of_many_threads_do_not_mix, the_time_is_now_in_utc)
