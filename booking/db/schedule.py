"""What a slot problem is made of: resources, their closed and taken time, rules, and what was counted already."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from msgspec import Struct

from availability import Busy, Override, Recurring
from booking.db.pool import Connection, many, one


class Resource(Struct, frozen=True, kw_only=True):
    """Anything whose time is used, and the roles it can serve."""

    resource_id: UUID
    name: str
    kind: Literal["provider", "technician", "room", "equipment"]
    roles: list[str]
    person: str | None
    capacity: int
    hours: tuple[Recurring, ...] | None
    overrides: tuple[Override, ...]


NO_PRACTICE = "There is no such practice."


class Version(Struct, frozen=True):
    """Which schedule this is, and how old the mirror of the PIMS is.

    `database`: whose, where one process speaks to several. `schedule` rises with every change that may change an
    offer; `standing` names what the practice has set up, and is another name after every change of that.
    """

    database: str
    schedule: int
    standing: UUID
    connected: bool
    as_of: datetime | None


VERSION = """
SELECT current_database() AS database, p.schedule_version AS schedule, p.standing_version AS standing,
  coalesce(c.mirrors_schedule, false) AS connected, c.as_of
FROM practice p LEFT JOIN connection c ON c.practice_id = p.practice_id
WHERE p.practice_id = $1 ORDER BY c.connection_id LIMIT 1
"""


async def version(conn: Connection, practice_id: UUID) -> Version:
    """Return the present version of what stands in the practice. Raises `LookupError` where there is no practice."""
    found = one(await conn.fetchrow(VERSION, practice_id), Version)
    if found is None:
        raise LookupError(NO_PRACTICE)
    return found


RESOURCES = """
SELECT resource_id, name, kind, roles, person, capacity, hours, overrides
FROM resource WHERE practice_id = $1 AND active ORDER BY kind, name, resource_id
"""


async def resources(conn: Connection, practice_id: UUID) -> list[Resource]:
    """Return the practice's active resources, in a stable order."""
    return many(await conn.fetch(RESOURCES, practice_id), Resource)


class BlockOff(Struct, frozen=True, kw_only=True):
    """Time of one resource closed by the practice."""

    resource_id: UUID
    time: Recurring
    reason: str


BLOCK_OFFS = 'SELECT resource_id, "time", reason FROM block_off WHERE practice_id = $1 ORDER BY block_off_id'


async def block_offs(conn: Connection, practice_id: UUID) -> list[BlockOff]:
    """Return the practice's block-offs."""
    return many(await conn.fetch(BLOCK_OFFS, practice_id), BlockOff)


class Rule(Struct, frozen=True, kw_only=True):
    """When which appointment types may use which resources."""

    name: str
    effect: Literal["deny", "reserve"]
    when: tuple[Recurring, ...]
    appointment_types: list[UUID] | None
    resources: list[UUID] | None
    release: timedelta | None


RULES = """
SELECT name, effect, "when", appointment_types, resources, release FROM rule WHERE practice_id = $1 ORDER BY rule_id
"""


async def rules(conn: Connection, practice_id: UUID) -> list[Rule]:
    """Return the practice's rules."""
    return many(await conn.fetch(RULES, practice_id), Rule)


class Taken(Struct, frozen=True, kw_only=True):
    """What is taken in a span, by resource. `expired`: somebody's hold has run out and its claims are still there."""

    busy: dict[UUID, Busy]
    expired: bool


# As the engine keeps busy time, which costs nothing here: two months of a practice are thousands of claims.
TAKEN = """
SELECT resource_id, coalesce(string_agg(int4send(first) || int4send(last), '') FILTER (WHERE NOT expired), ''),
  bool_or(expired)
FROM (
  SELECT c.resource_id, floor(date_part('epoch', c.starts_at) / 60)::integer AS first,
    ceil(date_part('epoch', c.ends_at) / 60)::integer AS last, coalesce(h.expires_at <= $4, false) AS expired
  FROM claim c LEFT JOIN hold h ON h.practice_id = c.practice_id AND h.hold_id = c.hold_id
  WHERE c.practice_id = $1 AND c.ends_at > $2 AND c.starts_at < $3
    AND coalesce(c.hold_id, c.appointment_id) <> ALL($5::uuid[])
  ORDER BY c.resource_id, c.starts_at, c.lane
) claimed GROUP BY resource_id
"""


async def taken(
    conn: Connection, practice_id: UUID, start: datetime, end: datetime, *, now: datetime, own: tuple[UUID, ...]
) -> Taken:
    """Return what is taken between two instants; an expired hold takes nothing, nor does the asker's `own`."""
    rows = await conn.fetch(TAKEN, practice_id, start, end, now, own)
    return Taken(
        busy={resource_id: Busy(packed) for resource_id, packed, _ in rows},
        expired=any(expired for *_, expired in rows),
    )


VERSION_AND_TAKEN = f"""
SELECT v.database, v.schedule, v.standing, v.connected, v.as_of, t.resource_ids, t.busy, t.expired
FROM ({VERSION}) v CROSS JOIN (
  SELECT array_agg(resource_id) AS resource_ids, array_agg(packed) AS busy, bool_or(expired) AS expired
  FROM ({TAKEN}) AS one (resource_id, packed, expired)
) t
"""


async def version_and_taken(
    conn: Connection, practice_id: UUID, start: datetime, end: datetime, *, now: datetime, own: tuple[UUID, ...]
) -> tuple[Version, Taken]:
    """Return what `version` and `taken` return, of one moment. Raises `LookupError` where there is no practice."""
    row = await conn.fetchrow(VERSION_AND_TAKEN, practice_id, start, end, now, own)
    if row is None:
        raise LookupError(NO_PRACTICE)
    *version, resource_ids, packed, expired = row
    busy = dict(zip(resource_ids or (), map(Busy, packed or ()), strict=True))
    return Version(*version), Taken(busy=busy, expired=bool(expired))


class BookedOn(Struct, frozen=True, kw_only=True):
    """How many of a type stand on a local day."""

    day: date
    appointments: int


BOOKED_ON = """
SELECT day, sum(n)::integer AS appointments FROM (
  SELECT (starts_at AT TIME ZONE $5)::date AS day, count(*) AS n FROM appointment
  WHERE practice_id = $1 AND appointment_type_id = $2 AND starts_at >= $3 AND starts_at < $4
    AND status NOT IN ('cancelled', 'no_show') AND appointment_id <> ALL($7::uuid[])
  GROUP BY 1
  UNION ALL
  SELECT (starts_at AT TIME ZONE $5)::date, sum(jsonb_array_length(wish -> 'patients')) FROM hold
  WHERE practice_id = $1 AND appointment_type_id = $2 AND starts_at >= $3 AND starts_at < $4 AND expires_at > $6
    AND hold_id <> ALL($7::uuid[])
  GROUP BY 1
) counted GROUP BY day
"""


async def booked_on(
    conn: Connection,
    practice_id: UUID,
    appointment_type_id: UUID,
    start: datetime,
    end: datetime,
    *,
    timezone: str,
    now: datetime,
    own: tuple[UUID, ...],
) -> list[BookedOn]:
    """Count a type's visits, booked or held by others than the asker, per local day between two instants."""
    return many(
        await conn.fetch(BOOKED_ON, practice_id, appointment_type_id, start, end, timezone, now, own),
        BookedOn,
    )
