"""The outbox towards the PIMS: what is to be written, what became of it, and who is at it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from booking.db.appointments import Status
from booking.db.pool import Connection, affected, many, one
from pims_adapters.contract import Kind

Action = Literal["create", "change", "cancel", "confirm"]
State = Literal["queued", "sending", "written", "unknown", "needs_attention", "superseded"]


class WriteBack(Struct, frozen=True, kw_only=True):
    """One thing the PIMS is to do. `was` is the state in which it was found when it was leased."""

    practice_id: UUID
    write_back_id: UUID
    appointment_id: UUID
    kind: Kind
    action: Action
    subject_id: UUID
    key: str
    attempts: int
    lease: UUID
    queued_at: datetime
    was: State


INSERT_CHANGE = """
INSERT INTO write_back (practice_id, write_back_id, appointment_id, kind, subject_id, action, key, due_at, queued_at)
VALUES ($1, $2, $3, 'appointment', $3, $4, $5, $6, $6)
"""


async def queue_change(
    conn: Connection, practice_id: UUID, write_back_id: UUID, appointment_id: UUID, action: Action, now: datetime
) -> None:
    """Queue a change of an appointment, under a key of its own."""
    await conn.execute(INSERT_CHANGE, practice_id, write_back_id, appointment_id, action, str(write_back_id), now)


# What a new change makes pointless: creations and changes that never left, and changes that staff were to make by hand.
SUPERSEDE = """
UPDATE write_back SET state = 'superseded', reason = $3
WHERE practice_id = $1 AND appointment_id = $2 AND kind = 'appointment' AND (
  action = ANY($4::text[]) AND state = 'queued' AND attempts = 0
  OR action <> 'create' AND action = ANY($4::text[]) AND state = 'needs_attention')
"""


async def supersede(
    conn: Connection, practice_id: UUID, appointment_id: UUID, actions: list[Action], reason: str
) -> None:
    """Take back what need not be sent any more. What may have left stays: its fate comes first."""
    await conn.execute(SUPERSEDE, practice_id, appointment_id, reason, actions)


# Counted as tried, so that the PIMS is asked for the record before it is sent.
TRY_CREATION_AGAIN = """
UPDATE write_back SET state = 'queued', attempts = 1, due_at = $3
WHERE practice_id = $1 AND appointment_id = $2 AND kind = 'appointment' AND action = 'create'
  AND state = 'needs_attention'
"""


async def try_creation_again(conn: Connection, practice_id: UUID, appointment_id: UUID, now: datetime) -> None:
    """Try a creation that the PIMS refused once more, now that the appointment has changed."""
    await conn.execute(TRY_CREATION_AGAIN, practice_id, appointment_id, now)


CREATION_MATTERS = """
SELECT EXISTS (SELECT FROM write_back
  WHERE practice_id = $1 AND appointment_id = $2 AND kind = 'appointment' AND action = 'create'
    AND state <> 'superseded')
"""


async def creation_matters(conn: Connection, practice_id: UUID, appointment_id: UUID) -> bool:
    """Say whether the PIMS has an appointment of ours, may have it, or will."""
    return bool(await conn.fetchval(CREATION_MATTERS, practice_id, appointment_id))


CHANGES_FOLLOW = """
SELECT EXISTS (SELECT FROM write_back
  WHERE practice_id = $1 AND appointment_id = $2 AND kind = 'appointment' AND action <> 'create'
    AND state <> 'superseded')
"""


async def changes_follow(conn: Connection, practice_id: UUID, appointment_id: UUID) -> bool:
    """Say whether an appointment has been changed with us since it was sent to be created."""
    return bool(await conn.fetchval(CHANGES_FOLLOW, practice_id, appointment_id))


# Due: queued or unresolved and its time has come, or left behind by a worker whose lease has run out.
DUE = """(w.state IN ('queued', 'unknown') AND w.due_at <= $1 OR w.state = 'sending' AND w.leased_until <= $1)"""

# Across practices: a worker serves them all.
PRACTICES_WITH_WORK = f"SELECT DISTINCT w.practice_id FROM write_back w WHERE {DUE} LIMIT 1000"


async def practices_with_work(conn: Connection, now: datetime) -> list[UUID]:
    """Return the practices that have something due."""
    return [row["practice_id"] for row in await conn.fetch(PRACTICES_WITH_WORK, now)]


# The connection's row is locked, not the outbox's: it makes one worker at a time choose within a practice.
# A booking's records go in order: none leaves before those queued before it stand in the PIMS, or need not.
LEASE_NEXT = f"""
WITH line AS (
  SELECT practice_id FROM connection WHERE practice_id = $2 AND status = 'live' FOR UPDATE SKIP LOCKED
), next AS (
  SELECT w.practice_id, w.write_back_id, w.state AS was
  FROM line JOIN write_back w USING (practice_id)
  WHERE {DUE}
    AND NOT EXISTS (SELECT FROM write_back busy
      WHERE busy.practice_id = $2 AND busy.state = 'sending' AND busy.leased_until > $1)
    AND NOT EXISTS (SELECT FROM write_back before
      WHERE before.practice_id = $2 AND before.appointment_id = w.appointment_id
        AND before.position < w.position AND before.state NOT IN ('written', 'superseded'))
  ORDER BY w.position LIMIT 1
)
UPDATE write_back w SET state = 'sending', lease = $3, leased_until = $4, attempts = w.attempts + 1
FROM next WHERE w.practice_id = $2 AND w.write_back_id = next.write_back_id
RETURNING w.practice_id, w.write_back_id, w.appointment_id, w.kind, w.action, w.subject_id, w.key, w.attempts,
  w.lease, w.queued_at, next.was
