// SPDX-License-Identifier: Apache-2.0
/*
 * What a cached line costs besides instructions: nothing. Calls of malloc and of locks are counted by standing in
 * their place, system calls by tracing a child.
 */
#include "dialogue.h"
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IN_THEIR_PLACE 0 // a sanitizer stands there itself
#else
#define IN_THEIR_PLACE 1
#endif

static unsigned long calls; // of malloc and its like, and of locks

#if IN_THEIR_PLACE
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *old);

void *malloc(size_t size)
{
    calls++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    calls++;
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    calls++;
    return __libc_realloc(old, size);
}

void free(void *old)
{
    calls++;
    __libc_free(old);
}

// One thread only: there is nobody to wait for.
int pthread_mutex_lock(pthread_mutex_t *m)
{
    (void)m;
    calls++;
    return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *m)
{
    (void)m;
    return 0;
}
#endif

static const char *const SHAPES[] = {
    "{\"event\":\"rpc\",\"labels\":{\"provider_type\":\"vsphere\",\"method\":\"Validate\",\"code\":"
    "\"OK\"},\"value\":0.%03d}\n",
    "{\"event\":\"reconcile\",\"labels\":{\"kind\":\"VirtualMachine\",\"outcome\":\"requeue\"},"
    "\"value\":%d.25}\n",
    "{\"event\":\"vm_operation\",\"labels\":{\"operation\":\"Describe\",\"provider_type\":"
    "\"vsphere\",\"provider\":\"vc1\",\"outcome\":\"success\"},\"value\":1e%d}\n",
    "{\"metric\":\"virtrigaud_queue_depth\",\"labels\":{\"kind\":\"VirtualMachine\"},\"value\":%d}"
    "\n",
    "{\"metric\":\"virtrigaud_errors_total\",\"labels\":{\"reason\":\"get-vm\",\"component\":"
    "\"manager\"}}\n",
};

enum { N_SHAPES = sizeof SHAPES / sizeof SHAPES[0], MANY = 400, FEW = 10, CACHE = 1 << 20 };

static struct fixture h;
static struct dialogue d;

static void say(int lines)
{
    struct buf text = BUF_INIT;
    for (int i = 0; i < lines; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        buf_addf(&text, SHAPES[i % N_SHAPES], i / N_SHAPES % 12);
#pragma GCC diagnostic pop
    }
    ck_assert_uint_lt(text.len, CONNECTION_READ);
    dialogue_send(&d, text.p, text.len);
    buf_free(&text);
}

// Opens a connection whose lines are all cached.
static void open_warm(void)
{
    fixture_open(&h, NULL, 1000, 1000);
    ck_assert_int_eq(event_reader_cache(h.p->reader, CACHE), 0);
    dialogue_open(&d, &h);
    for (int i = 0; i < 4; i++) {
        say(MANY);
        ck_assert_int_gt(dialogue_read(&d), 0);
    }
}

static void close_all(void)
{
    dialogue_close(&d);
    fixture_close(&h);
}

START_TEST(a_cached_line_allocates_nothing_and_takes_no_lock)
{
    open_warm();
    uint64_t hits = count_read(&h.p->stats->cache_hits);
    say(MANY);
    unsigned long before = calls;
    int n = dialogue_read(&d);
    unsigned long after = calls;
    ck_assert_int_gt(n, 0);
    ck_assert_uint_eq(count_read(&h.p->stats->cache_hits) - hits, MANY);
    ck_assert_uint_eq(after - before, 0);
    ck_assert(before > 0 || !IN_THEIR_PLACE);
    close_all();
}
END_TEST

#if IN_THEIR_PLACE && defined(__x86_64__)
// Reads some lines between two system calls that nothing else makes.
static void child(int lines)
{
    open_warm();
    say(lines);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    syscall(SYS_getppid);
    dialogue_read(&d);
    syscall(SYS_getppid);
    _exit(0);
}

// The system calls between the two, or -1.
static int calls_for(int lines)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        child(lines);
    }
    int status;
    int stops = 0;
    int marks = 0;
    waitpid(pid, &status, 0);
    while (WIFSTOPPED(status)) {
        struct user_regs_struct regs;
        if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) < 0) {
            return -1;
        }
        if (WIFSTOPPED(status) && ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0) {
            marks += regs.orig_rax == SYS_getppid;
            stops += marks == 2 && regs.orig_rax != SYS_getppid;
        }
    }
    return marks == 4 ? stops / 2 : -1; // each call stops twice
}

START_TEST(a_read_of_many_lines_makes_as_many_system_calls_as_one_of_few)
{
    int few = calls_for(FEW);
    ck_assert_int_eq(few, 1); // recv
    ck_assert_int_eq(calls_for(MANY), few);
}
END_TEST
#endif

int main(void)
{
    const TTest *const tests[] = {
        a_cached_line_allocates_nothing_and_takes_no_lock,
#if IN_THEIR_PLACE && defined(__x86_64__)
        a_read_of_many_lines_makes_as_many_system_calls_as_one_of_few,
#endif
    };
    return unit_run("hit_path", tests, sizeof tests / sizeof tests[0]);
}
