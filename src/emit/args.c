// SPDX-License-Identifier: Apache-2.0
#include "emit/args.h"

#include "base/num.h"
#include "base/text.h"
#include "client/notice.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    COUNT_MAX = 1000000,
    VALUES_MAX = 1000,
    INTERVAL_DEFAULT_S = 10,
    INTERVAL_MAX_S = 3600,
    TIMEOUT_DEFAULT_MS = 5000,
    TIMEOUT_SESSION_MS = 60000,
    TIMEOUT_MAX_S = 86400
};

const char args_help[] =
    "Usage: virtrigaud-emit [OPTION...] NAME [LABEL=VALUE...] [VALUE]\n"
    "       virtrigaud-emit [OPTION...] < LINES\n"
    "\n"
    "Sends one metric or event to virtrigaud-exporter and waits until it is applied.\n"
    "With no NAME, copies JSON lines from standard input; replies to control lines\n"
    "among them go to standard output. Options come before NAME.\n"
    "\n"
    "NAME is sent as a metric; when the daemon knows no such metric, as an event.\n"
    "With --op it is always a metric, because events have no operation.\n"
    "VALUE is the last argument when it is a JSON number: 12, -1, 0.84, 1e-3.\n"
    "\n"
    "  --socket PATH      the daemon's socket (default: $VIRTRIGAUD_EVENTS_SOCKET,\n"
    "                     else /run/virtrigaud-exporter/events.sock)\n"
    "  --op OP            add, set or observe (default: depends on the metric's type)\n"
    "  --count N          NAME is an event that occurred N times, without VALUE\n"
    "  --values N,N,...   instead of VALUE: what a histogram observes, or an event with a\n"
    "                     value for each occurrence\n"
    "  --exemplar NAME=VALUE\n"
    "                     a label of the exemplar, such as a trace's ID; may be repeated\n"
    "  --metric           NAME is a metric\n"
    "  --event            NAME is an event\n"
    "  --component NAME   say hello first, as manager, provider, ...\n"
    "  --instance NAME    instance of that component\n"
    "  --label NAME=VALUE a label of the hello, for all lines that leave it out; may be\n"
    "                     repeated; needs --component\n"
    "  --session          count each line of standard input exactly once, over restarts;\n"
    "                     needs --component\n"
    "  --keep-gauges      with --session: when the connection or the daemon's state was lost,\n"
    "                     send again what gauges were last set to with --op set\n"
    "  --pid PID          with --session: when process PID has ended and no input is left, end,\n"
    "                     even if other processes still could write\n"
    "  --interval SECONDS for lines of standard input: the hello promises that the daemon\n"
    "                     hears of this client so often, and a stopped one is down (default:\n"
    "                     10; 0: no promise); needs --component\n"
    "  --transient        for lines of standard input: the hello says that this client comes\n"
    "                     and goes, as it always does with NAME; needs --component\n"
    "  --timeout SECONDS  longest wait for the daemon without progress (default: 5; with\n"
    "                     --session 60)\n"
    "  --dry-run          print what would be sent, as a metric unless --event; the\n"
    "                     hello is not printed\n"
    "  --help, --version\n"
    "  -h                 the same as --help\n"
    "\n"
    "Exit status: 0 all applied, 1 some rejected, 2 usage, 3 the daemon could not be\n"
    "reached, did not answer or closed the connection.\n";

enum {
    OPT_SOCKET = 1,
    OPT_OP,
    OPT_COUNT,
    OPT_VALUES,
    OPT_EXEMPLAR,
    OPT_LABEL,
    OPT_METRIC,
    OPT_EVENT,
    OPT_COMPONENT,
    OPT_INSTANCE,
    OPT_SESSION,
    OPT_KEEP_GAUGES,
    OPT_PID,
    OPT_INTERVAL,
    OPT_TRANSIENT,
    OPT_TIMEOUT,
    OPT_DRY_RUN,
    OPT_HELP,
    OPT_VERSION
};

