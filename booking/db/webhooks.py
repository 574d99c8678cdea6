"""Webhooks: a practice's endpoints, the events that it is told of, and their deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, one, only

Event = Literal[
    "appointment.booked",
    "appointment.rescheduled",
    "appointment.cancelled",
    "appointment.confirmed",
    "write_back.written",
    "write_back.needs_attention",
    "request.created",
]
State = Literal["queued", "delivered", "failed"]


class AppointmentFacts(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an event tells of an appointment: ids, times and statuses, nobody's name or contact."""

    appointment_id: UUID
    reference: str
    status: str
    appointment_type_id: UUID
    client_id: UUID
    patient_id: UUID
    starts_at: datetime
    ends_at: datetime
    created_at: datetime


class WriteBackFacts(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an event tells of a write-back. The PIMS's words stay in the console: they may name people."""

    write_back_id: UUID
    kind: str
    state: str
    appointment_id: UUID
    reference: str
    attempts: int


class RequestFacts(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an event tells of an appointment request."""

    request_id: UUID
    status: str
    appointment_type_id: UUID | None
    created_at: datetime


Facts = AppointmentFacts | WriteBackFacts | RequestFacts

APPOINTMENT_FACTS = """
SELECT appointment_id AS "appointmentId", reference, status, appointment_type_id AS "appointmentTypeId",
  client_id AS "clientId", patient_id AS "patientId", starts_at AS "startsAt", ends_at AS "endsAt",
  created_at AS "createdAt"
FROM appointment WHERE practice_id = $1 AND appointment_id = $2
"""
WRITE_BACK_FACTS = """
SELECT w.write_back_id AS "writeBackId", w.kind, w.state, w.appointment_id AS "appointmentId", a.reference, w.attempts
FROM write_back w JOIN appointment a ON a.practice_id = w.practice_id AND a.appointment_id = w.appointment_id
WHERE w.practice_id = $1 AND w.write_back_id = $2
"""
REQUEST_FACTS = """
SELECT appointment_request_id AS "requestId", status, appointment_type_id AS "appointmentTypeId",
  created_at AS "createdAt"
FROM appointment_request WHERE practice_id = $1 AND appointment_request_id = $2
"""


async def facts_of(conn: Connection, practice_id: UUID, event: Event, subject_id: UUID) -> Facts | None:
    """Return what an event tells of its subject, as it stands in this transaction."""
    match event.partition(".")[0]:
        case "appointment":
            return one(await conn.fetchrow(APPOINTMENT_FACTS, practice_id, subject_id), AppointmentFacts)
        case "write_back":
            return one(await conn.fetchrow(WRITE_BACK_FACTS, practice_id, subject_id), WriteBackFacts)
        case _:
            return one(await conn.fetchrow(REQUEST_FACTS, practice_id, subject_id), RequestFacts)


ANYBODY_LISTENS = """
SELECT EXISTS (SELECT FROM webhook_endpoint WHERE practice_id = $1 AND enabled AND $2 = ANY(events))
"""


async def anybody_listens(conn: Connection, practice_id: UUID, event: Event) -> bool:
    """Say whether any of the practice's endpoints is to be told of such events."""
    return bool(only(await conn.fetchrow(ANYBODY_LISTENS, practice_id, event)))


INSERT_EVENT = """
INSERT INTO webhook_event (practice_id, webhook_event_id, type, body, created_at) VALUES ($1, $2, $3, $4, $5)
"""


async def insert_event(
    conn: Connection, practice_id: UUID, event_id: UUID, type_: str, body: str, now: datetime
) -> None:
    """Keep an event in the bytes that are sent."""
    await conn.execute(INSERT_EVENT, practice_id, event_id, type_, body, now)


INSERT_DELIVERIES = """
INSERT INTO webhook_delivery (practice_id, webhook_delivery_id, webhook_event_id, webhook_endpoint_id, due_at,
  created_at)
SELECT practice_id, gen_random_uuid(), $2, webhook_endpoint_id, $4, $4
FROM webhook_endpoint WHERE practice_id = $1 AND enabled AND $3 = ANY(events)
"""


async def queue_deliveries(conn: Connection, practice_id: UUID, event_id: UUID, event: Event, now: datetime) -> None:
    """Queue an event for every endpoint that is to be told of it."""
    await conn.execute(INSERT_DELIVERIES, practice_id, event_id, event, now)
