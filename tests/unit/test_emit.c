// SPDX-License-Identifier: Apache-2.0
#include "emit/emit.h"

#include "emit/args.h"
#include "unit.h"

#include "fake_daemon.h"

#include <fcntl.h>

enum { WORDS = 12 };

// Runs virtrigaud-emit with these words after its name; what it wrote is in out and err.
struct run {
    int status;
    char *out;
    char *err;
};

static struct run run_fd(int in, const char *const *words)
{
    char *argv[WORDS + 2] = {strdup("virtrigaud-emit")};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = strdup(words[argc - 1]);
    }
    char *copies[WORDS + 2];
    memcpy(copies, argv, sizeof argv);
    struct run r;
    size_t n;
    FILE *out = open_memstream(&r.out, &n);
    FILE *err = open_memstream(&r.err, &n);
    r.status = emit_run(argc, argv, in, out, err);
    fclose(out);
    fclose(err);
    for (int i = 0; i < argc; i++) {
        free(copies[i]);
    }
    return r;
}

// The same with text as standard input.
static struct run run_text(const char *text, const char *const *words)
{
    FILE *in = tmpfile();
    fputs(text, in);
    rewind(in);
    struct run r = run_fd(fileno(in), words);
    fclose(in);
    return r;
}

static void run_free(struct run *r)
{
    free(r->out);
    free(r->err);
}

#define expect(text, status_, out_, err_, ...)                                                     \
    do {                                                                                           \
        struct run r = run_text(text, (const char *const[]){__VA_ARGS__, NULL});                   \
        ck_assert_str_eq(r.out, out_);                                                             \
        ck_assert_str_eq(r.err, err_);                                                             \
        ck_assert_int_eq(r.status, status_);                                                       \
        run_free(&r);                                                                              \
    } while (0)

