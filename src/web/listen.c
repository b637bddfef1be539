// SPDX-License-Identifier: Apache-2.0
#include "web/listen.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    LISTEN_BACKLOG = 1024,
    LISTEN_SEND_BUFFER = 128 * 1024, // what a client that never reads can hold in the kernel
    LISTEN_HOST_MAX = 255
};

static const struct listener closed = {.socket.fd = -1};

static int fail(struct buf *why, const char *address, int err, const char *hint)
{
    buf_addf(why, "cannot listen on %s: %s%s", address, strerror(err), hint);
    return -err;
}

static const char *tcp_hint(const char *address, int err)
{
    if (err == EINVAL && strncasecmp(address, "[fe", 3) == 0) {
        return "; a link-local address needs its interface, as in [fe80::1%eth0]:8080";
    }
    return err == EADDRINUSE ? "; --web.listen-address chooses another one" : "";
}

// The options that every listening socket gets; accepted ones inherit the size of the send buffer.
static int set_options(int fd)
{
    int one = 1;
    int size = LISTEN_SEND_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) < 0) {
        return -errno;
    }
    return 0;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
        return 0;
    }
    if (a.ss_family == AF_INET6) {
        return ntohs(((struct sockaddr_in6 *)&a)->sin6_port);
    }
    return a.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&a)->sin_port) : 0;
}

// Returns the listening socket or -errno.
static int bind_and_listen(int family, int v6only, const struct sockaddr *addr, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int r = set_options(fd);
    if (r == 0 && family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) < 0) {
        r = -errno;
    }
    if (r == 0 && (bind(fd, addr, len) < 0 || listen(fd, LISTEN_BACKLOG) < 0)) {
        r = -errno;
    }
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

static int open_all_interfaces(unsigned port)
{
    struct sockaddr_in6 six = {
        .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_any};
    int fd = bind_and_listen(AF_INET6, 0, (struct sockaddr *)&six, sizeof six);
    if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) {
        struct sockaddr_in four = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_ANY)};
        fd = bind_and_listen(AF_INET, 0, (struct sockaddr *)&four, sizeof four);
    }
    return fd;
}

// Splits at the last colon. Returns the port's digits, or NULL when the address is malformed.
static const char *split_port(const char *address, char *host, unsigned *ret_port)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon != NULL ? (size_t)(colon - address) : 0;
    const char *from = address;
    if (colon == NULL || len > LISTEN_HOST_MAX) {
        return NULL;
    }
    if (len > 0 && address[0] == '[') {
        if (len < 3 || address[len - 1] != ']') {
            return NULL;
        }
        from++;
        len -= 2;
    } else if (memchr(address, ':', len) != NULL) {
        return NULL;
    }
    size_t digits = strspn(colon + 1, "0123456789");
    unsigned long port = strtoul(colon + 1, NULL, 10);
    if (digits == 0 || digits > 5 || colon[1 + digits] != '\0' || port > 65535) {
        return NULL;
    }
    memcpy(host, from, len);
    host[len] = '\0';
    *ret_port = (unsigned)port;
    return colon + 1;
}

// [::], as which other servers take IPv4 too.
static bool is_any(const struct sockaddr *a)
{
    return a->sa_family == AF_INET6 &&
           IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

static int open_tcp(struct listener *ret, const char *address, struct buf *why)
{
    char host[LISTEN_HOST_MAX + 1];
    unsigned port = 0;
    const char *digits = split_port(address, host, &port);
    if (digits == NULL) {
        buf_addf(why,
                 "cannot listen on %s: not an address like :8080, 127.0.0.1:8080, [::1]:8080 "
                 "or unix:/path",
                 address);
        return -EINVAL;
    }
    int fd = -EADDRNOTAVAIL;
    if (host[0] == '\0') {
        fd = open_all_interfaces(port);
    } else {
        struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                 .ai_socktype = SOCK_STREAM};
        struct addrinfo *found = NULL;
        int r = getaddrinfo(host, digits, &hints, &found);
        if (r != 0) {
            buf_addf(why, "cannot listen on %s: %s%s", address, gai_strerror(r),
                     strchr(host, '%') != NULL ? "; is that an interface of this host?" : "");
            return -EADDRNOTAVAIL;
        }
        for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
            fd = bind_and_listen(a->ai_family, !is_any(a->ai_addr), a->ai_addr, a->ai_addrlen);
        }
        freeaddrinfo(found);
    }
    if (fd < 0) {
        return fail(why, address, -fd, tcp_hint(address, -fd));
    }
    *ret = (struct listener){.socket.fd = fd, .port = port_of(fd)};
    unix_socket_adopt(&ret->socket);
    return 0;
}

