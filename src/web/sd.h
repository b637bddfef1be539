// SPDX-License-Identifier: Apache-2.0
/*
 * sd: sources as targets of Prometheus: /sd lists them (HTTP service discovery), and /source/COMPONENT/INSTANCE is
 * what such a target answers.
 *
 * Bounds:  a list has SD_LIST_MAX bytes at most.
 * Threads: a request belongs to who has it; sd_list_write and sd_write_source on one that has joined RCU; the rest on any.
 * Memory:  sd_request_new returns new, from copies.
 * Source:  Prometheus' http_sd_config. It encodes __metrics_path__, which is percent-encoded, once more when it asks;
 *          so where no instance has the name that a path says, one does whose encoding that name is.
 */
#ifndef VE_WEB_SD_H
#define VE_WEB_SD_H

#include "base/buf.h"
#include "web/backend.h"

// Where the list is, and each target.
#define SD_PATH "/sd"
#define SD_PATH_SOURCE "/source/"

enum { SD_LIST_MAX = 64 << 20, SD_NAME_MAX = 1024 };

// What is asked for of a list.
struct sd_request {
    char *component; // of this one only; NULL: of all
    char *address;   // that all targets have
    const char *scheme;
};

// Returns NULL when there is no memory.
struct sd_request *sd_request_new(const char *component, const char *address, const char *scheme);
void sd_request_free(struct sd_request *request);

// Whether both request the same; NULL is the same as NULL only.
bool sd_request_is_same(const struct sd_request *a, const struct sd_request *b);

// Appends the list. Returns 0 or -ENOMEM.
int sd_list_write(const struct sd_request *request, const struct web_backend *backend,
                  struct buf *out);

// Whether the path is one of these.
bool sd_is_path(const char *path);

// Whether the text is a host name or an IP address (IPv6 in brackets), with a port or without.
bool sd_is_address(const char *text);

// Splits a path below SD_PATH_SOURCE in place, before it is decoded: an encoded slash is part of a name.
bool sd_split_path(char *path, char **ret_component, char **ret_instance);

// Appends the metrics of the instance, which is decoded; or else of the one that is in /sd under that text, which
// Prometheus encodes once more. Returns 0; -ENOTCONN when it is known and not
// connected, -ENOENT when it is not known, -ENOMEM.
int sd_write_source(const struct web_backend *backend, const char *component, const char *instance,
                    struct buf *out);

#endif
