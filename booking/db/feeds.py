"""Feeds: how far each stream of a connection's changes, and each listing, has come, and when it is asked next."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection as Conn
from booking.db.pool import affected, many, one
from pims_adapters import contract as pims

ListedDays = Literal["near", "far"]


class Feed(Struct, frozen=True, kw_only=True):
    """A feed of the adapter, or with `listing` one of ours, and how far it has come.

    `as_of`: our mirror shows all that it has at that instant. `failure`: why it has come no further.
    """

    practice_id: UUID
    connection_id: UUID
    name: str
    kinds: list[pims.RecordKind]
    every: timedelta
    at: str | None
    listing: ListedDays | None
    cursor: str | None
    as_of: datetime | None
    due_at: datetime
    failures: int
    failing_since: datetime | None
    failure: str | None


COLUMNS = """practice_id, connection_id, name, kinds, every, at, listing, cursor, as_of, due_at, failures,
  failing_since, failure"""

FEEDS = f"""
SELECT {COLUMNS} FROM feed WHERE practice_id = $1 AND connection_id = $2 ORDER BY listing NULLS FIRST, name LIMIT 100
"""


async def feeds_of(conn: Conn, practice_id: UUID, connection_id: UUID) -> list[Feed]:
    """Return how fresh each feed of a connection is, those of the adapter first."""
    return many(await conn.fetch(FEEDS, practice_id, connection_id), Feed)


PUT_FEED = """
INSERT INTO feed (practice_id, connection_id, name, kinds, every, at, listing, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (practice_id, connection_id, name) DO UPDATE
SET kinds = excluded.kinds, every = excluded.every, at = excluded.at, listing = excluded.listing
"""

DROP_FEEDS = "DELETE FROM feed WHERE practice_id = $1 AND connection_id = $2 AND name <> ALL($3::text[])"

SAY_WHETHER_MIRRORED = "UPDATE connection SET mirrors_schedule = $3 WHERE practice_id = $1 AND connection_id = $2"

OF_THE_SCHEDULE = ("appointment", "blockoff")


async def put_feeds(
    conn: Conn,
    practice_id: UUID,
    connection_id: UUID,
    wanted: list[tuple[pims.Feed, ListedDays | None]],
    now: datetime,
) -> None:
    """Let these be a connection's feeds; how far those have come that it had stays."""
    await conn.executemany(
        PUT_FEED,
        [
            (practice_id, connection_id, one.name, list(one.kinds), one.every, one.at, listing, now)
            for one, listing in wanted
        ],
    )
    await conn.execute(DROP_FEEDS, practice_id, connection_id, [one.name for one, _ in wanted])
    mirrored = any(set(one.kinds) & set(OF_THE_SCHEDULE) for one, _ in wanted)
    await conn.execute(SAY_WHETHER_MIRRORED, practice_id, connection_id, mirrored)


LOCK_SYNC = """
SELECT pg_advisory_xact_lock(hashtextextended('sync/' || connection_id::text, 0))
FROM connection WHERE practice_id = $1 AND connection_id = $2
"""

CURSOR = "SELECT cursor FROM feed WHERE practice_id = $1 AND connection_id = $2 AND name = $3"


async def lock_mirror(conn: Conn, practice_id: UUID, connection_id: UUID) -> None:
    """Keep others from writing the PIMS's news into this mirror until the transaction ends.

    The connection's row itself stays unlocked, for write-backs queue by it.
    """
    await conn.execute(LOCK_SYNC, practice_id, connection_id)


async def stands_at(conn: Conn, feed: Feed, cursor: str | None) -> bool:
    """Say whether a feed still stands at a cursor, so that nobody else has read on meanwhile."""
    row = await conn.fetchrow(CURSOR, feed.practice_id, feed.connection_id, feed.name)
    return row is not None and row["cursor"] == cursor


ADVANCE = """
UPDATE feed SET cursor = $4, as_of = coalesce(greatest(as_of, $5), as_of), failures = 0, failing_since = NULL,
  failure = NULL
WHERE practice_id = $1 AND connection_id = $2 AND name = $3
"""


async def advance(conn: Conn, feed: Feed, cursor: str | None, as_of: datetime | None, now: datetime) -> None:
    """Move a feed on; `as_of` only where the mirror now shows all up to it."""
    await conn.execute(ADVANCE, feed.practice_id, feed.connection_id, feed.name, cursor, as_of)
    await derive(conn, feed.practice_id, feed.connection_id, now)


FAIL = """
UPDATE feed SET failures = failures + 1, failing_since = coalesce(failing_since, $5), failure = $4
WHERE practice_id = $1 AND connection_id = $2 AND name = $3
"""


async def record_failure(conn: Conn, feed: Feed, failure: str, now: datetime) -> None:
    """Remember why a feed has come no further, and since when."""
    await conn.execute(FAIL, feed.practice_id, feed.connection_id, feed.name, failure, now)
    await derive(conn, feed.practice_id, feed.connection_id, now)


# Fresh as of: the oldest of the feeds that carry the schedule. One that is only asked now and then promises no more
# than its rhythm: it counts once it is late by a whole round, which for a nightly one is a night and a day.
DERIVE = """
UPDATE connection c SET as_of = d.as_of, failing_since = d.failing_since, failure = d.failure
FROM (
  SELECT
    CASE WHEN bool_or(schedule AND f.as_of IS NULL) THEN NULL ELSE coalesce(
      least(min(f.as_of) FILTER (WHERE schedule AND round <= interval '5 minutes'),
            min(f.as_of) FILTER (WHERE schedule AND f.as_of + 2 * round < $3)),
      min(f.as_of) FILTER (WHERE schedule)) END AS as_of,
    min(f.failing_since) AS failing_since,
    (array_agg(f.failure ORDER BY f.failing_since) FILTER (WHERE f.failing_since IS NOT NULL))[1] AS failure
  FROM (
    SELECT *, CASE WHEN at IS NULL THEN every ELSE interval '1 day' END AS round,
      listing IS NULL AND kinds && '{appointment,blockoff}' AS schedule
    FROM feed WHERE practice_id = $1 AND connection_id = $2
  ) f
) d
WHERE c.practice_id = $1 AND c.connection_id = $2
  AND (c.as_of, c.failing_since, c.failure) IS DISTINCT FROM (d.as_of, d.failing_since, d.failure)
"""


async def derive(conn: Conn, practice_id: UUID, connection_id: UUID, now: datetime) -> None:
    """Say on the connection how fresh its schedule is and what hinders it, from how its feeds stand."""
    await conn.execute(DERIVE, practice_id, connection_id, now)


# Across practices: a worker serves them all. Who takes a feed has it until `until`; others take others.
TAKE_DUE = """
WITH due AS (
  SELECT f.practice_id, f.connection_id, f.name
  FROM feed f JOIN connection c ON c.practice_id = f.practice_id AND c.connection_id = f.connection_id
  WHERE f.due_at <= $1 AND c.status IN ('importing', 'live')
  ORDER BY f.due_at LIMIT $3 FOR UPDATE OF f SKIP LOCKED
)
UPDATE feed f SET due_at = $2 FROM due
WHERE f.practice_id = due.practice_id AND f.connection_id = due.connection_id AND f.name = due.name
RETURNING f.practice_id, f.connection_id, f.name, f.kinds, f.every, f.at, f.listing, f.cursor, f.as_of, f.due_at,
  f.failures, f.failing_since, f.failure
"""


async def take_due(conn: Conn, *, now: datetime, until: datetime, most: int) -> list[Feed]:
    """Take the feeds that are due, those that have waited longest first."""
    return many(await conn.fetch(TAKE_DUE, now, until, most), Feed)


# Whoever made the feed due meanwhile has news that was not asked for yet: theirs is the earlier time.
SET_DUE = """
UPDATE feed SET due_at = $4 WHERE practice_id = $1 AND connection_id = $2 AND name = $3 AND due_at = $5
RETURNING failures
"""


async def set_due(conn: Conn, feed: Feed, due_at: datetime) -> None:
    """Say when a feed that was taken is asked next, unless somebody wants it sooner."""
    await conn.execute(SET_DUE, feed.practice_id, feed.connection_id, feed.name, due_at, feed.due_at)


FEED = f"SELECT {COLUMNS} FROM feed WHERE practice_id = $1 AND connection_id = $2 AND name = $3"


async def feed_of(conn: Conn, practice_id: UUID, connection_id: UUID, name: str) -> Feed | None:
    """Return how one feed stands."""
    return one(await conn.fetchrow(FEED, practice_id, connection_id, name), Feed)


ALL_READ = """
SELECT NOT EXISTS (SELECT FROM feed WHERE practice_id = $1 AND connection_id = $2 AND listing IS NULL
  AND (as_of IS NULL OR cursor IS NULL
    OR at IS NULL AND as_of < $3::timestamptz - greatest(2 * every, interval '5 minutes')))
"""


async def all_read(conn: Conn, practice_id: UUID, connection_id: UUID, now: datetime) -> bool:
    """Say whether every feed of a connection has been read to its end, and lately where it is read by the minute."""
    return bool(await conn.fetchval(ALL_READ, practice_id, connection_id, now))


ASK_AT_ONCE = """
WITH asked AS (
  UPDATE feed SET due_at = $2 WHERE practice_id = $1 AND ($3::text IS NULL AND listing IS NULL OR name = $3)
)
SELECT pg_notify('vetslot_work', 'sync')
"""


async def ask_at_once(conn: Conn, practice_id: UUID, now: datetime, name: str | None = None) -> None:
    """Have a feed of a practice, or all that its adapter has, read as soon as this transaction commits."""
    await conn.execute(ASK_AT_ONCE, practice_id, now, name)


READ_ALL_AGAIN = """
UPDATE feed SET cursor = NULL, due_at = $3
WHERE practice_id = $1 AND connection_id = $2 AND listing IS NULL AND ($4::text[] IS NULL OR kinds && $4)
"""


async def read_all_again(
    conn: Conn, practice_id: UUID, connection_id: UUID, now: datetime, kinds: list[pims.RecordKind] | None = None
) -> None:
    """Have feeds (those that carry some kinds) read from the beginning: what is unchanged disturbs nobody."""
    await conn.execute(READ_ALL_AGAIN, practice_id, connection_id, now, kinds)


# Across practices. Connections whose adapter nobody has asked yet for its feeds.
WITHOUT_FEEDS = """
SELECT c.practice_id FROM connection c
WHERE c.status IN ('importing', 'live') AND c.mirrors_schedule
  AND NOT EXISTS (SELECT FROM feed f WHERE f.practice_id = c.practice_id AND f.connection_id = c.connection_id)
LIMIT 100
"""


async def practices_without_feeds(conn: Conn) -> list[UUID]:
    """Return the practices of connections that were never read."""
    return [row["practice_id"] for row in await conn.fetch(WITHOUT_FEEDS)]


NOTE_UNKNOWN_COLUMNS = """
UPDATE connection SET unknown_columns = ARRAY(SELECT DISTINCT unnest(unknown_columns || $3::text[]) LIMIT 1000)
WHERE practice_id = $1 AND connection_id = $2 AND NOT unknown_columns @> $3::text[]
"""


async def note_unknown_columns(conn: Conn, practice_id: UUID, connection_id: UUID, columns: list[str]) -> None:
    """Remember columns that the PIMS put time on without having told of them."""
    await conn.execute(NOTE_UNKNOWN_COLUMNS, practice_id, connection_id, columns)


COLUMNS_BECAME_KNOWN = """
UPDATE connection SET unknown_columns = ARRAY(SELECT unnest(unknown_columns) EXCEPT SELECT unnest($3::text[]))
WHERE practice_id = $1 AND connection_id = $2 AND unknown_columns && $3::text[]
"""


async def columns_became_known(conn: Conn, practice_id: UUID, connection_id: UUID, columns: list[str]) -> bool:
    """Say whether time was put on one of these columns before the PIMS told of it, and forget about it."""
    return affected(await conn.execute(COLUMNS_BECAME_KNOWN, practice_id, connection_id, columns)) == 1
