"""How somebody who wants to book stands with the practice: whether they are blocked, and what they have booked."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.contacts import Contact
from booking.db.pool import Connection, one

LOCK_CONTACT = "SELECT pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'books', $1::uuid, $2::text), 0))"


async def lock_contact(conn: Connection, practice_id: UUID, contact: Contact) -> None:
    """Let one who books come after the other until the transaction ends, so that limits count what both book."""
    await conn.execute(LOCK_CONTACT, practice_id, contact.value)


class Record(Struct, frozen=True, kw_only=True):
    """Open bookings are those made online whose time is still to come; of patients, the one with most counts."""

    blocked: bool
    open_bookings: int
    open_bookings_of_a_patient: int


RECORD = """
WITH open AS (
  SELECT reference, client_id, patient_id FROM appointment
  WHERE practice_id = $1 AND (client_id = ANY($4::uuid[]) OR patient_id = ANY($5::uuid[]))
    AND source = 'online' AND status IN ('booked', 'confirmed') AND starts_at > $6
)
SELECT
  EXISTS (SELECT FROM blocked_contact b WHERE b.practice_id = $1 AND (
    (b.kind = $2 AND b.value = $3)
    OR (b.kind = 'client' AND b.value = ANY($4::uuid[]::text[]))
    OR EXISTS (SELECT FROM client_contact k WHERE k.practice_id = b.practice_id
               AND k.client_id = ANY($4::uuid[]) AND k.kind = b.kind AND k.value = b.value)
  )) AS blocked,
  (SELECT count(DISTINCT reference) FROM open WHERE client_id = ANY($4::uuid[])) AS open_bookings,
  coalesce((SELECT max(n) FROM (
    SELECT count(*) AS n FROM open WHERE patient_id = ANY($5::uuid[]) GROUP BY patient_id
  ) counted), 0) AS open_bookings_of_a_patient
"""


async def record_of(
    conn: Connection,
    practice_id: UUID,
    contact: Contact,
    client_ids: list[UUID],
    patient_ids: list[UUID],
    now: datetime,
) -> Record:
    """Return how a proven contact stands, and the clients and patients it books for."""
    row = await conn.fetchrow(RECORD, practice_id, contact.kind, contact.value, client_ids, patient_ids, now)
    found = one(row, Record)
    if found is None:
        raise LookupError("The statement returns one row, whoever asks.")
    return found
