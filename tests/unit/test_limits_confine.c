// SPDX-License-Identifier: Apache-2.0
#include "daemon/limits.c"

#include "unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>

static sem_t go;
static int of_thread;

// What came out wrong, bit by bit in an exit status.
enum {
    EXECUTED = 1,
    EXECUTED_AT = 2,
    INET = 4,
    INET6 = 8,
    PACKET = 16,
    NO_UNIX = 32,
    OTHER_ERROR = 64,
    RING = 128
};

static int failed_rightly(long result, int bit)
{
    return result >= 0 ? bit : errno == EPERM ? 0 : OTHER_ERROR;
}

static int attempts(void)
{
    char *const argv[] = {(char *)"true", NULL};
    char *const none[] = {NULL};
    int found = failed_rightly(execve("/bin/true", argv, none), EXECUTED);
    found |= failed_rightly(syscall(__NR_execveat, -1, "/bin/true", argv, none, 0), EXECUTED_AT);
    found |= failed_rightly(socket(AF_INET, SOCK_STREAM, 0), INET);
    found |= failed_rightly(socket(AF_INET6, SOCK_DGRAM, 0), INET6);
    found |= failed_rightly(socket(AF_NETLINK, SOCK_RAW, 0), PACKET);
    found |= failed_rightly(syscall(__NR_io_uring_setup, 1, NULL), RING);
    found |= socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? NO_UNIX : 0;
    return found;
}

static void *in_a_thread(void *unused)
{
    sem_wait(&go);
    of_thread = attempts();
    return unused;
}

static int confined(void)
{
    pthread_t thread;
    sem_init(&go, 0, 0);
    if (pthread_create(&thread, NULL, in_a_thread, NULL) != 0 || limits_confine() != 0) {
        return 255;
    }
    sem_post(&go);
    pthread_join(thread, NULL);
    return attempts() | of_thread;
}

START_TEST(nothing_is_executed_and_no_network_socket_made_by_any_thread)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        _exit(confined());
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

UNIT_MAIN("limits_confine", nothing_is_executed_and_no_network_socket_made_by_any_thread)
