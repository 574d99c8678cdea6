"""Bring a database to the newest schema: `.sql` files in dbmate's format, forward only, each in its own transaction."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
from msgspec import Struct

MIGRATIONS = Path(__file__).parent / "migrations"
FILE_NAME = re.compile(r"^(\d{4,14})_[a-z0-9_]+\.sql$")
MARKER = re.compile(r"^-- migrate:up[ \t]*$", re.MULTILINE)

OLDEST_POSTGRESQL = 15
PATIENCE = {"lock_timeout": "5s", "statement_timeout": "10min"}
"""Who waits for a lock on a table makes all who come later wait too: rather fail soon, and be repeated."""

LOCK_KEY: Final = 0x7665_7473_6C6F_74  # "vetslot"

CREATE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
  version text PRIMARY KEY,
  checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)
"""
SELECT_APPLIED: Final = "SELECT version, checksum FROM schema_migrations"
INSERT_APPLIED: Final = "INSERT INTO schema_migrations (version, checksum) VALUES ($1, $2)"
TRY_LOCK: Final = "SELECT pg_try_advisory_lock($1)"
UNLOCK: Final = "SELECT pg_advisory_unlock($1)"


class MigrationRefused(Exception):
    """The schema cannot be brought up to date; the message is one sentence that says why and what to do."""


class Migration(Struct, frozen=True):
    """One file: its number, and the statements below its `-- migrate:up`."""

    version: str
    name: str
    statements: str
    checksum: str


async def migrate(
    url: str, *, folder: Path = MIGRATIONS, wait: float = 60, progress: Callable[[str], None] = lambda _line: None
) -> list[str]:
    """Apply what is missing, in order, and return the names of what was applied: none on a current database."""
    migrations = read_migrations(folder)
    conn = await _connect(url)
    try:
        async with _only_one(conn, wait):
            await conn.execute(CREATE_TABLE)
            applied = {row["version"]: row["checksum"] for row in await conn.fetch(SELECT_APPLIED)}
            missing = _missing(migrations, applied)
            for migration in missing:
                progress(f"Applying {migration.name}")
                await _apply(conn, migration)
    finally:
        await conn.close()
    return [migration.name for migration in missing]


async def _connect(url: str) -> asyncpg.Connection:
    try:
        conn = await asyncpg.connect(url, timeout=10, server_settings=PATIENCE)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        reason = str(error) or "no answer within ten seconds"
        raise MigrationRefused(f"The database that DATABASE_URL names cannot be reached: {reason}") from error
    if conn.get_server_version().major < OLDEST_POSTGRESQL:
        await conn.close()
        raise MigrationRefused(f"The database that DATABASE_URL names is older than PostgreSQL {OLDEST_POSTGRESQL}.")
    return conn


def read_migrations(folder: Path) -> list[Migration]:
    """Read and check every file of the folder, sorted by version."""
    migrations = [_read(file) for file in sorted(folder.glob("*.sql"))]
    versions = [migration.version for migration in migrations]
    if twice := {version for version in versions if versions.count(version) > 1}:
        raise MigrationRefused(f"Two migrations share the version {min(twice)}: give one of them the next free number.")
    return migrations


def _read(file: Path) -> Migration:
    text = file.read_text(encoding="utf-8")
    named = FILE_NAME.match(file.name)
    marker = MARKER.search(text)
    if named is None:
        raise MigrationRefused(f"{file.name} is not a migration's name: it must look like 0007_add_rooms.sql.")
    if marker is None or "-- migrate:down" in text:
        raise MigrationRefused(
            f"{file.name} needs one line '-- migrate:up' and no '-- migrate:down': we only go forward."
        )
    return Migration(
        version=named[1],
        name=file.name,
        statements=text[marker.end() :],
        checksum=hashlib.sha256(text.encode()).hexdigest(),
    )


def _missing(migrations: list[Migration], applied: dict[str, str]) -> list[Migration]:
    for migration in migrations:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise MigrationRefused(
                f"{migration.name} has changed since it was applied to this database: "
                "restore the file and put the change into a new migration."
            )
    missing = [migration for migration in migrations if migration.version not in applied]
    if missing and applied and missing[0].version < max(applied):
        raise MigrationRefused(
            f"{missing[0].name} is older than what this database already has ({max(applied)}): "
            "give it the next free number."
        )
    return missing


async def _apply(conn: asyncpg.Connection, migration: Migration) -> None:
    try:
        async with conn.transaction():
            await conn.execute(migration.statements)
            await conn.execute(INSERT_APPLIED, migration.version, migration.checksum)
    except asyncpg.PostgresError as error:
        raise MigrationRefused(f"{migration.name} failed and was rolled back: {error}") from error


@asynccontextmanager
async def _only_one(conn: asyncpg.Connection, wait: float) -> AsyncIterator[None]:
    """Hold the advisory lock. Asked for again and again: waiting would deadlock with CREATE INDEX CONCURRENTLY."""
    try:
        async with asyncio.timeout(wait):
            while not await conn.fetchval(TRY_LOCK, LOCK_KEY):  # noqa: ASYNC110  # another process holds it
                await asyncio.sleep(random.uniform(0.05, 0.15))  # noqa: S311  # spreads waiters, keeps no secret
    except TimeoutError:
        raise MigrationRefused(
            f"Another migration has been running here for {wait:.0f} seconds: wait for it to end, then repeat."
        ) from None
    try:
        yield
    finally:
        await conn.execute(UNLOCK, LOCK_KEY)
