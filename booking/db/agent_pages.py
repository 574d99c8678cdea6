"""Pages that agents have pushed: kept in the order of their cursors, until sync has read past them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, affected, many, one

BEGINNING = ""
"""What stands for no cursor; an agent's own is never empty."""


class FeedHead(Struct, frozen=True, kw_only=True):
    """How far a feed was pushed. `as_of`: everything up to that instant was, by our clock."""

    feed: str
    head: str
    as_of: datetime | None


class KeptPage(Struct, frozen=True, kw_only=True):
    """A pushed page; `followed`: the next one lies here, too."""

    position: int
    cursor: str
    more: bool
    as_of: datetime
    rows: bytes
    followed: bool


class Backlog(Struct, frozen=True, kw_only=True):
    """What of a feed was pushed and not read yet."""

    pages: int
    bytes: int


HEADS = "SELECT feed, head, as_of FROM agent_feed WHERE practice_id = $1 AND connection_id = $2 ORDER BY feed LIMIT 100"


async def feed_heads(conn: Connection, practice_id: UUID, connection_id: UUID) -> dict[str, FeedHead]:
    """Return how far each feed was pushed, by its name."""
    return {one.feed: one for one in many(await conn.fetch(HEADS, practice_id, connection_id), FeedHead)}


ADD_FEED = """
INSERT INTO agent_feed (practice_id, connection_id, feed) VALUES ($1, $2, $3)
ON CONFLICT (practice_id, connection_id, feed) DO NOTHING
"""
LOCK_FEED = """
SELECT feed, head, as_of FROM agent_feed WHERE practice_id = $1 AND connection_id = $2 AND feed = $3 FOR UPDATE
"""


async def lock_feed(conn: Connection, practice_id: UUID, connection_id: UUID, feed: str) -> FeedHead:
    """Return how far a feed was pushed, and let nobody push to it before this transaction ends."""
    await conn.execute(ADD_FEED, practice_id, connection_id, feed)
    found = one(await conn.fetchrow(LOCK_FEED, practice_id, connection_id, feed), FeedHead)
    if found is None:
        raise LookupError("A feed is kept as long as its connection.")
    return found


MOVE_HEAD = """
UPDATE agent_feed SET head = $4, as_of = greatest(as_of, $5)
WHERE practice_id = $1 AND connection_id = $2 AND feed = $3
"""


async def move_head(
    conn: Connection, practice_id: UUID, connection_id: UUID, feed: str, head: str, as_of: datetime | None
) -> None:
    """Move on to a cursor; `as_of` only where everything up to it was pushed. It never grows older."""
    await conn.execute(MOVE_HEAD, practice_id, connection_id, feed, head, as_of)


BACKLOG = """
SELECT count(*) AS pages, coalesce(sum(octet_length(rows)), 0)::bigint AS bytes FROM agent_page
WHERE practice_id = $1 AND connection_id = $2 AND feed = $3 AND read_at IS NULL
"""


async def backlog(conn: Connection, practice_id: UUID, connection_id: UUID, feed: str) -> Backlog:
    """Return how much of a feed waits to be read."""
    return one(await conn.fetchrow(BACKLOG, practice_id, connection_id, feed), Backlog) or Backlog(pages=0, bytes=0)


# A cursor that is kept as an earlier page's `after` would lead in a circle.
KEEP_PAGE = """
INSERT INTO agent_page (practice_id, connection_id, feed, after, cursor, more, as_of, rows)
SELECT $1, $2, $3, $4, $5, $6, $7, $8
WHERE NOT EXISTS (SELECT FROM agent_page WHERE practice_id = $1 AND connection_id = $2 AND feed = $3 AND after = $5)
ON CONFLICT ON CONSTRAINT agent_page_follows_once DO NOTHING
"""


async def keep_page(
    conn: Connection,
    practice_id: UUID,
    connection_id: UUID,
    feed: str,
    *,
    after: str,
    cursor: str,
    more: bool,
    as_of: datetime,
    rows: bytes,
) -> bool:
    """Keep a page; False where its cursors do not lead on."""
    done = await conn.execute(KEEP_PAGE, practice_id, connection_id, feed, after, cursor, more, as_of, rows)
    return affected(done) == 1


PAGE_AFTER = """
SELECT p.position, p.cursor, p.more, p.as_of, p.rows,
  EXISTS (SELECT FROM agent_page n WHERE n.practice_id = $1 AND n.connection_id = $2 AND n.feed = $3
    AND n.after = p.cursor) AS followed
FROM agent_page p WHERE p.practice_id = $1 AND p.connection_id = $2 AND p.feed = $3 AND p.after = $4
"""


async def page_after(
    conn: Connection, practice_id: UUID, connection_id: UUID, feed: str, cursor: str
) -> KeptPage | None:
    """Return the page that follows a cursor."""
    return one(await conn.fetchrow(PAGE_AFTER, practice_id, connection_id, feed, cursor), KeptPage)


READ_UP_TO = """
UPDATE agent_page SET read_at = $5
WHERE practice_id = $1 AND connection_id = $2 AND feed = $3 AND read_at IS NULL AND position <= (
  SELECT position FROM agent_page WHERE practice_id = $1 AND connection_id = $2 AND feed = $3 AND cursor = $4)
"""
# Another worker may still be at a cursor that this one has left behind.
DROP_READ = "DELETE FROM agent_page WHERE practice_id = $1 AND connection_id = $2 AND feed = $3 AND read_at < $4"


async def read_up_to(
    conn: Connection,
    practice_id: UUID,
    connection_id: UUID,
    feed: str,
    cursor: str,
    *,
    now: datetime,
    drop_before: datetime,
) -> None:
    """Note that all up to a cursor stands in the mirror, and drop what was read before an instant."""
    await conn.execute(READ_UP_TO, practice_id, connection_id, feed, cursor, now)
    await conn.execute(DROP_READ, practice_id, connection_id, feed, drop_before)


DROP_PAGES = "DELETE FROM agent_page WHERE practice_id = $1 AND connection_id = $2 AND feed = $3"
START_ANEW = """
UPDATE agent_feed SET head = '', as_of = NULL WHERE practice_id = $1 AND connection_id = $2 AND feed = $3
"""


async def start_anew(conn: Connection, practice_id: UUID, connection_id: UUID, feed: str) -> None:
    """Forget what was pushed of a feed: the agent is to begin at its beginning."""
    await conn.execute(DROP_PAGES, practice_id, connection_id, feed)
    await conn.execute(START_ANEW, practice_id, connection_id, feed)
