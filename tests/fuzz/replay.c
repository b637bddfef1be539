// SPDX-License-Identifier: Apache-2.0
/*
 * replay: feeds saved inputs to a fuzz target without the fuzzer. Each file of the folder that is
 * named, whole and cut at some places; every input lies in memory of just its size, so that
 * AddressSanitizer sees a read beyond its end.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_SIZE = 1 << 20, CUTS = 16 };

static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        perror("malloc");
        exit(1);
    }
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int replay_file(const char *path)
{
    static uint8_t data[INPUT_SIZE];
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    size_t size = fread(data, 1, sizeof data, f);
    bool whole = feof(f) && !ferror(f);
    fclose(f);
    if (!whole) {
        fprintf(stderr, "%s: cannot be read whole, or is longer than %d bytes\n", path, INPUT_SIZE);
        return -1;
    }
    for (size_t i = 0; i < CUTS; i++) {
        feed(data, size * i / CUTS);
    }
    if (size > 0) {
        feed(data, size - 1);
    }
    feed(data, size);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    DIR *dir = opendir(argv[1]);
    if (dir == NULL) {
        fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    size_t n = 0;
    int bad = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char path[PATH_MAX];
        int len = snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (len < 0 || (size_t)len >= sizeof path || replay_file(path) != 0) {
            bad++;
        }
        n++;
    }
    closedir(dir);
    printf("%zu inputs, %d unreadable\n", n, bad);
    return n > 0 && bad == 0 ? 0 : 1;
}
