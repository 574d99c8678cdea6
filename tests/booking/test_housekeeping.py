"""Housekeeping: what has had its time is deleted, and nothing else."""

from __future__ import annotations

from datetime import timedelta

from booking.book import Booked
from booking.db.pool import across_practices
from booking.housekeeping import HOLDS_ARE_KEPT, KEYS_ARE_KEPT, tidy
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import hold_first, olivias_booking, send

LATE = timedelta(seconds=1)


async def left(riverside: Riverside, table: str) -> int:
    async with across_practices(riverside.pool) as conn:
        count: int = await conn.fetchval(f"SELECT count(*) FROM {table}")
    return count


async def test_a_hold_is_kept_a_day_after_it_expired(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish())
    await tidy(riverside.pool, held.hold.expires_at + HOLDS_ARE_KEPT)
    assert await left(riverside, "hold") == 1
    await tidy(riverside.pool, held.hold.expires_at + HOLDS_ARE_KEPT + LATE)
    assert await left(riverside, "hold") == 0
    assert await left(riverside, "claim WHERE hold_id IS NOT NULL") == 0


async def test_a_key_is_kept_a_week_and_its_appointment_for_good(riverside: Riverside) -> None:
    booking = await olivias_booking(riverside, await hold_first(riverside, riverside.wish()))
    assert isinstance(await send(riverside, booking, "k"), Booked)
    await tidy(riverside.pool, NOW + KEYS_ARE_KEPT)
    assert await left(riverside, "idempotency") == 1
    await tidy(riverside.pool, NOW + KEYS_ARE_KEPT + LATE)
    assert await left(riverside, "idempotency") == 0
    assert await left(riverside, "appointment WHERE source = 'online'") == 1


async def test_a_message_that_was_not_sent_is_never_forgotten(riverside: Riverside) -> None:
    booking = await olivias_booking(riverside, await hold_first(riverside, riverside.wish()))
    await send(riverside, booking, "k")
    await tidy(riverside.pool, NOW + timedelta(days=365))
    assert await left(riverside, "message") == 1
