# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced by tests of the build system: a copy of the sources in $TMP/tree, without anything built.
mkdir "$TMP/tree"
tar -C "$SRC" -c --exclude=./.git --exclude=./build --exclude=./run --exclude=./config.mak --exclude="${BUILD##*/}" . |
    tar -C "$TMP/tree" -x

fail() {
    echo "$*"
    exit 1
}

# same WANTED IS: the two are the same text.
same() {
    [ "$1" = "$2" ] || fail "wanted:
$1
but there is:
$2"
}
