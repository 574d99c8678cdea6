"""Writing into the demo PIMS: what stands there afterwards, what it refuses, and what is known when it misbehaves."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from time import monotonic

import pytest
from msgspec.structs import replace

from pims_adapters.contract import (
    Appointment,
    AppointmentDraft,
    Client,
    ClientDraft,
    Patient,
    PatientDraft,
    PimsRejected,
    PimsUnavailable,
)
from pims_adapters.demo.adapter import DemoAdapter
from pims_adapters.demo.clinic.personas import OLIVIA_CARTER
from tests.demo_clinic import DemoClinic, opened

JANE = ClientDraft(given_name="Jane", family_name="Doe", phone="+12125550177", email="jane@example.com")


async def test_a_client_a_patient_and_an_appointment_are_created_found_and_read_back(
    adapter: DemoAdapter, draft: AppointmentDraft
) -> None:
    client = await adapter.create_client(JANE, "jane")
    patient = await adapter.create_patient(
        PatientDraft(client=client, name="Bun", species="rabbit", sex="female", birth_date=date(2025, 5, 1)), "bun"
    )
    mine = replace(draft, client=client, patient=patient)
    appointment = await adapter.create_appointment(mine, "jane-bun")
    assert await adapter.find("client", "jane") == client
    assert await adapter.find("patient", "bun") == patient
    assert await adapter.find("appointment", "jane-bun") == appointment
    assert await adapter.read("client", client) == Client(
        pims_id=client,
        given_name="Jane",
        family_name="Doe",
        phones=("+12125550177",),
        emails=("jane@example.com",),
        marker="jane",
    )
    assert await adapter.read("patient", patient) == Patient(
        pims_id=patient,
        client=client,
        name="Bun",
        species="rabbit",
        sex="female",
        birth_date=date(2025, 5, 1),
        marker="bun",
    )
    assert await adapter.read("appointment", appointment) == Appointment(
        pims_id=appointment,
        start=mine.start,
        end=mine.end,
        resources=mine.resources,
        appointment_type=mine.appointment_type,
        client=client,
        patient=patient,
        description=mine.description,
        marker="jane-bun",
    )


async def test_what_is_not_there_is_not_found(adapter: DemoAdapter) -> None:
    assert await adapter.find("client", "nobody's key") is None
    assert await adapter.read("appointment", "appt-none") is None
    assert await adapter.read("patient", "../clients/client-carter") is None


async def test_the_pims_knows_no_idempotency(clinic: DemoClinic, adapter: DemoAdapter) -> None:
    first = await adapter.create_client(JANE, "sent twice")
    second = await adapter.create_client(JANE, "sent twice")
    assert [record["id"] for record in clinic.with_key("clients", "sent twice")] == [first, second]
    assert await adapter.find("client", "sent twice") == first


async def test_a_taken_column_is_refused_as_taken(adapter: DemoAdapter, draft: AppointmentDraft) -> None:
    await adapter.create_appointment(draft, "was first")
    late = replace(draft, start=draft.start + timedelta(minutes=15), resources=("prov-okafor", "room-1"))
    with pytest.raises(PimsRejected, match="Exam room 1 is taken") as refused:
        await adapter.create_appointment(late, "was second")
    assert refused.value.taken
    assert await adapter.find("appointment", "was second") is None
    touching = replace(draft, start=draft.end, end=draft.end + timedelta(minutes=30))
    await adapter.create_appointment(touching, "comes after")


async def test_of_many_that_want_one_time_exactly_one_gets_it(
    clinic: DemoClinic, adapter: DemoAdapter, draft: AppointmentDraft
) -> None:
    wishes = (adapter.create_appointment(draft, "one of many") for _ in range(20))
    outcomes = await asyncio.gather(*wishes, return_exceptions=True)
    assert sum(isinstance(outcome, PimsRejected) and outcome.taken for outcome in outcomes) == 19
    assert len(clinic.with_key("appointments", "one of many")) == 1


async def test_a_cancelled_appointment_gives_its_time_back(
    clinic: DemoClinic, adapter: DemoAdapter, draft: AppointmentDraft
) -> None:
    first = await adapter.create_appointment(draft, "gave up")
    clinic.post(f"/staff/appointments/{first}/state", state="cancelled")
    await adapter.create_appointment(draft, "took over")


async def test_staff_may_double_book(clinic: DemoClinic, adapter: DemoAdapter, draft: AppointmentDraft) -> None:
    await adapter.create_appointment(draft, "below")
    clinic.post(
        "/staff/appointments",
        start=draft.start.isoformat(),
        end=draft.end.isoformat(),
        columns=list(draft.resources),
        note="Squeeze in",
    )
    items = clinic.get("/v1/appointments", **{"from": draft.start.isoformat(), "to": draft.end.isoformat()})["items"]
    assert [item.get("from_outside", False) for item in items] == [True, False]


@pytest.mark.parametrize(
    ("local", "reason"),
    [("2026-11-25T12:15:00-05:00", "Lunch"), ("2026-11-26T10:00:00-05:00", "Thanksgiving")],
)
async def test_time_that_staff_keep_free_is_refused_as_taken(
    adapter: DemoAdapter, draft: AppointmentDraft, local: str, reason: str
) -> None:
    start = draft.start.fromisoformat(local)
    wish = replace(draft, start=start, end=start + timedelta(minutes=30), resources=("prov-lee",))
    with pytest.raises(PimsRejected, match=reason) as refused:
        await adapter.create_appointment(wish, "kept free")
    assert refused.value.taken


@pytest.mark.parametrize(
    "wrong",
    [
        {"client": "client-none"},
        {"patient": "pat-none"},
        {"patient": "pat-coco"},
        {"patient": "pat-rusty"},
        {"appointment_type": "type-none"},
        {"resources": ("prov-none",)},
        {"resources": ()},
        {"description": "x" * 5000},
    ],
)
async def test_what_does_not_fit_together_is_refused_for_good(
    adapter: DemoAdapter, draft: AppointmentDraft, wrong: dict[str, str]
) -> None:
    with pytest.raises(PimsRejected) as refused:
        await adapter.create_appointment(replace(draft, **wrong), "does not fit")
    assert not refused.value.taken
    with pytest.raises(PimsRejected):
        await adapter.create_patient(PatientDraft(client="client-none", name="X", species="dog"), "does not fit")


@pytest.mark.parametrize(
    ("fault", "outcome_unknown", "written"),
    [
        ("reset_before", True, False),
        ("unavailable", True, False),
        ("rate_limited", False, False),
        ("answer_lost", True, True),
        ("broken_answer", True, True),
        ("error_after", True, True),
        ("slow_answer", True, True),
    ],
)
async def test_a_write_that_goes_wrong_tells_whether_it_may_have_happened(
    clinic: DemoClinic, draft: AppointmentDraft, fault: str, *, outcome_unknown: bool, written: bool
) -> None:
    adapter = opened(clinic.settings | {"timeout_seconds": "0.5"})
    clinic.order_fault("create_appointment", fault, seconds=2)
    with pytest.raises(PimsUnavailable) as failed:
        await adapter.create_appointment(draft, f"met {fault}")
    assert failed.value.outcome_unknown is outcome_unknown
    assert (await adapter.find("appointment", f"met {fault}") is not None) is written
    assert len(clinic.with_key("appointments", f"met {fault}")) == int(written)
    await adapter.close()


async def test_a_refusal_on_request_is_a_refusal(
    clinic: DemoClinic, adapter: DemoAdapter, draft: AppointmentDraft
) -> None:
    clinic.order_fault("create_appointment", "refuse", times=2)
    for _ in range(2):
        with pytest.raises(PimsRejected):
            await adapter.create_appointment(draft, "refused on request")
    assert clinic.get("/faults") == []
    await adapter.create_appointment(draft, "refused on request")


@pytest.mark.parametrize("fault", ["reset_before", "unavailable", "rate_limited", "broken_answer", "answer_lost"])
async def test_a_read_that_goes_wrong_leaves_nothing_unknown(
    clinic: DemoClinic, adapter: DemoAdapter, fault: str
) -> None:
    clinic.order_fault("any", fault, times=3)
    for call in (
        adapter.changes("everything", None),
        adapter.find("client", "jane"),
        adapter.read("client", OLIVIA_CARTER.client),
    ):
        with pytest.raises(PimsUnavailable) as failed:
            await call
        assert not failed.value.outcome_unknown


async def test_an_appointment_centuries_away_is_answered_at_once(adapter: DemoAdapter, draft: AppointmentDraft) -> None:
    began = monotonic()
    start = draft.start.replace(year=9000)
    await adapter.create_appointment(replace(draft, start=start, end=start + timedelta(minutes=30)), "far away")
    assert monotonic() - began < 2


async def test_the_whole_call_is_bounded(clinic: DemoClinic) -> None:
    adapter = opened(clinic.settings | {"timeout_seconds": "0.3"})
    clinic.order_fault("changes", "slow_answer", seconds=3)
    began = monotonic()
    with pytest.raises(PimsUnavailable):
        await adapter.changes("everything", None)
    assert monotonic() - began < 1.5
    await adapter.close()
