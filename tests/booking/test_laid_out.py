"""Laid out once for as long as it stands: whoever asks next has the same answer, and a change is seen at once."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from availability import Layout
from booking.db import schedule
from booking.db.pool import across_practices, of_practice
from booking.holds import Held, hold
from booking.laid_out import kept
from booking.local_days import local_date
from booking.offers import offer
from tests.booking.conftest import NOW, Riverside

DAY = timedelta(days=1)


async def laid_out(riverside: Riverside) -> Layout | None:
    async with of_practice(riverside.pool, riverside.practice.practice_id) as conn:
        return kept((await schedule.version(conn, riverside.practice.practice_id)).standing)


async def has_changed(riverside: Riverside) -> None:
    """Give what stands a name under which nobody has seen it; tests share the one that their databases began with."""
    async with across_practices(riverside.pool) as conn:
        await conn.execute("UPDATE appointment_type SET notice = notice + interval '1 minute'")


async def starts(riverside: Riverside, *, now: datetime = NOW) -> list[datetime]:
    return [slot.start for slot in await riverside.slots(riverside.wish(), now=now)]


async def test_an_offer_lays_it_out_for_the_next_offers_of_any_type(riverside: Riverside) -> None:
    await has_changed(riverside)
    assert await laid_out(riverside) is None
    await riverside.slots(riverside.wish())
    layout = await laid_out(riverside)
    assert layout is not None
    assert await riverside.slots(riverside.wish("type-exotics", "rabbit"))
    assert await laid_out(riverside) is layout


async def test_a_hold_changes_what_is_offered_and_not_what_is_laid_out(riverside: Riverside) -> None:
    await has_changed(riverside)
    before = await riverside.slots(riverside.wish())
    layout = await laid_out(riverside)
    held = await hold(riverside.pool, riverside.practice, riverside.wish(), before[0].start, now=NOW)
    assert isinstance(held, Held)
    assert before[0] not in await riverside.slots(riverside.wish())
    assert await laid_out(riverside) is layout


async def test_a_hold_alone_lays_nothing_out(riverside: Riverside) -> None:
    """Its one day is laid out sooner than two months."""
    first = (await riverside.slots(riverside.wish()))[0]
    await has_changed(riverside)
    held = await hold(riverside.pool, riverside.practice, riverside.wish(), first.start, now=NOW)
    assert isinstance(held, Held)
    assert await laid_out(riverside) is None


async def test_a_closed_day_is_closed_to_offers_and_holds_at_once(riverside: Riverside) -> None:
    first = (await riverside.slots(riverside.wish()))[0]
    day = local_date(first.start, riverside.practice.timezone)
    async with across_practices(riverside.pool) as conn:
        await conn.execute(
            """INSERT INTO closure (practice_id, closure_id, name, first, last)
            SELECT practice_id, gen_random_uuid(), 'Closed', $1, $1 FROM practice""",
            day,
        )
    held = await hold(riverside.pool, riverside.practice, riverside.wish(), first.start, now=NOW)
    assert not isinstance(held, Held)
    assert day not in {local_date(one, riverside.practice.timezone) for one in await starts(riverside)}
    assert not isinstance(await hold(riverside.pool, riverside.practice, riverside.wish(), first.start, now=NOW), Held)


async def test_other_hours_of_the_practice_are_seen_at_once(riverside: Riverside) -> None:
    """They stand in the practice's own row, which the name says nothing of."""
    before = await starts(riverside)
    layout = await laid_out(riverside)
    never = msgspec.structs.replace(riverside.practice, hours=riverside.practice.hours[:1])
    first = local_date(NOW, never.timezone)
    found = await offer(riverside.pool, never, riverside.wish(), first, first + 13 * DAY, now=NOW)
    fewer = [slot.start for day in found.days for slot in day.slots]
    assert set(fewer) < set(before)
    assert await laid_out(riverside) is not layout
    assert await starts(riverside) == before


async def test_the_next_day_it_is_laid_out_anew(riverside: Riverside) -> None:
    await riverside.slots(riverside.wish())
    layout = await laid_out(riverside)
    assert layout is not None
    await riverside.slots(riverside.wish(), now=NOW + DAY)
    tomorrows = await laid_out(riverside)
    assert tomorrows is not None
    assert tomorrows.calendar.first == layout.calendar.first + DAY


async def test_days_that_nobody_laid_out_are_answered_all_the_same(riverside: Riverside) -> None:
    await riverside.slots(riverside.wish())
    layout = await laid_out(riverside)
    far = local_date(NOW, riverside.practice.timezone) + 60 * DAY
    found = await offer(riverside.pool, riverside.practice, riverside.wish(), far, far + 7 * DAY, now=NOW)
    assert len(found.days) == 8
    assert await laid_out(riverside) is layout
