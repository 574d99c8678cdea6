"""What clients asked for, and what staff make of it; and what is on its way into the practice's own system."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from booking.api.bookings import BookingShown
from booking.api.given import REPEATABLE, TheKey, ThePool, TheSite, now
from booking.api.problems import declared
from booking.api.staff.appointments import BOOKING, EntrySent, book_as_staff, cursor, read_cursor
from booking.api.staff.who import FromAnotherSite, Needs, NotSignedIn, ScopeMissing, TheStaff
from booking.db import requests as requests_db
from booking.db import write_backs
from booking.db.pool import of_practice
from booking.db.requests import AppointmentRequest, RequestStatus
from booking.db.write_backs import Action, Line, State
from booking.request import RequestDecided, RequestUnknown, decline
from booking.write_back_tasks import WriteBackSettled, WriteBackUnknown, done_by_hand, retry
from pims_adapters.contract import Kind

REFUSED = (NotSignedIn, ScopeMissing, FromAnotherSite)
READ, WRITE = [Needs("schedule:read")], [Needs("schedule:write")]
NEWEST = 2**62


class RequestShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A request. `reference`: the booking that it led to; `answer`: the practice's words where it was declined."""

    id: UUID
    status: RequestStatus
    appointment_type: UUID | None
    contact: str
    name: str
    patient_name: str
    species: str
    preferred_times: str
    message: str
    created_at: datetime
    reference: str | None
    answer: str | None
    decided_at: datetime | None


class Requests(Struct, frozen=True, kw_only=True, rename="camel"):
    """Requests, newest first. `next`: where the list goes on."""

    items: list[RequestShown]
    next: str | None


class Declined(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What whoever asked is told."""

    message: Annotated[str, Meta(min_length=1, max_length=500)]


class WriteBackShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is to be done in the practice's own system, where that stands, why, and when it is tried next."""

    id: UUID
    appointment: UUID
    reference: str | None
    kind: Kind
    action: Action
    state: State
    reason: str | None
    attempts: int
    queued_at: datetime
    next_attempt: datetime | None
    written_at: datetime | None


class WriteBacks(Struct, frozen=True, kw_only=True, rename="camel"):
    """The outbox, newest first. `next`: where the list goes on."""

    items: list[WriteBackShown]
    next: str | None


class ByHand(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What staff entered by hand: its identifier in the practice's own system, if it shows one."""

    pims_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


@get("/requests", guards=READ, responses=declared(*REFUSED))
async def list_requests(
    who: TheStaff,
    pool: ThePool,
    status: Annotated[RequestStatus | None, QueryParameter(description="Only such; else all.")] = None,
    after: Annotated[str | None, QueryParameter(max_length=100, description="`next` of the page before.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
) -> Requests:
    """List what clients asked for."""
    practice_id = who.practice.practice_id
    async with of_practice(pool, practice_id) as conn:
        found = await requests_db.requests(conn, practice_id, status, after=read_cursor(after), limit=limit)
    following = cursor(found[-1].created_at, found[-1].appointment_request_id) if len(found) == limit else None
    return Requests(items=[_request(one) for one in found], next=following)


@post(
    "/requests/{request_id:uuid}/book",
    guards=WRITE,
    dependencies=REPEATABLE,
    responses=declared(*REFUSED, RequestUnknown, RequestDecided, *BOOKING),
)
async def book_request(
    who: TheStaff, pool: ThePool, site: TheSite, key: TheKey, request_id: FromPath[UUID], data: JSONBody[EntrySent]
) -> BookingShown:
    """Turn a request into a booking. A new client is reached by the contact that the request was made with."""
    return await book_as_staff(pool, site=site, practice=who.practice, sent=data, request_id=request_id, key=key)


@post(
    "/requests/{request_id:uuid}/decline",
    guards=WRITE,
    status_code=200,
    responses=declared(*REFUSED, RequestUnknown, RequestDecided),
)
async def decline_request(
    who: TheStaff, pool: ThePool, request_id: FromPath[UUID], data: JSONBody[Declined]
) -> RequestShown:
    """Decline a request, in words that are sent to whoever asked."""
    return _request(await decline(pool, who.practice, request_id, data.message.strip(), now=now()))


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
        found = await write_backs.outbox(conn, practice_id, before=after, states=states, limit=limit)
    following = str(found[-1].position) if len(found) == limit else None
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
    responses=declared(*REFUSED, WriteBackUnknown, WriteBackSettled),
)
async def finish_write_back(
    who: TheStaff, pool: ThePool, write_back_id: FromPath[UUID], data: JSONBody[ByHand]
) -> WriteBackShown:
    """Say that staff did it by hand. Send `pimsId` of what was entered, so that it is recognized."""
    practice_id = who.practice.practice_id
    return _write_back(await done_by_hand(pool, practice_id, write_back_id, pims_id=data.pims_id, now=now()))


def _request(one: AppointmentRequest) -> RequestShown:
    return RequestShown(
        id=one.appointment_request_id,
        status=one.status,
        appointment_type=one.appointment_type_id,
        contact=one.contact_value,
        name=one.name,
        patient_name=one.patient_name,
        species=one.species,
        preferred_times=one.preferred_times,
        message=one.message,
        created_at=one.created_at,
        reference=one.reference,
        answer=one.answer,
        decided_at=one.decided_at,
    )


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
    )


router = Router(
    "/",
    route_handlers=[
        list_requests,
        book_request,
        decline_request,
        list_write_backs,
        retry_write_back,
        finish_write_back,
    ],
)
