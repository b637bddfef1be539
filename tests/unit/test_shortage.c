// SPDX-License-Identifier: Apache-2.0
// The daemon as a whole, in a child, while its n-th own allocation fails, for each n. The Makefile links this test so
// that calls of the daemon's code, and not those of libraries, come by here.
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

int daemon_main(int argc, char **argv);
#define main daemon_main
#include "daemon/main.c"
#undef main

// What parent and child share.
struct shortage {
    _Atomic long failing; // the call that fails; 0: none
    _Atomic long calls;   // so far
};

static struct shortage *shortage;
static bool is_daemon;

static bool fails(void)
{
    return is_daemon &&
           atomic_fetch_add(&shortage->calls, 1) + 1 == atomic_load(&shortage->failing);
}

#define WRAP(type, name, fail, parameters, ...)                                                    \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        if (fails()) {                                                                             \
            errno = ENOMEM;                                                                        \
            return fail;                                                                           \
        }                                                                                          \
        return __real_##name(__VA_ARGS__);                                                         \
    }

WRAP(void *, malloc, NULL, (size_t n), n)
WRAP(void *, calloc, NULL, (size_t n, size_t size), n, size)
WRAP(void *, realloc, NULL, (void *p, size_t n), p, n)
WRAP(char *, strdup, NULL, (const char *s), s)
WRAP(char *, strndup, NULL, (const char *s, size_t n), s, n)
WRAP(void *, mmap, MAP_FAILED, (void *p, size_t n, int how, int what, int fd, off_t at), p, n, how,
     what, fd, at)
WRAP(int, mprotect, -1, (void *p, size_t n, int how), p, n, how)
WRAP(int, posix_fallocate, ENOSPC, (int fd, off_t at, off_t n), fd, at, n)
WRAP(int, pthread_create, EAGAIN,
     (pthread_t * ret, const pthread_attr_t *how, void *(*body)(void *), void *arg), ret, how, body,
     arg)

static char folder[] = "/tmp/ve-shortage-XXXXXX";

static const char catalog_text[] =
    "labels:\n  shape: {values: [round, square], closed: true, aliases: {circle: round}}\n"
    "metrics:\n"
    "  - {name: a_total, type: counter, help: h, component: any, labels: [who, shape], precreate: "
    "true}\n"
    "  - {name: h_seconds, type: histogram, help: h, component: any, labels: [who], buckets: [1, "
    "2]}\n"
    "  - {name: g, type: gauge, help: h, component: any, labels: [who], owner: source}\n"
    "events:\n"
    "  - {name: e, labels: [who, shape], value: seconds, updates: [{add: a_total}, {observe: "
    "h_seconds}]}\n";

static void path_of(char *ret, size_t size, const char *name)
{
    snprintf(ret, size, "%s/%s", folder, name);
}

static void make_folder(void)
{
    char path[64];
    shortage =
        mmap(NULL, sizeof *shortage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shortage, MAP_FAILED);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    path_of(path, sizeof path, "c.yaml");
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(catalog_text, f);
    ck_assert_int_eq(fclose(f), 0);
}

static void drop_folder(void)
{
    static const char *const names[] = {"c.yaml",        "events",        "web",
                                        "log",           "state",         "state.new",
                                        "state.aside.1", "state.aside.2", "state.aside.3"};
    char path[64];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        path_of(path, sizeof path, names[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

// Runs the daemon in a child whose call number `at` fails. With `ends` a signal waits for it from the beginning.
static pid_t start(long at, bool ends)
{
    atomic_store(&shortage->failing, at);
    atomic_store(&shortage->calls, 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0) {
        return pid;
    }
    alarm(60);
    char path[64];
    char text[6][96];
    path_of(path, sizeof path, "log");
    int log = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(log, STDERR_FILENO);
    snprintf(text[0], sizeof text[0], "--events.socket=%s/events", folder);
    snprintf(text[1], sizeof text[1], "--web.listen-address=unix:%s/web", folder);
    snprintf(text[2], sizeof text[2], "--catalog.file=%s/c.yaml", folder);
    snprintf(text[3], sizeof text[3], "--state.file=%s/state", folder);
    char *argv[] = {(char[]){"virtrigaud-exporter"},
                    text[0],
                    text[1],
                    text[2],
                    text[3],
                    (char[]){"--catalog.dir="},
                    (char[]){"--events.workers=2"},
                    (char[]){"--web.enable-lifecycle"},
                    NULL};
    if (ends) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        kill(getpid(), SIGTERM); // to the process, as others send it: a thread of its own takes it
    }
    is_daemon = true;
    int rc = daemon_main(8, argv);
    is_daemon = false;
    _exit(rc);
}

static int end_of(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status), "ended by signal %d, call %ld fails", WTERMSIG(status),
                  atomic_load(&shortage->failing));
    return WEXITSTATUS(status);
}

static void read_log(char *ret, size_t size)
{
    char path[64];
    path_of(path, sizeof path, "log");
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(ret, 1, size - 1, f);
    ret[n] = '\0';
    fclose(f);
}

START_TEST(a_start_without_memory_says_why)
{
    char log[4096];
    long refused = 0;
    make_folder();
    for (long n = 1;; n++) {
        int rc = end_of(start(n, true));
        bool reached = atomic_load(&shortage->calls) >= n;
        read_log(log, sizeof log);
        ck_assert_msg(rc == EXIT_OK || rc == EXIT_CANNOT_RUN, "call %ld: status %d: %s", n, rc,
                      log);
        ck_assert_msg(rc == EXIT_OK || log[0] != '\0', "call %ld: no reason is told", n);
        refused += rc != EXIT_OK;
        if (!reached) {
            ck_assert_int_eq(rc, EXIT_OK);
            printf("start: %ld calls, %ld of them fatal\n", n - 1, refused);
            break;
        }
    }
    ck_assert_int_gt(refused, 100);
    drop_folder();
}
END_TEST

