#!/bin/sh
# Print the path of a Chromium or Chrome for the tests; install Debian's where there is none.
# CHROMIUM=/path/to/chromium names one.
set -eu

fail() {
    echo "make: the tests need a browser: $*" >&2
    exit 1
}

find_browser() {
    for each in chromium chromium-browser google-chrome-stable google-chrome \
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
        /Applications/Chromium.app/Contents/MacOS/Chromium; do
        command -v "$each" && return
    done
    return 1
}

if [ -n "${CHROMIUM:-}" ]; then
    [ -x "$CHROMIUM" ] || fail "CHROMIUM names $CHROMIUM, which is not a program."
    echo "$CHROMIUM"
    exit 0
fi
find_browser && exit 0

command -v apt-get >/dev/null ||
    fail "install Chromium or Chrome, or name it as in 'make test CHROMIUM=/path/to/chrome'."
if [ "$(id -u)" = 0 ]; then
    root=""
elif sudo -n true 2>/dev/null; then
    root="sudo -n"
else
    fail "as root run 'apt-get install chromium', or name one as in 'make test CHROMIUM=/path/to/chrome'."
fi
echo "Installing a browser for the tests: ${root:+$root }apt-get install chromium" >&2
{
    DEBIAN_FRONTEND=noninteractive $root apt-get install -qq -y --no-install-recommends chromium ||
        { $root apt-get update -qq &&
            DEBIAN_FRONTEND=noninteractive $root apt-get install -qq -y --no-install-recommends chromium; }
} >/dev/null 2>&1 || fail "'apt-get install chromium' failed: run it to see why."
find_browser || fail "Debian's chromium was installed but is not on PATH."
