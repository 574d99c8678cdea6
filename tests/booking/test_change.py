"""Reschedule, cancel, confirm: the whole booking, inside the practice's windows, and never two at one time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import msgspec
import pytest
from icalendar import Calendar

from booking.book import Booked, NewPatient
from booking.change import (
    BookingUnknown,
    Changed,
    MovedTooOften,
    NoLongerChangeable,
    TooLate,
    cancel,
    confirm,
    reschedule,
)
from booking.contacts import read_contact
from booking.db.holds import Wish
from booking.db.pool import across_practices
from booking.holds import Held, SlotTaken, hold
from booking.offers import OfferedSlot
from booking.visits import booking_of
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import SITE, send, strangers_booking
from tests.booking.test_claims import overlaps

DAY = timedelta(days=1)
EXOTIC = "type-exotics"  # one veterinarian only


async def booked_at(
    riverside: Riverside, slot: OfferedSlot, wish: Wish, *, contact: str = "noor@example.com"
) -> Booked:
    """Book a time for somebody new, with an animal for each that is wished for."""
    held = await hold(riverside.pool, riverside.practice, wish, slot.start, now=NOW)
    assert isinstance(held, Held)
    booking = strangers_booking(held, contact=contact, species=wish.species)
    animals = tuple(NewPatient(name=f"Zuzu {n}", species=species) for n, species in enumerate(wish.patients))
    booked = await send(riverside, msgspec.structs.replace(booking, patients=animals), f"key of {contact} {slot.start}")
    assert isinstance(booked, Booked)
    return booked


async def far_slots(riverside: Riverside, wish: Wish) -> list[OfferedSlot]:
    """Return the times that no window reaches."""
    return [slot for slot in await riverside.slots(wish) if slot.start > NOW + 3 * DAY]


async def moved(riverside: Riverside, booked: Booked, start: datetime, *, now: datetime = NOW) -> Changed | SlotTaken:
    return await reschedule(
        riverside.pool, riverside.practice, booked.appointment.reference, start, by="client", site=SITE, now=now
    )


async def cancelled(riverside: Riverside, booked: Booked, *, now: datetime = NOW) -> Changed:
    return await cancel(
        riverside.pool, riverside.practice, booked.appointment.reference, by="client", site=SITE, now=now
    )


async def messages(riverside: Riverside, purpose: str) -> list[tuple[str, Calendar]]:
    """Return the messages of a kind: their words and their calendar file."""
    async with across_practices(riverside.pool) as conn:
        rows = await conn.fetch("SELECT body, attachment FROM message WHERE purpose = $1 ORDER BY position", purpose)
    return [(row["body"], Calendar.from_ical(row["attachment"])) for row in rows]


@pytest.fixture
def wish(riverside: Riverside) -> Wish:
    return riverside.wish(EXOTIC, "rabbit", new_client=True)


async def test_a_moved_booking_keeps_reference_and_token_and_frees_its_old_time(
    riverside: Riverside, wish: Wish
) -> None:
    slots = await far_slots(riverside, wish)
    first, later = slots[0], slots[-1]
    booked = await booked_at(riverside, first, wish)
    outcome = await moved(riverside, booked, later.start)
    assert isinstance(outcome, Changed)
    (visit,) = outcome.appointments
    assert (visit.starts_at, visit.ends_at) == (later.start, later.end)
    assert (visit.reference, visit.calendar_sequence) == (booked.appointment.reference, 1)
    starts = [slot.start for slot in await riverside.slots(wish)]
    assert first.start in starts
    assert later.start not in starts
    found = await booking_of(
        riverside.pool, riverside.practice.practice_id, booked.appointment.reference, booked.manage_token
    )
    assert found == outcome.appointments
    assert await overlaps(riverside.pool) == 0


async def test_a_booking_moves_into_time_that_overlaps_its_own(riverside: Riverside, wish: Wish) -> None:
    slot = (await far_slots(riverside, wish))[0]
    booked = await booked_at(riverside, slot, wish)
    outcome = await moved(riverside, booked, slot.start + timedelta(minutes=15))
    assert isinstance(outcome, Changed)
    assert isinstance(await moved(riverside, booked, slot.start), Changed)
    assert await overlaps(riverside.pool) == 0


async def test_several_patients_move_and_are_cancelled_together(riverside: Riverside) -> None:
    wish = msgspec.structs.replace(riverside.wish(new_client=True), patients=("dog", "cat"))
    slots = await far_slots(riverside, wish)
    booked = await booked_at(riverside, slots[0], wish)
    outcome = await moved(riverside, booked, slots[-1].start)
    assert isinstance(outcome, Changed)
    first, second = outcome.appointments
    assert (first.starts_at, second.starts_at) == (slots[-1].start, first.ends_at)
    assert second.ends_at == slots[-1].end
    gone = await cancelled(riverside, booked)
    assert [one.status for one in gone.appointments] == ["cancelled", "cancelled"]
    assert slots[-1].start in [slot.start for slot in await riverside.slots(wish)]


async def test_a_time_that_is_taken_leaves_the_old_one_and_offers_others(riverside: Riverside, wish: Wish) -> None:
    slots = await far_slots(riverside, wish)
    booked = await booked_at(riverside, slots[0], wish)
    await booked_at(riverside, slots[-1], wish, contact="sam@example.com")
    outcome = await moved(riverside, booked, slots[-1].start)
    assert isinstance(outcome, SlotTaken)
    assert outcome.alternatives
    assert slots[0].start not in [slot.start for slot in await riverside.slots(wish)]
    async with across_practices(riverside.pool) as conn:
        row = await conn.fetchrow(
            "SELECT status, starts_at FROM appointment WHERE reference = $1", booked.appointment.reference
        )
    assert row is not None
    assert (row["status"], row["starts_at"]) == ("booked", slots[0].start)


async def test_of_many_who_move_into_one_time_exactly_one_gets_it(riverside: Riverside, wish: Wish) -> None:
    slots = await far_slots(riverside, wish)
    goal = slots[-1].start
    bookings: list[Booked] = []
    free_from = NOW
    for slot in slots:
        if slot.start >= free_from and slot.end <= goal and len(bookings) < 6:
            bookings.append(await booked_at(riverside, slot, wish, contact=f"client{len(bookings)}@example.com"))
            free_from = slot.end
    outcomes = await asyncio.gather(*(moved(riverside, one, goal) for one in bookings))
    assert len(bookings) == 6
    assert sum(isinstance(one, Changed) for one in outcomes) == 1
    assert await overlaps(riverside.pool) == 0


async def test_changes_of_one_booking_come_one_after_the_other(riverside: Riverside, wish: Wish) -> None:
    slots = await far_slots(riverside, wish)
    booked = await booked_at(riverside, slots[0], wish)
    outcomes = await asyncio.gather(
        moved(riverside, booked, slots[-1].start),
        cancelled(riverside, booked),
        moved(riverside, booked, slots[len(slots) // 2].start),
        cancelled(riverside, booked),
        return_exceptions=True,
    )
    assert all(isinstance(one, Changed | NoLongerChangeable) for one in outcomes), outcomes
    async with across_practices(riverside.pool) as conn:
        claims = await conn.fetchval(
            "SELECT count(*) FROM claim WHERE appointment_id = $1", booked.appointment.appointment_id
        )
    assert claims == 0
    assert (await cancelled(riverside, booked)).appointments[0].status == "cancelled"
    assert await overlaps(riverside.pool) == 0


async def test_cancelling_twice_answers_the_same_and_tells_once(riverside: Riverside, wish: Wish) -> None:
    slot = (await far_slots(riverside, wish))[0]
    booked = await booked_at(riverside, slot, wish)
    first, second = await cancelled(riverside, booked), await cancelled(riverside, booked)
    assert first == second
    assert len(await messages(riverside, "cancelled")) == 1
    assert slot.start in [one.start for one in await riverside.slots(wish)]


async def test_calendars_follow_a_booking_through_its_changes(riverside: Riverside, wish: Wish) -> None:
    slots = await far_slots(riverside, wish)
    booked = await booked_at(riverside, slots[0], wish)
    await moved(riverside, booked, slots[-1].start)
    await moved(riverside, booked, slots[1].start)
    await cancelled(riverside, booked)
    files = [
        (str(calendar["method"]), event)
        for purpose in ("booked", "rescheduled", "cancelled")
        for _, calendar in await messages(riverside, purpose)
        for event in calendar.walk("VEVENT")
    ]
    assert [method for method, _ in files] == ["REQUEST", "REQUEST", "REQUEST", "CANCEL"]
    assert [str(event["sequence"]) for _, event in files] == ["0", "1", "2", "3"]
    assert {str(event["uid"]) for _, event in files} == {f"{booked.appointment.appointment_id}@vetslot"}
    assert [event.decoded("dtstart") for _, event in files] == [
        slots[0].start, slots[-1].start, slots[1].start, slots[1].start,
    ]  # fmt: skip
    assert str(files[-1][1]["status"]) == "CANCELLED"


async def test_confirming_says_that_they_come_and_a_move_asks_again(riverside: Riverside, wish: Wish) -> None:
    slots = await far_slots(riverside, wish)
    booked = await booked_at(riverside, slots[0], wish)
    for _ in range(2):
        outcome = await confirm(riverside.pool, riverside.practice, booked.appointment.reference, now=NOW)
        assert [one.status for one in outcome.appointments] == ["confirmed"]
    outcome_of_move = await moved(riverside, booked, slots[-1].start)
    assert isinstance(outcome_of_move, Changed)
    assert outcome_of_move.appointments[0].status == "booked"


async def test_inside_the_windows_clients_are_told_to_call(riverside: Riverside, wish: Wish) -> None:
    slots = await far_slots(riverside, wish)
    booked = await booked_at(riverside, slots[0], wish)
    near = slots[0].start - timedelta(hours=23)
    for attempt in (moved(riverside, booked, slots[-1].start, now=near), cancelled(riverside, booked, now=near)):
        with pytest.raises(TooLate, match="call the practice"):
            await attempt
    async with across_practices(riverside.pool) as conn:
        await conn.execute("UPDATE practice SET cancel_window = '2 hours'")
    assert (await cancelled(riverside, booked, now=near)).appointments[0].status == "cancelled"


async def test_what_is_over_cannot_be_changed_even_by_staff(riverside: Riverside, wish: Wish) -> None:
    slots = await far_slots(riverside, wish)
    booked = await booked_at(riverside, slots[0], wish)
    reference, late = booked.appointment.reference, slots[0].start
    for attempt in (
        reschedule(riverside.pool, riverside.practice, reference, slots[-1].start, by="staff", site=SITE, now=late),
        cancel(riverside.pool, riverside.practice, reference, by="staff", site=SITE, now=late),
        confirm(riverside.pool, riverside.practice, reference, now=late),
    ):
        with pytest.raises(NoLongerChangeable):
            await attempt


async def test_clients_move_a_visit_three_times_and_staff_once_more(riverside: Riverside, wish: Wish) -> None:
    slots = await far_slots(riverside, wish)
    booked = await booked_at(riverside, slots[0], wish)
    for start in (slots[-1].start, slots[0].start, slots[-1].start):
        assert isinstance(await moved(riverside, booked, start), Changed)
    with pytest.raises(MovedTooOften):
        await moved(riverside, booked, slots[0].start)
    by_staff = await reschedule(
        riverside.pool, riverside.practice, booked.appointment.reference, slots[0].start, by="staff", site=SITE, now=NOW
    )
    assert isinstance(by_staff, Changed)


async def test_a_booking_is_shown_to_its_client_and_its_link_only(riverside: Riverside, wish: Wish) -> None:
    booked = await booked_at(riverside, (await far_slots(riverside, wish))[0], wish)
    other = await booked_at(riverside, (await far_slots(riverside, wish))[-1], wish, contact="sam@example.com")
    practice_id, reference = riverside.practice.practice_id, booked.appointment.reference
    noor, sam = read_contact("noor@example.com", "US"), read_contact("sam@example.com", "US")
    assert await booking_of(riverside.pool, practice_id, reference, noor) == booked.appointments
    assert await booking_of(riverside.pool, practice_id, reference, sam) is None
    assert await booking_of(riverside.pool, practice_id, reference, other.manage_token) is None
    assert await booking_of(riverside.pool, practice_id, "AAAA-AAAA", noor) is None
    with pytest.raises(BookingUnknown):
        await confirm(riverside.pool, riverside.practice, "AAAA-AAAA", now=NOW)