"""


async def lease_next(
    conn: Connection, practice_id: UUID, *, now: datetime, lease: UUID, until: datetime
) -> WriteBack | None:
    """Take the practice's next due record for this worker alone, until the lease runs out."""
    return one(await conn.fetchrow(LEASE_NEXT, now, practice_id, lease, until), WriteBack)


SETTLE = """
UPDATE write_back SET state = $4, reason = $5, due_at = $6, leased_until = NULL,
  written_at = CASE WHEN $4 = 'written' THEN $7::timestamptz END
WHERE practice_id = $1 AND write_back_id = $2 AND lease = $3 AND state = 'sending'
"""


async def settle(
    conn: Connection, leased: WriteBack, state: State, *, reason: str | None, due_at: datetime, now: datetime
) -> bool:
    """Say what became of a leased record. False: the lease was lost to another worker, whose word counts."""
    return (
        affected(
            await conn.execute(
                SETTLE, leased.practice_id, leased.write_back_id, leased.lease, state, reason, due_at, now
            )
        )
        == 1
    )


SET_PIMS_ID = {
    "client": "UPDATE client SET pims_id = $3 WHERE practice_id = $1 AND client_id = $2 AND pims_id IS NULL",
    "patient": "UPDATE patient SET pims_id = $3 WHERE practice_id = $1 AND patient_id = $2 AND pims_id IS NULL",
    "appointment": (
        "UPDATE appointment SET pims_id = $3 WHERE practice_id = $1 AND appointment_id = $2 AND pims_id IS NULL"
    ),
}


async def set_pims_id(conn: Connection, practice_id: UUID, kind: Kind, subject_id: UUID, pims_id: str) -> None:
    """Remember under which identifier the PIMS keeps a record of ours: the first, should it show our key twice."""
    await conn.execute(SET_PIMS_ID[kind], practice_id, subject_id, pims_id)


SUBJECT_OF_KEY = """
SELECT subject_id FROM write_back WHERE practice_id = $1 AND kind = $2 AND key = $3 AND action = 'create'
"""


async def subject_of_key(conn: Connection, practice_id: UUID, kind: Kind, key: str) -> UUID | None:
    """Find the record of ours that was sent under a key, to recognize it when the PIMS shows it to us."""
    row = await conn.fetchrow(SUBJECT_OF_KEY, practice_id, kind, key)
    return None if row is None else row["subject_id"]


UNWRITTEN = """
SELECT state FROM write_back
WHERE practice_id = $1 AND subject_id = $2 AND action = 'create' AND state <> 'written' ORDER BY position LIMIT 1
"""


async def state_of_unwritten(conn: Connection, practice_id: UUID, subject_id: UUID) -> State | None:
    """Return where the write-back of a record stands that the PIMS does not have yet."""
    row = await conn.fetchrow(UNWRITTEN, practice_id, subject_id)
    return None if row is None else row["state"]


class AppointmentToWrite(Struct, frozen=True, kw_only=True):
    """An appointment in the PIMS's identifiers; None where the PIMS does not have the record yet.

    `columns` names the resources as staff see them.
    """

    pims_id: str | None
    status: Status
    starts_at: datetime
    ends_at: datetime
    timezone: str
    reference: str
    description: str
    client_id: UUID
    patient_id: UUID
    client: str | None
    patient: str | None
    appointment_type: str | None
    resources: list[str]
    columns: list[str]


