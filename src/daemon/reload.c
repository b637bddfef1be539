// SPDX-License-Identifier: Apache-2.0
#include "daemon/reload.h"

#include "base/clock.h"
#include "catalog/load.h"
#include "catalog/yaml.h"
#include "daemon/config.h"
#include "daemon/config_sources.h"
#include "daemon/signals.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void reload_bundle_free(struct reload_bundle *f)
{
    web_config_free(f->web_config);
    webconf_files_clear(&f->seen);
    permission_roles_free(f->roles);
    catalog_free(f->catalog);
    config_free(f->config);
}

static void add_warnings(const struct errs *warnings, struct buf *report)
{
    for (size_t i = 0; i < warnings->n; i++) {
        buf_addf(report, "probably a mistake: %s: %s\n", warnings->items[i].key,
                 warnings->items[i].text);
    }
}

static bool has_sources(const struct config *c)
{
    return c->file != NULL && c->file->root != NULL && yaml_get(c->file->root, "sources") != NULL;
}

// Loads all again; on failure adds what is wrong and leaves `ret` alone.
static int load(const struct config *old, struct reload_bundle *ret, struct buf *report)
{
    struct errs errs = ERRS_INIT;
    struct errs warnings = ERRS_INIT;
    struct reload_bundle f = {0};
    int rc = config_reload(&f.config, old, &errs);
    if (rc == 0) {
        struct catalog_input input = config_catalog_input(f.config, &warnings);
        rc = catalog_load(&f.catalog, &input, &errs);
    }
    if (rc == 0) {
        rc = config_sources(&f.roles, f.config, f.catalog, &errs, &warnings);
    }
    if (rc == 0 && has_sources(old) && !has_sources(f.config)) {
        errs_add(&warnings, f.config->config_file, 0, 0, "sources",
                 "was removed: every client that may open the socket may now push everything");
    }
    if (rc == 0) {
        rc = web_config_load(&f.web_config, f.config->web_config_file, &f.seen, &errs);
    }
    if (rc < 0) {
        buf_addf(report, "%s", errs_has_any(&errs) ? "" : strerror(-rc));
        errs_write(&errs, report);
        reload_bundle_free(&f);
    } else {
        *ret = f;
        add_warnings(&warnings, report);
    }
    errs_free(&errs);
    errs_free(&warnings);
    return rc;
}

// A component's number is stored with sources and statistics: those that there are must keep theirs.
static bool has_same_components(const struct catalog *old, const struct catalog *c,
                                struct buf *report)
{
    for (size_t i = 0; i < old->n_components; i++) {
        if (i >= c->n_components || strcmp(old->components[i], c->components[i]) != 0) {
            buf_addf(report, "components: removing or moving \"%s\" needs a restart",
                     old->components[i]);
            return false;
        }
    }
    return true;
}

int reload_load(struct reload_bundle *ret, const struct config *old, const struct catalog *in_force,
                struct buf *report)
{
    struct reload_bundle bundle;
    int rc = load(old, &bundle, report);
    if (rc < 0) {
        return rc;
    }
    if (!has_same_components(in_force, bundle.catalog, report)) {
        reload_bundle_free(&bundle);
        return -EINVAL;
    }
    *ret = bundle;
    return 0;
}

void reload_log(struct buf *report, enum log_kind kind, enum log_level level, const char *message)
{
    const char *text = buf_string(report);
    char *copy = text != NULL ? strdup(text) : NULL;
    char *rest = copy;
    for (char *line; copy != NULL && (line = strsep(&rest, "\n")) != NULL;) {
        if (line[0] != '\0') {
            log_write_kind(kind, level, message, "detail", line, NULL);
        }
    }
    free(copy);
}

int reload_web_open(struct reload_web *f, struct web *web, const char *path, struct buf *problem)
{
    struct errs errs = ERRS_INIT;
    struct web_config *web_config = NULL;
    int rc = web_config_load(&web_config, path, &f->seen, &errs);
    if (rc == 0) {
        web_set_config(web, web_config);
    } else {
        buf_str(problem, errs_has_any(&errs) ? "" : strerror(-rc));
        errs_write(&errs, problem);
    }
    errs_free(&errs);
    return rc;
}

void reload_web_replace(struct reload_web *f, struct web *web, struct web_config *web_config,
                        struct webconf_files *seen)
{
    web_set_config(web, web_config);
    webconf_files_clear(&f->seen);
    f->seen = *seen;
    seen->n = 0;
    f->rejected = false;
}

