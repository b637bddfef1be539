// SPDX-License-Identifier: Apache-2.0
#include "ctl/ctl.h"

#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { WORDS = 8, TEXT = 4096 };

// An exporter that says what the test wants to the first request of one connection.
struct admin {
    char dir[32];
    char path[64];
    const char *said;
    unsigned wait_us; // before that
    bool holds;       // the connection, until the client closes it
    int listener;
    pthread_t thread;
    char asked[TEXT];
};

static void *serve(void *arg)
{
    struct admin *a = arg;
    int fd = accept(a->listener, NULL, NULL);
    size_t len = 0;
    ssize_t n = 1;
    while (n > 0 && memchr(a->asked, '\n', len) == NULL) {
        n = recv(fd, a->asked + len, sizeof a->asked - 1 - len, 0);
        len += n > 0 ? (size_t)n : 0;
    }
    usleep(a->wait_us);
    send(fd, a->said, strlen(a->said), MSG_NOSIGNAL);
    char byte;
    while (a->holds && recv(fd, &byte, 1, 0) > 0) {
    }
    close(fd);
    return NULL;
}

static void open_admin(struct admin *a)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(a->dir, "/tmp/ve-ctl-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(a->dir));
    snprintf(a->path, sizeof a->path, "%s/admin.sock", a->dir);
    memcpy(address.sun_path, a->path, sizeof a->path);
    a->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(a->listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(a->listener, 1), 0);
    ck_assert_int_eq(pthread_create(&a->thread, NULL, serve, a), 0);
}

static void close_admin(struct admin *a)
{
    pthread_join(a->thread, NULL);
    close(a->listener);
    unlink(a->path);
    rmdir(a->dir);
}

// What virtrigaud-ctl wrote, and its status.
struct run {
    int status;
    char *out;
    char *err;
};

static int run_into(FILE *out, FILE *err, const char *socket, const char *const *words)
{
    char copies[WORDS + 3][200] = {"virtrigaud-ctl", "--socket"};
    char *argv[WORDS + 4] = {copies[0], copies[1], copies[2]};
    int argc = 3;
    snprintf(copies[2], sizeof copies[2], "%s", socket);
    for (; words[argc - 3] != NULL; argc++) {
        snprintf(copies[argc], sizeof copies[argc], "%s", words[argc - 3]);
        argv[argc] = copies[argc];
    }
    return ctl_run(argc, argv, out, err);
}

static struct run run(const char *socket, const char *const *words)
{
    struct run r;
    size_t n;
    FILE *out = open_memstream(&r.out, &n);
    FILE *err = open_memstream(&r.err, &n);
    r.status = run_into(out, err, socket, words);
    fclose(out);
    fclose(err);
    return r;
}

static void expect_run(const char *socket, int status, const char *out, const char *err,
                       const char *const *words)
{
    struct run r = run(socket, words);
    ck_assert_str_eq(r.err, err);
    ck_assert_str_eq(r.out, out);
    ck_assert_int_eq(r.status, status);
    free(r.out);
    free(r.err);
}

// An exporter says this to the words; then it closes.
#define expect(said_, status, out, err, ...)                                                       \
    do {                                                                                           \
        struct admin a = {.said = (said_)};                                                        \
        open_admin(&a);                                                                            \
        expect_run(a.path, status, out, err, (const char *const[]){__VA_ARGS__, NULL});            \
        close_admin(&a);                                                                           \
    } while (0)

#define END "{\"end\":{}}\n"
#define CTL "virtrigaud-ctl: "

// The message that the socket's name stands in.
#define expect_unreached(said_, why, ...)                                                          \
    do {                                                                                           \
        struct admin a = {.said = (said_)};                                                        \
        char text[300];                                                                            \
        open_admin(&a);                                                                            \
        snprintf(text, sizeof text, CTL "cannot reach the exporter at %s: %s\n", a.path, why);     \
        expect_run(a.path, CTL_UNREACHED, "", text, (const char *const[]){__VA_ARGS__, NULL});     \
        close_admin(&a);                                                                           \
    } while (0)

START_TEST(a_request_is_one_line)
{
    struct admin a = {.said = END};
    open_admin(&a);
    expect_run(a.path, CTL_DONE, "", "",
               (const char *const[]){"series", "m", "a=\"\n", "--timeout", "5", NULL});
    close_admin(&a);
    ck_assert_str_eq(a.asked, "{\"series\":{\"metric\":\"m\",\"labels\":{\"a\":\"\\\"\\n\"}}}\n");
}
END_TEST

