"""The history of a practice's set-up: who changed what, when, from what to what; and the way back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from booking.api.given import ThePool, now
from booking.api.problems import declared
from booking.api.refusals import NotFound
from booking.api.staff.configuration import OF_CHANGE, REFUSED, Made, Saved, answered, shown
from booking.api.staff.who import Needs, TheStaff
from booking.api.staff.wire import in_camel_case
from booking.configure.changes import CannotBeReverted, revert
from booking.db import configuration
from booking.db.configuration import TABLES, PastChange
from booking.db.pool import of_practice

LARGEST = 2**62
Cursor = Annotated[int, QueryParameter(ge=1, le=LARGEST, description="The cursor of the page before.")]
Limit = Annotated[int, QueryParameter(ge=1, le=200)]
Number = Annotated[int, QueryParameter(ge=1, le=LARGEST)]


class Recorded(Struct, frozen=True, kw_only=True, rename="camel"):
    """One change. `before` null: it was created; `after` null: it was retired. `who`: the name of a person or a key."""

    version: int
    what: str
    id: UUID
    actor: UUID | None
    who: str | None
    at: datetime
    before: Any
    after: Any


class History(Struct, frozen=True, kw_only=True, rename="camel"):
    """Changes, the newest first; `next` is where the list goes on."""

    items: list[Recorded]
    next: int | None


@get("/audit", guards=[Needs("configuration:read")], responses=declared(*REFUSED))
async def read_audit(who: TheStaff, pool: ThePool, after: Cursor = LARGEST, limit: Limit = 50) -> History:
    """List who changed what: the set-up, keys, and whatever else is recorded."""
    return await _history(who, pool, after, limit, None)


@get("/configuration/versions", guards=[Needs("configuration:read")], responses=declared(*REFUSED))
async def list_versions(who: TheStaff, pool: ThePool, after: Cursor = LARGEST, limit: Limit = 50) -> History:
    """List the versions of the set-up, each with the change that made it."""
    return await _history(who, pool, after, limit, list(TABLES))


@get(
    "/configuration/versions/{number:int}", guards=[Needs("configuration:read")], responses=declared(*REFUSED, NotFound)
)
async def read_version(who: TheStaff, pool: ThePool, number: FromPath[int]) -> Recorded:
    """Read the change that made a version."""
    if not 1 <= number <= LARGEST:
        raise NotFound(NotFound.__doc__)
    async with of_practice(pool, who.practice.practice_id) as conn:
        found = await configuration.change(conn, who.practice.practice_id, number)
    if found is None or found.what not in TABLES:
        raise NotFound(NotFound.__doc__)
    return _recorded(found)


@post(
    "/configuration/versions/{number:int}/revert",
    guards=[Needs("configuration:write")],
    status_code=200,
    responses=declared(*OF_CHANGE, CannotBeReverted),
)
async def revert_version(who: TheStaff, pool: ThePool, number: FromPath[int]) -> Response[Saved]:
    """Take a change back, by a change of its own: the thing it was about becomes what it was before.

    What was created is retired, what was retired is back; refused where that does not fit the set-up of today.
    """
    practice_id = who.practice.practice_id
    if not 1 <= number <= LARGEST:
        raise NotFound(NotFound.__doc__)
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        changed = await revert(conn, practice_id, number, by=who.actor, now=now())
    return await answered(pool, practice_id, Made(version=changed.number, entry=shown(changed.item)))


async def _history(who: TheStaff, pool: ThePool, after: int, limit: int, kinds: list[str] | None) -> History:
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn:
        found = await configuration.changes(conn, practice_id, before=after, limit=limit + 1, kinds=kinds)
    return History(
        items=[_recorded(one) for one in found[:limit]], next=found[limit - 1].number if len(found) > limit else None
    )


def _recorded(one: PastChange) -> Recorded:
    return Recorded(
        version=one.number,
        what=one.what,
        id=one.subject_id,
        actor=one.actor_id,
        who=one.who,
        at=one.at,
        before=in_camel_case(one.before),
        after=in_camel_case(one.after),
    )


router = Router("/", route_handlers=[read_audit, list_versions, read_version, revert_version])
