"""Tasks of staff: what they are to look at, opened by what we noticed and closed by them or by what we notice next."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from msgspec import Struct

from booking.db.pool import Connection, affected, many, one

Kind = Literal["missing", "gone", "another_record", "column_removed", "losses", "unreadable", "not_entered", "timezone"]


class StaffTask(Struct, frozen=True, kw_only=True):
    """Something to look at. `subject`: what of, so that the same is not told twice; the words name no client."""

    staff_task_id: UUID
    position: int
    kind: Kind
    subject: str
    appointment_id: UUID | None
    words: str
    opened_at: datetime
    closed_at: datetime | None


COLUMNS = "staff_task_id, position, kind, subject, appointment_id, words, opened_at, closed_at"

OPEN = """
INSERT INTO staff_task (practice_id, staff_task_id, kind, subject, appointment_id, words, opened_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (practice_id, kind, subject) WHERE closed_at IS NULL DO NOTHING
"""


async def open_task(
    conn: Connection,
    practice_id: UUID,
    kind: Kind,
    subject: str,
    words: str,
    now: datetime,
    *,
    appointment_id: UUID | None = None,
) -> None:
    """Ask staff to look at something, unless they are asked already."""
    await conn.execute(OPEN, practice_id, uuid4(), kind, subject, appointment_id, words, now)


CLOSE_OF = """
UPDATE staff_task SET closed_at = $4
WHERE practice_id = $1 AND kind = ANY($2::text[]) AND subject = ANY($3::text[]) AND closed_at IS NULL
"""


async def close_tasks(
    conn: Connection, practice_id: UUID, kinds: list[Kind], subjects: list[str], now: datetime
) -> None:
    """Close what has settled itself."""
    await conn.execute(CLOSE_OF, practice_id, kinds, subjects, now)


CLOSE = f"""
UPDATE staff_task SET closed_at = $3, closed_by = $4
WHERE practice_id = $1 AND staff_task_id = $2 AND closed_at IS NULL RETURNING {COLUMNS}
"""


async def close_task(
    conn: Connection, practice_id: UUID, staff_task_id: UUID, *, by: UUID, now: datetime
) -> StaffTask | None:
    """Take it from staff that a task is done; None: there is no such open task."""
    return one(await conn.fetchrow(CLOSE, practice_id, staff_task_id, now, by), StaffTask)


OPEN_TASKS = f"""
SELECT {COLUMNS} FROM staff_task
WHERE practice_id = $1 AND closed_at IS NULL AND position < $2 ORDER BY position DESC LIMIT $3
"""


async def open_tasks(conn: Connection, practice_id: UUID, *, before: int, limit: int) -> list[StaffTask]:
    """Return what staff are to look at, the newest first, from before a position."""
    return many(await conn.fetch(OPEN_TASKS, practice_id, before, limit), StaffTask)


FORGET_OLD_TASKS = "DELETE FROM staff_task WHERE closed_at < $1"


async def forget_old_tasks(conn: Connection, before: datetime) -> int:
    """Delete tasks that were closed long ago."""
    return affected(await conn.execute(FORGET_OLD_TASKS, before))
