// SPDX-License-Identifier: Apache-2.0
/*
 * virtrigaud-emit: sends metrics and events from a shell or a pipe.
 *
 *     args      the command line
 *     emit      what it asks for: one metric or event, or
 *     pump      lines from standard input,
 *     relay     also in a session
 *     client    the client that other programs can take
 *     link      its connection
 *     queue     its lines
 *     stream    the daemon's socket
 *     wire      lines and replies as text
 */
#include "emit/emit.h"

#include <signal.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    return emit_run(argc, argv, STDIN_FILENO, stdout, stderr);
}
