// SPDX-License-Identifier: Apache-2.0
#include "series/arena.h"

#include "base/invariant.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum step { STEP_ABSENT, STEP_MEMORY, STEP_FILE };

struct arena {
    char *base;
    uint64_t size;                            // bytes reserved
    size_t page;                              // of the system: ARENA_PAGE or a multiple of it
    _Atomic uint64_t used;                    // bytes given to writers
    _Atomic uint32_t released[ARENA_CLASSES]; // heads of the shared lists
    _Atomic uint8_t *steps;                   // enum step, one per ARENA_STEP
    pthread_mutex_t step_lock;                // held while a step is made usable
    _Atomic int fd;                           // -1: no file
    _Atomic int file_error;   // 0, or why a step or a page is not in the file: -errno
    _Atomic bool corrupt;     // a page could not be read
    atomic_flag rescuing;     // held by the one thread that replaces a page, or a step
    _Atomic uint8_t *rescued; // one bit per page of the system that was replaced
};

static uint64_t steps_of(const struct arena *a)
{
    return a->size / ARENA_STEP;
}

enum { PAGE_GRANULES = ARENA_PAGE / ARENA_GRANULE };

/*
 * Classes: every granule up to 16, then four per doubling, so that rounding up wastes at most a fifth.
 */
static unsigned class_of(size_t bytes, uint32_t *ret_granules)
{
    uint32_t want = (uint32_t)((bytes + ARENA_GRANULE - 1) / ARENA_GRANULE);
    if (want <= 16) {
        want = want == 0 ? 1 : want;
        *ret_granules = want;
        return want - 1;
    }
    unsigned shift = 31 - (unsigned)__builtin_clz(want - 1) - 2;
    uint32_t granules = (want + (1u << shift) - 1) >> shift << shift;
    *ret_granules = granules;
    unsigned top = 31 - (unsigned)__builtin_clz(granules);
    unsigned quarter = (granules >> (top - 2)) & 3;
    return 16 + (top - 4) * 4 + quarter - 1;
}

static char *step_at(const struct arena *a, uint64_t step)
{
    return a->base + step * ARENA_STEP;
}

// A hole in a file that cannot be filled later ends in SIGBUS, so its blocks are asked for now.
static int allocate(int fd, uint64_t step)
{
    int err;
    do {
        err = posix_fallocate(fd, (off_t)(step * ARENA_STEP), ARENA_STEP);
    } while (err == EINTR);
    return -err;
}

static int map(struct arena *a, int fd, uint64_t step)
{
    void *p = mmap(step_at(a, step), ARENA_STEP, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                   (off_t)(step * ARENA_STEP));
    if (p == MAP_FAILED) {
        return -errno;
    }
    // All pages at once, which takes a third of the time of one fault for each. Kernels before 5.14 do not know it.
    madvise(p, ARENA_STEP, MADV_POPULATE_WRITE);
    return 0;
}

// Makes the step the file's. Returns 0 or -errno, and then it is as it was.
static int map_file(struct arena *a, int fd, uint64_t step)
{
    int rc = allocate(fd, step);
    return rc < 0 ? rc : map(a, fd, step);
}

// A file that cannot grow is not tried again for every step, but after arena_attach.
static uint8_t open_step(struct arena *a, uint64_t step)
{
    int fd = atomic_load(&a->fd);
    if (fd >= 0 && atomic_load(&a->file_error) == 0) {
        int rc = map_file(a, fd, step);
        if (rc == 0) {
            layout_extend(a->base, (step + 1) * ARENA_STEP);
            return STEP_FILE;
        }
        atomic_store(&a->file_error, rc);
    }
    if (fd >= 0) {
        layout_mark_behind(fd); // before anything is in memory only
    }
    char *at = step_at(a, step);
    int rc = mprotect(at, ARENA_STEP, PROT_READ | PROT_WRITE);
    if (rc == 0 && step > 0) {
        // With many series each line is for another place: large pages are found sooner, where the system has them.
        madvise(at, ARENA_STEP, MADV_HUGEPAGE);
    }
    return rc == 0 ? STEP_MEMORY : STEP_ABSENT;
}

