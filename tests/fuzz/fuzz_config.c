// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_config: a config file, or, when the input begins with --, a command line: an argument in each line up to an
 * empty one, and behind that the config file. It is accepted, or refused with problems that say where; and so it is
 * again. What a flag has set stays, whatever the file says.
 */
#include "daemon/config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARGS_MOST = 128 }; // those of an input; what is beyond is the config file

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

// Each argument in memory of just its size. Returns how many bytes they took.
static size_t split(const char *data, size_t size, int *argc, char **argv)
{
    size_t at = 0;
    for (int n = 0; n < ARGS_MOST && at < size; n++) {
        const char *end = memchr(data + at, '\n', size - at);
        size_t len = end != NULL ? (size_t)(end - data) - at : size - at;
        if (len > 0) {
            argv[*argc] = strndup(data + at, len);
            must(argv[(*argc)++] != NULL, "no memory");
        }
        at += len + (end != NULL);
        if (len == 0) {
            break;
        }
    }
    return at;
}

static void check_texts(const struct config *c)
{
    struct buf text = BUF_INIT;
    if (c->action == CONFIG_HELP) {
        config_help(&text);
    } else {
        config_version(&text);
    }
    must(text.len > 0 && text.p[text.len - 1] == '\n', "the text has no end");
    buf_free(&text);
}

static void check_accepted(const struct config *c, int argc, char **argv, struct errs *errs)
{
    struct config *again = NULL;
    must(config_reload(&again, c, errs) == 0, "the same is refused on a reload");
    config_free(again);
    struct config *flags = calloc(1, sizeof *flags);
    must(flags != NULL && config_read_options(flags, argc, argv, errs) == 0 && !errs_has_any(errs),
         "the same flags are refused");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        must((flags->origins[i].set_by == CONFIG_BY_FLAG) ==
                 (c->origins[i].set_by == CONFIG_BY_FLAG),
             "nobody knows whether a flag was given");
        must(flags->origins[i].set_by != CONFIG_BY_FLAG ||
                 setting_is_equal(&settings_table[i], flags, c),
             "the file beats a flag");
    }
    config_free(flags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("config", MFD_CLOEXEC);
    char flag[64];
    char name[] = "virtrigaud-exporter";
    snprintf(flag, sizeof flag, "--config.file=/proc/self/fd/%d", fd);
    char *argv[ARGS_MOST + 3] = {name, flag};
    int argc = 2;
    bool by_flags = size >= 2 && memcmp(data, "--", 2) == 0;
    size_t taken = by_flags ? split((const char *)data, size, &argc, argv) : 0;
    must(fd >= 0 && write(fd, data + taken, size - taken) == (ssize_t)(size - taken),
         "no file in memory");
    struct errs errs = ERRS_INIT;
    struct config *c = NULL;
    int rc = config_load(&c, argc, argv, &errs);
    must((rc == 0) == (c != NULL) && (rc == 0) == !errs_has_any(&errs),
         "result and problems differ");
    if (c != NULL) {
        check_texts(c);
        check_accepted(c, argc, argv, &errs);
    } else {
        struct buf text = BUF_INIT;
        errs_write(&errs, &text);
        must(text.len > 16 && text.p[0] != ':' &&
                 (by_flags || memcmp(text.p, "/proc/self/fd/", 14) == 0),
             "nobody says where");
        buf_free(&text);
    }
    config_free(c);
    errs_free(&errs);
    while (argc > 2) {
        free(argv[--argc]);
    }
    close(fd);
    return 0;
}
