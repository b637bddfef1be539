// SPDX-License-Identifier: Apache-2.0
#include "base/unix_socket.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[64];
static char path[128];

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/ve-sockets-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/e.sock", dir);
}

static void remove_dir(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(dir), 0);
}

static struct unix_socket_settings settings(int type)
{
    return (struct unix_socket_settings){.path = path, .type = type, .backlog = 16, .mode = 0660};
}

// Opens; `problem` is what the sentence must be behind the path, or NULL when all is well.
static int open_with(struct unix_socket *s, const struct unix_socket_settings *with,
                     const char *problem)
{
    struct buf got = BUF_INIT;
    struct buf want = BUF_INIT;
    int rc = unix_socket_open(s, with, &got);
    if (problem != NULL) {
        buf_addf(&want, "%s: %s", with->path, problem);
        ck_assert_str_eq(buf_string(&got), buf_string(&want));
        ck_assert_int_eq(s->fd, -1);
    } else {
        ck_assert_msg(rc == 0 && got.len == 0, "%s", buf_string(&got));
    }
    buf_free(&got);
    buf_free(&want);
    return rc;
}

static int reach(int type)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    int fd = socket(AF_UNIX, type, 0);
    int rc = connect(fd, (struct sockaddr *)&a, sizeof a) == 0 ? 0 : -errno;
    close(fd);
    return rc;
}

START_TEST(a_socket_can_be_reached_until_it_is_closed)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    for (size_t i = 0; i < 2; i++) {
        make_dir();
        struct unix_socket s = UNIX_SOCKET_NONE;
        struct unix_socket_settings with = settings(types[i]);
        open_with(&s, &with, NULL);
        ck_assert_int_eq(reach(types[i]), 0);
        ck_assert_int_ne(fcntl(s.fd, F_GETFL) & O_NONBLOCK, 0);
        ck_assert_int_ne(fcntl(s.fd, F_GETFD) & FD_CLOEXEC, 0);
        unix_socket_close(&s);
        ck_assert_int_eq(s.fd, -1);
        ck_assert_int_eq(access(path, F_OK), -1);
        unix_socket_close(&s);
        remove_dir();
    }
}
END_TEST

START_TEST(the_file_has_the_mode_and_group_that_were_asked_for)
{
    static const mode_t modes[] = {0660, 0600, 0666, 0777};
    make_dir();
    mode_t old = umask(077);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct stat st;
        struct unix_socket s = UNIX_SOCKET_NONE;
        struct unix_socket_settings with = settings(SOCK_STREAM);
        with.mode = modes[i];
        open_with(&s, &with, NULL);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, modes[i]);
        unix_socket_close(&s);
    }
    ck_assert_uint_eq(umask(old), 077);
    struct group *own = getgrgid(getegid());
    struct unix_socket s = UNIX_SOCKET_NONE;
    struct unix_socket_settings with = settings(SOCK_STREAM);
    if (own != NULL) {
        struct stat st;
        with.group = own->gr_name;
        open_with(&s, &with, NULL);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_gid, getegid());
        unix_socket_close(&s);
    }
    with.group = "no-such-group";
    ck_assert_int_eq(open_with(&s, &with, "group \"no-such-group\" does not exist"), -ENOENT);
    ck_assert_int_eq(access(path, F_OK), -1);
    remove_dir();
}
END_TEST

START_TEST(a_stale_file_is_replaced)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    for (size_t i = 0; i < 2; i++) {
        make_dir();
        struct unix_socket dead = UNIX_SOCKET_NONE;
        struct unix_socket s = UNIX_SOCKET_NONE;
        struct unix_socket_settings with = settings(types[i]);
        open_with(&dead, &with, NULL);
        close(dead.fd);
        dead.fd = -1;
        ck_assert_int_eq(reach(types[i]), -ECONNREFUSED);
        open_with(&s, &with, NULL);
        ck_assert_int_eq(reach(types[i]), 0);
        unix_socket_close(&s);
        free(dead.path);
        remove_dir();
    }
}
END_TEST

START_TEST(one_that_is_alive_is_left_alone)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    for (size_t i = 0; i < 2; i++) {
        make_dir();
        struct unix_socket first = UNIX_SOCKET_NONE;
        struct unix_socket second = UNIX_SOCKET_NONE;
        struct unix_socket_settings with = settings(types[i]);
        open_with(&first, &with, NULL);
        ck_assert_int_eq(
            open_with(&second, &with, "another process listens there: Address already in use"),
            -EADDRINUSE);
        ck_assert_int_eq(reach(types[i]), 0);
        unix_socket_close(&first);
        remove_dir();
    }
}
END_TEST

