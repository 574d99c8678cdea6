"""Connections to PostgreSQL, and the one way a row becomes a struct."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import msgspec

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

T = TypeVar("T")


async def connect(url: str, *, max_size: int = 10) -> Pool:
    """Open a pool whose connections speak `jsonb` as plain values and give up on a statement after twenty seconds."""
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=max_size,
        init=speak_json,
        command_timeout=20,
        server_settings={"application_name": "vetslot", "timezone": "UTC"},
    )


async def speak_json(conn: Connection) -> None:
    """Read and write `jsonb` as the values it holds."""
    await conn.set_type_codec("jsonb", schema="pg_catalog", encoder=_encode, decoder=msgspec.json.decode)


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()


def one(row: asyncpg.Record | None, type_: type[T]) -> T | None:
    """Return the row as a struct whose fields are its columns, or None."""
    return None if row is None else msgspec.convert(dict(row), type_)


def many(rows: Iterable[asyncpg.Record], type_: type[T]) -> list[T]:
    """Return the rows as structs whose fields are their columns."""
    return [msgspec.convert(dict(row), type_) for row in rows]


def affected(status: str) -> int:
    """Return how many rows a statement touched, from PostgreSQL's own words (`UPDATE 3`)."""
    return int(status.rsplit(" ", 1)[-1])


def only(row: asyncpg.Record | None) -> Any:  # noqa: ANN401 - a single column has the type its statement gives it
    """Return the single column of a row that must be there."""
    if row is None:
        msg = "The statement was to return a row and returned none."
        raise LookupError(msg)
    return row[0]


REACH = "SELECT 1"


async def reachable(pool: Pool) -> bool:
    """Say whether the database answers."""
    async with pool.acquire() as conn:
        return bool(await conn.fetchval(REACH))
