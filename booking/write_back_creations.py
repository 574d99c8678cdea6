"""Write-back of creations: a client, a patient or an appointment comes into the PIMS, once.

What may have left is looked for first, and only when its absence proves something is it sent (again). Who is new to us
and known to the practice is not created. What is sent is read back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from uuid import UUID

from booking.db import clients, linking, outbox, write_backs
from booking.db.pool import Connection, Pool, at_one_instant, of_practice
from booking.db.write_backs import AppointmentToWrite, WriteBack
from booking.matching import Doubtful, match_client, match_patient
from booking.write_back_fit import Draft, fitted, missing
from booking.write_back_outcomes import (
    Collided,
    LeaseLost,
    Matched,
    Outcome,
    Postponed,
    Stuck,
    Superseded,
    Waits,
    Written,
    never_shown,
    still_to_be_shown,
)
from pims_adapters import contract as pims

NO_RECORDS = "This system keeps no clients and patients: the appointment says in words who comes."
NOTHING = "Nothing is written to this system: the appointment stands with us."


class Writes(pims.PimsAdapter, pims.CreatesAppointments, Protocol):
    """An adapter of a PIMS that lets appointments be created."""


async def create(pool: Pool, adapter: pims.PimsAdapter, leased: WriteBack, clock: Callable[[], datetime]) -> Outcome:
    """Bring one record into the PIMS. Raises the adapter's errors where nothing of this try has left."""
    if not isinstance(adapter, pims.CreatesAppointments):
        return Superseded(reason=NOTHING)
    if leased.kind != "appointment" and not isinstance(adapter, pims.CreatesClients):
        return Superseded(reason=NO_RECORDS)
    if leased.link_to is not None:
        return await _link(pool, adapter, leased, leased.link_to)
    # Only the very first try may send without looking: any other may follow one whose fate nobody heard of.
    first_try = leased.was == "queued" and leased.attempts == 1 and leased.sent_at is None
    found = None if first_try else await adapter.find(leased.record, leased.key)
    if found is None:
        outcome = still_to_be_shown(leased, adapter.write_lag, clock())
        if outcome is not None:
            return outcome
        if leased.accepted:
            return never_shown(f"the {leased.kind}")
    async with of_practice(pool, leased.practice_id) as conn, at_one_instant(conn):
        draft = await _draft(conn, leased, adapter, found=found)
        follow = found is not None and await write_backs.changes_follow(conn, leased.practice_id, leased.appointment_id)
        overbooked = (
            found is None
            and isinstance(draft, pims.AppointmentDraft)
            and await linking.overbooked(conn, leased.practice_id, leased.appointment_id)
        )
    if not isinstance(draft, Draft):
        return draft
    if found is not None:
        return await _read_back(adapter, leased, draft, found, note=None, time_matters=not follow)
    if overbooked:
        return Collided(reason="The practice has given the time to somebody else.")
    matched = await _match(pool, adapter, leased, draft)
    if isinstance(matched, Matched):
        return matched
    return await _send(pool, adapter, leased, draft, note=matched, clock=clock)


async def _match(pool: Pool, adapter: pims.PimsAdapter, leased: WriteBack, draft: Draft) -> Matched | str | None:
    """Return who it is that the practice knows already, or a note for staff where that is not certain."""
    match draft:
        case pims.ClientDraft():
            found = await match_client(pool, adapter, leased)
        case pims.PatientDraft():
            found = await match_patient(pool, leased)
        case _:
            return None
    return found.note if isinstance(found, Doubtful) else found


