// SPDX-License-Identifier: Apache-2.0
/*
 * webfile: the web configuration (web.config_file), read again when it or a file that it names changes.
 *
 * Shape:   the tick looks at the files; one that is wrong is rejected with its reasons in the log, and the one
 *          before stays in force.
 * Threads: the main thread.
 * Memory:  webfile_close gives back what it remembers of the files.
 */
#ifndef VE_DAEMON_WEBFILE_H
#define VE_DAEMON_WEBFILE_H

#include "expose/self.h"
#include "web/web.h"

struct webfile {
    struct webconf_files seen; // the files as they were read last
    bool rejected; // their last reading, and that alone, made the last reload read as failed
};

// Puts the file (NULL: none) in force. Returns 0; or -errno with the reasons in `problem`.
int webfile_open(struct webfile *f, struct web *web, const char *path, struct buf *problem);

// Takes over what a reload has read, and puts it in force.
void webfile_replace(struct webfile *f, struct web *web, struct web_config *web_config,
                     struct webconf_files *seen);

void webfile_tick(struct webfile *f, struct web *web, struct self *self, const char *path);

void webfile_close(struct webfile *f);

#endif
