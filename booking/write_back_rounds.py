"""Rounds of write-back: whose lines are due, and who is at them. A PIMS that is slow keeps no other waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol
from uuid import UUID

import structlog

from booking.db import connections, write_backs
from booking.db.connections import Connection
from booking.db.pool import Pool, across_practices, of_practice
from booking.site import Site
from booking.write_back import deliver_due
from pims_adapters.contract import CreatesAppointments, PimsAdapter, PimsError, abilities_of

PRACTICES_AT_ONCE = 200

log = structlog.get_logger()


class OpensAdapters(Protocol):
    """Whoever has the open adapters of a worker."""

    async def of(self, connection: Connection) -> PimsAdapter:
        """Return the connection's adapter."""


class Desks:
    """One desk for each practice that has lines due: it delivers until nothing is, and hears when there is more."""

    def __init__(
        self,
        pool: Pool,
        adapters: OpensAdapters,
        site: Site,
        *,
        clock: Callable[[], datetime],
        on_failure: Callable[[Connection, PimsError], Awaitable[None]],
    ) -> None:
        self._pool = pool
        self._adapters = adapters
        self._site = site
        self._clock = clock
        self._on_failure = on_failure
        self._more: dict[UUID, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._noted: dict[UUID, PimsAdapter] = {}
        self._room = asyncio.Semaphore(PRACTICES_AT_ONCE)

    async def round(self) -> None:
        """See whose lines are due; open their desks, or tell those that are open."""
        async with across_practices(self._pool) as conn:
            due = await write_backs.practices_with_work(conn, self._clock())
            unserved = [one for one in due if one not in self._more]
            working = await connections.working_connections(conn) if unserved else []
        for practice_id in due:
            if practice_id in self._more:
                self._more[practice_id].set()
        for connection in working:
            if connection.practice_id in unserved and connection.practice_id not in self._more:
                self._more[connection.practice_id] = asyncio.Event()
                task = asyncio.create_task(self._serve(connection))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop delivering. What is on its way is taken up by whoever comes when its lease runs out."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, connection: Connection) -> None:
        more = self._more[connection.practice_id]
        try:
            async with self._room:
                adapter = await self._adapters.of(connection)
                await self._note_abilities(connection, adapter)
                more.set()
                while more.is_set():
                    more.clear()
                    await deliver_due(
                        self._pool, adapter, connection.practice_id, site=self._site, clock=self._clock, more=more
                    )
        except PimsError as failure:
            await self._on_failure(connection, failure)
        except Exception:
            # Whatever it was (PostgreSQL restarting, a bug): other practices go on, and the next round tries again.
            log.exception("write_back.desk_failed", practice=str(connection.practice_id))
        finally:
            del self._more[connection.practice_id]

    async def _note_abilities(self, connection: Connection, adapter: PimsAdapter) -> None:
        """Keep what the adapter can do and asks where bookings read it."""
        if self._noted.get(connection.connection_id) is adapter:
            return
        abilities = sorted(abilities_of(adapter))
        asks = list(adapter.asks) if isinstance(adapter, CreatesAppointments) else []
        async with of_practice(self._pool, connection.practice_id) as conn:
            await connections.note_abilities(conn, connection.practice_id, connection.connection_id, abilities, asks)
        self._noted[connection.connection_id] = adapter
