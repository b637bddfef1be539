// SPDX-License-Identifier: Apache-2.0
#include "web/conn.h"

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <unistd.h>

static const uint64_t key[2] = {1, 2};

static uint64_t of(const char *text)
{
    struct sockaddr_storage a = {.ss_family = AF_INET};
    if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&a)->sin_addr) != 1) {
        a.ss_family = AF_INET6;
        ck_assert_int_eq(inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&a)->sin6_addr), 1);
    }
    return conn_address_id(key, &a);
}

START_TEST(a_peer_is_known_by_its_address)
{
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } table[] = {
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"127.0.0.1", "::ffff:127.0.0.1", true},
        {"::1", "::ffff:127.0.0.1", false},
        {"2001:db8::1", "2001:db8::ffff:2", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
        {"fe80::1", "fe80::2", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ck_assert_msg((of(table[i].a) == of(table[i].b)) == table[i].same, "%s %s", table[i].a,
                      table[i].b);
    }
}
END_TEST

START_TEST(one_of_a_unix_socket_is_known_by_its_user)
{
    int a[2];
    int b[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
    const struct sockaddr_storage local = {.ss_family = AF_UNIX};
    ck_assert_uint_eq(conn_peer_id(key, &local, a[0]), conn_peer_id(key, &local, b[0]));
    ck_assert_uint_ne(conn_peer_id(key, &local, a[0]), conn_peer_id(key, &local, -1));
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
    ck_assert_uint_ne(conn_user_id(key, "a"), conn_user_id(key, "b"));
    ck_assert_uint_ne(conn_user_id(key, ""), 0);
}
END_TEST

UNIT_MAIN("conn_id", a_peer_is_known_by_its_address, one_of_a_unix_socket_is_known_by_its_user)