START_TEST(a_dry_run_prints_exactly_the_line)
{
    static const struct {
        const char *words[WORDS];
        const char *line;
    } rows[] = {
        {{"m"}, "{\"metric\":\"m\"}\n"},
        {{"m", "3"}, "{\"metric\":\"m\",\"value\":3}\n"},
        {{"m", "-1.50e3"}, "{\"metric\":\"m\",\"value\":-1.50e3}\n"},
        {{"--op", "add", "m", "a=1", "-1"},
         "{\"metric\":\"m\",\"labels\":{\"a\":\"1\"},\"op\":\"add\",\"value\":-1}\n"},
        {{"--op=set", "m", "a=", "b=x=y", "c=\"\\\n"},
         "{\"metric\":\"m\",\"labels\":{\"a\":\"\",\"b\":\"x=y\",\"c\":\"\\\"\\\\\\u000a\"},\"op\":"
         "\"set\"}\n"},
        {{"--values", "0.5,-2,1e3", "--event", "rpc", "method=Create"},
         "{\"event\":\"rpc\",\"labels\":{\"method\":\"Create\"},\"values\":[0.5,-2,1e3]}\n"},
        {{"--event", "rpc", "method=Create", "0.84"},
         "{\"event\":\"rpc\",\"labels\":{\"method\":\"Create\"},\"value\":0.84}\n"},
        {{"--metric", "12", "5"}, "{\"metric\":\"12\",\"value\":5}\n"},
        {{"--component", "manager", "--instance", "a", "m"}, "{\"metric\":\"m\"}\n"},
        {{"--", "m", "1"}, "{\"metric\":\"m\",\"value\":1}\n"},
        {{"--count", "3", "e", "a=b"}, "{\"event\":\"e\",\"labels\":{\"a\":\"b\"},\"count\":3}\n"},
        {{"--exemplar", "t=1", "--exemplar", "u=2", "m", "1"},
         "{\"metric\":\"m\",\"exemplar\":{\"labels\":{\"t\":\"1\",\"u\":\"2\"}},\"value\":1}\n"},
        {{"--component", "c", "--label", "x=y", "m"}, "{\"metric\":\"m\"}\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *words[WORDS + 2] = {"--dry-run"};
        memcpy(words + 1, rows[i].words, sizeof rows[i].words);
        struct run r = run_text("", words);
        ck_assert_str_eq(r.out, rows[i].line);
        ck_assert_str_eq(r.err, "");
        ck_assert_int_eq(r.status, EMIT_APPLIED);
        run_free(&r);
    }
    expect("any\n\nthing", EMIT_APPLIED, "any\n\nthing", "", "--dry-run");
}
END_TEST

START_TEST(what_makes_no_sense_is_named_and_exits_with_2)
{
    static const struct {
        const char *words[WORDS];
        const char *text;
    } rows[] = {
        {{"m", "x"}, "x is neither LABEL=VALUE nor, as last argument, a number"},
        {{"m", "1", "a=b"}, "1 is neither LABEL=VALUE nor, as last argument, a number"},
        {{"m", "NaN"}, "NaN is neither LABEL=VALUE nor, as last argument, a number"},
        {{"m", "a=1", "--dry-run"},
         "--dry-run is neither LABEL=VALUE nor, as last argument, a number"},
        {{"a=b", "1"}, "found \"a=b\" where NAME is expected"},
        {{""}, "found \"\" where NAME is expected"},
        {{"m", "1a=b"}, "\"1a\" is not a label name"},
        {{"m", "=b"}, "\"\" is not a label name"},
        {{"m", "a=b", "a=c"}, "label a is given twice"},
        {{"m", "a=\xff"}, "argument 2 is not UTF-8"},
        {{"--component", "\xc3", "m"}, "argument 2 is not UTF-8"},
        {{"--instance", "i", "m"}, "--instance needs --component"},
        {{"--metric", "--event", "m"}, "--metric and --event cannot be combined"},
        {{"--event", "--op", "add", "m"},
         "--op and --event cannot be combined: events have no operation"},
        {{"--op", "add"}, "--op, --metric and --event need a NAME"},
        {{"--session"}, "--session needs --component, and lines on standard input"},
        {{"--session", "--component", "manager", "m"},
         "--session needs --component, and lines on standard input"},
        {{"--socket"}, "--socket needs a value"},
        {{"--nonsense", "m"}, "--nonsense is not an option, or takes no value"},
        {{"--dry-run=1", "m"}, "--dry-run=1 is not an option, or takes no value"},
        {{"--values", "", "m"}, "--values  is not a list of numbers such as 0.5,2"},
        {{"--values", "1,,2", "m"}, "--values 1,,2 is not a list of numbers such as 0.5,2"},
        {{"--values", "1,2,", "m"}, "--values 1,2, is not a list of numbers such as 0.5,2"},
        {{"--values", "1,NaN", "m"}, "--values 1,NaN is not a list of numbers such as 0.5,2"},
        {{"--values", "1", "m", "2"}, "--values takes the place of VALUE"},
        {{"--values", "1"}, "--count, --values and --exemplar need a NAME"},
        {{"--values", "1", "--count", "2", "m"},
         "--count is of an event without VALUE; a counter has its VALUE"},
        {{"--interval", "-1", "--component", "a"},
         "--interval -1 is not a whole number from 0 to 3600"},
        {{"--interval", "3601", "--component", "a"},
         "--interval 3601 is not a whole number from 0 to 3600"},
        {{"--interval", "5"}, "--interval needs --component, and lines on standard input"},
        {{"--interval", "5", "--component", "a", "m"},
         "--interval needs --component, and lines on standard input"},
        {{"--keep-gauges", "--component", "a"}, "--keep-gauges needs --session"},
        {{"--transient", "m"}, "--transient needs --component"},
        {{"--pid", "1", "--component", "a"}, "--pid needs --session"},
        {{"--pid", "0"}, "--pid 0 is no process ID"},
        {{"--pid", "2147483648"}, "--pid 2147483648 is no process ID"},
        {{"m", "\033[31m\n"},
         "\\u001b[31m\\u000a is neither LABEL=VALUE nor, as last argument, a number"},
        {{"\033=\033", "1"}, "found \"\\u001b=\\u001b\" where NAME is expected"},
        {{"m", "\033=b"}, "\"\\u001b\" is not a label name"},
        {{"--\xe2\x80\xae", "m"}, "--\\u202e is not an option, or takes no value"},
        {{"--timeout", "\xff\007", "m"},
         "--timeout \\xff\\u0007 is not a number of seconds above 0"},
        {{"--timeout", "0", "m"}, "--timeout 0 is not a number of seconds above 0"},
        {{"--timeout", "5s", "m"}, "--timeout 5s is not a number of seconds above 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char want[200];
        snprintf(want, sizeof want, "virtrigaud-emit: %s; see --help\n", rows[i].text);
        struct run r = run_text("", rows[i].words);
        ck_assert_str_eq(r.err, want);
        ck_assert_str_eq(r.out, "");
        ck_assert_int_eq(r.status, EMIT_USAGE);
        run_free(&r);
    }
}
END_TEST

START_TEST(help_and_version_go_to_standard_output)
{
    expect("", EMIT_APPLIED, args_help, "", "--help");
    expect("", EMIT_APPLIED, args_help, "", "-h");
    struct run r = run_text("", (const char *const[]){"--version", NULL});
    ck_assert_mem_eq(r.out, "virtrigaud-emit ", 16);
    ck_assert_int_eq(r.status, EMIT_APPLIED);
    run_free(&r);
}
END_TEST

START_TEST(a_name_is_a_metric_or_else_an_event)
{
    struct fake f = {0};
    fake_start(&f);
#define REFUSED(reason) "virtrigaud-emit: rejected: " reason ": a \"b\"\n"
    expect("", 0, "", "", "--socket", f.path, "m", "a=b", "1");
    expect("", 0, "", "", "--socket", f.path, "--component", "manager", "--event", "rpc");
    expect("", 1, "", REFUSED("unknown_metric"), "--socket", f.path, "--metric", "no_such");
    expect("", 1, "", REFUSED("unknown_metric"), "--socket", f.path, "--op", "add", "no_such");
    expect("", 1, "", REFUSED("unknown_event"), "--socket", f.path, "--event", "no_such");
    expect("", 1, "", REFUSED("unknown_metric") REFUSED("unknown_event"), "--socket", f.path,
           "no_such", "2");
    fake_stop(&f);
    ck_assert_str_eq(
        f.log,
        "{\"metric\":\"m\",\"labels\":{\"a\":\"b\"},\"value\":1}\n{\"sync\":1}\n"
        "{\"hello\":{\"component\":\"manager\",\"transient\":true}}\n{\"event\":\"rpc\"}\n{"
        "\"sync\":1}\n"
        "{\"metric\":\"no_such\"}\n{\"sync\":1}\n"
        "{\"metric\":\"no_such\",\"op\":\"add\"}\n{\"sync\":1}\n"
        "{\"event\":\"no_such\"}\n{\"sync\":1}\n"
        "{\"metric\":\"no_such\",\"value\":2}\n{\"sync\":1}\n{\"event\":\"no_such\",\"value\":2}\n"
        "{\"sync\":2}\n");
    fake_free(&f);
}
END_TEST

START_TEST(a_daemon_that_cannot_be_reached_exits_with_3)
{
    struct fake f = {.silent = true};
    fake_name(&f);
    char none[400];
    snprintf(none, sizeof none,
             "virtrigaud-emit: cannot connect to %s (no socket there: the daemon does not run, or "
             "has another path)\n",
             f.path);
    expect("", 3, "", none, "--socket", f.path, "m");
    expect("{}\n", 3, "", none, "--socket", f.path);
    setenv("VIRTRIGAUD_EVENTS_SOCKET", f.path, 1);
    strcat(none, "virtrigaud-emit: start virtrigaud-exporter, or name its socket with --socket\n");
    expect("", 3, "", none, "m");
    expect("{}\n", 3, "", none, "--component", "c");
    fake_listen(&f);
    expect("", 3, "", "virtrigaud-emit: the daemon does not answer\n", "--timeout", "0.05", "m");
    expect("{}\n", 3, "",
           "virtrigaud-emit: the daemon does not answer: 1 lines sent, 0 acknowledged as applied, "
           "0 as rejected\n",
           "--timeout", "0.05");
    fake_stop(&f);
    unsetenv("VIRTRIGAUD_EVENTS_SOCKET");
    fake_free(&f);
}
END_TEST

START_TEST(why_it_cannot_connect_is_reported)
{
    char path[200];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    expect("", 3, "",
           "virtrigaud-emit: not started: the socket's path has 199 bytes, 107 are possible\n",
           "--socket", path, "m");
    expect("{}\n", 3, "",
           "virtrigaud-emit: not started: the socket's path has 199 bytes, 107 are possible\n",
           "--socket", path, "--component", "a", "--session");
    expect("", 3, "", "virtrigaud-emit: cannot connect to /dev/null/\\u001b (Not a directory)\n",
           "--socket", "/dev/null/\033", "m");
    expect(
        "", 3, "",
        "virtrigaud-emit: cannot connect to /dev/null (nobody listens: the daemon does not run)\n",
        "--socket", "/dev/null", "m");
}
END_TEST

// Two lines come with a pause between, in which signs of life are due.
static void *pause_between_lines(void *arg)
{
    int fd = *(int *)arg;
    ck_assert_int_eq(write(fd, "{}\n", 3), 3);
    usleep(1100000);
    ck_assert_int_eq(write(fd, "no\n", 3), 3);
    close(fd);
    return NULL;
}

// Returns how many syncs it wrote.
static unsigned copy_with_pause(const char *interval, const char *more)
{
    struct fake f = {0};
    fake_start(&f);
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pthread_t t;
    pthread_create(&t, NULL, pause_between_lines, &fds[1]);
    struct run r = run_fd(fds[0], (const char *const[]){"--socket", f.path, "--component", "a",
                                                        "--interval", interval, more, NULL});
    pthread_join(t, NULL);
    close(fds[0]);
    fake_stop(&f);
    ck_assert_str_eq(r.err, "virtrigaud-emit: line 2: bad_json: a \"b\"\n");
    run_free(&r);
    unsigned n = 0;
    for (const char *at = f.log; (at = strstr(at, "{\"sync\"")) != NULL; at++) {
        n++;
    }
    fake_free(&f);
    return n;
}

START_TEST(signs_of_life_are_given_in_a_pause)
{
    ck_assert_uint_ge(copy_with_pause("1", NULL), 3);
    ck_assert_uint_ge(copy_with_pause("1", "--session"), 3);
    ck_assert_uint_eq(copy_with_pause("0", NULL), 1);
}
END_TEST

START_TEST(a_refused_hello_exits_with_1)
{
    struct fake f = {.refuse_hello = true};
    fake_start(&f);
    const char *const text = "virtrigaud-emit: hello: bad_control: a \"b\"\n";
    expect("", 1, "", text, "--socket", f.path, "--component", "x", "m");
    expect("{}\n{}\n", 1, "", text, "--socket", f.path, "--component", "x");
    fake_stop(&f);
    ck_assert_str_eq(f.log, "{\"hello\":{\"component\":\"x\",\"transient\":true}}\n{\"hello\":{"
                            "\"component\":\"x\",\"interval\":10}}\n");
    fake_free(&f);
}
END_TEST

START_TEST(lines_are_copied_as_they_are_and_refusals_name_the_inputs_line)
{
    struct fake f = {0};
    fake_start(&f);
    char want[400];
    expect("", 2, "",
           "virtrigaud-emit: standard input is empty; name a metric or an event, or write JSON "
           "lines to it\n",
           "--socket", f.path);
    expect(
        "{}\n\n junk\n{\"ping\":1}\n{\"sync\":7}\nmore", 1,
        "{\"ping\":1}\n{\"sync\":7,\"applied\":1,\"rejected\":1}\n",
        "virtrigaud-emit: line 3: bad_json: a \"b\"\nvirtrigaud-emit: line 6: bad_json: a \"b\"\n",
        "--socket", f.path, "--component", "manager");
    fake_stop(&f);
    snprintf(want, sizeof want,
             "{\"sync\":\"virtrigaud-emit-%d-1\"}\n{\"hello\":{\"component\":\"manager\","
             "\"interval\":10}}\n"
             "{}\n\n junk\n{\"ping\":1}\n{\"sync\":7}\nmore\n{\"sync\":\"virtrigaud-emit-%d-1\"}\n",
             (int)getpid(), (int)getpid());
    ck_assert_str_eq(f.log, want);
    fake_free(&f);
}
END_TEST

START_TEST(line_numbers_stay_right_past_the_syncs_in_between)
{
    static const unsigned bad[] = {1, 2, 4095, 4096, 4097, 4098, 8192, 8193, 8194, 12288};
    char *text = calloc(1, 65536);
    char *want = calloc(1, 4096);
    char *at = text;
    size_t next = 0;
    for (unsigned i = 1; i <= 12288; i++) {
        bool refused = next < sizeof bad / sizeof *bad && bad[next] == i;
        next += refused;
        at = stpcpy(at, refused ? "x\n" : "{}\n");
        if (refused) {
            sprintf(want + strlen(want), "virtrigaud-emit: line %u: bad_json: a \"b\"\n", i);
        }
    }
    for (int hello = 0; hello < 2; hello++) {
        struct fake f = {0};
        fake_start(&f);
        if (hello) {
            expect(text, 1, "", want, "--socket", f.path, "--component", "manager");
        } else {
            expect(text, 1, "", want, "--socket", f.path);
        }
        fake_stop(&f);
        fake_free(&f);
    }
    free(text);
    free(want);
}
END_TEST

static void *feed(void *arg)
{
    int fd = *(int *)arg;
    char block[4096];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 5000; i++) { // one line of 20 MB
        ck_assert_int_eq(write(fd, block, sizeof block), sizeof block);
    }
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] = i % 2 ? 'x' : '\n';
    }
    for (int i = 0; i < 20; i++) { // and 40960 refused ones after it
        ck_assert_int_eq(write(fd, block, sizeof block), sizeof block);
    }
    close(fd);
    return NULL;
}

