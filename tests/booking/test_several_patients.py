"""Several patients in one booking: seen one after the other by the same people, and booked all or not at all."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from booking.book import Booked, Booking, KnownPatient, NewPatient
from booking.db.pool import across_practices
from booking.holds import Held, SlotTaken, hold, release
from booking.identify import accounts_of
from booking.local_days import local_date
from booking.offers import NotBookableOnline
from booking.policies import CannotBeBooked
from booking.visits import visit_by_token
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import hold_first, olivias_booking, send, strangers_booking
from tests.booking.test_book import count
from tests.booking.test_claims import overlaps
from tests.booking.test_write_back import at, deliver

HALF_AN_HOUR = timedelta(minutes=30)


async def olivias_two(riverside: Riverside, held: Held) -> Booking:
    """Say what Olivia books for Biscuit and Mochi."""
    one = await olivias_booking(riverside, held)
    (account,) = await accounts_of(riverside.pool, riverside.practice, one.contact)
    named = {patient.name: KnownPatient(patient_id=patient.patient_id) for patient in account.patients}
    return msgspec.structs.replace(one, patients=(named["Biscuit"], named["Mochi"]))


def strangers_three(held: Held) -> Booking:
    pets = tuple(NewPatient(name=name, species=kind) for name, kind in (("Zuzu", "dog"), ("Ada", "cat"), ("Bo", "dog")))
    return msgspec.structs.replace(strangers_booking(held), patients=pets)


async def test_two_pets_are_seen_one_after_the_other_by_the_same_people(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish("type-wellness", "dog", "cat"))
    assert held.hold.ends_at - held.hold.starts_at == 2 * HALF_AN_HOUR
    booked = await send(riverside, await olivias_two(riverside, held), "k")
    assert isinstance(booked, Booked)
    first, second = booked.appointments
    assert (first.starts_at, first.ends_at) == (held.hold.starts_at, held.hold.starts_at + HALF_AN_HOUR)
    assert (second.starts_at, second.ends_at) == (first.ends_at, held.hold.ends_at)
    assert first.resources == second.resources == held.hold.resources
    assert first.reference == second.reference
    assert (first.visit, second.visit) == (1, 2)
    assert first.patient_id != second.patient_id


async def test_each_visit_claims_its_own_time(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish("type-wellness", "dog", "cat"))
    booked = await send(riverside, await olivias_two(riverside, held), "k")
    assert isinstance(booked, Booked)
    async with across_practices(riverside.pool) as conn:
        for one in booked.appointments:
            rows = await conn.fetch("SELECT * FROM claim WHERE appointment_id = $1", one.appointment_id)
            assert {(row["starts_at"], row["ends_at"]) for row in rows} == {(one.starts_at, one.ends_at)}
            assert {str(row["resource_id"]) for row in rows} == {id_ for ids in one.resources.values() for id_ in ids}
    assert await overlaps(riverside.pool) == 0


async def test_the_same_key_is_given_all_visits_again(riverside: Riverside) -> None:
    booking = await olivias_two(riverside, await hold_first(riverside, riverside.wish("type-wellness", "dog", "cat")))
    assert await send(riverside, booking, "k") == await send(riverside, booking, "k")
    assert await count(riverside, "appointment WHERE source = 'online'") == 2


async def test_a_new_client_with_three_new_pets_stands_in_the_pims_once_and_so_does_each_pet(
    connected: Riverside,
) -> None:
    held = await hold_first(connected, connected.wish("type-wellness", "dog", "cat", "dog", new_client=True))
    booked = await send(connected, strangers_three(held), "k")
    assert isinstance(booked, Booked)
    reference = booked.appointment.reference
    async with across_practices(connected.pool) as conn:
        keys = [row["key"] for row in await conn.fetch("SELECT key FROM write_back ORDER BY position")]
    assert keys == [
        f"{reference}{end}" for end in ("-C", "-P", "", "-2-P", "-2", "-3-P", "-3")
    ]  # the client before its pets, each pet before its visit
    await deliver(connected, at(timedelta()))
    assert len(connected.clinic.with_key("clients", f"{reference}-C")) == 1
    for visit, end in zip(booked.appointments, ("", "-2", "-3"), strict=True):
        (patient,) = connected.clinic.with_key("patients", f"{reference}{end}-P")
        (appointment,) = connected.clinic.with_key("appointments", f"{reference}{end}")
        assert appointment["patient_id"] == patient["id"]
        assert appointment["note"] == visit.description == f"[vetslot Direct Booking - New Client] {reference}{end}"


async def test_one_message_tells_of_all_pets_with_one_link_and_one_calendar_entry(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish("type-wellness", "dog", "cat"))
    booking = msgspec.structs.replace(await olivias_two(riverside, held))
    booked = await send(riverside, booking, "k")
    assert isinstance(booked, Booked)
    async with across_practices(riverside.pool) as conn:
        (body,) = [row["body"] for row in await conn.fetch("SELECT body FROM message WHERE purpose = 'booked'")]
    assert body.startswith("Biscuit and Mochi are booked with")
    assert booked.manage_token in body
    visit = await visit_by_token(riverside.pool, riverside.practice, booked.manage_token)
    assert visit is not None
    assert visit.appointment.appointment_id == booked.appointment.appointment_id


async def test_where_one_of_the_pets_cannot_be_booked_none_is(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish("type-wellness", "dog", "cat"))
    booking = await olivias_two(riverside, held)
    async with across_practices(riverside.pool) as conn:
        await conn.execute("UPDATE patient SET status = 'deceased' WHERE name = 'Mochi'")
    with pytest.raises(CannotBeBooked):
        await send(riverside, booking, "k")
    assert await count(riverside, "appointment WHERE source = 'online'") == 0
    assert await count(riverside, "claim WHERE hold_id IS NOT NULL") > 0


async def test_one_pet_twice_is_refused(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish("type-wellness", "dog", "dog"))
    booking = await olivias_booking(riverside, held)
    with pytest.raises(CannotBeBooked):
        await send(riverside, msgspec.structs.replace(booking, patients=booking.patients * 2), "k")


async def test_a_species_that_the_type_is_not_for_keeps_the_others_out_too(riverside: Riverside) -> None:
    with pytest.raises(NotBookableOnline):
        await riverside.slots(riverside.wish("type-wellness", "dog", "rabbit"))


@pytest.mark.parametrize("number", [0, 5])
async def test_one_to_four_pets_come_at_once(riverside: Riverside, number: int) -> None:
    wish = msgspec.structs.replace(riverside.wish(), patients=("dog",) * number)
    with pytest.raises(NotBookableOnline):
        await riverside.slots(wish)


async def test_a_second_pet_that_no_longer_fits_behind_a_held_time_is_offered_others(riverside: Riverside) -> None:
    """Held for one pet, booked for two, while somebody has the time right after."""
    wish = riverside.wish("type-exotics", "rabbit", new_client=True)
    slots = await riverside.slots(wish)
    first = await hold(riverside.pool, riverside.practice, wish, slots[0].start, now=NOW)
    after = next(slot for slot in slots if slot.start >= slots[0].end)
    assert isinstance(first, Held)
    assert isinstance(await hold(riverside.pool, riverside.practice, wish, after.start, now=NOW), Held)
    pets = tuple(NewPatient(name=name, species="rabbit") for name in ("Hops", "Lola"))
    outcome = await send(riverside, msgspec.structs.replace(strangers_booking(first), patients=pets), "k")
    assert isinstance(outcome, SlotTaken)
    assert all(one.end - one.start == timedelta(minutes=80) for one in outcome.alternatives)


async def test_what_is_offered_for_four_can_be_held(riverside: Riverside) -> None:
    wish = riverside.wish("type-wellness", "dog", "cat", "cat", "dog")
    slots = await riverside.slots(wish)
    for slot in slots[:: max(1, len(slots) // 5)]:
        held = await hold(riverside.pool, riverside.practice, wish, slot.start, now=NOW)
        assert isinstance(held, Held)
        assert held.hold.ends_at == slot.end == slot.start + 4 * HALF_AN_HOUR
        assert await release(riverside.pool, riverside.practice, held.hold.hold_id, held.secret)


async def test_each_pet_counts_against_what_the_day_has_room_for(riverside: Riverside) -> None:
    async with across_practices(riverside.pool) as conn:
        await conn.execute("UPDATE appointment_type SET max_per_day = 3 WHERE pims_id = 'type-wellness'")
        await conn.execute(
            """UPDATE appointment SET appointment_type_id = NULL WHERE appointment_type_id =
                 (SELECT appointment_type_id FROM appointment_type WHERE pims_id = 'type-wellness')"""
        )
    two = riverside.wish("type-wellness", "dog", "cat")
    held = await hold_first(riverside, two)
    zone = riverside.practice.timezone
    day = local_date(held.hold.starts_at, zone)
    assert day not in {local_date(one.start, zone) for one in await riverside.slots(two)}
    assert day in {local_date(one.start, zone) for one in await riverside.slots(riverside.wish())}


async def test_buffers_are_kept_before_the_first_and_after_the_last_pet_only(riverside: Riverside) -> None:
    async with across_practices(riverside.pool) as conn:
        await conn.execute(
            """UPDATE appointment_type SET buffer_before = '5 minutes', buffer_after = '10 minutes'
               WHERE pims_id = 'type-wellness'"""
        )
    held = await hold_first(riverside, riverside.wish("type-wellness", "dog", "cat"))
    booked = await send(riverside, await olivias_two(riverside, held), "k")
    assert isinstance(booked, Booked)
    first, second = booked.appointments
    provider = UUID(first.resources["veterinarian"][0])
    async with across_practices(riverside.pool) as conn:
        rows = await conn.fetch(
            """SELECT starts_at, ends_at FROM claim WHERE resource_id = $1 AND appointment_id = ANY($2)
               ORDER BY starts_at""",
            provider,
            [first.appointment_id, second.appointment_id],
        )
    assert [(row["starts_at"], row["ends_at"]) for row in rows] == [
        (first.starts_at - timedelta(minutes=5), first.ends_at),
        (second.starts_at, second.ends_at + timedelta(minutes=10)),
    ]
