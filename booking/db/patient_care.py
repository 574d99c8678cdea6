"""What the PIMS keeps of a patient's health: the vaccines it was given, and what it is due for."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, affected, many
from pims_adapters import contract as pims

AHEAD = timedelta(days=183)

PUT_VACCINATION = """
INSERT INTO vaccination (practice_id, pims_id, patient, name, given, due) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (practice_id, pims_id) DO UPDATE
SET patient = excluded.patient, name = excluded.name, given = excluded.given, due = excluded.due
WHERE (vaccination.patient, vaccination.name, vaccination.given, vaccination.due)
  IS DISTINCT FROM (excluded.patient, excluded.name, excluded.given, excluded.due)
"""


async def put_vaccination(conn: Connection, practice_id: UUID, record: pims.Vaccination) -> bool:
    """Mirror a vaccination; whether it differs from what we had."""
    said = (record.pims_id, record.patient, record.name, record.given, record.due)
    return affected(await conn.execute(PUT_VACCINATION, practice_id, *said)) == 1


PUT_REMINDER = """
INSERT INTO reminder (practice_id, pims_id, patient, name, due, done, appointment_type)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (practice_id, pims_id) DO UPDATE SET patient = excluded.patient, name = excluded.name,
  due = excluded.due, done = excluded.done, appointment_type = excluded.appointment_type
WHERE (reminder.patient, reminder.name, reminder.due, reminder.done, reminder.appointment_type)
  IS DISTINCT FROM (excluded.patient, excluded.name, excluded.due, excluded.done, excluded.appointment_type)
"""


async def put_reminder(conn: Connection, practice_id: UUID, record: pims.Reminder) -> bool:
    """Mirror a reminder; whether it differs from what we had."""
    said = (record.pims_id, record.patient, record.name, record.due, record.done, record.appointment_type)
    return affected(await conn.execute(PUT_REMINDER, practice_id, *said)) == 1


class Vaccine(Struct, frozen=True, kw_only=True):
    """A vaccine that protects a patient, and until when."""

    name: str
    given: date
    due: date | None


# Of a vaccine that was given again and again, the last time counts.
CURRENT_VACCINES = """
SELECT name, given, due FROM (
  SELECT DISTINCT ON (lower(v.name)) v.name, v.given, v.due
  FROM vaccination v JOIN patient p ON p.practice_id = v.practice_id AND p.pims_id = v.patient
  WHERE v.practice_id = $1 AND p.patient_id = $2 AND v.given <= $3
  ORDER BY lower(v.name), v.given DESC, v.pims_id
) last WHERE due IS NULL OR due >= $3 ORDER BY due NULLS LAST, name LIMIT 100
"""


async def current_vaccines(conn: Connection, practice_id: UUID, patient_id: UUID, today: date) -> list[Vaccine]:
    """Return the vaccines that have not run out, for the patient's ID card."""
    return many(await conn.fetch(CURRENT_VACCINES, practice_id, patient_id, today), Vaccine)


class Due(Struct, frozen=True, kw_only=True):
    """Something that a patient is due for. `appointment_type_id`: what would be booked for it, where that is known."""

    name: str
    due: date
    overdue: bool
    appointment_type_id: UUID | None


REMINDERS = """
SELECT r.name, r.due, r.due < $3 AS overdue, t.appointment_type_id
FROM reminder r
JOIN patient p ON p.practice_id = r.practice_id AND p.pims_id = r.patient
LEFT JOIN appointment_type t ON t.practice_id = r.practice_id AND t.pims_id = r.appointment_type
WHERE r.practice_id = $1 AND p.patient_id = $2 AND NOT r.done AND r.due <= $4 ORDER BY r.due, r.name LIMIT 100
"""


async def reminders(conn: Connection, practice_id: UUID, patient_id: UUID, today: date) -> list[Due]:
    """Return what a patient is overdue for or due for within six months; what was done is left out."""
    return many(await conn.fetch(REMINDERS, practice_id, patient_id, today, today + AHEAD), Due)