START_TEST(endless_lines_and_floods_of_refusals_stream_through)
{
    struct fake f = {0};
    fake_start(&f);
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pthread_t t;
    pthread_create(&t, NULL, feed, &fds[1]);
    struct run r = run_fd(fds[0], (const char *const[]){"--socket", f.path, NULL});
    pthread_join(t, NULL);
    close(fds[0]);
    fake_stop(&f);
    ck_assert_int_eq(r.status, EMIT_REJECTED);
    // The endless line is 1, and each block has 2048 line feeds; the last line has none.
    ck_assert_mem_eq(r.err, "virtrigaud-emit: line 1: bad_json", 33);
    ck_assert_ptr_nonnull(strstr(r.err, "virtrigaud-emit: line 40961: bad_json"));
    ck_assert_ptr_null(strstr(r.err, "line 40962"));
    run_free(&r);
    fake_free(&f);
}
END_TEST

START_TEST(a_daemon_that_goes_midway_leaves_what_is_known)
{
    struct fake f = {.close_after = 5000};
    fake_start(&f);
    char *text = calloc(1, 65536);
    for (int i = 0; i < 20000; i++) {
        memcpy(text + 3 * i, "{}\n", 3);
    }
    struct run r = run_text(text, (const char *const[]){"--socket", f.path, NULL});
    fake_stop(&f);
    ck_assert_int_eq(r.status, EMIT_UNREACHED);
    ck_assert_mem_eq(r.err, "virtrigaud-emit: the daemon closed the connection: ", 38);
    ck_assert_ptr_nonnull(
        strstr(r.err, " lines sent, 4096 acknowledged as applied, 0 as rejected\n"));
    run_free(&r);
    free(text);
    fake_free(&f);
}
END_TEST

