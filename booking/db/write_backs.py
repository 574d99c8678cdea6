"""The outbox towards the PIMS: what is to be written, what became of it, and who is at it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from booking.db.appointments import Status
from booking.db.pool import Connection, affected, one
from pims_adapters.contract import Kind, Visitor

Action = Literal["create", "change", "cancel", "confirm", "status", "export"]
Subject = Literal["client", "patient", "appointment", "conversation"]
State = Literal["queued", "sending", "written", "unknown", "needs_attention", "superseded"]


class WriteBack(Struct, frozen=True, kw_only=True):
    """One thing the PIMS is to do. `was` is the state in which it was found when it was leased.

    `sent_at`: when it last left, while nobody knows what became of that; `accepted`: the PIMS said that it took it.
    `link_to`: the PIMS's record that staff say this is. `starts_at`: when its visit is.
    """

    practice_id: UUID
    write_back_id: UUID
    position: int
    appointment_id: UUID
    kind: Subject
    action: Action
    subject_id: UUID
    key: str
    attempts: int
    lease: UUID
    queued_at: datetime
    sent_at: datetime | None
    accepted: bool
    link_to: str | None
    repairs: int
    told_at: datetime | None
    escalated_at: datetime | None
    starts_at: datetime
    timezone: str
    was: State

    @property
    def record(self) -> Kind:
        """What of the PIMS's records it is about. Raises `TypeError` for a conversation, which is none."""
        if self.kind == "conversation":
            raise TypeError("A conversation is no record that is created and read.")
        return self.kind


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
UPDATE write_back SET state = CASE WHEN sent_at IS NULL THEN 'queued' ELSE 'unknown' END, attempts = 1, repairs = 0,
  due_at = $3, accepted = false, told_at = NULL
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
  OR EXISTS (SELECT FROM appointment WHERE practice_id = $1 AND appointment_id = $2 AND pims_id IS NOT NULL)
"""


async def creation_matters(conn: Connection, practice_id: UUID, appointment_id: UUID) -> bool:
    """Say whether the PIMS has an appointment, may have it, or will."""
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
PRACTICES_WITH_WORK = f"""
SELECT c.practice_id FROM connection c CROSS JOIN LATERAL (SELECT FROM write_back w
  WHERE w.practice_id = c.practice_id AND w.state IN ('queued', 'sending', 'unknown') AND {DUE}
  ORDER BY w.position LIMIT 1) first
WHERE c.status = 'live' LIMIT 10000
"""


async def practices_with_work(conn: Connection, now: datetime) -> list[UUID]:
    """Return the practices that have something due, and a PIMS to take it."""
    return [row["practice_id"] for row in await conn.fetch(PRACTICES_WITH_WORK, now)]


# A booking's records go in order: none leaves before those queued before it stand in the PIMS, or need not. Other
# bookings go side by side. Who chooses at the same time passes over what another has just chosen.
LEASE_NEXT = f"""
WITH next AS (
  SELECT w.practice_id, w.write_back_id, w.state AS was
  FROM write_back w
  WHERE w.practice_id = $2 AND w.state IN ('queued', 'sending', 'unknown') AND {DUE}
    AND EXISTS (SELECT FROM connection c WHERE c.practice_id = $2 AND c.status = 'live')
    AND NOT EXISTS (SELECT FROM write_back before
      WHERE before.practice_id = $2 AND before.appointment_id = w.appointment_id
        AND before.position < w.position AND before.state NOT IN ('written', 'superseded')
        AND before.kind <> 'conversation')
  ORDER BY w.position LIMIT 1 FOR UPDATE OF w SKIP LOCKED
)
UPDATE write_back w SET state = 'sending', lease = $3, leased_until = $4, attempts = w.attempts + 1, waits_for = NULL
FROM next
WHERE w.practice_id = $2 AND w.write_back_id = next.write_back_id
RETURNING w.practice_id, w.write_back_id, w.position, w.appointment_id, w.kind, w.action, w.subject_id, w.key,
  w.attempts, w.lease, w.queued_at, w.sent_at, w.accepted, w.link_to, w.repairs, w.told_at, w.escalated_at,
  next.was, (SELECT timezone FROM practice WHERE practice_id = $2) AS timezone,
  (SELECT starts_at FROM appointment a WHERE a.practice_id = $2 AND a.appointment_id = w.appointment_id) AS starts_at
