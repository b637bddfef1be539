// SPDX-License-Identifier: Apache-2.0
#include "ctl/ctl.h"

#include "base/clock.h"
#include "ctl/answer.h"
#include "ctl/command.h"
#include "ctl/top.h"
#include "ctl/view.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

// A command that is under way.
struct ctl {
    const struct command *command;
    struct answer answer;
    struct buf text;
    bool has_status; // it was shown
    json_t *sources; // rows, of which the last ones are shown first
    FILE *out;
    FILE *err;
};

// ---- What went wrong

static const char *hint(int error)
{
    switch (-error) {
    case ENOENT:
    case ECONNREFUSED:
        return "; it does not run, or has no admin socket, as older versions: name the one of "
               "--admin.socket with --socket";
    case EACCES:
        return "; only root and the user of the exporter may use it";
    default:
        return "";
    }
}

static const char *reason(int error)
{
    switch (-error) {
    case ETIMEDOUT:
        return "it does not answer";
    case ECONNRESET:
    case EPIPE:
        return "it closed the connection";
    case EBADMSG:
        return "what it says is no answer: is this its admin socket?";
    default:
        return strerror(-error);
    }
}

static int report_unreached(struct ctl *c, int error)
{
    buf_clear(&c->text);
    view_write_string(&c->text, c->answer.path);
    const char *path = buf_string(&c->text);
    fprintf(c->err, "virtrigaud-ctl: cannot reach the exporter at %s: %s%s\n",
            path != NULL ? path : "", reason(error), hint(error));
    return CTL_UNREACHED;
}

static int report_unwritten(FILE *err, int error)
{
    fprintf(err, "virtrigaud-ctl: cannot write the output: %s\n", strerror(-error));
    return CTL_REFUSED;
}

static int report_other(FILE *err, const char *detail)
{
    fprintf(err, "virtrigaud-ctl: the exporter is of another version: %s\n", detail);
    return CTL_UNREACHED;
}

static int report_failure(struct ctl *c, int error)
{
    return error == -EPROTO ? report_other(c->err, "its answer lacks what is to be shown")
                            : report_unreached(c, error);
}

// The daemon's own word. One that does not know the command is older, and one that counts lines is no admin socket.
static int report_error(struct ctl *c)
{
    const json_t *row = c->answer.row;
    const char *kind = view_string(row, "error");
    if (answer_get(&c->answer, "line") != NULL) {
        return report_unreached(c, -EBADMSG);
    }
    if (c->command->json) {
        fprintf(c->out, "%s\n", c->answer.line);
    }
    buf_clear(&c->text);
    if (c->command->kind == COMMAND_RELOAD) {
        view_lines(&c->text, row, "detail");
    } else {
        view_text(&c->text, row, "detail");
    }
    const char *detail = buf_string(&c->text);
    if (strcmp(kind, "unknown_command") == 0 || strcmp(kind, "bad_request") == 0) {
        return report_other(c->err, detail != NULL ? detail : "");
    }
    fprintf(c->err, "virtrigaud-ctl: %s\n", detail != NULL ? detail : "");
    return CTL_REFUSED;
}

// ---- Rows

// Prints what the text holds. Returns 0 or -errno.
static int print(struct ctl *c)
{
    int rc = c->text.failed ? -ENOMEM : 0;
    if (rc == 0 && c->text.len > 0 && fwrite(c->text.p, 1, c->text.len, c->out) < c->text.len) {
        rc = errno != 0 ? -errno : -EIO;
    }
    buf_clear(&c->text);
    return rc;
}

// Returns 0, or -EPROTO when the row lacks what is to be shown.
static int show_row(struct ctl *c)
{
    const json_t *row;
    bool whole = true;
    if ((row = answer_get(&c->answer, "status")) != NULL) {
        whole = view_is_status(row);
        c->has_status = whole;
        if (whole) {
            view_status(&c->text, row);
        }
    } else if ((row = answer_get(&c->answer, "series")) != NULL) {
        view_series(&c->text, c->command->metric, row);
    } else if ((row = answer_get(&c->answer, "rejected")) != NULL) {
        whole = view_is_rejected(row);
        if (whole) {
            view_rejected(&c->text, row);
        }
    } else if ((row = answer_get(&c->answer, "missed")) != NULL) {
        buf_addf(&c->text, "... and %.0f more lines\n", view_number(row, "lines"));
    } else if ((row = answer_get(&c->answer, "source")) != NULL) {
        whole = view_is_source(row);
        c->text.failed |=
            json_array_append(c->sources, json_object_get(c->answer.row, "source")) < 0;
    }
    return whole ? 0 : -EPROTO;
}

static const char *plural(double n)
{
    return n == 1 ? "1 series was deleted" : "series were deleted";
}

static void show_deleted(struct ctl *c, double n)
{
    if (n != 1) {
        buf_addf(&c->text, "%.0f ", n);
    }
    buf_str(&c->text, plural(n));
}

