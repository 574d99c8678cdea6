"""Who is new to us and known to the practice is not created a second time, and is told nothing of it."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from booking.book import Booked, Booking, NewClient, NewPatient
from booking.contacts import read_contact
from booking.matching import folded
from pims_adapters import contract as pims
from pims_adapters.demo.clinic.personas import OLIVIA_CARTER
from tests.booking.conftest import Riverside
from tests.booking.lesser_pims import Finding
from tests.booking.outbox_of import deliver_by, fetch, lines
from tests.booking.steps import hold_first, send, strangers_booking
from tests.booking.test_write_back import at, deliver, found

OLIVIA = NewClient(given_name="olivia", family_name="CARTÉR")


async def book_as(
    riverside: Riverside, client: NewClient, *, contact: str, patient: str = "biscuit", key: str = "k"
) -> Booked:
    held = await hold_first(riverside, riverside.wish(new_client=True))
    booking: Booking = msgspec.structs.replace(
        strangers_booking(held, contact=contact),
        client=client,
        patients=(NewPatient(name=patient, species="dog", breed="Beagle"),),
    )
    booked = await send(riverside, booking, key)
    assert isinstance(booked, Booked)
    return booked


async def whose(riverside: Riverside, booked: Booked) -> dict[str, str]:
    (row,) = await fetch(
        riverside,
        """SELECT c.pims_id AS client, p.pims_id AS patient, c.given_name, p.name
           FROM appointment a JOIN client c USING (practice_id, client_id)
           JOIN patient p USING (practice_id, patient_id)
           WHERE a.reference = $1""",
        booked.appointment.reference,
    )
    return row


@pytest.mark.parametrize(("one", "other"), [("José  Álvarez", "jose alvarez"), ("STRASSE", "straße"), (" Ann ", "ann")])
def test_names_are_the_same_without_case_accents_and_spaces(one: str, other: str) -> None:
    assert folded(one) == folded(other)


async def test_a_known_client_who_says_they_are_new_is_found_and_so_is_their_pet(connected: Riverside) -> None:
    before = len(await fetch(connected, "SELECT FROM client_contact"))
    booked = await book_as(connected, OLIVIA, contact=OLIVIA_CARTER.phone or "")
    await deliver(connected, at(timedelta()))
    assert found(connected, booked) == (0, 0, 1)
    owner = await whose(connected, booked)
    assert (owner["given_name"], owner["name"]) == ("Olivia", "Biscuit")
    (shown,) = connected.clinic.with_key("appointments", booked.appointment.reference)
    assert (shown["client_id"], shown["patient_id"]) == (owner["client"], owner["patient"])
    assert [one["state"] for one in await lines(connected)] == ["written"] * 3
    assert len(await fetch(connected, "SELECT FROM client_contact")) == before
    (aside,) = await fetch(connected, "SELECT active FROM client WHERE pims_id IS NULL")
    assert aside["active"] is False


async def test_only_a_contact_that_was_proven_leads_into_somebodys_records(connected: Riverside) -> None:
    phone = read_contact(OLIVIA_CARTER.phone or "", "US")
    claimed = msgspec.structs.replace(OLIVIA, other_contact=phone)
    booked = await book_as(connected, claimed, contact="mallory@example.com")
    await deliver(connected, at(timedelta()))
    assert found(connected, booked) == (1, 1, 1)


async def test_the_same_contact_under_another_name_is_somebody_else(connected: Riverside) -> None:
    brother = NewClient(given_name="Oliver", family_name="Carter")
    booked = await book_as(connected, brother, contact=OLIVIA_CARTER.phone or "")
    await deliver(connected, at(timedelta()))
    assert found(connected, booked) == (1, 1, 1)


async def test_two_who_fit_are_no_match_and_staff_are_told(connected: Riverside) -> None:
    await fetch(
        connected,
        """WITH twin AS (INSERT INTO client (practice_id, client_id, pims_id, given_name, family_name, created_at)
             SELECT practice_id, gen_random_uuid(), 'client-twin', given_name, family_name, created_at FROM client
             WHERE given_name = 'Olivia' AND family_name = 'Carter' LIMIT 1 RETURNING practice_id, client_id)
           INSERT INTO client_contact SELECT practice_id, client_id, 'phone', $1, $1 FROM twin RETURNING client_id""",
        read_contact(OLIVIA_CARTER.phone or "", "US").value,
    )
    booked = await book_as(connected, OLIVIA, contact=OLIVIA_CARTER.phone or "")
    await deliver(connected, at(timedelta()))
    assert found(connected, booked) == (1, 1, 1)
    client, *_ = await lines(connected)
    assert client["note"].startswith("The PIMS had 2 clients with this name and contact already")
    assert "Olivia" not in client["note"]


async def test_who_books_twice_as_somebody_new_is_one_client_with_one_pet(connected: Riverside) -> None:
    new = NewClient(given_name="Noor", family_name="Haddad")
    first = await book_as(connected, new, contact="noor@example.com", patient="Zuzu", key="first")
    second = await book_as(connected, new, contact="noor@example.com", patient="ZUZU", key="second")
    await deliver(connected, at(timedelta()))
    for minutes in (1, 2, 3):
        await deliver(connected, at(timedelta(minutes=minutes)))
    assert found(connected, first) == (1, 1, 1)
    assert found(connected, second) == (0, 0, 1)
    assert await whose(connected, first) == await whose(connected, second)


async def test_a_client_of_whom_only_the_pims_has_heard_is_found_there(connected: Riverside) -> None:
    pims_id = str(
        connected.clinic.post("/v1/clients", first_name="Noor", last_name="Haddad", phones=["+12125550777"])["id"]
    )
    record = pims.Client(pims_id=pims_id, given_name="Noor", family_name="Haddad", phones=("+12125550777",))
    new = NewClient(given_name="Noor", family_name="Haddad")
    booked = await book_as(connected, new, contact="+12125550777", patient="Zuzu")
    await deliver_by(connected, Finding(connected.clinic.settings, record))
    assert found(connected, booked) == (0, 1, 1)
    assert (await whose(connected, booked))["client"] == pims_id
