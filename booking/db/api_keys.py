"""API keys: what lets a program in as the practice, and what it may do there."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.db.pool import Connection, affected, many, one
from booking.scopes import Scope


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key without its secret. `created_by`: a member of staff, or another key."""

    api_key_id: UUID
    name: str
    scopes: list[Scope]
    created_by: UUID
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


COLUMNS = "api_key_id, name, scopes, created_by, created_at, expires_at, last_used_at, revoked_at"

LIVE_KEY = f"""
SELECT {COLUMNS} FROM api_key
WHERE practice_id = $1 AND digest = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
"""


async def live_key(conn: Connection, practice_id: UUID, digest: bytes, now: datetime) -> ApiKey | None:
    """Find the key that a secret belongs to, if it still opens anything."""
    return one(await conn.fetchrow(LIVE_KEY, practice_id, digest, now), ApiKey)


API_KEY = f"SELECT {COLUMNS} FROM api_key WHERE practice_id = $1 AND api_key_id = $2"


async def api_key_by_id(conn: Connection, practice_id: UUID, api_key_id: UUID) -> ApiKey | None:
    """Find a key, live or not."""
    return one(await conn.fetchrow(API_KEY, practice_id, api_key_id), ApiKey)


API_KEYS = f"SELECT {COLUMNS} FROM api_key WHERE practice_id = $1 ORDER BY created_at DESC, api_key_id LIMIT 200"


async def api_keys(conn: Connection, practice_id: UUID) -> list[ApiKey]:
    """Return the practice's keys, the newest first, those that were revoked among them."""
    return many(await conn.fetch(API_KEYS, practice_id), ApiKey)


INSERT_API_KEY = """
INSERT INTO api_key (practice_id, api_key_id, name, digest, scopes, created_by, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def insert_api_key(conn: Connection, practice_id: UUID, key: ApiKey, digest: bytes) -> None:
    """Add a key."""
    await conn.execute(
        INSERT_API_KEY,
        practice_id,
        key.api_key_id,
        key.name,
        digest,
        key.scopes,
        key.created_by,
        key.created_at,
        key.expires_at,
    )


REVOKE_API_KEY = """
UPDATE api_key SET revoked_at = $3 WHERE practice_id = $1 AND api_key_id = $2 AND revoked_at IS NULL
"""


async def revoke_api_key(conn: Connection, practice_id: UUID, api_key_id: UUID, now: datetime) -> bool:
    """End a key for good; False where it was revoked before."""
    return affected(await conn.execute(REVOKE_API_KEY, practice_id, api_key_id, now)) == 1


TOUCH_API_KEY = """
UPDATE api_key SET last_used_at = $3
WHERE practice_id = $1 AND api_key_id = $2 AND (last_used_at IS NULL OR last_used_at < $4)
"""


async def touch_api_key(
    conn: Connection, practice_id: UUID, api_key_id: UUID, now: datetime, unless_after: datetime
) -> None:
    """Remember that a key was used, unless that is remembered from shortly before."""
    await conn.execute(TOUCH_API_KEY, practice_id, api_key_id, now, unless_after)
