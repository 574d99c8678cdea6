"""Conversations of a practice with its clients, and what was said in them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from msgspec import Struct

from booking.contacts import Contact
from booking.db.pool import Connection, many, one
from booking.db.write_backs import State as WriteBackState

State = Literal["open", "closed"]
Author = Literal["booking", "practice", "client"]


class NewConversation(Struct, frozen=True, kw_only=True):
    """A conversation that a booking opens."""

    conversation_id: UUID
    client_id: UUID
    patient_id: UUID
    appointment_id: UUID
    title: str
    contact: Contact | None


class NewMessage(Struct, frozen=True, kw_only=True):
    """What is said first."""

    conversation_message_id: UUID
    conversation_id: UUID
    text: str


class Conversation(Struct, frozen=True, kw_only=True):
    """A conversation in the queue. `export`: how far it has come into the PIMS; None: nobody asked for that."""

    conversation_id: UUID
    client_id: UUID
    patient_id: UUID | None
    appointment_id: UUID
    reference: str | None
    client: str
    patient: str | None
    title: str
    contact: Contact | None
    state: State
    opened_at: datetime
    last_at: datetime
    closed_at: datetime | None
    export: WriteBackState | None


COLUMNS = """k.conversation_id, k.client_id, k.patient_id, k.appointment_id, a.reference,
  c.given_name || ' ' || c.family_name AS client, p.name AS patient, k.title, k.contact, k.state, k.opened_at,
  k.last_at, k.closed_at,
  (SELECT w.state FROM write_back w
   WHERE w.practice_id = k.practice_id AND w.subject_id = k.conversation_id AND w.kind = 'conversation'
   ORDER BY w.position DESC LIMIT 1) AS export"""
JOINED = """FROM conversation k
JOIN appointment a ON a.practice_id = k.practice_id AND a.appointment_id = k.appointment_id
JOIN client c ON c.practice_id = k.practice_id AND c.client_id = k.client_id
LEFT JOIN patient p ON p.practice_id = k.practice_id AND p.patient_id = k.patient_id"""

QUEUE = f"""
SELECT {COLUMNS} {JOINED}
WHERE k.practice_id = $1 AND ($2::text IS NULL OR k.state = $2)
  AND ($3::timestamptz IS NULL OR (k.last_at, k.conversation_id) < ($3, $4::uuid))
ORDER BY k.last_at DESC, k.conversation_id DESC LIMIT $5
"""


async def queue(
    conn: Connection, practice_id: UUID, state: State | None, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[Conversation]:
    """Return conversations, those on top in which something was said last."""
    at, last = after or (None, None)
    return many(await conn.fetch(QUEUE, practice_id, state, at, last, limit), Conversation)


CONVERSATION = f"SELECT {COLUMNS} {JOINED} WHERE k.practice_id = $1 AND k.conversation_id = $2"


async def conversation(conn: Connection, practice_id: UUID, conversation_id: UUID) -> Conversation | None:
    """Find a conversation."""
    return one(await conn.fetchrow(CONVERSATION, practice_id, conversation_id), Conversation)


LOCK_CONVERSATION = f"{CONVERSATION} FOR UPDATE OF k"


async def lock_conversation(conn: Connection, practice_id: UUID, conversation_id: UUID) -> Conversation | None:
    """Find a conversation that is to be changed in this transaction."""
    return one(await conn.fetchrow(LOCK_CONVERSATION, practice_id, conversation_id), Conversation)


class Said(Struct, frozen=True, kw_only=True):
    """What somebody said. `name`: who of the practice."""

    author: Author
    name: str
    text: str
    at: datetime


SAID = """
SELECT author, name, text, at FROM (
  SELECT author, name, text, at, position FROM conversation_message
  WHERE practice_id = $1 AND conversation_id = $2 ORDER BY position DESC LIMIT 500
) latest ORDER BY position
"""


async def said(conn: Connection, practice_id: UUID, conversation_id: UUID) -> list[Said]:
    """Return what was said, in order: the latest five hundred."""
    return many(await conn.fetch(SAID, practice_id, conversation_id), Said)


SAY = """
WITH said AS (
  INSERT INTO conversation_message (practice_id, conversation_message_id, conversation_id, author, name, text, at)
  VALUES ($1, $2, $3, $4, $5, $6, $7)
)
UPDATE conversation SET last_at = $7 WHERE practice_id = $1 AND conversation_id = $3
"""


async def say(
    conn: Connection, practice_id: UUID, conversation_id: UUID, author: Author, name: str, text: str, now: datetime
) -> None:
    """Add what somebody says."""
    await conn.execute(SAY, practice_id, uuid4(), conversation_id, author, name, text, now)


CLOSE = """
UPDATE conversation SET state = 'closed', closed_at = $3 WHERE practice_id = $1 AND conversation_id = $2
"""


async def close(conn: Connection, practice_id: UUID, conversation_id: UUID, now: datetime) -> None:
    """Take a conversation out of the queue."""
    await conn.execute(CLOSE, practice_id, conversation_id, now)


QUEUE_EXPORT = """
INSERT INTO write_back (practice_id, write_back_id, appointment_id, kind, subject_id, action, key, due_at, queued_at)
SELECT $1, $2, $4, 'conversation', $3, 'export', 'K-' || $2::uuid, $5, $5
WHERE NOT EXISTS (SELECT FROM write_back WHERE practice_id = $1 AND subject_id = $3 AND kind = 'conversation'
  AND state IN ('queued', 'sending', 'unknown', 'needs_attention'))
"""


async def queue_export(
    conn: Connection, practice_id: UUID, conversation_id: UUID, appointment_id: UUID, now: datetime
) -> None:
    """Queue a conversation to be kept in the PIMS, unless that is under way."""
    await conn.execute(QUEUE_EXPORT, practice_id, uuid4(), conversation_id, appointment_id, now)


class ToExport(Struct, frozen=True, kw_only=True):
    """A conversation in the PIMS's identifiers; None where the PIMS does not have the record yet."""

    client_id: UUID
    client: str | None
    patient_id: UUID | None
    patient: str | None
    title: str
    timezone: str
    ended: datetime


TO_EXPORT = """
SELECT k.client_id, c.pims_id AS client, k.patient_id, p.pims_id AS patient, k.title, z.timezone,
  coalesce(k.closed_at, k.last_at) AS ended
FROM conversation k
JOIN practice z ON z.practice_id = k.practice_id
JOIN client c ON c.practice_id = k.practice_id AND c.client_id = k.client_id
LEFT JOIN patient p ON p.practice_id = k.practice_id AND p.patient_id = k.patient_id
WHERE k.practice_id = $1 AND k.conversation_id = $2
"""


async def to_export(conn: Connection, practice_id: UUID, conversation_id: UUID) -> ToExport | None:
    """Return a conversation as the PIMS is to keep it."""
    return one(await conn.fetchrow(TO_EXPORT, practice_id, conversation_id), ToExport)
