"""Holds: slots kept for minutes for one client."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from availability import Assignment
from booking.db.pool import Connection, affected, many, one
from booking.db.schedule import NO_PRACTICE, VERSION, Version


class Wish(Struct, frozen=True, kw_only=True):
    """What a client wants to book, apart from the time. `provider_id` None: anybody who can.

    `patients`: the species of each; several are seen one after the other, by the same people in the same room.
    `by_staff`: staff wish it for a client, whom notice, horizon and what is offered online do not bind.
    """

    appointment_type_id: UUID
    patients: tuple[str, ...]
    new_client: bool
    provider_id: UUID | None = None
    by_staff: bool = False

    @property
    def species(self) -> str:
        """The first patient's species."""
        return self.patients[0]


class Hold(Struct, frozen=True, kw_only=True):
    """A slot kept until `expires_at`. `resources`: role → resource ids."""

    hold_id: UUID
    wish: Wish
    starts_at: datetime
    ends_at: datetime
    resources: Assignment
    expires_at: datetime
    extended: bool


INSERT_HOLD = """
INSERT INTO hold (practice_id, hold_id, secret_hash, appointment_type_id, wish, starts_at, ends_at, resources,
  expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def insert_hold(conn: Connection, practice_id: UUID, hold: Hold, secret_hash: bytes) -> None:
    """Add a hold; its claims name it."""
    await conn.execute(
        INSERT_HOLD,
        practice_id,
        hold.hold_id,
        secret_hash,
        hold.wish.appointment_type_id,
        hold.wish,
        hold.starts_at,
        hold.ends_at,
        hold.resources,
        hold.expires_at,
    )


HOLD = """
SELECT hold_id, wish, starts_at, ends_at, resources, expires_at, extended
FROM hold WHERE practice_id = $1 AND hold_id = $2 AND secret_hash = $3
"""


async def hold_by_secret(conn: Connection, practice_id: UUID, hold_id: UUID, secret_hash: bytes) -> Hold | None:
    """Find a hold, expired or not, for whoever has its secret."""
    return one(await conn.fetchrow(HOLD, practice_id, hold_id, secret_hash), Hold)


VERSION_AND_HOLD = f"SELECT version.*, hold.* FROM ({VERSION}) version LEFT JOIN ({HOLD}) hold ON true"


async def version_and_hold(
    conn: Connection, practice_id: UUID, hold_id: UUID, secret_hash: bytes
) -> tuple[Version, Hold | None]:
    """Return what `schedule.version` and `hold_by_secret` do, in one round trip."""
    row = await conn.fetchrow(VERSION_AND_HOLD, practice_id, hold_id, secret_hash)
    version = one(row, Version)
    if row is None or version is None:
        raise LookupError(NO_PRACTICE)
    return version, None if row["hold_id"] is None else one(row, Hold)


class HeldTime(Struct, frozen=True, kw_only=True):
    """A line of the console's schedule: a live hold and the resources it takes. Who holds it is not known yet."""

    hold_id: UUID
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime
    appointment_type: str
    resource_ids: list[UUID]


HELD = """
SELECT h.hold_id, h.starts_at, h.ends_at, h.expires_at, coalesce(nullif(t.name, ''), t.pims_name) AS appointment_type,
  coalesce((SELECT array_agg(DISTINCT c.resource_id) FROM claim c
            WHERE c.practice_id = h.practice_id AND c.hold_id = h.hold_id), '{}') AS resource_ids
FROM hold h
JOIN appointment_type t ON t.practice_id = h.practice_id AND t.appointment_type_id = h.appointment_type_id
WHERE h.practice_id = $1 AND h.starts_at < $3 AND h.ends_at > $2 AND h.expires_at > $4
ORDER BY h.starts_at, h.hold_id LIMIT 1000
"""


async def held_between(
    conn: Connection, practice_id: UUID, start: datetime, end: datetime, *, now: datetime
) -> list[HeldTime]:
    """Return the live holds between two instants."""
    return many(await conn.fetch(HELD, practice_id, start, end, now), HeldTime)


EXTEND_HOLD = """
UPDATE hold SET expires_at = $4 + $5, extended = true
WHERE practice_id = $1 AND hold_id = $2 AND secret_hash = $3 AND NOT extended AND expires_at > $4
"""


async def extend_hold(
    conn: Connection, practice_id: UUID, hold_id: UUID, secret_hash: bytes, now: datetime, longer: timedelta
) -> bool:
    """Keep a live hold for longer; it can be done once."""
    return affected(await conn.execute(EXTEND_HOLD, practice_id, hold_id, secret_hash, now, longer)) == 1


DELETE_HOLD = "DELETE FROM hold WHERE practice_id = $1 AND hold_id = $2 AND secret_hash = $3"


async def delete_hold(conn: Connection, practice_id: UUID, hold_id: UUID, secret_hash: bytes) -> bool:
    """Let go of a hold and, by cascade, of its claims."""
    return affected(await conn.execute(DELETE_HOLD, practice_id, hold_id, secret_hash)) == 1


END_HOLD = "DELETE FROM hold WHERE practice_id = $1 AND hold_id = $2"


async def end_hold(conn: Connection, practice_id: UUID, hold_id: UUID) -> None:
    """End the hold that a claim of the same client replaces."""
    await conn.execute(END_HOLD, practice_id, hold_id)


FREE_EXPIRED = """
DELETE FROM claim USING hold
WHERE claim.practice_id = $1 AND claim.ends_at > $2 AND claim.starts_at < $3
  AND hold.practice_id = claim.practice_id AND hold.hold_id = claim.hold_id AND hold.expires_at <= $4
"""


async def free_expired(conn: Connection, practice_id: UUID, start: datetime, end: datetime, now: datetime) -> None:
    """Give back what expired holds still claim between two instants.

    The holds themselves stay a while: who comes late with one is told what else is free, and need not start again.
    """
    await conn.execute(FREE_EXPIRED, practice_id, start, end, now)


# Across practices: housekeeping.
FORGET_OLD_HOLDS = "DELETE FROM hold WHERE expires_at < $1"


async def forget_old_holds(conn: Connection, before: datetime) -> int:
    """Delete holds that expired long ago; how many there were."""
    return affected(await conn.execute(FORGET_OLD_HOLDS, before))
