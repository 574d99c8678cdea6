"""What the vendors say of AVImark, row by row (`A`), against the simulator with the reference agent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

import pims_adapters.avimark
from booking.worker import work
from pims_adapters import contract, open_adapter, systems
from pims_adapters.contract import ABILITIES, ConversationDraft, abilities_of
from tests.booking.steps import SITE
from tests.lakeside import Lakeside, open_lakeside
from widget.embedded import PostgresServer, ValkeyServer

PROVE = bool(os.environ.get("VETSLOT_PROVE"))
FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture(scope="module")
async def lakeside(
    postgres: PostgresServer,
    migrated_template: str,
    valkey: ValkeyServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Lakeside]:
    """Return a practice that all of these tests share."""
    folder = tmp_path_factory.mktemp("agent")
    async with open_lakeside(postgres, migrated_template, valkey, "avimark", folder) as lakeside:
        yield lakeside


@pytest.fixture(autouse=True)
async def fresh_counts(redis_url: str) -> None:
    """Let each test ask as often as it likes."""


def rhythm(kind: contract.RecordKind) -> timedelta:
    """Return how often a kind of record is looked for."""
    feeds: tuple[contract.Feed, ...] = systems()["avimark"].adapter.feeds  # type: ignore[attr-defined]
    return next(feed.every for feed in feeds if kind in feed.kinds)


async def test_a1_new_clients_and_patients_come_within_five_minutes(lakeside: Lakeside) -> None:
    assert max(rhythm("client"), rhythm("patient")) < FIVE_MINUTES
    client = lakeside.clinic.staff("create_client", first_name="Ida", last_name="Newcomer", phones=("212-555-0181",))
    lakeside.clinic.staff("create_patient", client=client, name="Rolf", species="CANINE")
    await lakeside.sync()
    (account,) = (await lakeside.prove(phone="+12125550181"))["client"]["accounts"]
    assert [one["name"] for one in account["patients"]] == ["Rolf"]


async def test_a2_appointments_their_changes_and_confirmations_come_within_five_minutes(lakeside: Lakeside) -> None:
    assert rhythm("appointment") < FIVE_MINUTES
    start = await lakeside.free_time()
    booked = lakeside.take(start)
    await lakeside.sync()
    assert not await lakeside.offered(start)
    for one in booked:
        lakeside.clinic.staff("confirm", id=one)
    await lakeside.sync()
    query = "SELECT status FROM appointment WHERE pims_id = $1"
    assert await lakeside.value(query, booked[0]) == "confirmed"
    lakeside.clinic.move(booked[0], starts=datetime(2027, 5, 3, 9))  # noqa: DTZ001 - the practice's own time
    await lakeside.sync()
    assert await lakeside.offered(start)


@pytest.mark.parametrize("how", ["Cancelled", "No Show", "Rescheduled"])
async def test_a3_cancellations_and_no_shows_give_their_time_back(lakeside: Lakeside, how: str) -> None:
    start = await lakeside.free_time()
    booked = lakeside.take(start)
    await lakeside.sync()
    assert not await lakeside.offered(start)
    lakeside.clinic.staff("set_status", id=booked[0], status=how)
    await lakeside.sync()
    assert await lakeside.offered(start)
    status = await lakeside.value("SELECT status FROM appointment WHERE pims_id = $1", booked[0])
    assert status == ("no_show" if how == "No Show" else "cancelled")


@pytest.mark.parametrize("what", ["deceased", "inactive"])
async def test_a4_deceased_and_inactive_patients_are_known_the_next_night_at_the_latest(
    lakeside: Lakeside, what: str
) -> None:
    assert rhythm("patient") < timedelta(days=1)
    client = lakeside.clinic.staff("create_client", last_name=f"Owner {what}", emails=(f"{what}@example.com",))
    patient = lakeside.clinic.staff("create_patient", client=client, name="Old Rex", species="CANINE")
    lakeside.clinic.staff(f"mark_{what}", id=patient)
    await lakeside.sync()
    assert await lakeside.value("SELECT status FROM patient WHERE pims_id = $1", patient) == what
    proven = await lakeside.prove(email=f"{what}@example.com")
    (account,) = proven["client"]["accounts"]
    assert account["patients"] == []
    patient_id = await lakeside.value("SELECT patient_id FROM patient WHERE pims_id = $1", patient)
    refused = await lakeside.send(
        proven,
        await lakeside.hold(),
        client=account["id"],
        patients=[{"type": "existing", "id": str(patient_id)}],
    )
    assert refused.is_client_error


async def test_a5_vaccines_and_reminders_come_several_times_an_hour(lakeside: Lakeside) -> None:
    assert max(rhythm("vaccination"), rhythm("reminder")) <= timedelta(minutes=20)
    _, patient = lakeside.known()
    due = datetime.now(UTC).date() + timedelta(days=365)
    lakeside.clinic.staff("give_vaccine", patient=patient.id, name="Leptospirosis", due=due)
    await lakeside.sync()
    query = "SELECT due FROM {} WHERE patient = $1 AND name LIKE '%Leptospirosis%' AND NOT {}"
    assert await lakeside.value(query.format("vaccination", "false"), patient.id) == due
    assert await lakeside.value(query.format("reminder", "done"), patient.id) == due


async def test_a6_an_appointment_is_written_when_it_is_created(lakeside: Lakeside) -> None:
    made = await lakeside.known_clients_booking()
    await lakeside.write_back()
    assert len(lakeside.written(made["reference"])) == 1
    assert (await lakeside.states())["appointment create"] == "written"


async def test_a7_the_clients_confirmation_is_written(lakeside: Lakeside) -> None:
    made = await lakeside.known_clients_booking()
    await lakeside.write_back()
    await lakeside.change(made, "confirm")
    await lakeside.write_back()
    assert [one.status for one in lakeside.written(made["reference"])] == ["Confirmed"]


def test_a8_payments_are_none_of_ours_and_no_ability_claims_them() -> None:
    assert not [name for name in ABILITIES if "pay" in name or "refund" in name]
    assert not [name for name in dir(systems()["avimark"].adapter) if "pay" in name or "refund" in name]
    readme = Path(pims_adapters.avimark.__file__).with_name("README.md").read_text(encoding="utf-8")
    assert "payments and refunds reach AVImark another way" in readme


@pytest.mark.parametrize("how", ["close", "export"])
async def test_a9_a_conversation_is_exported_by_the_default_exporter_when_it_ends_or_is_marked(
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


async def test_a10_clients_and_patients_are_made_there_unless_a_booking_needs_them(lakeside: Lakeside) -> None:
    before = len(lakeside.clinic.clients())
    await lakeside.known_clients_booking()
    await lakeside.write_back()
    assert len(lakeside.clinic.clients()) == before
    await lakeside.new_clients_booking("+12125550174", "Tennant")
    await lakeside.write_back()
    assert [one.last_name for one in lakeside.clinic.clients()[before:]] == ["Tennant"]


async def test_a11_a_deleted_reservation_is_missing_and_then_gone_and_never_a_cancellation_told_to_its_client(
    lakeside: Lakeside,
) -> None:
    made = await lakeside.known_clients_booking()
    await lakeside.write_back()
    await lakeside.sync()
    (stands,) = lakeside.written(made["reference"])
    lakeside.clinic.delete(stands.id)
    await lakeside.sync()
    status = "SELECT status FROM appointment WHERE reference = $1"
    assert await lakeside.value(status, made["reference"]) == "booked"
    # A while after it was written: before that, that it does not show proves nothing.
    await lakeside.list_near(later=timedelta(minutes=20))
    assert await lakeside.value("SELECT count(*) FROM missing WHERE pims_id = $1", stands.id) == 1
    assert await lakeside.value(status, made["reference"]) == "booked"
    await lakeside.list_near(later=timedelta(minutes=40))
    task = "SELECT count(*) FROM staff_task WHERE subject = $1 AND closed_at IS NULL"
    assert await lakeside.value(task, f"appointment {stands.id}") == 1
    told = "SELECT count(*) FROM message WHERE body LIKE $1 AND purpose <> 'booked'"
    assert await lakeside.value(told, f"%{made['reference']}%") == 0


async def test_a12_only_the_creation_is_written_later_changes_are_told_to_staff(lakeside: Lakeside) -> None:
    made = await lakeside.known_clients_booking()
    await lakeside.write_back()
    (before,) = lakeside.written(made["reference"])
    start = next(
        one["start"] for one in await lakeside.slots(days_from=13, days=5) if one["start"] != made["visits"][0]["start"]
    )
    await lakeside.change(made, "reschedule", start=start)
    await lakeside.write_back()
    assert lakeside.written(made["reference"]) == [before]
    assert (await lakeside.states())["appointment change"] == "needs_attention"
    assert "move appointment" in await lakeside.reason()


async def test_a13_what_became_of_a_patient_is_not_written(lakeside: Lakeside) -> None:
    adapter = await lakeside.adapter()
    assert [name for name in dir(adapter) if name.endswith("_patient")] == ["create_patient"]
    assert abilities_of(adapter) == {
        "creates_appointments",
        "creates_clients",
        "finds_clients",
        "lists_records",
        "confirms_appointments",
        "exports_conversations",
    }


async def test_a14_without_a_default_exporter_no_conversation_is_exported(lakeside: Lakeside) -> None:
    settings = {"practice": lakeside.connection.settings["practice"]}
    relay = (await lakeside.adapter()).line.relay
    adapter = open_adapter("avimark", settings, relay)
    assert isinstance(adapter, contract.ExportsConversations)
    client, patient = lakeside.known()
    with pytest.raises(contract.PimsMisconfigured, match="choose who exports"):
        await adapter.export_conversation(conversation(client.id, patient.id), "CONV-2")
    assert "CONV-2" not in str(lakeside.clinic.state()["documents"])


async def test_with_an_agent_that_is_well_a_booking_is_read_back_within_seconds(
    lakeside: Lakeside, redis_url: str, redis: Redis
) -> None:
    working = asyncio.create_task(
        work(
            database_url=lakeside.database_url,
            redis_url=redis_url,
            site=SITE,
            smtp_url=None,
            mail_from="",
            dev_mailbox=True,
            sync_every=timedelta(minutes=1),
        )
    )
    try:
        async with lakeside.beside(), asyncio.timeout(120):
            for number in range(60 if PROVE else 4):
                await redis.flushall()  # so many at once would have to prove some work
                await lakeside.new_clients_booking(f"+1212555{2000 + number}", f"Quick {number}")
            unwritten = "SELECT count(*) FROM write_back WHERE action = 'create' AND state IN ('queued', 'sending')"
            while await lakeside.value(unwritten):
                await asyncio.sleep(0.05)
    finally:
        working.cancel()
        await asyncio.wait([working])
    rows = await lakeside.fetch(
        """SELECT extract(epoch FROM max(w.written_at - w.queued_at))::float AS seconds FROM write_back w
           JOIN appointment a USING (practice_id, appointment_id) JOIN client c USING (practice_id, client_id)
           WHERE c.family_name LIKE 'Quick %' GROUP BY w.appointment_id"""
    )
    seconds = sorted(row["seconds"] for row in rows)
    assert seconds[len(seconds) * 95 // 100] < (3 if PROVE else 10), seconds


def conversation(client: str, patient: str) -> ConversationDraft:
    return ConversationDraft(
        client=client,
        patient=patient,
        title="Conversation",
        text="09:01 Client: Is the limp bad?",
        ended=datetime.now(UTC),
    )
