# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Pushes from a script that runs for long, each line counted once, whatever restarts meanwhile. Source it:
#
#     . ./session.sh
#     virtrigaud_open manager backup
#     virtrigaud_push --event task_started provider_type=vsphere provider=vc1
#     virtrigaud_push --op add virtrigaud_errors_total reason=disk component=manager 1
#     virtrigaud_close || echo "some were refused, or lost"
#
# One virtrigaud-emit runs beside the script and keeps what the daemon has not acknowledged (up to 1 MiB; the kernel
# keeps 64 KiB more on the way there). virtrigaud_push takes the words of virtrigaud-emit, of which it borrows the
# spelling of a line; it never waits: when all that is full, the line is dropped and counted in virtrigaud_lost.
# A line may have at most 4096 bytes, so that lines of several processes do not mix. Descriptor 9 is used.
# VIRTRIGAUD_EVENTS_SOCKET names the socket if it is not the default one.

# virtrigaud_open COMPONENT INSTANCE
virtrigaud_open() {
    virtrigaud_lost=0
    virtrigaud_dir=$(mktemp -d) && mkfifo "$virtrigaud_dir/lines" || return
    # Opened for both ways, so that it waits for nobody and its reader sees no end before virtrigaud_close.
    exec 9<>"$virtrigaud_dir/lines"
    virtrigaud-emit --component "$1" --instance "$2" --session <"$virtrigaud_dir/lines" 9>&- &
    virtrigaud_pid=$!
}

# virtrigaud_push [OPTION...] NAME [LABEL=VALUE...] [VALUE]
virtrigaud_push() {
    virtrigaud_line=$(virtrigaud-emit --dry-run "$@") || return
    if [ ${#virtrigaud_line} -ge 4096 ] || ! printf '%s\n' "$virtrigaud_line" |
        dd of="$virtrigaud_dir/lines" bs=4096 oflag=nonblock conv=notrunc status=none 2>/dev/null; then
        virtrigaud_lost=$((virtrigaud_lost + 1))
    fi
}

# Waits for the daemon's last word. Returns what virtrigaud-emit exits with.
virtrigaud_close() {
    exec 9>&-
    wait "$virtrigaud_pid"
    set -- $?
    rm -r "$virtrigaud_dir"
    return "$1"
}
