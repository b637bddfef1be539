// SPDX-License-Identifier: Apache-2.0
#include "web/listen.h"

#include "web_client.h"

#include <fcntl.h>
#include <sys/stat.h>

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static const struct listen_file usual = {.mode = 0660};

static void check_refused(const char *address, int result, const char *text)
{
    struct listener l = {.socket.fd = -1};
    struct buf why = BUF_INIT;
    int r = listen_open(&l, address, &usual, &why);
    ck_assert_msg(r == result, "%s: %d", address, r);
    ck_assert_str_eq(buf_string(&why), text);
    ck_assert_int_eq(l.socket.fd, -1);
    buf_free(&why);
}

START_TEST(an_address_must_be_one)
{
    static const char *const malformed[] = {
        "",        "8080",     "127.0.0.1", "127.0.0.1:", ":",     ":x",      ":80x", ":65536",
        ":123456", "::1:8080", "[::1]",     "[::1]8080",  "[]:80", "[::1:80", ":-1",  ": 80"};
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "cannot listen on %s: not an address like :8080, 127.0.0.1:8080, [::1]:8080 or "
                 "unix:/path",
                 malformed[i]);
        check_refused(malformed[i], -EINVAL, text);
    }
    check_refused("unix:x", -EINVAL, "cannot listen on unix:x: the path must start with /");
}
END_TEST

START_TEST(a_port_in_use_is_named_and_so_is_the_way_out)
{
    struct listener l;
    struct buf why = BUF_INIT;
    ck_assert_int_eq(listen_open(&l, "127.0.0.1:0", &usual, &why), 0);
    ck_assert_uint_gt(l.port, 0);
    char address[64];
    char text[256];
    snprintf(address, sizeof address, "127.0.0.1:%u", l.port);
    snprintf(text, sizeof text,
             "cannot listen on %s: Address already in use; --web.listen-address chooses another "
             "one",
             address);
    check_refused(address, -EADDRINUSE, text);
    listen_close(&l);
    ck_assert_int_eq(listen_open(&l, address, &usual, &why), 0);
    listen_close(&l);
    buf_free(&why);
}
END_TEST

START_TEST(a_unix_socket_file_is_replaced_only_when_it_is_dead)
{
    char dir[] = "/tmp/ve-listen-XXXXXX";
    char address[64];
    char text[256];
    struct stat st;
    struct listener l;
    struct buf why = BUF_INIT;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(address, sizeof address, "unix:%s/s", dir);
    const char *path = address + 5;

    ck_assert_int_eq(listen_open(&l, address, &usual, &why), 0);
    snprintf(text, sizeof text,
             "cannot listen on %s: another process listens there: Address already in use", address);
    check_refused(address, -EADDRINUSE, text);
    close(l.socket.fd); // as a kill would leave it
    l.socket.fd = -1;
    struct listener second;
    ck_assert_int_eq(listen_open(&second, address, &usual, &why), 0);
    listen_close(&l); // leaves the successor's file alone
    ck_assert_int_eq(lstat(path, &st), 0);
    listen_close(&second);
    ck_assert_int_eq(lstat(path, &st), -1);

    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    snprintf(text, sizeof text, "cannot listen on %s: exists and is not a socket: File exists",
             address);
    check_refused(address, -EEXIST, text);
    unlink(path);
    rmdir(dir);
    snprintf(text, sizeof text,
             "cannot listen on %s: cannot open its directory: No such file or directory", address);
    check_refused(address, -ENOENT, text);
    buf_free(&why);
}
END_TEST

static void check_health(int family, const void *addr, socklen_t len)
{
    char out[4096];
    int fd = socket(family, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, addr, len), 0);
    client_send(fd, HEALTH);
    ck_assert_int_gt(client_read(fd, out, sizeof out, NULL, 2000), 0);
    ck_assert_ptr_nonnull(strstr(out, "\r\n\r\nok\n"));
    close(fd);
}

static void check_not_adopted(int fd, int result, const char *why_not)
{
    struct listener l = {.socket.fd = -1};
    struct buf why = BUF_INIT;
    char text[128];
    snprintf(text, sizeof text, "cannot listen on passed socket %d: %s", fd, why_not);
    ck_assert_int_eq(listen_adopt(&l, fd, &why), result);
    ck_assert_str_eq(buf_string(&why), text);
    ck_assert_int_eq(l.socket.fd, -1);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    buf_free(&why);
}

START_TEST(what_is_passed_must_be_a_listening_socket)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    check_not_adopted(fds[0], -ENOTSOCK, "Socket operation on non-socket");
    close(fds[1]);
    check_not_adopted(fds[1], -EBADF, "Bad file descriptor");
    check_not_adopted(socket(AF_INET, SOCK_STREAM, 0), -EINVAL, "Invalid argument");
    struct listener l;
    struct buf why = BUF_INIT;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(listen_adopt(&l, fd, &why), 0);
    ck_assert_uint_gt(l.port, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    listen_close(&l);
    buf_free(&why);
}
END_TEST

