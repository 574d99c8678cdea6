"""Changes of a booking: the rows they lock and write, and how far the practice lets its clients go."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from availability import Assignment
from booking.contacts import Contact
from booking.db.appointments import COLUMNS, Appointment, Source, Status
from booking.db.pool import Connection, many, one


class Windows(Struct, frozen=True, kw_only=True):
    """How close to a visit clients may still change it, and how often they may move it."""

    cancel_window: timedelta
    reschedule_window: timedelta
    max_reschedules: int


WINDOWS = "SELECT cancel_window, reschedule_window, max_reschedules FROM practice WHERE practice_id = $1"


async def windows(conn: Connection, practice_id: UUID) -> Windows:
    """Return what the practice allows its clients."""
    found = one(await conn.fetchrow(WINDOWS, practice_id), Windows)
    if found is None:
        raise LookupError("A practice is kept as long as anybody is asked about it.")
    return found


class Visit(Appointment, frozen=True, kw_only=True):
    """A visit of a booking that is about to change. `contact`: who is told; `provider_id`: who was asked for."""

    source: Source
    contact: Contact | None
    provider_id: UUID | None
    reschedules: int


VISITS = f"""
SELECT {COLUMNS}, source, contact, provider_id, reschedules FROM appointment
WHERE practice_id = $1 AND reference = $2 ORDER BY visit LIMIT 50
"""


async def visits_of(conn: Connection, practice_id: UUID, reference: str) -> list[Visit]:
    """Return the visits of a booking in their order, as they stand in this transaction."""
    return many(await conn.fetch(VISITS, practice_id, reference), Visit)


# In the order of their ids, as `mirrored_appointments.lock_mirrored` takes them, so that nobody waits in a circle;
# whoever also needs a day's lock takes it after.
LOCK_BOOKING = f"""
SELECT {COLUMNS}, source, contact, provider_id, reschedules FROM appointment
WHERE practice_id = $1 AND reference = $2 ORDER BY appointment_id LIMIT 50 FOR NO KEY UPDATE
"""


async def lock_booking(conn: Connection, practice_id: UUID, reference: str) -> list[Visit]:
    """Return the visits of a booking in their order, kept from others until the transaction ends."""
    return sorted(many(await conn.fetch(LOCK_BOOKING, practice_id, reference), Visit), key=lambda visit: visit.visit)


SET_ASIDE = """
WITH freed AS (DELETE FROM claim WHERE practice_id = $1 AND appointment_id = ANY($2::uuid[]))
UPDATE appointment SET status = 'cancelled' WHERE practice_id = $1 AND appointment_id = ANY($2::uuid[])
"""


async def set_aside(conn: Connection, practice_id: UUID, appointment_ids: list[UUID]) -> None:
    """Free what visits take while their new time is looked for, in the transaction that moves them or is undone."""
    await conn.execute(SET_ASIDE, practice_id, appointment_ids)


MOVE = """
UPDATE appointment SET starts_at = $3, ends_at = $4, resources = $5, status = 'booked',
  calendar_sequence = calendar_sequence + 1, reschedules = reschedules + $6
WHERE practice_id = $1 AND appointment_id = $2
"""


async def move(
    conn: Connection,
    practice_id: UUID,
    appointment_id: UUID,
    starts_at: datetime,
    ends_at: datetime,
    resources: Assignment,
    *,
    counted: bool,
) -> None:
    """Let a visit take place at another time; `counted` among those that its client may move it."""
    await conn.execute(MOVE, practice_id, appointment_id, starts_at, ends_at, resources, int(counted))


SET_STATUS = """
UPDATE appointment SET status = $3, calendar_sequence = calendar_sequence + $4
WHERE practice_id = $1 AND appointment_id = $2
"""


async def set_status(
    conn: Connection, practice_id: UUID, appointment_id: UUID, status: Status, *, raise_sequence: bool
) -> None:
    """Say how a visit stands; where calendars are to learn of it, the sequence rises."""
    await conn.execute(SET_STATUS, practice_id, appointment_id, status, int(raise_sequence))


REFERENCE_OF = "SELECT reference FROM appointment WHERE practice_id = $1 AND appointment_id = $2"


async def reference_of(conn: Connection, practice_id: UUID, appointment_id: UUID) -> str | None:
    """Return the reference of an appointment's booking; None where it was made in the PIMS, or there is none."""
    row = await conn.fetchrow(REFERENCE_OF, practice_id, appointment_id)
    return None if row is None else row["reference"]


STATUS_OF = "SELECT status FROM appointment WHERE practice_id = $1 AND appointment_id = $2"


async def status_of(conn: Connection, practice_id: UUID, appointment_id: UUID) -> Status | None:
    """Return how any appointment stands, ours or the PIMS's."""
    row = await conn.fetchrow(STATUS_OF, practice_id, appointment_id)
    return None if row is None else row["status"]


class Stood(Struct, frozen=True, kw_only=True):
    """How any appointment stood, ours or the PIMS's: ids, times and status, nobody's name or words."""

    reference: str | None
    status: Status
    starts_at: datetime
    ends_at: datetime
    resources: Assignment


LOCK_STANDING = """
SELECT reference, status, starts_at, ends_at, resources FROM appointment
WHERE practice_id = $1 AND appointment_id = $2 FOR NO KEY UPDATE
"""


async def lock_standing(conn: Connection, practice_id: UUID, appointment_id: UUID) -> Stood | None:
    """Return how any appointment stands, kept from others until the transaction ends."""
    return one(await conn.fetchrow(LOCK_STANDING, practice_id, appointment_id), Stood)
