"""Changing what stands in the demo PIMS: moved, confirmed, cancelled; sent twice it does no more than once."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

import pytest
from msgspec.structs import replace

from pims_adapters.contract import (
    Appointment,
    AppointmentDraft,
    CancelsAppointments,
    ChangesAppointments,
    ConfirmsAppointments,
    PimsAdapter,
    PimsRejected,
    PimsUnavailable,
)
from tests.demo_clinic import DemoClinic


class Able(PimsAdapter, ChangesAppointments, CancelsAppointments, ConfirmsAppointments, Protocol):
    """An adapter that has every ability."""


@pytest.fixture
def able(adapter: PimsAdapter) -> Able:
    assert isinstance(adapter, ChangesAppointments)
    assert isinstance(adapter, CancelsAppointments)
    assert isinstance(adapter, ConfirmsAppointments)
    return adapter


async def shown(adapter: PimsAdapter, pims_id: str) -> Appointment:
    found = await adapter.read("appointment", pims_id)
    assert isinstance(found, Appointment)
    return found


def later(draft: AppointmentDraft, minutes: int = 15) -> AppointmentDraft:
    by = timedelta(minutes=minutes)
    return replace(draft, start=draft.start + by, end=draft.end + by)


async def test_an_appointment_moves_into_time_that_overlaps_its_own(able: Able, draft: AppointmentDraft) -> None:
    pims_id = await able.create_appointment(draft, "moves")
    moved = replace(later(draft), resources=("prov-okafor", "room-2"))
    for _ in range(2):
        await able.change_appointment(pims_id, moved, "moves-1")
    found = await shown(able, pims_id)
    assert (found.start, found.end, found.resources) == (moved.start, moved.end, moved.resources)
    assert found.marker == "moves"


async def test_an_appointment_does_not_move_to_where_another_one_stands(able: Able, draft: AppointmentDraft) -> None:
    await able.create_appointment(draft, "stands")
    pims_id = await able.create_appointment(later(draft, 30), "wants")
    with pytest.raises(PimsRejected) as refused:
        await able.change_appointment(pims_id, later(draft), "wants-1")
    assert refused.value.taken
    assert (await shown(able, pims_id)).start == later(draft, 30).start


async def test_confirmed_then_cancelled_and_each_of_them_twice(able: Able, draft: AppointmentDraft) -> None:
    pims_id = await able.create_appointment(draft, "comes and goes")
    for _ in range(2):
        await able.confirm_appointment(pims_id, "c")
    assert (await shown(able, pims_id)).status == "confirmed"
    for _ in range(2):
        await able.cancel_appointment(pims_id, "x")
    assert (await shown(able, pims_id)).status == "cancelled"
    for call in (able.confirm_appointment(pims_id, "c"), able.change_appointment(pims_id, later(draft), "m")):
        with pytest.raises(PimsRejected, match="is cancelled") as refused:
            await call
        assert not refused.value.taken


async def test_what_is_no_longer_there_cannot_be_changed(able: Able, draft: AppointmentDraft) -> None:
    for call in (
        able.change_appointment("appt-none", draft, "k"),
        able.cancel_appointment("appt-none", "k"),
        able.confirm_appointment("appt-none", "k"),
    ):
        with pytest.raises(PimsRejected, match="no longer has"):
            await call


@pytest.mark.parametrize("fault", ["answer_lost", "error_after"])
async def test_a_change_whose_answer_is_lost_leaves_its_outcome_unknown(
    clinic: DemoClinic, able: Able, draft: AppointmentDraft, fault: str
) -> None:
    pims_id = await able.create_appointment(draft, f"changed {fault}")
    clinic.order_fault("change_appointment", fault)
    with pytest.raises(PimsUnavailable) as failed:
        await able.change_appointment(pims_id, later(draft), "k")
    assert failed.value.outcome_unknown
    assert (await shown(able, pims_id)).start == later(draft).start


async def test_a_pims_that_only_pretends_is_caught_by_reading_back(
    clinic: DemoClinic, able: Able, draft: AppointmentDraft
) -> None:
    pims_id = await able.create_appointment(draft, "pretended")
    clinic.order_fault("cancel_appointment", "pretend")
    await able.cancel_appointment(pims_id, "x")
    assert (await shown(able, pims_id)).status == "booked"
