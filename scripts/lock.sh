#!/bin/sh
# Write the lock files anew. No index address goes into them, so that a mirror serves as well.
set -eu
cd "$(dirname "$0")/.."
command -v uv >/dev/null || {
    echo "make: writing the lock needs uv: install it and repeat." >&2
    exit 1
}
lock() {
    uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links "$@"
}
lock --output-file requirements/runtime.txt
lock --group dev --output-file requirements/dev.txt
