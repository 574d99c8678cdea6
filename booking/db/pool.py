"""Connections to PostgreSQL, and the one way a row becomes a struct."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

import asyncpg
import msgspec

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

T = TypeVar("T")

WAIT_SECONDS: Final = 5  # for a connection of the pool: whoever waits longer is better told to come again


SESSION: Final = {
    "application_name": "vetslot",
    "timezone": "UTC",
    # Every statement is prepared and keyed by its practice. Left to itself, the server plans some of them anew each
    # time, which takes longer than they do, and comes to the same plan.
    "plan_cache_mode": "force_generic_plan",
}


class _Session(asyncpg.Connection):
    """A connection that remembers what it was told to see (`_seeing`), so as not to be told twice."""

    __slots__ = ("told",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as its base has it
        super().__init__(*args, **kwargs)
        self.told: list[str | None] = [None]


async def connect(url: str, *, max_size: int = 10) -> Pool:
    """Open a pool whose connections speak `jsonb` as plain values and give up on a statement after twenty seconds."""
    return await asyncpg.create_pool(
        url,
        connection_class=_Session,
        min_size=1,
        max_size=max_size,
        init=speak_json,
        reset=_nothing_to_reset,
        command_timeout=20,
        server_settings=SESSION,
    )


SEE_PRACTICE = "SELECT set_config('vetslot.practice_id', $1, false)"


@asynccontextmanager
async def of_practice(pool: Pool, practice_id: UUID) -> AsyncIterator[Connection]:
    """Lend a connection to which one practice's rows are all there is: row-level security stands behind `WHERE`."""
    async with _seeing(pool, str(practice_id)) as conn:
        yield conn


@asynccontextmanager
async def of_no_practice(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection that can find a practice, and nothing that belongs to one."""
    async with _seeing(pool, "") as conn:
        yield conn


@asynccontextmanager
async def across_practices(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection that sees every practice's rows: for workers, never for a request."""
    async with _seeing(pool, "*") as conn:
        yield conn


@asynccontextmanager
async def _seeing(pool: Pool, what: str) -> AsyncIterator[Connection]:
    async with pool.acquire(timeout=WAIT_SECONDS) as conn:
        told: list[str | None] = conn.told  # type: ignore[attr-defined] # of `_Session`
        if told[0] != what:
            told[0] = None
            await conn.execute(SEE_PRACTICE, what)
            told[0] = what
        yield conn


BEGIN: Final = "BEGIN; SET LOCAL vetslot.practice_id = '{}'"
COMMIT: Final = "COMMIT"


@asynccontextmanager
async def in_practice(pool: Pool, practice_id: UUID, *, then: str = "") -> AsyncIterator[Connection]:
    """Lend a connection as `of_practice` does, within a transaction, in fewer round trips.

    `then`: a statement without parameters that follows the commit in the same round trip. Within, no other transaction
    can be begun.
    """
    async with pool.acquire(timeout=WAIT_SECONDS) as conn:
        await conn.execute(BEGIN.format(UUID(bytes=practice_id.bytes)))
        try:
            yield conn
        except BaseException:
            if not conn.is_closed():
                await conn.execute("ROLLBACK")
            raise
        await conn.execute(f"{COMMIT}; {then}" if then else COMMIT)


def at_one_instant(conn: Connection) -> AbstractAsyncContextManager[object]:
    """Let all that is read within be as it stood at one instant, whatever others commit meanwhile."""
    return conn.transaction(isolation="repeatable_read", readonly=True)


async def _nothing_to_reset(conn: Connection) -> None:
    """Save a round trip: sessions keep only what `_seeing` sets anew each time; a broken one starts over."""
    if conn.is_in_transaction():
        conn.told[0] = None  # type: ignore[union-attr] # of `_Session`
        await conn.reset()


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
    async with of_no_practice(pool) as conn:
        return bool(await conn.fetchval(REACH))