async def _send(
    pool: Pool,
    adapter: pims.CreatesAppointments,
    leased: WriteBack,
    draft: Draft,
    *,
    note: str | None,
    clock: Callable[[], datetime],
) -> Outcome:
    if not isinstance(draft, pims.AppointmentDraft) and (lacks := missing(draft, adapter.asks)):
        lacking = ", ".join(lacks)
        return Stuck(reason=f"The PIMS requires of a {leased.kind}: {lacking}. Please enter the {leased.kind} there.")
    fit, cut = fitted(draft, adapter.asks)
    if not isinstance(fit, pims.AppointmentDraft) and (lacks := missing(fit, adapter.asks)):
        return Stuck(reason=f"{cut} Please enter the {leased.kind} there by hand.")
    note = " ".join(filter(None, (note, cut))) or None
    async with of_practice(pool, leased.practice_id) as conn:
        if not await write_backs.note_sent(conn, leased, clock()):
            return LeaseLost()
    try:
        pims_id = await _create(adapter, fit, leased.key)
    except pims.PimsRejected as refusal:
        taken = refusal.taken and isinstance(fit, pims.AppointmentDraft)
        return Collided(reason=str(refusal)) if taken else Stuck(reason=str(refusal))
    except pims.PimsUnavailable as failure:
        return Postponed(reason=str(failure), known=not failure.outcome_unknown)
    except pims.PimsMisconfigured as failure:
        return Postponed(reason=str(failure), known=True)
    if pims_id is None:
        return Postponed(reason="The PIMS has accepted it and shows it later.", accepted=True, expected=True)
    return await _read_back(adapter, leased, fit, pims_id, note=note, time_matters=True, sent=True)


async def _create(adapter: pims.CreatesAppointments, draft: Draft, key: str) -> str | None:
    match draft:
        case pims.AppointmentDraft():
            return await adapter.create_appointment(draft, key)
        case pims.ClientDraft() if isinstance(adapter, pims.CreatesClients):
            return await adapter.create_client(draft, key)
        case pims.PatientDraft() if isinstance(adapter, pims.CreatesClients):
            return await adapter.create_patient(draft, key)
        case _:
            raise pims.PimsRejected(NO_RECORDS)


async def _read_back(
    adapter: pims.CreatesAppointments,
    leased: WriteBack,
    draft: Draft,
    pims_id: str,
    *,
    note: str | None,
    time_matters: bool,
    sent: bool = False,
) -> Outcome:
    try:
        shown = await adapter.read(leased.record, pims_id)
    except pims.PimsUnavailable as failure:
        return Postponed(reason=f"Written, but not read back yet. {failure}")
    if shown is None and sent and adapter.write_lag:
        return Postponed(reason="The PIMS has accepted it and shows it later.", accepted=True, expected=True)
    # What was found may stand as it was first sent: a change made since then goes its own way.
    wrong = _difference(draft, shown, leased.key, time_matters=time_matters)
    return Stuck(reason=wrong, known=False) if wrong else Written(pims_id=pims_id, shown=shown, note=note)


async def _draft(
    conn: Connection, leased: WriteBack, adapter: pims.PimsAdapter, *, found: str | None
) -> Draft | Waits | Superseded | Stuck:
    """Return what is to be written, as it stands now; its client and patient must be in the PIMS before it.

    A cancelled appointment is not written; one that was `found` there is taken note of, so that it can be cancelled.
    """
    if leased.kind == "client":
        return await _client_draft(conn, leased)
    if leased.kind == "patient":
        return await _patient_draft(conn, leased)
    appointment = await write_backs.appointment_to_write(conn, leased.practice_id, leased.appointment_id)
    if appointment is None or (appointment.status == "cancelled" and found is None):
        return Superseded(reason="The appointment was cancelled before it was written.")
    keeps_clients = isinstance(adapter, pims.CreatesClients)
    if keeps_clients and appointment.client is None:
        return await waits_for(conn, leased, appointment.client_id, "client")
    if keeps_clients and appointment.patient is None:
        return await waits_for(conn, leased, appointment.patient_id, "patient")
    appointment_type = type_for(adapter, appointment)
    if appointment_type is None:
        return Stuck(reason="The appointment type is not linked to one of the PIMS.")
    return appointment_draft(appointment, appointment_type, keeps_clients=keeps_clients)


async def _client_draft(conn: Connection, leased: WriteBack) -> pims.ClientDraft | Superseded:
    client = await clients.client_by_id(conn, leased.practice_id, leased.subject_id)
    if client is None:
        return Superseded(reason="The client is no longer in our records.")
    contacts = await clients.contacts_of(conn, leased.practice_id, client.client_id)
    where = await clients.address_of(conn, leased.practice_id, client.client_id)
    return pims.ClientDraft(
        given_name=client.given_name,
        family_name=client.family_name,
        phone=next((one.value for one in contacts if one.kind == "phone"), None),
        email=next((one.value for one in contacts if one.kind == "email"), None),
        address=where.address,
        city=where.city,
        postal_code=where.postal_code,
    )


