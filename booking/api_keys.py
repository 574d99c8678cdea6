"""API keys: how a program is let in as the practice, with no more than it was given."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from booking.db import api_keys as keys_db
from booking.db import practices
from booking.db.api_keys import ApiKey
from booking.db.pool import Connection, Pool, of_practice
from booking.db.practices import Practice
from booking.db.staff import record_change
from booking.scopes import Scope
from booking.tokens import digest, sealed, unsealed

# To know that a key is in use an hour is enough; writing at each request would make one row the busiest of all.
USE_IS_TOLD_EVERY = timedelta(hours=1)


class ScopesBeyondYours(Exception):
    """A key cannot be given more than you have. Please leave out the scopes that you lack."""


class NewKey(Struct, frozen=True, kw_only=True):
    """What is asked of a key that is to be made."""

    name: str
    scopes: list[Scope]
    expires_at: datetime | None = None


async def key_of(pool: Pool, token: str, *, now: datetime) -> tuple[Practice, ApiKey] | None:
    """Return the practice and the key that a bearer token names, if the key still opens anything."""
    named = unsealed("vs", token)
    if named is None:
        return None
    practice_id, secret = named
    async with of_practice(pool, practice_id) as conn:
        key = await keys_db.live_key(conn, practice_id, digest(secret), now)
        if key is None:
            return None
        practice = await practices.practice_by_id(conn, practice_id)
        if key.last_used_at is None or key.last_used_at < now - USE_IS_TOLD_EVERY:
            await keys_db.touch_api_key(conn, practice_id, key.api_key_id, now, now - USE_IS_TOLD_EVERY)
    return None if practice is None else (practice, key)


async def make_key(
    conn: Connection,
    practice_id: UUID,
    api_key_id: UUID,
    new: NewKey,
    *,
    by: UUID,
    may: frozenset[Scope],
    secret_key: bytes,
    now: datetime,
) -> tuple[ApiKey, str]:
    """Make a key in the caller's transaction; the key and its token. Raises `ScopesBeyondYours`."""
    if not may.issuperset(new.scopes):
        raise ScopesBeyondYours(ScopesBeyondYours.__doc__)
    secret = _secret(secret_key, practice_id, api_key_id)
    key = ApiKey(
        api_key_id=api_key_id,
        name=new.name,
        scopes=sorted(set(new.scopes)),
        created_by=by,
        created_at=now,
        expires_at=new.expires_at,
    )
    await keys_db.insert_api_key(conn, practice_id, key, digest(secret))
    await record_change(
        conn, practice_id, actor_id=by, what="api_key", subject_id=api_key_id, before=None, after=key, now=now
    )
    return key, sealed("vs", practice_id, secret)


def token_again(secret_key: bytes, practice_id: UUID, api_key_id: UUID) -> str:
    """Return a key's token for whoever repeats the request that made it: it can be made again, so it is not stored."""
    return sealed("vs", practice_id, _secret(secret_key, practice_id, api_key_id))


async def revoke_key(
    conn: Connection, practice_id: UUID, api_key_id: UUID, *, by: UUID, now: datetime
) -> ApiKey | None:
    """End a key for good, in the caller's transaction; again is no error. None: there is no such key."""
    before = await keys_db.api_key_by_id(conn, practice_id, api_key_id)
    if before is None:
        return None
    revoked = await keys_db.revoke_api_key(conn, practice_id, api_key_id, now)
    after = await keys_db.api_key_by_id(conn, practice_id, api_key_id) or before
    if revoked:
        await record_change(
            conn, practice_id, actor_id=by, what="api_key", subject_id=api_key_id, before=before, after=after, now=now
        )
    return after


def _secret(secret_key: bytes, practice_id: UUID, api_key_id: UUID) -> str:
    mac = hmac.digest(secret_key, b"api key/" + practice_id.bytes + api_key_id.bytes, "sha256")
    return urlsafe_b64encode(mac).decode().rstrip("=")
