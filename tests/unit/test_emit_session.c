// SPDX-License-Identifier: Apache-2.0
#include "emit/emit.h"

#include "unit.h"

#include "fake_daemon.h"

#include <fcntl.h>
#include <sys/wait.h>

// Runs virtrigaud-emit in a session over the descriptor, with one more word; what it says is in *err.
static int emit_with(const struct fake *f, int in, unsigned timeout_ms, const char *more,
                     char **err)
{
    const char *const words[] = {
        "virtrigaud-emit", "--socket", f->path,     "--component", "provider", "--instance", "vc1",
        "--session",       more,       "--timeout", NULL};
    enum { WORDS = sizeof words / sizeof words[0] };
    char copies[WORDS][64];
    char *argv[WORDS + 1] = {NULL};
    for (size_t i = 0; i < WORDS; i++) {
        if (words[i] != NULL) {
            snprintf(copies[i], sizeof copies[i], "%s", words[i]);
        } else {
            snprintf(copies[i], sizeof copies[i], "%g", timeout_ms / 1000.0);
        }
        argv[i] = copies[i];
    }
    size_t n;
    FILE *out = tmpfile();
    FILE *to = open_memstream(err, &n);
    int status = emit_run(WORDS, argv, in, out, to);
    fclose(out);
    fclose(to);
    return status;
}

static int emit_fd(const struct fake *f, int in, unsigned timeout_ms, char **err)
{
    return emit_with(f, in, timeout_ms, "--session", err);
}

// `first` may be said before: NULL: nothing.
static void expect_after(const struct fake *f, unsigned timeout_ms, const char *text, int status,
                         const char *first, const char *said)
{
    FILE *in = tmpfile();
    char *err;
    fputs(text, in);
    rewind(in);
    int found = emit_fd(f, fileno(in), timeout_ms, &err);
    size_t before = first != NULL && strncmp(err, first, strlen(first)) == 0 ? strlen(first) : 0;
    ck_assert_str_eq(err + before, said);
    ck_assert_int_eq(found, status);
    fclose(in);
    free(err);
}

static void expect(const struct fake *f, unsigned timeout_ms, const char *text, int status,
                   const char *said)
{
    expect_after(f, timeout_ms, text, status, NULL, said);
}

START_TEST(lines_arrive_and_refusals_name_the_inputs_line)
{
    struct fake f = {0};
    fake_start(&f);
    expect(&f, 5000, "", 0, "");
    expect(&f, 5000, "\n \n", 0, "");
    ck_assert_str_eq(f.dealt, "");
    expect(&f, 5000, "{\"a\":1}\n\n\nno\n \n{\"sync\":1}\nno\n{\"b\":2}", 1,
           "virtrigaud-emit: line 6: bad_control: control lines are not allowed with --session\n"
           "virtrigaud-emit: line 4: bad_json: a \"b\"\n"
           "virtrigaud-emit: line 7: bad_json: a \"b\"\n");
    fake_stop(&f);
    ck_assert_str_eq(f.dealt, "{\"a\":1}\nno\nno\n{\"b\":2}\n");
    fake_free(&f);
}
END_TEST

START_TEST(a_line_that_is_too_long_is_passed_over)
{
    static const struct {
        size_t len;
        bool good;
    } rows[] = {{65536, true}, {65537, false}, {131072, false}, {131073, false}, {400000, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int ended = 0; ended < 2; ended++) {
            struct fake f = {0};
            fake_start(&f);
            char *text = malloc(rows[i].len + 20);
            memcpy(text, "{}\n", 3);
            memset(text + 3, '{', rows[i].len);
            strcpy(text + 3 + rows[i].len, ended ? "\n{}\n" : "");
            expect(&f, 5000, text, rows[i].good ? 0 : 1,
                   rows[i].good
                       ? ""
                       : "virtrigaud-emit: line 2: too_long: a line has at most 65536 bytes\n");
            fake_stop(&f);
            size_t others = ended ? 6 : 3;
            ck_assert_uint_eq(f.dealt_len, others + (rows[i].good ? rows[i].len + 1 : 0));
            free(text);
            fake_free(&f);
        }
    }
}
END_TEST

