"""Changing what stands in the demo PIMS: moved, confirmed, cancelled; sent twice it does no more than once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from pims_adapters.contract import (
    Appointment,
    AppointmentDraft,
    PimsRejected,
    PimsUnavailable,
)
from pims_adapters.demo.adapter import DemoAdapter
from tests.demo_clinic import DemoClinic


async def shown(adapter: DemoAdapter, pims_id: str) -> Appointment:
    found = await adapter.read("appointment", pims_id)
    assert isinstance(found, Appointment)
    return found


def later(draft: AppointmentDraft, minutes: int = 15) -> AppointmentDraft:
    by = timedelta(minutes=minutes)
    return replace(draft, start=draft.start + by, end=draft.end + by)


async def test_an_appointment_moves_into_time_that_overlaps_its_own(
    adapter: DemoAdapter, draft: AppointmentDraft
) -> None:
    pims_id = await adapter.create_appointment(draft, "moves")
    moved = replace(later(draft), resources=("prov-okafor", "room-2"))
    for _ in range(2):
        await adapter.change_appointment(pims_id, moved, "moves-1")
    found = await shown(adapter, pims_id)
    assert (found.start, found.end, found.resources) == (moved.start, moved.end, moved.resources)
    assert found.marker == "moves"


async def test_an_appointment_does_not_move_to_where_another_one_stands(
    adapter: DemoAdapter, draft: AppointmentDraft
) -> None:
    await adapter.create_appointment(draft, "stands")
    pims_id = await adapter.create_appointment(later(draft, 30), "wants")
    with pytest.raises(PimsRejected) as refused:
        await adapter.change_appointment(pims_id, later(draft), "wants-1")
    assert refused.value.taken
    assert (await shown(adapter, pims_id)).start == later(draft, 30).start


async def test_confirmed_then_cancelled_and_each_of_them_twice(adapter: DemoAdapter, draft: AppointmentDraft) -> None:
    pims_id = await adapter.create_appointment(draft, "comes and goes")
    for _ in range(2):
        await adapter.confirm_appointment(pims_id, "c")
    assert (await shown(adapter, pims_id)).status == "confirmed"
    for _ in range(2):
        await adapter.cancel_appointment(pims_id, "x")
    assert (await shown(adapter, pims_id)).status == "cancelled"
    for call in (adapter.confirm_appointment(pims_id, "c"), adapter.change_appointment(pims_id, later(draft), "m")):
        with pytest.raises(PimsRejected, match="is cancelled") as refused:
            await call
        assert not refused.value.taken


async def test_what_is_no_longer_there_cannot_be_changed(adapter: DemoAdapter, draft: AppointmentDraft) -> None:
    for call in (
        adapter.change_appointment("appt-none", draft, "k"),
        adapter.cancel_appointment("appt-none", "k"),
        adapter.confirm_appointment("appt-none", "k"),
    ):
        with pytest.raises(PimsRejected, match="no longer has"):
            await call


@pytest.mark.parametrize("fault", ["answer_lost", "error_after"])
async def test_a_change_whose_answer_is_lost_leaves_its_outcome_unknown(
    clinic: DemoClinic, adapter: DemoAdapter, draft: AppointmentDraft, fault: str
) -> None:
    pims_id = await adapter.create_appointment(draft, f"changed {fault}")
    clinic.order_fault("change_appointment", fault)
    with pytest.raises(PimsUnavailable) as failed:
        await adapter.change_appointment(pims_id, later(draft), "k")
    assert failed.value.outcome_unknown
    assert (await shown(adapter, pims_id)).start == later(draft).start


async def test_a_pims_that_only_pretends_is_caught_by_reading_back(
    clinic: DemoClinic, adapter: DemoAdapter, draft: AppointmentDraft
) -> None:
    pims_id = await adapter.create_appointment(draft, "pretended")
    clinic.order_fault("cancel_appointment", "pretend")
    await adapter.cancel_appointment(pims_id, "x")
    assert (await shown(adapter, pims_id)).status == "booked"
