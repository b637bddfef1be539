// SPDX-License-Identifier: Apache-2.0
#include "ctl/command.h"

#include "base/json_writer.h"
#include "base/num.h"
#include "base/text.h"
#include "ctl/view.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

enum {
    TIMEOUT_DEFAULT_MS = 10 * 1000,
    RELOAD_DEFAULT_MS = 60 * 1000, // a reload may wait for many series
    INTERVAL_DEFAULT_MS = 2000,
    SECONDS_MAX = 86400
};

const char command_help[] =
    "Usage: virtrigaud-ctl [OPTION...] COMMAND [ARGUMENT...]\n"
    "\n"
    "Looks into a running virtrigaud-exporter, and tells it what to do. Only root and the\n"
    "user of the exporter may.\n"
    "\n"
    "Commands:\n"
    "  status                         the exporter as a whole, its components and metrics\n"
    "  sources                        who pushes, how much, and who is gone\n"
    "  series METRIC [LABEL=VALUE...] the series of a metric with their values\n"
    "  rejects                        the last rejected lines, with their text and sender\n"
    "  top                            sources, metrics and rejected lines, again and again\n"
    "  forget COMPONENT/INSTANCE      a source that does not come back\n"
    "  delete METRIC LABEL=VALUE...   all series of a metric with these label values\n"
    "  reload                         load configuration and catalogue again\n"
    "\n"
    "Options:\n"
    "  --socket PATH       the exporter's admin socket (default: $VIRTRIGAUD_ADMIN_SOCKET,\n"
    "                      else /run/virtrigaud-exporter/admin.sock)\n"
    "  --json              print what the exporter answers: lines of JSON\n"
    "  --follow            rejects: also those to come, until interrupted\n"
    "  --series            forget: delete also the series that only this source has updated\n"
    "  --interval SECONDS  top: from one view to the next (default: 2)\n"
    "  --count N           top: end after so many views (default: 1 when the output is no\n"
    "                      terminal)\n"
    "  --timeout SECONDS   longest wait for the exporter (default: 10; of reload 60)\n"
    "  --help, --version\n"
    "  -h                  the same as --help\n"
    "\n"
    "Exit status: 0 done, 1 the exporter refused, 2 usage, 3 it could not be reached, did\n"
    "not answer, or is older than this program.\n";

enum {
    OPT_SOCKET = 1,
    OPT_JSON,
    OPT_FOLLOW,
    OPT_SERIES,
    OPT_INTERVAL,
    OPT_COUNT,
    OPT_TIMEOUT,
    OPT_HELP,
    OPT_VERSION
};

static const struct option options[] = {
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"admin.socket", required_argument, NULL, OPT_SOCKET}, // as the exporter calls it
    {"json", no_argument, NULL, OPT_JSON},
    {"follow", no_argument, NULL, OPT_FOLLOW},
    {"series", no_argument, NULL, OPT_SERIES},
    {"interval", required_argument, NULL, OPT_INTERVAL},
    {"count", required_argument, NULL, OPT_COUNT},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {0},
};

static const char *const commands[] = {
    [COMMAND_STATUS] = "status",   [COMMAND_SOURCES] = "sources", [COMMAND_SERIES] = "series",
    [COMMAND_REJECTS] = "rejects", [COMMAND_TOP] = "top",         [COMMAND_FORGET] = "forget",
    [COMMAND_DELETE] = "delete",   [COMMAND_RELOAD] = "reload",
};

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

// Foreign words are shown as the daemon's are: cut, and without what a terminal would obey.
__attribute__((format(printf, 2, 3))) static int usage(FILE *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("virtrigaud-ctl: ", err);
    vfprintf(err, fmt, ap);
    fputs("; see --help\n", err);
    va_end(ap);
    return -EINVAL;
}

static int usage_word(FILE *err, const char *what, const char *word)
{
    char cut[TEXT_SHOWN];
    struct buf shown = BUF_INIT;
    text_show(cut, word);
    view_write_string(&shown, cut);
    const char *text = buf_string(&shown);
    int r = usage(err, "%s: %s", what, text != NULL ? text : "");
    buf_free(&shown);
    return r;
}

static int set_ms(unsigned *ret, const char *text, FILE *err)
{
    double seconds;
    if (num_parse_double(text, &seconds) < 0 || !(seconds >= 0.001 && seconds <= SECONDS_MAX)) {
        return usage_word(err, "not a number of seconds above 0", text);
    }
    *ret = (unsigned)(seconds * 1000);
    return 0;
}

static int set_option(struct command *o, int option, FILE *err)
{
    switch (option) {
    case OPT_SOCKET:
        o->socket = optarg;
        return 0;
    case OPT_JSON:
        o->json = true;
        return 0;
    case OPT_FOLLOW:
        o->follow = true;
        return 0;
    case OPT_SERIES:
        o->with_series = true;
        return 0;
    case OPT_INTERVAL:
        return set_ms(&o->interval_ms, optarg, err);
    case OPT_TIMEOUT:
        return set_ms(&o->timeout_ms, optarg, err);
    case OPT_COUNT:
        return num_parse_u64(optarg, &o->count) < 0 || o->count == 0
                   ? usage_word(err, "not a number of views", optarg)
                   : 0;
    case 'h':
    case OPT_HELP:
        o->kind = COMMAND_HELP;
        return 0;
    default:
        o->kind = COMMAND_VERSION;
        return 0;
    }
}

