# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Pushes from a script that runs for long, each line counted once, whatever restarts meanwhile. Source it:
#
#     . ./session.sh
#     virtrigaud_open manager backup
#     virtrigaud_push --event task_started provider_type=vsphere provider=vc1
#     virtrigaud_push --op add virtrigaud_errors_total reason=disk component=manager 1
#     virtrigaud_gauge add virtrigaud_queue_depth kind=VMSet -1
#     virtrigaud_close || echo "some were refused, or lost"
#
# Why there is no connection is said on standard error, and that there is one again; each gauge is sent again then.
# A subshell pushes over the same virtrigaud-emit, with copies of the gauges and of virtrigaud_lost. One virtrigaud-emit runs beside the script and keeps what the daemon has not acknowledged (up to 1 MiB; the kernel
# keeps 64 KiB more on the way there). virtrigaud_push takes the arguments of virtrigaud-emit. It never waits, and it
# returns 0 whatever happens, so that it may be called under `set -eu`: what cannot be sent is counted in virtrigaud_lost.
# A line may have at most 4096 bytes, so that lines of several processes do not mix.
#
# When the script ends without virtrigaud_close, or is killed, virtrigaud-emit sends what it has and ends, also if programs of
# the script go on; there is no file to remove. It ends by itself when there was no daemon for VIRTRIGAUD_TIMEOUT seconds (30).
# VIRTRIGAUD_EVENTS_SOCKET names the socket if it is not the default one. Descriptor 9 is used: a program that the script leaves
# behind in the background before virtrigaud_close is started with `9>&-`, or virtrigaud_close waits for it.

virtrigaud_lost=0
virtrigaud_pid=
virtrigaud_gauges=

# In a subshell, which needs no descriptor to keep standard output in.
virtrigaud_say() {
    (echo "virtrigaud: $1") >&2 || :
}

# virtrigaud_open COMPONENT INSTANCE [LABEL=VALUE...]
# The labels hold for all lines that leave them out. Says on standard error when nothing can be sent, and returns 0 then too.
virtrigaud_open() {
    virtrigaud_lost=0
    # In a subshell, since it would end the script itself. Some shells need one above 9 for each redirection.
    if ! (exec 8</dev/null 9<&8 && : >/dev/null) 2>/dev/null; then
        virtrigaud_say "no file descriptor is left: nothing is sent"
        return 0
    fi
    if ! command -v virtrigaud-emit >/dev/null; then
        virtrigaud_say "virtrigaud-emit is not installed: nothing is sent"
        return 0
    fi
    if ! virtrigaud_dir=$(mktemp -d) || ! mkfifo "$virtrigaud_dir/lines"; then
        virtrigaud_say "no FIFO can be made in ${TMPDIR:-/tmp}: nothing is sent"
        return 0
    fi
    virtrigaud_component=$1
    virtrigaud_instance=$2
    shift 2
    for virtrigaud_word; do
        shift
        set -- "$@" --label "$virtrigaud_word"
    done
    # Opened for both ways first, so that nothing waits. Once both ends are open, the FIFO needs no name.
    exec 9<>"$virtrigaud_dir/lines"
    exec 8<"$virtrigaud_dir/lines"
    rm -r "$virtrigaud_dir"
    virtrigaud-emit --component "$virtrigaud_component" --instance "$virtrigaud_instance" "$@" \
        --session --keep-gauges --pid $$ --timeout "${VIRTRIGAUD_TIMEOUT:-30}" \
        <&8 8<&- 9>&- >/dev/null &
    virtrigaud_pid=$!
    exec 8<&-
}

# virtrigaud_push [OPTION...] NAME [LABEL=VALUE...] [VALUE]
virtrigaud_push() {
    # The name in /proc opens the FIFO anew, so that only dd does not wait.
    if [ -z "$virtrigaud_pid" ] || ! virtrigaud_line=$(virtrigaud-emit --dry-run "$@") ||
        [ ${#virtrigaud_line} -ge 4096 ] || ! printf '%s\n' "$virtrigaud_line" |
        dd of=/proc/self/fd/9 bs=4096 oflag=nonblock conv=notrunc status=none 2>/dev/null; then
        virtrigaud_lost=$((virtrigaud_lost + 1))
    fi
}

# virtrigaud_gauge set|add NAME [LABEL=VALUE...] NUMBER
# Sets a gauge, or adds to it. Its value is the script's own, 0 before the first call, and is pushed as a whole. The labels
# of a series have the same order in each call.
virtrigaud_gauge() {
    virtrigaud_op=$1
    shift
    if ! virtrigaud_line=$(virtrigaud-emit --dry-run --op set "$@"); then
        virtrigaud_lost=$((virtrigaud_lost + 1))
        return 0
    fi
    virtrigaud_left=$#
    for virtrigaud_word; do # the number, which is the last word, is taken off
        shift
        virtrigaud_left=$((virtrigaud_left - 1))
        [ "$virtrigaud_left" -eq 0 ] || set -- "$@" "$virtrigaud_word"
    done
    # Each line is a value, a blank, and what the protocol says before the value; the newest one is the first.
    virtrigaud_gauges=$(printf '%s\n' "$virtrigaud_gauges" |
        LC_ALL=C key=${virtrigaud_line%\"value\":*} op=$virtrigaud_op by=$virtrigaud_word awk '
            { at = index($0, " ") }
            substr($0, at + 1) == ENVIRON["key"] { old = substr($0, 1, at - 1); next }
            { rest = rest "\n" $0 }
            END { printf "%.15g %s%s", (ENVIRON["op"] == "add" ? old : 0) + ENVIRON["by"], ENVIRON["key"], rest }')
    virtrigaud_push --op set "$@" "${virtrigaud_gauges%% *}"
}

# virtrigaud_close [SECONDS]
# Waits until the daemon has acknowledged everything, at most for SECONDS (10). Returns the exit status of virtrigaud-emit: 0
# when all was applied, 1 when some was refused, 3 or more when some is lost.
virtrigaud_close() {
    [ -n "$virtrigaud_pid" ] || return 3
    exec 9>&-
    (
        trap 'kill "$virtrigaud_sleep"; exit 0' TERM
        sleep "${1:-10}" &
        virtrigaud_sleep=$!
        wait "$virtrigaud_sleep"
        kill "$virtrigaud_pid"
    ) >/dev/null 2>&1 &
    virtrigaud_guard=$!
    virtrigaud_status=0
    wait "$virtrigaud_pid" 2>/dev/null || virtrigaud_status=$?
    kill "$virtrigaud_guard" 2>/dev/null || :
    wait "$virtrigaud_guard" 2>/dev/null || :
    virtrigaud_pid=
    return "$virtrigaud_status"
}