async def _patient_draft(conn: Connection, leased: WriteBack) -> pims.PatientDraft | Waits | Superseded | Stuck:
    patient = await clients.patient_by_id(conn, leased.practice_id, leased.subject_id)
    client = patient and await clients.client_by_id(conn, leased.practice_id, patient.client_id)
    if not patient or not client:
        return Superseded(reason="The patient is no longer in our records.")
    if client.pims_id is None:
        return await waits_for(conn, leased, client.client_id, "client")
    return pims.PatientDraft(
        client=client.pims_id,
        name=patient.name,
        species=patient.species,
        breed=patient.breed,
        sex=patient.sex,
        birth_date=patient.birth_date,
    )


def type_for(adapter: pims.PimsAdapter, wanted: AppointmentToWrite) -> str | None:
    """Return the PIMS's appointment type; one that keeps none is told ours by its name."""
    keeps_types = any("appointmenttype" in feed.kinds for feed in adapter.feeds)
    return wanted.appointment_type if keeps_types else wanted.appointment_type or wanted.type_name


def appointment_draft(
    wanted: AppointmentToWrite, appointment_type: str, *, keeps_clients: bool
) -> pims.AppointmentDraft:
    """Return an appointment as the PIMS is to have it; one that keeps no clients is told of them in words only."""
    return pims.AppointmentDraft(
        client=wanted.client if keeps_clients else None,
        patient=wanted.patient if keeps_clients else None,
        appointment_type=appointment_type,
        start=wanted.starts_at,
        end=wanted.ends_at,
        resources=tuple(wanted.resources),
        description=wanted.description,
        visitor=wanted.visitor,
        new_client=wanted.new_client,
    )


async def waits_for(conn: Connection, leased: WriteBack, subject_id: UUID | None, what: str) -> Waits | Stuck:
    """Wait for a record that is still on its way, perhaps with an earlier booking."""
    state = subject_id and await write_backs.state_of_unwritten(conn, leased.practice_id, subject_id)
    if subject_id is None or state is None or state == "superseded":
        return Stuck(reason=f"The {what} is not in the PIMS. Please enter them there, and say which record it is.")
    if state == "needs_attention":
        return Waits(reason=f"Waits: the {what}’s own write-back needs attention first.", for_id=subject_id)
    return Waits(reason=f"Waits until the {what} is written.", for_id=subject_id)


async def _link(pool: Pool, adapter: Writes, leased: WriteBack, pims_id: str) -> Outcome:
    """Look at the record that staff say this is; it is taken where nothing speaks against it."""
    shown = await adapter.read(leased.record, pims_id)
    if shown is None:
        return Stuck(reason=f"The PIMS has no {leased.kind} {pims_id}. Please check the identifier.", known=False)
    async with of_practice(pool, leased.practice_id) as conn, at_one_instant(conn):
        draft = await _draft(conn, leased, adapter, found=pims_id)
        marked = shown.marker is not None and shown.marker != leased.key
        other = marked and await outbox.key_known(conn, leased.practice_id, shown.marker or "")
    if not isinstance(draft, Draft):
        return draft
    if other:
        return Stuck(reason=f"That {leased.kind} was written for another booking of ours.", known=False)
    wrong = _unlike(draft, shown)
    if wrong is not None:
        return Stuck(reason=f"{wrong} Please check the identifier.", known=False)
    return Written(pims_id=pims_id, shown=shown, note="Linked by staff.")


def _unlike(draft: Draft, shown: pims.Client | pims.Patient | pims.Appointment) -> str | None:
    """Say what speaks against a record being the one that was to be written; the words name no person."""
    match draft, shown:
        case pims.PatientDraft(), pims.Patient() if draft.client != shown.client:
            return "In the PIMS that patient belongs to another client."
        case pims.AppointmentDraft(), pims.Appointment() if shown.status == "cancelled":
            return "In the PIMS that appointment is cancelled."
        case pims.AppointmentDraft(), pims.Appointment() if (draft.start, draft.end) != (shown.start, shown.end):
            return "In the PIMS that appointment is at another time."
        case _:
            return None


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
