"""Appointments, and the requests that may become one."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from availability import Assignment
from booking.db.pool import Connection, many, one

Status = Literal["booked", "confirmed", "arrived", "fulfilled", "cancelled", "no_show"]
Source = Literal["online", "pims", "staff"]


class Answered(Struct, frozen=True, kw_only=True):
    """A question of the practice as it was asked, and the client's answer."""

    question_id: UUID
    label: str
    answer: str


class Appointment(Struct, frozen=True, kw_only=True):
    """An agreed meeting that was booked with us. `resources`: role → resource ids.

    Several patients booked in one go share a `reference`; each has an appointment, numbered by `visit` from 1.
    """

    appointment_id: UUID
    reference: str
    status: Status
    appointment_type_id: UUID
    client_id: UUID
    patient_id: UUID
    starts_at: datetime
    ends_at: datetime
    resources: Assignment
    new_client: bool
    reason: str
    description: str
    calendar_sequence: int
    created_at: datetime
    pims_id: str | None = None
    visit: int = 1
    answers: list[Answered] = []


COLUMNS = """appointment_id, reference, visit, status, appointment_type_id, client_id, patient_id, starts_at, ends_at,
  resources, new_client, reason, answers, description, calendar_sequence, created_at, pims_id"""

BOOKING = f"SELECT {COLUMNS} FROM appointment WHERE practice_id = $1 AND reference = $2 ORDER BY visit LIMIT 10"


async def booking_by_reference(conn: Connection, practice_id: UUID, reference: str) -> tuple[Appointment, ...]:
    """Return the visits of a booking, in order; none where the practice has no such reference."""
    return tuple(many(await conn.fetch(BOOKING, practice_id, reference), Appointment))


APPOINTMENT = f"SELECT {COLUMNS} FROM appointment WHERE practice_id = $1 AND appointment_id = $2 AND source = 'online'"


async def appointment_by_id(conn: Connection, practice_id: UUID, appointment_id: UUID) -> Appointment | None:
    """Find an appointment that was booked with us."""
    return one(await conn.fetchrow(APPOINTMENT, practice_id, appointment_id), Appointment)


APPOINTMENT_BY_TOKEN = f"SELECT {COLUMNS} FROM appointment WHERE practice_id = $1 AND manage_token_hash = $2"


async def appointment_by_token(conn: Connection, practice_id: UUID, manage_token_hash: bytes) -> Appointment | None:
    """Find the appointment of whoever has its manage link."""
    return one(await conn.fetchrow(APPOINTMENT_BY_TOKEN, practice_id, manage_token_hash), Appointment)


class ScheduleEntry(Struct, frozen=True, kw_only=True):
    """A line of the console's schedule: an appointment, the resources it takes, and where its write-back stands."""

    appointment_id: UUID
    starts_at: datetime
    ends_at: datetime
    status: Status
    source: Source
    resource_ids: list[UUID]
    appointment_type: str | None
    client: str | None
    patient: str | None
    species: str | None
    reference: str | None
    new_client: bool
    description: str
    created_at: datetime
    write_back: Literal["queued", "sending", "written", "unknown", "needs_attention", "superseded"] | None
    write_back_reason: str | None
    written_at: datetime | None
    due_at: datetime | None


SCHEDULE = """
SELECT a.appointment_id, a.starts_at, a.ends_at, a.status, a.source, a.reference, a.new_client, a.description,
  a.created_at, coalesce(nullif(t.name, ''), t.pims_name) AS appointment_type,
  c.given_name || ' ' || c.family_name AS client, p.name AS patient, p.species,
  w.state AS write_back, w.reason AS write_back_reason, w.written_at, w.due_at,
  coalesce((SELECT array_agg(DISTINCT k.resource_id) FROM claim k
            WHERE k.practice_id = a.practice_id AND k.appointment_id = a.appointment_id), '{}') AS resource_ids
FROM appointment a
LEFT JOIN appointment_type t
  ON t.practice_id = a.practice_id AND t.appointment_type_id = a.appointment_type_id
LEFT JOIN client c ON c.practice_id = a.practice_id AND c.client_id = a.client_id
LEFT JOIN patient p ON p.practice_id = a.practice_id AND p.patient_id = a.patient_id
LEFT JOIN LATERAL (
  SELECT state, reason, written_at, due_at FROM write_back
  WHERE practice_id = a.practice_id AND appointment_id = a.appointment_id AND kind <> 'conversation'
  ORDER BY array_position('{needs_attention,unknown,sending,queued,superseded,written}'::text[], state),
    (kind = 'appointment') DESC, position LIMIT 1
) w ON true
WHERE a.practice_id = $1 AND a.starts_at < $3 AND a.ends_at > $2
  AND ($4::timestamptz IS NULL OR (a.starts_at, a.appointment_id) > ($4, $5::uuid))
ORDER BY a.starts_at, a.appointment_id LIMIT $6
"""


async def schedule_between(
    conn: Connection,
    practice_id: UUID,
    start: datetime,
    end: datetime,
    *,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 1000,
) -> list[ScheduleEntry]:
    """Return what stands on the schedule between two instants, with the write-back that holds the others up.

    `after`: start and id of the last one that was seen.
    """
    since, last = after or (None, None)
    return many(await conn.fetch(SCHEDULE, practice_id, start, end, since, last, limit), ScheduleEntry)