static bool is_usable(const struct arena *a, uint64_t step)
{
    return atomic_load_explicit(&a->steps[step], memory_order_acquire) != STEP_ABSENT;
}

// Makes the step usable if it is not. What is usable stays so.
static int make_usable(struct arena *a, uint64_t step)
{
    if (is_usable(a, step)) {
        return 0;
    }
    pthread_mutex_lock(&a->step_lock);
    if (!is_usable(a, step)) {
        atomic_store_explicit(&a->steps[step], open_step(a, step), memory_order_release);
    }
    pthread_mutex_unlock(&a->step_lock);
    return is_usable(a, step) ? 0 : -ENOMEM;
}

// Of a limit of addresses (RLIMIT_AS) one half is for stacks, libraries and all else.
static uint64_t within_limit(uint64_t bytes)
{
    struct rlimit most;
    bool limited = getrlimit(RLIMIT_AS, &most) == 0 && most.rlim_cur != RLIM_INFINITY;
    return limited && bytes > most.rlim_cur / 2 ? most.rlim_cur / 2 : bytes;
}

int arena_new(struct arena **ret, uint64_t max_bytes)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a == NULL || pthread_mutex_init(&a->step_lock, NULL) != 0) {
        free(a);
        return -ENOMEM;
    }
    const uint64_t most = ARENA_REACH / ARENA_STEP * ARENA_STEP;
    a->size = (within_limit(max_bytes) + ARENA_STEP - 1) / ARENA_STEP * ARENA_STEP;
    a->size = a->size > most ? most : a->size < ARENA_STEP ? ARENA_STEP : a->size;
    for (;;) {
        void *p =
            mmap(NULL, a->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p != MAP_FAILED) {
            a->base = p;
            break;
        }
        if (a->size <= ARENA_STEP) {
            pthread_mutex_destroy(&a->step_lock);
            free(a);
            return -ENOMEM;
        }
        a->size = a->size / 2 / ARENA_STEP * ARENA_STEP;
    }
    a->page = (size_t)sysconf(_SC_PAGESIZE);
    a->steps = calloc(steps_of(a), sizeof *a->steps);
    a->rescued = calloc(a->size / ARENA_PAGE / 8, 1);
    atomic_init(&a->fd, -1);
    atomic_init(&a->used, ARENA_RESERVED);
    atomic_flag_clear(&a->rescuing);
    if (a->steps == NULL || a->rescued == NULL || make_usable(a, 0) < 0) {
        arena_free(a);
        return -ENOMEM;
    }
    *ret = a;
    return 0;
}

void arena_free(struct arena *a)
{
    if (a != NULL) {
        munmap(a->base, a->size);
        pthread_mutex_destroy(&a->step_lock);
        free(a->steps);
        free(a->rescued);
        free(a);
    }
}

/*
 * The step is made usable before the chunk is taken, so that nothing is lost when the system refuses it.
 * A chunk never crosses a step, since the one is a multiple of the other.
 */
static int take_chunk(struct arena *a, struct arena_writer *writer)
{
    static_assert(ARENA_STEP % ARENA_CHUNK == 0, "a chunk lies in one step");
    uint64_t at = atomic_load_explicit(&a->used, memory_order_relaxed);
    do {
        if (at + ARENA_CHUNK > a->size) {
            return -ENOMEM;
        }
        int rc = make_usable(a, at / ARENA_STEP);
        if (rc < 0) {
            return rc;
        }
        // Another round: another thread has taken this chunk, and chunks come to an end.
    } while (!atomic_compare_exchange_weak_explicit(&a->used, &at, at + ARENA_CHUNK,
                                                    memory_order_relaxed, memory_order_relaxed));
    writer->next = (uint32_t)(at / ARENA_GRANULE);
    writer->end = (uint32_t)((at + ARENA_CHUNK) / ARENA_GRANULE);
    return 0;
}

// A released piece's first four bytes hold the handle of the next one.
static uint32_t next_of(const struct arena *a, uint32_t handle)
{
    uint32_t next;
    memcpy(&next, arena_at(a->base, handle), sizeof next);
    return next;
}