static int open_unix(struct listener *ret, const char *address, const struct listen_file *file,
                     struct buf *why)
{
    const char *path = address + strlen("unix:");
    if (path[0] != '/') {
        buf_addf(why, "cannot listen on %s: the path must start with /", address);
        return -EINVAL;
    }
    struct unix_socket_settings settings = {.path = path,
                                            .type = SOCK_STREAM,
                                            .backlog = LISTEN_BACKLOG,
                                            .mode = file->mode,
                                            .group = file->group};
    struct listener l = {.port = 0};
    struct buf problem = BUF_INIT;
    int r = unix_socket_open(&l.socket, &settings, &problem);
    if (r < 0) {
        buf_addf(why, "cannot listen on unix:%s", buf_string(&problem));
    }
    buf_free(&problem);
    if (r < 0) {
        return r;
    }
    r = set_options(l.socket.fd);
    if (r < 0) {
        unix_socket_close(&l.socket);
        return fail(why, address, -r, "");
    }
    *ret = l;
    return 0;
}

int listen_open(struct listener *ret, const char *address, const struct listen_file *file,
                struct buf *why)
{
    if (strncmp(address, "unix:", 5) == 0) {
        return open_unix(ret, address, file, why);
    }
    return open_tcp(ret, address, why);
}

int listen_adopt(struct listener *ret, int fd, struct buf *why)
{
    int listening = 0;
    socklen_t len = sizeof listening;
    int r = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0) {
        r = -errno;
    } else if (!listening) {
        r = -EINVAL;
    } else if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        r = -errno;
    } else {
        r = set_options(fd);
    }
    if (r < 0) {
        buf_addf(why, "cannot listen on passed socket %d: %s", fd, strerror(-r));
        close(fd);
        return r;
    }
    *ret = (struct listener){.socket.fd = fd, .port = port_of(fd)};
    return 0;
}

// Waits until the connection that was begun is there. Returns 0 or -errno.
static int finish_connect(int fd, uint64_t until_ms)
{
    int err = 0;
    socklen_t len = sizeof err;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    uint64_t now = clock_mono_ms();
    if (poll(&p, 1, until_ms > now ? (int)(until_ms - now) : 0) == 0) {
        return -ETIMEDOUT;
    }
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ? -errno : -err;
}

// Returns the connected socket or -errno.
static int connect_one(const struct sockaddr *a, socklen_t len, uint64_t until_ms)
{
    int fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int r = connect(fd, a, len) < 0 ? -errno : 0;
    r = r == -EINPROGRESS ? finish_connect(fd, until_ms) : r;
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

static int connect_unix(const char *path, uint64_t until_ms)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof a.sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(a.sun_path, path, len + 1);
    return connect_one((const struct sockaddr *)&a, sizeof a, until_ms);
}

// Where all addresses are listened on, the loopback ones are among them.
static int connect_tcp(const char *address, uint64_t until_ms)
{
    char host[LISTEN_HOST_MAX + 1];
    unsigned port = 0;
    const char *digits = split_port(address, host, &port);
    if (digits == NULL || port == 0) {
        return -EDESTADDRREQ;
    }
    struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host[0] != '\0' ? host : NULL, digits, &hints, &found) != 0) {
        return -EADDRNOTAVAIL;
    }
    int fd = -EADDRNOTAVAIL;
    for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
        fd = connect_one(a->ai_addr, a->ai_addrlen, until_ms);
    }
    freeaddrinfo(found);
    return fd;
}

int listen_connect(const char *address, uint64_t until_ms, struct buf *why)
{
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    int fd = is_unix ? connect_unix(address + 5, until_ms) : connect_tcp(address, until_ms);
    if (fd == -EDESTADDRREQ) {
        buf_addf(why, "cannot connect to %s: the port is chosen at the start", address);
    } else if (fd < 0) {
        buf_addf(why, "cannot connect to %s: %s", address, strerror(-fd));
    }
    return fd;
}

void listen_close(struct listener *l)
{
    unix_socket_close(&l->socket);
    *l = closed;
}
