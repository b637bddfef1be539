// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_line: what a client writes into the stream socket. The bytes go through a real connection with the
 * built-in catalogue and low limits; every reply must be one JSON object, the exposition sane, and the same with
 * a cache of lines as without.
 */
#include "exposition.h"
#include "fixture.h"

#include <jansson.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SIZE_MAX_INPUT = 150000, // fits into the socket, and more than two lines of full length
    LIMIT = 300,
    LIMIT_PER_METRIC = 40,
    CACHE = 1 << 20, // bytes
    TIMES = 3        // a line is cached when it comes the second time
};

static void check_replies(int fd, struct buf *all)
{
    static char replies[256 << 10];
    ssize_t n = recv(fd, replies, sizeof replies, MSG_DONTWAIT);
    const char *end = replies + (n < 0 ? 0 : n);
    buf_add(all, replies, (size_t)(end - replies));
    for (const char *at = replies; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        fixture_must(newline != NULL, "a reply has no LF");
        json_error_t err;
        // An id is echoed as it stood, so a number in it may be beyond a double.
        json_t *reply =
            json_loadb(at, (size_t)(newline - at), JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &err);
        fixture_must(json_is_object(reply) ||
                         (reply == NULL && json_error_code(&err) == json_error_numeric_overflow),
                     "a reply is no JSON object");
        json_decref(reply);
        at = newline + 1;
    }
}

static void run(struct fixture *h, const uint8_t *data, size_t size, struct buf *replies)
{
    int fds[2];
    int room = 1 << 20;
    fixture_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "no socket");
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    struct connection *c = connection_new(fds[0], h->p);
    fixture_must(c != NULL && send(fds[1], data, size, MSG_DONTWAIT) == (ssize_t)size, "no room");
    shutdown(fds[1], SHUT_WR);
    while (!c->closing) {
        fixture_must(fixture_read(c, h->p, h->ingest->workers[0].input) >= 0, "a broken read");
        fixture_must(connection_flush(c) == 0, "a broken flush");
    }
    check_replies(fds[1], replies);
    connection_free(c, h->p);
    close(fds[1]);
    h->p->now_ms += 1000;
    sources_tick(h->sources, h->store, h->p->now_ms);
    schema_reclaim(h->store);
}

// Says the same some times over, and returns all that can be seen of it afterwards, to be freed.
static char *outcome(const uint8_t *data, size_t size, bool caches)
{
    struct fixture h;
    const char *line = "";
    struct buf all = BUF_INIT;
    fixture_open(&h, NULL, LIMIT, LIMIT_PER_METRIC);
    fixture_must(!caches || event_reader_cache(h.p->reader, CACHE) == 0, "no memory");
    for (int i = 0; i < TIMES; i++) {
        run(&h, data, size, &all);
    }
    size_t replies = all.len;
    buf_str(&all, fixture_text_all(&h));
    fixture_must(buf_string(&all) != NULL, "no memory");
    char *text = all.p;
    fixture_close(&h);
    const char *wrong = exposition_check(text + replies, &line);
    if (wrong != NULL) {
        fprintf(stderr, "%s: %.300s\n", wrong, line);
        abort();
    }
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > SIZE_MAX_INPUT) {
        return 0;
    }
    char *parsed = outcome(data, size, false);
    char *cached = outcome(data, size, true);
    fixture_must(strcmp(parsed, cached) == 0, "the cache changes what is seen");
    free(parsed);
    free(cached);
    return 0;
}
