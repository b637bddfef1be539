// SPDX-License-Identifier: Apache-2.0
// Crowds of clients that mean no good, and an honest one beside them.
#include "web_client.h"

#include <sys/resource.h>

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"
#define SCRAPE "GET /metrics HTTP/1.1\r\n" CLOSE

enum { PATIENCE_MS = 1000 };

// An honest scrape: connects, asks, reads all. Returns how long it took in milliseconds.
static uint64_t honest_scrape(const struct fake *f, const char *want)
{
    static char out[8 << 20];
    uint64_t begin = clock_mono_ms();
    int fd = client_connect(f, 0);
    client_send(fd, SCRAPE);
    long n = client_read(fd, out, sizeof out, NULL, 5000);
    uint64_t took = clock_mono_ms() - begin;
    ck_assert_msg(n > 0 && strstr(out, "HTTP/1.1 200 OK\r\n") == out, "answer: %.200s", out);
    ck_assert_ptr_nonnull(strstr(out, want));
    const char *body = strstr(out, "\r\n\r\n") + 4;
    ck_assert_uint_eq(strtoul(strstr(out, "Content-Length: ") + 16, NULL, 10), strlen(body));
    close(fd);
    return took;
}

// Connects without waiting for the other side to accept; the request's first bytes go as soon as they can.
static void drip_connect(const struct fake *f, int *fd, size_t n)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)web_port(f->web, 0)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (size_t i = 0; i < n; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fd[i], 0);
        (void)connect(fd[i], (struct sockaddr *)&addr, sizeof addr);
    }
}

static void drip(const int *fd, size_t n, const char *piece)
{
    for (size_t i = 0; i < n; i++) {
        (void)send(fd[i], piece, strlen(piece), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

static void close_all(const int *fd, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        close(fd[i]);
    }
}

static void raise_file_limit(void)
{
    struct rlimit files;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
}

static void check_drip(size_t n)
{
    static int fd[2000];
    struct fake f = {.is_ready = true};
    raise_file_limit();
    fake_start(&f, 40);
    drip_connect(&f, fd, n);
    drip(fd, n, "GET /metrics HTTP/1.1\r\nHost: x\r\nX: ");
    for (int round = 0; round < 10; round++) {
        drip(fd, n, "a");
        ck_assert_uint_lt(honest_scrape(&f, "rendering"), PATIENCE_MS);
    }
    const struct stats *stats = web_stats(f.web);
    ck_assert_uint_le(stats->connections, 512);
    ck_assert_uint_ge(stats->cut + 512 + 10, stats->accepted); // 10 were honest
    close_all(fd, n);
    web_free(f.web);
}

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void);

// What was given back is no memory that is held; AddressSanitizer keeps 256 MiB of it unless it is told otherwise.
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=16";
}
#endif

START_TEST(three_hundred_dripping_clients_do_not_stop_an_honest_one)
{
    check_drip(300);
}
END_TEST

START_TEST(two_thousand_dripping_clients_do_not_stop_an_honest_one)
{
    check_drip(2000);
}
END_TEST

