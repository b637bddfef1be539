# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The driver of clients/shell: ../README.md says what it reads and answers.
# shellcheck source=SCRIPTDIR/../../shell/session.sh
. "${0%/*}/../../shell/session.sh"

# What is said on standard error is kept for `messages`.
said=$(mktemp "${TMPDIR:-/tmp}/said.XXXXXX")
exec 3<"$said"
exec 2>>"$said"

# push KIND NAME LABEL=VALUE... [VALUE]
push() {
    kind=$1
    shift
    case $kind in
    event) virtrigaud_push --event "$@" ;;
    inc) virtrigaud_push --op add "$@" ;;
    add | set) virtrigaud_gauge "$kind" "$@" ;;
    *) virtrigaud_push --op "$kind" "$@" ;;
    esac
}

# repeat COUNT PAUSE COMMAND...
repeat() {
    count=$1
    pause=$2
    shift 2
    i=0
    while [ "$i" -lt "$count" ]; do
        push "$@"
        i=$((i + 1))
        [ $((i % 10)) != 0 ] || sleep "0.$(printf %03d "$pause")"
    done
    echo '{"longest":0}'
}

while read -r line; do
    # The words have no blanks, and `*` does not occur.
    # shellcheck disable=SC2086
    set -- $line
    command=$1
    case $command in
    start)
        VIRTRIGAUD_EVENTS_SOCKET=$4
        export VIRTRIGAUD_EVENTS_SOCKET
        component=$2
        instance=$3
        shift 4
        virtrigaud_open "$component" "$instance" "$@"
        echo true
        ;;
    inc | add | set | observe | event)
        push "$@"
        echo true
        ;;
    exemplar)
        name=$2
        trace=$3
        shift 3
        virtrigaud_push --op observe --exemplar "trace_id=$trace" "$name" "$@"
        echo true
        ;;
    repeat)
        shift
        repeat "$@"
        ;;
    close)
        status=0
        virtrigaud_close "$2" || status=$?
        echo "{\"status\":$status,\"lost\":$virtrigaud_lost}"
        ;;
    fork)
        shift
        if [ "$1" = repeat ]; then
            shift
            (repeat "$@") >/dev/null
        else
            (push "$@")
        fi
        echo true
        ;;
    messages)
        list=
        while read -r text <&3; do
            list=$list,\"$(printf %s "$text" | sed 's/[\\"]/\\&/g')\"
        done
        echo "[${list#,}]"
        ;;
    resources)
        # Without a process of its own.
        read -r children <"/proc/$$/task/$$/children" || :
        # shellcheck disable=SC2086
        set -- $children
        threads=$#
        set -- /proc/$$/fd/*
        echo "{\"threads\":$threads,\"descriptors\":$#}"
        ;;
    exit) exit 0 ;;
    *) echo '"unsupported"' ;;
    esac
done
