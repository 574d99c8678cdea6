"""Direct Booking as the vendors describe it (`D` rows), with Cornerstone and with AVImark behind it, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.lakeside import HERE, Lakeside, local, open_lakeside
from widget.embedded import PostgresServer, ValkeyServer


@pytest.fixture(scope="module", params=["cornerstone", "avimark"])
async def lakeside(
    request: pytest.FixtureRequest,
    postgres: PostgresServer,
    migrated_template: str,
    valkey: ValkeyServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Lakeside]:
    """Return a practice that all of these tests share."""
    folder: Path = tmp_path_factory.mktemp("agent")
    async with open_lakeside(postgres, migrated_template, valkey, request.param, folder) as lakeside:
        yield lakeside


@pytest.fixture(autouse=True)
async def fresh_counts(redis_url: str) -> None:
    """Let each test ask as often as it likes."""


async def test_d1_a_practice_with_either_system_is_booked_from_its_page_and_its_widget(lakeside: Lakeside) -> None:
    assert await lakeside.slots()
    assert (await lakeside.call("GET", f"/book/{lakeside.practice.slug}")).status_code in (200, 303)
    assert (await lakeside.call("GET", "/widget.js")).is_success


@pytest.mark.parametrize("by", ["phone", "email"])
async def test_d2_a_phone_or_an_email_finds_the_account_with_its_patients(lakeside: Lakeside, by: str) -> None:
    client, patient = lakeside.known()
    contact = {"phone": client.phones[0]} if by == "phone" else {"email": client.emails[0]}
    (account,) = (await lakeside.prove(**contact))["client"]["accounts"]
    assert patient.name in {one["name"] for one in account["patients"]}
    offered = await lakeside.ok("GET", f"{lakeside.path}/appointment-types")
    assert [one["name"] for one in offered["items"]] == ["Wellness exam"]


async def test_d3_times_account_for_appointments_and_block_offs_of_the_system(lakeside: Lakeside) -> None:
    start = await lakeside.free_time()
    doctors = [one.id for one in lakeside.clinic.providers()]
    for doctor in doctors[:-1]:
        lakeside.clinic.book(local(start), staff=doctor)
    await lakeside.sync()
    assert await lakeside.offered(start)
    lakeside.clinic.block_off(local(start), 30, staff=doctors[-1])
    await lakeside.sync()
    assert not await lakeside.offered(start)


async def test_d4_what_was_chosen_is_booked_and_a_message_follows(lakeside: Lakeside) -> None:
    client, _ = lakeside.known()
    made = await lakeside.book(await lakeside.prove(email=client.emails[0]))
    assert made["visits"][0]["start"]
    assert made["manageUrl"].startswith(HERE)
    told = await lakeside.fetch("SELECT purpose FROM message WHERE body LIKE $1", f"%{made['reference']}%")
    assert [row["purpose"] for row in told] == ["booked"]


async def test_d5_a_new_client_and_patient_are_created_in_the_system_before_the_appointment(
    lakeside: Lakeside,
) -> None:
    made = await lakeside.new_clients_booking("+12125550171", "Quill")
    await lakeside.write_back()
    (appointment,) = lakeside.written(made["reference"])
    (client,) = [one for one in lakeside.clinic.clients() if one.last_name == "Quill"]
    (patient,) = [one for one in lakeside.clinic.patients() if one.client == client.id]
    assert (appointment.client, appointment.patient) == (client.id, patient.id)
    assert (client.first_name, patient.name) == ("Noor", "Zuzu")
    assert patient.species == ("CANINE" if lakeside.clinic.dialect == "avimark" else "Canine")


async def test_d6_where_only_existing_clients_book_a_stranger_is_led_to_a_request(lakeside: Lakeside) -> None:
    await lakeside.execute("UPDATE practice SET who_may_book = 'existing_clients'")
    try:
        proven = await lakeside.prove(phone="+12125550172")
        assert proven["client"] is None
        assert not proven["newClientsWelcome"]
        refused = await lakeside.send(
            proven,
            await lakeside.hold(),
            newClient={"givenName": "Noor", "familyName": "Haddad"},
            patients=[{"type": "new", "name": "Zuzu", "species": "dog"}],
        )
        assert (refused.status_code, refused.json()["code"]) == (403, "new-clients-not-welcome")
    finally:
        await lakeside.execute("UPDATE practice SET who_may_book = 'everyone'")


async def test_d7_it_stands_with_us_at_once_and_in_the_system_after_its_lag(lakeside: Lakeside) -> None:
    lakeside.clinic.settings(write_lag=[60, 180])
    try:
        made = await lakeside.known_clients_booking()
        assert await lakeside.value("SELECT count(*) FROM appointment WHERE reference = $1", made["reference"]) == 1
        await lakeside.write_back()
        assert lakeside.written(made["reference"]) == []
        assert (await lakeside.states())["appointment create"] == "unknown"
        lakeside.clinic.advance(seconds=181)
        await lakeside.write_back()
    finally:
        lakeside.clinic.settings(write_lag=[0, 0])
    assert len(lakeside.written(made["reference"])) == 1
    assert (await lakeside.states())["appointment create"] == "written"


async def test_d8_a_conversation_with_client_patient_and_booking_lies_on_top_of_the_queue(lakeside: Lakeside) -> None:
    await lakeside.known_clients_booking()
    made = await lakeside.new_clients_booking("+12125550175", "Talker")
    top = (await lakeside.at_staff("GET", "/conversations"))["items"][0]
    assert (top["reference"], top["clientName"], top["patientName"]) == (made["reference"], "Noor Talker", "Zuzu")
    whole = await lakeside.at_staff("GET", f"/conversations/{top['id']}")
    assert made["reference"] in whole["said"][0]["text"]


async def test_d9_the_description_says_where_it_came_from_and_whether_the_client_is_new(lakeside: Lakeside) -> None:
    known, new = await lakeside.known_clients_booking(), await lakeside.new_clients_booking("+12125550173", "Tagger")
    await lakeside.write_back()
    (of_known,) = lakeside.written(known["reference"])
    (of_new,) = lakeside.written(new["reference"])
    assert "[vetslot Direct Booking]" in of_known.notes
    assert "[vetslot Direct Booking - New Client]" in of_new.notes
    assert of_known.starts == local(datetime.fromisoformat(known["visits"][0]["start"]))
