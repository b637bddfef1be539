// SPDX-License-Identifier: Apache-2.0
#include "ctl/top.h"

#include "base/clock.h"
#include "ctl/view.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { ROWS_PLAIN = 20, ROWS_LEAST = 3, COLUMNS_MOST = 1000 };

// What is written to the terminal: another screen, no wrapping, no cursor; and back.
static const char screen_begin[] = "\033[?1049h\033[?7l\033[?25l";
static const char screen_end[] = "\033[?25h\033[?7h\033[?1049l";
static const char screen_home[] = "\033[H";
static const char line_end[] = "\033[K\r\n";
static const char screen_rest[] = "\033[J";

struct reading {
    uint64_t now_ms; // CLOCK_MONOTONIC
    json_t *status;  // NULL: none yet
    json_t *sources; // an array
};

// A source between two readings.
struct mover {
    const json_t *row;
    double per_second; // negative: not known
    double rejected;   // likewise
};

struct top {
    struct reading last;
    struct reading now;
    struct buf row; // the status as the daemon wrote it
    bool terminal;
    unsigned lines;   // of the terminal
    unsigned columns; // likewise
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number != SIGWINCH || interrupted;
}

// ---- Reading

// Reads rows up to the end of an answer; those of the kind are kept, the last one also as text, unless `text` is NULL.
// Returns 0, 1: an error, or -errno.
static int read_rows(struct answer *a, const char *kind, json_t *rows, struct buf *text)
{
    for (;;) {
        int rc = answer_read(a);
        if (rc == -EINTR && !interrupted) {
            continue; // the terminal has another size
        }
        if (rc < 0) {
            return rc;
        }
        if (answer_get(a, "error") != NULL) {
            return 1;
        }
        if (answer_get(a, "end") != NULL) {
            return 0;
        }
        json_t *row = json_object_get(a->row, kind);
        if (row != NULL && json_array_append(rows, row) < 0) {
            return -ENOMEM;
        }
        if (row != NULL && text != NULL) {
            buf_clear(text);
            buf_str(text, a->line);
        }
    }
}

static int ask(struct answer *a, const char *command, const char *kind, json_t *rows,
               struct buf *text)
{
    struct buf request = BUF_INIT;
    buf_str(&request, command);
    int rc = answer_ask(a, &request);
    buf_free(&request);
    return rc < 0 ? rc : read_rows(a, kind, rows, text);
}

static void drop(struct reading *r)
{
    json_decref(r->status);
    json_decref(r->sources);
    *r = (struct reading){0};
}

static int take(struct answer *a, struct top *t)
{
    json_t *status = json_array();
    json_t *sources = json_array();
    int rc = status == NULL || sources == NULL
                 ? -ENOMEM
                 : ask(a, "{\"status\":{}}", "status", status, &t->row);
    rc = rc == 0 ? ask(a, "{\"sources\":{}}", "source", sources, NULL) : rc;
    if (rc == 0) {
        drop(&t->last);
        t->last = t->now;
        t->now = (struct reading){clock_mono_ms(), json_incref(json_array_get(status, 0)),
                                  json_incref(sources)};
    }
    json_decref(status);
    json_decref(sources);
    return rc;
}

// ---- The parts of the view

// Of a source in an index. Only an instance may have slashes.
static const char *source_key(struct buf *key, const json_t *row)
{
    buf_clear(key);
    buf_addf(key, "%s/%s", view_string(row, "component"), view_string(row, "instance"));
    const char *text = buf_string(key);
    return text != NULL ? text : "";
}

// The rows by source, so that thousands of sources are found at once. NULL: no memory.
static json_t *index_sources(const json_t *sources)
{
    json_t *index = json_object();
    struct buf key = BUF_INIT;
    for (size_t i = 0, n = json_array_size(sources); index != NULL && i < n; i++) {
        json_object_set(index, source_key(&key, json_array_get(sources, i)),
                        json_array_get(sources, i));
    }
    buf_free(&key);
    return index;
}

static double rate(const struct top *t, const json_t *row, const json_t *before, const char *key)
{
    double grown = view_number(row, key) - view_number(before, key);
    double seconds = (double)(t->now.now_ms - t->last.now_ms) / 1000;
    return before == NULL || grown < 0 || seconds <= 0 ? -1 : grown / seconds;
}

// The fastest first, and those that are down before others as fast.
static int compare_movers(const void *a, const void *b)
{
    const struct mover *x = a;
    const struct mover *y = b;
    double dx = x->per_second + x->rejected;
    double dy = y->per_second + y->rejected;
    if (dx != dy) {
        return dx < dy ? 1 : -1;
    }
    return (int)view_is_true(x->row, "up") - (int)view_is_true(y->row, "up");
}

static void add_rate(struct buf *out, double per_second)
{
    if (per_second < 0) {
        buf_char(out, '-');
    } else {
        buf_addf(out, per_second > 0 && per_second < 10 ? "%.2f" : "%.0f", per_second);
    }
}

static void add_left_out(struct buf *out, size_t n)
{
    if (n > 0) {
        buf_addf(out, "... and %zu more\n", n);
    }
}

