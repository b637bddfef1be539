// SPDX-License-Identifier: Apache-2.0
#include "daemon/state.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena *arena_of(const struct state *st)
{
    return st->store->share.arena;
}

// Keeps the words for an error that a function of statefile has just returned.
static int keep_reason(struct state *st, int rc)
{
    if (rc < 0) {
        const char *place = st->file.place;
        atomic_store(&st->why, st->file.why);
        atomic_store(&st->place, place != NULL ? place : st->file.path);
    }
    return rc;
}

// ---- The syncer

static void sync_once(struct state *st)
{
    int rc = keep_reason(st, statefile_commit(&st->file));
    if (rc < 0) {
        atomic_store(st->file.broken ? &st->sync_error : &st->name_error, rc);
        return;
    }
    rc = keep_reason(st, statefile_sync(&st->file));
    if (rc < 0) {
        atomic_store(&st->sync_error, rc);
    } else if (st->file.named) {
        atomic_store(&st->name_error, 0);
    }
}

static void *sync_main(void *arg)
{
    struct state *st = arg;
    struct pollfd wake = {.fd = st->wake, .events = POLLIN};
    do {
        if (pthread_mutex_trylock(&st->lock) == 0) {
            sync_once(st);
            atomic_store(&st->shown.set_aside, st->file.n_aside);
            pthread_mutex_unlock(&st->lock);
        }
        eventfd_t n;
        if (poll(&wake, 1, STATE_SYNC_MS) > 0) {
            eventfd_read(st->wake, &n);
        }
    } while (!atomic_load(&st->stop));
    return NULL;
}

static int start_syncer(struct state *st)
{
    st->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (st->wake < 0) {
        return -errno;
    }
    int err = pthread_create(&st->syncer, NULL, sync_main, st);
    st->syncing = err == 0;
    if (st->syncing) {
        pthread_setname_np(st->syncer, "state");
    }
    return -err;
}

static void stop_syncer(struct state *st)
{
    if (st->syncing) {
        atomic_store(&st->stop, true);
        eventfd_write(st->wake, 1);
        pthread_join(st->syncer, NULL);
        st->syncing = false;
    }
    if (st->wake >= 0) {
        close(st->wake);
    }
}

// ---- What is logged

static void update_error(struct state *st)
{
    int error = atomic_load(&st->sync_error);
    error = error != 0 ? error : atomic_load(&st->name_error);
    error = error != 0 ? error : st->begin_error;
    const char *words = error != 0 ? atomic_load(&st->why) : NULL;
    error = error != 0 ? error : arena_file_error(arena_of(st));
    words = words != NULL || error == 0 ? words : strerror(-error);
    atomic_store(&st->words, words);
    atomic_store(&st->shown.error, error);
    atomic_store(&st->shown.bytes, arena_file_bytes(arena_of(st)));
}

static void log_changes(struct state *st)
{
    uint64_t n_aside = atomic_load(&st->shown.set_aside);
    if (n_aside != st->logged_aside) {
        log_write_kind(
            LOG_KIND_state_set_aside, LOG_LEVEL_WARN,
            "the state file was damaged or not a state file of this version, and is kept as "
            "FILE.aside.1",
            "file", st->file.path, NULL);
        st->logged_aside = n_aside;
    }
    int error = atomic_load(&st->shown.error);
    const char *words = error != 0 ? atomic_load(&st->words) : "";
    if (strcmp(words, st->logged_words) == 0) {
        return;
    }
    snprintf(st->logged_words, sizeof st->logged_words, "%s", words);
    if (error == 0) {
        log_write_kind(LOG_KIND_state_kept, LOG_LEVEL_INFO,
                       "series are stored in the state file again", "file", st->file.path, NULL);
    } else {
        log_write_kind(LOG_KIND_state_not_kept, LOG_LEVEL_ERROR,
                       "series are in memory only and do not survive a restart", "file",
                       atomic_load(&st->place), "error", words, NULL);
    }
}

const char *state_trouble(const struct state *st)
{
    return atomic_load(&st->words);
}

