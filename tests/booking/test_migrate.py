"""Migrations go forward, once, all or nothing, and never twice at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from booking.db.migrate import LOCK_KEY, MIGRATIONS, MigrationRefused, migrate, read_migrations
from widget.embedded import PostgresServer

ROOMS = "-- migrate:up\nCREATE TABLE rooms (name text);\nINSERT INTO rooms VALUES ('one');\n"


@pytest.fixture
async def empty_database(postgres: PostgresServer) -> AsyncIterator[str]:
    """Return the URL of a database without any schema."""
    conn = await asyncpg.connect(postgres.url)
    await conn.execute("CREATE DATABASE empty")
    yield postgres.url.rsplit("/", 1)[0] + "/empty"
    await conn.execute("DROP DATABASE empty WITH (FORCE)")
    await conn.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one migration."""
    (tmp_path / "0001_rooms.sql").write_text(ROOMS)
    return tmp_path


async def rooms(url: str) -> list[str]:
    """Return what the first migration wrote."""
    conn = await asyncpg.connect(url)
    try:
        return [row["name"] for row in await conn.fetch("SELECT name FROM rooms ORDER BY name")]
    finally:
        await conn.close()


async def test_a_migration_is_applied_once(empty_database: str, folder: Path) -> None:
    assert await migrate(empty_database, folder=folder) == ["0001_rooms.sql"]
    assert await migrate(empty_database, folder=folder) == []
    assert await rooms(empty_database) == ["one"]


async def test_several_starts_at_once_apply_it_once(empty_database: str, folder: Path) -> None:
    applied = await asyncio.gather(*(migrate(empty_database, folder=folder) for _ in range(8)))
    assert sorted(applied) == [[]] * 7 + [["0001_rooms.sql"]]
    assert await rooms(empty_database) == ["one"]


async def test_a_changed_file_is_refused(empty_database: str, folder: Path) -> None:
    await migrate(empty_database, folder=folder)
    (folder / "0001_rooms.sql").write_text(ROOMS.replace("one", "two"))
    with pytest.raises(MigrationRefused, match="has changed since it was applied"):
        await migrate(empty_database, folder=folder)


async def test_a_failing_migration_leaves_nothing_behind(empty_database: str, folder: Path) -> None:
    (folder / "0002_more.sql").write_text("-- migrate:up\nINSERT INTO rooms VALUES ('two');\nSELECT 1/0;\n")
    with pytest.raises(MigrationRefused, match=r"0002_more\.sql failed and was rolled back: division by zero"):
        await migrate(empty_database, folder=folder)
    assert await rooms(empty_database) == ["one"]
    (folder / "0002_more.sql").write_text("-- migrate:up\nINSERT INTO rooms VALUES ('two');\n")
    assert await migrate(empty_database, folder=folder) == ["0002_more.sql"]


async def test_a_migration_older_than_the_database_is_refused(empty_database: str, folder: Path) -> None:
    (folder / "0003_later.sql").write_text("-- migrate:up\nSELECT 1;\n")
    await migrate(empty_database, folder=folder)
    (folder / "0002_late.sql").write_text("-- migrate:up\nSELECT 1;\n")
    with pytest.raises(MigrationRefused, match=r"0002_late\.sql is older than"):
        await migrate(empty_database, folder=folder)


async def test_who_cannot_get_the_lock_says_so(empty_database: str, folder: Path) -> None:
    conn = await asyncpg.connect(empty_database)
    await conn.execute("SELECT pg_advisory_lock($1::bigint)", LOCK_KEY)
    with pytest.raises(MigrationRefused, match="Another migration has been running"):
        await migrate(empty_database, folder=folder, wait=0.3)
    await conn.close()
    assert await migrate(empty_database, folder=folder) == ["0001_rooms.sql"]


async def test_a_database_that_cannot_be_reached_is_told_in_a_sentence(postgres: PostgresServer) -> None:
    with pytest.raises(MigrationRefused, match=r"^The database that DATABASE_URL names cannot be reached: "):
        await migrate(postgres.url + "_of_nobody")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("rooms.sql", ROOMS, "is not a migration's name"),
        ("0002_rooms.sql", "CREATE TABLE x ();", "needs one line '-- migrate:up'"),
        ("0002_rooms.sql", ROOMS + "-- migrate:down\nDROP TABLE rooms;", "no '-- migrate:down'"),
        ("0001_again.sql", ROOMS, "share the version 0001"),
    ],
)
def test_a_malformed_file_is_refused(folder: Path, name: str, text: str, sentence: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(MigrationRefused, match=sentence):
        read_migrations(folder)


def test_our_own_files_are_well_formed() -> None:
    assert [migration.version for migration in read_migrations(MIGRATIONS)] == sorted(
        migration.version for migration in read_migrations(MIGRATIONS)
    )
