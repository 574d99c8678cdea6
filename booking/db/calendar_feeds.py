"""Calendar feeds: which there are, and what stands in them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from booking.db.appointments import Status
from booking.db.pool import Connection, affected, many, one


class CalendarFeed(Struct, frozen=True, kw_only=True):
    """A calendar that staff subscribe to: one provider's, or the whole practice's where `resource_id` is None."""

    calendar_feed_id: UUID
    name: str
    resource_id: UUID | None
    created_at: datetime
    revoked_at: datetime | None


COLUMNS = "calendar_feed_id, name, resource_id, created_at, revoked_at"

FEEDS = f"""
SELECT {COLUMNS} FROM calendar_feed WHERE practice_id = $1 AND revoked_at IS NULL
ORDER BY created_at, calendar_feed_id LIMIT 200
"""


async def feeds(conn: Connection, practice_id: UUID) -> list[CalendarFeed]:
    """Return the practice's feeds, but the revoked ones."""
    return many(await conn.fetch(FEEDS, practice_id), CalendarFeed)


FEED = f"SELECT {COLUMNS} FROM calendar_feed WHERE practice_id = $1 AND calendar_feed_id = $2"


async def feed_by_id(conn: Connection, practice_id: UUID, feed_id: UUID) -> CalendarFeed | None:
    """Find a feed, revoked or not."""
    return one(await conn.fetchrow(FEED, practice_id, feed_id), CalendarFeed)


LIVE_FEED = f"""
SELECT {COLUMNS} FROM calendar_feed WHERE practice_id = $1 AND secret_hash = $2 AND revoked_at IS NULL
"""


async def feed_by_secret(conn: Connection, practice_id: UUID, secret_hash: bytes) -> CalendarFeed | None:
    """Find the feed of whoever has its secret, if it is not revoked."""
    return one(await conn.fetchrow(LIVE_FEED, practice_id, secret_hash), CalendarFeed)


LOCK_FEEDS = "SELECT pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'calendar feeds', $1::uuid), 0))"


async def lock_feeds(conn: Connection, practice_id: UUID) -> None:
    """Let nobody else add a feed of the practice until the transaction ends, so that they can be counted."""
    await conn.execute(LOCK_FEEDS, practice_id)


INSERT_FEED = """
INSERT INTO calendar_feed (practice_id, calendar_feed_id, secret_hash, name, resource_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""


async def insert_feed(conn: Connection, practice_id: UUID, feed: CalendarFeed, secret_hash: bytes) -> None:
    """Add a feed."""
    await conn.execute(
        INSERT_FEED, practice_id, feed.calendar_feed_id, secret_hash, feed.name, feed.resource_id, feed.created_at
    )


REVOKE_FEED = """
UPDATE calendar_feed SET revoked_at = $3 WHERE practice_id = $1 AND calendar_feed_id = $2 AND revoked_at IS NULL
"""


async def revoke_feed(conn: Connection, practice_id: UUID, feed_id: UUID, now: datetime) -> bool:
    """End a feed for good; False where it has ended before, or never was."""
    return affected(await conn.execute(REVOKE_FEED, practice_id, feed_id, now)) == 1


class FeedEntry(Struct, frozen=True, kw_only=True):
    """An appointment as a feed shows it: nobody's name but the patient's, nobody's contact."""

    appointment_id: UUID
    starts_at: datetime
    ends_at: datetime
    status: Status
    reference: str | None
    calendar_sequence: int
    created_at: datetime
    appointment_type: str | None
    patient: str | None


# A cancelled appointment claims nothing any more: those that we booked say themselves who it was with.
ENTRIES = """
SELECT a.appointment_id, a.starts_at, a.ends_at, a.status, a.reference, a.calendar_sequence, a.created_at,
  coalesce(nullif(t.name, ''), t.pims_name) AS appointment_type, p.name AS patient
FROM appointment a
LEFT JOIN appointment_type t ON t.practice_id = a.practice_id AND t.appointment_type_id = a.appointment_type_id
LEFT JOIN patient p ON p.practice_id = a.practice_id AND p.patient_id = a.patient_id
WHERE a.practice_id = $1 AND a.starts_at >= $2 AND a.starts_at < $3
  AND ($4::uuid IS NULL
    OR EXISTS (SELECT FROM claim k
      WHERE k.practice_id = a.practice_id AND k.appointment_id = a.appointment_id AND k.resource_id = $4)
    OR a.status = 'cancelled'
      AND jsonb_path_exists(a.resources, '$.*[*] ? (@ == $id)', jsonb_build_object('id', $4::text)))
ORDER BY a.starts_at, a.appointment_id LIMIT 10000
"""


async def feed_entries(
    conn: Connection, practice_id: UUID, start: datetime, end: datetime, *, resource_id: UUID | None
) -> list[FeedEntry]:
    """Return the appointments that start between two instants, of one resource or of all."""
    return many(await conn.fetch(ENTRIES, practice_id, start, end, resource_id), FeedEntry)
