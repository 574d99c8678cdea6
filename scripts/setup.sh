#!/bin/sh
# Make .venv from a lock file: `setup.sh runtime` or `setup.sh dev`. Does nothing when that lock is already installed.
# PYTHON=/path/to/python chooses the interpreter of a new environment.
set -eu
cd "$(dirname "$0")/.."

LOCK="requirements/$1.txt"
STAMP=".venv/installed-$1.txt"
LOG=".venv/setup.log"

fail() {
    echo "make: $*" >&2
    exit 1
}

suitable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1
}

can_make_environments() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

# 3.14 is the newest for which every locked package comes as a wheel.
choose_python() {
    without_venv=""
    for each in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3 python}; do
        suitable "$each" || continue
        if can_make_environments "$each"; then
            echo "$each"
            return
        fi
        without_venv="${without_venv:-$each}"
    done
    if [ -n "$without_venv" ]; then
        version=$("$without_venv" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        fail "$without_venv cannot make virtual environments:" \
            "install its venv module (on Debian and Ubuntu the package python$version-venv) and repeat."
    fi
    fail "no Python from 3.11 to 3.14 was found: install it (on Debian 12 the packages python3 and python3-venv)" \
        "or name it, as in 'make setup PYTHON=/path/to/python3'."
}

install_from() {
    if ! .venv/bin/python -m pip install --disable-pip-version-check --no-input --retries 1 \
        --no-deps --no-compile --require-hashes -r "$@" >"$LOG" 2>&1; then
        if grep -qE "ProxyError|NewConnectionError|ConnectTimeout|ReadTimeout|name resolution|Network is unreachable" "$LOG"; then
            fail "the packages cannot be fetched: check the network, or HTTPS_PROXY, and repeat (details: $LOG)."
        fi
        tail -n 5 "$LOG" >&2
        fail "$1 could not be installed: pip's last words are above, all of them in $LOG."
    fi
}

# What one test drives as a program of its own stands apart from what everything else imports.
install_apart() {
    [ "$1" = dev ] || return 0
    cmp -s requirements/ezyvetapi.txt .venv/installed-ezyvetapi.txt && return 0
    rm -rf .venv/ezyvetapi
    install_from requirements/ezyvetapi.txt --target .venv/ezyvetapi
    cp requirements/ezyvetapi.txt .venv/installed-ezyvetapi.txt
}

if [ -x .venv/bin/python ] && .venv/bin/python -c 'import pip' >/dev/null 2>&1; then
    if cmp -s "$LOCK" "$STAMP"; then
        install_apart "$1"
        exit 0
    fi
else
    python=$(choose_python)
    echo "Making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv || fail "$python could not make .venv: its message is above."
fi

# The lock is complete, so nothing is to be resolved; and what is never imported need not be compiled.
echo "Installing $LOCK (about a minute, once)"
install_from "$LOCK"
cp "$LOCK" "$STAMP"
# The lock for development holds everything the product needs.
[ "$1" = runtime ] || cp requirements/runtime.txt .venv/installed-runtime.txt
install_apart "$1"
