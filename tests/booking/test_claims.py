"""Claims: what is taken is taken once, whoever comes at the same moment."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from booking.book import Booked
from booking.claims import free_lanes
from booking.db.claims import Claim, Holder, insert_claims
from booking.db.pool import Pool, across_practices
from booking.holds import Held, SlotTaken, extend, hold, release
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import hold_first, olivias_booking, send, strangers_booking

HOUR = timedelta(hours=1)
RESOURCE = UUID(int=1)


def claim_of(lane: int, start: float, end: float) -> Claim:
    return Claim(resource_id=RESOURCE, lane=lane, starts_at=NOW + start * HOUR, ends_at=NOW + end * HOUR)


def test_a_free_resource_gives_its_first_lane() -> None:
    assert free_lanes(RESOURCE, NOW, NOW + HOUR, []) == [claim_of(1, 0, 1)]


def test_a_taken_lane_is_passed_over() -> None:
    assert free_lanes(RESOURCE, NOW, NOW + HOUR, [claim_of(1, -1, 0.5)])[0].lane == 2


def test_a_visit_changes_lane_where_the_one_it_is_in_ends_to_be_free() -> None:
    taken = [claim_of(1, 0, 0.5), claim_of(2, 0.5, 1)]
    assert free_lanes(RESOURCE, NOW, NOW + HOUR, taken) == [claim_of(2, 0, 0.5), claim_of(1, 0.5, 1)]


async def overlaps(pool: Pool) -> int:
    """Count pairs of claims on one lane that overlap, as the constraint would if it were not there."""
    async with across_practices(pool) as conn:
        found: int = await conn.fetchval(
            """SELECT count(*) FROM claim a JOIN claim b USING (practice_id, resource_id, lane)
               WHERE a.claim_id < b.claim_id AND a.during && b.during"""
        )
    return found


async def test_of_fifty_clients_who_want_one_time_exactly_one_holds_it(riverside: Riverside) -> None:
    wish = riverside.wish("type-exotics", "rabbit")  # one veterinarian only
    start = (await riverside.slots(wish))[0].start
    outcomes = await asyncio.gather(
        *(hold(riverside.pool, riverside.practice, wish, start, now=NOW) for _ in range(50))
    )
    assert sum(isinstance(one, Held) for one in outcomes) == 1
    losers = [one for one in outcomes if isinstance(one, SlotTaken)]
    assert len(losers) == 49
    assert all(one.alternatives and start not in [slot.start for slot in one.alternatives] for one in losers)
    assert await overlaps(riverside.pool) == 0


async def test_of_fifty_who_want_one_time_as_many_win_as_there_are_resources(riverside: Riverside) -> None:
    wish = riverside.wish("type-nail-trim")
    slots = await riverside.slots(wish)
    start = slots[len(slots) // 2].start
    outcomes = await asyncio.gather(
        *(hold(riverside.pool, riverside.practice, wish, start, now=NOW) for _ in range(50))
    )
    won = [one.hold for one in outcomes if isinstance(one, Held)]
    technicians = [one.resources["technician"][0] for one in won]
    rooms = [one.resources["exam room"][0] for one in won]
    assert 1 <= len(won) <= 4
    assert len(set(technicians)) == len(set(rooms)) == len(won)
    assert start not in [slot.start for slot in await riverside.slots(wish)]
    assert await overlaps(riverside.pool) == 0


async def test_overlapping_times_that_are_not_equal_are_kept_apart_too(riverside: Riverside) -> None:
    wish = riverside.wish("type-exotics", "rabbit")
    starts = [slot.start for slot in await riverside.slots(wish)][:12]
    await asyncio.gather(
        *(hold(riverside.pool, riverside.practice, wish, start, now=NOW) for start in starts for _ in range(4))
    )
    assert await overlaps(riverside.pool) == 0


async def test_the_constraint_refuses_what_comes_past_the_lock(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish("type-exotics", "rabbit"))
    provider = UUID(held.hold.resources["exotics veterinarian"][0])
    second = Claim(resource_id=provider, lane=1, starts_at=held.hold.starts_at, ends_at=held.hold.ends_at)
    async with across_practices(riverside.pool) as conn:
        with pytest.raises(asyncpg.ExclusionViolationError, match="claim_never_overlaps"):
            await insert_claims(conn, riverside.practice.practice_id, [(Holder(hold_id=held.hold.hold_id), second)])


async def test_without_the_constraint_what_comes_past_the_lock_is_taken_twice(riverside: Riverside) -> None:
    """Prove that it is the constraint which refuses, and that `overlaps` sees what it would let through."""
    held = await hold_first(riverside, riverside.wish("type-exotics", "rabbit"))
    provider = UUID(held.hold.resources["exotics veterinarian"][0])
    second = Claim(resource_id=provider, lane=1, starts_at=held.hold.starts_at, ends_at=held.hold.ends_at)
    async with across_practices(riverside.pool) as conn:
        await conn.execute("ALTER TABLE claim DROP CONSTRAINT claim_never_overlaps")
        await insert_claims(conn, riverside.practice.practice_id, [(Holder(hold_id=held.hold.hold_id), second)])
    assert await overlaps(riverside.pool) == 1


async def test_what_is_held_is_offered_to_nobody_else_until_the_hold_expires(riverside: Riverside) -> None:
    wish = riverside.wish("type-exotics", "rabbit")
    held = await hold_first(riverside, wish)
    assert held.hold.starts_at not in [slot.start for slot in await riverside.slots(wish)]
    later = held.hold.expires_at
    assert held.hold.starts_at in [slot.start for slot in await riverside.slots(wish, now=later)]


async def test_an_expired_hold_gives_way_to_the_next_claim_without_a_sweeper(riverside: Riverside) -> None:
    wish = riverside.wish("type-exotics", "rabbit")
    first = await hold_first(riverside, wish)
    second = await hold(riverside.pool, riverside.practice, wish, first.hold.starts_at, now=first.hold.expires_at)
    assert isinstance(second, Held)
    assert await overlaps(riverside.pool) == 0


async def test_who_was_refused_is_not_refused_again_once_the_hold_in_their_way_ran_out(riverside: Riverside) -> None:
    wish = riverside.wish("type-exotics", "rabbit")
    first = await hold_first(riverside, wish)
    start, expires_at = first.hold.starts_at, first.hold.expires_at + timedelta(milliseconds=500)
    async with across_practices(riverside.pool) as conn:
        await conn.execute("UPDATE hold SET expires_at = $1", expires_at)
    outcomes = [
        await hold(riverside.pool, riverside.practice, wish, start, now=expires_at + timedelta(milliseconds=apart))
        for apart in (-300, -200, 300)  # within one second
    ]
    assert [isinstance(one, Held) for one in outcomes] == [False, False, True]


async def test_a_hold_can_be_extended_once(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish())
    arguments = (riverside.pool, riverside.practice, held.hold.hold_id, held.secret)
    assert await extend(*arguments, now=NOW + timedelta(minutes=5))
    assert not await extend(*arguments, now=NOW + timedelta(minutes=6))


async def test_a_hold_that_is_let_go_is_free_at_once_and_only_for_who_has_its_secret(riverside: Riverside) -> None:
    wish = riverside.wish("type-exotics", "rabbit")
    held = await hold_first(riverside, wish)
    assert not await release(riverside.pool, riverside.practice, held.hold.hold_id, "a guess")
    assert await release(riverside.pool, riverside.practice, held.hold.hold_id, held.secret)
    assert held.hold.starts_at in [slot.start for slot in await riverside.slots(wish)]


async def test_what_is_offered_can_be_held_and_booked(riverside: Riverside) -> None:
    for pims_id, one in riverside.types.items():
        if one.mode != "instant" or not one.bookable_online:
            continue
        wish = riverside.wish(pims_id, one.species[0], new_client=one.who_may_book == "new")
        slots = await riverside.slots(wish, days=21)
        held = await hold(riverside.pool, riverside.practice, wish, slots[-1].start, now=NOW)
        assert isinstance(held, Held), pims_id


async def test_a_booking_whose_hold_expired_still_gets_the_time_if_nobody_else_did(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish())
    booked = await send(
        riverside, await olivias_booking(riverside, held), "late", now=held.hold.expires_at + timedelta(minutes=1)
    )
    assert isinstance(booked, Booked)


async def test_a_booking_whose_hold_expired_and_was_overtaken_is_offered_other_times(riverside: Riverside) -> None:
    wish = riverside.wish("type-exotics", "rabbit", new_client=True)
    slow = await hold_first(riverside, wish)
    later = slow.hold.expires_at
    fast = await hold(riverside.pool, riverside.practice, wish, slow.hold.starts_at, now=later)
    assert isinstance(fast, Held)
    outcome = await send(riverside, strangers_booking(slow, species="rabbit"), "slow", now=later)
    assert isinstance(outcome, SlotTaken)
    assert outcome.alternatives
    assert await overlaps(riverside.pool) == 0