"""


async def lease_next(
    conn: Connection, practice_id: UUID, *, now: datetime, lease: UUID, until: datetime
) -> WriteBack | None:
    """Take the practice's next due record for this worker alone, until the lease runs out."""
    return one(await conn.fetchrow(LEASE_NEXT, now, practice_id, lease, until), WriteBack)


NOTE_SENT = """
UPDATE write_back SET sent_at = $4, accepted = false
WHERE practice_id = $1 AND write_back_id = $2 AND lease = $3 AND state = 'sending' AND leased_until > $4
"""


async def note_sent(conn: Connection, leased: WriteBack, now: datetime) -> bool:
    """Note, before it does, that a leased record leaves now. False: the lease is over, and it must not."""
    sent = await conn.execute(NOTE_SENT, leased.practice_id, leased.write_back_id, leased.lease, now)
    return affected(sent) == 1


class Settled(Struct, frozen=True, kw_only=True):
    """What is kept of a try, beside the state.

    `known`: nothing that was sent has an unknown fate any more; `accepted`: the PIMS took it and is yet to show it.
    `waits_for`: the record to be written before. `counted` among the tries that are limited.
    """

    due_at: datetime
    reason: str | None = None
    known: bool = True
    accepted: bool = False
    waits_for: UUID | None = None
    note: str | None = None
    counted: bool = True
    repaired: bool = False
    told_at: datetime | None = None


# What has an unknown fate is looked for before anything else: it is `unknown`, whatever became of this try.
SETTLE = """
UPDATE write_back SET
  sent_at = CASE WHEN $6 THEN NULL ELSE sent_at END,
  state = CASE WHEN $4 = 'queued' AND NOT $6 AND sent_at IS NOT NULL THEN 'unknown' ELSE $4 END,
  accepted = NOT $6 AND (accepted OR $7), reason = $5, due_at = $8, waits_for = $9, note = coalesce($10, note),
  attempts = attempts - CASE WHEN $11 THEN 0 ELSE 1 END, repairs = repairs + CASE WHEN $12 THEN 1 ELSE 0 END,
  told_at = coalesce($13, told_at), leased_until = NULL,
  link_to = CASE WHEN $4 IN ('written', 'superseded', 'needs_attention') THEN NULL ELSE link_to END,
  written_at = CASE WHEN $4 = 'written' THEN $14::timestamptz END
WHERE practice_id = $1 AND write_back_id = $2 AND lease = $3 AND state = 'sending'
"""


async def settle(conn: Connection, leased: WriteBack, state: State, kept: Settled, now: datetime) -> bool:
    """Say what became of a leased record. False: the lease was lost to another worker, whose word counts."""
    settled = await conn.execute(
        SETTLE,
        leased.practice_id,
        leased.write_back_id,
        leased.lease,
        state,
        kept.reason,
        kept.known,
        kept.accepted,
        kept.due_at,
        kept.waits_for,
        kept.note,
        kept.counted,
        kept.repaired,
        kept.told_at,
        now,
    )
    return affected(settled) == 1


RELEASE = """
UPDATE write_back SET due_at = $3, waits_for = NULL WHERE practice_id = $1 AND waits_for = $2 AND state = 'queued'
"""


async def release(conn: Connection, practice_id: UUID, subject_id: UUID, now: datetime) -> None:
    """Let go what waited for a record that is settled."""
    await conn.execute(RELEASE, practice_id, subject_id, now)


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


