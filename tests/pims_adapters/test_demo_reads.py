"""Following the demo PIMS: every record once, in order, from wherever a cursor stands."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from pims_adapters.contract import (
    Appointment,
    AppointmentDraft,
    BlockOff,
    Change,
    Client,
    Closure,
    CursorExpired,
    Gone,
    Patient,
    Practice,
    RecurringTime,
    Resource,
)
from pims_adapters.demo.adapter import DemoAdapter
from pims_adapters.demo.clinic.personas import OLIVIA_CARTER
from tests.demo_clinic import DemoClinic, opened, running_clinic


async def everything(adapter: DemoAdapter) -> tuple[list[Change], str]:
    changes: list[Change] = []
    cursor = None
    while True:
        page = await adapter.changes("everything", cursor)
        changes += page.changes
        cursor = page.cursor
        if not page.more:
            return changes, cursor


async def latest(adapter: DemoAdapter, cursor: str) -> list[Change]:
    return (await adapter.changes("everything", cursor)).changes


async def test_check_tells_which_practice_it_is(adapter: DemoAdapter) -> None:
    practice = (await adapter.check()).practice
    assert (practice.name, practice.timezone) == ("Riverside Animal Hospital", "America/New_York")


async def test_changes_bring_every_record_exactly_once(adapter: DemoAdapter) -> None:
    changes, cursor = await everything(adapter)
    assert await latest(adapter, cursor) == []
    met = Counter((type(change), change.pims_id) for change in changes)
    assert set(met.values()) == {1}
    # What other tests wrote carries their keys.
    count = Counter(type(change) for change in changes if getattr(change, "marker", None) is None)
    assert (count[Practice], count[Client], count[Patient], count[Resource]) == (1, 400, 700, 17)
    assert count[Appointment] > 1000


async def test_each_page_says_when_it_was_true(adapter: DemoAdapter) -> None:
    first = await adapter.changes("everything", None)
    second = await adapter.changes("everything", first.cursor)
    assert first.as_of.tzinfo is not None
    assert first.as_of <= second.as_of < first.as_of + timedelta(minutes=1)


async def test_a_cursor_resumes_with_what_changed_since(
    clinic: DemoClinic, adapter: DemoAdapter, draft: AppointmentDraft
) -> None:
    _, cursor = await everything(adapter)
    pims_id = await adapter.create_appointment(draft, "resumes")
    moved_to = draft.start + timedelta(hours=1)
    clinic.post(f"/staff/appointments/{pims_id}/move", start=moved_to.isoformat(), columns=["prov-rossi"])
    clinic.post("/staff/patients/pat-0001/state", state="deceased")
    clinic.post("/staff/blocks", column="room-2", starts="2027-01-05T12:00:00", minutes=45, reason="Leak")
    appointment, patient, block = await latest(adapter, cursor)
    assert isinstance(appointment, Appointment)
    assert (appointment.start, appointment.end) == (moved_to, moved_to + timedelta(minutes=30))
    assert appointment.resources == ("prov-rossi",)
    assert isinstance(patient, Patient)
    assert patient.status == "deceased"
    assert isinstance(block, BlockOff)
    assert (block.resource, block.reason, block.time.duration) == ("room-2", "Leak", timedelta(minutes=45))


async def test_what_staff_delete_comes_as_gone(
    clinic: DemoClinic, adapter: DemoAdapter, draft: AppointmentDraft
) -> None:
    pims_id = await adapter.create_appointment(draft, "to be deleted")
    _, cursor = await everything(adapter)
    clinic.post(f"/staff/appointments/{pims_id}/delete")
    assert await latest(adapter, cursor) == [Gone(of="appointment", pims_id=pims_id)]
    assert await adapter.read("appointment", pims_id) is None
    assert await adapter.find("appointment", "to be deleted") is None


async def test_a_cancelled_appointment_stays_and_says_so(
    clinic: DemoClinic, adapter: DemoAdapter, draft: AppointmentDraft
) -> None:
    pims_id = await adapter.create_appointment(draft, "to be cancelled")
    clinic.post(f"/staff/appointments/{pims_id}/state", state="cancelled")
    read = await adapter.read("appointment", pims_id)
    assert isinstance(read, Appointment)
    assert read.status == "cancelled"


@pytest.mark.parametrize("cursor", ["", "0", "nonsense", "00000000.5", "-1", "9" * 5000, "\N{SNOWMAN}", "a&b=c"])
async def test_a_cursor_the_pims_does_not_know_is_expired(adapter: DemoAdapter, cursor: str) -> None:
    with pytest.raises(CursorExpired):
        await adapter.changes("everything", cursor)


async def test_a_forgotten_cursor_is_expired_and_the_beginning_works(clinic: DemoClinic, adapter: DemoAdapter) -> None:
    _, cursor = await everything(adapter)
    clinic.post("/staff/changes/forget")
    with pytest.raises(CursorExpired):
        await adapter.changes("everything", cursor)
    again, after = await everything(adapter)
    assert len(again) > 2000
    assert await latest(adapter, after) == []


async def test_a_killed_pims_comes_back_with_its_records_and_cursors(tmp_path: Path, draft: AppointmentDraft) -> None:
    state = tmp_path / "clinic.sqlite3"
    with running_clinic(state) as clinic:
        adapter = opened(clinic.settings)
        _, cursor = await everything(adapter)
        pims_id = await adapter.create_appointment(draft, "survives")
        await adapter.close()
        clinic.kill()
    with running_clinic(state, seed_date=date(2030, 1, 1)) as clinic:
        adapter = opened(clinic.settings)
        assert await adapter.find("appointment", "survives") == pims_id
        assert [change.pims_id for change in await latest(adapter, cursor)] == [pims_id]
        await adapter.close()


async def test_records_read_in_our_words(adapter: DemoAdapter) -> None:
    changes, _ = await everything(adapter)
    known = {(type(change), change.pims_id): change for change in changes}
    biscuit = known[Patient, "pat-biscuit"]
    assert isinstance(biscuit, Patient)
    assert (biscuit.client, biscuit.species, biscuit.sex) == (OLIVIA_CARTER.client, "dog", "male_neutered")
    lee = known[Resource, "prov-lee"]
    assert isinstance(lee, Resource)
    assert lee.resource_kind == "provider"
    assert lee.hours is not None
    assert [time.rrule for time in lee.hours] == [
        "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA",
    ]
    assert [(hours.opens, hours.closes) for hours in lee.overrides[0].hours] == [("08:00", "12:00")]
    lunch = known[BlockOff, "block-lunch-prov-lee"]
    assert isinstance(lunch, BlockOff)
    assert isinstance(lunch.time, RecurringTime)
    assert lunch.time.starts.tzinfo is None
    assert known[Closure, "holiday-2026-11-26"] == Closure(
        pims_id="holiday-2026-11-26", name="Thanksgiving", first=date(2026, 11, 26), last=date(2026, 11, 26)
    )
