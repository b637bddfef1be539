// SPDX-License-Identifier: Apache-2.0
#include "series/layout.h"

#include "base/clock.h"
#include "series/key.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static const char MAGIC[8] = "VGSTATE\n";
static const uint32_t ORDER = 0x01020304;

// Leaves it empty where the system does not tell.
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

void layout_init(char *base, uint32_t life_from)
{
    struct layout *l = layout_of(base);
    memcpy(l->magic, MAGIC, sizeof l->magic);
    l->version = LAYOUT_VERSION;
    l->order = ORDER;
    l->seed = 0;
    if (getrandom(&l->seed, sizeof l->seed, GRND_NONBLOCK) != sizeof l->seed) {
        l->seed = clock_mono_ns() * 0x9E3779B97F4A7C15u ^ (uint64_t)getpid();
    }
    read_boot(l->boot);
    l->life_from = life_from;
    l->check = check_of(l);
    atomic_store(&l->phase, LAYOUT_BUILDING);
    atomic_store(&l->mono_ms, clock_mono_ms());
}

bool layout_is_good(const char *base)
{
    struct layout l;
    memcpy(&l, base, sizeof l);
    return memcmp(l.magic, MAGIC, sizeof l.magic) == 0 && l.version == LAYOUT_VERSION &&
           l.order == ORDER && l.check == check_of(&l) && l.boot[LAYOUT_BOOT - 1] == '\0';
}

bool layout_is_of_this_boot(const char *base)
{
    char now[LAYOUT_BOOT];
    struct layout l;
    memcpy(&l, base, sizeof l);
    read_boot(now);
    return now[0] != '\0' && memcmp(now, l.boot, sizeof now) == 0;
}

uint64_t layout_digest(const char *base, uint64_t size)
{
    return size > ARENA_PAGE ? key_hash_with(base + ARENA_PAGE, size - ARENA_PAGE, ORDER) : 0;
}