static const struct option options[] = {
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"op", required_argument, NULL, OPT_OP},
    {"count", required_argument, NULL, OPT_COUNT},
    {"values", required_argument, NULL, OPT_VALUES},
    {"exemplar", required_argument, NULL, OPT_EXEMPLAR},
    {"label", required_argument, NULL, OPT_LABEL},
    {"metric", no_argument, NULL, OPT_METRIC},
    {"event", no_argument, NULL, OPT_EVENT},
    {"component", required_argument, NULL, OPT_COMPONENT},
    {"instance", required_argument, NULL, OPT_INSTANCE},
    {"session", no_argument, NULL, OPT_SESSION},
    {"keep-gauges", no_argument, NULL, OPT_KEEP_GAUGES},
    {"pid", required_argument, NULL, OPT_PID},
    {"interval", required_argument, NULL, OPT_INTERVAL},
    {"transient", no_argument, NULL, OPT_TRANSIENT},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {0},
};

// Arguments are shown without what a terminal would obey.
__attribute__((format(printf, 2, 3))) static int usage(FILE *err, const char *fmt, ...)
{
    va_list ap;
    char *raw;
    struct buf shown = BUF_INIT;
    va_start(ap, fmt);
    int len = vasprintf(&raw, fmt, ap);
    va_end(ap);
    if (len >= 0) {
        text_visible(&shown, raw, (size_t)len);
        free(raw);
    }
    fprintf(err, "virtrigaud-emit: %.*s; see --help\n", (int)shown.len,
            shown.len > 0 ? shown.p : "");
    buf_free(&shown);
    return -EINVAL;
}

static int set_kind(struct args *a, enum args_kind kind, FILE *err)
{
    if (a->kind != ARGS_EITHER && a->kind != kind) {
        return usage(err, "--metric and --event cannot be combined");
    }
    a->kind = kind;
    return 0;
}

static int set_timeout(struct args *a, const char *text, FILE *err)
{
    double seconds;
    if (num_parse_double(text, &seconds) < 0 || !(seconds > 0 && seconds <= TIMEOUT_MAX_S)) {
        return usage(err, "--timeout %s is not a number of seconds above 0", text);
    }
    a->timeout_ms = seconds < 0.001 ? 1 : (unsigned)(seconds * 1000);
    return 0;
}

static int set_count(struct args *a, const char *text, FILE *err)
{
    uint64_t n;
    if (num_parse_u64(text, &n) < 0 || n < 1 || n > COUNT_MAX) {
        return usage(err, "--count %s is not a whole number from 1 to %d", text, COUNT_MAX);
    }
    a->sample.count = n;
    return 0;
}

// Numbers with commas between, 1 to VALUES_MAX of them.
static int set_values(struct args *a, const char *text, FILE *err)
{
    char number[NUM_MAX];
    size_t n = 1;
    for (const char *at = text;; n++) {
        size_t len = strcspn(at, ",");
        snprintf(number, sizeof number, "%.*s", len < sizeof number ? (int)len : 0, at);
        if (!wire_is_number(number)) {
            return usage(err, "--values %s is not a list of numbers such as 0.5,2", text);
        }
        if (at[len] == '\0') {
            break;
        }
        at += len + 1;
    }
    if (n > VALUES_MAX) {
        return usage(err, "--values has %zu numbers; a line takes %d", n, VALUES_MAX);
    }
    a->sample.values = text;
    return 0;
}

static int set_interval(struct args *a, const char *text, FILE *err)
{
    uint64_t n;
    if (num_parse_u64(text, &n) < 0 || n > INTERVAL_MAX_S) {
        return usage(err, "--interval %s is not a whole number from 0 to %d", text, INTERVAL_MAX_S);
    }
    a->hello.interval_s = (unsigned)n;
    a->has_interval = true;
    return 0;
}

static int set_pid(struct args *a, const char *text, FILE *err)
{
    uint64_t n;
    if (num_parse_u64(text, &n) < 0 || n < 1 || n > INT_MAX) {
        return usage(err, "--pid %s is no process ID", text);
    }
    a->pid = (unsigned)n;
    return 0;
}

static int add_label(struct wire_label *labels, size_t *n, char *text, const char *what, FILE *err)
{
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        return usage(err, "%s is %s", text, what);
    }
    *equals = '\0';
    if (!text_is_label_name(text)) {
        return usage(err, "\"%s\" is not a label name", text);
    }
    for (size_t i = 0; i < *n; i++) {
        if (strcmp(labels[i].name, text) == 0) {
            return usage(err, "label %s is given twice", text);
        }
    }
    labels[(*n)++] = (struct wire_label){text, equals + 1};
    return 0;
}