APPOINTMENT_TO_WRITE = """
SELECT a.pims_id, a.status, a.starts_at, a.ends_at, z.timezone, a.reference, a.description, a.client_id, a.patient_id,
  c.pims_id AS client, p.pims_id AS patient, t.pims_id AS appointment_type,
  coalesce((SELECT array_agg(DISTINCT r.pims_id) FROM claim k
            JOIN resource r ON r.practice_id = k.practice_id AND r.resource_id = k.resource_id
            WHERE k.practice_id = a.practice_id AND k.appointment_id = a.appointment_id
              AND r.pims_id IS NOT NULL), '{}') AS resources,
  coalesce((SELECT array_agg(DISTINCT r.name) FROM claim k
            JOIN resource r ON r.practice_id = k.practice_id AND r.resource_id = k.resource_id
            WHERE k.practice_id = a.practice_id AND k.appointment_id = a.appointment_id), '{}') AS columns
FROM appointment a
JOIN practice z ON z.practice_id = a.practice_id
JOIN client c ON c.practice_id = a.practice_id AND c.client_id = a.client_id
JOIN patient p ON p.practice_id = a.practice_id AND p.patient_id = a.patient_id
JOIN appointment_type t ON t.practice_id = a.practice_id AND t.appointment_type_id = a.appointment_type_id
WHERE a.practice_id = $1 AND a.appointment_id = $2
"""


async def appointment_to_write(conn: Connection, practice_id: UUID, appointment_id: UUID) -> AppointmentToWrite | None:
    """Return an appointment as the PIMS is to have it."""
    return one(await conn.fetchrow(APPOINTMENT_TO_WRITE, practice_id, appointment_id), AppointmentToWrite)


class Line(Struct, frozen=True, kw_only=True):
    """A line of the outbox as staff see it: what is to be done, where it stands, why, and when it is tried next."""

    write_back_id: UUID
    position: int
    appointment_id: UUID
    reference: str | None
    kind: Kind
    subject_id: UUID
    action: Action
    state: State
    reason: str | None
    attempts: int
    queued_at: datetime
    due_at: datetime
    written_at: datetime | None


LINE = """w.write_back_id, w.position, w.appointment_id, a.reference, w.kind, w.subject_id, w.action, w.state, w.reason,
  w.attempts, w.queued_at, w.due_at, w.written_at"""

LINES = f"""
SELECT {LINE}
FROM write_back w JOIN appointment a ON a.practice_id = w.practice_id AND a.appointment_id = w.appointment_id
WHERE w.practice_id = $1 AND w.position < $2 AND ($3::text[] IS NULL OR w.state = ANY($3))
ORDER BY w.position DESC LIMIT $4
"""


async def outbox(
    conn: Connection, practice_id: UUID, *, before: int, states: list[State] | None, limit: int
) -> list[Line]:
    """Return the outbox, newest first, from before a position; in some states only, if any are named."""
    return many(await conn.fetch(LINES, practice_id, before, states, limit), Line)


OF_APPOINTMENTS = f"""
SELECT {LINE}
FROM write_back w JOIN appointment a ON a.practice_id = w.practice_id AND a.appointment_id = w.appointment_id
WHERE w.practice_id = $1 AND w.appointment_id = ANY($2::uuid[]) ORDER BY w.position LIMIT 200
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


# Counted as tried once: the PIMS is asked for the record before it is sent, and the tries begin anew.
RETRY = """
UPDATE write_back SET state = $3, attempts = least(attempts, 1), due_at = $4, reason = NULL
WHERE practice_id = $1 AND write_back_id = $2
"""


async def retry(conn: Connection, practice_id: UUID, write_back_id: UUID, state: State, now: datetime) -> None:
    """Let a line be tried now."""
    await conn.execute(RETRY, practice_id, write_back_id, state, now)


DONE_BY_HAND = """
UPDATE write_back SET state = 'written', reason = $4, written_at = $3 WHERE practice_id = $1 AND write_back_id = $2
"""


async def done_by_hand(
    conn: Connection, practice_id: UUID, write_back_id: UUID, now: datetime, reason: str | None
) -> None:
    """Take it from staff, or from what the PIMS shows, that a line is done."""
    await conn.execute(DONE_BY_HAND, practice_id, write_back_id, now, reason)


NOTIFY = "SELECT pg_notify('vetslot_work', $1)"


# The same, without a parameter, so that it can follow a commit in one round trip.
WAKE_FOR_WRITE_BACKS = "SELECT pg_notify('vetslot_work', 'write_back')"


async def wake_workers(conn: Connection, what: str) -> None:
    """Wake the workers when this transaction commits."""
    await conn.execute(NOTIFY, what)
