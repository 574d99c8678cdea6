"""Claims and the locks before them: which resource lane is taken, by which hold or appointment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, many

LOCK_DAYS = """
SELECT pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'claim', $1::uuid, day), 0)) FROM unnest($2::date[]) day
"""


async def lock_days(conn: Connection, practice_id: UUID, days: Iterable[date]) -> None:
    """Take the locks of a practice's local days until the transaction ends, in the order that everybody takes them.

    The exclusion constraint alone would keep claims apart, but inserters that meet in it can deadlock; whoever
    waits here instead waits in line.
    """
    await conn.execute(LOCK_DAYS, practice_id, sorted(set(days)))


class Claim(Struct, frozen=True, kw_only=True):
    """A lane of a resource for a span."""

    resource_id: UUID
    lane: int
    starts_at: datetime
    ends_at: datetime


class Holder(Struct, frozen=True, kw_only=True):
    """Whose a claim is: a hold's or an appointment's."""

    hold_id: UUID | None = None
    appointment_id: UUID | None = None


CLAIMED = """
SELECT resource_id, lane, starts_at, ends_at FROM claim
WHERE practice_id = $1 AND ends_at > $2 AND starts_at < $3 AND resource_id = ANY($4::uuid[])
  AND ($5::uuid IS NULL OR hold_id IS DISTINCT FROM $5)
"""


async def claimed(
    conn: Connection,
    practice_id: UUID,
    start: datetime,
    end: datetime,
    resource_ids: Iterable[UUID],
    *,
    own_hold: UUID | None,
) -> list[Claim]:
    """Return what is claimed of these resources between two instants, by whomever but the asker's own hold."""
    return many(await conn.fetch(CLAIMED, practice_id, start, end, list(resource_ids), own_hold), Claim)


INSERT_CLAIMS = """
INSERT INTO claim (practice_id, resource_id, lane, during, hold_id, appointment_id)
SELECT $1, resource_id, lane, tstzrange(starts_at, ends_at), hold_id, appointment_id
FROM unnest($2::uuid[], $3::integer[], $4::timestamptz[], $5::timestamptz[], $6::uuid[], $7::uuid[])
  AS new (resource_id, lane, starts_at, ends_at, hold_id, appointment_id)
"""


async def insert_claims(conn: Connection, practice_id: UUID, claims: list[tuple[Holder, Claim]]) -> None:
    """Take lanes for their holders. The constraint `claim_never_overlaps` refuses a lane that is taken."""
    await conn.execute(INSERT_CLAIMS, practice_id, *_columns(claims))


def _columns(claims: list[tuple[Holder, Claim]]) -> tuple[list[object], ...]:
    return (
        [one.resource_id for _, one in claims],
        [one.lane for _, one in claims],
        [one.starts_at for _, one in claims],
        [one.ends_at for _, one in claims],
        [by.hold_id for by, _ in claims],
        [by.appointment_id for by, _ in claims],
    )


# One round trip, under the day's lock. The old hold's claims go first: the new ones stand where they stood.
CLAIM = """
WITH freed AS (
  DELETE FROM claim WHERE practice_id = $1 AND hold_id = $8 RETURNING 1
), ended AS (
  DELETE FROM hold WHERE practice_id = $1 AND hold_id = $8
), raised AS (
  UPDATE practice SET schedule_version = schedule_version + 1 WHERE practice_id = $1
)
INSERT INTO claim (practice_id, resource_id, lane, during, hold_id, appointment_id)
SELECT $1, resource_id, lane, tstzrange(starts_at, ends_at), new.hold_id, appointment_id
FROM (SELECT count(*) FROM freed) AS before,
  unnest($2::uuid[], $3::integer[], $4::timestamptz[], $5::timestamptz[], $6::uuid[], $7::uuid[])
  AS new (resource_id, lane, starts_at, ends_at, hold_id, appointment_id)
"""


async def claim(
    conn: Connection, practice_id: UUID, claims: list[tuple[Holder, Claim]], *, instead_of: UUID | None
) -> None:
    """Take lanes for their holders, end the hold that they replace, and say that offers may be out of date.

    The constraint `claim_never_overlaps` refuses a lane that is taken.
    """
    await conn.execute(CLAIM, practice_id, *_columns(claims), instead_of)


DELETE_APPOINTMENT_CLAIMS = "DELETE FROM claim WHERE practice_id = $1 AND appointment_id = $2"


async def free_appointment(conn: Connection, practice_id: UUID, appointment_id: UUID) -> None:
    """Give back everything an appointment claims."""
    await conn.execute(DELETE_APPOINTMENT_CLAIMS, practice_id, appointment_id)
