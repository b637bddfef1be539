// SPDX-License-Identifier: Apache-2.0
/*
 * A map of src/, layer by layer, lowest first (src/LAYERS). ARCHITECTURE.md describes how they work together.
 *
 * base/buf               a growing run of bytes
 * base/clock             the two clocks, and what shows that the real one is wrong
 * base/count             counters of the process' own work
 * base/err               a list of located problems
 * base/invariant         what must hold inside the program
 * base/json_writer       JSON into a buffer
 * base/log               one line for each event, to stderr or to the journal
 * base/num               numbers to text and back
 * base/num_pow10         the powers of ten that num needs
 * base/rate_limit        a token bucket
 * base/rcu               grace periods
 * base/process           what the kernel says of processes
 * base/siphash           a keyed hash
 * base/text              UTF-8, JSON, HTML and label text; the nearest known word
 * base/unix_socket       a socket that is bound to a file
 *
 * catalog/catalog        what may exist: metrics, labels, events; look-up
 * catalog/yaml           a file as a tree of nodes with line and column; mappings read by a table of their keys
 * catalog/load           files and directory to one catalogue: sections, metrics, what is checked at the end
 * catalog/read           label definitions, the labels of metrics and events, events and their updates
 * catalog/draft          a catalogue while it is read: entries of all files by section
 * catalog/print          the effective catalogue as YAML, Markdown or JSON
 *
 * series/arena           the memory of series' identities and numbers
 * series/layout          what lies at fixed offsets of the arena
 * series/record          what survives the process, and how it is found again
 * series/cell            the numbers, and the few instructions that change them
 * series/key             a series' label text, which is its identity; which series label values mean
 * series/native_index    in which bucket of a native histogram a number is
 * series/native          native histograms: where a series has their buckets, and the sum of all lanes
 * series/idset           a set of small numbers that a series carries
 * series/quota           how many series there may be
 * series/index           finds a table's series by their keys
 * series/table           the series of one metric: find, make, remove; all exposed ones, fetched ahead of their use
 * series/slab            the memory of a table's series, slot after slot
 * series/exemplar        the last exemplar of each series and bucket
 * series/rate            how fast each metric's series grow, and did in the last hour
 * series/schema          a catalogue and its tables, swapped as one
 *
 * state/redo             several words changed as one, also under a kill
 * state/statefile        the file that the arena lives in, from one process to the next
 * state/restore          series of a file that an earlier process left
 *
 * source/owner           the sources that own a series
 * source/ttl             series that are removed because nobody updates them
 * source/source_record   the part of a source that is stored in the state file
 * source/source_restore  the sources of an earlier process
 * source/reject          the reasons for which a line is rejected
 * source/permission      who may push what
 * source/holder          for whom a source or a session is kept, and which one is removed first
 * source/source          who pushes: sources, their leases and ids
 * source/peer            which process is at the other end of a socket, as the kernel reports it
 * source/session         the positions of clients that deliver exactly once
 * source/statistics      how many lines of each component were applied or rejected
 *
 * event/parse            a line's bytes to a JSON tree
 * event/control          hello, sync, ping and forget taken apart; removes what a forget names
 * event/event            one line, checked and applied
 * event/line             a line, and what is found out about it before it is applied
 * event/bytes            comparison, search and hash of short runs of bytes; a line without its blanks
 * event/scan             what is in the holes of a line, and where the elements of a batch are, without the parser
 * event/line_template    the fixed bytes of lines, with holes for what differs from line to line
 * event/template         all templates: which one a line has, and when one is made
 * event/template_set     the templates that there are, which lines are worth one, which make room
 * event/budget           how much may be lost on comparing lines with templates in vain
 * event/sample           one sample or event as it was sent
 * event/number           JSON numbers where they are read for every line
 * event/origin           what a line's meaning depends on besides its bytes
 * event/plan             a sample, event or batch to a list of updates, with all checks
 * event/place            finds, makes or folds the series of an update; makes series with the value 0 before the first event
 * event/apply            stores updates into series that were found or made
 * event/recipe           which updates the lines of a template make, without their series
 * event/cache            which series the lines of a template update
 * event/cache_store      where the cache keeps its entries
 *
 * ingest/identity        which source a connection or a datagram belongs to
 * ingest/split           bytes to lines
 * ingest/rejected        what workers report of rejected lines
 * ingest/reply           the lines that clients get
 * ingest/connection      one client: lines to replies
 * ingest/datagram        lines without a connection
 * ingest/worker          one ingest thread
 * ingest/ingest          all of them: sockets, start, pause, stop
 *
 * expose/format          the grammar of both formats of text, families in it, and where an exposition goes: gzip
 * expose/protobuf        families and series as protobuf messages
 * expose/negotiate       from a request's Accept headers to the format of its answer
 * expose/expose          the whole exposition, with the metrics about the exporter itself
 * expose/self            the table of those metrics
 *
 * web/stats              what the HTTP side counts
 * web/listen             from an address as text to a listening socket
 * web/conn               connections, by what they wait for and since when; their bytes and responses
 * web/request            the head of a request and what it asks for
 * web/channel            a connection as its peer sees it
 * web/status_view        what page and /status show, and that as JSON; readings of the last hour
 * web/html               the parts of pages for people, with small pictures of the last hour
 * web/page               what page and /status show, as HTML
 * web/metric_page        the page of one metric
 * web/backend            what the HTTP side needs of the layers below and of the daemon
 * web/credentials        user and password of a request, and hashes
 * web/webconf            the file of --web.config.file; Go's names of ciphers to a priority string of GnuTLS
 * web/tls                what a handshake needs, sessions, and the reasons for which a handshake fails
 * web/auth               whether a request is let in
 * web/scrape             requests that wait for a rendering, which is next, and the thread that renders
 * web/sd                 sources as targets of Prometheus, and the metrics of each
 * web/healthcheck        asks a running daemon whether it is ready: --healthcheck
 * web/routes             from a request to what answers it; requests that wait for a reload
 * web/web                the loop of the web thread, and the HTTP side as the daemon sees it
 *
 * daemon/settings        every setting, once, what each may be, and the struct that holds them
 * daemon/config          the command line, the config file, and the whole configuration
 * daemon/config_sources  the `sources:` of the config file: who may push what
 * daemon/backend         the status view and pages of metrics, and the figures that systemctl shows
 * daemon/reload          loads all configuration again, all or nothing; the web configuration when it changes; --reload
 * daemon/admin           the admin socket: who may use it, its connections
 * daemon/admin_request   a line of it taken apart
 * daemon/admin_job       what a request does, and its answer, step by step
 * daemon/service         the sockets that systemd passes, notifications to it, and its watchdog while all threads make progress
 * daemon/signals         signals, and how the process ends when a thread is stuck
 * daemon/state           series that survive the process
 * daemon/log_troubles    lost sockets, failed handshakes and a wrong clock in the log
 * daemon/log_rejects     rejected lines in the log, at a bounded rate, and the last ones for the page
 * daemon/limits          how much memory this process may use; it gives up executing programs and making network sockets
 * daemon/daemon          starts and stops the parts of the process in order
 * daemon/main            actions and exit status
 *
 * Beside the layers: emit/main, emit/emit and emit/relay (virtrigaud-emit) with emit/args; ctl/main and ctl/ctl
 * (virtrigaud-ctl) with ctl/command (its command line), ctl/answer (the admin socket), ctl/view (text for a terminal) and
 * ctl/top (the live view); and the library in clients/c:
 *
 * client/wire            lines as text, the socket and its replies
 * client/link            lines that are delivered exactly once
 * client/link_state      its connection and session
 * client/link_types      what it is given, and what it says of itself
 * client/store           what was recorded and is not sent yet, by series
 * client/batch           lines made of that, and what became of them
 * client/notice          messages, limited in number
 * client/waiter          a descriptor that is readable when there is something to do
 * client/record          the calls that record
 * client/recorder        what they have recorded, for unit tests
 * client/forgets         what the daemon is to forget
 * client/virtrigaud      the others, the thread, forks
 */
