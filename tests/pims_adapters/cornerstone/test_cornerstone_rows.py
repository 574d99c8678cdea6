"""What the vendors say of Cornerstone, row by row (`C`), against the simulator with the reference agent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from pims_adapters import systems
from pims_adapters.contract import abilities_of
from tests.lakeside import Lakeside, local, open_lakeside
from widget.embedded import PostgresServer, ValkeyServer


@pytest.fixture(scope="module")
async def lakeside(
    postgres: PostgresServer,
    migrated_template: str,
    valkey: ValkeyServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Lakeside]:
    """Return a practice that all of these tests share."""
    folder = tmp_path_factory.mktemp("agent")
    async with open_lakeside(postgres, migrated_template, valkey, "cornerstone", folder) as lakeside:
        yield lakeside


@pytest.fixture(autouse=True)
async def fresh_counts(redis_url: str) -> None:
    """Let each test ask as often as it likes."""


async def test_c1_data_comes_several_times_an_hour_and_half_an_hour_late_is_still_fresh(lakeside: Lakeside) -> None:
    adapter = await lakeside.adapter()
    assert all(feed.every <= timedelta(minutes=20) for feed in adapter.feeds)
    await lakeside.sync()
    lakeside.clinic.settings(read_lag=30 * 60)
    try:
        lakeside.clinic.advance(minutes=31)
        start = await lakeside.free_time()
        lakeside.take(start)
        for table in ("feed", "agent_feed"):  # forget that it was fresher a moment ago
            await lakeside.execute(f"UPDATE {table} SET as_of = NULL")
        await lakeside.sync()
        assert await lakeside.offered(start)
        found = await lakeside.ok("GET", f"{lakeside.path}")
        age = datetime.now(UTC) - msgspec.convert(found["freshness"]["asOf"], datetime)
        assert timedelta(minutes=29) < age < timedelta(minutes=32)
        assert not found["freshness"]["stale"]
        lakeside.clinic.advance(minutes=31)
        await lakeside.sync()
        assert not await lakeside.offered(start)
    finally:
        lakeside.clinic.settings(read_lag=0)


async def test_c2_what_is_cancelled_with_us_is_not_deleted_there_but_told_to_staff(lakeside: Lakeside) -> None:
    made = await lakeside.known_clients_booking()
    await lakeside.write_back()
    await lakeside.change(made, "cancel")
    await lakeside.write_back()
    (stands,) = lakeside.written(made["reference"])
    assert stands.status == ""
    assert (await lakeside.states())["appointment cancel"] == "needs_attention"
    assert "cancel appointment" in await lakeside.reason()
    assert not abilities_of(systems()["cornerstone"].adapter) & {
        "cancels_appointments",
        "changes_appointments",
        "notes_arrivals",
    }


async def test_c3_what_is_deleted_there_is_deleted_here_and_nobody_is_reminded(lakeside: Lakeside) -> None:
    made = await lakeside.known_clients_booking()
    start = datetime.fromisoformat(made["visits"][0]["start"])
    await lakeside.write_back()
    await lakeside.sync()
    others = lakeside.take(start)
    await lakeside.sync()
    assert not await lakeside.offered(start)
    (stands,) = lakeside.written(made["reference"])
    for one in (stands.id, *others):
        lakeside.clinic.delete(one)
    await lakeside.sync()
    assert await lakeside.offered(start)
    status = await lakeside.value("SELECT status FROM appointment WHERE reference = $1", made["reference"])
    assert status == "cancelled"
    told = "SELECT count(*) FROM message WHERE body LIKE $1 AND purpose <> 'booked'"
    assert await lakeside.value(told, f"%{made['reference']}%") == 0


async def test_c4_the_clients_confirmation_is_written_by_the_acting_staff(lakeside: Lakeside) -> None:
    made = await lakeside.known_clients_booking()
    await lakeside.write_back()
    await lakeside.change(made, "confirm")
    await lakeside.write_back()
    assert [one.status for one in lakeside.written(made["reference"])] == ["Confirmed"]
    assert (await lakeside.states())["appointment confirm"] == "written"


async def test_c5_clients_entered_there_appear_after_a_sync_and_ours_do_not_change_theirs(lakeside: Lakeside) -> None:
    client = lakeside.clinic.staff("create_client", first_name="Ida", last_name="Newcomer", phones=("212-555-0181",))
    lakeside.clinic.staff("create_patient", client=client, name="Rolf", species="Canine")
    assert (await lakeside.prove(phone="+12125550181"))["client"] is None
    await lakeside.sync()
    (account,) = (await lakeside.prove(phone="+12125550181"))["client"]["accounts"]
    assert [one["name"] for one in account["patients"]] == ["Rolf"]
    # What may be written of clients is that they are new.
    adapter = await lakeside.adapter()
    assert [name for name in dir(adapter) if name.endswith("_client")] == ["create_client"]


@pytest.mark.parametrize("how", ["close", "export"])
async def test_c6_a_conversation_that_ends_becomes_an_attachment_of_the_patient_with_an_author(
    lakeside: Lakeside, how: str
) -> None:
    made = await lakeside.known_clients_booking()
    await lakeside.write_back()
    found = (await lakeside.at_staff("GET", "/conversations"))["items"]
    conversation_id = next(one["id"] for one in found if one["reference"] == made["reference"])
    await lakeside.at_staff("POST", f"/conversations/{conversation_id}/{how}")
    await lakeside.write_back()
    (document,) = [one for one in lakeside.clinic.state()["documents"] if made["reference"] in one["text"]]
    (appointment,) = lakeside.written(made["reference"])
    assert (document["patient"], document["author"]) == (appointment.patient, lakeside.clinic.providers()[0].id)
    assert "[vetslot #" in document["text"]


async def test_c7_service_reminders_are_mirrored_for_the_messaging_side(lakeside: Lakeside) -> None:
    _, patient = lakeside.known()
    due = datetime.now(UTC).date() + timedelta(days=40)
    reminder = lakeside.clinic.staff("remind", patient=patient.id, name="Heartworm test", due=due)
    await lakeside.sync()
    (mirrored,) = await lakeside.fetch("SELECT patient, name, due, done FROM reminder WHERE pims_id = $1", reminder)
    assert tuple(mirrored) == (patient.id, "Heartworm test", due, False)


async def test_c8_vaccines_are_mirrored_for_the_patients_id_card(lakeside: Lakeside) -> None:
    _, patient = lakeside.known()
    given = local(datetime.now(UTC)).date()
    lakeside.clinic.staff("give_vaccine", patient=patient.id, name="Leptospirosis", given=given)
    await lakeside.sync()
    query = "SELECT given FROM vaccination WHERE patient = $1 AND name = 'Leptospirosis'"
    assert await lakeside.value(query, patient.id) == given
