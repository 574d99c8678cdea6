"""What adapters promise when things go wrong: one of the four errors, and the truth about what may be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import get_args

import pytest

from pims_adapters.contract import (
    CancelsAppointments,
    ChangesAppointments,
    ConfirmsAppointments,
    ConversationDraft,
    CreatesAppointments,
    CreatesClients,
    ExportsConversations,
    NotesArrivals,
    PimsAdapter,
    PimsError,
    PimsRejected,
    PimsUnavailable,
)
from tests.pims_adapters.peers import DONE, Fault, SystemPeer, Way
from tests.pims_adapters.promises.changing import later, status_of
from tests.pims_adapters.promises.creating import created, shown
from tests.pims_adapters.promises.errors import check_words
from tests.pims_adapters.promises.made import Creates, Everything, Promise, add, promise
from tests.pims_adapters.promises.people import created_client

PATIENCE = 3.0
"""Seconds within which an impatient adapter has given up."""

Write = Callable[[Everything], Awaitable[object]]
Prepared = tuple[Write, Callable[[], Awaitable[bool]]]
"""A write, and how to see whether it happened."""


async def a_creation(peer: SystemPeer, _adapter: Everything, key: str) -> Prepared:
    draft = peer.draft()
    return lambda one: one.create_appointment(draft, key), partial(_counted, peer, "appointment", key)


async def a_new_client(peer: SystemPeer, _adapter: Everything, key: str) -> Prepared:
    draft = peer.client_draft()
    return lambda one: one.create_client(draft, key), partial(_counted, peer, "client", key)


async def a_new_patient(peer: SystemPeer, adapter: Everything, key: str) -> Prepared:
    draft = peer.patient_draft(await created_client(peer, adapter, peer.key()))
    return lambda one: one.create_patient(draft, key), partial(_counted, peer, "patient", key)


async def _counted(peer: SystemPeer, kind: str, key: str) -> bool:
    count = await peer.count(kind, key)  # type: ignore[arg-type]  # one of three kinds
    assert count <= 1, "It was written twice."
    return count == 1


async def a_move(peer: SystemPeer, adapter: Everything, key: str) -> Prepared:
    draft = peer.draft()
    pims_id = await created(peer, adapter, draft, key)

    async def happened() -> bool:
        return (await shown(adapter, pims_id)).start == later(draft).start

    return lambda one: one.change_appointment(pims_id, later(draft), "m1"), happened


async def a_cancellation(peer: SystemPeer, adapter: Everything, key: str) -> Prepared:
    pims_id = await created(peer, adapter, peer.draft(), key)

    async def happened() -> bool:
        return await status_of(adapter, pims_id) == "cancelled"

    return lambda one: one.cancel_appointment(pims_id, "x1"), happened


async def a_confirmation(peer: SystemPeer, adapter: Everything, key: str) -> Prepared:
    pims_id = await created(peer, adapter, peer.draft(), key)

    async def happened() -> bool:
        return await status_of(adapter, pims_id) == "confirmed"

    return lambda one: one.confirm_appointment(pims_id, "c1"), happened


async def an_arrival(peer: SystemPeer, adapter: Everything, key: str) -> Prepared:
    pims_id = await created(peer, adapter, peer.draft(), key)

    async def happened() -> bool:
        return await status_of(adapter, pims_id) == "arrived"

    return lambda one: one.note_arrival(pims_id, "arrived", "a1"), happened


async def a_conversation(peer: SystemPeer, adapter: Everything, key: str) -> Prepared:
    said = ConversationDraft(
        client=await created_client(peer, adapter, peer.key()),
        patient=None,
        title="Conversation",
        text="09:01 Zebulon Quillfeather: Is the limp bad?",
        ended=datetime(2027, 5, 4, 9, 2, tzinfo=UTC),
    )

    async def happened() -> bool:
        return await adapter.find_conversation(key) is not None

    return lambda one: one.export_conversation(said, key), happened


WRITES: tuple[tuple[Callable[[SystemPeer, Everything, str], Awaitable[Prepared]], frozenset[type]], ...] = (
    (a_creation, frozenset({CreatesAppointments})),
    (a_new_client, frozenset({CreatesAppointments, CreatesClients})),
    (a_new_patient, frozenset({CreatesAppointments, CreatesClients})),
    (a_move, frozenset({CreatesAppointments, ChangesAppointments})),
    (a_cancellation, frozenset({CreatesAppointments, CancelsAppointments})),
    (a_confirmation, frozenset({CreatesAppointments, ConfirmsAppointments})),
    (an_arrival, frozenset({CreatesAppointments, NotesArrivals})),
    (a_conversation, frozenset({CreatesAppointments, CreatesClients, ExportsConversations})),
)


async def the_truth_about_a_write(
    fault: Fault,
    prepare: Callable[[SystemPeer, Everything, str], Awaitable[Prepared]],
    peer: SystemPeer,
    adapter: Everything,
) -> None:
    """Let a write meet a fault, and compare what was done with what the adapter says of it."""
    write, happened = await prepare(peer, adapter, peer.key())
    await peer.order(fault, "write")
    began = monotonic()
    async with peer.connected(way_to_meet(fault)) as subject:
        with pytest.raises(PimsError) as failed:
            await write(subject)
    took = monotonic() - began
    await peer.calm()
    if fault == "slow":
        await peer.recover()
    await peer.settle()
    done = await happened()
    if fault in DONE and peer.writes_in_parts and not done:
        await write(adapter)
        done = await happened()
    assert done == (fault in DONE), "The double did not do what was ordered, or the adapter sent it twice."
    check_words(failed.value)
    if fault == "refused":
        assert isinstance(failed.value, PimsRejected)
        return
    assert isinstance(failed.value, PimsUnavailable)
    assert failed.value.outcome_unknown or not done, "It happened, and the adapter denies it."
    assert failed.value.outcome_unknown == (fault in peer.unknown_after)
    assert fault != "slow" or took < PATIENCE


def way_to_meet(fault: Fault) -> Way:
    return "impatient" if fault == "slow" else "well"


for _prepare, _abilities in WRITES:
    for _fault in get_args(Fault):
        add(
            Promise(
                f"{_prepare.__name__}_that_meets_{_fault}_leaves_no_doubt_about_what_is_known",
                partial(the_truth_about_a_write, _fault, _prepare),
                _abilities,
                fault=_fault,
                way=way_to_meet(_fault),
            )
        )


async def a_read_leaves_nothing_unknown(fault: Fault, peer: SystemPeer, adapter: PimsAdapter) -> None:
    """Let reads meet a fault."""
    async with peer.connected(way_to_meet(fault)) as subject:
        calls = [partial(subject.changes, subject.feeds[0].name, None)]
        if isinstance(subject, CreatesAppointments):
            pims_id = await created(peer, subject, peer.draft(), peer.key())
            calls += [partial(subject.find, "appointment", "VS-NONE"), partial(subject.read, "appointment", pims_id)]
        for call in calls:
            await peer.order(fault, "read")
            began = monotonic()
            with pytest.raises(PimsUnavailable) as failed:
                await call()
            assert not failed.value.outcome_unknown
            assert fault != "slow" or monotonic() - began < PATIENCE
            check_words(failed.value)
            await peer.calm()
            if fault == "slow":
                await peer.recover()
    await adapter.check()


for _fault in get_args(Fault):
    if _fault == "refused":
        continue  # a PIMS that refuses to be read is misconfigured
    add(
        Promise(
            f"a_read_that_meets_{_fault}_leaves_nothing_unknown",
            partial(a_read_leaves_nothing_unknown, _fault),
            feeds=True,
            fault=_fault,
            way=way_to_meet(_fault),
        )
    )


@promise(CreatesAppointments, where=lambda peer: peer.refuses_taken)
async def of_many_that_want_one_time_one_gets_it(peer: SystemPeer, adapter: Creates) -> None:
    draft = peer.draft()
    keys = [peer.key() for _ in range(8)]
    outcomes = await asyncio.gather(*(adapter.create_appointment(draft, key) for key in keys), return_exceptions=True)
    assert all(isinstance(outcome, str | None | PimsError) for outcome in outcomes), outcomes
    await peer.settle()
    standing = [key for key in keys if await adapter.find("appointment", key) is not None]
    assert len(standing) == 1


@promise(feeds=True)
async def several_questions_at_once_are_answered(_peer: SystemPeer, adapter: PimsAdapter) -> None:
    feed = adapter.feeds[0].name
    answers = await asyncio.gather(*(adapter.changes(feed, None) for _ in range(5)))
    assert len({len(answer.changes) for answer in answers}) == 1
    assert max(answer.as_of for answer in answers) - min(answer.as_of for answer in answers) < timedelta(minutes=1)
