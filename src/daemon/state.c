// SPDX-License-Identifier: Apache-2.0
#include "daemon/state.h"

#include "base/clock.h"
#include "base/log.h"
#include "series/mend.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

// Whose turn it is at the file.
enum { TURN_FREE, TURN_SYNCER, TURN_MAIN };

static bool take_turn(struct state *st, uint8_t who)
{
    uint8_t seen = TURN_FREE;
    return atomic_compare_exchange_strong(&st->turn, &seen, who);
}

static struct arena *arena_of(const struct state *st)
{
    return st->store->share.arena;
}

// ---- The syncer

static void *sync_main(void *arg)
{
    struct state *st = arg;
    struct pollfd wake = {.fd = st->wake, .events = POLLIN};
    do {
        if (take_turn(st, TURN_SYNCER)) {
            int rc = statefile_settle(&st->file);
            rc = rc < 0 ? rc : statefile_sync(&st->file);
            if (rc < 0) {
                atomic_store(&st->sync_error, rc);
            }
            atomic_store(&st->n_aside, st->file.n_aside);
            atomic_store(&st->turn, TURN_FREE);
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

// ---- What is told

static void look(struct state *st)
{
    int why = atomic_load(&st->sync_error);
    why = why != 0 ? why : st->begin_error;
    atomic_store(&st->error, why != 0 ? why : arena_adrift(arena_of(st)));
    atomic_store(&st->bytes, arena_file_bytes(arena_of(st)));
}

static void tell(struct state *st)
{
    uint64_t n_aside = atomic_load(&st->n_aside);
    if (n_aside != st->told_aside) {
        log_tell(LOG_KIND_state_set_aside, LOG_LEVEL_WARN,
                 "the state file was damaged or foreign, and is kept with the ending .aside.1",
                 "file", st->file.path, NULL);
        st->told_aside = n_aside;
    }
    int error = atomic_load(&st->error);
    if ((error == 0) == (st->told_error == 0)) {
        return;
    }
    st->told_error = error;
    if (error == 0) {
        log_tell(LOG_KIND_state_kept, LOG_LEVEL_INFO, "series are kept in the state file again",
                 "file", st->file.path, NULL);
    } else {
        log_tell(LOG_KIND_state_not_kept, LOG_LEVEL_ERROR,
                 "series are in memory only, and do not survive a restart", "file", st->file.path,
                 "error", strerror(-error), NULL);
    }
}

const char *state_trouble(const struct state *st)
{
    int error = st->kept ? atomic_load(&st->error) : 0;
    return error == 0 ? NULL : strerror(-error);
}

void state_facts(const struct state *st, struct self_state *ret)
{
    *ret = (struct self_state){
        .kept = st->kept,
        .ok = atomic_load(&st->error) == 0,
        .bytes = atomic_load(&st->bytes),
        .set_aside = atomic_load(&st->n_aside),
    };
}

// ---- The start

static void tell_restored(const struct state *st, const struct record_image *image,
                          const struct restored *done, uint64_t since_ns)
{
    char series[24];
    char anew[24];
    char gone[24];
    char damaged[24];
    char seconds[24];
    snprintf(series, sizeof series, "%" PRIu64, done->series);
    snprintf(anew, sizeof anew, "%" PRIu64, done->anew);
    snprintf(gone, sizeof gone, "%" PRIu64, done->gone);
    snprintf(damaged, sizeof damaged, "%" PRIu64, image->damaged);
    snprintf(seconds, sizeof seconds, "%.3f", (double)(clock_mono_ns() - since_ns) / 1e9);
    log_tell(LOG_KIND_state_restored, image->damaged > 0 ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
             "series restored", "file", st->file.path, "series", series, "anew", anew, "gone", gone,
             "damaged", damaged, "power_cut", image->power_cut ? "true" : "false", "seconds",
             seconds, NULL);
}

static int restore(struct state *st, struct ingest *ingest, struct record_image *image,
                   struct restored *done)
{
    struct sources_past *past = NULL;
    int rc = sources_restore(st->sources, image, &st->hand, clock_mono_ms(), &past);
    if (rc == 0) {
        struct restore_marks marks = sources_past_marks(past);
        rc = restore_series(st->store, image, &marks, done);
    }
    sources_past_free(past);
    if (rc == 0) {
        ingest_restore(ingest, image, clock_mono_ms(), clock_real_ms());
    }
    return rc;
}

// Moves the arena into a new file.
static int begin(struct state *st)
{
    int rc = statefile_prepare(&st->file, arena_of(st));
    return rc < 0 ? rc : statefile_begin(&st->file, arena_of(st));
}

static void load(struct state *st, struct ingest *ingest)
{
    uint64_t since_ns = clock_mono_ns();
    struct record_image image;
    struct restored done = {0};
    enum statefile_found found = STATEFILE_NOTHING;
    int read = statefile_read(&st->file, &image, &found);
    atomic_store(&st->n_aside, st->file.n_aside);
    st->begin_error = begin(st);
    sources_bind(st->sources, st->store, &st->hand);
    if (read == 0 && found == STATEFILE_GOOD) {
        read = restore(st, ingest, &image, &done);
        st->file.aside |= image.damaged > 0 || read < 0;
        tell_restored(st, &image, &done, since_ns);
        statefile_forget(&image);
    }
    if (read < 0) {
        log_warn("cannot read the state file, which is kept aside", "file", st->file.path, "error",
                 strerror(-read), NULL);
    }
    if (st->begin_error == 0 && arena_adrift(arena_of(st)) != 0) { // it fits no more
        st->begin_error = arena_adrift(arena_of(st));
        statefile_abandon(&st->file, arena_of(st));
    }
    if (st->begin_error == 0) {
        statefile_whole(arena_of(st));
    }
    memcpy(&st->header, st->store->share.base, sizeof st->header);
}

static int refuse(const char *path, int rc)
{
    log_tell(LOG_KIND_cannot_run, LOG_LEVEL_ERROR, "cannot use the state file", "file", path,
             "error",
             rc == -EBUSY    ? "another process has it"
             : rc == -EINVAL ? "it is no regular file"
                             : strerror(-rc),
             NULL);
    return rc;
}

int state_open(struct state *st, const char *path, struct series_store *store,
               struct sources *sources)
{
    *st = (struct state){.kept = path != NULL, .store = store, .sources = sources, .wake = -1};
    if (path == NULL) {
        return 0;
    }
    int rc = statefile_open(&st->file, path);
    if (rc == -EBUSY || rc == -EINVAL || rc == -ENOENT || rc == -ENOTDIR || rc == -EACCES ||
        rc == -ENOMEM) {
        statefile_close(&st->file);
        st->kept = false;
        return refuse(path, rc);
    }
    st->begin_error = rc;
    arena_guard(arena_of(st));
    return 0;
}

int state_load(struct state *st, struct ingest *ingest)
{
    if (!st->kept) {
        return 0;
    }
    load(st, ingest);
    look(st);
    tell(st);
    int rc = start_syncer(st);
    return rc < 0 ? refuse(st->file.path, rc) : 0;
}

// ---- Getting back to a file

// Pages were lost with what stood in them. What was there is found missing, once all is in memory.
static void mend_lost(struct state *st, struct ingest *ingest)
{
    char *base = st->store->share.base;
    memcpy(base, &st->header, sizeof st->header);
    uint64_t gone = mend_series(st->store);
    sources_mend(st->sources, &st->hand);
    ingest_mend(ingest);
    char n[24];
    snprintf(n, sizeof n, "%" PRIu64, gone);
    log_warn("parts of the state file could not be read", "file", st->file.path, "lost_series", n,
             NULL);
}

// The workers stand still while memory is exchanged for a file.
static int begin_paused(struct state *st, struct ingest *ingest)
{
    ingest_pause(ingest);
    int rc = statefile_begin(&st->file, arena_of(st));
    if (rc == 0) {
        statefile_whole(arena_of(st));
    }
    ingest_resume(ingest);
    return rc;
}

/*
 * A file that could not be written or read is left for a new one. One that only could not grow is grown: as long
 * as it has no room, that is found out without holding the workers up.
 */
static int mend(struct state *st, struct ingest *ingest)
{
    int rc = 0;
    if (st->file.own >= 0 && (atomic_load(&st->sync_error) != 0 || arena_torn(arena_of(st)))) {
        bool torn = arena_torn(arena_of(st));
        ingest_pause(ingest);
        rc = statefile_abandon(&st->file, arena_of(st));
        if (rc == 0 && torn) {
            mend_lost(st, ingest);
        }
        ingest_resume(ingest);
        if (rc == 0) {
            st->begin_error = -EIO;
            atomic_store(&st->sync_error, 0);
        }
    }
    rc = rc < 0 ? rc : statefile_prepare(&st->file, arena_of(st));
    return rc < 0 ? rc : begin_paused(st, ingest);
}

void state_tick(struct state *st, struct ingest *ingest, uint64_t now_ms)
{
    if (!st->kept) {
        return;
    }
    atomic_store_explicit(&layout_of(st->store->share.base)->mono_ms, now_ms, memory_order_relaxed);
    sources_save(st->sources);
    look(st);
    if (atomic_load(&st->error) != 0 && now_ms >= st->retry_at && take_turn(st, TURN_MAIN)) {
        tell(st);
        int rc = mend(st, ingest);
        if (st->file.own < 0) {
            st->begin_error = rc;
        } else if (rc == 0) {
            st->begin_error = 0;
        }
        atomic_store(&st->turn, TURN_FREE);
        eventfd_write(st->wake, 1);
        st->retry_at = clock_mono_ms() + STATE_RETRY_MS;
        look(st);
    }
    tell(st);
}

void state_close(struct state *st)
{
    if (!st->kept) {
        return;
    }
    stop_syncer(st);
    sources_save(st->sources);
    // What is in memory only was told of already.
    int rc = st->file.own >= 0 ? statefile_finish(&st->file, arena_of(st)) : 0;
    if (rc < 0) {
        log_tell(LOG_KIND_state_not_kept, LOG_LEVEL_ERROR, "the state file is not complete", "file",
                 st->file.path, "error", strerror(-rc), NULL);
    }
    atomic_store(&st->n_aside, st->file.n_aside);
    tell(st);
    statefile_close(&st->file);
}
