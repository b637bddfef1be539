// SPDX-License-Identifier: Apache-2.0
/*
 * A map of the house, floor by floor, lowest first (src/FLOORS). ARCHITECTURE.md tells how they work together.
 *
 * base/buf               a growing run of bytes
 * base/clock             the two clocks
 * base/count             counters of the process' own work
 * base/err               a list of located problems
 * base/log               one line per happening, to stderr or to the journal
 * base/log_journal       the same into systemd's journal
 * base/log_journal_none  where there is none
 * base/num               numbers to text and back
 * base/num_pow10         the powers of ten that num needs
 * base/siphash           a keyed hash
 * base/text              UTF-8, JSON, HTML and label text
 * base/text_nearest      words that were most likely meant
 *
 * catalog/catalog        what may exist: metrics, labels, events; look-up
 * catalog/yaml           a file as a tree of nodes that remember where they stood
 * catalog/load           files and directory to one catalogue
 * catalog/loader         what the files that load a catalogue share
 * catalog/gather         entries of all files, replaced ones left out
 * catalog/read_buckets   an entry of `buckets`
 * catalog/read_labels    an entry of `labels`
 * catalog/read_metric    an entry of `metrics`
 * catalog/read_event     an entry of `events`
 * catalog/read_update    one of an event's updates
 * catalog/check          what can be judged only when all is read
 * catalog/names          a look-up from names to positions
 * catalog/print_yaml     the effective catalogue as YAML,
 * catalog/print_markdown as Markdown,
 * catalog/print_json     and as JSON
 *
 * series/rcu             grace periods
 * series/arena           the memory of series' identities and numbers
 * series/arena_file      its way into a file and out of it
 * series/arena_inside    what these two share
 * series/layout          what stands at fixed places of the arena
 * series/record          what survives the process, and how it is found again
 * series/cell            the numbers, and the few instructions that change them
 * series/key             a series' label text, which is its identity
 * series/marks           which sources have to do with a series
 * series/table           the series of one metric: find, make, remove
 * series/room            how many there may be
 * series/table_open      its beginning and end
 * series/slab            where they stand, slot after slot
 * series/exemplar        the last exemplar of each series and bucket
 * series/walk            all exposed series of a table, fetched ahead of their use
 * series/read            what a scrape reads of them
 * series/rate            how fast each metric's series grow
 * series/claim           what a source leaves on a series that it updates
 * series/redo            several words changed as one, also under a kill
 * series/schema          a catalogue and its tables, swapped as one
 * series/expire          series that go by themselves
 * series/statefile       the file that the arena lives in, from one process to the next
 * series/statefile_read  what an earlier process left
 * series/statefile_inside what these two share
 * series/mend            what becomes of series when pages were lost
 * series/restore         series of a file that an earlier process left
 *
 * event/reject           the reasons for which a line is refused
 * event/json             bytes to a JSON tree
 * event/json_memory      where the tree stands
 * event/control          hello, sync, ping and forget taken apart
 * event/event            one line, judged and applied
 * event/line             the insides that the files of event/ share
 * event/sample           plans the updates of one sample or event
 * event/plan             the plan of a line
 * event/labels           the checks of its labels
 * event/exemplar         the checks of its exemplar, and its text
 * event/number           JSON numbers where they are read for every line
 * event/number_tail      the same from a line's end
 * event/line_hash        the hash by which the memo finds a line
 * event/line_span        how the bytes of a usual line are gone through, and compared
 * event/permit           what the lines of one origin may push, and how much
 * event/memo             lines that were seen before need not be parsed again
 * event/memo_split       where a line's number stands
 * event/memo_store       where the memo keeps them
 * event/memo_learn       how it comes to remember a line
 * event/spelling         the one way in which a line is written that says what others said
 * event/context          numbers for what a line means besides its bytes
 * event/place            finds, makes or folds the series of an update
 * event/precreate        zero series before anything happened
 * event/forget           removes the series that a source names
 *
 * ingest/stats           what a worker counts of its work
 * ingest/source          who pushes: sources, their lives and marks
 * ingest/source_table    the insides of the table of sources
 * ingest/source_hold     which user is connected as one
 * ingest/source_tick     what time does to sources
 * ingest/peer            which process is at the other end, in the kernel's words
 * ingest/rights          who may push what
 * ingest/admit           what a client may do under them
 * ingest/identity        as whom a connection speaks
 * ingest/source_state    what of them outlives the process
 * ingest/session         how far each client has come
 * ingest/session_table   the insides of the table of sessions
 * ingest/session_hold    which of its connections holds a session
 * ingest/account         what became of each component's lines
 * ingest/refusal         what workers tell of refused lines
 * ingest/hello           who a connection or a datagram speaks for
 * ingest/reply           the lines that go back to a client
 * ingest/fence           one connection at a time for a session
 * ingest/connection      one client: lines to replies
 * ingest/input           its bytes, read and dealt with line by line
 * ingest/cut             bytes to lines
 * ingest/datagram        lines without a connection
 * ingest/connect         how connections come to workers and leave
 * ingest/worker          one ingest thread
 * ingest/ingest          all of them: start, pause, stop
 * ingest/sockets         the Unix sockets and their files
 *
 * expose/format          the grammar of both formats
 * expose/stencil         a family's lines but for labels and numbers
 * expose/family          a family of the catalogue with all its series
 * expose/gzip            bytes to a gzip stream
 * expose/gzip_none       the same without isa-l
 * expose/sink            where an exposition goes: text, or gzip a piece at a time
 * expose/negotiate       from what a request accepts to the form of its answer
 * expose/process         what the kernel tells of this process
 * expose/self            the metrics about the exporter itself
 * expose/expose          the whole exposition
 *
 * web/stats              what the HTTP side counts
 * web/listen             from an address in words to a listening socket
 * web/conn               connections, by what they wait for and since when
 * web/head               whether a request's head may be trusted
 * web/query              path and filters of a request
 * web/wish               what a scrape's head says of its answer
 * web/view               what is shown of the daemon, in one form or another
 * web/html               any bytes as text of a page
 * web/page               the page for people
 * web/page_rows          its tables
 * web/status_json        the same for programs
 * web/body               the memory of renderings
 * web/watch              whether files are still those that were read
 * web/priority           Go's names of ciphers and curves to GnuTLS' words
 * web/bcrypt             passwords and their hashes
 * web/basic              user and password of a request
 * web/webconf            the file of --web.config.file,
 * web/webconf_tls        its section on TLS,
 * web/webconf_limit      and that on the rate of requests
 * web/webconf_inside     what these share
 * web/tls                what a handshake needs
 * web/tls_none           where there is no GnuTLS
 * web/guard              a web configuration ready to be put in force
 * web/login              whether a password is right
 * web/gate               whether a request is let in
 * web/scrape             requests that wait for a rendering
 * web/sd                 sources as targets, and as what these answer
 * web/reload             requests that wait for a reload
 * web/reply              from an answer in words to a response
 * web/routes             from a request to what answers it
 * web/server             the loop of the web thread
 * web/web                the HTTP side as the daemon sees it
 *
 * daemon/settings        every setting, once
 * daemon/setting         the table of settings as data
 * daemon/value           what the text of a setting may be
 * daemon/options         the command line
 * daemon/config_read     the config file
 * daemon/config_sources  who may push what, in the config file
 * daemon/config_who      users and groups by name
 * daemon/config          what the daemon was told, all together
 * daemon/backend         what the web thread shows
 * daemon/reload          loads config and catalogue again
 * daemon/webfile         the web configuration, read again when it changes
 * daemon/service         the sockets that systemd hands over, and what it is told
 * daemon/service_none    the same without systemd
 * daemon/watchdog        systemd's watchdog, fed while all threads go round
 * daemon/status          the figures that systemctl shows
 * daemon/state           series that survive the process
 * daemon/refused         refused lines in the log, at a bounded rate
 * daemon/recent          the last ones, for the page
 * daemon/pace            how fast each component's lines come
 * daemon/show            what the page and /status show
 * daemon/daemon          the parts of the process, made and ended in order
 * daemon/main            actions and exit status
 *
 * Beside the house, for whoever sends: emit/main and emit/emit (virtrigaud-emit), emit/args (its command line),
 * emit/pump and emit/relay (its standard input), emit/client (a client to copy), emit/link, emit/queue, emit/stream
 * and emit/wire (what it needs).
 */
