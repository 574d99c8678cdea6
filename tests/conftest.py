"""The servers every test may ask for: a real PostgreSQL with the newest schema, a real Valkey.

One server each for the whole run. A test gets a database of its own, copied from a migrated template, and an
empty Valkey.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from booking.db.migrate import migrate
from booking.db.pool import connect
from tests.copies import copy_of
from widget.embedded import PostgresServer, ValkeyServer, remove_state

TEMPLATE = "template_migrated"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def state() -> Iterator[Path]:
    """Return a folder for the servers' data, outside pytest's own, which only its owner may enter."""
    folder = Path(tempfile.mkdtemp(prefix="vetslot-tests-"))
    folder.chmod(0o755)
    yield folder
    remove_state(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(state: Path) -> Iterator[PostgresServer]:
    """Return the PostgreSQL server of this run, which a power cut would harm; tests of durability start their own."""
    server = PostgresServer(state, durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
async def migrated_template(postgres: PostgresServer) -> str:
    """Return the name of a database with the newest schema and no rows, to copy from. Nobody stays connected to it."""
    await _run(postgres.url, f"CREATE DATABASE {TEMPLATE}")
    await migrate(_url_of(postgres, TEMPLATE))
    return TEMPLATE


@pytest.fixture(scope="session")
def valkey(state: Path) -> Iterator[ValkeyServer]:
    """Return the Valkey server of this run."""
    server = ValkeyServer(state)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def database_url(postgres: PostgresServer, migrated_template: str) -> AsyncIterator[str]:
    """Return the URL of a migrated, empty database that is this test's alone."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    await _run(postgres.url, copy_of(migrated_template, name))
    yield _url_of(postgres, name)
    await _run(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Return a pool on this test's database, as the application opens it."""
    pool = await connect(database_url, max_size=20)
    yield pool
    await pool.close()


@pytest.fixture
async def redis_url(valkey: ValkeyServer) -> str:
    """Return the URL of an empty Valkey."""
    async with Redis.from_url(valkey.url) as client:
        await client.flushall()
    return valkey.url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Return a client of an empty Valkey, as the application opens it."""
    async with Redis.from_url(redis_url) as client:
        yield client


def _url_of(postgres: PostgresServer, name: str) -> str:
    return f"{postgres.url.rsplit('/', 1)[0]}/{name}"


async def _run(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()