#include "catalog/load.h"
#include "catalog/print.h"
#include "daemon/config.h"
#include "daemon/config_sources.h"
#include "daemon/daemon.h"
#include "daemon/reload.h"
#include "web/healthcheck.h"
#include "web/web.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_CANNOT_RUN = 1, EXIT_BAD_CONFIG = 2 };

// Writes all of it, or gives up. Returns 0 or -errno.
static int put(int fd, struct buf *text)
{
    int rc = text->failed ? -ENOMEM : 0;
    for (size_t at = 0; at < text->len;) {
        ssize_t n = write(fd, text->p + at, text->len - at);
        if (n < 0 && errno != EINTR) {
            rc = -errno;
            break;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    buf_free(text);
    return rc;
}

// To standard output: what was asked for. Returns the exit status.
static int print(struct buf *text)
{
    int rc = put(STDOUT_FILENO, text);
    if (rc == 0) {
        return EXIT_OK;
    }
    struct buf problem = BUF_INIT;
    buf_addf(&problem, "virtrigaud-exporter: cannot write standard output: %s\n", strerror(-rc));
    put(STDERR_FILENO, &problem);
    return EXIT_CANNOT_RUN;
}

static int report(struct errs *errs, int rc)
{
    struct buf text = BUF_INIT;
    errs_write(errs, &text);
    if (!errs_has_any(errs)) {
        buf_addf(&text, "virtrigaud-exporter: %s\n", strerror(-rc));
    }
    put(STDERR_FILENO, &text);
    errs_free(errs);
    return rc == -ENOMEM ? EXIT_CANNOT_RUN : EXIT_BAD_CONFIG;
}

static int print_catalog(const struct config *config, const struct catalog *c)
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
    return print(&text);
}

static int print_check(const struct config *config, const struct catalog *c,
                       const struct permission_roles *roles, const struct errs *warnings)
{
    struct buf text = BUF_INIT;
    errs_write(warnings, &text);
    buf_addf(&text,
             "configuration: ok\ncatalogue: ok, %zu metrics, %zu events, %zu label definitions\n",
             c->n_metrics, c->n_events, c->n_defs);
    if (!roles->open) {
        buf_addf(&text, "sources: ok, %zu entries\n", roles->n);
    }
    for (size_t i = 0; i < config->web_listen_addresses.n; i++) {
        buf_addf(&text, "would serve HTTP on %s\n", config->web_listen_addresses.items[i]);
    }
    buf_addf(&text, "would accept events on %s\n", config->events_socket);
    if (config->events_datagram_socket != NULL) {
        buf_addf(&text, "would accept datagrams on %s\n", config->events_datagram_socket);
    }
    return print(&text);
}

// Only looks: the daemon reads it once more, and whenever it changes.
static int check_web(const struct config *config, struct errs *errs)
{
    struct web_config *web_config = NULL;
    struct webconf_files seen = {0};
    int rc = web_config_load(&web_config, config->web_config_file, &seen, errs);
    web_config_free(web_config);
    webconf_files_clear(&seen);
    return rc;
}

static int print_text(void (*write_text)(struct buf *))
{
    struct buf text = BUF_INIT;
    write_text(&text);
    return print(&text);
}

// To standard error: why it did not work. Returns the exit status.
static int report_failure(struct buf *problem, int rc)
{
    struct buf text = BUF_INIT;
    const char *why = buf_string(problem);
    buf_addf(&text, "virtrigaud-exporter: %s\n", why != NULL ? why : strerror(-rc));
    put(STDERR_FILENO, &text);
    return EXIT_CANNOT_RUN;
}

static int request_reload(uint64_t pid)
{
    struct buf problem = BUF_INIT;
    int rc = reload_request((pid_t)pid, RELOAD_REQUEST_WAIT_MS, &problem);
    int status = rc < 0 ? report_failure(&problem, rc) : EXIT_OK;
    buf_free(&problem);
    return status;
}

static int ask_health(const struct config *config)
{
    struct errs errs = ERRS_INIT;
    struct webconf *conf = NULL;
    struct webconf_files seen = {0};
    const char *file = config->web_config_file;
    int rc = file != NULL ? webconf_load(&conf, file, tls_is_supported(), &seen, &errs) : 0;
    webconf_files_clear(&seen);
    if (rc < 0) {
        return report(&errs, rc);
    }
    struct buf said = BUF_INIT;
    rc = healthcheck_ask((const char *const *)config->web_listen_addresses.items,
                         config->web_listen_addresses.n, conf, HEALTHCHECK_WAIT_MS, &said);
    buf_str(&said, rc == 0 ? "\n" : "");
    int status = rc == 0 ? print(&said) : report_failure(&said, rc);
    buf_free(&said);
    webconf_free(conf);
    return status;
}

static int run(struct config *config, struct catalog *c, struct permission_roles *roles,
               const struct errs *warnings)
{
    log_setup(config->log_level, config->log_format);
    for (size_t i = 0; i < warnings->n; i++) {
        log_warn("probably a mistake", "key", warnings->items[i].key, "detail",
                 warnings->items[i].text, NULL);
    }
    int rc = daemon_run(config, c, roles);
    return rc == 0 ? EXIT_OK : EXIT_CANNOT_RUN;
}

// Does what was asked for, and gives all back.
static int act(struct config *config, struct catalog *c, struct errs *warnings)
{
    struct errs errs = ERRS_INIT;
    struct permission_roles *roles = NULL;
    int status = EXIT_OK;
    if (config->action == CONFIG_PRINT) {
        status = print_catalog(config, c);
    } else {
        int rc = config_sources(&roles, config, c, &errs, warnings);
        if (rc == 0 && config->action == CONFIG_RUN) {
            return run(config, c, roles, warnings);
        }
        if (rc < 0) {
            status = report(&errs, rc);
        } else {
            status = print_check(config, c, roles, warnings);
        }
    }
    permission_roles_free(roles);
    catalog_free(c);
    config_free(config);
    return status;
}

// What is opened first must not become standard input or output by its number. What is printed to a standard output that
// was closed fails as it would have.
static bool open_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int how = fd == STDERR_FILENO ? O_RDWR : O_RDONLY;
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", how) != fd) {
            return false;
        }
    }
    return true;
}

