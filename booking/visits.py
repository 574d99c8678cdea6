"""Visits: a booking as those see it who may: whoever holds its manage link or has proven its client's contact."""

from __future__ import annotations

from uuid import UUID

import msgspec
from msgspec import Struct

from booking.contacts import Contact
from booking.db import appointment_types, appointments, clients, outbox
from booking.db.appointment_types import AppointmentType
from booking.db.appointments import Appointment
from booking.db.clients import Patient
from booking.db.pool import Connection, Pool, of_practice
from booking.db.practices import Practice
from booking.db.write_backs import State
from booking.messages import named
from booking.standing import Standing
from booking.standing import standing as standing_of
from booking.tokens import digest

WORST_FIRST: tuple[State, ...] = ("needs_attention", "unknown", "sending", "queued", "superseded", "written")


class PatientsVisit(Struct, frozen=True, kw_only=True):
    """One patient's visit of a booking, and who serves it."""

    appointment: Appointment
    patient: Patient
    providers: list[str]


class BookingSeen(Struct, frozen=True, kw_only=True):
    """A booking with the names that go with it. `write_back`: how far it has come on its way into the PIMS."""

    appointment_type: AppointmentType
    visits: tuple[PatientsVisit, ...]
    write_back: State | None

    @property
    def appointment(self) -> Appointment:
        """All its visits as one."""
        return whole(tuple(one.appointment for one in self.visits))

    @property
    def patient_names(self) -> list[str]:
        """The patients of the visits that `appointment` spans."""
        chosen = standing(tuple(one.appointment for one in self.visits))
        return [one.patient.name for one in self.visits if one.appointment in chosen]


class ClientVisit(Struct, frozen=True, kw_only=True):
    """A visit as its page shows it; of several patients all of them are named. `visits`: the ids of each one's.

    `write_back`: how far it has come on its way into the PIMS; None: there is none.
    """

    appointment: Appointment
    visits: tuple[UUID, ...]
    appointment_type: AppointmentType
    patient: Patient
    providers: list[str]
    write_back: State | None


def standing(visits: tuple[Appointment, ...]) -> tuple[Appointment, ...]:
    """Return the visits of a booking that are not cancelled; all of them where every one is."""
    return tuple(one for one in visits if one.status != "cancelled") or visits


def whole(visits: tuple[Appointment, ...]) -> Appointment:
    """Return a booking as one appointment, from its first visit's start to its last one's end.

    It is named by the booking's first visit and counts its changes by the visit that changed most, so that a calendar
    knows it again.
    """
    stands = standing(visits)
    return msgspec.structs.replace(
        stands[0],
        appointment_id=visits[0].appointment_id,
        starts_at=min(one.starts_at for one in stands),
        ends_at=max(one.ends_at for one in stands),
        calendar_sequence=max(one.calendar_sequence for one in visits),
    )


async def booking_seen(pool: Pool, practice: Practice, visits: tuple[Appointment, ...]) -> BookingSeen:
    """Return a booking with all that is shown of it."""
    async with of_practice(pool, practice.practice_id) as conn:
        return await read_booking(conn, practice, visits)


async def read_booking(conn: Connection, practice: Practice, visits: tuple[Appointment, ...]) -> BookingSeen:
    """Return a booking with all that is shown of it."""
    practice_id = practice.practice_id
    stands = await standing_of(conn, practice_id)
    type_id = visits[0].appointment_type_id
    appointment_type = next((one for one in stands.types if one.appointment_type_id == type_id), None)
    if appointment_type is None:  # retired since
        appointment_type = await appointment_types.any_appointment_type(conn, practice_id, type_id)
    patients = await clients.patients_by_id(conn, practice_id, [one.patient_id for one in visits])
    lines = await outbox.lines_of(conn, practice_id, [one.appointment_id for one in visits])
    if appointment_type is None or any(one.patient_id not in patients for one in visits):
        raise LookupError("An appointment's type and patient are kept as long as it is.")
    state = min((one.state for one in lines), key=WORST_FIRST.index, default=None)
    return seen(stands, appointment_type, visits, patients, state)


def seen(
    stands: Standing,
    appointment_type: AppointmentType,
    visits: tuple[Appointment, ...],
    patients: dict[UUID, Patient],
    write_back: State | None,
) -> BookingSeen:
    """Return a booking with all that is shown of it, to those who have all that."""
    names = {str(one.resource_id): one.name for one in stands.resources if one.kind == "provider"}
    return BookingSeen(
        appointment_type=appointment_type,
        visits=tuple(
            PatientsVisit(
                appointment=one,
                patient=patients[one.patient_id],
                providers=list(
                    dict.fromkeys(names[id_] for ids in one.resources.values() for id_ in ids if id_ in names)
                ),
            )
            for one in visits
        ),
        write_back=write_back,
    )


async def booking_of(
    pool: Pool, practice_id: UUID, reference: str, asking: Contact | str
) -> tuple[Appointment, ...] | None:
    """Return the visits of a booking to its client (by a proven contact) or to whoever has its manage token.

    None: there is no such booking, or it is not theirs.
    """
    async with of_practice(pool, practice_id) as conn:
        visits = await appointments.booking_by_reference(conn, practice_id, reference)
        if isinstance(asking, str):
            theirs = await appointments.appointment_by_token(conn, practice_id, digest(asking))
            may = theirs is not None and theirs.reference == reference
        else:
            reached = await clients.clients_by_contact(conn, practice_id, asking)
            may = bool(visits) and visits[0].client_id in {one.client_id for one in reached}
    return visits if may and visits else None


async def visit_by_token(pool: Pool, practice: Practice, manage_token: str) -> ClientVisit | None:
    """Find the visit of whoever has its manage link."""
    async with of_practice(pool, practice.practice_id) as conn:
        first = await appointments.appointment_by_token(conn, practice.practice_id, digest(manage_token))
        if first is None:
            return None
        visits = await appointments.booking_by_reference(conn, practice.practice_id, first.reference)
        seen = await read_booking(conn, practice, visits)
    return ClientVisit(
        appointment=seen.appointment,
        visits=tuple(one.appointment_id for one in visits),
        appointment_type=seen.appointment_type,
        patient=msgspec.structs.replace(seen.visits[0].patient, name=named(seen.patient_names)),
        providers=list(dict.fromkeys(name for one in seen.visits for name in one.providers)),
        write_back=seen.write_back,
    )
