// SPDX-License-Identifier: Apache-2.0
/*
 * virtrigaud-emit: sends metrics and events from a shell or a pipe.
 *
 *     args      the command line, what it says, and its exit status
 *     emit      what it asks for: one metric or event, or lines from standard input
 *     relay     lines from standard input in a session
 *     client/   the library for C, of which it uses the lower part: lines that are delivered
 */
#include "emit/emit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    bool has_input = fcntl(STDIN_FILENO, F_GETFD) >= 0;
    // The daemon's socket must not become standard input or output by its number.
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd) {
            return EMIT_USAGE;
        }
    }
    return emit_run(argc, argv, has_input ? STDIN_FILENO : -1, stdout, stderr);
}
