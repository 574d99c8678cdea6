"""Offers: what is free by the whole schedule, and the first time after where nothing is."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from availability import Span, solve
from booking.db.holds import Wish
from booking.db.pool import across_practices, of_practice
from booking.holds import Held, hold
from booking.local_days import day_start, local_date
from booking.offers import NotBookableOnline, offer, types_for
from booking.slot_problem import slot_problem
from booking.standing import standing
from tests.booking.conftest import NOW, Riverside


async def test_the_next_time_after_days_without_any_is_one_that_can_be_held(riverside: Riverside) -> None:
    wish = riverside.wish("type-exotics", "rabbit")
    today = local_date(NOW, riverside.practice.timezone)
    first = (await riverside.slots(wish))[0]
    empty = await offer(riverside.pool, riverside.practice, wish, today, today, now=NOW)
    assert [day.slots for day in empty.days] == [[]]
    assert empty.next == first.start

    assert isinstance(await hold(riverside.pool, riverside.practice, wish, first.start, now=NOW), Held)
    later = await offer(riverside.pool, riverside.practice, wish, today, today, now=NOW)
    assert later.next is not None
    assert later.next > first.start
    assert isinstance(await hold(riverside.pool, riverside.practice, wish, later.next, now=NOW), Held)


async def test_beyond_the_horizon_there_is_no_next_time(riverside: Riverside) -> None:
    far = local_date(NOW, riverside.practice.timezone) + timedelta(days=70)
    nothing = await offer(riverside.pool, riverside.practice, riverside.wish(), far, far, now=NOW)
    assert nothing.days[0].slots == []
    assert nothing.next is None


async def test_with_a_provider_wished_for_only_their_times_are_offered(riverside: Riverside) -> None:
    async with across_practices(riverside.pool) as conn:
        lee: UUID = await conn.fetchval("SELECT resource_id FROM resource WHERE pims_id = 'prov-lee'")
    wish = msgspec.structs.replace(riverside.wish(), provider_id=lee)
    slots = await riverside.slots(wish)
    assert slots
    assert {tuple(slot.resources["veterinarian"]) for slot in slots} == {(str(lee),)}


async def test_a_provider_who_cannot_serve_the_type_has_no_times(riverside: Riverside) -> None:
    async with across_practices(riverside.pool) as conn:
        nguyen: UUID = await conn.fetchval("SELECT resource_id FROM resource WHERE pims_id = 'prov-nguyen'")
    assert await riverside.slots(msgspec.structs.replace(riverside.wish(), provider_id=nguyen)) == []


async def test_a_closed_day_has_no_times(riverside: Riverside) -> None:
    async with across_practices(riverside.pool) as conn:
        holiday = await conn.fetchval("SELECT first FROM closure ORDER BY first LIMIT 1")
    assert holiday not in {
        local_date(slot.start, riverside.practice.timezone) for slot in await riverside.slots(riverside.wish())
    }


async def test_a_type_for_existing_clients_is_not_offered_to_new_ones(riverside: Riverside) -> None:
    with pytest.raises(NotBookableOnline):
        await riverside.slots(riverside.wish("type-recheck", new_client=True))


async def test_a_callback_type_has_no_times(riverside: Riverside) -> None:
    with pytest.raises(NotBookableOnline):
        await riverside.slots(riverside.wish("type-euthanasia"))


async def test_a_type_full_for_the_day_is_offered_on_that_day_no_more(riverside: Riverside) -> None:
    wish = riverside.wish("type-dental")
    async with across_practices(riverside.pool) as conn:
        await conn.execute("UPDATE appointment_type SET max_per_day = 1 WHERE pims_id = 'type-dental'")
    slots = await riverside.slots(wish)
    assert slots, "the seed has no day without a dental cleaning"
    day = local_date(slots[0].start, riverside.practice.timezone)
    assert isinstance(await hold(riverside.pool, riverside.practice, wish, slots[0].start, now=NOW), Held)
    left = {local_date(slot.start, riverside.practice.timezone) for slot in await riverside.slots(wish)}
    assert day not in left


async def test_a_rule_keeps_a_type_out_of_its_time(riverside: Riverside) -> None:
    wish = riverside.wish()
    slots = await riverside.slots(wish)
    rule = [{"starts": "2026-01-01T00:00:00", "duration": "P1D", "rrule": "FREQ=DAILY"}]
    async with across_practices(riverside.pool) as conn:
        await conn.execute(
            """INSERT INTO rule (practice_id, rule_id, name, effect, "when", appointment_types, resources)
               VALUES ($1, gen_random_uuid(), 'No wellness exams', 'deny', $2, $3, NULL)""",
            riverside.practice.practice_id,
            rule,
            [wish.appointment_type_id],
        )
    assert slots
    assert await riverside.slots(wish) == []


async def test_whom_a_visit_does_not_concern_need_not_be_asked(riverside: Riverside) -> None:
    start = day_start(local_date(NOW, riverside.practice.timezone), riverside.practice.timezone)
    window = Span(start=start, end=start + timedelta(days=14))
    async with of_practice(riverside.pool, riverside.practice.practice_id) as conn:
        stands = await standing(conn, riverside.practice.practice_id)
        for one in stands.types:
            if not one.steps:
                continue
            wish = Wish(appointment_type_id=one.appointment_type_id, patients=("dog",), new_client=False, by_staff=True)
            posed = await slot_problem(conn, riverside.practice, types_for(stands, wish), wish, window, now=NOW)
            everybody = tuple(
                msgspec.structs.replace(column, busy=posed.taken.busy.get(resource.resource_id, column.busy))
                for resource, column in zip(stands.resources, stands.columns, strict=True)
            )
            asked = msgspec.structs.replace(posed.problem, resources=everybody, rules=stands.rules)
            assert len(posed.problem.resources) < len(everybody)
            assert solve(posed.problem).slots == solve(asked).slots
