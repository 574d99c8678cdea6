"""Client session: what stands for a proven contact from the code until the person leaves.

It ends 40 minutes after it was last used, and 12 hours after it began. Redis keeps a digest of its token only; where
Redis was emptied, the person proves their contact again.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
from redis.asyncio import Redis

from booking.contacts import Contact
from booking.tokens import digest, new_secret, sealed, unsealed

IDLE = timedelta(minutes=40)
AT_MOST = timedelta(hours=12)


async def start_session(redis: Redis, practice_id: UUID, contact: Contact) -> str:
    """Begin a session of whoever has just proven this contact to this practice; its token."""
    secret = new_secret()
    session, end = _keys(practice_id, secret)
    pipeline = redis.pipeline(transaction=True)
    pipeline.set(session, msgspec.json.encode(contact), ex=IDLE)
    pipeline.set(end, 1, ex=AT_MOST)
    await pipeline.execute()
    return sealed("cs", practice_id, secret)


# The second key is never extended: with it goes the session, however often it was used.
KEPT = """
if redis.call('EXISTS', KEYS[2]) == 0 then return nil end
return redis.call('GETEX', KEYS[1], 'EX', ARGV[1])
"""


async def session_contact(redis: Redis, token: str) -> tuple[UUID, Contact] | None:
    """Return the practice and the contact that a token stands for, and let the session live on; None if it ended."""
    read = unsealed("cs", token)
    if read is None:
        return None
    kept = await redis.eval(KEPT, 2, *_keys(*read), str(int(IDLE.total_seconds())))
    return None if kept is None else (read[0], msgspec.json.decode(kept, type=Contact))


async def end_session(redis: Redis, token: str) -> None:
    """End a session; one that has ended stays so."""
    read = unsealed("cs", token)
    if read is not None:
        await redis.delete(*_keys(*read))


def _keys(practice_id: UUID, secret: str) -> tuple[str, str]:
    session = f"{{{practice_id}}}:client-session:{digest(secret).hex()}"
    return session, f"{session}:end"
