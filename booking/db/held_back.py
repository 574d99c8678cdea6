"""Held back: what a feed would take away, which staff have to accept first."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, affected, many, one


class HeldBack(Struct, frozen=True, kw_only=True):
    """So many of so many records would be lost. `accepted`: staff said that so many may be."""

    feed: str
    losing: int
    of: int
    since: datetime
    accepted: int | None = None


PUT = """
INSERT INTO held_back (practice_id, connection_id, feed, losing, of, since) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (practice_id, connection_id, feed) DO UPDATE
SET losing = excluded.losing, of = excluded.of, accepted = NULL, accepted_by = NULL, accepted_at = NULL
"""


async def put(conn: Connection, practice_id: UUID, connection_id: UUID, held: HeldBack) -> None:
    """Note what is held back of a feed; what was accepted before was less."""
    await conn.execute(PUT, practice_id, connection_id, held.feed, held.losing, held.of, held.since)


COLUMNS = "feed, losing, of, since, accepted"
OF_FEED = f"SELECT {COLUMNS} FROM held_back WHERE practice_id = $1 AND connection_id = $2 AND feed = $3"


async def of_feed(conn: Connection, practice_id: UUID, connection_id: UUID, feed: str) -> HeldBack | None:
    """Return what is held back of a feed."""
    return one(await conn.fetchrow(OF_FEED, practice_id, connection_id, feed), HeldBack)


ALL = f"SELECT {COLUMNS} FROM held_back WHERE practice_id = $1 ORDER BY since, feed LIMIT 100"


async def all_of(conn: Connection, practice_id: UUID) -> list[HeldBack]:
    """Return all that is held back of a practice, the longest first."""
    return many(await conn.fetch(ALL, practice_id), HeldBack)


ACCEPT = """
UPDATE held_back SET accepted = losing, accepted_by = $3, accepted_at = $4
WHERE practice_id = $1 AND feed = $2 AND accepted IS NULL
"""


async def accept(conn: Connection, practice_id: UUID, feed: str, *, by: UUID, now: datetime) -> bool:
    """Take staff's word that what is held back may be lost; False: nothing is, or it was accepted before."""
    return affected(await conn.execute(ACCEPT, practice_id, feed, by, now)) > 0


FORGET = "DELETE FROM held_back WHERE practice_id = $1 AND connection_id = $2 AND feed = $3"


async def forget(conn: Connection, practice_id: UUID, connection_id: UUID, feed: str) -> bool:
    """Forget what was held back; whether anything was."""
    return affected(await conn.execute(FORGET, practice_id, connection_id, feed)) > 0