// ---- The start

static void log_restored(const struct state *st, const struct record_image *image,
                         const struct restored *done, uint64_t since_ns)
{
    char series[24];
    char reset[24];
    char gone[24];
    char damaged[24];
    char seconds[24];
    snprintf(series, sizeof series, "%" PRIu64, done->series);
    snprintf(reset, sizeof reset, "%" PRIu64, done->reset);
    snprintf(gone, sizeof gone, "%" PRIu64, done->gone);
    snprintf(damaged, sizeof damaged, "%" PRIu64, image->damaged);
    snprintf(seconds, sizeof seconds, "%.3f", (double)(clock_mono_ns() - since_ns) / 1e9);
    log_write_kind(LOG_KIND_state_restored, image->damaged > 0 ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
                   "series restored", "file", st->file.path, "series", series, "reset", reset,
                   "gone", gone, "damaged", damaged, "power_cut",
                   image->power_cut ? "true" : "false", "behind", image->behind ? "true" : "false",
                   "seconds", seconds, NULL);
}

static int restore(struct state *st, struct ingest *ingest, struct record_image *image,
                   struct restored *done)
{
    struct restore_owners owners;
    int rc = sources_restore(st->sources, image, schema_current(st->store)->catalog, &st->writer,
                             clock_mono_ms(), &owners);
    if (rc == 0) {
        rc = restore_series(st->store, image, &owners, done);
        restore_owners_free(&owners);
    }
    if (rc == 0) {
        ingest_restore(ingest, image, clock_mono_ms(), clock_real_ms());
    }
    return rc;
}

// Moves the arena into a new file.
static int begin(struct state *st)
{
    int rc = statefile_prepare(&st->file, arena_of(st));
    return keep_reason(st, rc < 0 ? rc : statefile_begin(&st->file, arena_of(st)));
}

static int log_cannot_use(const struct state *st, int rc)
{
    const struct statefile *f = &st->file;
    log_write_kind(LOG_KIND_cannot_run, LOG_LEVEL_ERROR, "cannot use the state file", "file",
                   f->place != NULL ? f->place : f->path, "error",
                   f->why != NULL ? f->why : strerror(-rc), NULL);
    return rc;
}

/*
 * From when lines are taken, what has the name is behind: the new file goes on from it, or memory. Who cannot write
 * that there believes no session now, so that nobody goes on in one that the next process finds there again.
 */
static int load(struct state *st, struct ingest *ingest)
{
    uint64_t since_ns = clock_mono_ns();
    struct record_image image;
    struct restored done = {0};
    enum statefile_found found = STATEFILE_NOTHING;
    int read = statefile_read(&st->file, &image, &found);
    atomic_store(&st->shown.set_aside, st->file.n_aside);
    if (read == -EBUSY) {
        return log_cannot_use(st, read);
    }
    st->begin_error = begin(st);
    bool marked = st->begin_error == 0 || statefile_mark_behind(&st->file) == 0;
    sources_bind(st->sources, st->store, &st->writer);
    if (read == 0 && found == STATEFILE_GOOD) {
        image.behind |= !marked;
        read = restore(st, ingest, &image, &done);
        st->file.aside |= image.damaged > 0 || read < 0;
        log_restored(st, &image, &done, since_ns);
        statefile_image_free(&image);
    }
    if (read < 0) {
        log_warn("cannot read the state file, it is set aside", "file", st->file.path, "error",
                 strerror(-read), NULL);
    }
    if (st->begin_error == 0 && arena_file_error(arena_of(st)) != 0) { // it fits no more
        st->begin_error = arena_file_error(arena_of(st));
        statefile_abandon(&st->file, arena_of(st));
    }
    if (st->begin_error == 0) {
        statefile_complete(arena_of(st));
        statefile_mark_behind(&st->file);
    }
    atomic_store(&st->name_error, st->begin_error);
    memcpy(&st->header, st->store->share.base, sizeof st->header);
    st->wrote_ms = atomic_load(&st->header.mono_ms);
    return 0;
}

