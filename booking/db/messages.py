"""Texts and emails on their way out. Their words are erased once they are sent."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, affected, one


class Message(Struct, frozen=True, kw_only=True):
    """One text or email. `attachment`: an iCalendar file's content."""

    practice_id: UUID
    message_id: UUID
    channel: Literal["text", "email"]
    purpose: str
    recipient: str
    subject: str
    body: str
    attachment: str | None = None
    attempts: int = 0


INSERT_MESSAGE = """
INSERT INTO message (practice_id, message_id, channel, purpose, recipient, subject, body, attachment, due_at,
  created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
"""


async def queue_message(conn: Connection, message: Message, now: datetime) -> None:
    """Queue a message; the worker is woken when the transaction commits."""
    await conn.execute(
        INSERT_MESSAGE,
        message.practice_id,
        message.message_id,
        message.channel,
        message.purpose,
        message.recipient,
        message.subject,
        message.body,
        message.attachment,
        now,
    )


# Across practices: a worker serves them all.
LEASE_MESSAGE = """
UPDATE message SET state = 'sending', leased_until = $2, attempts = attempts + 1
WHERE (practice_id, message_id) = (
  SELECT practice_id, message_id FROM message
  WHERE state = 'queued' AND due_at <= $1 OR state = 'sending' AND leased_until <= $1
  ORDER BY position LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING practice_id, message_id, channel, purpose, recipient, subject, body, attachment, attempts
"""


async def lease_message(conn: Connection, *, now: datetime, until: datetime) -> Message | None:
    """Take the next due message for this worker alone, until the lease runs out."""
    return one(await conn.fetchrow(LEASE_MESSAGE, now, until), Message)


SENT = """
UPDATE message SET state = 'sent', sent_at = $3, recipient = NULL, subject = NULL, body = NULL, attachment = NULL
WHERE practice_id = $1 AND message_id = $2
"""


async def message_sent(conn: Connection, message: Message, now: datetime) -> None:
    """Remember that a message was sent and forget what it said and to whom."""
    await conn.execute(SENT, message.practice_id, message.message_id, now)


POSTPONE = """
UPDATE message SET state = $3, reason = $4, due_at = $5 WHERE practice_id = $1 AND message_id = $2
"""


async def message_failed(
    conn: Connection, message: Message, *, state: Literal["queued", "failed"], reason: str, due_at: datetime
) -> None:
    """Try a message again later, or give it up."""
    await conn.execute(POSTPONE, message.practice_id, message.message_id, state, reason, due_at)


# Across practices: housekeeping.
FORGET_OLD_MESSAGES = "DELETE FROM message WHERE state IN ('sent', 'failed') AND created_at < $1"


async def forget_old_messages(conn: Connection, before: datetime) -> int:
    """Delete the traces of messages that were settled long ago; how many there were."""
    return affected(await conn.execute(FORGET_OLD_MESSAGES, before))