static int set_label(struct command *o, char *word, FILE *err)
{
    char *equals = strchr(word, '=');
    if (equals == NULL) {
        return usage_word(err, "not LABEL=VALUE", word);
    }
    *equals = '\0';
    if (!text_is_label_name(word)) {
        return usage_word(err, "not a label name", word);
    }
    for (size_t i = 0; i < o->n_labels; i++) {
        if (strcmp(o->labels[i].name, word) == 0) {
            return usage(err, "label %s is given twice", word);
        }
    }
    if (o->n_labels == COMMAND_MAX_LABELS) {
        return usage(err, "more than %d labels", COMMAND_MAX_LABELS);
    }
    o->labels[o->n_labels++] = (struct command_label){word, equals + 1};
    return 0;
}

// METRIC and its labels.
static int set_metric(struct command *o, char **words, int n, FILE *err)
{
    if (n == 0 || !text_is_metric_name(words[0])) {
        return usage(err, "%s needs the name of a metric", commands[o->kind]);
    }
    o->metric = words[0];
    int r = 0;
    for (int i = 1; i < n && r == 0; i++) {
        r = set_label(o, words[i], err);
    }
    if (r == 0 && o->kind == COMMAND_DELETE && o->n_labels == 0) {
        return usage(err,
                     "delete needs at least one LABEL=VALUE, so that no metric goes by mistake");
    }
    return r;
}

// COMPONENT/INSTANCE; an instance may have slashes.
static int set_source(struct command *o, char **words, int n, FILE *err)
{
    char *slash = n == 1 ? strchr(words[0], '/') : NULL;
    if (slash == NULL || slash == words[0] || slash[1] == '\0') {
        return usage(err, "forget needs COMPONENT/INSTANCE, as provider/vc1");
    }
    *slash = '\0';
    o->component = words[0];
    o->instance = slash + 1;
    return 0;
}

static int set_command(struct command *o, char **words, int n, FILE *err)
{
    if (n == 0) {
        return usage(err, "which command?");
    }
    size_t i = 0;
    while (i < N_COMMANDS && strcmp(words[0], commands[i]) != 0) {
        i++;
    }
    if (i == N_COMMANDS) {
        char hint[TEXT_HINT];
        text_hint(hint, "", words[0], commands, N_COMMANDS);
        return hint[0] != '\0' ? usage(err, "no such command%s", hint)
                               : usage_word(err, "no such command", words[0]);
    }
    o->kind = (enum command_kind)i;
    switch (o->kind) {
    case COMMAND_SERIES:
    case COMMAND_DELETE:
        return set_metric(o, words + 1, n - 1, err);
    case COMMAND_FORGET:
        return set_source(o, words + 1, n - 1, err);
    default:
        return n > 1 ? usage(err, "%s takes no argument", words[0]) : 0;
    }
}

static int check(const struct command *o, FILE *err)
{
    if (o->follow && o->kind != COMMAND_REJECTS) {
        return usage(err, "--follow is of rejects");
    }
    if (o->with_series && o->kind != COMMAND_FORGET) {
        return usage(err, "--series is of forget");
    }
    if ((o->interval_ms > 0 || o->count > 0) && o->kind != COMMAND_TOP) {
        return usage(err, "--interval and --count are of top");
    }
    return 0;
}

int command_parse(struct command *ret, int argc, char **argv, FILE *err)
{
    struct command o = {.kind = COMMAND_STATUS};
    optind = 0;
    opterr = 0;
    for (int i = 1; i < argc; i++) {
        if (!text_is_utf8(argv[i], strlen(argv[i]))) {
            return usage(err, "argument %d is not UTF-8", i);
        }
    }
    for (int option; (option = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        if (option == '?' || option == ':') {
            return usage_word(err,
                              option == ':' ? "an option needs a value"
                                            : "not an option, or it takes no value",
                              argv[optind - 1]);
        }
        int r = set_option(&o, option, err);
        if (r < 0) {
            return r;
        }
        if (o.kind != COMMAND_STATUS) {
            *ret = o; // --help, --version
            return 0;
        }
    }
    int r = set_command(&o, argv + optind, argc - optind, err);
    r = r < 0 ? r : check(&o, err);
    if (r < 0) {
        return r;
    }
    o.interval_ms = o.interval_ms > 0 ? o.interval_ms : INTERVAL_DEFAULT_MS;
    if (o.timeout_ms == 0) {
        o.timeout_ms = o.kind == COMMAND_RELOAD ? RELOAD_DEFAULT_MS : TIMEOUT_DEFAULT_MS;
    }
    *ret = o;
    return 0;
}

static void write_metric(const struct command *o, struct buf *out)
{
    json_key(out, "metric");
    json_string(out, o->metric);
    json_key(out, "labels");
    json_begin(out, '{');
    for (size_t i = 0; i < o->n_labels; i++) {
        json_key(out, o->labels[i].name);
        json_string(out, o->labels[i].value);
    }
    json_end(out, '}');
}

void command_write(const struct command *o, struct buf *out)
{
    json_begin(out, '{');
    json_key(out, commands[o->kind == COMMAND_TOP ? COMMAND_STATUS : o->kind]);
    json_begin(out, '{');
    if (o->kind == COMMAND_SERIES || o->kind == COMMAND_DELETE) {
        write_metric(o, out);
    } else if (o->kind == COMMAND_FORGET) {
        json_key(out, "component");
        json_string(out, o->component);
        json_key(out, "instance");
        json_string(out, o->instance);
        json_key(out, "series");
        json_bool(out, o->with_series);
    } else if (o->kind == COMMAND_REJECTS) {
        json_key(out, "follow");
        json_bool(out, o->follow);
    }
    json_end(out, '}');
    json_end(out, '}');
}
