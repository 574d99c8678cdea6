#!/bin/sh
# Migrations must be safe while the previous release still runs; squawk knows how.
set -eu
cd "$(dirname "$0")/.."
for each in booking/db/migrations/*.sql; do
    [ -e "$each" ] || exit 0
    .venv/bin/squawk --config .squawk.toml "$each"
done