static uint64_t resident_bytes(void)
{
    unsigned long long size = 0;
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%llu %llu", &size, &pages), 2);
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

START_TEST(fifty_clients_that_never_read_do_not_stop_an_honest_one)
{
    enum { CROWD = 50 };
    struct fake f = {.body = 4 << 20};
    int fd[CROWD];
    fake_start(&f, 40);
    // Megabytes take their time on a slow machine, or in an emulator.
    uint64_t alone = honest_scrape(&f, "rendering");
    for (size_t i = 0; i < CROWD; i++) {
        fd[i] = client_connect(&f, 4096);
        client_send(fd[i], SCRAPE);
    }
    // At once, while none of them can yet be said to stall, and later.
    for (int round = 0; round < 5; round++) {
        ck_assert_uint_lt(honest_scrape(&f, "rendering"), 2 * PATIENCE_MS + 10 * alone);
        usleep(100000);
    }
    const struct stats *stats = web_stats(f.web);
    ck_assert_uint_gt(stats->cut + stats->scrapes_refused, 0);
    close_all(fd, CROWD);
    web_free(f.web);
}
END_TEST

START_TEST(the_memory_that_unread_renderings_hold_is_bounded)
{
    enum { CROWD = 30, BODY = 32 << 20 };
    struct fake f = {.body = BODY};
    int fd[CROWD];
    fake_start(&f, 40);
    uint64_t before = resident_bytes();
    for (size_t i = 0; i < CROWD; i++) {
        fd[i] = client_connect(&f, 4096);
        client_send(fd[i], SCRAPE);
        // So that each has a rendering of its own, while there is memory for more.
        for (int wait = 0; wait < 20 && f.renderings <= i; wait++) {
            usleep(100000);
        }
        usleep(50000);
    }
    // More of them than may be held come in time, on a slow machine later.
    const struct stats *stats = web_stats(f.web);
    for (int i = 0; i < 600 && stats->cut == 0; i++) {
        ck_assert_uint_lt(resident_bytes() - before, 512u << 20);
        usleep(100000);
    }
    ck_assert_uint_gt(stats->cut, 0);
    ck_assert_uint_lt(resident_bytes() - before, 512u << 20);
    close_all(fd, CROWD);
    web_free(f.web);
}
END_TEST

START_TEST(a_slow_reader_beside_many_keeps_its_response)
{
    enum { CROWD = 10 };
    static char out[8 << 20];
    struct fake f = {.body = 1 << 20};
    int fd[CROWD];
    fake_start(&f, 4);
    int slow = client_connect(&f, 16384);
    client_send(slow, SCRAPE);
    size_t n = 0;
    for (size_t i = 0; n < (1 << 20); i++) {
        if (i % 8 == 0 && i / 8 < CROWD) {
            fd[i / 8] = client_connect(&f, 4096);
            client_send(fd[i / 8], SCRAPE);
        }
        ssize_t r = recv(slow, out + n, 16384, 0);
        ck_assert_msg(r > 0, "cut after %zu bytes", n);
        n += (size_t)r;
        usleep(10000);
    }
    close(slow);
    close_all(fd, CROWD);
    web_free(f.web);
}
END_TEST

START_TEST(running_out_of_descriptors_does_not_make_it_spin)
{
    struct fake f = {.is_ready = true};
    fake_start(&f, 40);
    int waiting = client_connect(&f, 0);
    usleep(50000);
    // Connections that are in the kernel's queue when there is no descriptor left for them.
    int fd[20];
    for (size_t i = 0; i < 20; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM, 0);
    }
    struct rlimit before;
    struct rlimit none = {.rlim_cur = (rlim_t)waiting};
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)web_port(f.web, 0)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (size_t i = 0; i < 20; i++) {
        ck_assert_int_eq(connect(fd[i], (struct sockaddr *)&addr, sizeof addr), 0);
    }
    uint64_t rounds = web_beats(f.web);
    uint64_t begin = clock_mono_ms();
    const struct stats *stats = web_stats(f.web);
    for (int i = 0; i < 600 && (i < 10 || stats->shown.accept_errors < 5); i++) {
        usleep(100000);
    }
    rounds = web_beats(f.web) - rounds;
    uint64_t seconds = (clock_mono_ms() - begin) / 1000 + 1;
    ck_assert_uint_ge(stats->shown.accept_errors, 5);
    ck_assert_uint_le(stats->shown.accept_errors, 15 * seconds);
    ck_assert_uint_le(rounds, 60 * seconds);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_uint_lt(honest_scrape(&f, "rendering"), PATIENCE_MS);
    close_all(fd, 20);
    close(waiting);
    web_free(f.web);
}
END_TEST

START_TEST(a_small_file_limit_lowers_the_number_of_connections)
{
    struct rlimit files;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = 64;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    struct fake f = {.is_ready = true};
    fake_start(&f, 40);
    raise_file_limit();
    int fd[100];
    drip_connect(&f, fd, 100);
    drip(fd, 100, "GET ");
    ck_assert_uint_lt(honest_scrape(&f, "rendering"), PATIENCE_MS);
    const struct stats *stats = web_stats(f.web);
    ck_assert_uint_le(stats->connections, 32);
    ck_assert_uint_ge(stats->cut, 100 + 1 - 32);
    close_all(fd, 100);
    web_free(f.web);
}
END_TEST

UNIT_MAIN("sharing", three_hundred_dripping_clients_do_not_stop_an_honest_one,
          two_thousand_dripping_clients_do_not_stop_an_honest_one,
          fifty_clients_that_never_read_do_not_stop_an_honest_one,
          the_memory_that_unread_renderings_hold_is_bounded,
          a_slow_reader_beside_many_keeps_its_response,
          running_out_of_descriptors_does_not_make_it_spin,
          a_small_file_limit_lowers_the_number_of_connections)