#include "daemon/config.h"
#include "daemon/config_sources.h"
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

static void print_check(const struct config *config, const struct catalog *c,
                        const struct rights *rights, const struct errs *warnings)
{
    struct buf text = BUF_INIT;
    errs_write(warnings, &text);
    buf_addf(&text,
             "configuration: ok\ncatalogue: ok, %zu metrics, %zu events, %zu label definitions\n",
             c->n_metrics, c->n_events, c->n_defs);
    if (!rights->open) {
        buf_addf(&text, "sources: ok, %zu entries\n", rights->n);
    }
    for (size_t i = 0; i < config->web_listen_addresses.n; i++) {
        buf_addf(&text, "would serve HTTP on %s\n", config->web_listen_addresses.items[i]);
    }
    buf_addf(&text, "would take events on %s\n", config->events_socket);
    if (config->events_datagram_socket != NULL) {
        buf_addf(&text, "would take datagrams on %s\n", config->events_datagram_socket);
    }
    put(STDOUT_FILENO, &text);
}

// Only looks: the daemon reads it once more, and whenever it changes.
static int check_web(const struct config *config, struct errs *errs)
{
    struct guard *guard = NULL;
    struct watch seen = {0};
    int rc = guard_load(&guard, config->web_config_file, &seen, errs);
    guard_free(guard);
    watch_clear(&seen);
    return rc;
}

