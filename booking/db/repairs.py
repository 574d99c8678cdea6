"""Repairs: what a visit claims while others are looked for who can serve it at the same time."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from availability import Assignment
from booking.db.appointments import Status
from booking.db.pool import Connection, many


class Taken(Struct, frozen=True, kw_only=True):
    """Claims of a visit, and the resources that they are on."""

    claim_ids: list[UUID]
    resource_ids: list[UUID]


class _Claim(Struct, frozen=True, kw_only=True):
    claim_id: UUID
    resource_id: UUID


# A visit that is cancelled is not counted among its day's.
NOT_COUNTED = "UPDATE appointment SET status = 'cancelled' WHERE practice_id = $1 AND appointment_id = $2"
FREE_THINGS = """
DELETE FROM claim c USING resource r
WHERE c.practice_id = $1 AND c.appointment_id = $2 AND r.practice_id = $1 AND r.resource_id = c.resource_id
  AND r.kind NOT IN ('provider', 'technician')
"""
CLAIMS = "SELECT claim_id, resource_id FROM claim WHERE practice_id = $1 AND appointment_id = $2"


async def set_aside(conn: Connection, practice_id: UUID, appointment_id: UUID, *, people_only: bool) -> Taken:
    """Let a visit claim once more beside what it claims, which counts as taken: all of it, or its people only.

    In the transaction that gives it others or is undone.
    """
    await conn.execute(NOT_COUNTED, practice_id, appointment_id)
    if people_only:
        await conn.execute(FREE_THINGS, practice_id, appointment_id)
    found = many(await conn.fetch(CLAIMS, practice_id, appointment_id), _Claim)
    return Taken(claim_ids=[one.claim_id for one in found], resource_ids=[one.resource_id for one in found])


PEOPLE_AMONG = """
SELECT resource_id FROM resource
WHERE practice_id = $1 AND resource_id = ANY($2::uuid[]) AND kind IN ('provider', 'technician')
"""


async def people_among(conn: Connection, practice_id: UUID, resource_ids: list[UUID]) -> set[UUID]:
    """Return those resources that are people."""
    return {row["resource_id"] for row in await conn.fetch(PEOPLE_AMONG, practice_id, resource_ids)}


GIVE_BACK = "DELETE FROM claim WHERE practice_id = $1 AND claim_id = ANY($2::uuid[])"


async def give_back(conn: Connection, practice_id: UUID, claim_ids: list[UUID]) -> None:
    """Give back some claims."""
    await conn.execute(GIVE_BACK, practice_id, claim_ids)


SET_SERVED_BY = """
UPDATE appointment SET resources = $3, status = $4, calendar_sequence = calendar_sequence + 1
WHERE practice_id = $1 AND appointment_id = $2
"""


async def set_served_by(
    conn: Connection, practice_id: UUID, appointment_id: UUID, resources: Assignment, status: Status
) -> None:
    """Say who serves a visit, which stands as it did."""
    await conn.execute(SET_SERVED_BY, practice_id, appointment_id, resources, status)
