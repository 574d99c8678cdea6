"""Feeds: what changed in the PIMS, pushed page by page from the cursor that vetslot names."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from pims_adapters._agent.agent.line import Line, OutOfReach, Refused
from pims_adapters._agent.agent.patience import Patience
from pims_adapters._agent.agent.source import Changes, Source
from pims_adapters._agent.protocol import MOST_PAGE_BYTES, MOST_ROWS, FeedState, Page
from pims_adapters.contract import CursorExpired, PimsError

log = logging.getLogger("vetslot.agent")


class Pusher:
    """What pushes one feed."""

    def __init__(self, line: Line, source: Source, instance: str, feed: FeedState, zone: ZoneInfo) -> None:
        self.feed = feed
        self._line = line
        self._source = source
        self._instance = instance
        self._zone = zone
        self._kept = feed.cursor
        self._read_from = feed.cursor
        self._most = MOST_ROWS
        self._wanted = asyncio.Event()
        if feed.at is None or feed.cursor is None:
            self._wanted.set()

    def start_anew(self) -> None:
        """Push everything again from the feed's beginning, now."""
        self._kept = self._read_from = None
        self._wanted.set()

    async def run(self) -> None:
        """Push what is new whenever it is time, for good. What cannot be done now is tried again with patience."""
        patience = Patience()
        while True:
            await self._time_comes()
            try:
                await self.push_all()
                patience.rest()
            except (PimsError, OutOfReach, Refused) as error:
                log.warning("Feed %s: %s", self.feed.name, error)
                await asyncio.sleep(patience.pause(getattr(error, "wait", None)))
                self._wanted.set()

    async def push_all(self) -> None:
        """Push page after page until the PIMS has no more."""
        patience = Patience()
        while True:
            try:
                changes = await self._changes()
            except CursorExpired:
                # From its beginning, but after what vetslot has: it goes on, and hears of all records again.
                log.warning("Feed %s: the practice system no longer knows where we were; reading anew.", self.feed.name)
                self._read_from = None
                continue
            now = self._source.now()
            page = Page(
                instance=self._instance,
                feed=self.feed.name,
                after=self._kept,
                cursor=changes.cursor,
                more=changes.more,
                as_of=now - changes.age,
                clock=now,
                rows=changes.rows,
            )
            kept = (await self._line.push(page)).cursor
            if kept != page.cursor:
                self._kept = self._read_from = kept
                await asyncio.sleep(patience.pause())
                continue
            self._kept = self._read_from = kept
            if not changes.more:
                return

    async def _changes(self) -> Changes:
        """Read a page that is not too large to be taken."""
        while True:
            changes = await self._source.changes(self.feed.tables, self._read_from, self._most)
            size = len(msgspec.json.encode(changes.rows))
            if size < MOST_PAGE_BYTES * 3 // 4 or self._most == 1:
                return changes
            self._most = max(1, self._most // 2)

    async def _time_comes(self) -> None:
        """Wait until it is time to look, or somebody wants it now."""
        try:
            async with asyncio.timeout(self._seconds()):
                await self._wanted.wait()
        except TimeoutError:
            pass
        self._wanted.clear()

    def _seconds(self) -> float:
        if self.feed.at is None:
            return self.feed.every_seconds
        return until_local(self._source.now(), time.fromisoformat(self.feed.at), self._zone).total_seconds()


def until_local(now: datetime, at: time, zone: ZoneInfo) -> timedelta:
    """Return how long it is until a wall-clock time next comes."""
    local = now.astimezone(zone)
    comes = datetime.combine(local.date(), at, tzinfo=zone)
    if comes <= local:
        comes = datetime.combine(local.date() + timedelta(days=1), at, tzinfo=zone)
    return comes.astimezone(now.tzinfo) - now
