// SPDX-License-Identifier: Apache-2.0
// In the place of service.c in a build without libsystemd.
#include "daemon/service.h"

int service_take(struct service_fds *ret, struct buf *problem)
{
    (void)problem;
    *ret = (struct service_fds){.stream = -1, .datagram = -1};
    return 0;
}

void service_ready(const char *status)
{
    (void)status;
}

void service_reloading(void)
{
}

void service_stopping(void)
{
}

void service_status(const char *status)
{
    (void)status;
}

uint64_t service_watchdog_us(void)
{
    return 0;
}

void service_feed_watchdog(void)
{
}