// ---- While it runs

static int dial(const char *name)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = 20};
    path_of(to.sun_path, sizeof to.sun_path, name);
    for (int i = 0; i < 1000; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fd, 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
            return fd;
        }
        close(fd);
        usleep(10000);
    }
    ck_abort_msg("nobody listens at %s", name);
}

// Sends a text, and reads to the end or to a line with `last`. Returns the number of bytes.
static size_t converse(const char *name, const char *text, const char *last, char *ret, size_t size)
{
    int fd = dial(name);
    size_t n = 0;
    ret[0] = '\0';
    send(fd, text, strlen(text), MSG_NOSIGNAL);
    while (n + 1 < size && (last == NULL || strstr(ret, last) == NULL)) {
        ssize_t got = recv(fd, ret + n, size - 1 - n, 0);
        ck_assert_msg(got >= 0 || errno == ECONNRESET, "%s does not answer: %s", name, ret);
        if (got <= 0) {
            break;
        }
        n += (size_t)got;
        ret[n] = '\0';
    }
    close(fd);
    return n;
}

// Lines that all are new to the daemon: `i` makes them so. Returns whether all were applied.
static bool push(long i)
{
    char text[4096];
    char reply[8192];
    snprintf(text, sizeof text,
             "{\"hello\":{\"component\":\"provider\",\"instance\":\"i%ld\",\"session\":\"s\","
             "\"labels\":{"
             "\"who\":\"w%ld\"},\"lost\":1}}\n"
             "{\"metric\":\"g\",\"labels\":{\"who\":\"x%ld\"},\"value\":1}\n"
             "{\"event\":\"e\",\"labels\":{\"who\":\"y%ld\",\"shape\":\"circle\"},\"value\":1}\n"
             "{\"event\":\"e\",\"labels\":{\"who\":\"y%ld\",\"shape\":\"circle\"},\"value\":1}\n"
             "{\"event\":\"e\",\"labels\":{\"who\":\"y%ld\",\"shape\":\"circle\"},\"value\":2}\n"
             "{\"sync\":1}\n",
             i, i % 7, i, i, i, i);
    converse("events", text, "\"sync\"", reply, sizeof reply);
    return strstr(reply, "{\"sync\":1,\"applied\":4,\"rejected\":0}") != NULL;
}

static bool answers(const char *head)
{
    static char reply[1 << 20];
    char text[512];
    snprintf(text, sizeof text, "%s\r\nHost: x\r\nConnection: close\r\n\r\n", head);
    size_t n = converse("web", text, NULL, reply, sizeof reply);
    bool good = strncmp(reply, "HTTP/1.1 200 ", 13) == 0;
    ck_assert_msg(n == 0 || good || strncmp(reply, "HTTP/1.1 50", 11) == 0, "%s: %.200s", head,
                  reply);
    return good;
}

static bool all_answer(const char *const *heads, size_t n)
{
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        good = answers(heads[i]) && good;
    }
    return good;
}

static bool scrape(long i)
{
    static const char *const heads[] = {
        "GET /metrics HTTP/1.1",
        "GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip",
        "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0",
        "GET /metrics?name[]=g&name[]=a_total HTTP/1.1",
    };
    (void)i;
    return all_answer(heads, sizeof heads / sizeof heads[0]);
}

static bool look(long i)
{
    static const char *const heads[] = {
        "GET / HTTP/1.1",
        "GET /status HTTP/1.1",
        "GET /sd HTTP/1.1",
        "GET /metric/a_total HTTP/1.1",
        "GET /metric/g?refresh=15 HTTP/1.1",
        "GET /metric/h_seconds HTTP/1.1",
    };
    (void)i;
    return all_answer(heads, sizeof heads / sizeof heads[0]);
}

static bool reload(long i)
{
    (void)i;
    return answers("POST /-/reload HTTP/1.1\r\nContent-Length: 0");
}

// Does something once for each of its calls, which fails, and each time again when nothing does.
static void starve(const char *name, bool (*deed)(long), pid_t pid)
{
    long bad = 0;
    for (long n = 1;; n++) {
        atomic_store(&shortage->calls, 0);
        atomic_store(&shortage->failing, n);
        bool good = deed(2 * n);
        bool reached = atomic_load(&shortage->calls) >= n;
        atomic_store(&shortage->failing, 0);
        bad += !good;
        int status;
        ck_assert_msg(waitpid(pid, &status, WNOHANG) == 0, "%s: call %ld ended it", name, n);
        ck_assert_msg(deed(2 * n + 1), "%s: after call %ld failed, nothing works", name, n);
        if (!reached) {
            ck_assert(good);
            printf("%s: %ld calls, %ld of them noticed\n", name, n - 1, bad);
            break;
        }
    }
    ck_assert_int_gt(bad, 0);
}

START_TEST(a_running_daemon_without_memory_refuses_and_recovers)
{
    make_folder();
    pid_t pid = start(0, false);
    close(dial("web"));
    while (!answers("GET /readyz HTTP/1.1")) {
        usleep(10000);
    }
    ck_assert(push(1));
    starve("look", look, pid);
    starve("push", push, pid);
    starve("scrape", scrape, pid);
    starve("reload", reload, pid);
    kill(pid, SIGTERM);
    ck_assert_int_eq(end_of(pid), EXIT_OK);
    drop_folder();
}
END_TEST

UNIT_MAIN("shortage", a_start_without_memory_says_why,
          a_running_daemon_without_memory_refuses_and_recovers)