START_TEST(numbers_of_lines_stay_right_among_many_that_are_not_sent)
{
    struct fake f = {.close_after = 500};
    fake_start(&f);
    char *text = calloc(1, 65536);
    char *want = calloc(1, 65536);
    char *at = text;
    for (unsigned i = 1; i <= 3000; i++) {
        bool bad = i % 100 == 50;
        at = stpcpy(at, bad ? "no\n" : i % 3 == 0 ? "\n" : "{}\n");
        if (bad) {
            sprintf(want + strlen(want), "virtrigaud-emit: line %u: bad_json: a \"b\"\n", i);
        }
    }
    FILE *in = tmpfile();
    char *err;
    fputs(text, in);
    rewind(in);
    ck_assert_int_eq(emit_fd(&f, fileno(in), 20000, &err), 1);
    fclose(in);
    fake_stop(&f);
    // What it says of connections may come between any two of these.
    const char *rest = want;
    for (const char *line = err; *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t len = (size_t)(strchr(line, '\n') + 1 - line);
        if (strncmp(line, "virtrigaud-emit: line ", 22) == 0) {
            ck_assert_mem_eq(line, rest, len);
            rest += len;
        }
    }
    ck_assert_str_eq(rest, "");
    free(err);
    free(text);
    free(want);
    fake_free(&f);
}
END_TEST

static void *feed(void *arg)
{
    int fd = *(int *)arg;
    for (unsigned i = 0; i < 2000; i++) {
        dprintf(fd, "{\"metric\":\"m\",\"value\":%u}\n", i);
        if (i % 100 == 0) {
            usleep(10000);
        }
    }
    close(fd);
    return NULL;
}

START_TEST(a_long_pipe_survives_a_daemon_that_dies_again_and_again)
{
    struct fake f = {.die_one_in = 200, .random = unit_seed()};
    fake_name(&f);
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pthread_t t;
    pthread_create(&t, NULL, feed, &fds[1]);
    usleep(50000);
    fake_listen(&f); // it was absent at the start
    char *err;
    ck_assert_int_eq(emit_fd(&f, fds[0], 20000, &err), 0);
    pthread_join(t, NULL);
    close(fds[0]);
    fake_stop(&f);
    char *want = calloc(2000, 40);
    char *at = want;
    for (unsigned i = 0; i < 2000; i++) {
        at += sprintf(at, "{\"metric\":\"m\",\"value\":%u}\n", i);
    }
    ck_assert_str_eq(f.dealt, want);
    ck_assert_uint_gt(f.connections, 2);
    free(want);
    free(err);
    fake_free(&f);
}
END_TEST

START_TEST(what_does_not_answer_or_forgets_exits_with_3)
{
    struct fake f = {0};
    fake_name(&f);
    char text[400];
    snprintf(text, sizeof text,
             "virtrigaud-emit: cannot connect to %s (no socket there: the daemon does not run, or "
             "has another path)\n"
             "virtrigaud-emit: lost: 2 lines\n"
             "virtrigaud-emit: the daemon does not answer: 2 lines taken, 0 acknowledged as "
             "applied, 0 as rejected\n",
             f.path);
    expect(&f, 100, "{}\n{}\n", 3, text);
    f.silent = true;
    fake_listen(&f);
    expect(&f, 100, "{}\n", 3,
           "virtrigaud-emit: lost: 1 lines\n"
           "virtrigaud-emit: the daemon does not answer: 1 lines taken, 0 acknowledged as applied, "
           "0 as rejected\n");
    fake_stop(&f);
    f.silent = false;
    f.drift_sync = 1;
    fake_listen(&f);
    // It says so if it looked at the connection before that was gone.
    expect_after(&f, 5000, "{}\n", 3, "virtrigaud-emit: connected again, 1 lost\n",
                 "virtrigaud-emit: lost: 1 lines\n");
    fake_stop(&f);
    fake_free(&f);
}
END_TEST

