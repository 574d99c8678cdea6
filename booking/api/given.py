"""What a route of the API is given by the name of its argument: stores, the site, the practice, the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, HeaderParameter
from redis.asyncio import Redis

from booking.api.refusals import NotFound, StartUnclear
from booking.db.pool import Pool, of_no_practice
from booking.db.practices import Practice, practice_by_slug
from booking.limits import address_block
from booking.once import KeyMissing
from booking.site import Site

ThePool: TypeAlias = NamedDependency[Pool]
TheRedis: TypeAlias = NamedDependency[Redis]
TheSite: TypeAlias = NamedDependency[Site]
ThePractice: TypeAlias = NamedDependency[Practice]
HttpRequest: TypeAlias = Request[Any, Any, State]

LONGEST_SLUG = 100
YEARS = range(2000, 2190)
"""What a schedule may be asked about, with room on both sides for what it looks at around that."""


def now() -> datetime:
    """Read the clock; everything below is given the instant."""
    return datetime.now(UTC)


def within_reach(start: datetime) -> datetime:
    """Return a start that a schedule may be asked about. Raises `StartUnclear`."""
    if start.year not in YEARS:
        raise StartUnclear(StartUnclear.__doc__)
    return start


async def find_practice(slug: FromPath[str], pool: ThePool) -> Practice:
    """Return the practice that the path names. Raises `NotFound`."""
    if len(slug) > LONGEST_SLUG or "\0" in slug:
        raise NotFound(NotFound.__doc__)
    async with of_no_practice(pool) as conn:
        found = await practice_by_slug(conn, slug)
    if found is None:
        raise NotFound(NotFound.__doc__)
    return found


OF_PRACTICE = {"practice": Provide(find_practice)}


def caller(request: HttpRequest) -> str:
    """Return the block of network addresses a request came from."""
    return address_block(request.client.host if request.client else "0.0.0.0")  # noqa: S104 - no address: all share one


def bearer(request: HttpRequest) -> str:
    """Return the token that came in `Authorization: Bearer …`, or an empty text."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip()[:200] if scheme.lower() == "bearer" else ""


KeySent: TypeAlias = Annotated[
    str | None,
    HeaderParameter(name="Idempotency-Key", max_length=200, description="A new random value for each new request."),
]


async def idempotency_key(idempotency_key: KeySent = None) -> str:
    """Return the request's key. Raises `KeyMissing`."""
    if not idempotency_key:
        raise KeyMissing(KeyMissing.__doc__)
    return idempotency_key


async def _key_to_practice(practice: ThePractice, idempotency_key: KeySent = None) -> str:  # noqa: ARG001 - found first
    if not idempotency_key:
        raise KeyMissing(KeyMissing.__doc__)
    return idempotency_key or ""


async def _optional_key(practice: ThePractice, idempotency_key: KeySent = None) -> str:  # noqa: ARG001 - found first
    return idempotency_key or ""


TheKey: TypeAlias = NamedDependency[str]
REPEATABLE = {"key": Provide(idempotency_key)}
TO_PRACTICE_REPEATABLE = OF_PRACTICE | {"key": Provide(_key_to_practice)}
MAY_BE_REPEATED = OF_PRACTICE | {"key": Provide(_optional_key)}
