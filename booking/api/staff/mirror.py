"""Our copy of the PIMS: how fresh each part is, what is held back, how it compared; and having it read anew."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from litestar import Router, get, post
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from booking.api.given import ThePool, now
from booking.api.problems import declared
from booking.api.refusals import NotFound
from booking.api.staff.who import FromAnotherSite, Needs, NotSignedIn, ScopeMissing, TheStaff
from booking.connect.refusals import ConnectionUnknown
from booking.connect.steps import audit, locked
from booking.db import drift, feeds, held_back, staff_tasks, write_backs
from booking.db.pool import of_practice
from booking.sync.losses import NothingHeldBack, accept_losses
from pims_adapters.contract import RecordKind

REFUSED = (NotSignedIn, ScopeMissing, FromAnotherSite)
NEWEST = 2**62


class FeedShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of the copy: which records, how fresh, and why it got no fresher. `losing`: held back until accepted."""

    name: str
    kinds: list[RecordKind]
    as_of: datetime | None
    failure: str | None
    failing_since: datetime | None
    losing: int | None
    of: int | None


class Freshness(Struct, frozen=True, kw_only=True, rename="camel"):
    """All parts of the copy. Near times are booked at once only while the schedule's parts are fresh enough."""

    items: list[FeedShown]


class DifferenceShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A record that differs: in some `fields`, or it is `here` or `there` only."""

    kind: RecordKind
    pims_id: str
    fields: list[str]
    only: str | None


class DriftShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """How the copy last compared with the PIMS, record by record: nothing is to differ."""

    at: datetime
    first: date
    last: date
    complete: bool
    compared: int
    differing: int
    differences: list[DifferenceShown]


class Task(Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that staff are to look at, in words that can be followed."""

    id: UUID
    kind: str
    words: str
    appointment: UUID | None
    opened_at: datetime


class Tasks(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is open, the newest first; `next` is where the list goes on."""

    items: list[Task]
    next: int | None


class Asked(Struct, frozen=True, kw_only=True, rename="camel"):
    """That it was asked for; a worker does it."""

    asked_at: datetime


@get("/connection/feeds", guards=[Needs("configuration:read")], responses=declared(*REFUSED, ConnectionUnknown))
async def list_freshness(who: TheStaff, pool: ThePool) -> Freshness:
    """List how fresh each part of our copy is, and what is held back because too much of it vanished at once."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        connection = await locked(conn, practice_id)
        found = await feeds.feeds_of(conn, practice_id, connection.connection_id)
        held = {one.feed: one for one in await held_back.all_of(conn, practice_id)}
    return Freshness(
        items=[
            FeedShown(
                name=one.name,
                kinds=one.kinds,
                as_of=one.as_of,
                failure=one.failure,
                failing_since=one.failing_since,
                losing=held[one.name].losing if one.name in held else None,
                of=held[one.name].of if one.name in held else None,
            )
            for one in found
        ]
    )


@post(
    "/connection/feeds/{name:str}/accept-losses",
    guards=[Needs("connection:write")],
    status_code=202,
    responses=declared(*REFUSED, NothingHeldBack),
)
async def accept(who: TheStaff, pool: ThePool, name: FromPath[str]) -> Asked:
    """Say that what a part would take away is right. It is read again, and applied if it is no more than that."""
    at = now()
    if "\0" in name:
        raise NothingHeldBack(NothingHeldBack.__doc__)
    await accept_losses(pool, who.practice.practice_id, feed=name, by=who.actor, now=at)
    async with of_practice(pool, who.practice.practice_id) as conn:
        await write_backs.wake_workers(conn, "sync")
    return Asked(asked_at=at)


@post(
    "/connection/read-again",
    guards=[Needs("connection:write")],
    status_code=202,
    responses=declared(*REFUSED, ConnectionUnknown),
)
async def read_again(who: TheStaff, pool: ThePool) -> Asked:
    """Have the whole PIMS read from the beginning. What has not changed disturbs nobody."""
    practice_id, at = who.practice.practice_id, now()
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        connection = await locked(conn, practice_id)
        await feeds.read_all_again(conn, practice_id, connection.connection_id, at)
        await audit(conn, connection, "read_again", None, by=who.actor, now=at)
        await write_backs.wake_workers(conn, "sync")
    return Asked(asked_at=at)


@get("/connection/drift", guards=[Needs("configuration:read")], responses=declared(*REFUSED, NotFound))
async def read_drift(who: TheStaff, pool: ThePool) -> DriftShown:
    """Read how our copy last compared with the PIMS. Each night it is compared anew."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn:
        found = await drift.last_report(conn, practice_id)
    if found is None:
        raise NotFound(NotFound.__doc__)
    return DriftShown(
        at=found.at,
        first=found.first,
        last=found.last,
        complete=found.complete,
        compared=found.compared,
        differing=found.differing,
        differences=[
            DifferenceShown(kind=one.kind, pims_id=one.pims_id, fields=one.fields, only=one.only)
            for one in found.differences
        ],
    )


@get("/tasks", guards=[Needs("schedule:read")], responses=declared(*REFUSED))
async def list_tasks(
    who: TheStaff,
    pool: ThePool,
    after: Annotated[int, QueryParameter(ge=1, le=NEWEST, description="The cursor of the page before.")] = NEWEST,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
) -> Tasks:
    """List what staff are to look at because of something that was noticed in the PIMS, the newest first."""
    async with of_practice(pool, who.practice.practice_id) as conn:
        found = await staff_tasks.open_tasks(conn, who.practice.practice_id, before=after, limit=limit + 1)
    return Tasks(
        items=[_task(one) for one in found[:limit]], next=found[limit - 1].position if len(found) > limit else None
    )


@post(
    "/tasks/{staff_task_id:uuid}/done",
    guards=[Needs("schedule:write")],
    status_code=200,
    responses=declared(*REFUSED, NotFound),
)
async def finish_task(who: TheStaff, pool: ThePool, staff_task_id: FromPath[UUID]) -> Task:
    """Say that a task is done."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn:
        done = await staff_tasks.close_task(conn, practice_id, staff_task_id, by=who.actor, now=now())
    if done is None:
        raise NotFound(NotFound.__doc__)
    return _task(done)


def _task(one: staff_tasks.StaffTask) -> Task:
    return Task(
        id=one.staff_task_id, kind=one.kind, words=one.words, appointment=one.appointment_id, opened_at=one.opened_at
    )


router = Router("/", route_handlers=[list_freshness, accept, read_again, read_drift, list_tasks, finish_task])
