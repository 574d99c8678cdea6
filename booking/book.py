"""Book: turn a hold and a proven contact into an appointment, all of it in one transaction.

The same transaction writes client, patient, appointment, claims, the kept answer of the request's key, the outbox
towards the PIMS and the confirmation message. When it commits, the appointment stands; the worker does the rest.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from booking.calendar_file import calendar_file
from booking.claims import NotFree, claim
from booking.contacts import Contact
from booking.db import appointments, clients, holds, write_backs
from booking.db.appointment_types import AppointmentType
from booking.db.appointments import Appointment
from booking.db.claims import Holder
from booking.db.clients import Client, Patient
from booking.db.messages import queue_message
from booking.db.pool import Connection, Pool, of_practice
from booking.db.practices import Practice
from booking.holds import SlotTaken
from booking.messages import booked_message
from booking.offers import NotBookableOnline, alternatives, wished_type
from booking.once import keep, once
from booking.site import Site
from booking.tokens import digest, manage_token, new_reference
from pims_adapters.contract import Kind


class KnownClient(Struct, frozen=True, kw_only=True, tag="known"):
    """A client whom the proven contact reaches."""

    client_id: UUID


class NewClient(Struct, frozen=True, kw_only=True, tag="new"):
    """Somebody whom the practice does not know yet; their other contact is not proven, only noted."""

    given_name: str
    family_name: str
    other_contact: Contact | None = None


class KnownPatient(Struct, frozen=True, kw_only=True, tag="known"):
    """A patient of that client."""

    patient_id: UUID


class NewPatient(Struct, frozen=True, kw_only=True, tag="new"):
    """An animal that the practice does not know yet."""

    name: str
    species: str
    breed: str = ""
    sex: Literal["", "female", "female_spayed", "male", "male_neutered"] = ""
    birth_date: date | None = None


class Booking(Struct, frozen=True, kw_only=True):
    """What is to be booked. `contact` must have been proven by the same person who sends this."""

    hold_id: UUID
    hold_secret: str
    contact: Contact
    client: KnownClient | NewClient
    patient: KnownPatient | NewPatient
    reason: str = ""


class Booked(Struct, frozen=True, kw_only=True, tag="booked"):
    """The appointment stands in our schedule; `manage_token` is the secret of its link."""

    appointment: Appointment
    manage_token: str


class HoldUnknown(Exception):
    """We no longer keep this time for you. Please choose a time again."""


class CannotBeBooked(Exception):
    """This pet cannot be booked online. Please call the practice."""


class NewClientsNotWelcome(Exception):
    """The practice takes online bookings from its own clients. You can ask for an appointment instead."""


async def book(
    pool: Pool, practice: Practice, booking: Booking, *, key: str, site: Site, now: datetime, wait: bool = False
) -> Booked | SlotTaken:
    """Book, once per key: the same key with the same booking is given the same answer again.

    `wait` for the first request with this key, should it still run, instead of raising `KeyBusy`.

    Raises `HoldUnknown`, `CannotBeBooked`, `NewClientsNotWelcome`, `NotBookableOnline`, `KeyReused`, `KeyBusy`.
    """
    try:
        async with of_practice(pool, practice.practice_id) as conn, conn.transaction():
            kept = await _kept_appointment(conn, practice, booking, key, now, wait=wait)
            appointment = kept or await _book(conn, practice, booking, key, site, now)
    except _TimeLost as lost:
        free = await alternatives(pool, practice, lost.hold.wish, lost.hold.starts_at, now=now)
        return SlotTaken(alternatives=free)
    token = manage_token(site.secret_key, practice.practice_id, appointment.appointment_id)
    return Booked(appointment=appointment, manage_token=token)


class _TimeLost(Exception):
    """Rolls the transaction back, key and hold included."""

    def __init__(self, hold: holds.Hold) -> None:
        super().__init__()
        self.hold = hold


async def _kept_appointment(
    conn: Connection, practice: Practice, booking: Booking, key: str, now: datetime, *, wait: bool
) -> Appointment | None:
    """Take the key, or return what it was used for."""
    kept = await once(conn, practice.practice_id, key, booking, now, wait=wait)
    return kept and await appointments.appointment_by_id(conn, practice.practice_id, UUID(kept))


async def _book(
    conn: Connection,
    practice: Practice,
    booking: Booking,
    key: str,
    site: Site,
    now: datetime,
) -> Appointment:
    practice_id = practice.practice_id
    hold = await holds.hold_by_secret(conn, practice_id, booking.hold_id, digest(booking.hold_secret))
    if hold is None:
        raise HoldUnknown(HoldUnknown.__doc__)
    appointment_id, reference = uuid4(), new_reference()
    client, new_client = await _client(conn, practice, booking, now)
    patient, new_patient = await _patient(conn, practice, booking, client)
    wish = msgspec.structs.replace(hold.wish, new_client=new_client)
    appointment_type = await wished_type(conn, practice, wish)
    if patient.species not in appointment_type.species:
        raise NotBookableOnline(NotBookableOnline.__doc__)

    claimed = await claim(
        conn,
        practice,
        appointment_type,
        wish,
        hold.starts_at,
        now=now,
        holder=Holder(appointment_id=appointment_id),
        instead_of=hold,
    )
    if isinstance(claimed, NotFree):
        raise _TimeLost(hold)

    appointment = Appointment(
        appointment_id=appointment_id,
        reference=reference,
        status="booked",
        appointment_type_id=appointment_type.appointment_type_id,
        client_id=client.client_id,
        patient_id=patient.patient_id,
        starts_at=claimed.starts_at,
        ends_at=claimed.ends_at,
        resources=claimed.resources,
        new_client=new_client,
        reason=booking.reason,
        description=description(reference, new_client=new_client, reason=booking.reason),
        calendar_sequence=0,
        created_at=now,
    )
    token = manage_token(site.secret_key, practice_id, appointment_id)
    await appointments.insert_appointment(conn, practice_id, appointment, digest(token))
    await keep(conn, practice_id, key, appointment_id)
    await _queue_write_backs(conn, practice, appointment, new_client=new_client, new_patient=new_patient)
    await _queue_confirmation(
        conn, practice, appointment, booking.contact, patient, appointment_type, site.public_url, token
    )
    await write_backs.wake_workers(conn, "write_back")
    return appointment


def description(reference: str, *, new_client: bool, reason: str) -> str:
    """Return what staff read in the PIMS: where the appointment came from, our reference, the client's reason."""
    tag = "[vetslot Direct Booking - New Client]" if new_client else "[vetslot Direct Booking]"
    return f"{tag} {reference}" + (f": {reason}" if reason else "")