static int print_text(void (*write_text)(struct buf *))
{
    struct buf text = BUF_INIT;
    write_text(&text);
    put(STDOUT_FILENO, &text);
    return EXIT_OK;
}

static int run(struct config *config, struct catalog *c, struct rights *rights,
               const struct errs *warnings)
{
    static struct daemon d;
    log_setup(config->log_level, config->log_format);
    for (size_t i = 0; i < warnings->n; i++) {
        log_warn("likely not meant", "key", warnings->items[i].key, "detail",
                 warnings->items[i].text, NULL);
    }
    int rc = daemon_open(&d, config, c, rights);
    if (rc == 0) {
        daemon_run(&d);
    }
    daemon_close(&d);
    return rc == 0 ? EXIT_OK : EXIT_CANNOT_RUN;
}

// Does what was asked for, and gives all back.
static int act(struct config *config, struct catalog *c)
{
    struct errs errs = ERRS_INIT;
    struct errs warnings = ERRS_INIT;
    struct rights *rights = NULL;
    int status = EXIT_OK;
    if (config->action == CONFIG_PRINT) {
        print_catalog(config, c);
    } else {
        int rc = config_sources(&rights, config, c, &errs, &warnings);
        if (rc == 0 && config->action == CONFIG_RUN) {
            status = run(config, c, rights, &warnings);
            errs_free(&warnings);
            return status;
        }
        if (rc < 0) {
            status = report(&errs, rc);
        } else {
            print_check(config, c, rights, &warnings);
        }
    }
    errs_free(&warnings);
    rights_free(rights);
    catalog_free(c);
    config_free(config);
    return status;
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
    if (rc == 0 && config->action != CONFIG_PRINT) {
        rc = check_web(config, &errs);
    }
    if (rc < 0) {
        catalog_free(c);
        config_free(config);
        return report(&errs, rc);
    }
    return act(config, c);
}
