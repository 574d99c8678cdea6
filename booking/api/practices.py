"""What anybody may know of a practice: its profile, and what can be booked there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from litestar import Router, get
from litestar.params import QueryParameter
from msgspec import Meta, Struct

from booking.api.given import OF_PRACTICE, ThePool, ThePractice, now
from booking.api.limits import limited
from booking.api.problems import declared
from booking.api.refusals import NotFound
from booking.db.appointment_types import AppointmentType, Audience, Mode
from booking.db.pool import of_practice
from booking.db.practices import WhoMayBook
from booking.details import asked, camel
from booking.offers import offered_types
from booking.slot_problem import freshness_of
from booking.standing import standing
from pims_adapters.contract import DraftField

OFTEN = [limited("practice", times=300, per=timedelta(minutes=1))]
Species = Annotated[str, Meta(min_length=1, max_length=40)]


class Freshness(Struct, frozen=True, kw_only=True, rename="camel"):
    """How old our copy of the practice's schedule is. `stale`: near times are not offered at the moment."""

    as_of: datetime | None
    stale: bool


class Asked(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the practice needs of a new client or patient beyond a name, by the field's name in a booking.

    `otherContact`: a phone beside a proven email, and the reverse. `words`: the only values that are taken.
    """

    of: Literal["client", "patient"]
    field: str
    words: list[str] | None


class Profile(Struct, frozen=True, kw_only=True, rename="camel"):
    """A practice as anybody may see it."""

    slug: str
    name: str
    timezone: str
    languages: list[str]
    phone: str
    address: str
    emergency_text: str
    who_may_book: WhoMayBook
    freshness: Freshness
    asks: list[Asked]


class Bookable(Struct, frozen=True, kw_only=True, rename="camel"):
    """What may be booked. `mode` callback: ask for it, and the practice calls back; no times are shown."""

    id: UUID
    name: str
    description: str
    category: str
    species: list[str]
    duration: timedelta
    mode: Mode
    who_may_book: Audience


class BookableTypes(Struct, frozen=True, kw_only=True, rename="camel"):
    """The appointment types, in the order in which the practice shows them."""

    items: list[Bookable]


@get("/practices/{slug:str}", guards=OFTEN, responses=declared(NotFound))
async def profile(practice: ThePractice, pool: ThePool) -> Profile:
    """Return the public profile of a practice."""
    async with of_practice(pool, practice.practice_id) as conn:
        freshness = await freshness_of(conn, practice, now())
        writes = (await standing(conn, practice.practice_id)).writes
    return Profile(
        slug=practice.slug,
        name=practice.name,
        timezone=practice.timezone,
        languages=practice.languages,
        phone=practice.phone,
        address=practice.address,
        emergency_text=practice.emergency_text,
        who_may_book=practice.who_may_book,
        freshness=Freshness(as_of=freshness.as_of, stale=freshness.stale),
        asks=[_asked(one) for one in asked(writes.asks if writes else ())],
    )


@get("/practices/{slug:str}/appointment-types", guards=OFTEN, responses=declared(NotFound))
async def bookable_types(
    practice: ThePractice,
    pool: ThePool,
    species: Annotated[Species | None, QueryParameter(description="Only what this species may come for.")] = None,
    client: Annotated[
        Literal["new", "existing"] | None, QueryParameter(description="Only what such clients may book.")
    ] = None,
) -> BookableTypes:
    """Return what may be booked online, or asked for."""
    new_client = None if client is None else client == "new"
    async with of_practice(pool, practice.practice_id) as conn:
        found = await offered_types(conn, practice, species=species, new_client=new_client)
    return BookableTypes(items=[_bookable(one) for one in found])


def _asked(one: DraftField) -> Asked:
    field = "otherContact" if one.field in ("phone", "email") else camel(one.field)
    return Asked(
        of="client" if one.of == "client" else "patient", field=field, words=list(one.words) if one.words else None
    )


def _bookable(one: AppointmentType) -> Bookable:
    return Bookable(
        id=one.appointment_type_id,
        name=one.name,
        description=one.description,
        category=one.category,
        species=one.species,
        duration=one.length,
        mode=one.mode,
        who_may_book=one.who_may_book,
    )


router = Router("/", route_handlers=[profile, bookable_types], dependencies=OF_PRACTICE, tags=["practice"])
