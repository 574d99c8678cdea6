"""Appointment requests: asked for, not agreed; what staff made of them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, many, one

RequestStatus = Literal["open", "booked", "declined", "withdrawn"]


class AppointmentRequest(Struct, frozen=True, kw_only=True):
    """An appointment asked for. `reference`: the booking that it led to; `answer`: why it was declined."""

    appointment_request_id: UUID
    appointment_type_id: UUID | None
    contact_kind: Literal["phone", "email"]
    contact_value: str
    name: str
    patient_name: str
    species: str
    preferred_times: str
    message: str
    created_at: datetime
    status: RequestStatus = "open"
    reference: str | None = None
    answer: str | None = None
    decided_at: datetime | None = None


COLUMNS = """appointment_request_id, appointment_type_id, contact_kind, contact_value, name, patient_name, species,
  preferred_times, message, created_at, status, reference, answer, decided_at"""

INSERT_REQUEST = """
INSERT INTO appointment_request (practice_id, appointment_request_id, appointment_type_id, contact_kind, contact_value,
  name, patient_name, species, preferred_times, message, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


async def insert_request(conn: Connection, practice_id: UUID, request: AppointmentRequest) -> None:
    """Add a request for an appointment."""
    await conn.execute(
        INSERT_REQUEST,
        practice_id,
        request.appointment_request_id,
        request.appointment_type_id,
        request.contact_kind,
        request.contact_value,
        request.name,
        request.patient_name,
        request.species,
        request.preferred_times,
        request.message,
        request.created_at,
    )


REQUESTS = f"""
SELECT {COLUMNS} FROM appointment_request
WHERE practice_id = $1 AND ($2::text IS NULL OR status = $2)
  AND ($3::timestamptz IS NULL OR (created_at, appointment_request_id) < ($3, $4::uuid))
ORDER BY created_at DESC, appointment_request_id DESC LIMIT $5
"""


async def requests(
    conn: Connection,
    practice_id: UUID,
    status: RequestStatus | None,
    *,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 200,
) -> list[AppointmentRequest]:
    """Return requests, newest first. `after`: creation and id of the last one that was seen."""
    since, last = after or (None, None)
    return many(await conn.fetch(REQUESTS, practice_id, status, since, last, limit), AppointmentRequest)


async def open_requests(conn: Connection, practice_id: UUID) -> list[AppointmentRequest]:
    """Return the requests that staff have not dealt with, newest first."""
    return await requests(conn, practice_id, "open")


REQUEST = f"SELECT {COLUMNS} FROM appointment_request WHERE practice_id = $1 AND appointment_request_id = $2"


async def request_by_id(conn: Connection, practice_id: UUID, request_id: UUID) -> AppointmentRequest | None:
    """Find one request."""
    return one(await conn.fetchrow(REQUEST, practice_id, request_id), AppointmentRequest)


LOCK_REQUEST = f"{REQUEST} FOR UPDATE"


async def lock_request(conn: Connection, practice_id: UUID, request_id: UUID) -> AppointmentRequest | None:
    """Find a request that is to be decided on in this transaction."""
    return one(await conn.fetchrow(LOCK_REQUEST, practice_id, request_id), AppointmentRequest)


DECIDE = """
UPDATE appointment_request SET status = $3, reference = $4, answer = $5, decided_at = $6
WHERE practice_id = $1 AND appointment_request_id = $2
"""


async def decide(
    conn: Connection,
    practice_id: UUID,
    request_id: UUID,
    status: RequestStatus,
    now: datetime,
    *,
    reference: str | None = None,
    answer: str | None = None,
) -> None:
    """Say what became of a request."""
    await conn.execute(DECIDE, practice_id, request_id, status, reference, answer, now)
