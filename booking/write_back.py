"""Write-back: bring an appointment, the client and patient it needs, and its changes into the practice's PIMS.

Once, and provably: a record is `written` when it was read back from the PIMS. When an answer fails to come, its fate is
`unknown`: it is settled by looking for our key in the PIMS, never by sending again blindly. `write_back_changes` has
what is particular to changes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog

from booking.db import clients, connections, mirror, write_backs
from booking.db.mirror import said_of
from booking.db.pool import Connection, Pool, of_practice
from booking.db.webhooks import Event
from booking.db.write_backs import WriteBack
from booking.webhooks import announce
from booking.write_back_changes import (
    Outcome,
    Postponed,
    Stuck,
    Superseded,
    Written,
    appointment_draft,
    change,
)
from pims_adapters import contract as pims

LEASE = timedelta(seconds=15)
CALL_LIMIT = timedelta(seconds=12)  # ends before the lease does: nobody else sends while we may still be sending
MOST_ATTEMPTS = 40
LONGEST_PAUSE = timedelta(minutes=5)
EVENTS: dict[str, Event] = {"written": "write_back.written", "needs_attention": "write_back.needs_attention"}

log = structlog.get_logger()


async def deliver_due(
    pool: Pool, adapter: pims.PimsAdapter, practice_id: UUID, *, clock: Callable[[], datetime]
) -> int:
    """Deliver what is due for a practice, in order, until nothing is; how many records were tried."""
    tried = 0
    while True:
        now = clock()
        async with of_practice(pool, practice_id) as conn, conn.transaction():
            leased = await write_backs.lease_next(conn, practice_id, now=now, lease=uuid4(), until=now + LEASE)
        if leased is None:
            return tried
        outcome = await _deliver(pool, adapter, leased)
        await _settle(pool, leased, outcome, clock())
        tried += 1


async def _deliver(pool: Pool, adapter: pims.PimsAdapter, leased: WriteBack) -> Outcome:
    """Write one record and turn whatever goes wrong into an outcome."""
    try:
        async with asyncio.timeout(CALL_LIMIT.total_seconds()):
            if leased.action == "create":
                return await _create(pool, adapter, leased)
            async with of_practice(pool, leased.practice_id) as conn:
                wanted = await write_backs.appointment_to_write(conn, leased.practice_id, leased.appointment_id)
            return await change(adapter, leased, wanted)
    except pims.PimsUnavailable as failure:
        return Postponed(reason=str(failure), unknown=failure.outcome_unknown)
    except TimeoutError:
        return Postponed(reason="The PIMS took too long to answer.", unknown=True)
    except pims.PimsMisconfigured as failure:
        return Postponed(reason=str(failure), unknown=False)
    except pims.PimsRejected as refusal:
        return Stuck(reason=str(refusal))


async def _create(pool: Pool, adapter: pims.PimsAdapter, leased: WriteBack) -> Outcome:
    # Only the very first try may send without looking: any other may follow one whose fate nobody heard of.
    if not isinstance(adapter, pims.CreatesAppointments):
        return Superseded(reason="Nothing is written to this system.")
    first_try = leased.was == "queued" and leased.attempts == 1
    found = None if first_try else await adapter.find(leased.kind, leased.key)
    async with of_practice(pool, leased.practice_id) as conn:
        draft = await _draft(conn, leased, found=found is not None)
        follow = found is not None and await write_backs.changes_follow(conn, leased.practice_id, leased.appointment_id)
    if isinstance(draft, Postponed | Superseded | Stuck):
        return draft
    pims_id = found or await _send(adapter, draft, leased.key)
    if pims_id is None:
        return Postponed(reason="The PIMS has accepted it and does not show it yet.", unknown=True)
    try:
        shown = await adapter.read(leased.kind, pims_id)
    except pims.PimsUnavailable as failure:
        return Postponed(reason=f"Written, but not read back yet. {failure}", unknown=True)
    # What was found may stand as it was first sent: a change made since then goes its own way.
    wrong = _difference(draft, shown, leased.key, time_matters=not follow)
    return Stuck(reason=wrong) if wrong else Written(pims_id=pims_id, shown=shown)


Draft = pims.ClientDraft | pims.PatientDraft | pims.AppointmentDraft


async def _send(adapter: pims.CreatesAppointments, draft: Draft, key: str) -> str | None:
    match draft:
        case pims.AppointmentDraft():
            return await adapter.create_appointment(draft, key)
        case pims.ClientDraft() if isinstance(adapter, pims.CreatesClients):
            return await adapter.create_client(draft, key)
        case pims.PatientDraft() if isinstance(adapter, pims.CreatesClients):
            return await adapter.create_patient(draft, key)
        case _:
            raise pims.PimsRejected("This system keeps no clients and patients.")


async def _draft(conn: Connection, leased: WriteBack, *, found: bool) -> Draft | Postponed | Superseded | Stuck:
    """Return what is to be written, as it stands now; its client and patient must be in the PIMS before it.

    A cancelled appointment is not written; one that was `found` there is taken note of, so that it can be cancelled.
    """
    if leased.kind == "client":
        return await _client_draft(conn, leased)
    if leased.kind == "patient":
        patient = await clients.patient_by_id(conn, leased.practice_id, leased.subject_id)
        client = patient and await clients.client_by_id(conn, leased.practice_id, patient.client_id)
        if not patient or not client:
            return Superseded(reason="The patient is no longer in our records.")
        if client.pims_id is None:
            return await _waits_for(conn, leased, client.client_id, "client")
        return pims.PatientDraft(
            client=client.pims_id,
            name=patient.name,
            species=patient.species,
            breed=patient.breed,
            sex=patient.sex,
            birth_date=patient.birth_date,
        )
    appointment = await write_backs.appointment_to_write(conn, leased.practice_id, leased.appointment_id)
    if appointment is None or (appointment.status == "cancelled" and not found):
        return Superseded(reason="The appointment was cancelled before it was written.")
    if appointment.client is None:
        return await _waits_for(conn, leased, appointment.client_id, "client")
    if appointment.patient is None:
        return await _waits_for(conn, leased, appointment.patient_id, "patient")
    if appointment.appointment_type is None:
        return Stuck(reason="The appointment type is not linked to one of the PIMS.")
    return appointment_draft(appointment, appointment.client, appointment.patient, appointment.appointment_type)


async def _client_draft(conn: Connection, leased: WriteBack) -> pims.ClientDraft | Superseded:
    client = await clients.client_by_id(conn, leased.practice_id, leased.subject_id)
    if client is None:
        return Superseded(reason="The client is no longer in our records.")
    contacts = await clients.contacts_of(conn, leased.practice_id, client.client_id)
    return pims.ClientDraft(
        given_name=client.given_name,
        family_name=client.family_name,
        phone=next((one.value for one in contacts if one.kind == "phone"), None),
        email=next((one.value for one in contacts if one.kind == "email"), None),
    )


async def _waits_for(conn: Connection, leased: WriteBack, subject_id: UUID, what: str) -> Postponed | Stuck:
    """Wait for a record of an earlier booking that is still on its way; say so where it is stuck."""
    state = await write_backs.state_of_unwritten(conn, leased.practice_id, subject_id)
    if state is None or state in ("needs_attention", "superseded"):
        return Stuck(reason=f"The {what} is not in the PIMS: their own write-back needs attention first.")
    return Postponed(reason=f"Waits until the {what} is written.", unknown=False)


def _difference(
    draft: Draft, shown: pims.Client | pims.Patient | pims.Appointment | None, key: str, *, time_matters: bool
) -> str | None:
    """Say what the PIMS shows otherwise than it was written, if anything; the words name no person."""
    if shown is None:
        return "The PIMS accepted the record and does not show it."
    if shown.marker != key:
        return "The PIMS shows another record under the identifier that it gave."
    if (
        time_matters
        and isinstance(draft, pims.AppointmentDraft)
        and isinstance(shown, pims.Appointment)
        and (draft.start, draft.end) != (shown.start, shown.end)
    ):
        return "The PIMS shows the appointment at another time than it was written for."
    return None


async def _settle(pool: Pool, leased: WriteBack, outcome: Outcome, now: datetime) -> None:
    """Keep what became of it, together with the identifier that the PIMS gave."""
    state: write_backs.State
    reason: str | None
    due_at = now
    match outcome:
        case Written():
            state, reason = "written", None
        case Postponed() if leased.attempts < MOST_ATTEMPTS:
            state, reason = ("unknown" if outcome.unknown or leased.was == "unknown" else "queued"), outcome.reason
            due_at = now + pause(leased.attempts)
        case Postponed():
            state, reason = "needs_attention", f"Tried {leased.attempts} times. {outcome.reason}"
        case Stuck():
            state, reason = "needs_attention", outcome.reason
        case Superseded():
            state, reason = "superseded", outcome.reason
    async with of_practice(pool, leased.practice_id) as conn, conn.transaction():
        if isinstance(outcome, Written) and outcome.pims_id is not None:
            await write_backs.set_pims_id(conn, leased.practice_id, leased.kind, leased.subject_id, outcome.pims_id)
        if isinstance(outcome, Written) and leased.kind == "appointment":
            # In the order in which everybody locks: the appointment, the connection, its outbox.
            await mirror.set_said(conn, leased.practice_id, leased.appointment_id, said_of(outcome.shown))
            await connections.count_change_written(conn, leased.practice_id)
        mine = await write_backs.settle(conn, leased, state, reason=reason, due_at=due_at, now=now)
        if mine and state in ("written", "needs_attention"):
            await announce(conn, leased.practice_id, EVENTS[state], leased.write_back_id, now)
    log.info(
        "write_back.settled" if mine else "write_back.lease_lost",
        practice=str(leased.practice_id),
        write_back=str(leased.write_back_id),
        kind=leased.kind,
        action=leased.action,
        state=state,
        attempts=leased.attempts,
        seconds=round((now - leased.queued_at).total_seconds(), 3),
    )


def pause(attempts: int) -> timedelta:
    """Return how long to wait before the next try: doubling from a second, at most five minutes, give or take half."""
    return min(timedelta(seconds=2 ** min(attempts - 1, 20)), LONGEST_PAUSE) * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load
