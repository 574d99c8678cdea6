"""Pages: read a feed from where it stands, page by page, until the PIMS has no more.

Each page is one transaction: records, cursor and a new schedule version together, so that a page is applied whole or
not at all, and by one worker.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog
from msgspec import Struct

from booking.db import connections, feeds
from booking.db.connections import Connection
from booking.db.feeds import Feed
from booking.db.pool import Connection as Conn
from booking.db.pool import Pool, of_practice
from booking.site import Site
from booking.sync.apply import OF_THE_SCHEDULE, Applied, apply_changes, kind_of
from booking.sync.losses import TooMuchLost, check_losses, hold_back, settled
from booking.sync.mirror import MOST_LOST, Bound, Mirror, mirror_of
from booking.sync.silence import listing_feeds
from pims_adapters import contract as pims

MOST_PAGES = 1000
MOST_REPEATS = 3

log = structlog.get_logger()


class Synced(Struct, frozen=True, kw_only=True):
    """How many changes were applied, and whether the mirror now shows all that the PIMS has."""

    changes: int
    complete: bool


async def sync(
    pool: Pool,
    adapter: pims.PimsAdapter,
    connection: Connection,
    *,
    clock: Callable[[], datetime],
    site: Site | None = None,
    bound: Bound | None = MOST_LOST,
) -> Synced:
    """Read all feeds of a connection to their end, due or not. Raises the adapter's `PimsError`s.

    `site`: where links in messages to clients lead; None: clients are told nothing.
    """
    changes, complete = 0, True
    known = await known_feeds(pool, adapter, connection, clock())
    # Columns first: what is put on a column that nobody has told of has to be read again.
    for feed in sorted(known, key=lambda one: "resource" not in one.kinds):
        if feed.listing is None:
            synced = await sync_feed(pool, adapter, feed, clock=clock, site=site, bound=bound)
            changes, complete = changes + synced.changes, complete and synced.complete
    return Synced(changes=changes, complete=complete)


async def known_feeds(pool: Pool, adapter: pims.PimsAdapter, connection: Connection, now: datetime) -> list[Feed]:
    """Return how a connection's feeds stand, after taking note of which its adapter has today."""
    wanted: list[tuple[pims.Feed, feeds.ListedDays | None]] = [(one, None) for one in adapter.feeds]
    wanted += [(one, listing) for listing, one in listing_feeds(adapter).items()]
    async with of_practice(pool, connection.practice_id) as conn, conn.transaction():
        known = await feeds.feeds_of(conn, connection.practice_id, connection.connection_id)
        # None at all is noted each time: of a practice without PIMS, that nothing is mirrored.
        if known and _as_kept(wanted) == [(one.name, tuple(one.kinds), one.every, one.at) for one in known]:
            return known
        await feeds.put_feeds(conn, connection.practice_id, connection.connection_id, wanted, now)
        return await feeds.feeds_of(conn, connection.practice_id, connection.connection_id)


def _as_kept(wanted: list[tuple[pims.Feed, feeds.ListedDays | None]]) -> list[tuple[object, ...]]:
    ours = sorted((one.name, tuple(one.kinds), one.every, one.at) for one, listing in wanted if listing is None)
    listed = sorted(
        ((listing, (one.name, tuple(one.kinds), one.every, one.at)) for one, listing in wanted if listing is not None),
        key=lambda one: (one[0] or "", one[1][0]),
    )
    return [*ours, *(one for _, one in listed)]


async def sync_feed(
    pool: Pool,
    adapter: pims.PimsAdapter,
    feed: Feed,
    *,
    clock: Callable[[], datetime],
    site: Site | None = None,
    bound: Bound | None = MOST_LOST,
) -> Synced:
    """Read a feed's pages until the PIMS has no more. Raises the adapter's `PimsError`s.

    Not complete: somebody else reads it, or would lose too much and staff are asked (`losses`).
    """
    applied, cursor, repeats = 0, feed.cursor, 0
    newest: dict[tuple[pims.RecordKind, str], datetime] = {}
    for _ in range(MOST_PAGES):
        async with of_practice(pool, feed.practice_id) as conn:
            written_before = await connections.changes_written(conn, feed.practice_id)
        try:
            page = await adapter.changes(feed.name, cursor)
        except pims.CursorExpired:
            log.warning("sync.cursor_expired", connection=str(feed.connection_id), feed=feed.name)
            page = await adapter.changes(feed.name, None)
        repeats = repeats + 1 if page.more and page.cursor == cursor else 0
        if repeats > MOST_REPEATS:
            raise pims.PimsUnavailable("The PIMS gives the same page again and again.", outcome_unknown=False)
        now = clock()
        try:
            async with of_practice(pool, feed.practice_id) as conn, conn.transaction():
                mirror = await mirror_of(conn, feed, now, site, bound)
                if not await feeds.stands_at(conn, feed, cursor):
                    return Synced(changes=applied, complete=False)  # somebody else has read on
                outcome = await _apply(conn, mirror, feed, _not_older(page, newest))
                if outcome.news:
                    await _check_not_overtaken(conn, feed.practice_id, written_before)
                as_of = None if page.more or outcome.late else min(page.as_of, now)
                await feeds.advance(conn, feed, page.cursor, as_of, now)
                if outcome.late:
                    await feeds.read_all_again(conn, feed.practice_id, feed.connection_id, now, OF_THE_SCHEDULE)
        except _Overtaken:
            continue
        except TooMuchLost as too_much:
            async with of_practice(pool, feed.practice_id) as conn, conn.transaction():
                await hold_back(conn, feed, too_much, now)
            log.warning("sync.held_back", connection=str(feed.connection_id), feed=feed.name, losing=too_much.losing)
            return Synced(changes=applied, complete=False)
        applied += len(page.changes)
        for one in page.changes:
            key = kind_of(one), one.pims_id
            newest[key] = max(page.as_of, newest.get(key, page.as_of))
        cursor = page.cursor
        if outcome.late and set(feed.kinds) & set(OF_THE_SCHEDULE):
            cursor, newest = None, {}
        elif not page.more:
            return Synced(changes=applied, complete=True)
    return Synced(changes=applied, complete=False)


async def _apply(conn: Conn, mirror: Mirror, feed: Feed, changes: list[pims.Change]) -> Applied:
    await check_losses(conn, mirror, feed.name, changes)
    outcome = await apply_changes(conn, mirror, changes)
    await settled(conn, feed, mirror.now)
    return outcome


def _not_older(page: pims.ChangePage, newest: dict[tuple[pims.RecordKind, str], datetime]) -> list[pims.Change]:
    """Leave out what this run has already read in a newer state: pages may come out of order, or twice."""
    return [one for one in page.changes if newest.get((kind_of(one), one.pims_id), page.as_of) <= page.as_of]


class _Overtaken(Exception):
    """Rolls a page back that may show an appointment as it was before the PIMS changed it on our word."""


async def _check_not_overtaken(conn: Conn, practice_id: UUID, written_before: int) -> None:
    """Raise `_Overtaken` where a change of ours was written since the page was asked for: it is to be read again."""
    if await connections.changes_written(conn, practice_id) != written_before:
        raise _Overtaken