static void add_sources(struct buf *out, const struct top *t, size_t most)
{
    static const char *const heads[] = {"SOURCE",   "STATE",     ">LINES/S", ">REJECTED/S",
                                        ">APPLIED", ">REJECTED", NULL};
    size_t n = json_array_size(t->now.sources);
    struct mover *movers = calloc(n + 1, sizeof *movers);
    json_t *last = index_sources(t->last.sources);
    struct buf key = BUF_INIT;
    struct view_table table;
    view_table_begin(&table, heads);
    for (size_t i = 0; movers != NULL && i < n; i++) {
        const json_t *row = json_array_get(t->now.sources, i);
        const json_t *before = json_object_get(last, source_key(&key, row));
        movers[i] =
            (struct mover){row, rate(t, row, before, "applied"), rate(t, row, before, "refused")};
    }
    if (movers != NULL) {
        qsort(movers, n, sizeof *movers, compare_movers);
    }
    for (size_t i = 0; movers != NULL && i < n && i < most; i++) {
        view_source_name(view_cell(&table), movers[i].row);
        buf_str(view_cell(&table), view_source_state(movers[i].row));
        add_rate(view_cell(&table), movers[i].per_second);
        add_rate(view_cell(&table), movers[i].rejected);
        view_write_number(view_cell(&table), view_number(movers[i].row, "applied"));
        view_write_number(view_cell(&table), view_number(movers[i].row, "refused"));
    }
    view_table_end(&table, out);
    add_left_out(out, n > most ? n - most : 0);
    buf_free(&key);
    json_decref(last);
    free(movers);
}

// By series, then by rate.
static int compare_metrics(const void *a, const void *b)
{
    const json_t *x = *(const json_t *const *)a;
    const json_t *y = *(const json_t *const *)b;
    double by_series = view_number(y, "series") - view_number(x, "series");
    double by_rate = view_number(y, "per_second") - view_number(x, "per_second");
    double by = by_series != 0 ? by_series : by_rate;
    return by > 0 ? 1 : by < 0 ? -1 : 0;
}

static void add_metrics(struct buf *out, const struct top *t, size_t most)
{
    static const char *const heads[] = {"METRIC", ">SERIES", ">LIMIT", ">PER SECOND", NULL};
    const json_t *metrics = json_object_get(t->now.status, "metrics");
    size_t all = json_array_size(metrics);
    size_t n = 0;
    const json_t **rows = calloc(all + 1, sizeof *rows);
    struct view_table table;
    view_table_begin(&table, heads);
    for (size_t i = 0; rows != NULL && i < all; i++) {
        const json_t *row = json_array_get(metrics, i);
        if (view_number(row, "series") > 0) {
            rows[n++] = row;
        }
    }
    if (rows != NULL) {
        qsort(rows, n, sizeof *rows, compare_metrics);
    }
    for (size_t i = 0; i < n && i < most; i++) {
        bool known = json_is_number(json_object_get(rows[i], "per_second"));
        view_text(view_cell(&table), rows[i], "name");
        view_write_number(view_cell(&table), view_number(rows[i], "series"));
        view_write_number(view_cell(&table), view_number(rows[i], "series_limit"));
        add_rate(view_cell(&table), known ? view_number(rows[i], "per_second") : -1);
    }
    view_table_end(&table, out);
    add_left_out(out, n > most ? n - most : 0);
    free(rows);
}

static void add_rejects(struct buf *out, const struct top *t, size_t most)
{
    const json_t *lines = json_object_get(t->now.status, "refusals");
    size_t n = json_array_size(lines);
    buf_str(out, n > 0 ? "REJECTED LINES\n" : "No line was rejected.\n");
    for (size_t i = 0; i < n && i < most; i++) {
        const json_t *line = json_array_get(lines, i);
        view_write_time(out, view_number(line, "time"));
        buf_char(out, ' ');
        view_source_name(out, line);
        buf_char(out, ' ');
        view_text(out, line, "reason");
        buf_str(out, ": ");
        view_text(out, line, "detail");
        buf_char(out, '\n');
    }
    add_left_out(out, n > most ? n - most : 0);
}

// ---- Terminal

static void measure(struct top *t)
{
    struct winsize size;
    t->lines = 24;
    t->columns = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
        t->lines = size.ws_row;
        t->columns = size.ws_col < COLUMNS_MOST ? size.ws_col : COLUMNS_MOST;
    }
}

static size_t count_lines(const struct buf *text)
{
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++) {
        n += text->p[i] == '\n';
    }
    return n;
}

// How many bytes of the line fill the columns at most.
static size_t cut_line(const char *line, size_t len, size_t columns)
{
    size_t i = 0;
    for (size_t n = 0; i < len; i++) {
        n += ((unsigned char)line[i] & 0xC0) != 0x80;
        if (n > columns) {
            break;
        }
    }
    return i;
}