// What was written before this start was written in the past, by a clock that is right.
static void find_clock_evidence(const struct state *st)
{
    struct stat found;
    if (st->file.held >= 0 && fstat(st->file.held, &found) == 0 && found.st_mtim.tv_sec > 0) {
        clock_evidence_set(CLOCK_EVIDENCE_state_file, (uint64_t)found.st_mtim.tv_sec * 1000,
                           clock_mono_ms());
    }
}

int state_open(struct state *st, const char *path, struct series_store *store,
               struct sources *sources)
{
    *st = (struct state){.shown.kept = path != NULL,
                         .store = store,
                         .sources = sources,
                         .wake = -1,
                         .lock = PTHREAD_MUTEX_INITIALIZER};
    if (path == NULL) {
        return 0;
    }
    int rc = statefile_open(&st->file, path);
    if (rc == -EBUSY || rc == -EINVAL || rc == -ENOENT || rc == -ENOTDIR || rc == -EACCES ||
        rc == -ENOMEM || rc == -EAGAIN) {
        log_cannot_use(st, rc);
        statefile_close(&st->file);
        st->shown.kept = false;
        return rc;
    }
    atomic_store(&st->place, st->file.path);
    find_clock_evidence(st);
    st->begin_error = keep_reason(st, rc);
    arena_guard(arena_of(st));
    return 0;
}

int state_load(struct state *st, struct ingest *ingest)
{
    if (!st->shown.kept) {
        return 0;
    }
    int rc = load(st, ingest);
    if (rc < 0) {
        statefile_close(&st->file);
        st->shown.kept = false;
        return rc;
    }
    update_error(st);
    log_changes(st);
    rc = start_syncer(st);
    return rc < 0 ? log_cannot_use(st, rc) : 0;
}

// ---- Getting back to a file

// Pages were lost with what was in them. What is missing is found once all is in memory.
static void repair_lost(struct state *st, struct ingest *ingest)
{
    char *base = st->store->share.base;
    memcpy(base, &st->header, sizeof st->header);
    atomic_store(&layout_of(base)->behind, 1);
    st->wrote_ms = atomic_load(&st->header.mono_ms);
    uint64_t gone = schema_repair(st->store);
    sources_repair(st->sources, &st->writer);
    ingest_repair(ingest, st->foreign);
    char n[24];
    snprintf(n, sizeof n, "%" PRIu64, gone);
    log_warn(st->foreign ? "parts of the state file were overwritten"
                         : "parts of the state file could not be read",
             "file", st->file.path, "lost_series", n, NULL);
    st->foreign = false;
}

// The workers are paused while memory is exchanged for a file.
static int begin_paused(struct state *st, struct ingest *ingest)
{
    ingest_pause(ingest);
    int rc = keep_reason(st, statefile_begin(&st->file, arena_of(st)));
    if (rc == 0) {
        statefile_complete(arena_of(st));
    }
    ingest_resume(ingest);
    return rc;
}

// Leaves a file that is of no use any more for memory.
static int abandon_file(struct state *st, struct ingest *ingest)
{
    bool lost = arena_is_corrupt(arena_of(st)) || st->foreign;
    ingest_pause(ingest);
    int rc = statefile_abandon(&st->file, arena_of(st));
    if (rc == 0 && lost) {
        repair_lost(st, ingest);
    }
    ingest_resume(ingest);
    if (rc == 0) {
        int error = atomic_load(&st->sync_error);
        st->begin_error = error != 0 ? error : -EIO;
        atomic_store(&st->name_error, st->begin_error);
        atomic_store(&st->sync_error, 0);
    }
    return rc;
}

/*
 * A file that could not be written or read is left for a new one. One that only could not grow is grown: as long
 * as it has no room, that is found out without holding the workers up. One that only has no name waits for the syncer.
 */
static int repair(struct state *st, struct ingest *ingest)
{
    int rc = 0;
    if (st->file.own >= 0 &&
        (atomic_load(&st->sync_error) != 0 || arena_is_corrupt(arena_of(st)))) {
        rc = abandon_file(st, ingest);
    } else if (st->file.own >= 0 && arena_file_error(arena_of(st)) == 0) {
        return 0;
    }
    rc = rc < 0 ? rc : keep_reason(st, statefile_prepare(&st->file, arena_of(st)));
    return rc < 0 ? rc : begin_paused(st, ingest);
}

