"""Live: tell open pages that a practice's schedule has changed, so that they ask for its times again.

A process looks up the schedule versions of all practices that its streams watch with one short statement a second, and
none when nobody watches. Nothing has to be published, so nothing can be missed (docs/decisions/0005).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import structlog

from booking.db.pool import Pool, of_no_practice
from booking.db.practices import schedule_versions
from booking.out_of_reach import OUT_OF_REACH

LOOK_EVERY = timedelta(seconds=1)
KEEP_ALIVE = timedelta(seconds=15)
LONGEST = timedelta(minutes=10)
MOST_STREAMS = 2000
MOST_OF_AN_ADDRESS = 20

log = structlog.get_logger()


class TooManyStreams(Exception):
    """Very many pages are open at the moment. Please ask for the times again yourself, now and then."""

    headers = {"retry-after": "60"}  # noqa: RUF012 - nobody changes it


class ScheduleWatch:
    """What all streams of this process share: who watches which practice, and the versions they have last seen."""

    def __init__(self, pool: Pool, *, look_every: timedelta = LOOK_EVERY) -> None:
        self._pool = pool
        self._look_every = look_every.total_seconds()
        self._watched: Counter[UUID] = Counter()
        self._addresses: Counter[str] = Counter()
        self._versions: dict[UUID, int] = {}
        self._looked = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return self._watched.total()

    def refuse_too_many(self, address: str) -> None:
        """Raise `TooManyStreams` where this process, or this block of addresses, has enough of them."""
        if self.streams >= MOST_STREAMS or self._addresses[address] >= MOST_OF_AN_ADDRESS:
            raise TooManyStreams(TooManyStreams.__doc__)

    async def changes(
        self,
        practice_id: UUID,
        address: str,
        *,
        seen: int | None = None,
        keep_alive: timedelta = KEEP_ALIVE,
        longest: timedelta = LONGEST,
    ) -> AsyncGenerator[int | None, None]:
        """Yield the version that stands, unless it is `seen`, and each later one; None to keep the connection alive.

        Several changes within a second are one. It ends after `longest`; whoever still watches comes again.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + longest.total_seconds()
        with self._watching(practice_id, address):
            while (left := ends - loop.time()) > 0:
                version = await self._other_than(practice_id, seen, min(left, keep_alive.total_seconds()))
                seen = seen if version is None else version
                yield version

    @contextmanager
    def _watching(self, practice_id: UUID, address: str) -> Iterator[None]:
        self._watched[practice_id] += 1
        self._addresses[address] += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            # Subtracted so, what has come to nothing is forgotten.
            self._watched -= Counter([practice_id])
            self._addresses -= Counter([address])
            if practice_id not in self._watched:
                self._versions.pop(practice_id, None)
            if not self._watched and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _other_than(self, practice_id: UUID, seen: int | None, within: float) -> int | None:
        """Wait for a version that was not seen; None where the time is up."""
        try:
            async with asyncio.timeout(within):
                while (version := self._versions.get(practice_id, seen)) == seen:
                    await self._looked.wait()
                return version
        except TimeoutError:
            return None

    async def _keep_looking(self) -> None:
        while True:
            try:
                async with of_no_practice(self._pool) as conn:
                    found = await schedule_versions(conn, list(self._watched))
            except OUT_OF_REACH as failure:
                log.warning("live.not_looking", reason=type(failure).__name__)
            else:
                self._versions.update((one, version) for one, version in found.items() if one in self._watched)
                self._looked.set()
                self._looked = asyncio.Event()
            await asyncio.sleep(self._look_every)
