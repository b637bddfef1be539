#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# plain.sh SOCKET < LINES: pushes lines where neither virtrigaud-emit nor socat is installed; the perl that every Debian
# has opens the socket. Waits 5 seconds at most for the daemon, and prints what it refuses.
# Exit status: 0 all applied, 1 some refused, 3 no answer. Without a session: to send again after a 3 may count twice.
#
#     printf '%s\n' '{"event":"task_started","labels":{"provider_type":"vsphere","provider":"vc1"}}' |
#         ./plain.sh /run/virtrigaud-exporter/events.sock
exec perl -MIO::Socket::UNIX -e '
    my @lines = <STDIN>;
    $SIG{PIPE} = "IGNORE";
    $SIG{ALRM} = sub { exit 3 };
    alarm 5;
    my $daemon = IO::Socket::UNIX->new(Peer => $ARGV[0]) or exit 3;
    print $daemon @lines, "\n{\"sync\":\"plain.sh\"}\n";
    $daemon->flush;
    while (<$daemon>) {
        exit($1 > 0) if /^\{"sync":"plain\.sh","applied":\d+,"rejected":(\d+)/;
        print;
    }
    exit 3;
' "$1"
