"""Rounds: a worker looks for feeds that are due and reads each on its own, so that none waits for another.

A feed that fails is tried again later and later, and says why; the others of its connection go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from booking.connect.steps import note_imported
from booking.db import connections, feeds, practices
from booking.db.connections import Connection
from booking.db.feeds import Feed
from booking.db.pool import Pool, across_practices, of_practice
from booking.local_days import local_date
from booking.site import Site
from booking.sync.drift import MOST_DAYS, compare
from booking.sync.pages import known_feeds, sync_feed
from booking.sync.rhythm import LONGEST_PAUSE, after_failure, next_time
from booking.sync.silence import list_feed
from pims_adapters.contract import PimsAdapter, PimsError

LOOK_EVERY = timedelta(seconds=2)
TAKEN_FOR = timedelta(minutes=2)
AT_ONCE = 20

log = structlog.get_logger()


class Keeping:
    """Keeps mirrors in step: the feeds that this worker reads at the moment."""

    def __init__(
        self,
        pool: Pool,
        adapter_of: Callable[[Connection], Awaitable[PimsAdapter]],
        *,
        site: Site | None,
        clock: Callable[[], datetime],
        most: timedelta,
    ) -> None:
        self._pool = pool
        self._adapter_of = adapter_of
        self._site = site
        self._clock = clock
        self._most = most
        self._running: set[asyncio.Task[None]] = set()
        self._not_before: dict[UUID, datetime] = {}
        self._done = asyncio.Event()

    async def round(self) -> None:
        """Begin with what is due, as far as there is room; nobody waits for it to end."""
        now = self._clock()
        room = AT_ONCE - len(self._running)
        if room <= 0:
            return
        async with across_practices(self._pool) as conn:
            never_read = await feeds.practices_without_feeds(conn)
            due = await feeds.take_due(conn, now=now, until=now + TAKEN_FOR, most=room)
        for practice_id in never_read:
            if self._not_before.get(practice_id, now) <= now:
                self._not_before[practice_id] = now + LONGEST_PAUSE
                self._begin(self._get_to_know(practice_id))
        for feed in due:
            self._begin(self.read(feed))

    async def keep(self, wake: asyncio.Event) -> None:
        """Do rounds until cancelled: when woken, when there is room again, and every two seconds."""
        try:
            while True:
                wake.clear()
                self._done.clear()
                await self.round()
                full = len(self._running) >= AT_ONCE
                await _first_of(self._done if full else wake, LOOK_EVERY)
        finally:
            for task in self._running:
                task.cancel()
            await self.ended()

    async def ended(self) -> None:
        """Wait until what was begun has ended, well or not."""
        await asyncio.gather(*self._running, return_exceptions=True)

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._done.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("sync.failed", exc_info=task.exception())

    async def _get_to_know(self, practice_id: UUID) -> None:
        """Ask the adapter of a connection that was never read which feeds it has; they are due at once."""
        async with of_practice(self._pool, practice_id) as conn:
            connection = await connections.connection_of(conn, practice_id)
        if connection is None:
            return
        try:
            adapter = await self._adapter_of(connection)
        except PimsError as failure:
            await self._note(connection, failure)
            return
        if not await known_feeds(self._pool, adapter, connection, self._clock()):
            await self._note_imported(connection)  # there is nothing to import

    async def read(self, feed: Feed) -> None:
        """Read a feed that was taken, or ask for its listing, and say when it is due again."""
        async with of_practice(self._pool, feed.practice_id) as conn:
            connection = await connections.connection_of(conn, feed.practice_id)
            practice = await practices.practice_by_id(conn, feed.practice_id)
        if connection is None or practice is None:
            return
        due_at = after_failure(feed, self._clock())
        try:
            adapter = await self._adapter_of(connection)
            known = await known_feeds(self._pool, adapter, connection, self._clock())
            feed = next((one for one in known if one.name == feed.name), feed)
            if feed.listing is not None:
                complete = await list_feed(self._pool, adapter, feed, clock=self._clock, site=self._site)
            else:
                synced = await sync_feed(self._pool, adapter, feed, clock=self._clock, site=self._site)
                complete = synced.complete
            if complete:
                due_at = next_time(
                    feed, practice.timezone, self._clock(), most=self._most, nights=connection.import_settings
                )
                await self._note_imported(connection)
            if complete and feed.listing == "far":
                today = local_date(self._clock(), practice.timezone)
                last = today + timedelta(days=MOST_DAYS - 1)
                await compare(self._pool, adapter, connection, today, last, clock=self._clock)
        except PimsError as failure:
            await self._note(connection, failure, feed)
        finally:
            async with of_practice(self._pool, feed.practice_id) as conn:
                await feeds.set_due(conn, feed, due_at)

    async def _note_imported(self, connection: Connection) -> None:
        """Go live with a connection all of whose feeds have been read."""
        if connection.status != "importing":
            return
        async with of_practice(self._pool, connection.practice_id) as conn, conn.transaction():
            if await feeds.all_read(conn, connection.practice_id, connection.connection_id, self._clock()):
                await note_imported(conn, connection.practice_id)

    async def _note(self, connection: Connection, failure: PimsError, feed: Feed | None = None) -> None:
        """Note where staff see it why the PIMS could not be read."""
        log.warning("connection.failed", connection=str(connection.connection_id), reason=type(failure).__name__)
        async with of_practice(self._pool, connection.practice_id) as conn:
            if feed is not None:
                await feeds.record_failure(conn, feed, str(failure), self._clock())
            else:
                await connections.record_failure(
                    conn, connection.practice_id, connection.connection_id, str(failure), self._clock()
                )


async def _first_of(event: asyncio.Event, pause: timedelta) -> None:
    """Wait for an event, at most so long."""
    try:
        async with asyncio.timeout(pause.total_seconds()):
            await event.wait()
    except TimeoutError:
        return