// Labels of the hello and of the exemplar.
static int add_other(struct args *a, int option, char *text, FILE *err)
{
    if (a->others == NULL) {
        a->others = calloc((size_t)a->n_arguments * 2, sizeof *a->others);
        if (a->others == NULL) {
            return -ENOMEM;
        }
        a->hello.labels = a->others;
        a->sample.exemplar = a->others + a->n_arguments;
    }
    return option == OPT_LABEL
               ? add_label(a->others, &a->hello.n_labels, text, "not NAME=VALUE", err)
               : add_label(a->others + a->n_arguments, &a->sample.n_exemplar, text,
                           "not NAME=VALUE", err);
}

static int set_option(struct args *a, int option, FILE *err)
{
    switch (option) {
    case OPT_SOCKET:
        a->socket = optarg;
        return 0;
    case OPT_OP:
        a->sample.op = optarg;
        return 0;
    case OPT_COUNT:
        return set_count(a, optarg, err);
    case OPT_VALUES:
        return set_values(a, optarg, err);
    case OPT_INTERVAL:
        return set_interval(a, optarg, err);
    case OPT_EXEMPLAR:
    case OPT_LABEL:
        return add_other(a, option, optarg, err);
    case OPT_METRIC:
        return set_kind(a, ARGS_METRIC, err);
    case OPT_EVENT:
        return set_kind(a, ARGS_EVENT, err);
    case OPT_COMPONENT:
        a->hello.component = optarg;
        return 0;
    case OPT_INSTANCE:
        a->hello.instance = optarg;
        return 0;
    case OPT_TRANSIENT:
        a->hello.transient = true;
        return 0;
    case OPT_SESSION:
        a->session = true;
        return 0;
    case OPT_KEEP_GAUGES:
        a->keep_gauges = true;
        return 0;
    case OPT_PID:
        return set_pid(a, optarg, err);
    case OPT_TIMEOUT:
        return set_timeout(a, optarg, err);
    case OPT_DRY_RUN:
        a->dry_run = true;
        return 0;
    case 'h':
    case OPT_HELP:
        a->action = ARGS_HELP;
        return 0;
    default:
        a->action = ARGS_VERSION;
        return 0;
    }
}

// Reads NAME [LABEL=VALUE...] [VALUE].
static int set_sample(struct args *a, int n, char **words, FILE *err)
{
    a->labels = calloc((size_t)n, sizeof *a->labels);
    if (a->labels == NULL) {
        return -ENOMEM;
    }
    a->sample.labels = a->labels;
    a->sample.name = words[0];
    a->kind = a->sample.count > 0 && a->kind == ARGS_EITHER ? ARGS_EVENT : a->kind;
    a->sample.event = a->kind == ARGS_EVENT;
    if (words[0][0] == '\0' || strchr(words[0], '=') != NULL) {
        return usage(err, "found \"%s\" where NAME is expected", words[0]);
    }
    if (n > 1 && wire_is_number(words[n - 1])) {
        a->sample.value = words[--n];
    }
    int r = 0;
    for (int i = 1; i < n && r == 0; i++) {
        r = add_label(a->labels, &a->sample.n_labels, words[i],
                      "neither LABEL=VALUE nor, as last argument, a number", err);
    }
    return r;
}

static int check_sample(const struct args *a, FILE *err)
{
    const struct wire_sample *s = &a->sample;
    if (s->op != NULL && a->kind == ARGS_EVENT) {
        return usage(err, "--op and --event cannot be combined: events have no operation");
    }
    if (s->count > 0 &&
        (s->op != NULL || a->kind == ARGS_METRIC || s->value != NULL || s->values != NULL)) {
        return usage(err, "--count is of an event without VALUE; a counter has its VALUE");
    }
    if (s->value != NULL && s->values != NULL) {
        return usage(err, "--values takes the place of VALUE");
    }
    if (s->name == NULL && (s->count > 0 || s->n_exemplar > 0 || s->values != NULL)) {
        return usage(err, "--count, --values and --exemplar need a NAME");
    }
    if (s->name == NULL && (s->op != NULL || a->kind != ARGS_EITHER)) {
        return usage(err, "--op, --metric and --event need a NAME");
    }
    return 0;
}

