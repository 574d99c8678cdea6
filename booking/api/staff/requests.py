"""What clients asked for, and what staff make of it."""

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
from booking.db.pool import of_practice
from booking.db.requests import AppointmentRequest, RequestStatus
from booking.request import RequestDecided, RequestUnknown, decline

REFUSED = (NotSignedIn, ScopeMissing, FromAnotherSite)
READ, WRITE = [Needs("schedule:read")], [Needs("schedule:write")]


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
    return await book_as_staff(pool, site=site, who=who, sent=data, request_id=request_id, key=key)


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


router = Router(
    "/",
    route_handlers=[
        list_requests,
        book_request,
        decline_request,
    ],
)
