"""Staff: who may use the console, and who changed what."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, one, only

Role = Literal["owner", "manager", "front_desk", "read_only"]


class Staff(Struct, frozen=True, kw_only=True):
    """A member of the practice's staff."""

    staff_id: UUID
    email: str
    name: str
    password_hash: str
    role: Role


STAFF_BY_EMAIL = """
SELECT staff_id, email, name, password_hash, role FROM staff WHERE practice_id = $1 AND email = $2 AND active
"""


async def staff_by_email(conn: Connection, practice_id: UUID, email: str) -> Staff | None:
    """Find a member of staff by the email they sign in with."""
    return one(await conn.fetchrow(STAFF_BY_EMAIL, practice_id, email), Staff)


STAFF = """
SELECT staff_id, email, name, password_hash, role FROM staff WHERE practice_id = $1 AND staff_id = $2 AND active
"""


async def staff_by_id(conn: Connection, practice_id: UUID, staff_id: UUID) -> Staff | None:
    """Find a member of staff who may still sign in."""
    return one(await conn.fetchrow(STAFF, practice_id, staff_id), Staff)


PUT_STAFF = """
INSERT INTO staff (practice_id, staff_id, email, name, password_hash, role) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT staff_email_unique
DO UPDATE SET name = excluded.name, password_hash = excluded.password_hash, role = excluded.role
"""


async def put_staff(conn: Connection, practice_id: UUID, staff: Staff) -> None:
    """Add a member of staff, or change the one with that email."""
    await conn.execute(PUT_STAFF, practice_id, staff.staff_id, staff.email, staff.name, staff.password_hash, staff.role)


# One change of a practice after the other, so that each has the next number.
LOCK_HISTORY = "SELECT 1 FROM practice WHERE practice_id = $1 FOR NO KEY UPDATE"

INSERT_AUDIT = """
INSERT INTO audit (practice_id, number, actor_id, what, subject_id, before, after, at)
SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7 FROM audit WHERE practice_id = $1 RETURNING number
"""


async def record_change(
    conn: Connection,
    practice_id: UUID,
    *,
    actor_id: UUID,
    what: str,
    subject_id: UUID,
    before: object,
    after: object,
    now: datetime,
) -> int:
    """Write into the audit log who (a member of staff or an API key) changed what, and how it was before.

    Returns the change's number.
    """
    await conn.execute(LOCK_HISTORY, practice_id)
    row = await conn.fetchrow(INSERT_AUDIT, practice_id, actor_id, what, subject_id, before, after, now)
    return int(only(row))