STILL_UNWRITTEN = """
SELECT state FROM write_back WHERE practice_id = $1 AND subject_id = $2 AND action = 'create'
ORDER BY position FOR SHARE
"""


async def still_unwritten(conn: Connection, practice_id: UUID, subject_id: UUID) -> bool:
    """Say whether a record is still on its way, after whoever is just settling it: they release who waits by then."""
    rows = await conn.fetch(STILL_UNWRITTEN, practice_id, subject_id)
    return any(row["state"] not in ("written", "superseded") for row in rows)


class AppointmentToWrite(Struct, frozen=True, kw_only=True):
    """An appointment in the PIMS's identifiers; None where the PIMS does not have the record yet.

    `columns` names the resources as staff see them, `visitor` who comes.
    """

    pims_id: str | None
    status: Status
    starts_at: datetime
    ends_at: datetime
    timezone: str
    reference: str | None
    new_client: bool
    description: str
    client_id: UUID | None
    patient_id: UUID | None
    visitor: Visitor
    client: str | None
    patient: str | None
    appointment_type: str | None
    type_name: str | None
    resources: list[str]
    columns: list[str]


APPOINTMENT_TO_WRITE = """
SELECT a.pims_id, a.status, a.starts_at, a.ends_at, z.timezone, a.reference, a.new_client, a.description, a.client_id,
  a.patient_id,
  jsonb_build_object('client', coalesce(c.given_name || ' ' || c.family_name, ''), 'patient', coalesce(p.name, ''),
    'species', coalesce(p.species, ''),
    'phone', (SELECT min(k.value) FROM client_contact k
              WHERE k.practice_id = $1 AND k.client_id = a.client_id AND k.kind = 'phone'),
    'email', (SELECT min(k.value) FROM client_contact k
              WHERE k.practice_id = $1 AND k.client_id = a.client_id AND k.kind = 'email')) AS visitor,
  c.pims_id AS client, p.pims_id AS patient, t.pims_id AS appointment_type, t.name AS type_name,
  coalesce((SELECT array_agg(DISTINCT r.pims_id) FROM claim k
            JOIN resource r ON r.practice_id = k.practice_id AND r.resource_id = k.resource_id
            WHERE k.practice_id = a.practice_id AND k.appointment_id = a.appointment_id
              AND r.pims_id IS NOT NULL), '{}') AS resources,
  coalesce((SELECT array_agg(DISTINCT r.name) FROM claim k
            JOIN resource r ON r.practice_id = k.practice_id AND r.resource_id = k.resource_id
            WHERE k.practice_id = a.practice_id AND k.appointment_id = a.appointment_id), '{}') AS columns
FROM appointment a
JOIN practice z ON z.practice_id = a.practice_id
LEFT JOIN client c ON c.practice_id = a.practice_id AND c.client_id = a.client_id
LEFT JOIN patient p ON p.practice_id = a.practice_id AND p.patient_id = a.patient_id
LEFT JOIN appointment_type t ON t.practice_id = a.practice_id AND t.appointment_type_id = a.appointment_type_id
WHERE a.practice_id = $1 AND a.appointment_id = $2
"""


async def appointment_to_write(conn: Connection, practice_id: UUID, appointment_id: UUID) -> AppointmentToWrite | None:
    """Return an appointment as the PIMS is to have it."""
    return one(await conn.fetchrow(APPOINTMENT_TO_WRITE, practice_id, appointment_id), AppointmentToWrite)


NOTIFY = "SELECT pg_notify('vetslot_work', $1)"


# The same, without a parameter, so that it can follow a commit in one round trip.
WAKE_FOR_WRITE_BACKS = "SELECT pg_notify('vetslot_work', 'write_back')"


async def wake_workers(conn: Connection, what: str) -> None:
    """Wake the workers when this transaction commits."""
    await conn.execute(NOTIFY, what)
