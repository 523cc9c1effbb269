#!/usr/bin/env bash
# Puts the readers that tests/wire/test_foreign_readers.py asks into out/foreign: passkit-generator (npm) and a small
# program over KDE's KPkPass (Debian, Ubuntu). What cannot be had is left out and said; the tests then skip it.
set -euo pipefail
cd "$(dirname "$0")/.."
sources=$PWD/tests/wire/foreign
here=$PWD/out/foreign
mkdir -p "$here"

if ! command -v npm >/dev/null; then
    echo "foreign readers: no npm, so passkit-generator is not asked" >&2
elif ! cmp -s "$sources/package-lock.json" "$here/package-lock.json" || [ ! -d "$here/node_modules" ]; then
    cp "$sources/package.json" "$here/"
    if (cd "$here" && cp "$sources/package-lock.json" . && timeout 120 npm ci --no-audit --no-fund --ignore-scripts --silent); then
        echo "foreign readers: passkit-generator"
    else
        rm -rf "$here/node_modules" "$here/package-lock.json"
        echo "foreign readers: passkit-generator could not be fetched, and is not asked" >&2
    fi
fi

installed() { dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

library=
for package in libkpimpkpass-dev libkpim6pkpass-dev; do
    installed "$package" && library=$package
done
if [ -z "$library" ] && [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq -o Acquire::Retries=3 update || true
    for package in libkpimpkpass-dev libkpim6pkpass-dev; do
        if [ -z "$library" ] && apt-get -qq -o Acquire::Retries=3 install --yes --no-install-recommends \
            g++ pkg-config "$package" >/dev/null 2>&1; then
            library=$package
        fi
    done
fi
case $library in
libkpimpkpass-dev) qt=Qt5Gui headers=/usr/include/KPim linked=KPimPkPass ;;
libkpim6pkpass-dev) qt=Qt6Gui headers=/usr/include/KPim6/KPkPass linked=KPim6PkPass ;;
*)
    echo "foreign readers: no libkpimpkpass-dev, so KPkPass is not asked" >&2
    exit 0
    ;;
esac
if [ ! "$here/kpkpass" -nt "$sources/kpkpass.cpp" ]; then
    # shellcheck disable=SC2046  # flags are words
    if g++ -std=c++17 -O0 -fPIC "$sources/kpkpass.cpp" -o "$here/kpkpass.new" "-I$headers" "-I$headers/KPkPass" \
        $(pkg-config --cflags --libs "$qt") "-l$linked"; then
        mv "$here/kpkpass.new" "$here/kpkpass"
        echo "foreign readers: KPkPass"
    else
        echo "foreign readers: KPkPass could not be built, and is not asked" >&2
    fi
fi