START_TEST(what_the_exporter_refuses_is_said_in_its_words)
{
    expect("{\"error\":\"unknown_metric\",\"detail\":\"no \\u001b[31m\"}\n", CTL_REFUSED, "",
           CTL "no \\u001b[31m\n", "series", "m");
    expect("{\"error\":\"unknown_metric\"}\n", CTL_REFUSED, "", CTL "\n", "series", "m");
    expect("{\"error\":\"e\",\"detail\":\"d\"}\n", CTL_REFUSED,
           "{\"error\":\"e\",\"detail\":\"d\"}\n", CTL "d\n", "--json", "series", "m");
    expect("{\"error\":\"e\",\"detail\":\"f:1: a\\nf:2: \\u009b\\n\"}\n", CTL_REFUSED, "",
           CTL "f:1: a\nf:2: \\u009b\n", "reload");
    expect("{\"error\":\"e\",\"detail\":\"f:1: a\\nf:2: b\\n\"}\n", CTL_REFUSED, "",
           CTL "f:1: a\\u000af:2: b\\u000a\n", "status");
    // Rows before it were shown.
    expect(
        "{\"series\":{\"labels\":{},\"value\":1}}\n{\"error\":\"interrupted\",\"detail\":\"d\"}\n",
        CTL_REFUSED, "m 1\n", CTL "d\n", "series", "m");
}
END_TEST

START_TEST(json_is_handed_on_so_that_a_terminal_obeys_nothing_of_it)
{
    expect("{\"weather\":\t[\"\u202e\xc2\x9b\x7f\U000e0041\",1,\"\u00e9\"]\r}\n" END, CTL_DONE,
           "{\"weather\": [\"\\u202e\\u009b\\u007f\\udb40\\udc41\",1,\"\u00e9\"] }\n" END, "",
           "--json", "rejects");
    expect("{\"error\":\"e\",\"detail\":\"\u202e\"}\n", CTL_REFUSED,
           "{\"error\":\"e\",\"detail\":\"\\u202e\"}\n", CTL "\\u202e\n", "--json", "status");
}
END_TEST

START_TEST(an_exporter_of_another_version_is_told_from_one_that_refuses)
{
    expect("{\"error\":\"unknown_command\",\"detail\":\"there is no top\"}\n", CTL_UNREACHED, "",
           CTL "the exporter is of another version: there is no top\n", "status");
    expect("{\"error\":\"bad_request\"}\n", CTL_UNREACHED, "",
           CTL "the exporter is of another version: \n", "reload");
#define LACKS CTL "the exporter is of another version: its answer lacks what is to be shown\n"
    expect(END, CTL_UNREACHED, "", LACKS, "status");
    expect("{\"rejected\":{}}\n" END, CTL_UNREACHED, "", LACKS, "rejects");
    expect("{\"source\":[]}\n" END, CTL_UNREACHED, "", LACKS, "sources");
    expect("{\"end\":{\"series\":1}}\n", CTL_UNREACHED, "", LACKS, "forget", "c/i");
    expect("{\"end\":3}\n", CTL_UNREACHED, "", LACKS, "delete", "m", "a=b");
    // Rows of a kind that is not known are passed over, but for JSON.
    expect("{\"weather\":1}\n" END, CTL_DONE, "", "", "rejects");
    expect("{\"weather\":1}\n" END, CTL_DONE, "{\"weather\":1}\n" END, "", "rejects", "--json");
}
END_TEST

START_TEST(what_is_no_admin_socket_is_recognised)
{
#define OTHER "what it says is no answer: is this its admin socket?"
    expect_unreached("{\"error\":\"bad_json\",\"line\":1,\"detail\":\"d\"}\n", OTHER, "status");
    expect_unreached("HTTP/1.1 400 Bad Request\r\n\r\n", OTHER, "status");
    expect_unreached("[]\n", OTHER, "top", "--interval", "0.01");
    expect_unreached("\n", OTHER, "sources");
    expect_unreached("", "it closed the connection", "status");
    expect_unreached("{\"end\":{", "it closed the connection", "reload");
    expect_unreached("{\"weather\":1}\n", "it closed the connection", "sources");
}
END_TEST

START_TEST(an_exporter_that_says_nothing_is_waited_for_as_long_as_asked)
{
    struct admin a = {.said = "{\"weather\":1}\n{\"end\"", .holds = true};
    char text[200];
    open_admin(&a);
    snprintf(text, sizeof text, CTL "cannot reach the exporter at %s: it does not answer\n",
             a.path);
    expect_run(a.path, CTL_UNREACHED, "", text,
               (const char *const[]){"--timeout", "0.05", "sources", NULL});
    close_admin(&a);
    // Who follows waits for rows without an end.
    struct admin slow = {.said = END, .wait_us = 200000};
    open_admin(&slow);
    expect_run(slow.path, CTL_DONE, "", "",
               (const char *const[]){"--timeout", "0.05", "rejects", "--follow", NULL});
    close_admin(&slow);
    ck_assert_str_eq(slow.asked, "{\"rejects\":{\"follow\":true}}\n");
}
END_TEST

static void on_alarm(int number)
{
    (void)number;
}

START_TEST(a_signal_does_not_end_it)
{
    struct sigaction action = {.sa_handler = on_alarm}; // without SA_RESTART
    struct itimerval often = {{0, 5000}, {0, 5000}};
    sigaction(SIGALRM, &action, NULL);
    struct admin a = {.said = END, .wait_us = 100000};
    sigset_t alarm;
    sigset_t before;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, &before); // of the exporter's thread
    open_admin(&a);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    expect_run(a.path, CTL_DONE, "", "", (const char *const[]){"rejects", "--follow", NULL});
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    close_admin(&a);
}
END_TEST

