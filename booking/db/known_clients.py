"""The practice's clients as its staff look them up."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.db.appointments import Status
from booking.db.pool import Connection, many

ESCAPED = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


class KnownClient(Struct, frozen=True, kw_only=True):
    """A client in a list."""

    client_id: UUID
    given_name: str
    family_name: str
    active: bool


CLIENTS_BY_NAME = """
SELECT client_id, given_name, family_name, active FROM client
WHERE practice_id = $1 AND given_name || ' ' || family_name || ' ' || given_name ILIKE '%' || $2 || '%'
ORDER BY active DESC, family_name, given_name, client_id LIMIT $3
"""


async def clients_by_name(conn: Connection, practice_id: UUID, part: str, limit: int) -> list[KnownClient]:
    """Return the clients with this in their name, as `Olivia Carter` or `Carter Olivia`, the active ones first."""
    return many(await conn.fetch(CLIENTS_BY_NAME, practice_id, part.translate(ESCAPED), limit), KnownClient)


CLIENTS_BY_CONTACT = """
SELECT DISTINCT c.client_id, c.given_name, c.family_name, c.active
FROM client_contact k JOIN client c ON c.practice_id = k.practice_id AND c.client_id = k.client_id
WHERE k.practice_id = $1 AND k.kind = $2 AND k.value = $3
ORDER BY c.active DESC, c.family_name, c.given_name, c.client_id LIMIT $4
"""


async def clients_reached_by(
    conn: Connection, practice_id: UUID, kind: str, value: str, limit: int
) -> list[KnownClient]:
    """Return the clients that a phone number or email address reaches."""
    return many(await conn.fetch(CLIENTS_BY_CONTACT, practice_id, kind, value, limit), KnownClient)


class ClientAppointment(Struct, frozen=True, kw_only=True):
    """An appointment of a client, past or to come."""

    appointment_id: UUID
    reference: str | None
    status: Status
    starts_at: datetime
    ends_at: datetime
    appointment_type: str | None
    patient: str | None


APPOINTMENTS_OF = """
SELECT a.appointment_id, a.reference, a.status, a.starts_at, a.ends_at,
  coalesce(nullif(t.name, ''), t.pims_name) AS appointment_type, p.name AS patient
FROM appointment a
LEFT JOIN appointment_type t ON t.practice_id = a.practice_id AND t.appointment_type_id = a.appointment_type_id
LEFT JOIN patient p ON p.practice_id = a.practice_id AND p.patient_id = a.patient_id
WHERE a.practice_id = $1 AND a.client_id = $2 ORDER BY a.starts_at DESC, a.appointment_id LIMIT 100
"""


async def appointments_of(conn: Connection, practice_id: UUID, client_id: UUID) -> list[ClientAppointment]:
    """Return a client's latest appointments, those to come first."""
    return many(await conn.fetch(APPOINTMENTS_OF, practice_id, client_id), ClientAppointment)
