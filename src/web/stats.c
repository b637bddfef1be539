// SPDX-License-Identifier: Apache-2.0
#include "web/stats.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

// Of the durations of scrapes, in seconds.
static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};

enum { BOUNDS = sizeof bounds / sizeof bounds[0] };

int stats_init(struct stats *s)
{
    static_assert((int)BOUNDS <= (int)SELF_MAX_BOUNDS, "room for the bounds");
    static_assert((int)TLS_FAULTS <= (int)SELF_MAX_FAULTS, "room for the reasons");
    s->shown.bounds = bounds;
    s->shown.n_bounds = BOUNDS;
    s->shown.faults = tls_fault_names;
    s->shown.n_faults = TLS_FAULTS;
    return -pthread_mutex_init(&s->lock, NULL);
}

void stats_close(struct stats *s)
{
    pthread_mutex_destroy(&s->lock);
}

void stats_name_peer(const struct sockaddr_storage *a, char ret[static STATS_PEER])
{
    char host[64];
    char port[16];
    if (a->ss_family != AF_UNIX &&
        getnameinfo((const struct sockaddr *)a, sizeof *a, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        bool colons = strchr(host, ':') != NULL;
        snprintf(ret, STATS_PEER, colons ? "[%s]:%s" : "%s:%s", host, port);
    } else {
        strcpy(ret, "unix");
    }
}

void stats_count_handshake(struct stats *s, enum tls_fault fault,
                           const struct sockaddr_storage *address, const char *detail)
{
    struct stats_handshake *f = &s->failed[fault];
    char peer[STATS_PEER];
    stats_name_peer(address, peer);
    pthread_mutex_lock(&s->lock);
    count_add(&s->shown.tls_errors[fault], 1);
    strcpy(f->peer, peer);
    snprintf(f->detail, sizeof f->detail, "%s", detail != NULL ? detail : "");
    pthread_mutex_unlock(&s->lock);
}