static void push(struct arena *a, unsigned class, uint32_t handle)
{
    uint32_t head = atomic_load_explicit(&a->released[class], memory_order_relaxed);
    do {
        memcpy(arena_at(a->base, handle), &head, sizeof head);
        // Another round: another thread changed the list, and has gone on.
    } while (!atomic_compare_exchange_weak_explicit(&a->released[class], &head, handle,
                                                    memory_order_release, memory_order_relaxed));
}

/*
 * A writer takes the whole shared list at once, so that no other thread reads what it then changes, and no handle can come
 * back between a load and the exchange.
 */
static uint32_t take_released(struct arena *a, struct arena_writer *writer, unsigned class)
{
    if (writer->free[class] == 0 &&
        atomic_load_explicit(&a->released[class], memory_order_relaxed) != 0) {
        writer->free[class] =
            atomic_exchange_explicit(&a->released[class], 0, memory_order_acquire);
    }
    uint32_t handle = writer->free[class];
    if (handle != 0) {
        writer->free[class] = next_of(a, handle);
    }
    return handle;
}

// Where a piece may begin, at or behind `at`.
static uint32_t within_page(uint32_t at, uint32_t granules)
{
    uint32_t in_page = at % PAGE_GRANULES;
    return in_page == 0 || in_page + granules <= PAGE_GRANULES ? at : at - in_page + PAGE_GRANULES;
}

uint32_t arena_alloc(struct arena *a, struct arena_writer *writer, size_t bytes)
{
    invariant(bytes <= ARENA_MAX_PIECE, "a piece of the arena has at most ARENA_MAX_PIECE bytes");
    uint32_t granules;
    unsigned class = class_of(bytes, &granules);
    uint32_t handle = take_released(a, writer, class);
    if (handle != 0) {
        memset(arena_at(a->base, handle), 0, (size_t)granules * ARENA_GRANULE);
        return handle;
    }
    uint32_t at = within_page(writer->next, granules);
    if (writer->end < at + granules) {
        if (take_chunk(a, writer) < 0) {
            return 0;
        }
        at = writer->next;
    }
    writer->next = at + granules;
    invariant(writer->next <= writer->end, "a piece lies in its writer's chunk");
    return at;
}

void arena_release(struct arena *a, uint32_t handle, size_t bytes)
{
    uint32_t granules;
    invariant(bytes <= ARENA_MAX_PIECE, "a piece of the arena has at most ARENA_MAX_PIECE bytes");
    unsigned class = class_of(bytes, &granules);
    invariant(handle >= ARENA_RESERVED / ARENA_GRANULE &&
                  ((uint64_t)handle + granules) * ARENA_GRANULE <= arena_used(a),
              "a released piece was allocated");
    push(a, class, handle);
}

uint64_t arena_used(const struct arena *a)
{
    return atomic_load_explicit(&a->used, memory_order_relaxed);
}

char *arena_base(const struct arena *a)
{
    return a->base;
}

// ---- Into a file and out of it