// Before any thread exists: signals come by signalfd, and writing to a closed socket, or to a file that may not grow,
// is an error and not an end.
static void set_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int main(int argc, char **argv)
{
    struct errs errs = ERRS_INIT;
    struct errs warnings = ERRS_INIT;
    struct config *config = NULL;
    struct catalog *c = NULL;
    if (!open_standard()) {
        return EXIT_CANNOT_RUN;
    }
    set_signals();
    int rc = config_load(&config, argc, argv, &errs);
    if (rc < 0) {
        return report(&errs, rc);
    }
    if (config->action == CONFIG_HELP || config->action == CONFIG_VERSION) {
        bool help = config->action == CONFIG_HELP;
        config_free(config);
        return print_text(help ? config_help : config_version);
    }
    if (config->action == CONFIG_RELOAD) {
        uint64_t pid = config->reload;
        config_free(config);
        return request_reload(pid);
    }
    if (config->action == CONFIG_HEALTHCHECK) {
        int status = ask_health(config);
        config_free(config);
        return status;
    }
    struct catalog_input input = config_catalog_input(config, &warnings);
    rc = catalog_load(&c, &input, &errs);
    if (rc == 0 && config->action != CONFIG_PRINT) {
        rc = check_web(config, &errs);
    }
    if (rc < 0) {
        catalog_free(c);
        config_free(config);
        errs_free(&warnings);
        return report(&errs, rc);
    }
    int status = act(config, c, &warnings);
    errs_free(&warnings);
    return status;
}
