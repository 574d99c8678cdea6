"""Answers kept under the caller's key, to be given again when the same request comes again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, affected, one


class Kept(Struct, frozen=True, kw_only=True):
    """What was asked under a key, and the appointment that it led to."""

    fingerprint: bytes
    answer: UUID | None


TAKE_KEY = """
INSERT INTO idempotency (practice_id, key, fingerprint, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (practice_id, key) DO NOTHING
"""


async def take_key(conn: Connection, practice_id: UUID, key: str, fingerprint: bytes, now: datetime) -> bool:
    """Take a key for this transaction. A second request with it waits here until the first has ended.

    False: the key was used before; `kept_answer` says for what.
    """
    return affected(await conn.execute(TAKE_KEY, practice_id, key, fingerprint, now)) == 1


KEPT = "SELECT fingerprint, answer FROM idempotency WHERE practice_id = $1 AND key = $2"


async def kept_answer(conn: Connection, practice_id: UUID, key: str) -> Kept | None:
    """Return what is kept under a key."""
    return one(await conn.fetchrow(KEPT, practice_id, key), Kept)


KEEP_ANSWER = "UPDATE idempotency SET answer = $3 WHERE practice_id = $1 AND key = $2"


async def keep_answer(conn: Connection, practice_id: UUID, key: str, appointment_id: UUID) -> None:
    """Keep the answer for whoever asks the same again."""
    await conn.execute(KEEP_ANSWER, practice_id, key, appointment_id)


# Across practices: housekeeping.
FORGET_OLD_KEYS = "DELETE FROM idempotency WHERE created_at < $1"


async def forget_old_keys(conn: Connection, before: datetime) -> int:
    """Delete keys that nobody will send again; how many there were."""
    return affected(await conn.execute(FORGET_OLD_KEYS, before))
