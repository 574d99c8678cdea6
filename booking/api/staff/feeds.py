"""Calendar feeds: made and revoked by whoever manages the practice's set-up."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from booking.api.given import REPEATABLE, TheKey, ThePool, TheSite, now
from booking.api.problems import declared
from booking.api.staff.who import FromAnotherSite, Needs, NotSignedIn, ScopeMissing, TheStaff
from booking.calendar_feed import (
    FeedUnknown,
    NewFeed,
    ProviderUnknown,
    TooManyFeeds,
    feeds_of,
    make_feed,
    revoke_feed,
)
from booking.db.calendar_feeds import CalendarFeed
from booking.once import KeyBusy, KeyMissing, KeyReused

REFUSED = (NotSignedIn, ScopeMissing, FromAnotherSite)


class AskedFeed(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A feed to be made: of one provider, or of the whole practice."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    provider: UUID | None = None


class ShownFeed(Struct, frozen=True, kw_only=True, rename="camel"):
    """A feed as it can be shown at any time. `provider` null: the whole practice."""

    id: UUID
    name: str
    provider: UUID | None
    created_at: datetime


class MadeFeed(Struct, frozen=True, kw_only=True, rename="camel"):
    """A feed that was just made. `url` is shown here only: whoever has it can read the calendar."""

    feed: ShownFeed
    url: str


class Feeds(Struct, frozen=True, kw_only=True, rename="camel"):
    """The practice's feeds that can be read, the oldest first."""

    items: list[ShownFeed]


@get("/calendar-feeds", guards=[Needs("configuration:read")], responses=declared(*REFUSED))
async def list_feeds(who: TheStaff, pool: ThePool) -> Feeds:
    """List the practice's calendar feeds, without their addresses."""
    return Feeds(items=[_shown(one) for one in await feeds_of(pool, who.practice.practice_id)])


@post(
    "/calendar-feeds",
    guards=[Needs("configuration:write")],
    dependencies=REPEATABLE,
    responses=declared(*REFUSED, TooManyFeeds, ProviderUnknown, KeyMissing, KeyReused, KeyBusy),
)
async def create_feed(who: TheStaff, pool: ThePool, site: TheSite, key: TheKey, data: JSONBody[AskedFeed]) -> MadeFeed:
    """Make a calendar feed; keep its address, which is its key."""
    new = NewFeed(name=data.name, provider_id=data.provider)
    feed, url = await make_feed(pool, site, who.practice.practice_id, new, key=key, by=who.actor, now=now())
    return MadeFeed(feed=_shown(feed), url=url)


@post(
    "/calendar-feeds/{feed_id:uuid}/revoke",
    guards=[Needs("configuration:write")],
    status_code=204,
    responses=declared(*REFUSED, FeedUnknown),
)
async def end_feed(who: TheStaff, pool: ThePool, feed_id: FromPath[UUID]) -> None:
    """Revoke a feed for good, at once. Revoking it again changes nothing."""
    await revoke_feed(pool, who.practice.practice_id, feed_id, by=who.actor, now=now())


def _shown(feed: CalendarFeed) -> ShownFeed:
    return ShownFeed(id=feed.calendar_feed_id, name=feed.name, provider=feed.resource_id, created_at=feed.created_at)


router = Router("/", route_handlers=[list_feeds, create_feed, end_feed])