static void write_screen(const struct top *t, struct buf *text, FILE *out)
{
    size_t line = 0;
    fputs(screen_home, out);
    for (size_t at = 0; at < text->len && line + 1 < t->lines; line++) {
        const char *begin = text->p + at;
        const char *lf = memchr(begin, '\n', text->len - at);
        size_t len = lf != NULL ? (size_t)(lf - begin) : text->len - at;
        fwrite(begin, 1, cut_line(begin, len, t->columns), out);
        fputs(line_end, out);
        at += len + 1;
    }
    fputs(screen_rest, out);
}

// Also what was written before, for which there may be nothing left to flush.
static int flush(FILE *out)
{
    bool ok = fflush(out) == 0 && !ferror(out);
    return ok ? 0 : errno != 0 ? -errno : -EIO;
}

static bool is_whole(const struct top *t)
{
    bool whole = view_is_status(t->now.status);
    for (size_t i = 0; whole && i < json_array_size(t->now.sources); i++) {
        whole = view_is_source(json_array_get(t->now.sources, i));
    }
    return whole;
}

static int draw(struct top *t, FILE *out)
{
    if (!is_whole(t)) {
        return -EPROTO;
    }
    struct buf text = BUF_INIT;
    size_t each = ROWS_PLAIN;
    if (t->terminal) {
        measure(t);
        // Two lines of the summary, and of each part a head, a line for what is left out and one between.
        size_t others = 2 + 3 * 3;
        each = t->lines > others + 3 * ROWS_LEAST ? (t->lines - others) / 3 : ROWS_LEAST;
    }
    view_summary(&text, t->now.status);
    buf_char(&text, '\n');
    add_sources(&text, t, each);
    buf_char(&text, '\n');
    add_metrics(&text, t, each);
    buf_char(&text, '\n');
    // What the others left is for these.
    size_t used = count_lines(&text) + 3;
    add_rejects(&text, t, t->terminal && t->lines > used ? t->lines - used : each);
    int rc = text.failed ? -ENOMEM : 0;
    if (rc == 0 && t->terminal) {
        write_screen(t, &text, out);
    } else if (rc == 0) {
        buf_char(&text, '\n');
        fwrite(text.p, 1, text.len, out);
    }
    buf_free(&text);
    return rc < 0 ? rc : flush(out);
}

// Until the time is up or the terminal has another size. Returns whether to go on.
static bool wait_for_next(const struct top *t, unsigned ms)
{
    struct pollfd key = {.fd = t->terminal && isatty(STDIN_FILENO) ? STDIN_FILENO : -1,
                         .events = POLLIN};
    uint64_t until_ms = clock_mono_ms() + ms;
    for (uint64_t now; !interrupted && (now = clock_mono_ms()) < until_ms;) {
        if (poll(&key, 1, (int)(until_ms - now)) < 0) {
            return !interrupted; // SIGWINCH: drawn again at once
        }
        char c;
        if (key.revents != 0 && (read(STDIN_FILENO, &c, 1) <= 0 || c == 'q' || c == 3)) {
            return false;
        }
    }
    return !interrupted;
}

static void set_signals(struct sigaction old[4])
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    interrupted = 0;
    for (size_t i = 0; i < 4; i++) {
        sigaction(numbers[i], &action, &old[i]);
    }
}

static void restore_signals(const struct sigaction old[4])
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
    for (size_t i = 0; i < 4; i++) {
        sigaction(numbers[i], &old[i], NULL);
    }
}

static int run(struct answer *a, const struct command *o, struct top *t, FILE *out)
{
    uint64_t count = o->count > 0 ? o->count : t->terminal ? UINT64_MAX : 1;
    int rc = take(a, t);
    if (rc == 0 && t->terminal && !o->json) {
        rc = draw(t, out);
    }
    // A view shows rates, so that the first answer is none.
    for (uint64_t i = 0; rc == 0 && i < count && wait_for_next(t, o->interval_ms); i++) {
        rc = take(a, t);
        if (rc == 0 && o->json) {
            buf_char(&t->row, '\n');
            fwrite(t->row.p, 1, t->row.len, out);
            rc = t->row.failed ? -ENOMEM : flush(out);
        } else if (rc == 0) {
            rc = draw(t, out);
        }
    }
    return rc;
}

int top_run(struct answer *a, const struct command *o, FILE *out)
{
    const char *term = getenv("TERM");
    struct top t = {.terminal = !o->json && isatty(fileno(out)) && term != NULL &&
                                strcmp(term, "dumb") != 0};
    struct termios before;
    struct sigaction old[4];
    bool keys = t.terminal && tcgetattr(STDIN_FILENO, &before) == 0;
    set_signals(old);
    if (keys) {
        struct termios raw = before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    if (t.terminal) {
        fputs(screen_begin, out);
    }
    int rc = run(a, o, &t, out);
    if (t.terminal) {
        fputs(screen_end, out);
        int end = flush(out);
        rc = rc == 0 ? end : rc;
    }
    if (keys) {
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    }
    restore_signals(old);
    drop(&t.last);
    drop(&t.now);
    buf_free(&t.row);
    return interrupted && rc == -EINTR ? 0 : rc;
}
