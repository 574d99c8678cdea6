"""Wakes: whoever waits for something of an agent's line hears of it when the transaction that brings it commits.

A process listens with one connection while anybody waits, and some time after. A word that gets lost while that
connection is down delays and never loses: who waits looks again when it stands, and now and then besides.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog

from booking.db.pool import Pool, of_no_practice
from booking.out_of_reach import OUT_OF_REACH

CHANNEL = "vetslot_agent"
LOOK_EVERY = timedelta(seconds=5)
LINGER = timedelta(minutes=1)
AFTER_FAILURE = timedelta(seconds=1)

log = structlog.get_logger()


class Wakes:
    """What those who wait in this process share: one listening connection, and an event for each of them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._listening: asyncio.Task[None] | None = None

    @contextmanager
    def hearing(self, topic: str) -> Iterator[asyncio.Event]:
        """Lend an event that is set whenever there may be news of a topic. Look before the first wait."""
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._keep_listening())
        event = asyncio.Event()
        self._waiting[topic].add(event)
        try:
            yield event
        finally:
            self._waiting[topic].discard(event)
            if not self._waiting[topic]:
                del self._waiting[topic]

    async def close(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])

    async def _keep_listening(self) -> None:
        """Listen until nobody has waited for a while."""
        while True:
            try:
                if await self._listen():
                    return
            except OUT_OF_REACH as failure:
                log.warning("agents.not_listening", reason=type(failure).__name__)
            await asyncio.sleep(AFTER_FAILURE.total_seconds())

    async def _listen(self) -> bool:
        """Listen with one connection until it is lost (False) or nobody has waited for a while (True)."""
        lost = asyncio.Event()

        def hear(_conn: object, _pid: int, _channel: str, topic: object) -> None:
            self._set(str(topic))

        def lose(_conn: object) -> None:
            lost.set()

        async with of_no_practice(self._pool) as conn:
            conn.add_termination_listener(lose)
            await conn.add_listener(CHANNEL, hear)
            try:
                for topic in [*self._waiting]:
                    self._set(topic)  # something may have come while nobody listened
                while not lost.is_set():
                    try:
                        async with asyncio.timeout(LINGER.total_seconds()):
                            await lost.wait()
                    except TimeoutError:
                        if not self._waiting:
                            return True
            finally:
                conn.remove_termination_listener(lose)
                if not conn.is_closed():
                    await conn.remove_listener(CHANNEL, hear)
        return False

    def _set(self, topic: str) -> None:
        for event in self._waiting.get(topic, ()):
            event.set()


async def heard(event: asyncio.Event, within: timedelta) -> None:
    """Wait for a word, at most so long and never so long that a lost word would matter."""
    try:
        async with asyncio.timeout(max(0.0, min(within, LOOK_EVERY).total_seconds())):
            await event.wait()
    except TimeoutError:
        return
    finally:
        event.clear()