static void try_to_recover(struct state *st, struct ingest *ingest, uint64_t now_ms)
{
    if (now_ms - st->retry_at > STATE_RETRY_MOST_MS) {
        st->n_failed = 0; // long ago
    }
    int rc = repair(st, ingest);
    if (st->file.own < 0) {
        st->begin_error = rc;
        atomic_store(&st->name_error, rc); // it is known better now why
    } else if (rc == 0) {
        st->begin_error = 0;
    }
    pthread_mutex_unlock(&st->lock);
    eventfd_write(st->wake, 1);
    uint64_t wait_ms = (uint64_t)STATE_RETRY_MS << (st->n_failed < 4 ? st->n_failed : 4);
    st->n_failed++;
    st->retry_at =
        clock_mono_ms() + (wait_ms < STATE_RETRY_MOST_MS ? wait_ms : STATE_RETRY_MOST_MS);
}

// Whether the file is still the one that has the name, and nobody else's; not while the syncer has it.
static void check_file(struct state *st)
{
    if (st->file.own < 0 || atomic_load(&st->sync_error) != 0 ||
        pthread_mutex_trylock(&st->lock) != 0) {
        return;
    }
    struct layout *l = layout_of(st->store->share.base);
    bool same = atomic_load(&l->mono_ms) == st->wrote_ms && l->check == st->header.check;
    bool named = statefile_is_named(&st->file);
    if (!arena_is_corrupt(arena_of(st)) && (!same || !named)) {
        st->foreign = !same;
        atomic_store(&st->why, same ? "it was removed or replaced while it was in use"
                                    : "it was overwritten while it was in use");
        atomic_store(&st->place, st->file.path);
        atomic_store(&st->sync_error, -ESTALE);
    }
    pthread_mutex_unlock(&st->lock);
}

void state_tick(struct state *st, struct ingest *ingest, uint64_t now_ms)
{
    if (!st->shown.kept) {
        return;
    }
    check_file(st);
    if (!st->foreign) {
        atomic_store(&layout_of(st->store->share.base)->mono_ms, now_ms);
        st->wrote_ms = now_ms;
    }
    sources_save(st->sources);
    update_error(st);
    if (atomic_load(&st->shown.error) != 0 && now_ms >= st->retry_at &&
        pthread_mutex_trylock(&st->lock) == 0) {
        log_changes(st);
        try_to_recover(st, ingest, now_ms);
        update_error(st);
    }
    log_changes(st);
}

// All threads have ended: what is in memory only, or in a file without its name, gets into one now or never.
static void begin_last(struct state *st)
{
    bool named = statefile_is_named(&st->file);
    if (arena_is_corrupt(arena_of(st)) || st->foreign ||
        (st->file.own >= 0 && named && arena_file_error(arena_of(st)) == 0)) {
        return;
    }
    if (st->file.own >= 0 && !named && statefile_abandon(&st->file, arena_of(st)) < 0) {
        return;
    }
    if (begin(st) == 0) {
        statefile_complete(arena_of(st));
    }
}

void state_close(struct state *st)
{
    if (!st->shown.kept) {
        return;
    }
    stop_syncer(st);
    sources_save(st->sources);
    begin_last(st);
    // What is in memory only was logged already.
    int rc = st->file.own >= 0 ? statefile_finish(&st->file, arena_of(st)) : 0;
    if (rc < 0) {
        log_write_kind(LOG_KIND_state_not_kept, LOG_LEVEL_ERROR, "the state file is incomplete",
                       "file", st->file.place != NULL ? st->file.place : st->file.path, "error",
                       st->file.why != NULL ? st->file.why : strerror(-rc), NULL);
    }
    atomic_store(&st->shown.set_aside, st->file.n_aside);
    log_changes(st);
    statefile_close(&st->file);
}