START_TEST(a_socket_that_is_not_there_is_named)
{
    char path[150];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    struct run r = run(path, (const char *const[]){"status", NULL});
    ck_assert_int_eq(r.status, CTL_UNREACHED);
    ck_assert_ptr_nonnull(strstr(r.err, "xxx: File name too long\n"));
    free(r.out);
    free(r.err);
#define NONE                                                                                       \
    "; it does not run, or has no admin socket, as older versions: name the one of "               \
    "--admin.socket with --socket\n"
    expect_run("/tmp/ve-\033", CTL_UNREACHED, "",
               CTL "cannot reach the exporter at /tmp/ve-\\u001b: No such file or directory" NONE,
               (const char *const[]){"status", NULL});
    expect_run("/dev/null", CTL_UNREACHED, "",
               CTL "cannot reach the exporter at /dev/null: Connection refused" NONE,
               (const char *const[]){"top", NULL});
}
END_TEST

START_TEST(the_environment_names_the_socket)
{
    struct admin a = {.said = END};
    char program[] = "virtrigaud-ctl";
    char command[] = "reload";
    open_admin(&a);
    setenv("VIRTRIGAUD_ADMIN_SOCKET", a.path, 1);
    FILE *out = tmpfile();
    ck_assert_int_eq(ctl_run(2, (char *[]){program, command, NULL}, out, stderr), CTL_DONE);
    close_admin(&a);
    ck_assert_str_eq(a.asked, "{\"reload\":{}}\n");
    fclose(out);
    unsetenv("VIRTRIGAUD_ADMIN_SOCKET");
}
END_TEST

// Each command into a device that is full.
START_TEST(output_that_cannot_be_written_is_told)
{
    static const struct {
        const char *words[WORDS];
        const char *said; // NULL: the exporter is not asked
    } rows[] = {
        {{"--help"}, NULL},
        {{"--version"}, NULL},
        {{"reload"}, "{\"end\":{\"detail\":\"reloaded\"}}\n"},
        {{"series", "m"}, "{\"series\":{\"labels\":{},\"value\":1}}\n" END},
        {{"rejects", "--follow", "--json"}, "{\"rejected\":{}}\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct run r;
        size_t n;
        struct admin a = {.said = rows[i].said};
        FILE *out = fopen("/dev/full", "w");
        FILE *err = open_memstream(&r.err, &n);
        if (a.said != NULL) {
            open_admin(&a);
        }
        ck_assert_int_eq(run_into(out, err, a.path, rows[i].words), CTL_REFUSED);
        if (a.said != NULL) {
            close_admin(&a);
        }
        fclose(out);
        fclose(err);
        ck_assert_str_eq(r.err, CTL "cannot write the output: No space left on device\n");
        free(r.err);
    }
}
END_TEST

START_TEST(rows_that_were_left_out_are_counted)
{
    expect("{\"missed\":{\"lines\":7}}\n{\"end\":{\"unlisted\":1200000}}\n", CTL_DONE,
           "... and 7 more lines\n... and 1200000 more lines since the start\n", "", "rejects");
    expect("{\"end\":{\"unlisted\":0}}\n", CTL_DONE, "", "", "rejects");
}
END_TEST

START_TEST(what_was_done_is_told)
{
    expect("{\"end\":{\"series\":0}}\n", CTL_DONE, "0 series were deleted\n", "", "delete", "m",
           "a=b");
    expect("{\"end\":{\"series\":1}}\n", CTL_DONE, "1 series was deleted\n", "", "delete", "m",
           "a=b");
    expect("{\"end\":{\"connected\":false,\"series\":2}}\n", CTL_DONE,
           "c/i is forgotten; 2 series were deleted\n", "", "forget", "--series", "c/i");
    expect("{\"end\":{\"connected\":true,\"series\":0}}\n", CTL_DONE,
           "c/\\u202ei is forgotten as soon as it disconnects\n", "", "forget", "c/\u202ei");
    expect("{\"end\":{\"detail\":\"reloaded: 1\\n2\\n\"}}\n", CTL_DONE, "reloaded: 1\n2\n", "",
           "reload");
    expect("{\"end\":{\"detail\":\"\\u0007\"}}\n", CTL_DONE, "{\"end\":{\"detail\":\"\\u0007\"}}\n",
           "", "reload", "--json");
}
END_TEST

UNIT_MAIN("ctl", a_request_is_one_line, what_the_exporter_refuses_is_said_in_its_words,
          json_is_handed_on_so_that_a_terminal_obeys_nothing_of_it,
          an_exporter_of_another_version_is_told_from_one_that_refuses,
          what_is_no_admin_socket_is_recognised,
          an_exporter_that_says_nothing_is_waited_for_as_long_as_asked, a_signal_does_not_end_it,
          a_socket_that_is_not_there_is_named, the_environment_names_the_socket,
          output_that_cannot_be_written_is_told, rows_that_were_left_out_are_counted,
          what_was_done_is_told)
