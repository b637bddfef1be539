// SPDX-License-Identifier: Apache-2.0
#include "daemon/config_who.h"

#include "base/num.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Whether the text is a number below 2^32 - 1, which stands for nobody.
static bool read_id(const char *text, uint64_t *ret)
{
    size_t len = strlen(text);
    return len > 0 && len <= 10 && strspn(text, "0123456789") == len &&
           num_parse_u64(text, ret) == 0 && *ret < UINT32_MAX;
}

int who_user(const char *name, uid_t *ret)
{
    uint64_t id;
    const struct passwd *user = getpwnam(name);
    if (user != NULL) {
        *ret = user->pw_uid;
    } else if (read_id(name, &id)) {
        *ret = (uid_t)id;
    } else {
        return -ENOENT;
    }
    return 0;
}

int who_group(const char *name, gid_t *ret)
{
    uint64_t id;
    const struct group *group = getgrnam(name);
    if (group != NULL) {
        *ret = group->gr_gid;
    } else if (read_id(name, &id)) {
        *ret = (gid_t)id;
    } else {
        return -ENOENT;
    }
    return 0;
}

static int compare_users(const void *a, const void *b)
{
    uid_t x = *(const uid_t *)a;
    uid_t y = *(const uid_t *)b;
    return x < y ? -1 : x > y;
}

int who_members(gid_t group, uid_t **ret, size_t *ret_n)
{
    const struct group *g = getgrgid(group);
    size_t n = 0;
    while (g != NULL && g->gr_mem[n] != NULL) {
        n++;
    }
    uid_t *users = n > 0 ? calloc(n, sizeof *users) : NULL;
    if (n > 0 && users == NULL) {
        return -ENOMEM;
    }
    size_t known = 0;
    for (size_t i = 0; i < n; i++) {
        const struct passwd *user = getpwnam(g->gr_mem[i]);
        if (user != NULL) {
            users[known++] = user->pw_uid;
        }
    }
    if (known > 0) {
        qsort(users, known, sizeof *users, compare_users);
    }
    *ret = users;
    *ret_n = known;
    return 0;
}