START_TEST(why_it_cannot_connect_is_said)
{
    char path[200] = "unix:/";
    memset(path + 6, 'x', 150);
    static const struct {
        const char *address;
        int result;
        const char *text;
    } rows[] = {
        {"127.0.0.1:0", -EDESTADDRREQ, "the port is chosen at the start"},
        {"nonsense", -EDESTADDRREQ, "the port is chosen at the start"},
        {"unix:/nowhere/s", -ENOENT, "No such file or directory"},
        {"unix:/dev/null", -ECONNREFUSED, "Connection refused"},
        {NULL, -ENAMETOOLONG, "File name too long"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *address = rows[i].address != NULL ? rows[i].address : path;
        struct buf why = BUF_INIT;
        char text[300];
        snprintf(text, sizeof text, "cannot connect to %s: %s", address, rows[i].text);
        ck_assert_int_eq(listen_connect(address, UINT64_MAX, &why), rows[i].result);
        ck_assert_str_eq(buf_string(&why), text);
        buf_free(&why);
    }
}
END_TEST

START_TEST(many_addresses_are_served_at_once)
{
    char dir[] = "/tmp/ve-listen-XXXXXX";
    char address[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(address, sizeof address, "unix:%s/s", dir);
    const char *const addresses[] = {"127.0.0.1:0", address, ":0"};
    int passed = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(listen(passed, 10), 0);
    struct fake f = {.is_ready = true};
    struct web_settings settings = {.addresses = addresses,
                                    .n_addresses = 3,
                                    .fds = &passed,
                                    .n_fds = 1,
                                    .telemetry_path = "/metrics",
                                    .max_requests = 40};
    struct web_backend backend = fake_backend(&f);
    struct buf why = BUF_INIT;
    ck_assert_int_eq(web_open(&f.web, &settings, &backend, &why), 0);
    ck_assert_int_eq(web_start(f.web), 0);
    ck_assert_uint_eq(web_port(f.web, 1), 0);
    ck_assert_uint_eq(web_port(f.web, 4), 0);

    struct sockaddr_un local = {.sun_family = AF_UNIX};
    strcpy(local.sun_path, address + 5);
    check_health(AF_UNIX, &local, sizeof local);
    static const size_t tcp[] = {0, 2, 3};
    for (size_t i = 0; i < 3; i++) {
        struct sockaddr_in four = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)web_port(f.web, tcp[i])),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        check_health(AF_INET, &four, sizeof four);
    }
    web_stop(f.web);
    ck_assert_int_eq(access(address + 5, F_OK), -1);
    web_free(f.web);
    rmdir(dir);
    buf_free(&why);
}
END_TEST

START_TEST(settings_that_cannot_work_are_refused)
{
    static const struct {
        const char *path;
        const char *address;
        unsigned max_requests;
        int result;
    } cases[] = {
        {"metrics", "127.0.0.1:0", 1, -EINVAL},
        {"", "127.0.0.1:0", 1, -EINVAL},
        {"/", "127.0.0.1:0", 1, -EINVAL},
        {"/healthz", "127.0.0.1:0", 1, -EINVAL},
        {"/-/reload", "127.0.0.1:0", 1, -EINVAL},
        {"/a?b", "127.0.0.1:0", 1, -EINVAL},
        {"/m", "127.0.0.1:0", 0, -EINVAL},
        {"/m", "x", 1, -EINVAL},
        {"/m", "127.0.0.1:0", 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake f = {.is_ready = true};
        int not_listening = socket(AF_INET, SOCK_STREAM, 0);
        struct web_settings settings = {.addresses = &cases[i].address,
                                        .n_addresses = 1,
                                        .fds = &not_listening,
                                        .n_fds = cases[i].result < 0,
                                        .telemetry_path = cases[i].path,
                                        .max_requests = cases[i].max_requests};
        struct web_backend backend = fake_backend(&f);
        struct buf why = BUF_INIT;
        ck_assert_int_eq(web_open(&f.web, &settings, &backend, &why), cases[i].result);
        ck_assert((why.len > 0) == (cases[i].result < 0));
        ck_assert_int_eq(fcntl(not_listening, F_GETFD) < 0, cases[i].result < 0);
        web_free(f.web);
        buf_free(&why);
    }
}
END_TEST

UNIT_MAIN("listen", an_address_must_be_one, a_port_in_use_is_named_and_so_is_the_way_out,
          a_unix_socket_file_is_replaced_only_when_it_is_dead,
          what_is_passed_must_be_a_listening_socket, why_it_cannot_connect_is_said,
          many_addresses_are_served_at_once, settings_that_cannot_work_are_refused)
