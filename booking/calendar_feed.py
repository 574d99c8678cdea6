"""Calendar feed: the practice's appointments in its staff's own calendars, under a secret address that can be revoked.

It names the patient and the type of each visit, nobody's contact, and nothing of it stands in the address.
"""

from __future__ import annotations

import asyncio
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from icalendar import Calendar, Event
from msgspec import Struct

from booking.db import calendar_feeds as feeds_db
from booking.db import practices, schedule
from booking.db.calendar_feeds import CalendarFeed, FeedEntry
from booking.db.pool import Connection, Pool, of_practice
from booking.db.practices import Practice
from booking.db.staff import record_change
from booking.local_days import day_start, local_date
from booking.once import KeyReused, keep, once
from booking.site import Site
from booking.tokens import digest, sealed, unsealed

PAST, AHEAD = timedelta(days=14), timedelta(days=90)
MOST_FEEDS = 50
LOOK_AGAIN = timedelta(minutes=15)
FORM = 1
"""Rises when feeds are written otherwise, so that no calendar keeps the old form for unchanged."""


class TooManyFeeds(Exception):
    """A practice can have fifty calendar feeds. Please revoke one that nobody uses."""


class FeedUnknown(Exception):
    """There is no such calendar feed. Please list them to see which there are."""


class ProviderUnknown(Exception):
    """There is no such provider. Please list the practice's resources to see which there are."""


class NewFeed(Struct, frozen=True, kw_only=True):
    """A feed that is to be made: of one provider, or of the whole practice."""

    name: str
    provider_id: UUID | None = None


class Feed(Struct, frozen=True, kw_only=True):
    """What a calendar is answered. `body` None: it has this version already."""

    etag: str
    body: bytes | None


async def make_feed(
    pool: Pool, site: Site, practice_id: UUID, new: NewFeed, *, key: str, by: UUID, now: datetime
) -> tuple[CalendarFeed, str]:
    """Make a feed, once per key; with it its address. Raises `TooManyFeeds`, `ProviderUnknown`, `KeyReused`."""
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        kept = await once(conn, practice_id, key, new, now)
        if kept is not None:
            known = await feeds_db.feed_by_id(conn, practice_id, UUID(kept))
            if known is None:
                raise KeyReused(KeyReused.__doc__)
            return known, address_of(site, practice_id, known.calendar_feed_id)
        await feeds_db.lock_feeds(conn, practice_id)
        if len(await feeds_db.feeds(conn, practice_id)) >= MOST_FEEDS:
            raise TooManyFeeds(TooManyFeeds.__doc__)
        if new.provider_id is not None and not await _is_provider(conn, practice_id, new.provider_id):
            raise ProviderUnknown(ProviderUnknown.__doc__)
        feed = CalendarFeed(
            calendar_feed_id=uuid4(), name=new.name, resource_id=new.provider_id, created_at=now, revoked_at=None
        )
        await feeds_db.insert_feed(
            conn, practice_id, feed, digest(_secret(site.secret_key, practice_id, feed.calendar_feed_id))
        )
        await record_change(
            conn,
            practice_id,
            actor_id=by,
            what="calendar_feed",
            subject_id=feed.calendar_feed_id,
            before=None,
            after=feed,
            now=now,
        )
        await keep(conn, practice_id, key, str(feed.calendar_feed_id))
    return feed, address_of(site, practice_id, feed.calendar_feed_id)


async def feeds_of(pool: Pool, practice_id: UUID) -> list[CalendarFeed]:
    """Return the practice's feeds that can be read."""
    async with of_practice(pool, practice_id) as conn:
        return await feeds_db.feeds(conn, practice_id)


async def revoke_feed(pool: Pool, practice_id: UUID, feed_id: UUID, *, by: UUID, now: datetime) -> None:
    """End a feed for good, at once; again is no error. Raises `FeedUnknown`."""
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        before = await feeds_db.feed_by_id(conn, practice_id, feed_id)
        if before is None:
            raise FeedUnknown(FeedUnknown.__doc__)
        if await feeds_db.revoke_feed(conn, practice_id, feed_id, now):
            await record_change(
                conn,
                practice_id,
                actor_id=by,
                what="calendar_feed",
                subject_id=feed_id,
                before=before,
                after=None,
                now=now,
            )


def address_of(site: Site, practice_id: UUID, feed_id: UUID) -> str:
    """Return the address that a calendar subscribes to; it can be made again, so it is not stored."""
    token = sealed("cf", practice_id, _secret(site.secret_key, practice_id, feed_id))
    return f"{site.public_url}/api/v1/calendar/{token}.ics"


def _secret(secret_key: bytes, practice_id: UUID, feed_id: UUID) -> str:
    mac = hmac.digest(secret_key, b"calendar feed/" + practice_id.bytes + feed_id.bytes, "sha256")
    return urlsafe_b64encode(mac[:24]).decode()


async def _is_provider(conn: Connection, practice_id: UUID, resource_id: UUID) -> bool:
    return any(
        one.resource_id == resource_id and one.kind == "provider" for one in await schedule.resources(conn, practice_id)
    )


async def read_feed(pool: Pool, token: str, *, has: str | None, now: datetime) -> Feed | None:
    """Return the feed of a token, or None where there is none or it was revoked. `has`: the version that is known.

    A version is the schedule's, on a day: what a feed shows changes with nothing else.
    """
    named = unsealed("cf", token)
    if named is None:
        return None
    practice_id, secret = named
    async with of_practice(pool, practice_id) as conn:
        feed = await feeds_db.feed_by_secret(conn, practice_id, digest(secret))
        practice = await practices.practice_by_id(conn, practice_id) if feed else None
        if feed is None or practice is None:
            return None
        today = local_date(now, practice.timezone)
        etag = f'"{FORM}-{practice.schedule_version}-{today.isoformat()}"'
        if has == etag:
            return Feed(etag=etag, body=None)
        start, end = day_start(today - PAST, practice.timezone), day_start(today + AHEAD, practice.timezone)
        entries = await feeds_db.feed_entries(conn, practice_id, start, end, resource_id=feed.resource_id)
    # A full practice's quarter takes a while to write down: in a thread, so that nobody else waits for it.
    return Feed(etag=etag, body=await asyncio.to_thread(write_calendar, practice, feed.name, entries))


def write_calendar(practice: Practice, name: str, entries: list[FeedEntry]) -> bytes:
    """Return appointments as an iCalendar file (RFC 5545, RFC 7986), the same bytes until one of them changes."""
    calendar = Calendar()
    calendar.add("prodid", "-//vetslot//calendar feed//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", LOOK_AGAIN)
    calendar.add("x-published-ttl", "PT15M")
    for entry in entries:
        event = Event()
        event.add("uid", f"{entry.appointment_id}@vetslot")
        event.add("sequence", entry.calendar_sequence)
        event.add("dtstamp", entry.created_at)
        event.add("dtstart", entry.starts_at)
        event.add("dtend", entry.ends_at)
        event.add("summary", ": ".join(word for word in (entry.patient, entry.appointment_type) if word) or "Visit")
        event.add("location", practice.address)
        event.add("class", "PRIVATE")
        event.add("status", "CANCELLED" if entry.status == "cancelled" else "CONFIRMED")
        if entry.status == "cancelled":
            event.add("transp", "TRANSPARENT")
        if entry.reference:
            event.add("description", f"Reference {entry.reference}")
        calendar.add_component(event)
    file: bytes = calendar.to_ical()
    return file
