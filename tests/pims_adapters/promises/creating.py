"""What adapters promise about appointments they create."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from pims_adapters.contract import (
    Appointment,
    AppointmentDraft,
    CreatesAppointments,
    PimsRejected,
    PimsUnavailable,
)
from tests.pims_adapters.peers import SystemPeer
from tests.pims_adapters.promises.errors import check_words
from tests.pims_adapters.promises.made import Creates, promise
from tests.pims_adapters.promises.reading import ends, news_of


async def created(peer: SystemPeer, adapter: CreatesAppointments, draft: AppointmentDraft, key: str) -> str:
    """Create an appointment, and return its pims_id when it shows."""
    returned = await adapter.create_appointment(draft, key)
    await peer.settle()
    found = await adapter.find("appointment", key)
    assert found is not None, "What was created is not found by its key."
    assert returned in (None, found)
    return found


async def shown(adapter: CreatesAppointments, pims_id: str) -> Appointment:
    """Return an appointment as it stands in the PIMS."""
    found = await adapter.read("appointment", pims_id)
    assert isinstance(found, Appointment), "The appointment cannot be read."
    return found


def check_stands_as(draft: AppointmentDraft, appointment: Appointment, key: str) -> None:
    """Fail where an appointment differs from its draft."""
    assert (appointment.start, appointment.end) == (draft.start, draft.end)
    assert set(appointment.resources) == set(draft.resources)
    assert (appointment.client, appointment.patient) == (draft.client, draft.patient)
    assert appointment.appointment_type == draft.appointment_type
    assert draft.description in appointment.description
    assert appointment.status == "booked"
    assert appointment.marker == key


@promise(CreatesAppointments)
async def what_is_created_carries_the_key_is_found_and_reads_back_equal(peer: SystemPeer, adapter: Creates) -> None:
    key = peer.key()
    draft = peer.draft()
    pims_id = await created(peer, adapter, draft, key)
    found = await shown(adapter, pims_id)
    assert found.pims_id == pims_id
    check_stands_as(draft, found, key)
    assert await peer.count("appointment", key) == 1


@promise(CreatesAppointments)
async def what_is_created_takes_its_new_client_and_its_wide_words(peer: SystemPeer, adapter: Creates) -> None:
    key = peer.key()
    draft = replace(peer.draft(), new_client=True, description="Zażółć, gęślą; jaźń\\n \"<&>'")
    pims_id = await created(peer, adapter, draft, key)
    found = await shown(adapter, pims_id)
    assert (found.start, found.marker) == (draft.start, key)


@promise(CreatesAppointments, feeds=True)
async def what_is_created_comes_back_in_the_feed_with_its_key(peer: SystemPeer, adapter: Creates) -> None:
    key = peer.key()
    draft = peer.draft()
    cursors = await ends(peer, adapter)
    pims_id = await created(peer, adapter, draft, key)
    echo = (await news_of(adapter, cursors, pims_id))[-1]
    assert isinstance(echo, Appointment)
    check_stands_as(draft, echo, key)


@promise(CreatesAppointments)
async def each_key_finds_its_own_appointment(peer: SystemPeer, adapter: Creates) -> None:
    key = peer.key()
    other_key = peer.key()
    first, second = peer.draft(), peer.draft()
    one = await created(peer, adapter, first, key)
    other = await created(peer, adapter, second, other_key)
    assert one != other
    assert await adapter.find("appointment", key) == one
    assert (await shown(adapter, one)).start == first.start
    assert (await shown(adapter, other)).start == second.start


@promise(CreatesAppointments)
async def what_is_not_there_is_absent(peer: SystemPeer, adapter: Creates) -> None:
    for key in ("nobody's key", "VS-", "*", "%", "'", "\N{SNOWMAN}"):
        assert await adapter.find("appointment", key) is None
    for pims_id in ("none", "../clients/1", "a/b", "?x=1", "%2e%2e", "\N{SNOWMAN}", "9" * 300):
        assert await adapter.read("appointment", pims_id) is None
    assert await peer.count("appointment", "nobody's key") == 0


@promise(CreatesAppointments)
async def what_staff_deleted_is_absent(peer: SystemPeer, adapter: Creates) -> None:
    key = peer.key()
    pims_id = await created(peer, adapter, peer.draft(), key)
    await peer.staff_delete(pims_id)
    await peer.settle()
    assert await adapter.read("appointment", pims_id) is None
    assert await adapter.find("appointment", key) is None


@promise(CreatesAppointments)
async def what_staff_moved_is_read_where_it_stands_now(peer: SystemPeer, adapter: Creates) -> None:
    key = peer.key()
    draft = peer.draft()
    pims_id = await created(peer, adapter, draft, key)
    by = timedelta(minutes=45)
    await peer.staff_move(pims_id, draft.start + by, draft.end + by)
    await peer.settle()
    found = await shown(adapter, pims_id)
    assert (found.start, found.end, found.marker) == (draft.start + by, draft.end + by, key)
    assert await adapter.find("appointment", key) == pims_id


@promise(CreatesAppointments, where=lambda peer: peer.refuses_taken)
async def a_time_that_staff_took_is_refused_as_taken(peer: SystemPeer, adapter: Creates) -> None:
    key = peer.key()
    draft = peer.draft()
    await peer.staff_book(draft.start, draft.end, draft.resources, "Zebulon Quillfeather, 212-5550191")
    await peer.settle()
    late = replace(draft, start=draft.start + timedelta(minutes=15), end=draft.end + timedelta(minutes=15))
    with pytest.raises(PimsRejected) as refused:
        await adapter.create_appointment(late, key)
    assert refused.value.taken
    check_words(refused.value)
    await peer.settle()
    assert await adapter.find("appointment", key) is None
    assert await peer.count("appointment", key) == 0


@promise(CreatesAppointments)
async def a_time_that_touches_another_is_free(peer: SystemPeer, adapter: Creates) -> None:
    key = peer.key()
    draft = peer.draft()
    await peer.staff_book(draft.start - timedelta(minutes=30), draft.start, draft.resources, "Before")
    await peer.staff_book(draft.end, draft.end + timedelta(minutes=30), draft.resources, "After")
    await peer.settle()
    await created(peer, adapter, draft, key)


@promise(CreatesAppointments, where=lambda peer: peer.refuses_taken)
async def what_staff_cancelled_gives_its_time_back(peer: SystemPeer, adapter: Creates) -> None:
    key = peer.key()
    draft = peer.draft()
    theirs = await peer.staff_book(draft.start, draft.end, draft.resources, "Will be cancelled")
    await peer.staff_cancel(theirs)
    await peer.settle()
    await created(peer, adapter, draft, key)


@promise(CreatesAppointments)
async def a_resource_that_is_not_there_is_rejected(peer: SystemPeer, adapter: Creates) -> None:
    key = peer.key()
    draft = replace(peer.draft(), resources=("no-such-resource",))
    with pytest.raises(PimsRejected) as refused:
        await adapter.create_appointment(draft, key)
    assert not refused.value.taken
    await peer.settle()
    assert await peer.count("appointment", key) == 0


@promise(CreatesAppointments)
async def after_an_outage_looking_finds_what_was_written_and_nothing_is_doubled(
    peer: SystemPeer, adapter: Creates
) -> None:
    """The walk of write-back: sent, nobody answers, looked for, and sent again only where it is not there."""
    key = peer.key()
    draft = peer.draft()
    if "answer_lost" in peer.faults:
        await peer.order("answer_lost", "write")
        with pytest.raises(PimsUnavailable):
            await adapter.create_appointment(draft, key)
        await peer.calm()
    await peer.settle()
    if await adapter.find("appointment", key) is None:
        await adapter.create_appointment(draft, key)
        await peer.settle()
    assert await peer.count("appointment", key) == 1