START_TEST(a_refused_hello_exits_with_1)
{
    struct fake f = {.refuse_hello = true};
    fake_start(&f);
    expect(&f, 5000, "{}\n", 1, "virtrigaud-emit: hello: bad_control: a \"b\"\n");
    fake_stop(&f);
    fake_free(&f);
}
END_TEST

#define G(op, value)                                                                               \
    "{\"metric\":\"g\",\"labels\":{\"a\":\"1\",\"op\":\"" op "\"},\"op\":\"set\",\"value\":" value \
    "}\n"

static const char gauges[] =
    G("x", "1") G("set", "2") G("x", "3") "{\"metric\":\"h\",\"op\":\"set\",\"value\":4}\n"
                                          "{\"metric\":\"h\",\"op\":\"add\",\"value\":1}\n";
// Each as it was set last, but for the one that something else was done to.
#define GAUGES_AGAIN G("x", "3") G("set", "2")

struct feeder {
    struct fake *fake;
    int fd;
    size_t written; // of gauges
};

static void wait_for_applied(struct fake *f, unsigned n)
{
    for (int i = 0; i < 10000 && f->total_applied < n; i++) {
        usleep(1000);
    }
}

// Gauges are set, the daemon is restarted, and then comes one more line.
static void *feed_gauges(void *arg)
{
    struct feeder *feeder = arg;
    struct fake *f = feeder->fake;
    if (feeder->written > 0) {
        while (f->connections == 0) {
            usleep(1000);
        }
        usleep(50000);
        f->stalled = false; // emit waits in its read
        while (f->lines == 0) {
            usleep(1000);
        }
    }
    dprintf(feeder->fd, "%s", gauges + feeder->written);
    wait_for_applied(f, 5);
    fake_stop(f);
    fake_listen(f);
    wait_for_applied(f, 7);
    dprintf(feeder->fd, "no\n");
    close(feeder->fd);
    return NULL;
}

// Where `written` bytes of the gauges are in the input already.
static void expect_sent_again(struct fake *f, const int fds[2], size_t written)
{
    struct feeder feeder = {f, fds[1], written};
    size_t n = sizeof gauges - 1;
    char *err;
    pthread_t t;
    pthread_create(&t, NULL, feed_gauges, &feeder);
    ck_assert_int_eq(emit_with(f, fds[0], 20000, "--keep-gauges", &err), 1);
    pthread_join(t, NULL);
    close(fds[0]);
    fake_stop(f);
    ck_assert_uint_gt(f->dealt_len, n);
    ck_assert_mem_eq(f->dealt, gauges, n);
    ck_assert_str_eq(f->dealt + n, GAUGES_AGAIN "no\n");
    ck_assert_ptr_nonnull(strstr(err, "virtrigaud-emit: line 6: bad_json: a \"b\"\n"));
    free(err);
    fake_free(f);
}

START_TEST(gauges_are_sent_again_to_a_daemon_that_was_restarted)
{
    struct fake f = {0};
    int fds[2];
    fake_start(&f);
    ck_assert_int_eq(pipe(fds), 0);
    expect_sent_again(&f, fds, 0);
}
END_TEST

// The hello is answered while a read of the input waits: that is readable with one byte, and read when it has all.
START_TEST(gauges_are_sent_again_after_a_connection_that_came_and_went_between_two_looks)
{
    struct fake f = {.stalled = true};
    int fds[2];
    int least = sizeof gauges - 1;
    fake_start(&f);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least), 0);
    ck_assert_int_eq(write(fds[1], gauges, 1), 1);
    expect_sent_again(&f, fds, 1);
}
END_TEST

START_TEST(more_gauges_than_are_kept_are_told_once)
{
    struct fake f = {0};
    char *err;
    FILE *in = tmpfile();
    for (unsigned i = 0; i < 1030; i++) {
        fprintf(in, "{\"metric\":\"g%u\",\"op\":\"set\",\"value\":1}\n", i);
    }
    rewind(in);
    fake_start(&f);
    ck_assert_int_eq(emit_with(&f, fileno(in), 20000, "--keep-gauges", &err), 0);
    fake_stop(&f);
    ck_assert_str_eq(err, "virtrigaud-emit: more gauges than --keep-gauges has room for\n");
    ck_assert_uint_eq(f.total_applied, 1030);
    fclose(in);
    free(err);
    fake_free(&f);
}
END_TEST

