"""Enter: put a booking that is agreed, and whose time is claimed, into our records.

In the caller's transaction it writes who is new, an appointment for each patient, the outbox towards the PIMS and the
message to the client.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from booking.calendar_file import calendar_file
from booking.claims import Claimed
from booking.contacts import Contact
from booking.conversations import opened_by
from booking.db.appointment_types import AppointmentType
from booking.db.appointments import Answered, Appointment, Source
from booking.db.bookings import Creation, Reached, Rows, insert_booking, new_client_row
from booking.db.clients import NOWHERE, Client, Patient, Where
from booking.db.connections import Writes
from booking.db.conversations import NewConversation, NewMessage
from booking.db.messages import Message
from booking.db.pool import Connection
from booking.db.practices import Practice
from booking.messages import booked_message, named
from booking.site import Site
from booking.tokens import digest, manage_token, new_reference
from booking.webhooks import announce
from pims_adapters.contract import Kind


class Party(Struct, frozen=True, kw_only=True):
    """Who comes: the client and the patients in the order of their visits, some of them new to the practice.

    `contacts`: how a new client can be reached; `where` they live.
    """

    client: Client
    new_client: bool
    patients: tuple[Patient, ...]
    new_patients: frozenset[UUID]
    contacts: tuple[Contact, ...] = ()
    where: Where = NOWHERE


class Agreed(Struct, frozen=True, kw_only=True):
    """What was agreed. `contact` is told of the booking and of its changes; None: nobody is.

    `writes`: what the practice's PIMS takes; None: there is none.
    """

    party: Party
    appointment_type: AppointmentType
    appointment_ids: list[UUID]
    claimed: Claimed
    source: Source
    contact: Contact | None
    provider_id: UUID | None = None
    reason: str = ""
    answers: list[Answered] = []
    writes: Writes | None


async def enter(
    conn: Connection, practice: Practice, agreed: Agreed, *, site: Site, now: datetime, key: str | None = None
) -> tuple[Appointment, ...]:
    """Write it all down; the appointments, in the order of their visits. `key`: see `bookings.Rows`."""
    practice_id, party = practice.practice_id, agreed.party
    visits = _visits(agreed, now)
    token = manage_token(site.secret_key, practice_id, visits[0].appointment_id)
    opened = [_conversation(practice, agreed, visits)] if agreed.source == "online" else []
    rows = Rows(
        new_clients=[new_client_row(party.client, party.where)] if party.new_client else [],
        reached=[
            Reached(client_id=party.client.client_id, kind=one.kind, value=one.value)
            for one in (party.contacts if party.new_client else ())
        ],
        new_patients=[one for one in party.patients if one.patient_id in party.new_patients],
        visits=visits,
        source=agreed.source,
        contact=agreed.contact,
        provider_id=agreed.provider_id,
        manage_token_hash=digest(token),
        outbox=_outbox(visits, party, agreed.writes),
        messages=[]
        if agreed.contact is None
        else [_confirmation(practice, agreed, agreed.contact, visits, site, token)],
        conversations=[one for one, _ in opened],
        said=[one for _, one in opened],
        key=key,
    )
    if await insert_booking(conn, practice_id, rows, now):
        for visit in visits:
            await announce(conn, practice_id, "appointment.booked", visit.appointment_id, now)
    return visits


def _visits(agreed: Agreed, now: datetime) -> tuple[Appointment, ...]:
    """Return an appointment for each patient, under one reference."""
    reference, party = new_reference(), agreed.party
    reason, answers = agreed.reason, agreed.answers
    return tuple(
        Appointment(
            appointment_id=appointment_id,
            reference=reference,
            visit=number,
            status="booked",
            appointment_type_id=agreed.appointment_type.appointment_type_id,
            client_id=party.client.client_id,
            patient_id=patient.patient_id,
            starts_at=span.start,
            ends_at=span.end,
            resources=agreed.claimed.resources,
            new_client=party.new_client,
            reason=reason,
            answers=answers,
            description=description(
                visit_key(reference, number), new_client=party.new_client, reason=reason, answers=answers
            ),
            calendar_sequence=0,
            created_at=now,
        )
        for number, (appointment_id, span, patient) in enumerate(
            zip(agreed.appointment_ids, agreed.claimed.visits, party.patients, strict=True), start=1
        )
    )


def visit_key(reference: str, visit: int) -> str:
    """Return the name of a visit in the PIMS: its booking's reference, with a number from the second one on."""
    return reference if visit == 1 else f"{reference}-{visit}"


def description(key: str, *, new_client: bool, reason: str, answers: list[Answered]) -> str:
    """Return what staff read in the PIMS: where the appointment came from, our reference, the client's words."""
    tag = "[vetslot Direct Booking - New Client]" if new_client else "[vetslot Direct Booking]"
    said = [reason] if reason else []
    said += [f"{one.label}{'' if one.label.endswith('?') else ':'} {one.answer}" for one in answers]
    return f"{tag} {key}" + (f": {' | '.join(said)}" if said else "")


def _outbox(visits: tuple[Appointment, ...], party: Party, writes: Writes | None) -> list[Creation]:
    """Return what the PIMS takes and does not have yet, in the order in which it must arrive there."""
    outbox: list[Creation] = []
    if writes is None or not writes.can("creates_appointments"):
        return outbox
    keeps_clients = writes.can("creates_clients")

    def create(one: Appointment, kind: Kind, subject_id: UUID, key: str) -> None:
        outbox.append(
            Creation(
                write_back_id=uuid4(), appointment_id=one.appointment_id, kind=kind, subject_id=subject_id, key=key
            )
        )

    if party.new_client and keeps_clients:
        create(visits[0], "client", visits[0].client_id, f"{visits[0].reference}-C")
    for one in visits:
        key = visit_key(one.reference, one.visit)
        if one.patient_id in party.new_patients and keeps_clients:
            create(one, "patient", one.patient_id, f"{key}-P")
        create(one, "appointment", one.appointment_id, key)
    return outbox


def _conversation(
    practice: Practice, agreed: Agreed, visits: tuple[Appointment, ...]
) -> tuple[NewConversation, NewMessage]:
    return opened_by(
        practice,
        visits,
        agreed.party.patients,
        type_name=agreed.appointment_type.name,
        contact=agreed.contact,
        reason=agreed.reason,
        answers=agreed.answers,
    )


def _confirmation(
    practice: Practice,
    agreed: Agreed,
    contact: Contact,
    visits: tuple[Appointment, ...],
    site: Site,
    token: str,
) -> Message:
    """Write one message for all of it, with one entry for the calendar."""
    first, names = visits[0], [one.name for one in agreed.party.patients]
    whole = msgspec.structs.replace(first, ends_at=visits[-1].ends_at)
    attendee = contact.value if contact.kind == "email" else None
    manage_url = f"{site.public_url}/visit/{practice.slug}/{token}"
    calendar = calendar_file(
        practice, whole, patient_name=named(names), now=first.created_at, attendee=attendee, manage_url=manage_url
    )
    return booked_message(
        practice,
        contact,
        first,
        patient_names=names,
        type_name=agreed.appointment_type.name,
        manage_url=manage_url,
        calendar=calendar.decode(),
        message_id=uuid4(),
    )
