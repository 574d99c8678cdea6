"""What adapters promise about changes: how the appointment is to stand, so that twice does no more than once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from pims_adapters.contract import (
    Appointment,
    AppointmentDraft,
    CancelsAppointments,
    ChangesAppointments,
    ConfirmsAppointments,
    CreatesAppointments,
    NotesArrivals,
    PimsRejected,
)
from tests.pims_adapters.peers import SystemPeer
from tests.pims_adapters.promises.creating import check_stands_as, created, shown
from tests.pims_adapters.promises.errors import check_words
from tests.pims_adapters.promises.made import Everything, promise
from tests.pims_adapters.promises.reading import ends, news_of


def later(draft: AppointmentDraft, minutes: int = 15) -> AppointmentDraft:
    by = timedelta(minutes=minutes)
    return replace(draft, start=draft.start + by, end=draft.end + by)


async def status_of(adapter: CreatesAppointments, pims_id: str) -> str:
    """Return the status; what is no longer there counts as cancelled."""
    found = await adapter.read("appointment", pims_id)
    return found.status if isinstance(found, Appointment) else "cancelled"


@promise(CreatesAppointments, ChangesAppointments)
async def a_move_twice_is_a_move(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    draft = peer.draft()
    pims_id = await created(peer, adapter, draft, key)
    moved = later(draft)  # into time that is partly its own
    for _ in range(2):
        await adapter.change_appointment(pims_id, moved, "again")
        await peer.settle()
    check_stands_as(moved, await shown(adapter, pims_id), key)
    assert await adapter.find("appointment", key) == pims_id
    assert await peer.count("appointment", key) == 1


@promise(CreatesAppointments, ChangesAppointments)
async def a_move_goes_to_other_resources(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    draft, elsewhere = peer.draft(), peer.draft_elsewhere()
    pims_id = await created(peer, adapter, draft, key)
    moved = replace(draft, start=elsewhere.start, end=elsewhere.end, resources=elsewhere.resources)
    assert set(moved.resources) != set(draft.resources)
    await adapter.change_appointment(pims_id, moved, "m1")
    await peer.settle()
    check_stands_as(moved, await shown(adapter, pims_id), key)
    assert await peer.count("appointment", key) == 1


@promise(CreatesAppointments, ChangesAppointments, feeds=True)
async def a_move_comes_back_in_the_feed(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    draft = peer.draft()
    pims_id = await created(peer, adapter, draft, key)
    cursors = await ends(peer, adapter)
    await adapter.change_appointment(pims_id, later(draft), "m1")
    await peer.settle()
    echo = (await news_of(adapter, cursors, pims_id))[-1]
    assert isinstance(echo, Appointment)
    check_stands_as(later(draft), echo, key)


@promise(CreatesAppointments, ChangesAppointments, where=lambda peer: peer.refuses_taken)
async def a_move_to_where_another_stands_is_refused_as_taken(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    draft = peer.draft()
    pims_id = await created(peer, adapter, draft, key)
    wanted = later(draft, 30)
    await peer.staff_book(wanted.start, wanted.end, wanted.resources, "Zebulon Quillfeather")
    await peer.settle()
    with pytest.raises(PimsRejected) as refused:
        await adapter.change_appointment(pims_id, wanted, "m1")
    assert refused.value.taken
    check_words(refused.value)
    await peer.settle()
    assert (await shown(adapter, pims_id)).start == draft.start


@promise(CreatesAppointments, CancelsAppointments)
async def cancelling_twice_is_cancelling(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    pims_id = await created(peer, adapter, peer.draft(), key)
    for _ in range(2):
        await adapter.cancel_appointment(pims_id, "again")
        await peer.settle()
        assert await status_of(adapter, pims_id) == "cancelled"


@promise(CreatesAppointments, CancelsAppointments)
async def what_was_cancelled_gives_its_time_back(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    other_key = peer.key()
    draft = peer.draft()
    pims_id = await created(peer, adapter, draft, key)
    await adapter.cancel_appointment(pims_id, "x1")
    await peer.settle()
    after = await created(peer, adapter, draft, other_key)
    assert after != pims_id
    assert (await shown(adapter, after)).start == draft.start


@promise(CreatesAppointments, CancelsAppointments, ChangesAppointments)
async def what_is_cancelled_does_not_move(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    draft = peer.draft()
    pims_id = await created(peer, adapter, draft, key)
    await adapter.cancel_appointment(pims_id, "x1")
    await peer.settle()
    with pytest.raises(PimsRejected) as refused:
        await adapter.change_appointment(pims_id, later(draft), "m1")
    assert not refused.value.taken
    assert await status_of(adapter, pims_id) == "cancelled"


@promise(CreatesAppointments, ConfirmsAppointments)
async def confirming_twice_is_confirming(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    pims_id = await created(peer, adapter, peer.draft(), key)
    for _ in range(2):
        await adapter.confirm_appointment(pims_id, "again")
        await peer.settle()
    found = await shown(adapter, pims_id)
    assert (found.status, found.marker) == ("confirmed", key)


@promise(CreatesAppointments, NotesArrivals)
async def arrivals_are_noted_and_noted_twice_the_same(peer: SystemPeer, adapter: Everything) -> None:
    for status in ("arrived", "fulfilled", "no_show"):
        pims_id = await created(peer, adapter, peer.draft(), peer.key())
        for _ in range(2):
            await adapter.note_arrival(pims_id, status, "again")
            await peer.settle()
        assert await status_of(adapter, pims_id) == status


CHANGES: dict[type, Callable[[Everything, str, AppointmentDraft], Awaitable[None]]] = {
    ChangesAppointments: lambda adapter, pims_id, draft: adapter.change_appointment(pims_id, draft, "k"),
    CancelsAppointments: lambda adapter, pims_id, _draft: adapter.cancel_appointment(pims_id, "k"),
    ConfirmsAppointments: lambda adapter, pims_id, _draft: adapter.confirm_appointment(pims_id, "k"),
    NotesArrivals: lambda adapter, pims_id, _draft: adapter.note_arrival(pims_id, "arrived", "k"),
}


@promise(CreatesAppointments)
async def what_is_no_longer_there_cannot_be_changed(peer: SystemPeer, adapter: Everything) -> None:
    key = peer.key()
    draft = peer.draft()
    pims_id = await created(peer, adapter, draft, key)
    await peer.staff_delete(pims_id)
    await peer.settle()
    for ability, change in CHANGES.items():
        if isinstance(adapter, ability):
            for absent in (pims_id, "none", "../1"):
                with pytest.raises(PimsRejected) as refused:
                    await change(adapter, absent, draft)
                assert not refused.value.taken
                check_words(refused.value)
    await peer.settle()
    assert await peer.count("appointment", key) == 0
