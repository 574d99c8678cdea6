"""Answers kept under the caller's key, to be given again when the same request comes again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, affected, one


class Kept(Struct, frozen=True, kw_only=True):
    """What was asked under a key, and what was answered."""

    fingerprint: bytes
    answer: Any


TRY_KEY = "SELECT pg_try_advisory_xact_lock(hashtextextended(concat_ws('/', 'once', $1::uuid, $2::text), 0))"
WAIT_FOR_KEY = TRY_KEY.replace("pg_try_advisory", "pg_advisory")


async def lock_key(conn: Connection, practice_id: UUID, key: str, *, wait: bool) -> bool:
    """Keep others with the same key away until the transaction ends. False: somebody is at it, and we do not wait."""
    if wait:
        await conn.execute(WAIT_FOR_KEY, practice_id, key)
        return True
    return bool(await conn.fetchval(TRY_KEY, practice_id, key))


TAKE_KEY = """
INSERT INTO idempotency (practice_id, key, fingerprint, created_at) SELECT $1, $2, $3, $4
WHERE pg_try_advisory_xact_lock(hashtextextended(concat_ws('/', 'once', $1::uuid, $2::text), 0))
ON CONFLICT (practice_id, key) DO NOTHING
"""


async def take_key(conn: Connection, practice_id: UUID, key: str, fingerprint: bytes, now: datetime) -> bool:
    """Take a key for good, if this transaction commits, and keep others with the same away until it ends.

    False: somebody is at it (`lock_key`), or it was used before (`kept_answer` says for what).
    """
    return affected(await conn.execute(TAKE_KEY, practice_id, key, fingerprint, now)) == 1


KEPT = "SELECT fingerprint, answer FROM idempotency WHERE practice_id = $1 AND key = $2"


async def kept_answer(conn: Connection, practice_id: UUID, key: str) -> Kept | None:
    """Return what is kept under a key."""
    return one(await conn.fetchrow(KEPT, practice_id, key), Kept)


KEEP_ANSWER = "UPDATE idempotency SET answer = $3 WHERE practice_id = $1 AND key = $2"


async def keep_answer(conn: Connection, practice_id: UUID, key: str, answer: object) -> None:
    """Keep the answer for whoever asks the same again."""
    await conn.execute(KEEP_ANSWER, practice_id, key, answer)


# Across practices: housekeeping.
FORGET_OLD_KEYS = "DELETE FROM idempotency WHERE created_at < $1"


async def forget_old_keys(conn: Connection, before: datetime) -> int:
    """Delete keys that nobody will send again; how many there were."""
    return affected(await conn.execute(FORGET_OLD_KEYS, before))
