"""The waitlist: wait for a time that suits, and answer when one is kept for you.

Who joins has proven a contact and goes on with its session; an offer can be answered with the token of its link, too.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal
from uuid import UUID

from litestar import Router, delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from booking.api.given import (
    TO_PRACTICE_REPEATABLE,
    HttpRequest,
    TheKey,
    ThePool,
    ThePractice,
    TheRedis,
    TheSite,
    bearer,
    now,
)
from booking.api.limits import limited
from booking.api.practices import Species
from booking.api.problems import declared
from booking.api.refusals import NotFound, NotProven
from booking.client_session import session_contact
from booking.contacts import Contact
from booking.db.holds import Wish
from booking.db.pool import Pool, of_practice
from booking.db.practices import Practice, practice_by_id
from booking.db.waitlist import Entry, Offer, State, Weekday, Window
from booking.offers import NotBookableOnline
from booking.once import KeyBusy, KeyMissing, KeyReused
from booking.policies import Refused
from booking.tokens import sealed, unsealed
from booking.waitlist import (
    Joining,
    NothingOffered,
    WaitlistFull,
    WaitlistUnknown,
    WaitRefused,
    accept,
    decline,
    join,
    leave,
    place,
    whose,
)

Clock = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
LIMITED = [limited("waitlist", times=60, per=timedelta(minutes=10))]


class Suiting(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Times that would suit: local dates, both included, on these weekdays (Monday 1), between two times of day."""

    first: date
    last: date
    weekdays: Annotated[tuple[Weekday, ...], Meta(min_length=1, max_length=7)] = (1, 2, 3, 4, 5, 6, 7)
    opens: Clock = "00:00"
    closes: Clock = "23:59"


class Waiting(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What to wait for: an appointment type, for these patients' species, at times that suit."""

    appointment_type: UUID
    patients: Annotated[tuple[Species, ...], Meta(min_length=1, max_length=4)] = ("dog",)
    provider: UUID | None = None
    client: Literal["new", "existing"] = "existing"
    windows: Annotated[tuple[Suiting, ...], Meta(min_length=1, max_length=10)]


class Kept(Struct, frozen=True, kw_only=True, rename="camel"):
    """The time that is kept for you, until `expiresAt`."""

    start: datetime
    end: datetime
    expires_at: datetime


class Place(Struct, frozen=True, kw_only=True, rename="camel"):
    """A place on the waitlist. `until`: the last date on which you wait; `offer`: a time that is kept for you."""

    id: UUID
    state: State
    until: date
    joined_at: datetime
    offer: Kept | None


class HoldToBook(Struct, frozen=True, kw_only=True, rename="camel"):
    """The hold to book with: the time is kept until `expiresAt` for whoever has the secret."""

    hold_id: UUID
    secret: str
    start: datetime
    end: datetime
    expires_at: datetime


@post(
    "/practices/{slug:str}/waitlist",
    guards=LIMITED,
    dependencies=TO_PRACTICE_REPEATABLE,
    responses=declared(
        NotFound, NotProven, NotBookableOnline, Refused, WaitRefused, WaitlistFull, KeyMissing, KeyReused, KeyBusy
    ),
)
async def join_waitlist(
    practice: ThePractice,
    request: HttpRequest,
    pool: ThePool,
    redis: TheRedis,
    key: TheKey,
    data: JSONBody[Waiting],
) -> Place:
    """Join the waitlist, at the end of the line, with the session of a proven contact."""
    session = await session_contact(redis, bearer(request))
    if session is None or session[0] != practice.practice_id:
        raise NotProven(NotProven.__doc__)
    wish = Wish(
        appointment_type_id=data.appointment_type,
        patients=data.patients,
        new_client=data.client == "new",
        provider_id=data.provider,
    )
    windows = tuple(
        Window(
            first=one.first,
            last=one.last,
            weekdays=one.weekdays,
            opens=time.fromisoformat(one.opens),
            closes=time.fromisoformat(one.closes),
        )
        for one in data.windows
    )
    joining = Joining(contact=session[1], wish=wish, windows=windows)
    return _shown(await join(pool, practice, joining, key=key, now=now()), None)


@get("/waitlist/{entry_id:uuid}", guards=LIMITED, responses=declared(NotProven, WaitlistUnknown))
async def waitlist_place(entry_id: FromPath[UUID], request: HttpRequest, pool: ThePool, redis: TheRedis) -> Place:
    """Return how a place stands, and the time that is kept for it."""
    practice, contact = await _asking(pool, redis, request)
    return _shown(*await place(pool, practice.practice_id, entry_id, contact, now=now()))


@delete("/waitlist/{entry_id:uuid}", guards=LIMITED, responses=declared(NotProven, WaitlistUnknown))
async def leave_waitlist(entry_id: FromPath[UUID], request: HttpRequest, pool: ThePool, redis: TheRedis) -> None:
    """Leave the waitlist. A time that is kept passes on to the next."""
    practice, contact = await _asking(pool, redis, request)
    await leave(pool, practice.practice_id, entry_id, contact, now=now())


@post(
    "/waitlist/{entry_id:uuid}/accept",
    guards=LIMITED,
    status_code=200,
    responses=declared(NotProven, WaitlistUnknown, NothingOffered),
)
async def accept_offer(
    entry_id: FromPath[UUID], request: HttpRequest, pool: ThePool, redis: TheRedis, site: TheSite
) -> HoldToBook:
    """Take the time that is kept: the wait is over, and the hold is there to book with."""
    practice, contact = await _asking(pool, redis, request)
    accepted = await accept(pool, site, practice, entry_id, contact, now=now())
    return HoldToBook(
        hold_id=accepted.hold_id,
        secret=sealed("hs", practice.practice_id, accepted.hold_secret),
        start=accepted.starts_at,
        end=accepted.ends_at,
        expires_at=accepted.expires_at,
    )


@post(
    "/waitlist/{entry_id:uuid}/decline",
    guards=LIMITED,
    status_code=204,
    responses=declared(NotProven, WaitlistUnknown, NothingOffered),
)
async def decline_offer(entry_id: FromPath[UUID], request: HttpRequest, pool: ThePool, redis: TheRedis) -> None:
    """Let the time pass on to the next, and keep waiting for another."""
    practice, contact = await _asking(pool, redis, request)
    await decline(pool, practice.practice_id, entry_id, contact, now=now())


async def _asking(pool: Pool, redis: TheRedis, request: HttpRequest) -> tuple[Practice, Contact]:
    """Return who asks: the one whose session it is, or to whom an offer's token was sent. Raises `NotProven`."""
    token = bearer(request)
    offer = unsealed("wo", token)
    if offer is None:
        found = await session_contact(redis, token)
    else:
        contact = await whose(pool, *offer)
        found = (offer[0], contact) if contact else None
    if found is None:
        raise NotProven(NotProven.__doc__)
    async with of_practice(pool, found[0]) as conn:
        practice = await practice_by_id(conn, found[0])
    if practice is None:
        raise NotProven(NotProven.__doc__)
    return practice, found[1]


def _shown(entry: Entry, offer: Offer | None) -> Place:
    return Place(
        id=entry.waitlist_entry_id,
        state=entry.state,
        until=entry.until,
        joined_at=entry.joined_at,
        offer=Kept(start=offer.starts_at, end=offer.ends_at, expires_at=offer.expires_at) if offer else None,
    )


router = Router(
    "/",
    route_handlers=[join_waitlist, waitlist_place, leave_waitlist, accept_offer, decline_offer],
    tags=["waitlist"],
)