static int write_step(const struct arena *a, int fd, uint64_t step)
{
    for (size_t at = 0; at < ARENA_STEP;) {
        ssize_t n =
            pwrite(fd, step_at(a, step) + at, ARENA_STEP - at, (off_t)(step * ARENA_STEP + at));
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int arena_reserve(struct arena *a, int fd)
{
    for (uint64_t step = 0; step < steps_of(a); step++) {
        int rc = atomic_load(&a->steps[step]) == STEP_MEMORY ? allocate(fd, step) : 0;
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int arena_attach(struct arena *a, int fd)
{
    for (uint64_t step = 0; step < steps_of(a); step++) {
        if (atomic_load(&a->steps[step]) != STEP_MEMORY) {
            continue;
        }
        int rc = allocate(fd, step);
        rc = rc < 0 ? rc : write_step(a, fd, step);
        rc = rc < 0 ? rc : map(a, fd, step);
        if (rc < 0) {
            atomic_store(&a->file_error, rc);
            return rc;
        }
        atomic_store(&a->steps[step], STEP_FILE);
        layout_extend(a->base, (step + 1) * ARENA_STEP);
    }
    atomic_store(&layout_of(a->base)->behind, 0);
    atomic_store(&a->fd, fd);
    atomic_store(&a->file_error, 0);
    return 0;
}

// Held for two or three system calls, without looking at a page of the file, which may end in the handler.
static void rescue_lock(struct arena *a)
{
    while (atomic_flag_test_and_set(&a->rescuing)) {
        sched_yield();
    }
}

static void rescue_unlock(struct arena *a)
{
    atomic_flag_clear(&a->rescuing);
}

/*
 * The handler of SIGBUS may want to replace a page of a step meanwhile. It finds the step to be memory then, and leaves it
 * alone.
 */
int arena_detach(struct arena *a)
{
    for (uint64_t step = 0; step < steps_of(a); step++) {
        if (atomic_load(&a->steps[step]) != STEP_FILE) {
            continue;
        }
        void *copy =
            mmap(NULL, ARENA_STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (copy == MAP_FAILED) {
            return -ENOMEM;
        }
        memcpy(copy, step_at(a, step), ARENA_STEP);
        rescue_lock(a);
        // In one step for threads that read meanwhile: they see the old page or the new one.
        bool moved = mremap(copy, ARENA_STEP, ARENA_STEP, MREMAP_MAYMOVE | MREMAP_FIXED,
                            step_at(a, step)) != MAP_FAILED;
        if (moved) {
            atomic_store(&a->steps[step], STEP_MEMORY);
        }
        rescue_unlock(a);
        if (!moved) {
            munmap(copy, ARENA_STEP);
            return -ENOMEM;
        }
    }
    rescue_lock(a);
    memset((void *)a->rescued, 0, a->size / ARENA_PAGE / 8);
    atomic_store(&a->fd, -1);
    atomic_store(&a->corrupt, false);
    rescue_unlock(a);
    return 0;
}

int arena_file_error(const struct arena *a)
{
    return atomic_load(&a->file_error);
}

bool arena_is_corrupt(const struct arena *a)
{
    return atomic_load(&a->corrupt);
}

uint64_t arena_file_bytes(const struct arena *a)
{
    uint64_t n = 0;
    for (uint64_t step = 0; step < steps_of(a); step++) {
        n += atomic_load_explicit(&a->steps[step], memory_order_relaxed) == STEP_FILE;
    }
    return n * ARENA_STEP;
}

// ---- Pages that cannot be read

static _Atomic(struct arena *) guarded;

/*
 * In a signal handler, for a thread that was about to use the page: only calls that are safe there. Of several
 * threads at the same page one replaces it; the others wait for its two calls of the kernel, find it done and use it.
 * `broken` is memory of the machine that fails: no page of a file, and met again for ever.
 */
static bool rescue(struct arena *a, uint64_t at, bool broken)
{
    uint64_t page = at / a->page;
    uint8_t bit = (uint8_t)(1u << page % 8);
    bool done = true;
    rescue_lock(a);
    if (atomic_load(&a->steps[at / ARENA_STEP]) == STEP_MEMORY) {
        done = !broken; // it has become memory meanwhile
    } else if ((atomic_load(&a->rescued[page / 8]) & bit) == 0) {
        char *from = a->base + page * a->page;
        done = mmap(from, a->page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                    -1, 0) != MAP_FAILED;
        if (done) {
            // What the file still gives; else the page begins with nothing in it.
            ssize_t n = pread(atomic_load(&a->fd), from, a->page, (off_t)(page * a->page));
            (void)n;
            layout_mark_behind(atomic_load(&a->fd));
            atomic_fetch_or(&a->rescued[page / 8], bit);
            atomic_store(&a->file_error, -EIO);
            atomic_store(&a->corrupt, true);
        }
    }
    rescue_unlock(a);
    return done;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    (void)context;
    int saved = errno;
    struct arena *a = atomic_load(&guarded);
    const char *at = info->si_addr;
    bool ours = info->si_code > 0 && a != NULL && at >= a->base && at < a->base + a->size;
    bool broken = info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO;
    if (!ours || !rescue(a, (uint64_t)(at - a->base), broken)) {
        signal(number, SIG_DFL); // met again at once, and deadly
        if (info->si_code <= 0) {
            raise(number);
        }
    }
    errno = saved;
}

void arena_guard(struct arena *a)
{
    atomic_store(&guarded, a);
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    if (a == NULL) {
        action = (struct sigaction){.sa_handler = SIG_DFL};
    }
    sigaction(SIGBUS, &action, NULL);
}
