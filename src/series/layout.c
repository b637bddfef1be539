// SPDX-License-Identifier: Apache-2.0
#include "series/layout.h"

#include "base/clock.h"
#include "series/key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char MAGIC[8] = "VGSTATE\n";
static const uint32_t ORDER = 0x01020304;

// Leaves it empty where the system has none.
static void read_boot(char out[LAYOUT_BOOT])
{
    memset(out, 0, LAYOUT_BOOT);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ssize_t n = read(fd, out, LAYOUT_BOOT - 1);
    close(fd);
    memset(out + (n < 0 ? 0 : n), 0, (size_t)(LAYOUT_BOOT - (n < 0 ? 0 : n)));
}

static uint64_t check_of(const struct layout *l)
{
    return key_hash_with(l, offsetof(struct layout, check), ORDER);
}

void layout_init(char *base, uint32_t lease_from)
{
    struct layout *l = layout_of(base);
    memcpy(l->magic, MAGIC, sizeof l->magic);
    l->version = LAYOUT_VERSION;
    l->order = ORDER;
    l->seed = key_random();
    read_boot(l->boot);
    l->lease_from = lease_from;
    l->check = check_of(l);
    atomic_store(&l->phase, LAYOUT_BUILDING);
    atomic_store(&l->mono_ms, clock_mono_ms());
}

bool layout_is_good(const char *base)
{
    struct layout l;
    memcpy(&l, base, sizeof l);
    return memcmp(l.magic, MAGIC, sizeof l.magic) == 0 && l.version >= LAYOUT_OLDEST &&
           l.version <= LAYOUT_VERSION && l.order == ORDER && l.check == check_of(&l) &&
           l.boot[LAYOUT_BOOT - 1] == '\0';
}

bool layout_is_of_this_boot(const char *base)
{
    char now[LAYOUT_BOOT];
    struct layout l;
    memcpy(&l, base, sizeof l);
    read_boot(now);
    return now[0] != '\0' && memcmp(now, l.boot, sizeof now) == 0;
}

int layout_mark_behind(int fd)
{
    const uint32_t behind = 1;
    ssize_t n = pwrite(fd, &behind, sizeof behind, offsetof(struct layout, behind));
    return n == sizeof behind ? 0 : n < 0 ? -errno : -EIO;
}

void layout_extend(char *base, uint64_t reach)
{
    _Atomic uint64_t *at = &layout_of(base)->reach;
    uint64_t seen = atomic_load(at);
    // Ends: it only grows, so each failure of the exchange brings it nearer to `reach`.
    while (seen < reach && !atomic_compare_exchange_weak(at, &seen, reach)) {
    }
}

uint64_t layout_span(uint64_t size)
{
    uint64_t pages = (size + LAYOUT_PAGE - 1) / LAYOUT_PAGE;
    return pages == 0 ? LAYOUT_PAGE : (pages + LAYOUT_SUMS - 1) / LAYOUT_SUMS * LAYOUT_PAGE;
}

uint64_t layout_sum(const char *base, uint64_t size, uint64_t span)
{
    uint64_t bytes = layout_span(size);
    uint64_t from = span * bytes < LAYOUT_REDO_AT ? LAYOUT_REDO_AT : span * bytes;
    uint64_t to = (span + 1) * bytes < size ? (span + 1) * bytes : size;
    return from < to ? key_hash_with(base + from, to - from, span) : 0;
}

uint64_t layout_digest(const char *base)
{
    struct layout l;
    memcpy(&l, base, sizeof l);
    uint64_t figures[2] = {atomic_load(&l.mono_ms), l.size};
    return key_hash_with(base + LAYOUT_SUMS_AT, LAYOUT_REDO_AT - LAYOUT_SUMS_AT,
                         key_hash_with(figures, sizeof figures, ORDER));
}

void layout_close(char *base, uint64_t size)
{
    struct layout *l = layout_of(base);
    uint64_t bytes = layout_span(size);
    for (uint64_t i = 0; i * bytes < size; i++) {
        layout_sums(base)[i] = layout_sum(base, size, i);
    }
    l->size = size;
    atomic_store(&l->mono_ms, clock_mono_ms());
    l->digest = layout_digest(base);
    atomic_store(&l->phase, LAYOUT_CLEAN);
}
