"""Verifications: a code proves a phone or an email, and begins the session in which patients may be seen.

Asking for a code looks nobody up: its answer says the same, as fast, whoever the contact belongs to.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from litestar import Router, delete, get, post
from litestar.exceptions import ValidationException
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from booking.api.given import OF_PRACTICE, HttpRequest, ThePool, ThePractice, TheRedis, TheSite, bearer, caller, now
from booking.api.limits import RateLimited, limited
from booking.api.problems import declared
from booking.api.refusals import CodeNoLongerWorks, CodeWrong, NotFound, NotProven, WorkRequired
from booking.client_session import end_session, session_contact, start_session
from booking.contacts import LONGEST, Contact, ContactUnreadableError, read_email, read_phone
from booking.db.clients import PatientStatus
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice, practice_by_id
from booking.identify import (
    CannotBeEmailed,
    CannotBeTexted,
    CodeExpired,
    TooManyCodes,
    WorkNeeded,
    WrongCode,
    accounts_of,
    check_code,
    send_code,
)
from booking.proof_of_work import LONGEST_PAYLOAD, Challenge, new_challenge
from booking.spending import TextsUsedUp
from booking.tokens import LONGEST_SEALED

TEN_MINUTES = timedelta(minutes=10)


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to send a code: a phone or an email. `altcha`: the solution of a challenge, where one was asked for."""

    phone: Annotated[str, Meta(min_length=1, max_length=LONGEST)] | None = None
    email: Annotated[str, Meta(min_length=1, max_length=LONGEST)] | None = None
    altcha: Annotated[str, Meta(max_length=LONGEST_PAYLOAD)] = ""


class Verification(Struct, frozen=True, kw_only=True, rename="camel"):
    """A code is on its way; it works until `expiresAt`, five tries long."""

    id: str
    expires_at: datetime


class Entered(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The six digits that were sent; spaces and dashes between them do not matter."""

    code: Annotated[str, Meta(min_length=1, max_length=30)]


class PatientShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A living patient of a client."""

    id: UUID
    name: str
    species: str
    breed: str
    sex: str
    birth_date: date | None
    status: PatientStatus


class AccountShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """One client with their patients; a household may have several, which stay apart."""

    id: UUID
    name: str
    patients: list[PatientShown]


class ClientShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """Whom the contact belongs to."""

    accounts: list[AccountShown]


class Session(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a proven contact opens. `session` goes into `Authorization: Bearer`; `client` null: nobody we know."""

    session: str
    client: ClientShown | None
    new_clients_welcome: bool


@post(
    "/practices/{slug:str}/verifications",
    status_code=202,
    dependencies=OF_PRACTICE,
    guards=[limited("verifications", times=60, per=TEN_MINUTES, without_redis="refuse")],
    responses=declared(
        NotFound, ContactUnreadableError, CannotBeTexted, CannotBeEmailed, TextsUsedUp, WorkRequired, RateLimited
    ),
)
async def create_verification(
    practice: ThePractice, data: JSONBody[Asked], request: HttpRequest, pool: ThePool, redis: TheRedis, site: TheSite
) -> Verification:
    """Send a code to a phone or an email, whoever's it may be."""
    sent = await send_code(
        pool,
        redis,
        site,
        practice,
        _contact(data, practice),
        address=caller(request),
        now=now(),
        proof_of_work=data.altcha,
    )
    if isinstance(sent, TooManyCodes):
        raise RateLimited(sent.wait)
    if isinstance(sent, WorkNeeded):
        raise WorkRequired(sent.challenge)
    return Verification(id=sent.verification_id, expires_at=sent.expires_at)


@get(
    "/practices/{slug:str}/challenge",
    dependencies=OF_PRACTICE,
    guards=[limited("challenges", times=60, per=TEN_MINUTES)],
    responses=declared(NotFound),
)
async def challenge(practice: ThePractice, site: TheSite) -> Challenge:
    """Return a challenge of the ALTCHA protocol (version 2), to be solved before a code is asked for."""
    return new_challenge(site.secret_key, practice.practice_id, now())


@post(
    "/verifications/{verification_id:str}/check",
    status_code=200,
    guards=[limited("checks", times=120, per=TEN_MINUTES, without_redis="refuse")],
    responses=declared(CodeWrong, CodeNoLongerWorks),
)
async def check_verification(
    verification_id: FromPath[str],
    data: JSONBody[Entered],
    request: HttpRequest,
    pool: ThePool,
    redis: TheRedis,
    site: TheSite,
) -> Session:
    """Check a code. A right one is used up and begins a session; only then is anything said about a client."""
    digits = "".join(sign for sign in data.code if sign.isdecimal())
    checked = await check_code(redis, site, verification_id[:LONGEST_SEALED], digits, address=caller(request))
    if isinstance(checked, CodeExpired):
        raise CodeNoLongerWorks(CodeNoLongerWorks.__doc__)
    if isinstance(checked, WrongCode):
        raise CodeWrong(checked.tries_left)
    token = await start_session(redis, checked.practice_id, checked.contact)
    return await _session(pool, token, checked.practice_id, checked.contact)


@get("/session", guards=[limited("session", times=120, per=TEN_MINUTES)], responses=declared(NotProven))
async def session(request: HttpRequest, pool: ThePool, redis: TheRedis) -> Session:
    """Return what the session's contact opens, as it stands now."""
    token = bearer(request)
    found = await session_contact(redis, token)
    if found is None:
        raise NotProven(NotProven.__doc__)
    return await _session(pool, token, *found)


@delete("/session", guards=[limited("session", times=120, per=TEN_MINUTES)], responses=declared())
async def sign_out(request: HttpRequest, redis: TheRedis) -> None:
    """End the session; one that has ended stays so."""
    await end_session(redis, bearer(request))


def _contact(asked: Asked, practice: Practice) -> Contact:
    if (asked.phone is None) == (asked.email is None):
        raise ValidationException("Send either a phone or an email.")
    contact = read_phone(asked.phone, practice.region) if asked.phone else read_email(asked.email or "")
    if contact is None:
        raise ContactUnreadableError(ContactUnreadableError.__doc__)
    return contact


async def _session(pool: Pool, token: str, practice_id: UUID, contact: Contact) -> Session:
    async with of_practice(pool, practice_id) as conn:
        practice = await practice_by_id(conn, practice_id)
    if practice is None:
        raise NotProven(NotProven.__doc__)
    accounts = [
        AccountShown(
            id=one.client.client_id,
            name=f"{one.client.given_name} {one.client.family_name}".strip(),
            patients=[
                PatientShown(
                    id=patient.patient_id,
                    name=patient.name,
                    species=patient.species,
                    breed=patient.breed,
                    sex=patient.sex,
                    birth_date=patient.birth_date,
                    status=patient.status,
                )
                for patient in one.patients
            ],
        )
        for one in await accounts_of(pool, practice, contact)
    ]
    return Session(
        session=token,
        client=ClientShown(accounts=accounts) if accounts else None,
        new_clients_welcome=practice.who_may_book == "everyone",
    )


router = Router(
    "/",
    route_handlers=[create_verification, challenge, check_verification, session, sign_out],
    tags=["identity"],
)