static int check(const struct args *a, FILE *err)
{
    if (a->hello.instance != NULL && a->hello.component == NULL) {
        return usage(err, "--instance needs --component");
    }
    if (a->hello.transient && a->hello.component == NULL) {
        return usage(err, "--transient needs --component");
    }
    if (a->session && (a->hello.component == NULL || a->sample.name != NULL)) {
        return usage(err, "--session needs --component, and lines on standard input");
    }
    if (a->keep_gauges && !a->session) {
        return usage(err, "--keep-gauges needs --session");
    }
    if (a->pid > 0 && !a->session) {
        return usage(err, "--pid needs --session");
    }
    if (a->has_interval && (a->hello.component == NULL || a->sample.name != NULL)) {
        return usage(err, "--interval needs --component, and lines on standard input");
    }
    if (a->hello.n_labels > 0 && a->hello.component == NULL) {
        return usage(err, "--label needs --component");
    }
    return check_sample(a, err);
}

static int parse(struct args *a, int argc, char **argv, FILE *err)
{
    optind = 0;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "+:h", options, NULL)) != -1;) {
        if (option == '?' || option == ':') {
            return usage(
                err, option == ':' ? "%s needs a value" : "%s is not an option, or takes no value",
                argv[optind - 1]);
        }
        int r = set_option(a, option, err);
        if (r < 0 || a->action != ARGS_SEND) {
            return r;
        }
    }
    for (int i = 1; i < argc; i++) {
        if (!text_is_utf8(argv[i], strlen(argv[i]))) {
            return usage(err, "argument %d is not UTF-8", i);
        }
    }
    int r = optind < argc ? set_sample(a, argc - optind, argv + optind, err) : 0;
    return r < 0 ? r : check(a, err);
}

int args_parse(struct args *ret, int argc, char **argv, FILE *err)
{
    struct args a = {.n_arguments = argc};
    int r = parse(&a, argc, argv, err);
    if (r < 0) {
        args_free(&a);
        return r;
    }
    a.hello.transient |= a.sample.name != NULL;
    if (!a.has_interval && a.hello.component != NULL && !a.hello.transient) {
        a.hello.interval_s = INTERVAL_DEFAULT_S;
    }
    if (a.timeout_ms == 0) {
        a.timeout_ms = a.session ? TIMEOUT_SESSION_MS : TIMEOUT_DEFAULT_MS;
    }
    *ret = a;
    return 0;
}

void args_free(struct args *a)
{
    free(a->labels);
    free(a->others);
}

// ---- About the daemon

void args_report_rejection(FILE *err, const char *where, const struct wire_reply *rejection)
{
    struct buf shown = BUF_INIT;
    text_visible(&shown, rejection->detail, strlen(rejection->detail));
    fprintf(err, "virtrigaud-emit: %s: %s%s%.*s", where, rejection->reason,
            shown.len > 0 ? ": " : "", (int)shown.len, shown.len > 0 ? shown.p : "");
    buf_free(&shown);
    if (rejection->in_batch) {
        fprintf(err, " (index %llu)", (unsigned long long)rejection->index);
    }
    fputc('\n', err);
}

void args_report_message(void *arg, int level, const char *text)
{
    struct buf shown = BUF_INIT;
    (void)level;
    text_visible(&shown, text, strlen(text));
    fprintf(arg, "virtrigaud-emit: %.*s\n", (int)shown.len, shown.len > 0 ? shown.p : "");
    buf_free(&shown);
}

void args_report_unreached(FILE *err, const struct args *a, int error)
{
    char path[WIRE_PATH_SIZE];
    struct notice notice = {.on_message = args_report_message, .arg = err};
    if (wire_socket_path(path, a->socket) < 0) {
        const char *given = a->socket != NULL ? a->socket : getenv(WIRE_SOCKET_ENV);
        notice_failed_start(&notice, given != NULL ? given : "", -ENAMETOOLONG);
        return;
    }
    notice_trouble(&notice, path, error, false);
    if (a->socket == NULL && (error == -ENOENT || error == -ECONNREFUSED)) {
        fputs("virtrigaud-emit: start virtrigaud-exporter, or name its socket with --socket\n",
              err);
    }
}

int args_report_unopened(FILE *err, const struct args *a, int error)
{
    if (error == -EMSGSIZE) {
        fprintf(err, "virtrigaud-emit: the hello is too long\n");
        return EMIT_USAGE;
    }
    args_report_unreached(err, a, error);
    return EMIT_UNREACHED;
}
