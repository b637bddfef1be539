// SPDX-License-Identifier: Apache-2.0
// The arena's way into a file and out of it, and what is done when the file fails.
#include "series/arena_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
    // All pages at once, which costs a third of one fault for each. Kernels before 5.14 do not know it.
    madvise(p, ARENA_STEP, MADV_POPULATE_WRITE);
    return 0;
}

int arena_map_file(struct arena *a, int fd, uint64_t step)
{
    int rc = allocate(fd, step);
    return rc < 0 ? rc : map(a, fd, step);
}

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
    for (uint64_t step = 0; step < arena_steps(a); step++) {
        int rc = atomic_load(&a->steps[step]) == STEP_MEMORY ? allocate(fd, step) : 0;
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int arena_attach(struct arena *a, int fd)
{
    for (uint64_t step = 0; step < arena_steps(a); step++) {
        if (atomic_load(&a->steps[step]) != STEP_MEMORY) {
            continue;
        }
        int rc = allocate(fd, step);
        rc = rc < 0 ? rc : write_step(a, fd, step);
        rc = rc < 0 ? rc : map(a, fd, step);
        if (rc < 0) {
            atomic_store(&a->adrift, rc);
            return rc;
        }
        atomic_store(&a->steps[step], STEP_FILE);
    }
    atomic_store(&a->fd, fd);
    atomic_store(&a->adrift, 0);
    return 0;
}

int arena_detach(struct arena *a)
{
    for (uint64_t step = 0; step < arena_steps(a); step++) {
        if (atomic_load(&a->steps[step]) != STEP_FILE) {
            continue;
        }
        void *copy =
            mmap(NULL, ARENA_STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (copy == MAP_FAILED) {
            return -ENOMEM;
        }
        memcpy(copy, step_at(a, step), ARENA_STEP);
        // One step for whoever reads meanwhile: the old page or the new one, never none.
        if (mremap(copy, ARENA_STEP, ARENA_STEP, MREMAP_MAYMOVE | MREMAP_FIXED, step_at(a, step)) ==
            MAP_FAILED) {
            munmap(copy, ARENA_STEP);
            return -ENOMEM;
        }
        atomic_store(&a->steps[step], STEP_MEMORY);
    }
    memset((void *)a->rescued, 0, a->size / ARENA_PAGE / 8);
    atomic_store(&a->fd, -1);
    atomic_store(&a->torn, false);
    return 0;
}

int arena_adrift(const struct arena *a)
{
    return atomic_load(&a->adrift);
}

bool arena_torn(const struct arena *a)
{
    return atomic_load(&a->torn);
}

uint64_t arena_file_bytes(const struct arena *a)
{
    uint64_t n = 0;
    for (uint64_t step = 0; step < arena_steps(a); step++) {
        n += atomic_load_explicit(&a->steps[step], memory_order_relaxed) == STEP_FILE;
    }
    return n * ARENA_STEP;
}

// ---- Pages that cannot be read

static _Atomic(struct arena *) guarded;

/*
 * In a signal handler, for a thread that was about to use the page: only calls that are safe there. Of several
 * threads at the same page one replaces it; the others find it done and use it.
 */
static bool rescue(struct arena *a, uint64_t page)
{
    uint8_t bit = (uint8_t)(1u << page % 8);
    bool done = true;
    while (atomic_flag_test_and_set(&a->rescuing)) {
        sched_yield();
    }
    if ((atomic_load(&a->rescued[page / 8]) & bit) == 0) {
        char *at = a->base + page * ARENA_PAGE;
        done = mmap(at, ARENA_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                    -1, 0) != MAP_FAILED;
        if (done) {
            // What the file still gives; else the page begins with nothing in it.
            ssize_t n = pread(atomic_load(&a->fd), at, ARENA_PAGE, (off_t)(page * ARENA_PAGE));
            (void)n;
            atomic_fetch_or(&a->rescued[page / 8], bit);
            atomic_store(&a->adrift, -EIO);
            atomic_store(&a->torn, true);
        }
    }
    atomic_flag_clear(&a->rescuing);
    return done;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    (void)context;
    int saved = errno;
    struct arena *a = atomic_load(&guarded);
    const char *at = info->si_addr;
    bool ours = info->si_code > 0 && a != NULL && at >= a->base && at < a->base + a->size;
    if (!ours || !rescue(a, (uint64_t)(at - a->base) / ARENA_PAGE)) {
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
