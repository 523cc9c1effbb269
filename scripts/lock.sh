#!/bin/sh
# Renews requirements/*.lock: every version pinned with its hashes, for CPython 3.11 to 3.14 on any platform.
# The widest lock is made first and holds the others to the same versions. `scripts/lock.sh --upgrade` moves to the
# newest releases; without it, only what pyproject.toml no longer allows is moved.
set -eu
cd "$(dirname "$0")/.."

compile() {
    output=$1
    shift
    .venv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet \
        --extra build "$@" --output-file "requirements/$output.lock"
}

compile test --extra test --extra replay --extra sandbox "$@"
compile replay --extra replay --extra sandbox --constraints requirements/test.lock
compile run --extra sandbox --constraints requirements/test.lock
if grep -n '://' requirements/*.lock; then
    echo "A lock names an address; it must hold names, versions and hashes alone." >&2
    exit 1
fi
