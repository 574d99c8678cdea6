"""Once: a request that creates something does so once per key, however often it arrives (`Idempotency-Key`).

The key is taken in the transaction of what it creates, so that both stand or neither does: whoever sends the same
again after a lost answer is given what was created the first time.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from booking.db import idempotency
from booking.db.pool import Connection


class KeyMissing(Exception):
    """Send an Idempotency-Key header with a new random value, so that the request can be repeated safely."""


class KeyReused(Exception):
    """This Idempotency-Key was used for another request. Send a new key with a new request."""


class KeyBusy(Exception):
    """The same request is still being worked on. Send it again in a moment, with the same Idempotency-Key."""


async def once(
    conn: Connection, practice_id: UUID, key: str, asked: Struct, now: datetime, *, wait: bool = False
) -> Any:  # noqa: ANN401 - whatever was kept
    """Return what is kept for this key, or None: go on, and `keep` the answer before the transaction ends.

    Raises `KeyReused` where the key came with another request, `KeyBusy` where its first request still runs, unless
    the caller would rather `wait` for that.
    """
    fingerprint = hashlib.sha256(type(asked).__qualname__.encode() + msgspec.json.encode(asked)).digest()
    if await idempotency.take_key(conn, practice_id, key, fingerprint, now):
        return None
    if not await idempotency.lock_key(conn, practice_id, key, wait=wait):
        raise KeyBusy(KeyBusy.__doc__)
    kept = await idempotency.kept_answer(conn, practice_id, key)
    if kept is None:  # whoever was at it gave up meanwhile
        await idempotency.take_key(conn, practice_id, key, fingerprint, now)
        return None
    if kept.answer is None or kept.fingerprint != fingerprint:
        raise KeyReused(KeyReused.__doc__)
    return kept.answer


async def keep(conn: Connection, practice_id: UUID, key: str, answer: object) -> None:
    """Keep what is to be answered when the same request comes again: plain JSON values, nothing secret."""
    await idempotency.keep_answer(conn, practice_id, key, answer)
