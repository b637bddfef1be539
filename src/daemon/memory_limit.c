// SPDX-License-Identifier: Apache-2.0
#include "daemon/memory_limit.h"

#include "base/num.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// The path behind "0::" in a list of groups, without its newline. Returns whether there is one.
static bool read_group(const char *list, char path[static PATH_MAX])
{
    FILE *f = fopen(list, "re");
    bool found = false;
    while (f != NULL && !found && fgets(path, PATH_MAX, f) != NULL) {
        found = strncmp(path, "0::/", 4) == 0;
    }
    if (f != NULL) {
        fclose(f);
    }
    if (found) {
        memmove(path, path + 3, strlen(path + 3) + 1);
        path[strcspn(path, "\n")] = '\0';
    }
    return found;
}

// UINT64_MAX where there is no file, or it says "max".
static uint64_t read_max(const char *root, const char *group)
{
    char path[2 * PATH_MAX];
    char text[32] = "";
    uint64_t max;
    snprintf(path, sizeof path, "%s%s/memory.max", root, group);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return UINT64_MAX;
    }
    bool read = fgets(text, sizeof text, f) != NULL;
    fclose(f);
    text[strcspn(text, "\n")] = '\0';
    return read && num_parse_u64(text, &max) == 0 ? max : UINT64_MAX;
}

uint64_t memory_limit_of_group(const char *list, const char *root)
{
    char group[PATH_MAX];
    uint64_t most = UINT64_MAX;
    if (read_group(list, group)) {
        for (char *slash = group; slash != NULL;) {
            most = least(most, read_max(root, group));
            slash = strrchr(group, '/');
            if (slash != NULL) {
                *slash = '\0';
            }
        }
    }
    return most;
}

uint64_t memory_limit(void)
{
    uint64_t most = UINT64_MAX;
    struct rlimit addresses;
    long pages = sysconf(_SC_PHYS_PAGES);
    long size = sysconf(_SC_PAGESIZE);
    if (pages > 0 && size > 0) {
        most = (uint64_t)pages * (uint64_t)size;
    }
    if (getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY) {
        most = least(most, addresses.rlim_cur);
    }
    return least(most, memory_limit_of_group("/proc/self/cgroup", "/sys/fs/cgroup"));
}
