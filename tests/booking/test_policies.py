"""Policies: each lets through what it is to let through, refuses what it is to refuse, and is asked when one books."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from booking.book import Booked, Booking, KnownClient, KnownPatient
from booking.contacts import read_contact
from booking.db.appointment_types import RoleNeed, TypeStep, Variant, lasting
from booking.db.clients import Patient, PatientStatus
from booking.db.pool import across_practices
from booking.db.practices import practice_by_id
from booking.db.who_books import Record
from booking.holds import Held, hold
from booking.identify import accounts_of
from booking.offers import CallbackOnly
from booking.policies import (
    CannotBeBooked,
    NewClientsNotWelcome,
    NotOnline,
    Refused,
    TooManyBookings,
    TooManyBookingsOfPatient,
    Urgent,
    client_has_few_bookings,
    new_clients_are_welcome,
    nobody_is_blocked,
    nothing_is_urgent,
    patients_are_active,
    patients_have_few_bookings,
)
from pims_adapters.demo.clinic.personas import MARK_HALL
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import hold_first, olivias_booking, send, strangers_booking
from widget.demo.riverside import RIVERSIDE

MINUTE = timedelta(minutes=1)


def record(*, blocked: bool = False, of_client: int = 0, of_patient: int = 0) -> Record:
    return Record(blocked=blocked, open_bookings=of_client, open_bookings_of_a_patient=of_patient)


def patient(status: PatientStatus) -> Patient:
    return Patient(
        patient_id=uuid4(),
        client_id=uuid4(),
        pims_id=None,
        name="Rusty",
        species="dog",
        breed="",
        sex="",
        birth_date=None,
        status=status,
    )


def test_new_clients_are_welcome_unless_the_practice_books_its_own_only() -> None:
    new_clients_are_welcome(RIVERSIDE)
    with pytest.raises(NewClientsNotWelcome, match="ask for an appointment"):
        new_clients_are_welcome(msgspec.structs.replace(RIVERSIDE, who_may_book="existing_clients"))


def test_inactive_and_deceased_patients_are_refused_in_the_same_words() -> None:
    patients_are_active([patient("active")])
    words = set()
    for status in ("inactive", "deceased"):
        with pytest.raises(CannotBeBooked) as refusal:
            patients_are_active([patient("active"), patient(status)])
        words.add(str(refusal.value))
    assert len(words) == 1


def test_who_is_blocked_is_not_told_so() -> None:
    nobody_is_blocked(record())
    with pytest.raises(NotOnline) as refusal:
        nobody_is_blocked(record(blocked=True))
    assert str(refusal.value) == "This cannot be booked online. Please call the practice."


def test_a_client_may_have_as_many_open_bookings_as_the_practice_says() -> None:
    client_has_few_bookings(RIVERSIDE, record(of_client=RIVERSIDE.open_bookings_per_client - 1))
    with pytest.raises(TooManyBookings):
        client_has_few_bookings(RIVERSIDE, record(of_client=RIVERSIDE.open_bookings_per_client))


def test_a_patient_may_have_as_many_open_bookings_as_the_practice_says() -> None:
    patients_have_few_bookings(RIVERSIDE, record(of_patient=RIVERSIDE.open_bookings_per_patient - 1))
    with pytest.raises(TooManyBookingsOfPatient):
        patients_have_few_bookings(RIVERSIDE, record(of_patient=RIVERSIDE.open_bookings_per_patient))


@pytest.mark.parametrize(
    "said",
    [
        "He is not breathing",
        "She had a SEIZURE this morning.",
        "looks like bloat",
        "ate rat  poison",
        "Can’t breathe well",
        "(seizure)",
        "séizure",
    ],
)
def test_urgent_words_stop_the_booking_and_name_the_phone(said: str) -> None:
    with pytest.raises(Urgent) as stopped:
        nothing_is_urgent(RIVERSIDE, ["", said])
    assert RIVERSIDE.phone in str(stopped.value)
    assert RIVERSIDE.emergency_text in str(stopped.value)
    assert stopped.value.members == {"phone": RIVERSIDE.phone, "emergency_text": RIVERSIDE.emergency_text}


@pytest.mark.parametrize(
    "said", ["", "Yearly checkup", "floating in the pool", "poisonous-looking plants, just asking"]
)
def test_words_that_only_contain_an_urgent_one_do_not_stop(said: str) -> None:
    nothing_is_urgent(RIVERSIDE, [said])


def test_a_practice_has_urgent_words_of_its_own_or_none() -> None:
    own = msgspec.structs.replace(RIVERSIDE, urgent_words=["Krämpfe", " "])
    with pytest.raises(Urgent):
        nothing_is_urgent(own, ["hat KRAMPFE"])
    nothing_is_urgent(own, ["seizure"])
    nothing_is_urgent(msgspec.structs.replace(RIVERSIDE, urgent_words=[]), ["seizure"])


def test_a_visit_is_as_long_as_the_first_variant_that_fits(riverside: Riverside) -> None:
    wellness = riverside.types["type-wellness"]
    longer = msgspec.structs.replace(
        wellness,
        variants=(
            Variant(length=60 * MINUTE, species=("cat",), new_client=True),
            Variant(length=45 * MINUTE, new_client=True),
            Variant(length=20 * MINUTE, species=("cat",)),
        ),
    )
    assert longer.for_patient("cat", new_client=True).length == 60 * MINUTE
    assert longer.for_patient("dog", new_client=True).length == 45 * MINUTE
    assert longer.for_patient("cat", new_client=False).length == 20 * MINUTE
    assert longer.for_patient("dog", new_client=False).length == wellness.length


def test_the_longest_step_gives_a_visit_its_length() -> None:
    steps = tuple(TypeStep(duration=n * MINUTE, needs=(RoleNeed(role="x"),)) for n in (10, 30))
    assert [one.duration for one in lasting(steps, 60 * MINUTE)] == [10 * MINUTE, 50 * MINUTE]
    assert [one.duration for one in lasting(steps, 5 * MINUTE)] == [10 * MINUTE, 1 * MINUTE]
    assert lasting((), 5 * MINUTE) == ()


async def set_up(riverside: Riverside, statement: str) -> Riverside:
    """Change what a test wants to be otherwise, and look at the practice again."""
    async with across_practices(riverside.pool) as conn:
        await conn.execute(statement)
        practice = await practice_by_id(conn, riverside.practice.practice_id)
    assert practice is not None
    return Riverside(riverside.pool, practice, riverside.types, riverside.clinic, riverside.database_url)


async def refusal_of(riverside: Riverside, booking: Booking) -> type[Refused]:
    with pytest.raises(Refused) as refusal:
        await send(riverside, booking, "k")
    return refusal.type


async def test_an_urgent_reason_stops_a_booking_and_its_time_stays_held(riverside: Riverside) -> None:
    booking = await olivias_booking(riverside, await hold_first(riverside, riverside.wish()), reason="Seizure!")
    assert await refusal_of(riverside, booking) is Urgent
    assert isinstance(await send(riverside, msgspec.structs.replace(booking, reason="Checkup"), "k"), Booked)


@pytest.mark.parametrize(
    "kind_and_value", ["'phone', '{contact}'", "'client', '{client}'", "'email', 'olivia.carter@example.com'"]
)
async def test_a_blocked_contact_or_client_cannot_book(riverside: Riverside, kind_and_value: str) -> None:
    booking = await olivias_booking(riverside, await hold_first(riverside, riverside.wish()))
    assert isinstance(booking.client, KnownClient)
    values = kind_and_value.format(contact=booking.contact.value, client=booking.client.client_id)
    practice_id, client_id = riverside.practice.practice_id, booking.client.client_id
    await set_up(
        riverside,
        f"""INSERT INTO client_contact VALUES ('{practice_id}', '{client_id}', 'email', 'olivia.carter@example.com', '')
              ON CONFLICT DO NOTHING;
            INSERT INTO blocked_contact VALUES ('{practice_id}', {values}, 'never comes', now())""",
    )
    assert await refusal_of(riverside, booking) is NotOnline


async def test_a_blocked_phone_cannot_book_as_a_new_client_either(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish(new_client=True))
    await set_up(
        riverside,
        f"""INSERT INTO blocked_contact
            VALUES ('{riverside.practice.practice_id}', 'phone', '+12125550777', '', now())""",
    )
    assert await refusal_of(riverside, strangers_booking(held)) is NotOnline


async def test_open_bookings_are_counted_for_client_and_patient_and_past_ones_are_not(riverside: Riverside) -> None:
    for key in ("first", "second"):
        held = await hold_first(riverside, riverside.wish())
        assert isinstance(await send(riverside, await olivias_booking(riverside, held), key), Booked)
    third = await olivias_booking(riverside, await hold_first(riverside, riverside.wish()))
    assert await refusal_of(riverside, third) is TooManyBookingsOfPatient
    strict = await set_up(riverside, "UPDATE practice SET open_bookings_per_client = 2")
    assert await refusal_of(strict, third) is TooManyBookings
    await set_up(riverside, f"UPDATE appointment SET starts_at = '{NOW}' WHERE source = 'online'")
    assert isinstance(await send(strict, third, "third"), Booked)


async def test_who_says_that_they_are_new_again_and_again_is_counted_by_their_contact(riverside: Riverside) -> None:
    strict = await set_up(riverside, "UPDATE practice SET open_bookings_per_client = 1")
    wish = riverside.wish(new_client=True)
    assert isinstance(await send(strict, strangers_booking(await hold_first(strict, wish)), "first"), Booked)
    assert await refusal_of(strict, strangers_booking(await hold_first(strict, wish))) is TooManyBookings


async def test_an_end_of_life_visit_is_arranged_by_phone_whatever_else_is_set(riverside: Riverside) -> None:
    await set_up(
        riverside, "UPDATE appointment_type SET category = 'end_of_life', mode = 'instant' WHERE name = 'Wellness exam'"
    )
    with pytest.raises(CallbackOnly):
        await riverside.slots(riverside.wish())


async def test_offer_hold_and_booking_agree_on_a_length_by_species_and_new_client(riverside: Riverside) -> None:
    await set_up(
        riverside,
        """UPDATE appointment_type
           SET variants = '[{"species": ["cat"], "length": "PT40M"}, {"new_client": true, "length": "PT1H"}]'
           WHERE pims_id = 'type-wellness'""",
    )
    for wish, length in (
        (riverside.wish(), 30 * MINUTE),
        (riverside.wish("type-wellness", "cat"), 40 * MINUTE),
        (riverside.wish(new_client=True), 60 * MINUTE),
    ):
        slot = (await riverside.slots(wish))[0]
        assert slot.end - slot.start == length
    # Held as a client, and new in truth: the time is taken again, as long as it must be.
    roomy = (await riverside.slots(riverside.wish(new_client=True)))[0].start
    held = await hold(riverside.pool, riverside.practice, riverside.wish(), roomy, now=NOW)
    assert isinstance(held, Held)
    booked = await send(riverside, strangers_booking(held), "k")
    assert isinstance(booked, Booked)
    assert booked.appointment.ends_at - booked.appointment.starts_at == 60 * MINUTE


async def test_of_a_household_only_the_one_who_books_is_counted(riverside: Riverside) -> None:
    strict = await set_up(riverside, "UPDATE practice SET open_bookings_per_client = 1")
    phone = read_contact(MARK_HALL.phone or "", "US")
    for account in await accounts_of(riverside.pool, riverside.practice, phone):
        held = await hold_first(strict, riverside.wish("type-wellness", account.patients[0].species))
        booking = msgspec.structs.replace(
            await olivias_booking(riverside, held),
            contact=phone,
            client=KnownClient(client_id=account.client.client_id),
            patients=(KnownPatient(patient_id=account.patients[0].patient_id),),
        )
        assert isinstance(await send(strict, booking, str(account.client.client_id)), Booked)
