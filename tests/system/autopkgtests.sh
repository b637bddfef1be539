# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# autopkgtests FOLDER: unpacks the packages in FOLDER and runs what debian/tests has against them, but for smoke, which wants
# the service that they start (boot/package has it).
autopkgtests() {
    mkdir "$TMP/root" "$TMP/autopkgtest"
    for deb in "$1"/*.deb; do
        dpkg-deb -x "$deb" "$TMP/root"
    done
    libraries=$(dirname "$(ls "$TMP"/root/usr/lib/*/libvirtrigaud-client.so)")
    ran=
    for test in $(awk '$1 == "Tests:" { $1 = ""; print }' "$SRC/debian/tests/control"); do
        [ -x "$SRC/debian/tests/$test" ] || fail "debian/tests/$test is named, but is no program"
        [ "$test" != smoke ] || continue
        (
            cd "$SRC" # as autopkgtest does
            # The root comes before what is installed, where something is.
            export PATH="$TMP/root/usr/sbin:$TMP/root/usr/bin:$PATH" PYTHONPATH="$TMP/root/usr/lib/python3/dist-packages" \
                GOPATH="$TMP/root/usr/share/gocode" HOME="$TMP/autopkgtest" LD_LIBRARY_PATH="$libraries" \
                PKG_CONFIG_PATH="$libraries/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$TMP/root" PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 \
                PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1
            "debian/tests/$test"
        ) >"$TMP/autopkgtest/said" 2>&1 || fail "debian/tests/$test: $(cat "$TMP/autopkgtest/said")"
        ran="${ran:+$ran }$test"
    done
    same "$(cd "$SRC/debian/tests" && for name in *; do [ "$name" = control ] || [ "$name" = smoke ] || echo "$name"; done | sort)" \
        "$(printf '%s\n' $ran | sort)"
}