START_TEST(one_that_is_busy_is_alive)
{
    int waiting[16];
    size_t n = 0;
    struct unix_socket s = UNIX_SOCKET_NONE;
    struct unix_socket_settings with = settings(SOCK_STREAM);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    make_dir();
    strcpy(a.sun_path, path);
    int busy = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(busy, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(busy, 0), 0);
    int rc = 0;
    while (rc == 0 && n < 16) {
        waiting[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        rc = connect(waiting[n++], (struct sockaddr *)&a, sizeof a);
    }
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(open_with(&s, &with, "another process listens there: Address already in use"),
                     -EADDRINUSE);
    ck_assert_int_eq(access(path, F_OK), 0);
    for (size_t i = 0; i < n; i++) {
        close(waiting[i]);
    }
    close(busy);
    remove_dir();
}
END_TEST

START_TEST(a_socket_of_the_other_kind_is_not_taken_for_stale)
{
    make_dir();
    struct unix_socket first = UNIX_SOCKET_NONE;
    struct unix_socket second = UNIX_SOCKET_NONE;
    struct unix_socket_settings with = settings(SOCK_STREAM);
    open_with(&first, &with, NULL);
    with.type = SOCK_DGRAM;
    ck_assert_int_eq(
        open_with(&second, &with,
                  "cannot find out whether it is in use: Protocol wrong type for socket"),
        -EPROTOTYPE);
    ck_assert_int_eq(reach(SOCK_STREAM), 0);
    unix_socket_close(&first);
    remove_dir();
}
END_TEST

START_TEST(what_is_no_socket_is_left_alone)
{
    make_dir();
    struct unix_socket s = UNIX_SOCKET_NONE;
    struct unix_socket_settings with = settings(SOCK_STREAM);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(open_with(&s, &with, "exists and is not a socket: File exists"), -EEXIST);
    ck_assert_int_eq(access(path, F_OK), 0);
    unlink(path);
    ck_assert_int_eq(symlink("/nowhere/at/all", path), 0);
    ck_assert_int_eq(open_with(&s, &with, "exists and is not a socket: File exists"), -EEXIST);
    remove_dir();
}
END_TEST

START_TEST(a_path_that_cannot_be_is_refused)
{
    make_dir();
    struct unix_socket s = UNIX_SOCKET_NONE;
    struct sockaddr_un a;
    char deep[200];
    struct unix_socket_settings with = {
        .path = deep, .type = SOCK_STREAM, .backlog = 16, .mode = 0660};
    snprintf(deep, sizeof deep, "%s/%0*d", dir, (int)(sizeof a.sun_path - strlen(dir) - 1), 0);
    ck_assert_uint_eq(strlen(deep), sizeof a.sun_path);
    ck_assert_int_eq(open_with(&s, &with, "cannot be the path of a socket: File name too long"),
                     -ENAMETOOLONG);
    deep[sizeof a.sun_path - 1] = '\0';
    open_with(&s, &with, NULL);
    unix_socket_close(&s);
    ck_assert_int_eq(access(deep, F_OK), -1);
    snprintf(deep, sizeof deep, "%s/none/e.sock", dir);
    ck_assert_int_eq(open_with(&s, &with, "cannot open its directory: No such file or directory"),
                     -ENOENT);
    remove_dir();
}
END_TEST

START_TEST(closing_removes_the_file_only_while_it_is_ours)
{
    make_dir();
    struct unix_socket first = UNIX_SOCKET_NONE;
    struct unix_socket second = UNIX_SOCKET_NONE;
    struct unix_socket_settings with = settings(SOCK_STREAM);
    open_with(&first, &with, NULL);
    unlink(path);
    open_with(&second, &with, NULL);
    unix_socket_close(&first);
    ck_assert_int_eq(reach(SOCK_STREAM), 0);
    unix_socket_close(&second);
    ck_assert_int_eq(access(path, F_OK), -1);
    remove_dir();
}
END_TEST

UNIT_MAIN("unix_socket", a_socket_can_be_reached_until_it_is_closed,
          the_file_has_the_mode_and_group_that_were_asked_for, a_stale_file_is_replaced,
          one_that_is_alive_is_left_alone, one_that_is_busy_is_alive,
          a_socket_of_the_other_kind_is_not_taken_for_stale, what_is_no_socket_is_left_alone,
          a_path_that_cannot_be_is_refused, closing_removes_the_file_only_while_it_is_ours)
