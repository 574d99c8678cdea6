"""What is on its way into the practice's own system, and what staff do about it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from booking.api.given import ThePool, now
from booking.api.problems import declared
from booking.api.staff.who import FromAnotherSite, Needs, NotSignedIn, ScopeMissing, TheStaff
from booking.db import outbox
from booking.db.outbox import Line
from booking.db.pool import of_practice
from booking.db.write_backs import Action, State, Subject
from booking.write_back_tasks import (
    NotLinkable,
    RecordTaken,
    WriteBackSettled,
    WriteBackUnknown,
    done_by_hand,
    relink,
    retry,
)

REFUSED = (NotSignedIn, ScopeMissing, FromAnotherSite)
READ, WRITE = [Needs("schedule:read")], [Needs("schedule:write")]
NEWEST = 2**62


class WriteBackShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is to be done in the practice's own system, where that stands, why, and when it is tried next.

    `note`: what staff should know though all is well; `escalatedAt`: since when it is late for a visit that is near.
    """

    id: UUID
    appointment: UUID
    reference: str | None
    kind: Subject
    action: Action
    state: State
    reason: str | None
    attempts: int
    queued_at: datetime
    next_attempt: datetime | None
    written_at: datetime | None
    note: str | None
    escalated_at: datetime | None


class WriteBacks(Struct, frozen=True, kw_only=True, rename="camel"):
    """The outbox: what is late for a visit that is near, then the newest. `next`: where the list goes on."""

    items: list[WriteBackShown]
    next: str | None


class ByHand(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What staff entered by hand: its identifier in the practice's own system, if it shows one."""

    pims_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class InPims(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which record of the practice's own system it is."""

    pims_id: Annotated[str, Meta(min_length=1, max_length=200)]


@get("/write-backs", guards=READ, responses=declared(*REFUSED))
async def list_write_backs(
    who: TheStaff,
    pool: ThePool,
    only: Annotated[State | None, QueryParameter(name="state", description="Only such; else all.")] = None,
    after: Annotated[int, QueryParameter(ge=1, le=NEWEST, description="`next` of the page before.")] = NEWEST,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
) -> WriteBacks:
    """List what is on its way into the practice's own system, or has arrived."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn:
        states = [only] if only else None
        found = await outbox.outbox(conn, practice_id, before=after, states=states, limit=limit)
    following = str(found[-1].rank) if len(found) == limit else None
    return WriteBacks(items=[_write_back(one) for one in found], next=following)


@post(
    "/write-backs/{write_back_id:uuid}/retry",
    guards=WRITE,
    status_code=200,
    responses=declared(*REFUSED, WriteBackUnknown, WriteBackSettled),
)
async def retry_write_back(who: TheStaff, pool: ThePool, write_back_id: FromPath[UUID]) -> WriteBackShown:
    """Try a line again now; the practice's own system is asked first whether it has it already."""
    return _write_back(await retry(pool, who.practice.practice_id, write_back_id, now=now()))


@post(
    "/write-backs/{write_back_id:uuid}/done",
    guards=WRITE,
    status_code=200,
    responses=declared(*REFUSED, WriteBackUnknown, WriteBackSettled, RecordTaken),
)
async def finish_write_back(
    who: TheStaff, pool: ThePool, write_back_id: FromPath[UUID], data: JSONBody[ByHand]
) -> WriteBackShown:
    """Say that staff did it by hand. Send `pimsId` of what was entered, so that it is recognized."""
    practice_id = who.practice.practice_id
    return _write_back(await done_by_hand(pool, practice_id, write_back_id, pims_id=data.pims_id, now=now()))


@post(
    "/write-backs/{write_back_id:uuid}/link",
    guards=WRITE,
    status_code=200,
    responses=declared(*REFUSED, WriteBackUnknown, WriteBackSettled, NotLinkable, RecordTaken),
)
async def link_write_back(
    who: TheStaff, pool: ThePool, write_back_id: FromPath[UUID], data: JSONBody[InPims]
) -> WriteBackShown:
    """Say which record of the practice's own system this is. It is read there next, and taken where it fits.

    Where it does not, the line needs attention again and its `reason` says why.
    """
    practice_id = who.practice.practice_id
    return _write_back(await relink(pool, practice_id, write_back_id, pims_id=data.pims_id.strip(), now=now()))


def _write_back(one: Line) -> WriteBackShown:
    return WriteBackShown(
        id=one.write_back_id,
        appointment=one.appointment_id,
        reference=one.reference,
        kind=one.kind,
        action=one.action,
        state=one.state,
        reason=one.reason,
        attempts=one.attempts,
        queued_at=one.queued_at,
        next_attempt=one.due_at if one.state in ("queued", "unknown") else None,
        written_at=one.written_at,
        note=one.note,
        escalated_at=one.escalated_at,
    )


router = Router("/", route_handlers=[list_write_backs, retry_write_back, link_write_back, finish_write_back])
