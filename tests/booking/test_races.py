"""Races: many clients at one moment. Nothing is taken twice, nobody is sent away who could be served, nobody deadlocks.

A small sample by default; `VETSLOT_PROVE=1` (`make prove`) runs all rounds.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby, pairwise

import asyncpg
import msgspec
import pytest

from booking.book import Booked, NewPatient
from booking.db.claims import lock_days
from booking.db.holds import Wish
from booking.db.pool import across_practices, connect
from booking.holds import Held, SlotTaken, extend, hold
from booking.local_days import local_date
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import hold_first, olivias_booking, send, strangers_booking
from tests.booking.test_claims import overlaps

ROUNDS = 100 if os.environ.get("VETSLOT_PROVE") == "1" else 3
RACERS = 50
SHADOW = """
CREATE SCHEMA shadow;
CREATE FUNCTION shadow.pg_advisory_xact_lock(bigint) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(0.05)';
ALTER DATABASE {database} SET search_path = shadow, pg_catalog, public;
"""


async def hold_and_book(
    riverside: Riverside, wish: Wish, start: datetime, who: str, *, now: datetime = NOW
) -> Booked | SlotTaken:
    """Do what a new client does who wants one time: hold it, and book it with pets of the species wished for."""
    held = await hold(riverside.pool, riverside.practice, wish, start, now=now)
    if isinstance(held, SlotTaken):
        return held
    pets = tuple(NewPatient(name=f"Pet {n}", species=species) for n, species in enumerate(wish.patients))
    booking = strangers_booking(held, contact=f"racer{who}@example.com")
    return await send(riverside, msgspec.structs.replace(booking, patients=pets), who, now=now)


async def served_by(riverside: Riverside, resources: int, *, capacity: int = 1) -> Wish:
    """Let nail trims need nothing but one of so many always open kennels."""
    async with across_practices(riverside.pool) as conn:
        await conn.execute(
            f"""INSERT INTO resource (practice_id, resource_id, name, kind, roles, capacity)
                SELECT '{riverside.practice.practice_id}', gen_random_uuid(), 'Kennel ' || n, 'room', '{{kennel}}',
                  {capacity} FROM generate_series(1, {resources}) n;
                UPDATE appointment_type SET steps = '[{{"duration": "PT30M", "needs": [{{"role": "kennel"}}]}}]'
                WHERE pims_id = 'type-nail-trim'"""
        )
    return riverside.wish("type-nail-trim", new_client=True)


@asynccontextmanager
async def without_the_lock(riverside: Riverside) -> AsyncIterator[Riverside]:
    """Return the practice as it would be if nobody waited for anybody: its database has advisory locks that do nothing.

    They take a moment, so that those who come at once meet behind them. The statements stay as they are; a function of
    the same name stands before PostgreSQL's own.
    """
    database = riverside.database_url.rsplit("/", 1)[1]
    conn = await asyncpg.connect(riverside.database_url)
    await conn.execute(SHADOW.format(database=database))
    await conn.close()
    async with await connect(riverside.database_url, max_size=RACERS) as pool:
        yield replace(riverside, pool=pool)


async def test_of_fifty_clients_who_want_one_time_exactly_one_is_booked_round_after_round(riverside: Riverside) -> None:
    wish = riverside.wish("type-exotics", "rabbit", new_client=True)  # one veterinarian only
    for number in range(ROUNDS):
        slots = await riverside.slots(wish, days=60)
        start = slots[number * 7 % len(slots)].start
        outcomes = await asyncio.gather(
            *(hold_and_book(riverside, wish, start, f"{number}-{racer}") for racer in range(RACERS))
        )
        assert sum(isinstance(one, Booked) for one in outcomes) == 1
    assert await overlaps(riverside.pool) == 0


async def test_times_that_overlap_without_being_equal_are_kept_apart(riverside: Riverside) -> None:
    wish = riverside.wish("type-exotics", "rabbit", new_client=True)
    starts = [slot.start for slot in await riverside.slots(wish)][:9]
    outcomes = await asyncio.gather(
        *(hold_and_book(riverside, wish, start, f"{start:%d%H%M}-{n}") for start in starts for n in range(4))
    )
    spans = sorted((one.appointment.starts_at, one.appointment.ends_at) for one in outcomes if isinstance(one, Booked))
    assert spans
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert await overlaps(riverside.pool) == 0


async def test_of_ten_who_come_at_once_all_are_served_where_ten_are_free(riverside: Riverside) -> None:
    wish = await served_by(riverside, 10)
    start = (await riverside.slots(wish))[0].start
    outcomes = await asyncio.gather(*(hold_and_book(riverside, wish, start, str(n)) for n in range(10)))
    booked = [one.appointment for one in outcomes if isinstance(one, Booked)]
    assert len({one.resources["kennel"][0] for one in booked}) == len(booked) == 10
    assert isinstance(await hold(riverside.pool, riverside.practice, wish, start, now=NOW), SlotTaken)


async def test_a_resource_for_two_takes_exactly_two(riverside: Riverside) -> None:
    wish = await served_by(riverside, 1, capacity=2)
    start = (await riverside.slots(wish))[0].start
    outcomes = await asyncio.gather(*(hold_and_book(riverside, wish, start, str(n)) for n in range(RACERS)))
    assert sum(isinstance(one, Booked) for one in outcomes) == 2
    assert await overlaps(riverside.pool) == 0


async def test_a_hold_that_expires_while_it_is_booked_goes_to_one_of_those_who_want_it(riverside: Riverside) -> None:
    wish = riverside.wish("type-exotics", "rabbit", new_client=True)
    slots = await riverside.slots(wish)
    for number in range(ROUNDS):
        start = slots[number * 3 % len(slots)].start
        slow = await hold(riverside.pool, riverside.practice, wish, start, now=NOW)
        if isinstance(slow, SlotTaken):
            continue  # a round before took part of it
        later = slow.hold.expires_at
        late = strangers_booking(slow, contact=f"late{number}@example.com", species="rabbit")
        outcomes = await asyncio.gather(
            send(riverside, late, f"late-{number}", now=later),
            *(hold_and_book(riverside, wish, start, f"{number}-{racer}", now=later) for racer in range(9)),
        )
        assert sum(isinstance(one, Booked) for one in outcomes) == 1
    assert await overlaps(riverside.pool) == 0


async def test_families_and_single_pets_meet_without_a_double_claim_or_a_deadlock(riverside: Riverside) -> None:
    single = riverside.wish(new_client=True)
    wishes = [single, riverside.wish("type-wellness", "dog", "cat", new_client=True)]
    wishes.append(riverside.wish("type-wellness", "cat", "cat", "dog", "dog", new_client=True))
    starts = [slot.start for slot in await riverside.slots(wishes[-1])][:8]
    outcomes = await asyncio.gather(
        *(
            hold_and_book(riverside, wish, start, f"{start:%d%H%M}-{n}")
            for start in starts
            for n, wish in enumerate(wishes * 2)
        )
    )
    booked = [one for one in outcomes if isinstance(one, Booked)]
    assert {len(one.appointments) for one in booked} > {1}
    async with across_practices(riverside.pool) as conn:
        visits = await conn.fetchval("SELECT count(*) FROM appointment WHERE source = 'online'")
    assert visits == sum(len(one.appointments) for one in booked)
    assert await overlaps(riverside.pool) == 0


async def room_for_one(riverside: Riverside) -> tuple[Wish, list[datetime]]:
    """Leave room for one wellness exam a day, and return some times of a day on which there is none yet."""
    async with across_practices(riverside.pool) as conn:
        await conn.execute(
            """UPDATE appointment SET appointment_type_id = NULL WHERE appointment_type_id =
                 (SELECT appointment_type_id FROM appointment_type WHERE pims_id = 'type-wellness');
               UPDATE appointment_type SET max_per_day = 1 WHERE pims_id = 'type-wellness'"""
        )
    wish = riverside.wish(new_client=True)
    slots = await riverside.slots(wish)
    zone = riverside.practice.timezone
    by_day = [list(day) for _, day in groupby(slots, lambda one: local_date(one.start, zone))]
    starts = [one.start for one in max(by_day, key=len)]
    assert len(starts) >= 5
    return wish, starts[:: max(1, len(starts) // 10)][:10]


async def held_at_once(riverside: Riverside, wish: Wish, starts: list[datetime]) -> int:
    """Let everybody want a time at one moment: nobody is ahead because the pool had a connection for them already."""
    async with AsyncExitStack() as lent:
        for _ in starts:
            await lent.enter_async_context(across_practices(riverside.pool))
    outcomes = await asyncio.gather(
        *(hold(riverside.pool, riverside.practice, wish, start, now=NOW) for start in starts), return_exceptions=True
    )
    return sum(isinstance(one, Held) for one in outcomes)


async def test_a_day_with_room_for_one_visit_takes_one_of_those_who_come_at_once(riverside: Riverside) -> None:
    assert await held_at_once(riverside, *await room_for_one(riverside)) == 1


async def test_without_the_lock_a_day_takes_more_visits_than_it_has_room_for(riverside: Riverside) -> None:
    """Prove that it is the lock which keeps the limit: the times differ, so the constraint has nothing to refuse."""
    async with without_the_lock(riverside) as unguarded:
        held = [await held_at_once(unguarded, *await room_for_one(unguarded)) for _ in range(4)]
    assert max(held) > 1  # it is a race: on one day of four is enough


async def test_without_the_lock_clients_are_sent_away_though_there_is_room(riverside: Riverside) -> None:
    """Prove that it is the lock which lets each choose from what the others left."""
    async with without_the_lock(riverside) as unguarded:
        wish = await served_by(unguarded, 10)
        start = (await unguarded.slots(wish))[0].start
        assert await held_at_once(unguarded, wish, [start] * 10) < 10
        assert await overlaps(unguarded.pool) == 0  # the constraint still stands


async def test_a_booking_and_a_sync_page_of_the_same_client_wait_in_line_and_not_in_a_circle(
    riverside: Riverside,
) -> None:
    """The page has learned the client's identifier, then wants the day; the booking wants the day, then the client."""
    held = await hold_first(riverside, riverside.wish())
    booking = await olivias_booking(riverside, held)
    day = local_date(held.hold.starts_at, riverside.practice.timezone)
    async with across_practices(riverside.pool) as conn, conn.transaction():
        await conn.execute("UPDATE client SET pims_id = 'learned' WHERE pims_id = 'client-carter'")
        await conn.execute("UPDATE patient SET pims_id = 'learned too' WHERE name = 'Biscuit'")
        sent = asyncio.create_task(send(riverside, booking, "k"))
        await asyncio.sleep(0.5)
        await lock_days(conn, riverside.practice.practice_id, [day])
    assert isinstance(await sent, Booked)


@pytest.mark.parametrize("later", [timedelta(minutes=9), timedelta(minutes=10)])
async def test_an_extension_and_a_claim_of_the_expired_time_never_both_win(
    riverside: Riverside, later: timedelta
) -> None:
    wish = riverside.wish("type-exotics", "rabbit", new_client=True)
    start = (await riverside.slots(wish))[0].start
    held = await hold(riverside.pool, riverside.practice, wish, start, now=NOW)
    assert isinstance(held, Held)
    extended, other = await asyncio.gather(
        extend(riverside.pool, riverside.practice, held.hold.hold_id, held.secret, now=NOW + later),
        hold(riverside.pool, riverside.practice, wish, start, now=NOW + later),
    )
    assert extended is not isinstance(other, Held)