START_TEST(a_gauge_that_was_rejected_is_not_kept)
{
    struct fake f = {0};
    char *err;
    FILE *in = tmpfile();
    fputs("\n{\"metric\":\"no_such\",\"op\":\"set\",\"value\":1}\n"
          "{\"metric\":\"g\",\"op\":\"set\",\"value\":1}\nno\n",
          in);
    rewind(in);
    fake_start(&f);
    ck_assert_int_eq(emit_with(&f, fileno(in), 20000, "--keep-gauges", &err), 1);
    fake_stop(&f);
    ck_assert_str_eq(err, "virtrigaud-emit: line 2: unknown_metric: a \"b\"\n"
                          "virtrigaud-emit: line 4: bad_json: a \"b\"\n");
    fclose(in);
    free(err);
    fake_free(&f);
}
END_TEST

START_TEST(who_does_not_stay_says_so)
{
    struct fake f = {0};
    char *err;
    FILE *in = tmpfile();
    fputs("{\"metric\":\"g\",\"op\":\"set\",\"value\":1}\n",
          in); // whose answer comes after the hello
    rewind(in);
    fake_start(&f);
    ck_assert_int_eq(emit_with(&f, fileno(in), 20000, "--transient", &err), 0);
    fake_stop(&f);
    ck_assert_ptr_nonnull(strstr(f.log, "\"transient\":true"));
    fclose(in);
    free(err);
    fake_free(&f);
}
END_TEST

// The descriptor stays open elsewhere, as with a child that a component left behind.
START_TEST(the_input_ends_with_the_process_that_writes_it)
{
    for (int gone = 0; gone < 2; gone++) {
        struct fake f = {0};
        int fds[2];
        char word[40];
        char *err;
        fake_start(&f);
        ck_assert_int_eq(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0) {
            bool written = write(fds[1], "{}\n{}\n", 6) == 6;
            usleep(gone ? 0 : 200000);
            _exit(written ? 0 : 1);
        }
        if (gone) {
            ck_assert_int_eq(waitpid(child, NULL, 0), child);
        }
        snprintf(word, sizeof word, "--pid=%d", (int)child);
        ck_assert_int_eq(emit_with(&f, fds[0], 20000, word, &err), 0);
        ck_assert_str_eq(err, "");
        fake_stop(&f);
        ck_assert_str_eq(f.dealt, "{}\n{}\n");
        if (!gone) {
            waitpid(child, NULL, 0);
        }
        close(fds[0]);
        close(fds[1]);
        free(err);
        fake_free(&f);
    }
}
END_TEST

START_TEST(an_input_that_cannot_be_read_exits_with_2)
{
    struct fake f = {0};
    char *err;
    int in = open("/", O_RDONLY | O_CLOEXEC);
    fake_start(&f);
    ck_assert_int_eq(emit_fd(&f, in, 5000, &err), 2);
    ck_assert_str_eq(err, "virtrigaud-emit: cannot read standard input: Is a directory\n");
    close(in);
    free(err);
    fake_stop(&f);
    fake_free(&f);
}
END_TEST

UNIT_MAIN("emit_session", lines_arrive_and_refusals_name_the_inputs_line,
          a_line_that_is_too_long_is_passed_over,
          numbers_of_lines_stay_right_among_many_that_are_not_sent,
          a_long_pipe_survives_a_daemon_that_dies_again_and_again,
          what_does_not_answer_or_forgets_exits_with_3, a_refused_hello_exits_with_1,
          gauges_are_sent_again_to_a_daemon_that_was_restarted,
          gauges_are_sent_again_after_a_connection_that_came_and_went_between_two_looks,
          more_gauges_than_are_kept_are_told_once, a_gauge_that_was_rejected_is_not_kept,
          who_does_not_stay_says_so, the_input_ends_with_the_process_that_writes_it,
          an_input_that_cannot_be_read_exits_with_2)
