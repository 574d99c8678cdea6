"""Missing: what a complete listing of the PIMS did not have, until a later one confirms it or it shows again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from booking.db.pool import Connection, affected
from pims_adapters.contract import RecordKind

SINCE = "SELECT pims_id, since FROM missing WHERE practice_id = $1 AND kind = $2 AND pims_id = ANY($3::text[])"


async def since(conn: Connection, practice_id: UUID, kind: RecordKind, pims_ids: list[str]) -> dict[str, datetime]:
    """Return those of some records that are missing, and since when."""
    rows = await conn.fetch(SINCE, practice_id, kind, pims_ids)
    return {row["pims_id"]: row["since"] for row in rows}


PUT = """
INSERT INTO missing (practice_id, kind, pims_id, since) SELECT $1, $2, unnest($3::text[]), $4
ON CONFLICT (practice_id, kind, pims_id) DO NOTHING
"""


async def put(conn: Connection, practice_id: UUID, kind: RecordKind, pims_ids: list[str], at: datetime) -> None:
    """Note that records are missing."""
    await conn.execute(PUT, practice_id, kind, pims_ids, at)


FOUND = "DELETE FROM missing WHERE practice_id = $1 AND kind = $2 AND pims_id = ANY($3::text[]) RETURNING pims_id"


async def found(conn: Connection, practice_id: UUID, kind: RecordKind, pims_ids: list[str]) -> list[str]:
    """Note that records are missing no more, because they show again or are gone; those that were."""
    return [row["pims_id"] for row in await conn.fetch(FOUND, practice_id, kind, pims_ids)]


FORGET_OLD_MISSING = "DELETE FROM missing WHERE since < $1"


async def forget_old_missing(conn: Connection, before: datetime) -> int:
    """Delete the notes about what was missing so long ago that its time is over."""
    return affected(await conn.execute(FORGET_OLD_MISSING, before))
