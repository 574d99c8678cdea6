"""Booking: all of it or nothing, once per key, and only for whom it may be."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import msgspec
import pytest

from booking.book import (
    Booked,
    KnownClient,
    KnownPatient,
)
from booking.contacts import read_contact
from booking.db import practices
from booking.db.pool import across_practices
from booking.db.schedule import VERSION_AND_TAKEN
from booking.db.who_books import WHO_BOOKS
from booking.holds import Held, HoldUnknown, hold
from booking.identify import accounts_of
from booking.offers import NotBookableOnline
from booking.once import KeyReused
from booking.policies import CannotBeBooked, NewClientsNotWelcome
from booking.visits import visit_by_token
from pims_adapters.demo.clinic.personas import EMILY_STONE, GRACE_KIM, MARK_HALL
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import hold_first, olivias_booking, send, strangers_booking


async def count(riverside: Riverside, table: str) -> int:
    async with across_practices(riverside.pool) as conn:
        found: int = await conn.fetchval(f"SELECT count(*) FROM {table}")
    return found


async def test_a_known_client_is_booked_and_only_the_appointment_is_to_be_written(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish())
    clients = await count(riverside, "client")
    booked = await send(riverside, await olivias_booking(riverside, held, reason="Limps a little"), "k")
    assert isinstance(booked, Booked)
    assert booked.appointment.starts_at == held.hold.starts_at
    assert booked.appointment.resources == held.hold.resources
    assert booked.appointment.description.startswith("[vetslot Direct Booking] ")
    assert booked.appointment.description.endswith(f"{booked.appointment.reference}: Limps a little")
    async with across_practices(riverside.pool) as conn:
        kinds = [row["kind"] for row in await conn.fetch("SELECT kind FROM write_back ORDER BY position")]
    assert kinds == ["appointment"]
    assert await count(riverside, "client") == clients
    assert await count(riverside, "hold") == 0


async def test_a_new_client_is_booked_and_client_patient_and_appointment_are_to_be_written_in_order(
    riverside: Riverside,
) -> None:
    held = await hold_first(riverside, riverside.wish(new_client=True))
    booked = await send(riverside, strangers_booking(held), "k")
    assert isinstance(booked, Booked)
    assert booked.appointment.description.startswith("[vetslot Direct Booking - New Client] ")
    async with across_practices(riverside.pool) as conn:
        kinds = [row["kind"] for row in await conn.fetch("SELECT kind FROM write_back ORDER BY position")]
    assert kinds == ["client", "patient", "appointment"]


async def test_the_same_key_and_booking_are_given_the_same_appointment_again(riverside: Riverside) -> None:
    booking = await olivias_booking(riverside, await hold_first(riverside, riverside.wish()))
    outcomes = await asyncio.gather(*(send(riverside, booking, "double click") for _ in range(10)))
    assert all(isinstance(one, Booked) for one in outcomes)
    assert all(one == outcomes[0] for one in outcomes)
    assert await count(riverside, "write_back") == 1


async def test_a_key_used_for_another_booking_is_refused(riverside: Riverside) -> None:
    booking = await olivias_booking(riverside, await hold_first(riverside, riverside.wish()))
    await send(riverside, booking, "k")
    with pytest.raises(KeyReused):
        await send(riverside, msgspec.structs.replace(booking, reason="Something else"), "k")


async def test_a_booking_that_fails_leaves_nothing_behind_and_its_key_free(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish(new_client=True))
    async with across_practices(riverside.pool) as conn:
        await practices.set_who_may_book(conn, riverside.practice.practice_id, "existing_clients")
    closed = msgspec.structs.replace(riverside.practice, who_may_book="existing_clients")
    booking = strangers_booking(held)
    with pytest.raises(NewClientsNotWelcome):
        await send(msgspec_replace(riverside, closed), booking, "k")
    assert await count(riverside, "idempotency") == await count(riverside, "write_back") == 0
    assert isinstance(await send(riverside, booking, "k"), Booked)


def msgspec_replace(riverside: Riverside, practice: practices.Practice) -> Riverside:
    return Riverside(riverside.pool, practice, riverside.types, riverside.clinic, riverside.database_url)


async def test_a_deceased_patient_cannot_be_booked(riverside: Riverside) -> None:
    booking = await olivias_booking(riverside, await hold_first(riverside, riverside.wish()))
    assert isinstance(booking.client, KnownClient)
    async with across_practices(riverside.pool) as conn:
        rusty = await conn.fetchval("SELECT patient_id FROM patient WHERE pims_id = 'pat-rusty'")
    with pytest.raises(CannotBeBooked):
        await send(riverside, msgspec.structs.replace(booking, patients=(KnownPatient(patient_id=rusty),)), "k")


async def test_a_patient_of_another_client_cannot_be_booked(riverside: Riverside) -> None:
    booking = await olivias_booking(riverside, await hold_first(riverside, riverside.wish()))
    async with across_practices(riverside.pool) as conn:
        coco = await conn.fetchval("SELECT patient_id FROM patient WHERE pims_id = 'pat-coco'")
    with pytest.raises(CannotBeBooked):
        await send(riverside, msgspec.structs.replace(booking, patients=(KnownPatient(patient_id=coco),)), "k")


async def test_a_client_whom_the_proven_contact_does_not_reach_cannot_be_booked_for(riverside: Riverside) -> None:
    booking = await olivias_booking(riverside, await hold_first(riverside, riverside.wish()))
    stranger = read_contact("+12125550777", "US")
    with pytest.raises(CannotBeBooked):
        await send(riverside, msgspec.structs.replace(booking, contact=stranger), "k")


async def test_a_species_that_the_type_is_not_for_cannot_be_booked(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish())
    contact = read_contact(GRACE_KIM.email or "", "US")
    (account,) = await accounts_of(riverside.pool, riverside.practice, contact)
    kiwi = next(one for one in account.patients if one.name == "Kiwi")
    booking = msgspec.structs.replace(
        await olivias_booking(riverside, held),
        contact=contact,
        client=KnownClient(client_id=account.client.client_id),
        patients=(KnownPatient(patient_id=kiwi.patient_id),),
    )
    with pytest.raises(NotBookableOnline):
        await send(riverside, booking, "k")


async def test_a_stranger_cannot_book_what_is_for_existing_clients(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish("type-recheck"))
    with pytest.raises(NotBookableOnline):
        await send(riverside, strangers_booking(held), "k")


async def test_a_hold_is_nothing_without_its_secret(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish())
    booking = await olivias_booking(riverside, Held(hold=held.hold, secret="a guess"))
    with pytest.raises(HoldUnknown):
        await send(riverside, booking, "k")


async def test_an_unknown_hold_is_refused_in_words_that_help(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish())
    unknown = Held(hold=msgspec.structs.replace(held.hold, hold_id=uuid4()), secret=held.secret)
    with pytest.raises(HoldUnknown, match="choose a time again"):
        await send(riverside, await olivias_booking(riverside, unknown), "k")


async def test_a_shared_phone_reaches_several_accounts_that_stay_apart(riverside: Riverside) -> None:
    accounts = await accounts_of(riverside.pool, riverside.practice, read_contact(MARK_HALL.phone or "", "US"))
    assert [f"{one.client.given_name} {one.client.family_name}" for one in accounts] == [
        EMILY_STONE.name,
        MARK_HALL.name,
    ]
    assert [[patient.name for patient in one.patients] for one in accounts] == [["Willow"], ["Gizmo"]]


async def test_two_bookings_of_one_time_by_two_clients_end_with_one_appointment_each_elsewhere(
    riverside: Riverside,
) -> None:
    wish = riverside.wish(new_client=True)
    start = (await riverside.slots(wish))[-1].start
    helds = [await hold(riverside.pool, riverside.practice, wish, start, now=NOW) for _ in range(2)]
    won = [one for one in helds if isinstance(one, Held)]
    outcomes = await asyncio.gather(
        *(send(riverside, strangers_booking(one, contact=f"+1212555070{n}"), f"k{n}") for n, one in enumerate(won))
    )
    providers = [one.appointment.resources["veterinarian"][0] for one in outcomes if isinstance(one, Booked)]
    assert len(providers) == len(set(providers)) == len(won)


async def test_the_manage_link_shows_the_visit_to_who_has_it_and_to_nobody_else(riverside: Riverside) -> None:
    held = await hold_first(riverside, riverside.wish())
    booked = await send(riverside, await olivias_booking(riverside, held), "k")
    assert isinstance(booked, Booked)
    visit = await visit_by_token(riverside.pool, riverside.practice, booked.manage_token)
    assert visit is not None
    assert visit.patient.name == "Biscuit"
    assert len(visit.providers) == 1
    assert await visit_by_token(riverside.pool, riverside.practice, booked.manage_token[::-1]) is None


async def test_what_hold_and_booking_ask_is_planned_once_and_not_every_time(riverside: Riverside) -> None:
    await send(riverside, strangers_booking(await hold_first(riverside, riverside.wish(new_client=True))), "k")
    async with across_practices(riverside.pool) as conn:
        asked = await conn.fetch("SELECT statement, custom_plans FROM pg_prepared_statements WHERE NOT from_sql")
    assert {WHO_BOOKS, VERSION_AND_TAKEN} <= {row["statement"] for row in asked}
    assert [row["statement"] for row in asked if row["custom_plans"]] == []