async def _client(conn: Connection, practice: Practice, booking: Booking, now: datetime) -> tuple[Client, bool]:
    """Return the client, and whether they are new: known ones must be reached by the proven contact."""
    if isinstance(booking.client, KnownClient):
        for one in await clients.clients_by_contact(conn, practice.practice_id, booking.contact):
            if one.client_id == booking.client.client_id:
                return one, False
        raise CannotBeBooked(CannotBeBooked.__doc__)
    if practice.who_may_book == "existing_clients":
        raise NewClientsNotWelcome(NewClientsNotWelcome.__doc__)
    new = booking.client
    client = Client(client_id=uuid4(), pims_id=None, given_name=new.given_name, family_name=new.family_name)
    await clients.insert_client(
        conn, practice.practice_id, client.client_id, client.given_name, client.family_name, now
    )
    given = [booking.contact, *([new.other_contact] if new.other_contact else [])]
    await clients.insert_contacts(
        conn, practice.practice_id, [(client.client_id, contact, contact.value) for contact in given]
    )
    return client, True


async def _patient(conn: Connection, practice: Practice, booking: Booking, client: Client) -> tuple[Patient, bool]:
    """Return the patient, and whether it is new: known ones must be the client's own, and alive."""
    if isinstance(booking.patient, KnownPatient):
        found = await clients.patient_by_id(conn, practice.practice_id, booking.patient.patient_id)
        if found is None or found.client_id != client.client_id or found.status != "active":
            raise CannotBeBooked(CannotBeBooked.__doc__)
        return found, False
    new = booking.patient
    patient = Patient(
        patient_id=uuid4(),
        client_id=client.client_id,
        pims_id=None,
        name=new.name,
        species=new.species,
        breed=new.breed,
        sex=new.sex,
        birth_date=new.birth_date,
        status="active",
    )
    await clients.insert_patient(conn, practice.practice_id, patient)
    return patient, True


async def _queue_write_backs(
    conn: Connection, practice: Practice, appointment: Appointment, *, new_client: bool, new_patient: bool
) -> None:
    """Queue what the PIMS does not have yet, in the order in which it must arrive there."""
    outbox: list[tuple[Kind, UUID, str, bool]] = [
        ("client", appointment.client_id, f"{appointment.reference}-C", new_client),
        ("patient", appointment.patient_id, f"{appointment.reference}-P", new_patient),
        ("appointment", appointment.appointment_id, appointment.reference, True),
    ]
    for kind, subject_id, key, needed in outbox:
        if needed:
            await write_backs.queue_write_back(
                conn,
                practice.practice_id,
                uuid4(),
                appointment_id=appointment.appointment_id,
                kind=kind,
                subject_id=subject_id,
                key=key,
                now=appointment.created_at,
            )


async def _queue_confirmation(
    conn: Connection,
    practice: Practice,
    appointment: Appointment,
    contact: Contact,
    patient: Patient,
    appointment_type: AppointmentType,
    public_url: str,
    token: str,
) -> None:
    attendee = contact.value if contact.kind == "email" else None
    calendar = calendar_file(
        practice,
        appointment,
        patient_name=patient.name,
        now=appointment.created_at,
        attendee=attendee,
    )
    message = booked_message(
        practice,
        contact,
        appointment,
        patient_name=patient.name,
        type_name=appointment_type.name,
        manage_url=f"{public_url}/visit/{practice.slug}/{token}",
        calendar=calendar.decode(),
        message_id=uuid4(),
    )
    await queue_message(conn, message, appointment.created_at)
