// SPDX-License-Identifier: Apache-2.0
// fuzz_config: a config file. It is accepted, or refused with problems that name it; and so it is again.
#include "daemon/config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("config", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size, "no file in memory");
    char flag[64];
    char name[] = "virtrigaud-exporter";
    snprintf(flag, sizeof flag, "--config.file=/proc/self/fd/%d", fd);
    char *argv[] = {name, flag, NULL};
    struct errs errs = ERRS_INIT;
    struct config *c = NULL;
    int rc = config_load(&c, 2, argv, &errs);
    must((rc == 0) == (c != NULL) && (rc == 0) == !errs_any(&errs), "result and problems differ");
    if (c != NULL) {
        struct config *again = NULL;
        must(config_reload(&again, c, &errs) == 0, "the same file is refused on a reload");
        config_free(again);
    } else {
        struct buf text = BUF_INIT;
        errs_write(&errs, &text);
        must(text.len > 16 && memcmp(text.p, "/proc/self/fd/", 14) == 0, "nobody says where");
        buf_free(&text);
    }
    config_free(c);
    errs_free(&errs);
    close(fd);
    return 0;
}
