"""Slots: the times that can be booked, as JSON, each with a token that holds it."""

from __future__ import annotations

import gzip
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter
from msgspec import Struct

from availability import Assignment
from booking.api.bookings import LONGEST_REFERENCE, theirs
from booking.api.given import OF_PRACTICE, YEARS, HttpRequest, ThePool, ThePractice, TheRedis, TheSite, now
from booking.api.limits import limited
from booking.api.problems import declared
from booking.api.refusals import DaysRefused, NotFound, NotProven
from booking.change import BookingUnknown, wish_of
from booking.db.holds import Wish
from booking.db.practices import Practice
from booking.offers import MOST_DAYS, NotBookableOnline, Offer, offer
from booking.site import Site
from booking.slot_cache import MINUTE, kept_or_made, minute_of
from booking.slot_token import signer

MOST_PATIENTS = 4
PATIENTS = rf"^[a-z_ -]{{1,40}}(,[a-z_ -]{{1,40}}){{0,{MOST_PATIENTS - 1}}}$"


class Provider(Struct, frozen=True, kw_only=True, rename="camel"):
    """Somebody who may serve a slot."""

    id: str
    name: str


class SlotShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A time that can be booked. `providers`: the ids of who would serve; `token` holds it, for half an hour."""

    start: datetime
    end: datetime
    providers: list[str]
    token: str


class DayShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A local day of the practice and its times, which may be none."""

    date: date
    slots: list[SlotShown]


class Slots(Struct, frozen=True, kw_only=True, rename="camel"):
    """The days asked for. `next`: the first time after them, where they have none.

    `mode` request: what we know of the practice's schedule (`asOf`) is too old to offer near times; ask for one.
    """

    as_of: datetime | None
    mode: Literal["instant", "request"]
    days: list[DayShown]
    next: datetime | None
    providers: list[Provider]


async def wished(
    practice: ThePractice,  # noqa: ARG001 - found first
    appointment_type: Annotated[UUID, QueryParameter(name="appointmentType", description="What is to be booked.")],
    patients: Annotated[
        str,
        QueryParameter(pattern=PATIENTS, description="The species of each patient, parted by commas.", max_length=200),
    ] = "dog",
    provider: Annotated[UUID | None, QueryParameter(description="Only times with this provider.")] = None,
    client: Annotated[Literal["new", "existing"], QueryParameter(description="For whom.")] = "existing",
) -> Wish:
    """Return what the query wishes for, apart from the time."""
    return Wish(
        appointment_type_id=appointment_type,
        patients=tuple(patients.split(",")),
        new_client=client == "new",
        provider_id=provider,
    )


Reference = Annotated[
    str | None, QueryParameter(max_length=LONGEST_REFERENCE, description="The booking that is to be moved.")
]


@get(
    "/practices/{slug:str}/slots",
    dependencies={"wish": Provide(wished)},
    guards=[limited("slots", times=300, per=timedelta(minutes=1))],
    responses=declared(NotFound, NotBookableOnline, DaysRefused, NotProven, BookingUnknown),
)
async def slots(
    practice: ThePractice,
    wish: NamedDependency[Wish],
    first: Annotated[date, QueryParameter(name="from", description="The first local day.")],
    last: Annotated[date, QueryParameter(name="to", description="The last local day, 61 days later at most.")],
    request: HttpRequest,
    pool: ThePool,
    redis: TheRedis,
    site: TheSite,
    reference: Reference = None,
) -> Response[Slots]:
    """Return the times that can be booked from one local day to another.

    With the `reference` of a booking, and its client's session or its manage token as bearer token: the times to which
    it can be moved. What it takes itself counts as free then, and what it was booked for is what is wished.
    """
    if not 0 <= (last - first).days < MOST_DAYS or first.year not in YEARS or last.year not in YEARS:
        raise DaysRefused(DaysRefused.__doc__)
    asked_at = now()
    own: tuple[UUID, ...] = ()
    if reference is not None:
        whose, visits = await theirs(pool, redis, request, reference)
        if whose.practice_id != practice.practice_id:
            raise BookingUnknown(BookingUnknown.__doc__)
        own = tuple(one.appointment_id for one in visits)
        wish = await wish_of(pool, practice, reference)

    async def make() -> bytes:
        minute = minute_of(asked_at, practice.practice_id)
        found = await offer(pool, practice, wish, first, last, now=minute, own=own, lasting=MINUTE)
        return msgspec.json.encode(_shown(site, practice, wish, found, asked_at))

    question = msgspec.msgpack.encode((wish, first, last, own))
    body = await kept_or_made(redis, practice.practice_id, practice.schedule_version, question, now=asked_at, make=make)
    headers = {"vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
    else:
        body = gzip.decompress(body)
    return Response(content=body, media_type="application/json", headers=headers)  # type: ignore[arg-type] # encoded already


def _shown(site: Site, practice: Practice, wish: Wish, found: Offer, asked_at: datetime) -> Slots:
    names = {str(one.resource_id): one.name for one in found.stands.resources if one.kind == "provider"}
    token = signer(site.secret_key, practice.practice_id, wish, asked_at)
    # Slots that the same resources would serve share one assignment, of which there are few.
    providers = {id(one.resources): one.resources for day in found.days for one in day.slots}
    serve = {id_: serving(resources, names) for id_, resources in providers.items()}
    days = [
        DayShown(
            date=day.date,
            slots=[
                SlotShown(start=one.start, end=one.end, providers=serve[id(one.resources)], token=token(one.start))
                for one in day.slots
            ],
        )
        for day in found.days
    ]
    somewhere = {provider for each in serve.values() for provider in each}
    return Slots(
        as_of=found.as_of,
        mode=found.mode,
        days=days,
        next=found.next,
        providers=[Provider(id=id_, name=name) for id_, name in names.items() if id_ in somewhere],
    )


def serving(resources: Assignment, names: dict[str, str]) -> list[str]:
    """Return the ids of the providers among the resources of a slot."""
    serve: list[str] = []
    for ids in resources.values():
        serve += [id_ for id_ in ids if id_ in names and id_ not in serve]
    return serve


router = Router("/", route_handlers=[slots], dependencies=OF_PRACTICE, tags=["slots"])