START_TEST(an_input_that_cannot_be_read_exits_with_2)
{
    struct fake f = {0};
    int in = open("/", O_RDONLY | O_CLOEXEC);
    fake_start(&f);
    const char *const words[][4] = {{"--dry-run"}, {"--socket", f.path}};
    for (size_t i = 0; i < 2; i++) {
        struct run r = run_fd(in, words[i]);
        ck_assert_str_eq(r.err, "virtrigaud-emit: cannot read standard input: Is a directory\n");
        ck_assert_int_eq(r.status, EMIT_USAGE);
        run_free(&r);
    }
    struct run r = run_fd(-1, words[0]);
    ck_assert_str_eq(r.err, "virtrigaud-emit: standard input is closed\n");
    ck_assert_int_eq(r.status, EMIT_USAGE);
    run_free(&r);
    close(in);
    fake_stop(&f);
    fake_free(&f);
}
END_TEST

START_TEST(a_dry_run_ends_when_nobody_takes_its_output)
{
    char program[] = "virtrigaud-emit";
    char word[] = "--dry-run";
    char *err;
    size_t n;
    int endless = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    FILE *out = fopen("/dev/full", "w");
    FILE *to = open_memstream(&err, &n);
    ck_assert_int_eq(emit_run(2, (char *[]){program, word, NULL}, endless, out, to),
                     EMIT_UNREACHED);
    fclose(out);
    fclose(to);
    close(endless);
    ck_assert_str_eq(err, "virtrigaud-emit: cannot write standard output\n");
    free(err);
}
END_TEST

