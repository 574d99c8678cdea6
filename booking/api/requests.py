"""Requests: ask for an appointment where none can be booked at once; somebody at the practice calls back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from litestar import Router, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from booking.api.given import (
    TO_PRACTICE_REPEATABLE,
    HttpRequest,
    TheKey,
    ThePool,
    ThePractice,
    TheRedis,
    bearer,
    now,
)
from booking.api.limits import RateLimited, limited
from booking.api.practices import Species
from booking.api.problems import declared
from booking.api.refusals import NotFound, NotProven
from booking.client_session import session_contact
from booking.contacts import LONGEST, ContactUnreadableError, read_contact
from booking.db.requests import RequestStatus
from booking.offers import NotBookableOnline
from booking.once import KeyBusy, KeyMissing, KeyReused
from booking.policies import Urgent
from booking.request import Asked, RequestDecided, RequestUnknown, request_appointment, withdraw

Name = Annotated[str, Meta(min_length=1, max_length=120)]


class RequestSent(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What somebody asks for. `contact`: a phone or an email, at which the practice answers."""

    contact: Annotated[str, Meta(min_length=1, max_length=LONGEST)]
    name: Name
    patient_name: Name
    species: Species
    appointment_type: UUID | None = None
    preferred_times: Annotated[str, Meta(max_length=500)] = ""
    message: Annotated[str, Meta(max_length=500)] = ""


class RequestMade(Struct, frozen=True, kw_only=True, rename="camel"):
    """The practice has the request."""

    id: UUID
    status: RequestStatus
    created_at: datetime


@post(
    "/practices/{slug:str}/requests",
    dependencies=TO_PRACTICE_REPEATABLE,
    guards=[limited("requests", times=10, per=timedelta(minutes=10), without_redis="refuse")],
    responses=declared(
        NotFound, ContactUnreadableError, NotBookableOnline, Urgent, KeyMissing, KeyReused, KeyBusy, RateLimited
    ),
)
async def create_request(practice: ThePractice, data: JSONBody[RequestSent], pool: ThePool, key: TheKey) -> RequestMade:
    """Ask the practice for an appointment. Whoever asks need not be a client."""
    asked = Asked(
        appointment_type_id=data.appointment_type,
        contact=read_contact(data.contact, practice.region),
        name=data.name.strip(),
        patient_name=data.patient_name.strip(),
        species=data.species,
        preferred_times=data.preferred_times,
        message=data.message,
    )
    made = await request_appointment(pool, practice, asked, now=now(), key=key)
    return RequestMade(id=made.appointment_request_id, status=made.status, created_at=made.created_at)


@post(
    "/requests/{request_id:uuid}/withdraw",
    status_code=200,
    guards=[limited("withdrawals", times=30, per=timedelta(minutes=10))],
    responses=declared(NotProven, RequestUnknown, RequestDecided, RateLimited),
)
async def withdraw_request(
    request_id: FromPath[UUID], request: HttpRequest, pool: ThePool, redis: TheRedis
) -> RequestMade:
    """Take a request back, by the session of the contact that it was made with."""
    session = await session_contact(redis, bearer(request))
    if session is None:
        raise NotProven(NotProven.__doc__)
    practice_id, contact = session
    found = await withdraw(pool, practice_id, request_id, contact, now=now())
    return RequestMade(id=found.appointment_request_id, status=found.status, created_at=found.created_at)


router = Router("/", route_handlers=[create_request, withdraw_request], tags=["requests"])
