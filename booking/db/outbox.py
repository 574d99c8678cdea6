"""The outbox as staff see it: its lines, those that are late first, and what staff do with one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, many, one
from booking.db.write_backs import Action, State, Subject


class Line(Struct, frozen=True, kw_only=True):
    """A line of the outbox as staff see it: what is to be done, where it stands, why, and when it is tried next."""

    write_back_id: UUID
    position: int
    appointment_id: UUID
    reference: str | None
    kind: Subject
    subject_id: UUID
    action: Action
    state: State
    reason: str | None
    attempts: int
    queued_at: datetime
    due_at: datetime
    written_at: datetime | None
    note: str | None
    escalated_at: datetime | None
    rank: int


# Those that are late are listed before all others: their rank lies above every position.
RANK = """(w.position + CASE WHEN w.escalated_at IS NOT NULL AND w.state NOT IN ('written', 'superseded')
  THEN 1::bigint << 61 ELSE 0 END)"""

LINE = f"""w.write_back_id, w.position, w.appointment_id, a.reference, w.kind, w.subject_id, w.action, w.state,
  w.reason, w.attempts, w.queued_at, w.due_at, w.written_at, w.note, w.escalated_at, {RANK} AS rank"""

LINES = f"""
SELECT {LINE}
FROM write_back w JOIN appointment a ON a.practice_id = w.practice_id AND a.appointment_id = w.appointment_id
WHERE w.practice_id = $1 AND {RANK} < $2 AND ($3::text[] IS NULL OR w.state = ANY($3))
ORDER BY rank DESC LIMIT $4
"""


async def outbox(
    conn: Connection, practice_id: UUID, *, before: int, states: list[State] | None, limit: int
) -> list[Line]:
    """Return the outbox below a rank, what is late and then the newest first; in some states only, if any are named."""
    return many(await conn.fetch(LINES, practice_id, before, states, limit), Line)


OF_APPOINTMENTS = f"""
SELECT {LINE}
FROM write_back w JOIN appointment a ON a.practice_id = w.practice_id AND a.appointment_id = w.appointment_id
WHERE w.practice_id = $1 AND w.appointment_id = ANY($2::uuid[]) AND w.kind <> 'conversation'
ORDER BY w.position LIMIT 200
"""


async def lines_of(conn: Connection, practice_id: UUID, appointment_ids: list[UUID]) -> list[Line]:
    """Return the outbox of some appointments, oldest first."""
    return many(await conn.fetch(OF_APPOINTMENTS, practice_id, appointment_ids), Line)


LOCK_LINE = f"""
SELECT {LINE}
FROM write_back w JOIN appointment a ON a.practice_id = w.practice_id AND a.appointment_id = w.appointment_id
WHERE w.practice_id = $1 AND w.write_back_id = $2 FOR UPDATE OF w
"""


async def lock_line(conn: Connection, practice_id: UUID, write_back_id: UUID) -> Line | None:
    """Find a line that is to be changed in this transaction."""
    return one(await conn.fetchrow(LOCK_LINE, practice_id, write_back_id), Line)


# Counted as tried once: the PIMS is asked for the record before it is sent, and the tries begin anew. What the PIMS
# accepted and never showed may be sent again.
RETRY = """
UPDATE write_back SET state = CASE WHEN sent_at IS NULL THEN 'queued' ELSE 'unknown' END,
  attempts = least(attempts, 1), repairs = 0, due_at = $3, reason = NULL, link_to = $4,
  accepted = accepted AND state = 'unknown'
WHERE practice_id = $1 AND write_back_id = $2
"""


async def retry(
    conn: Connection, practice_id: UUID, write_back_id: UUID, now: datetime, *, link_to: str | None = None
) -> None:
    """Let a line be tried now; with `link_to`, by looking at that record of the PIMS."""
    await conn.execute(RETRY, practice_id, write_back_id, now, link_to)


DONE_BY_HAND = """
UPDATE write_back SET state = 'written', reason = $4, written_at = $3 WHERE practice_id = $1 AND write_back_id = $2
"""


async def done_by_hand(
    conn: Connection, practice_id: UUID, write_back_id: UUID, now: datetime, reason: str | None
) -> None:
    """Take it from staff, or from what the PIMS shows, that a line is done."""
    await conn.execute(DONE_BY_HAND, practice_id, write_back_id, now, reason)


KEY_KNOWN = "SELECT EXISTS (SELECT FROM write_back WHERE practice_id = $1 AND key = $2)"


async def key_known(conn: Connection, practice_id: UUID, key: str) -> bool:
    """Say whether a key that a record of the PIMS carries is one of ours."""
    return bool(await conn.fetchval(KEY_KNOWN, practice_id, key))