START_TEST(what_a_rejection_quotes_is_obeyed_by_no_terminal)
{
    struct wire_reply rejection = {.reason = "unknown_metric",
                                   .detail = "\u202e\xc2\x9b"
                                             "2J \xff"};
    char *text;
    size_t n;
    FILE *to = open_memstream(&text, &n);
    args_report_rejection(to, "line 1", &rejection);
    fclose(to);
    ck_assert_str_eq(text, "virtrigaud-emit: line 1: unknown_metric: \\u202e\\u009b2J \\xff\n");
    free(text);
    rejection = (struct wire_reply){.reason = "bad_value", .in_batch = true, .index = 3};
    to = open_memstream(&text, &n);
    args_report_rejection(to, "line 1", &rejection);
    fclose(to);
    ck_assert_str_eq(text, "virtrigaud-emit: line 1: bad_value (index 3)\n");
    free(text);
}
END_TEST

START_TEST(what_is_too_long_is_not_sent)
{
    struct fake f = {0};
    char *label = malloc(70000);
    memset(label, 'x', 69999);
    label[1] = '=';
    label[69999] = '\0';
    fake_start(&f);
    expect("", 2, "", "virtrigaud-emit: the line is longer than 65536 bytes\n", "--socket", f.path,
           "m", label);
    expect("", 2, "", "virtrigaud-emit: the line is longer than 65536 bytes\n", "--dry-run", "m",
           label);
#define HELLO "virtrigaud-emit: the hello is too long\n"
    expect("", 2, "", HELLO, "--socket", f.path, "--component", "c", "--label", label);
    expect("", 2, "", HELLO, "--socket", f.path, "--component", "c", "--label", label, "m");
    expect("", 2, "", HELLO, "--socket", f.path, "--component", "c", "--label", label, "--session");
    fake_stop(&f);
    ck_assert_str_eq(f.log, "");
    free(label);
    fake_free(&f);
}
END_TEST

UNIT_MAIN("emit", a_dry_run_prints_exactly_the_line, what_makes_no_sense_is_named_and_exits_with_2,
          help_and_version_go_to_standard_output, a_name_is_a_metric_or_else_an_event,
          a_daemon_that_cannot_be_reached_exits_with_3, why_it_cannot_connect_is_reported,
          signs_of_life_are_given_in_a_pause, a_refused_hello_exits_with_1,
          lines_are_copied_as_they_are_and_refusals_name_the_inputs_line,
          line_numbers_stay_right_past_the_syncs_in_between,
          endless_lines_and_floods_of_refusals_stream_through,
          a_daemon_that_goes_midway_leaves_what_is_known, an_input_that_cannot_be_read_exits_with_2,
          a_dry_run_ends_when_nobody_takes_its_output,
          what_a_rejection_quotes_is_obeyed_by_no_terminal, what_is_too_long_is_not_sent)
