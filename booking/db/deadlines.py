"""Deadlines: lines of the outbox whose visit is near, and that staff were told of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, many
from booking.db.write_backs import Action


class Late(Struct, frozen=True, kw_only=True):
    """A line that is not done though its visit is near."""

    practice_id: UUID
    write_back_id: UUID
    action: Action
    starts_at: datetime
    timezone: str
    reason: str | None


# Across practices: a worker serves them all. Who is at the same passes over what another has locked.
LOCK_LATE = """
SELECT w.practice_id, w.write_back_id, w.action, a.starts_at, p.timezone, w.reason
FROM write_back w
JOIN appointment a ON a.practice_id = w.practice_id AND a.appointment_id = w.appointment_id
JOIN practice p ON p.practice_id = w.practice_id
WHERE w.state IN ('queued', 'sending', 'unknown', 'needs_attention') AND w.escalated_at IS NULL
  AND w.action IN ('create', 'change', 'cancel') AND w.queued_at <= $2 AND a.starts_at <= $1
  AND EXISTS (SELECT FROM connection c WHERE c.practice_id = w.practice_id AND c.status = 'live')
ORDER BY a.starts_at LIMIT 200 FOR UPDATE OF w SKIP LOCKED
"""


async def lock_late(conn: Connection, *, soon: datetime, queued_before: datetime) -> list[Late]:
    """Return lines that are not done, whose visit starts by `soon`, and of which staff were not told yet."""
    return many(await conn.fetch(LOCK_LATE, soon, queued_before), Late)


ESCALATE = """
UPDATE write_back SET escalated_at = $4, reason = $3 WHERE practice_id = $1 AND write_back_id = $2
"""


async def escalate(conn: Connection, practice_id: UUID, write_back_id: UUID, reason: str, now: datetime) -> None:
    """Note that staff are told, and what."""
    await conn.execute(ESCALATE, practice_id, write_back_id, reason, now)


SET_ESCALATED = "UPDATE write_back SET escalated_at = $3 WHERE practice_id = $1 AND write_back_id = $2"


async def set_escalated(conn: Connection, practice_id: UUID, write_back_id: UUID, now: datetime) -> None:
    """Note that staff are told of a line, whose reason says it already."""
    await conn.execute(SET_ESCALATED, practice_id, write_back_id, now)
