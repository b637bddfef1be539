// SPDX-License-Identifier: Apache-2.0
/*
 * memcpy: how fast this machine copies memory, by which limits of time are judged. Prints gigabytes copied
 * per second of CPU time, the median of seven copies of 64 MiB.
 */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 64 << 20, TIMES = 7 };

int main(void)
{
    char *from = malloc(SIZE);
    char *to = malloc(SIZE);
    uint64_t taken[TIMES];
    if (from == NULL || to == NULL) {
        tool_die("malloc");
    }
    memset(from, 1, SIZE);
    memset(to, 2, SIZE);
    for (int i = 0; i < TIMES; i++) {
        from[i] = (char)i;
        uint64_t begin = tool_cpu_ns();
        memcpy(to, from, SIZE);
        __asm__ volatile("" : : "r"(to) : "memory");
        taken[i] = tool_cpu_ns() - begin;
    }
    qsort(taken, TIMES, sizeof taken[0], tool_compare);
    printf("{\"gb_per_second\":%.3f}\n", (double)SIZE / (double)taken[TIMES / 2]);
    free(from);
    free(to);
    return 0;
}
