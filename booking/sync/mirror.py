"""Whose mirror is written, when, and within which bounds: what every part of sync is told."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.connect.mapping import ImportSettings, Mapping
from booking.db import connections, feeds, practices
from booking.db.feeds import Feed
from booking.db.pool import Connection
from booking.db.practices import Practice
from booking.site import Site


class Bound(Struct, frozen=True, kw_only=True):
    """How much may be lost at a time before staff are asked: either so many records, or such a part of all."""

    records: int
    part: float

    def forbids(self, losing: int, of: int) -> bool:
        """Say whether losing so many of so many goes beyond both."""
        return losing >= self.records and losing > self.part * of


MOST_LOST = Bound(records=10, part=0.2)


class Mirror(Struct, frozen=True, kw_only=True):
    """`site`: where links in messages lead; None: clients are told nothing. `bound` None: all may be lost.

    `maps`, `window`: what of the PIMS is taken over, and from how far back.
    """

    practice: Practice
    connection_id: UUID
    now: datetime
    site: Site | None
    bound: Bound | None
    maps: Mapping
    window: ImportSettings | None

    @property
    def practice_id(self) -> UUID:
        """Whose it is."""
        return self.practice.practice_id


async def mirror_of(conn: Connection, feed: Feed, now: datetime, site: Site | None, bound: Bound | None) -> Mirror:
    """Return whose mirror a feed is written into, locked for this transaction."""
    await feeds.lock_mirror(conn, feed.practice_id, feed.connection_id)
    practice = await practices.practice_by_id(conn, feed.practice_id)
    connection = await connections.connection_of(conn, feed.practice_id)
    if practice is None or connection is None:
        raise LookupError("A connection's practice is kept as long as the connection.")
    return Mirror(
        practice=practice,
        connection_id=feed.connection_id,
        now=now,
        site=site,
        bound=bound,
        maps=connection.maps,
        window=connection.import_settings,
    )
