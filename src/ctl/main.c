// SPDX-License-Identifier: Apache-2.0
/*
 * virtrigaud-ctl: looks into a running virtrigaud-exporter, and tells it to forget, delete and reload.
 *
 *     command   the command line
 *     answer    the daemon's socket: a request, and the lines of its answer
 *     view      text, tables and the rows of answers for a terminal
 *     top       the live view
 *     ctl       the commands
 */
#include "ctl/ctl.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    // The daemon's socket must not become standard input or output by its number.
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd) {
            return CTL_USAGE;
        }
    }
    return ctl_run(argc, argv, stdout, stderr);
}