void reload_web_tick(struct reload_web *f, struct web *web, struct self *self, const char *path)
{
    if (!webconf_files_have_changed(&f->seen)) {
        return;
    }
    struct buf problem = BUF_INIT;
    if (reload_web_open(f, web, path, &problem) < 0) {
        reload_log(&problem, LOG_KIND_reload_refused, LOG_LEVEL_ERROR,
                   "web configuration refused, the previous one stays in force");
        f->rejected = f->rejected || atomic_load(&self->reload_ok);
        atomic_store(&self->reload_ok, false);
    } else {
        log_write_kind(LOG_KIND_reloaded, LOG_LEVEL_INFO, "web configuration reloaded", "file",
                       path, NULL);
        if (f->rejected) {
            atomic_store(&self->reload_ok, true);
        }
        f->rejected = false;
    }
    buf_free(&problem);
}

void reload_web_close(struct reload_web *f)
{
    webconf_files_clear(&f->seen);
}

enum { TRIES = 12 }; // within the wait: the kernel keeps one of several SIGHUPs that wait

struct pending {
    pid_t pid;
    int process; // pidfd: readable when the process has ended; -1: the kernel has none
    int answers; // signalfd
};

static int fail(struct buf *problem, const struct pending *r, int rc, const char *what)
{
    buf_addf(problem, "process %d %s", (int)r->pid, what);
    return rc;
}

static int fail_errno(struct buf *problem, const struct pending *r)
{
    int err = errno;
    if (err == ESRCH) {
        return fail(problem, r, -err, "does not exist");
    }
    buf_addf(problem, "cannot send a signal to process %d: %s", (int)r->pid, strerror(err));
    return -err;
}

// A process may signal one whose real user ID is its own.
static int become_reachable(pid_t pid)
{
    char path[32];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return geteuid() == 0 && stat(path, &st) == 0 ? setreuid(st.st_uid, (uid_t)-1) : 0;
}

static int open_request(struct pending *r)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGNALS_ANSWER);
    sigprocmask(SIG_SETMASK, &set, NULL);
    r->process = (int)syscall(SYS_pidfd_open, r->pid, 0);
    // Before Linux 5.3 the next try finds that it has ended.
    if (r->process < 0 && errno != ENOSYS) {
        return -1;
    }
    r->answers = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return r->answers < 0 ? -1 : become_reachable(r->pid);
}

static void close_request(const struct pending *r)
{
    if (r->process >= 0) {
        close(r->process);
    }
    if (r->answers >= 0) {
        close(r->answers);
    }
}

// The outcome that the process has queued, or 0.
static int read_answer(const struct pending *r)
{
    struct signalfd_siginfo info;
    while (read(r->answers, &info, sizeof info) == sizeof info) {
        if (info.ssi_code == SI_QUEUE && info.ssi_pid == (uint32_t)r->pid) {
            return info.ssi_int;
        }
    }
    return 0;
}

// Sends the request, and waits for at most so long. Returns the outcome, 0 when there is none yet, or -errno.
static int send_request(const struct pending *r, uint64_t until_ms, struct buf *problem)
{
    struct pollfd fds[] = {{.fd = r->answers, .events = POLLIN},
                           {.fd = r->process, .events = POLLIN}};
    if (sigqueue(r->pid, SIGHUP, (union sigval){.sival_int = SIGNALS_REQUEST}) < 0) {
        return fail_errno(problem, r);
    }
    for (uint64_t now; (now = clock_mono_ms()) < until_ms;) {
        poll(fds, 2, (int)(until_ms - now));
        int outcome = read_answer(r);
        if (outcome != 0) {
            return outcome;
        }
        if (fds[1].revents != 0) {
            return fail(problem, r, -ESRCH, "ended before it answered");
        }
    }
    return 0;
}

int reload_request(pid_t pid, unsigned wait_ms, struct buf *problem)
{
    struct pending r = {.pid = pid, .process = -1, .answers = -1};
    uint64_t end_ms = clock_mono_ms() + wait_ms;
    int rc = open_request(&r) < 0 ? fail_errno(problem, &r) : 0;
    for (unsigned left = TRIES; rc == 0 && left > 0; left--) {
        rc = send_request(&r, end_ms - (uint64_t)(left - 1) * wait_ms / TRIES, problem);
    }
    close_request(&r);
    if (rc == SIGNALS_RELOADED) {
        return 0;
    }
    if (rc == 0) {
        buf_addf(problem,
                 "process %d did not answer within %u s; its log says whether it has reloaded",
                 (int)pid, wait_ms / 1000);
        return -ETIMEDOUT;
    }
    if (rc > 0) {
        buf_addf(problem,
                 "process %d refused the reload and keeps the old configuration; its log says why: "
                 "journalctl -p err _PID=%d",
                 (int)pid, (int)pid);
        return -EINVAL;
    }
    return rc;
}