static void show_sources(struct ctl *c)
{
    size_t n = json_array_size(c->sources);
    const json_t **rows = calloc(n + 1, sizeof *rows);
    for (size_t i = 0; rows != NULL && i < n; i++) {
        rows[i] = json_array_get(c->sources, i);
    }
    if (rows == NULL) {
        c->text.failed = true;
    } else {
        view_sources(&c->text, rows, n, (double)clock_real_ms() / 1000);
    }
    free(rows);
}

static bool is_whole_end(const struct ctl *c, const json_t *end)
{
    static const char *const forgotten[] = {"connected", "series", NULL};
    const char *const *keys = forgotten + (c->command->kind == COMMAND_DELETE);
    switch (c->command->kind) {
    case COMMAND_STATUS:
        return c->has_status;
    case COMMAND_FORGET:
    case COMMAND_DELETE:
        return view_has(end, keys);
    default:
        return true;
    }
}

// The last line of the answer.
static void show_end(struct ctl *c, const json_t *end)
{
    const struct command *o = c->command;
    switch (o->kind) {
    case COMMAND_SOURCES:
        show_sources(c);
        break;
    case COMMAND_REJECTS:
        if (view_number(end, "unlisted") > 0) {
            buf_addf(&c->text, "... and %.0f more lines since the start\n",
                     view_number(end, "unlisted"));
        }
        break;
    case COMMAND_FORGET:
        view_write_string(&c->text, o->component);
        buf_char(&c->text, '/');
        view_write_string(&c->text, o->instance);
        buf_str(&c->text, view_is_true(end, "connected") ? " is forgotten as soon as it disconnects"
                                                         : " is forgotten");
        if (o->with_series) {
            buf_str(&c->text, "; ");
            show_deleted(c, view_number(end, "series"));
        }
        buf_char(&c->text, '\n');
        break;
    case COMMAND_DELETE:
        show_deleted(c, view_number(end, "series"));
        buf_char(&c->text, '\n');
        break;
    case COMMAND_RELOAD:
        view_lines(&c->text, end, "detail");
        buf_char(&c->text, '\n');
        break;
    default:
        break;
    }
}

// ---- Commands

// Reads the answer, and shows it. Returns the exit status.
static int run_command(struct ctl *c)
{
    for (;;) {
        int rc = answer_read(&c->answer);
        if (rc == -EINTR) {
            continue; // it was stopped and goes on
        }
        if (rc < 0) {
            return report_unreached(c, rc);
        }
        if (answer_get(&c->answer, "error") != NULL) {
            return report_error(c);
        }
        const json_t *end = answer_get(&c->answer, "end");
        if (c->command->json) {
            buf_str(&c->text, c->answer.line);
            buf_char(&c->text, '\n');
        } else if (end == NULL) {
            rc = show_row(c);
        } else if (is_whole_end(c, end)) {
            show_end(c, end);
        } else {
            rc = -EPROTO;
        }
        if (rc < 0) {
            return report_failure(c, rc);
        }
        rc = print(c);
        if (rc == 0 && (c->command->follow || end != NULL) && fflush(c->out) == EOF) {
            rc = -errno;
        }
        if (rc < 0) {
            return report_unwritten(c->err, rc);
        }
        if (end != NULL) {
            return CTL_DONE;
        }
    }
}

static int run_top(struct ctl *c)
{
    int rc = top_run(&c->answer, c->command, c->out);
    if (rc < 0 && ferror(c->out)) {
        return report_unwritten(c->err, rc);
    }
    return rc < 0 ? report_failure(c, rc) : rc > 0 ? report_error(c) : CTL_DONE;
}

static int run(struct ctl *c)
{
    int rc = answer_open(&c->answer, c->command->socket, c->command->timeout_ms);
    if (rc == 0 && c->command->kind == COMMAND_TOP) {
        return run_top(c);
    }
    struct buf request = BUF_INIT;
    if (rc == 0) {
        command_write(c->command, &request);
        rc = answer_ask(&c->answer, &request);
    }
    buf_free(&request);
    if (rc == 0 && c->command->follow) {
        answer_be_patient(&c->answer);
    }
    return rc < 0 ? report_unreached(c, rc) : run_command(c);
}

int ctl_run(int argc, char **argv, FILE *out, FILE *err)
{
    struct command o;
    if (command_parse(&o, argc, argv, err) < 0) {
        return CTL_USAGE;
    }
    if (o.kind == COMMAND_HELP || o.kind == COMMAND_VERSION) {
        fputs(o.kind == COMMAND_HELP ? command_help
                                     : "virtrigaud-ctl " VE_VERSION " (revision " VE_REVISION ")\n",
              out);
        return fflush(out) == EOF ? report_unwritten(err, -errno) : CTL_DONE;
    }
    struct ctl c = {.command = &o, .answer = ANSWER_NONE, .out = out, .err = err};
    c.sources = json_array();
    int status = run(&c);
    json_decref(c.sources);
    answer_close(&c.answer);
    buf_free(&c.text);
    return status;
}
