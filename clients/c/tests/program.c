/* SPDX-License-Identifier: Apache-2.0
 *
 * A C99 program that uses the installed library: program SOCKET. It has a thread of the client, and one of its own. */
#include <virtrigaud-client.h>

#include <stdio.h>
#include <string.h>

static const struct virtrigaud_label operation[] = {{"operation", "Create"},
                                                    {"outcome", "success"}};

static void on_message(void *arg, int level, const char *text)
{
    (void)arg;
    fprintf(stderr, "<%d>%s\n", level, text);
}

static int record(struct virtrigaud_client *client)
{
    const struct virtrigaud_label error[] = {{"reason", "c"}, {"component", "provider"}};
    struct virtrigaud_series *counter =
        virtrigaud_counter(client, "virtrigaud_errors_total", error, 2);
    struct virtrigaud_series *done = virtrigaud_event_series(client, "vm_operation", operation, 2);
    int i;
    for (i = 0; i < 1000; i++) {
        virtrigaud_series_add(counter, 2);
        virtrigaud_series_observe(done, 0.25);
        virtrigaud_event_value(client, "vm_operation", operation, 2, 0.5);
    }
    virtrigaud_gauge_set(client, "virtrigaud_provider_tasks_inflight", NULL, 0, 3);
    virtrigaud_gauge_add(client, "virtrigaud_provider_tasks_inflight", NULL, 0, -1);
    virtrigaud_observe(client, "virtrigaud_ip_discovery_duration_seconds", NULL, 0, 4.5);
    virtrigaud_event(client, "task_started", NULL, 0);
    virtrigaud_counter_add(client, "no_such_total", NULL, 0, 1);
    return counter != NULL && done != NULL;
}

int main(int argc, char **argv)
{
    const struct virtrigaud_label labels[] = {{"provider_type", "vsphere"}, {"provider", "vc1"}};
    struct virtrigaud_config config = VIRTRIGAUD_CONFIG_INIT;
    struct virtrigaud_stats stats;
    struct virtrigaud_client *client = virtrigaud_new();
    if (argc < 2 || client == NULL) {
        return 2;
    }
    config.component = "provider";
    config.instance = "c";
    config.labels = labels;
    config.n_labels = 2;
    config.socket = argv[1];
    config.on_message = on_message;
    if (!record(client) || virtrigaud_start(client, &config) != 0) {
        return 3;
    }
    if (virtrigaud_flush(client, 10000) != 0 || virtrigaud_close(client, 10000, &stats) != 0) {
        return 4;
    }
    printf("sent %lu applied %lu refused %lu lost %lu\n", (unsigned long)stats.sent,
           (unsigned long)stats.applied, (unsigned long)stats.refused, (unsigned long)stats.lost);
    virtrigaud_free(client);
    /* No client: calls do nothing. */
    virtrigaud_event(NULL, "task_started", NULL, 0);
    virtrigaud_series_set(NULL, 1);
    virtrigaud_free(NULL);
    return 0;
}
