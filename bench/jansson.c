// SPDX-License-Identifier: Apache-2.0
/*
 * jansson: what the JSON library alone takes for a file of lines, with the flags that the daemon uses.
 * Prints the lines, and the CPU seconds that reading them into trees and freeing these took.
 */
#include "tool.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum {
    FLAGS = JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL | JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
};

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: jansson FILE\n");
        return 2;
    }
    struct tool_text t = tool_read(argv[1]);
    uint64_t lines = 0;
    uint64_t begin = tool_cpu_ns();
    const char *newline;
    for (const char *at = t.p; at < t.p + t.len; at = newline + 1, lines++) {
        newline = memchr(at, '\n', (size_t)(t.p + t.len - at));
        json_t *root = newline != NULL ? json_loadb(at, (size_t)(newline - at), FLAGS, NULL) : NULL;
        if (root == NULL) {
            errno = EINVAL;
            tool_die("a line is no JSON");
        }
        json_decref(root);
    }
    printf("{\"lines\":%llu,\"cpu\":%.9f}\n", (unsigned long long)lines,
           (double)(tool_cpu_ns() - begin) / 1e9);
    return 0;
}
