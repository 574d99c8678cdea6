"""Slot answers kept in Redis under the schedule version they were made for: a question asked again costs no engine.

A version that rose makes every older answer unreachable at once. Within a process, those who ask the same at the same
moment share one computation. Without Redis each answer is computed: slower, never wrong. Answers are kept compressed,
as nearly everybody takes them: two months of slots are half a megabyte otherwise.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

MINUTE = timedelta(minutes=1)
KEPT = timedelta(minutes=2)
LARGEST = 2 * 1024 * 1024

log = structlog.get_logger()
_underway: dict[str, asyncio.Task[bytes]] = {}


def minute_of(now: datetime, practice_id: UUID) -> datetime:
    """Return when the minute began for which answers are made; they must hold until it ends.

    Each practice's minute begins at a second of its own, so that not all answers grow old at once.
    """
    return now.replace(microsecond=0) - timedelta(seconds=(int(now.timestamp()) + practice_id.int % 60) % 60)


async def kept_or_made(
    redis: Redis,
    practice_id: UUID,
    schedule_version: int,
    question: bytes,
    *,
    now: datetime,
    make: Callable[[], Awaitable[bytes]],
) -> bytes:
    """Return the answer to a question of this minute and this schedule version, made at most once by this process.

    `make` returns it plain; what is returned here is compressed (gzip).
    """
    asked = hashlib.blake2b(question, digest_size=16).hexdigest()
    minute = round(minute_of(now, practice_id).timestamp())
    key = f"{{{practice_id}}}:slots:{schedule_version}:{minute}:{asked}"
    try:
        kept: bytes | str | None = await redis.get(key)
    except (RedisError, OSError) as failure:
        log.warning("slots.cache_out_of_reach", reason=type(failure).__name__)
        kept = None
    if isinstance(kept, bytes):
        return kept
    task = _underway.get(key)
    if task is None:
        task = _underway[key] = asyncio.create_task(_make_and_keep(redis, key, make))
        task.add_done_callback(lambda _: _underway.pop(key, None))
    # One who goes away does not take the answer from those who still wait.
    return await asyncio.shield(task)


async def _make_and_keep(redis: Redis, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
    made = await asyncio.to_thread(gzip.compress, await make(), 1)
    if len(made) <= LARGEST:
        try:
            await redis.set(key, made, ex=KEPT)
        except (RedisError, OSError) as failure:
            log.warning("slots.cache_out_of_reach", reason=type(failure).__name__)
    return made
