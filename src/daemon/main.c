// SPDX-License-Identifier: Apache-2.0
#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/options.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_CANNOT_RUN = 1, EXIT_BAD_CONFIG = 2 };

// Writes all of it, or gives up: there is nobody left to tell.
static void put(int fd, struct buf *text)
{
    for (size_t at = 0; at < text->len;) {
        ssize_t n = write(fd, text->p + at, text->len - at);
        if (n < 0 && errno != EINTR) {
            break;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    buf_free(text);
}

static int report(struct errs *errs, int rc)
{
    struct buf text = BUF_INIT;
    errs_write(errs, &text);
    if (!errs_any(errs)) {
        buf_addf(&text, "virtrigaud-exporter: %s\n", strerror(-rc));
    }
    put(STDERR_FILENO, &text);
    errs_free(errs);
    return rc == -ENOMEM ? EXIT_CANNOT_RUN : EXIT_BAD_CONFIG;
}

static void print_catalog(const struct config *config, const struct catalog *c)
{
    struct buf text = BUF_INIT;
    switch (config->catalog_print) {
    case CONFIG_PRINT_MARKDOWN:
        catalog_print_markdown(c, &text);
        break;
    case CONFIG_PRINT_JSON:
        catalog_print_json(c, &text);
        break;
    default:
        catalog_print_yaml(c, &text);
        break;
    }
    put(STDOUT_FILENO, &text);
}

static void print_check(const struct config *config, const struct catalog *c)
{
    struct buf text = BUF_INIT;
    buf_addf(&text, "configuration: ok\ncatalogue: ok, %zu metrics, %zu events, %zu label definitions\n",
             c->n_metrics, c->n_events, c->n_defs);
    for (size_t i = 0; i < config->web_listen_addresses.n; i++) {
        buf_addf(&text, "would serve HTTP on %s\n", config->web_listen_addresses.items[i]);
    }
    buf_addf(&text, "would take events on %s\n", config->events_socket);
    if (config->events_datagram_socket != NULL) {
        buf_addf(&text, "would take datagrams on %s\n", config->events_datagram_socket);
    }
    put(STDOUT_FILENO, &text);
}

static int print_text(void (*write_text)(struct buf *))
{
    struct buf text = BUF_INIT;
    write_text(&text);
    put(STDOUT_FILENO, &text);
    return EXIT_OK;
}

static int run(struct config *config, struct catalog *c)
{
    struct daemon d;
    log_setup(config->log_level, config->log_format);
    int rc = daemon_open(&d, config, c);
    if (rc == 0) {
        daemon_run(&d);
    }
    daemon_close(&d);
    return rc == 0 ? EXIT_OK : EXIT_CANNOT_RUN;
}

// Before any thread exists: signals come by signalfd, and writing to a closed socket is an error, not an end.
static void set_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    struct errs errs = ERRS_INIT;
    struct config *config = NULL;
    struct catalog *c = NULL;
    set_signals();
    int rc = config_load(&config, argc, argv, &errs);
    if (rc < 0) {
        return report(&errs, rc);
    }
    if (config->action == CONFIG_HELP || config->action == CONFIG_VERSION) {
        bool help = config->action == CONFIG_HELP;
        config_free(config);
        return print_text(help ? options_help : options_version);
    }
    struct catalog_input input = config_catalog_input(config);
    rc = catalog_load(&c, &input, &errs);
    if (rc < 0) {
        config_free(config);
        return report(&errs, rc);
    }
    if (config->action == CONFIG_RUN) {
        return run(config, c);
    }
    if (config->action == CONFIG_PRINT) {
        print_catalog(config, c);
    } else {
        print_check(config, c);
    }
    catalog_free(c);
    config_free(config);
    return EXIT_OK;
}
