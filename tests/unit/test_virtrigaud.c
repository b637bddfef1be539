// SPDX-License-Identifier: Apache-2.0
#include <virtrigaud-client.h>

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const struct virtrigaud_label labels[] = {{"x", "1"}};

// A daemon that answers one client, syncs only once it may.
struct daemon {
    struct sockaddr_un addr;
    int fd;
    atomic_bool may_sync;
    unsigned lines; // that are no control lines
    unsigned forgets;
    pthread_t thread;
};

static void answer(struct daemon *d, FILE *f, const char *line)
{
    unsigned long long id;
    if (strncmp(line, "{\"hello\"", 8) == 0) {
        fputs("{\"hello\":{\"protocol\":1,\"applied\":0,\"known\":false}}\n", f);
    } else if (strncmp(line, "{\"forget\"", 9) == 0) {
        d->forgets++;
        fputs("{\"forget\":{\"series\":1}}\n", f);
    } else if (sscanf(line, "{\"sync\":%llu}", &id) == 1) {
        while (!atomic_load(&d->may_sync)) {
            usleep(1000);
        }
        fprintf(f, "{\"sync\":%llu,\"applied\":%u,\"rejected\":0}\n", id, d->lines);
    } else {
        d->lines++;
    }
    fflush(f);
}

static void *serve(void *arg)
{
    struct daemon *d = arg;
    int fd = accept(d->fd, NULL, NULL);
    FILE *in = fdopen(fd, "r");
    FILE *out = fdopen(dup(fd), "w");
    char line[4096];
    while (fgets(line, sizeof line, in) != NULL) {
        answer(d, out, line);
    }
    fclose(in);
    fclose(out);
    return NULL;
}

static void daemon_start(struct daemon *d)
{
    *d = (struct daemon){.addr = {.sun_family = AF_UNIX}};
    char dir[] = "/tmp/test_virtrigaud_XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(d->addr.sun_path, sizeof d->addr.sun_path, "%s/s", dir);
    d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(d->fd, (struct sockaddr *)&d->addr, sizeof d->addr), 0);
    ck_assert_int_eq(listen(d->fd, 1), 0);
    ck_assert_int_eq(pthread_create(&d->thread, NULL, serve, d), 0);
}

static void daemon_end(struct daemon *d)
{
    pthread_join(d->thread, NULL);
    close(d->fd);
    unlink(d->addr.sun_path);
    *strrchr(d->addr.sun_path, '/') = '\0';
    rmdir(d->addr.sun_path);
}

static struct virtrigaud_client *connect_client(const struct daemon *d)
{
    struct virtrigaud_client *c = virtrigaud_new();
    struct virtrigaud_config config = VIRTRIGAUD_CONFIG_INIT;
    struct virtrigaud_stats stats = {0};
    config.component = "manager";
    config.socket = d->addr.sun_path;
    config.event_loop = 1;
    ck_assert_int_eq(virtrigaud_start(c, &config), 0);
    while (!stats.connected) {
        usleep(1000);
        virtrigaud_process(c);
        virtrigaud_get_stats(c, &stats);
    }
    return c;
}

START_TEST(a_close_sends_what_was_recorded_while_series_are_forgotten)
{
    struct daemon d;
    struct virtrigaud_stats stats;
    daemon_start(&d);
    struct virtrigaud_client *c = connect_client(&d);
    virtrigaud_counter_add(c, "before", labels, 1, 1);
    virtrigaud_forget(c, labels, 1);
    virtrigaud_process(c); // sends what is there; the daemon does not answer yet
    virtrigaud_counter_add(c, "after", labels, 1, 1);
    atomic_store(&d.may_sync, true);
    ck_assert_int_eq(virtrigaud_close(c, 60000, &stats), 0);
    daemon_end(&d);
    ck_assert_uint_eq(stats.lost, 0);
    ck_assert_uint_eq(stats.applied, 2);
    ck_assert_uint_eq(d.lines, 2);
    ck_assert_uint_eq(d.forgets, 1);
    virtrigaud_free(c);
}
END_TEST

UNIT_MAIN("virtrigaud", a_close_sends_what_was_recorded_while_series_are_forgotten)
