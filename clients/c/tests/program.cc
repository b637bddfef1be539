// SPDX-License-Identifier: Apache-2.0
// A C++ program that uses the installed library with a loop of its own: program SOCKET.
#include <virtrigaud-client.h>

#include <cstdio>
#include <poll.h>

int main(int argc, char **argv)
{
    virtrigaud_client *client = virtrigaud_new();
    virtrigaud_config config = VIRTRIGAUD_CONFIG_INIT;
    virtrigaud_stats stats;
    const virtrigaud_label labels[] = {{"kind", "VMSet"}};
    config.component = "manager";
    config.instance = "cc";
    config.socket = argc > 1 ? argv[1] : nullptr;
    config.event_loop = 1;
    if (virtrigaud_start(client, &config) != 0) {
        return 3;
    }
    virtrigaud_gauge_set(client, "virtrigaud_queue_depth", labels, 1, 7);
    int rounds = 0;
    do {
        pollfd p = {virtrigaud_fd(client), POLLIN, 0};
        if (poll(&p, 1, 5000) <= 0 || ++rounds > 1000) {
            return 4;
        }
        virtrigaud_process(client);
        virtrigaud_get_stats(client, &stats);
    } while (stats.applied < 1);
    // After that there is nothing to do for a while.
    pollfd p = {virtrigaud_fd(client), POLLIN, 0};
    while (poll(&p, 1, 100) > 0 && ++rounds <= 1000) {
        virtrigaud_process(client);
    }
    std::printf("applied %lu, few rounds: %d\n", static_cast<unsigned long>(stats.applied),
                rounds < 30);
    const int status = virtrigaud_close(client, 1000, nullptr);
    virtrigaud_free(client);
    return status == 0 ? 0 : 5;
}
