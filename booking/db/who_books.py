"""Who wants to book: whom their contact reaches, their patients, and how they stand with the practice."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.contacts import Contact
from booking.db.clients import Client, Patient
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


class Who(Record, frozen=True, kw_only=True):
    """Whom a contact reaches, and those of the patients asked for that there are, whosever they are."""

    reached: list[Client]
    patients: list[Patient]


# Who books refers to the client and patients later on, under a day's lock. A sync page changes them first and takes the
# day's lock after: taken in the same order here, the two wait for each other in a line, not in a circle.
WHO_BOOKS = """
WITH reached AS (
  SELECT c.client_id, c.pims_id, c.given_name, c.family_name
  FROM client_contact k JOIN client c ON c.practice_id = k.practice_id AND c.client_id = k.client_id
  WHERE k.practice_id = $1 AND k.kind = $2 AND k.value = $3 AND c.active
  ORDER BY c.given_name, c.family_name, c.client_id LIMIT 20 FOR KEY SHARE OF c
), patients AS (
  SELECT patient_id, client_id, pims_id, name, species, breed, sex, birth_date, status
  FROM patient WHERE practice_id = $1 AND patient_id = ANY($5::uuid[]) ORDER BY patient_id LIMIT 200 FOR KEY SHARE
), counted AS (
  SELECT array_agg(client_id) AS ids FROM reached WHERE $4::uuid IS NULL OR client_id = $4
), open AS (
  SELECT reference, client_id, patient_id FROM appointment
  WHERE practice_id = $1 AND (client_id = ANY((SELECT ids FROM counted)::uuid[]) OR patient_id = ANY($5::uuid[]))
    AND source = 'online' AND status IN ('booked', 'confirmed') AND starts_at > $6
)
SELECT
  coalesce((SELECT jsonb_agg(reached) FROM reached), '[]') AS reached,
  coalesce((SELECT jsonb_agg(patients) FROM patients), '[]') AS patients,
  EXISTS (SELECT FROM blocked_contact b WHERE b.practice_id = $1 AND (
    (b.kind = $2 AND b.value = $3)
    OR (b.kind = 'client' AND b.value = ANY((SELECT ids FROM counted)::text[]))
    OR EXISTS (SELECT FROM client_contact k WHERE k.practice_id = b.practice_id
               AND k.client_id = ANY((SELECT ids FROM counted)::uuid[]) AND k.kind = b.kind AND k.value = b.value)
  )) AS blocked,
  (SELECT count(DISTINCT reference) FROM open WHERE client_id = ANY((SELECT ids FROM counted)::uuid[]))
    AS open_bookings,
  coalesce((SELECT max(n) FROM (
    SELECT count(*) AS n FROM open WHERE patient_id = ANY($5::uuid[]) GROUP BY patient_id
  ) counted), 0) AS open_bookings_of_a_patient
"""


async def who_books(
    conn: Connection,
    practice_id: UUID,
    contact: Contact,
    now: datetime,
    *,
    client_id: UUID | None = None,
    patient_ids: list[UUID],
) -> Who:
    """Return the active clients that a proven contact reaches, with these patients, and how they stand.

    They stay as they are until the transaction ends. Bookings are counted of the client and the patients named;
    without a client, of all whom the contact reaches.
    """
    row = await conn.fetchrow(WHO_BOOKS, practice_id, contact.kind, contact.value, client_id, patient_ids, now)
    found = one(row, Who)
    if found is None:
        raise LookupError("The statement returns one row, whoever asks.")
    return found
