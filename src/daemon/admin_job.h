// SPDX-License-Identifier: Apache-2.0
/*
 * admin_job: what a request of the admin socket does, and its answer, step by step.
 *
 * Shape:   an answer is any number of rows, {"source":…}, {"series":…}, {"rejected":…}, {"missed":…} or {"status":…}, each
 *          a line, and a last line: {"end":…}, or {"error":REASON,"detail":TEXT}. virtrigaud-ctl(1) describes them.
 * Bounds:  a step adds rows up to ADMIN_JOB_ANSWER bytes of answer, and one more, and looks at ADMIN_JOB_SLOTS series. The
 *          status is a single row.
 * Threads: one that has joined RCU, the one that removes series.
 * Memory:  borrows request and answer; admin_job_free gives the rest back.
 */
#ifndef VE_DAEMON_ADMIN_JOB_H
#define VE_DAEMON_ADMIN_JOB_H

#include "daemon/admin_request.h"
#include "daemon/backend.h"
#include "series/key.h"
#include "source/owner.h"

enum { ADMIN_JOB_ANSWER = 64 << 10, ADMIN_JOB_SLOTS = 4096 };

enum admin_job_state {
    ADMIN_JOB_NONE,    // there is none, or it has been answered
    ADMIN_JOB_RUNS,    // the next step can be done
    ADMIN_JOB_FOLLOWS, // until there may be another rejected line; then it runs
    ADMIN_JOB_RELOADS, // until admin_job_reloaded
};

// Zero it, and set the first four, before its first use.
struct admin_job {
    const struct admin_request *request;
    struct buf *out;            // the answer
    const char *telemetry_path; // for the status
    uid_t user;                 // who asks, for the log
    pid_t process;              // likewise
    enum admin_job_state state;

    // How far it is.
    uint64_t generation; // of the schema that is walked; 0: none yet
    size_t metric;       // the next slots of it
    uint32_t slot;
    uint32_t end;           // of the metric, when its turn came
    uint32_t source;        // the next one, for sources_next
    uint64_t rejected;      // number of the next one, for log_rejects_next
    bool follows;           // those that it began with were shown: each later one is, or is counted
    uint64_t unlisted;      // lines that were rejected and in no row, so far
    uint64_t done;          // series, or sources, that were shown or removed
    struct key_match match; // of the metric's series
    struct owner owner;     // of the source that is forgotten
};

void admin_job_begin(struct admin_job *j, struct backend *b);
void admin_job_step(struct admin_job *j, struct backend *b);
// A reload is over: how it went, line by line.
void admin_job_reloaded(struct admin_job *j, bool ok, const char *report);
// It ends where it is. What a delete or a forget did is logged.
void admin_job_end(struct admin_job *j);
void admin_job_free(struct admin_job *j);

// Answers with an error.
void admin_job_fail(struct admin_job *j, const char *reason, const char *detail);

#endif
