// SPDX-License-Identifier: Apache-2.0
#include "emit/emit.h"

#include "emit/client.h"
#include "emit/relay.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

// The last refusal, kept until it is known whether it is to be shown.
struct verdict {
    unsigned n;
    struct wire_reply refusal;
};

static void keep_refusal(void *arg, const struct wire_reply *refusal)
{
    struct verdict *v = arg;
    v->n++;
    v->refusal = *refusal;
}

static int unreached(const struct args *a, FILE *err, int error)
{
    if (error == -EMSGSIZE) {
        fprintf(err, "virtrigaud-emit: the line is longer than %d bytes\n", WIRE_LINE_MAX);
        return EMIT_USAGE;
    }
    if (error == -ETIMEDOUT) {
        fprintf(err, "virtrigaud-emit: the daemon does not answer\n");
    } else {
        pump_report_unreached(err, a, error);
    }
    return EMIT_UNREACHED;
}

static int send_sample(struct client *c, const struct args *a, struct verdict *v, FILE *err)
{
    int error = client_apply(c, &a->sample, a->timeout_ms);
    struct verdict first = *v;
    bool either = a->kind == ARGS_EITHER && a->sample.op == NULL;
    if (error == 0 && either && v->n == 1 && strcmp(v->refusal.reason, "unknown_metric") == 0) {
        struct wire_sample event = a->sample;
        event.event = true;
        *v = (struct verdict){0};
        error = client_apply(c, &event, a->timeout_ms);
        if (error == 0 && v->n > 0 && strcmp(v->refusal.reason, "unknown_event") == 0) {
            pump_report(err, "refused", &first.refusal);
        }
    }
    if (v->n > 0) {
        pump_report(err, "refused", &v->refusal);
    }
    return error < 0 ? unreached(a, err, error) : v->n > 0 ? EMIT_REFUSED : EMIT_APPLIED;
}

static int run_sample(const struct args *a, FILE *err)
{
    struct verdict v = {0};
    struct client *c;
    struct client_config config = {.path = a->socket,
                                   .hello = a->hello.component != NULL ? &a->hello : NULL,
                                   .on_refusal = keep_refusal,
                                   .arg = &v};
    int error = client_open(&c, &config);
    if (error < 0) {
        return unreached(a, err, error);
    }
    int status;
    error = client_connect(c, a->timeout_ms);
    if (error == -EPERM) {
        pump_report(err, "hello", &v.refusal);
        status = EMIT_REFUSED;
    } else {
        status = error < 0 ? unreached(a, err, error) : send_sample(c, a, &v, err);
    }
    client_close(c, 0, NULL);
    return status;
}

static int print_sample(const struct args *a, FILE *out, FILE *err)
{
    char line[WIRE_LINE_MAX];
    int len = wire_line(line, sizeof line, &a->sample);
    if (len < 0) {
        return unreached(a, err, len);
    }
    fprintf(out, "%.*s\n", len, line);
    return EMIT_APPLIED;
}

static int print_input(int in, FILE *out, FILE *err)
{
    char bytes[65536];
    ssize_t n;
    while ((n = read(in, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR)) {
        fwrite(bytes, 1, n > 0 ? (size_t)n : 0, out);
    }
    if (n < 0) {
        fprintf(err, "virtrigaud-emit: cannot read standard input: %s\n", strerror(errno));
    }
    return n < 0 ? EMIT_USAGE : EMIT_APPLIED;
}

static int run(const struct args *a, int in, FILE *out, FILE *err)
{
    if (a->action == ARGS_HELP) {
        fputs(args_help, out);
        return EMIT_APPLIED;
    }
    if (a->action == ARGS_VERSION) {
        fputs("virtrigaud-emit " VE_VERSION " (revision " VE_REVISION ")\n", out);
        return EMIT_APPLIED;
    }
    if (a->sample.name == NULL) {
        return a->dry_run   ? print_input(in, out, err)
               : a->session ? relay_run(a, in, err)
                            : pump_run(a, in, out, err);
    }
    return a->dry_run ? print_sample(a, out, err) : run_sample(a, err);
}

int emit_run(int argc, char **argv, int in, FILE *out, FILE *err)
{
    struct args a;
    if (args_parse(&a, argc, argv, err) < 0) {
        return EMIT_USAGE;
    }
    int status = run(&a, in, out, err);
    args_free(&a);
    if (fflush(out) != 0 || ferror(out)) {
        fprintf(err, "virtrigaud-emit: cannot write standard output\n");
        return EMIT_UNREACHED;
    }
    return status;
}
