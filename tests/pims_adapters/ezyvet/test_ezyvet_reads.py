"""Following ezyVet: every row once, in our words, however its lists move meanwhile."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from pims_adapters.contract import Appointment, AppointmentDraft, AppointmentType, Client, Gone, Patient, Resource
from pims_adapters.ezyvet.adapter import EzyVetAdapter
from tests.ezyvet_double import EzyVetDouble, opened, running_double
from tests.pims_adapters.ezyvet.conftest import NOW
from tests.pims_adapters.ezyvet.double import seed
from tests.pims_adapters.ezyvet.reading import news, read


async def test_check_tells_the_site_its_zone_and_its_clock(adapter: EzyVetAdapter) -> None:
    checked = await adapter.check()
    assert checked.practice.name == "Willow Creek Veterinary"
    assert checked.practice.timezone == "America/New_York"
    assert checked.clock is not None
    assert checked.clock.date() == NOW.date()


async def test_columns_of_this_location_come_and_no_others(adapter: EzyVetAdapter) -> None:
    changes, _ = await read(adapter, "catalogue")
    columns = {one.pims_id: one.resource_kind for one in changes if isinstance(one, Resource)}
    assert columns == {
        str(seed.LANG): "provider",
        str(seed.KELLER): "provider",
        str(seed.WEI): "provider",
        str(seed.FOX): "technician",
        str(seed.ROOM_1): "room",
        str(seed.ROOM_2): "room",
        str(seed.DENTAL_SUITE): "room",
    }


async def test_types_that_are_blocks_or_inactive_cannot_be_booked(adapter: EzyVetAdapter) -> None:
    changes, _ = await read(adapter, "catalogue")
    types = {one.name: one.duration for one in changes if isinstance(one, AppointmentType)}
    assert types == {
        "Consultation": timedelta(minutes=30),
        "Vaccination": timedelta(minutes=20),
        "Recheck": timedelta(minutes=20),
        "Dental": timedelta(minutes=90),
        "Surgery": timedelta(minutes=120),
    }


async def test_a_column_that_leaves_the_calendar_is_gone_and_comes_back(
    double: EzyVetDouble, adapter: EzyVetAdapter
) -> None:
    _, cursor = await read(adapter, "catalogue")
    double.change("resource", seed.FOX, access="Off Calendar")
    changes, cursor = await read(adapter, "catalogue", cursor)
    assert changes == [Gone(of="resource", pims_id=str(seed.FOX))]
    double.change("resource", seed.FOX, access="On Calendar")
    (back,) = await news(adapter, "catalogue", cursor)
    assert back.pims_id == str(seed.FOX)


async def test_people_read_in_our_words(adapter: EzyVetAdapter) -> None:
    changes, _ = await read(adapter, "people")
    clients = {one.pims_id: one for one in changes if isinstance(one, Client)}
    patients = {one.pims_id: one for one in changes if isinstance(one, Patient)}
    alma, pip = clients[str(seed.ALMA)], patients[str(seed.PIP)]
    assert (alma.given_name, alma.family_name, alma.active) == ("Alma", "Abbott", True)
    assert (alma.phones, alma.emails) == (("518-555-0001",), ("client1@Example.com",))
    assert not clients[str(seed.LEFT)].active
    assert (pip.client, pip.species, pip.birth_date) == (str(seed.ALMA), "dog", date(2020, 5, 2))
    assert {one.sex for one in patients.values()} >= {"male", "male_neutered", "female", "female_spayed"}
    assert {one.species for one in patients.values()} == {"dog", "cat", "rabbit", "bird", "reptile", "Ferret"}
    assert patients[str(seed.DEAD)].status == "deceased"
    assert patients[str(seed.INACTIVE)].status == "inactive"


async def test_clients_come_before_their_patients_and_suppliers_not_at_all(adapter: EzyVetAdapter) -> None:
    changes, _ = await read(adapter, "people")
    assert set(Counter((type(one), one.pims_id) for one in changes).values()) == {1}
    met: set[str] = set()
    for one in changes:
        if isinstance(one, Client):
            met.add(one.pims_id)
            assert one.given_name
        if isinstance(one, Patient):
            assert one.client in met


async def test_a_new_phone_brings_its_client(double: EzyVetDouble, adapter: EzyVetAdapter) -> None:
    _, cursor = await read(adapter, "people")
    detail = next(one for one in double.rows("contactdetail") if one["contact_id"] == 7)
    double.change("contactdetail", detail["id"], value="(518) 555-0177")
    (client,) = await news(adapter, "people", cursor)
    assert isinstance(client, Client)
    assert client.pims_id == "7"
    assert "(518) 555-0177" in client.phones


async def test_of_merged_contacts_one_is_left_inactive_and_its_animals_move(
    double: EzyVetDouble, adapter: EzyVetAdapter
) -> None:
    animals = [str(one["id"]) for one in double.rows("animal") if one["contact_id"] == 40]
    _, cursor = await read(adapter, "people")
    double.act("merge", contact=40, into=41)
    changes = await news(adapter, "people", cursor)
    assert {one.pims_id: one.active for one in changes if isinstance(one, Client)} == {"40": False}
    assert {one.pims_id: one.client for one in changes if isinstance(one, Patient)} == dict.fromkeys(animals, "41")


async def test_a_contact_that_is_no_customer_any_more_is_inactive(double: EzyVetDouble, adapter: EzyVetAdapter) -> None:
    _, cursor = await read(adapter, "people")
    double.change("contact", 44, is_customer=False)
    (client,) = await news(adapter, "people", cursor)
    assert isinstance(client, Client)
    assert not client.active
    double.change("contact", 44, is_customer=True)


async def test_blocks_are_busy_time_of_no_client_and_no_type(adapter: EzyVetAdapter) -> None:
    changes, _ = await read(adapter, "appointments")
    blocks = [one for one in changes if isinstance(one, Appointment) and one.appointment_type is None]
    assert blocks
    assert {(one.resources, one.client, one.status, one.description) for one in blocks} == {
        ((str(seed.LANG),), None, "booked", "Block Out - Unavailable")
    }
    assert {one.end - one.start for one in blocks} == {timedelta(hours=1)}


@pytest.mark.parametrize(
    ("status_id", "status"),
    [(1, "booked"), (2, "confirmed"), (3, "arrived"), (4, "arrived"), (5, "fulfilled"), (6, "no_show"), (7, "booked")],
)
async def test_statuses_read_in_our_words_and_an_unknown_one_stays_busy(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft, status_id: int, status: str
) -> None:
    pims_id = double.book(draft.start, 30, [seed.WEI], status=status_id)
    appointment = await adapter.read("appointment", pims_id)
    assert isinstance(appointment, Appointment)
    assert appointment.status == status


async def test_whoever_is_booked_at_the_other_location_is_busy_here(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    pims_id = double.book(draft.start, 30, [seed.LANG_THERE])
    appointment = await adapter.read("appointment", pims_id)
    assert isinstance(appointment, Appointment)
    assert appointment.resources == (str(seed.LANG),)


async def test_the_unit_of_durations_is_told_from_the_types() -> None:
    with running_double(NOW, minutes=True) as double:
        adapter = opened(double.settings)
        changes, _ = await read(adapter, "appointments")
        await adapter.close()
    spans = {one.end - one.start for one in changes if isinstance(one, Appointment)}
    assert spans == {timedelta(minutes=30), timedelta(minutes=60)}


async def test_a_row_that_changes_twice_in_a_second_comes_twice(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    """`modified_at` is the same, and a cursor that knew no more would miss the second."""
    double.act("clock", freeze=True)
    pims_id = double.book(draft.start, 30, [seed.WEI])
    _, cursor = await read(adapter, "appointments")
    moved = draft.start + timedelta(hours=1)
    double.change("appointment", pims_id, start_at=int(moved.timestamp()))
    (change,) = await news(adapter, "appointments", cursor)
    assert isinstance(change, Appointment)
    assert (change.pims_id, change.start) == (pims_id, moved)


async def test_a_row_of_a_second_that_was_read_already_is_not_missed(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    double.act("clock", freeze=True)
    first = double.book(draft.start, 30, [seed.WEI])
    _, cursor = await read(adapter, "appointments")
    second = double.book(draft.start + timedelta(hours=1), 30, [seed.WEI])
    changes, cursor = await read(adapter, "appointments", cursor)
    assert [one.pims_id for one in changes] == [second]
    assert first not in [one.pims_id for one in await news(adapter, "appointments", cursor)]


async def test_a_thousand_rows_changed_in_one_second_all_come(double: EzyVetDouble, adapter: EzyVetAdapter) -> None:
    _, cursor = await read(adapter, "people")
    double.act("clock", freeze=True)
    animals = [one["id"] for one in double.rows("animal")]
    for number in animals:
        double.change("animal", number, notes="Seen")
    changes, cursor = await read(adapter, "people", cursor)
    assert {one.pims_id for one in changes} == {str(one) for one in animals}
    assert await news(adapter, "people", cursor) == []


async def test_rows_that_move_up_between_pages_are_not_missed(
    double: EzyVetDouble, adapter: EzyVetAdapter, draft: AppointmentDraft
) -> None:
    """One row vanishes from the first page once that was read, so the second page begins one row late."""
    gone = double.book(draft.start, 30, [seed.WEI])
    first = await adapter.changes("appointments", None)
    numbers = [int(one.pims_id) for one in first.changes]
    double.act(f"delete-after-first-page/appointment/{numbers[3]}")
    expected = {str(one["id"]) for one in double.rows("appointment")} - {str(numbers[3])}
    changes, _ = await read(adapter, "appointments")
    assert {one.pims_id for one in changes} >= expected
    assert gone in expected


async def test_a_listing_that_rows_left_meanwhile_is_not_complete(double: EzyVetDouble, adapter: EzyVetAdapter) -> None:
    first, last = NOW.date() - timedelta(days=14), NOW.date() + timedelta(days=28)
    whole = await adapter.listing("appointment", first, last)
    assert whole.complete
    double.act(f"delete-after-first-page/appointment/{whole.records[5].pims_id}")
    broken = await adapter.listing("appointment", first, last)
    assert not broken.complete
    after = await adapter.listing("appointment", first, last)
    assert {one.pims_id for one in whole.records} - {one.pims_id for one in after.records} == {whole.records[5].pims_id}


async def test_what_ezyvet_cannot_be_asked_for_is_not_listed_as_absent(adapter: EzyVetAdapter) -> None:
    listing = await adapter.listing("reminder", NOW.date(), NOW.date())
    assert (listing.records, listing.complete) == ([], False)


async def test_appointments_long_past_do_not_come_at_first_and_come_when_they_change(
    double: EzyVetDouble, adapter: EzyVetAdapter
) -> None:
    old = double.book(datetime(2024, 5, 6, 13, tzinfo=UTC), 30, [seed.WEI], at=1715000000)
    changes, cursor = await read(adapter, "appointments")
    assert old not in {one.pims_id for one in changes}
    double.change("appointment", old, status_id=5)
    assert [one.pims_id for one in await news(adapter, "appointments", cursor)] == [old]
    double.act(f"delete/appointment/{old}")


@pytest.mark.parametrize(
    "phone", ["+15185550001", "+15185550002", "+15185550003"], ids=["dashes", "plain", "parentheses"]
)
async def test_a_client_is_found_by_a_phone_however_it_was_typed(adapter: EzyVetAdapter, phone: str) -> None:
    found = await adapter.find_clients(phone=phone, email=None)
    expected = {str(int(phone[-4:]))} if phone[-4:] != "0003" else set()  # the third has left
    assert {one.pims_id for one in found} == expected


async def test_a_client_is_found_by_an_email_that_begins_with_a_capital_elsewhere(adapter: EzyVetAdapter) -> None:
    found = await adapter.find_clients(phone=None, email="client1@Example.com")
    assert [one.pims_id for one in found] == [str(seed.ALMA)]


async def test_a_feed_that_is_asked_again_asks_ezyvet_once_a_list(double: EzyVetDouble, adapter: EzyVetAdapter) -> None:
    _, cursor = await read(adapter, "appointments")
    double.act("clock", advance=120)
    _, people = await read(adapter, "people")
    double.asked()
    await news(adapter, "appointments", cursor)
    await news(adapter, "people", people)
    assert double.asked() == ["GET /v2/appointment", "GET /v1/contact", "GET /v1/contactdetail", "GET /v1/animal"]
