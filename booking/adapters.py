"""Adapters: the open adapters of a worker, one per connection, each with its line to an agent where it needs one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from booking.agents.relay import DatabaseRelay
from booking.agents.wakes import Wakes
from booking.connect.credentials import opened_settings
from booking.db.connections import Connection
from booking.db.pool import Pool
from pims_adapters import open_adapter, system_of
from pims_adapters.contract import PimsAdapter


class Adapters:
    """What this process has open; a connection is opened anew when its settings change."""

    def __init__(self, pool: Pool, *, secret_key: bytes, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._secret_key = secret_key
        self._clock = clock
        self._wakes = Wakes(pool)
        self._open: dict[UUID, tuple[Connection, PimsAdapter]] = {}

    async def of(self, connection: Connection) -> PimsAdapter:
        """Return the connection's adapter. Raises `PimsMisconfigured`."""
        known = self._open.get(connection.connection_id)
        if known is not None:
            opened_for, adapter = known
            if _opens_with(opened_for) == _opens_with(connection):
                return adapter
            del self._open[connection.connection_id]
            await adapter.close()
        settings = opened_settings(connection, self._secret_key)
        adapter = open_adapter(connection.adapter, settings, self._relay(connection))
        self._open[connection.connection_id] = (connection, adapter)
        return adapter

    def _relay(self, connection: Connection) -> DatabaseRelay | None:
        if not system_of(connection.adapter).agent:
            return None
        return DatabaseRelay(
            self._pool, self._wakes, connection.practice_id, connection.connection_id, clock=self._clock
        )

    async def close(self) -> None:
        """Close them all."""
        for _, adapter in self._open.values():
            await adapter.close()
        await self._wakes.close()


def _opens_with(connection: Connection) -> tuple[object, ...]:
    return connection.adapter, connection.settings, connection.sealed
