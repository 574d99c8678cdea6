"""The practice: the tenant, its profile, and the version of its schedule."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal
from uuid import UUID

from msgspec import Struct

from availability import Recurring
from booking.db.pool import Connection, affected, many, one

WhoMayBook = Literal["everyone", "existing_clients"]


class Practice(Struct, frozen=True, kw_only=True):
    """A veterinary business at one location. `region` is the one a phone number without a country is read in.

    `urgent_words`: what stops a booking and sends the client to the phone; None: the usual ones. Codes are
    sent as texts to numbers of the region and of `text_countries`.
    """

    practice_id: UUID
    slug: str
    name: str
    timezone: str
    region: str
    phone: str
    email: str = ""
    emergency_text: str
    address: str
    languages: list[str]
    allowed_origins: list[str]
    who_may_book: WhoMayBook
    hours: tuple[Recurring, ...]
    hold_for: timedelta
    freshness_limit: timedelta
    stale_notice: timedelta
    open_bookings_per_client: int = 5
    open_bookings_per_patient: int = 2
    urgent_words: list[str] | None = None
    text_countries: list[str] = []
    texts_per_day: int = 300
    waitlist_hold_for: timedelta = timedelta(minutes=30)
    schedule_version: int = 0


COLUMNS = """practice_id, slug, name, timezone, region, phone, email, emergency_text, address, languages,
  allowed_origins, who_may_book, hours, hold_for, freshness_limit, stale_notice,
  open_bookings_per_client, open_bookings_per_patient, urgent_words, text_countries, texts_per_day,
  waitlist_hold_for, schedule_version"""

# Slugs are how a practice is found: the one way in without a practice_id.
PRACTICE_BY_SLUG = f"SELECT {COLUMNS} FROM practice WHERE slug = $1"


async def practice_by_slug(conn: Connection, slug: str) -> Practice | None:
    """Find a practice by the name in its addresses."""
    return one(await conn.fetchrow(PRACTICE_BY_SLUG, slug), Practice)


PRACTICE = f"SELECT {COLUMNS} FROM practice WHERE practice_id = $1"


async def practice_by_id(conn: Connection, practice_id: UUID) -> Practice | None:
    """Find a practice by its id."""
    return one(await conn.fetchrow(PRACTICE, practice_id), Practice)


INSERT_PRACTICE = """
INSERT INTO practice (practice_id, slug, name, timezone, region, phone, email, emergency_text, address, languages,
  allowed_origins, who_may_book, hours, hold_for, freshness_limit, stale_notice)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""


async def insert_practice(conn: Connection, practice: Practice) -> None:
    """Add a practice."""
    await conn.execute(
        INSERT_PRACTICE,
        practice.practice_id,
        practice.slug,
        practice.name,
        practice.timezone,
        practice.region,
        practice.phone,
        practice.email,
        practice.emergency_text,
        practice.address,
        practice.languages,
        practice.allowed_origins,
        practice.who_may_book,
        practice.hours,
        practice.hold_for,
        practice.freshness_limit,
        practice.stale_notice,
    )


SET_ALLOWED_ORIGINS = "UPDATE practice SET allowed_origins = $2 WHERE practice_id = $1"


async def set_allowed_origins(conn: Connection, practice_id: UUID, origins: list[str]) -> None:
    """Set the origins whose pages may show the booking frame."""
    await conn.execute(SET_ALLOWED_ORIGINS, practice_id, origins)


SET_WHO_MAY_BOOK = "UPDATE practice SET who_may_book = $2 WHERE practice_id = $1"


async def set_who_may_book(conn: Connection, practice_id: UUID, who: WhoMayBook) -> None:
    """Set whether strangers may book or only ask."""
    await conn.execute(SET_WHO_MAY_BOOK, practice_id, who)


SET_HOURS = """
UPDATE practice SET hours = $2, hours_from_pims = true
WHERE practice_id = $1 AND (hours, hours_from_pims) IS DISTINCT FROM ($2, true)
"""


async def set_hours(conn: Connection, practice_id: UUID, hours: object) -> bool:
    """Set the opening hours (a list of Recurring) that the PIMS tells; whether that changed anything."""
    return affected(await conn.execute(SET_HOURS, practice_id, hours)) == 1


ALLOW_AGE = "UPDATE practice SET freshness_limit = greatest(freshness_limit, $2) WHERE practice_id = $1"


async def allow_age(conn: Connection, practice_id: UUID, age: timedelta) -> None:
    """Let the mirror be so old at least before near times are no longer booked at once."""
    await conn.execute(ALLOW_AGE, practice_id, age)


RAISE_SCHEDULE_VERSION = "UPDATE practice SET schedule_version = schedule_version + 1 WHERE practice_id = $1"


async def raise_schedule_version(conn: Connection, practice_id: UUID) -> None:
    """Say that offers made before now may be out of date."""
    await conn.execute(RAISE_SCHEDULE_VERSION, practice_id)


SCHEDULE_VERSIONS = "SELECT practice_id, schedule_version FROM practice WHERE practice_id = ANY($1::uuid[])"


async def schedule_versions(conn: Connection, practice_ids: list[UUID]) -> dict[UUID, int]:
    """Return the schedule versions of some practices; every connection may ask, as it may find a practice."""
    return {row["practice_id"]: row["schedule_version"] for row in await conn.fetch(SCHEDULE_VERSIONS, practice_ids)}


class Closure(Struct, frozen=True, kw_only=True):
    """Local dates, both included, on which the practice is closed."""

    first: date
    last: date


CLOSURES = "SELECT first, last FROM closure WHERE practice_id = $1 AND last >= $2 AND first <= $3 ORDER BY first"


async def closures(conn: Connection, practice_id: UUID, first: date, last: date) -> list[Closure]:
    """Return the closures that touch the local dates from first to last."""
    return many(await conn.fetch(CLOSURES, practice_id, first, last), Closure)


ALL_CLOSURES = "SELECT first, last FROM closure WHERE practice_id = $1 ORDER BY first DESC LIMIT 2000"


async def all_closures(conn: Connection, practice_id: UUID) -> list[Closure]:
    """Return the practice's closures, the latest first."""
    return many(await conn.fetch(ALL_CLOSURES, practice_id), Closure)
