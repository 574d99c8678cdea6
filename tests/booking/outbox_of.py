"""The outbox as tests look at it, and how they let it be delivered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from booking.db import connections
from booking.db.pool import across_practices
from booking.write_back import deliver_due
from pims_adapters.contract import CreatesAppointments, PimsAdapter, abilities_of
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import SITE


async def deliver_by(riverside: Riverside, adapter: PimsAdapter, after: timedelta = timedelta()) -> int:
    """Deliver what is due some time after `NOW`, by an adapter that is closed then."""
    try:
        return await deliver_due(
            riverside.pool, adapter, riverside.practice.practice_id, site=SITE, clock=lambda: NOW + after
        )
    finally:
        await adapter.close()


async def lines(riverside: Riverside) -> list[dict[str, Any]]:
    """Return the outbox, oldest first."""
    async with across_practices(riverside.pool) as conn:
        return [dict(row) for row in await conn.fetch("SELECT * FROM write_back ORDER BY position")]


async def states(riverside: Riverside) -> dict[tuple[str, str], str]:
    """Return how each kind and action stands; of several the last."""
    return {(one["kind"], one["action"]): one["state"] for one in await lines(riverside)}


async def know(riverside: Riverside, adapter: PimsAdapter) -> None:
    """Let bookings know what the adapter can and asks, as a worker does."""
    asks = list(adapter.asks) if isinstance(adapter, CreatesAppointments) else []
    async with across_practices(riverside.pool) as conn:
        connection = await connections.connection_of(conn, riverside.practice.practice_id)
        assert connection is not None
        await connections.note_abilities(
            conn, connection.practice_id, connection.connection_id, sorted(abilities_of(adapter)), asks
        )


async def fetch(riverside: Riverside, query: str, *arguments: object) -> list[dict[str, Any]]:
    """Return whatever else a test wants to know."""
    async with across_practices(riverside.pool) as conn:
        return [dict(row) for row in await conn.fetch(query, *arguments)]
