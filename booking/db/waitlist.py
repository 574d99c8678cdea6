"""The waitlist: who waits for which times, what was offered to them, and when a worker looked last."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from booking.contacts import Contact
from booking.db.holds import Wish
from booking.db.pool import Connection, affected, many, one, only

State = Literal["waiting", "offered", "accepted", "left", "ended"]
Weekday = Annotated[int, Meta(ge=1, le=7)]


class Window(Struct, frozen=True, kw_only=True):
    """Times that would suit: local dates, both included, on these weekdays (Monday 1), between two times of day."""

    first: date
    last: date
    weekdays: tuple[Weekday, ...] = (1, 2, 3, 4, 5, 6, 7)
    opens: time = time(0, 0)
    closes: time = time(23, 59)


class Entry(Struct, frozen=True, kw_only=True):
    """Somebody who waits. `until`: the last local date on which they do."""

    waitlist_entry_id: UUID
    contact_kind: Literal["phone", "email"]
    contact_value: str
    wish: Wish
    windows: tuple[Window, ...]
    until: date
    state: State
    joined_at: datetime

    @property
    def contact(self) -> Contact:
        """How they are told."""
        return Contact(kind=self.contact_kind, value=self.contact_value)


class Offer(Struct, frozen=True, kw_only=True):
    """A time that is kept for one of them until `expires_at`."""

    waitlist_offer_id: UUID
    waitlist_entry_id: UUID
    hold_id: UUID
    starts_at: datetime
    ends_at: datetime
    offered_at: datetime
    expires_at: datetime


OPEN_WAITLIST = "INSERT INTO waitlist (practice_id) VALUES ($1) ON CONFLICT (practice_id) DO NOTHING"
LOCK_WAITLIST = "SELECT practice_id FROM waitlist WHERE practice_id = $1 FOR UPDATE"


async def lock_waitlist(conn: Connection, practice_id: UUID) -> None:
    """Let nobody else join until the transaction ends, so that those who wait can be counted."""
    await conn.execute(OPEN_WAITLIST, practice_id)
    await conn.execute(LOCK_WAITLIST, practice_id)


COUNT_WAITING = """
SELECT count(*) FROM waitlist_entry
WHERE practice_id = $1 AND state IN ('waiting', 'offered')
  AND ($2::text IS NULL OR contact_kind = $2 AND contact_value = $3)
"""


async def count_waiting(conn: Connection, practice_id: UUID, contact: Contact | None = None) -> int:
    """Count those who wait: all of them, or a contact's."""
    kind, value = (contact.kind, contact.value) if contact else (None, None)
    return int(only(await conn.fetchrow(COUNT_WAITING, practice_id, kind, value)))


INSERT_ENTRY = """
INSERT INTO waitlist_entry (practice_id, waitlist_entry_id, contact_kind, contact_value, wish, windows, until,
  joined_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def insert_entry(conn: Connection, practice_id: UUID, entry: Entry) -> None:
    """Add somebody at the end of the line."""
    await conn.execute(
        INSERT_ENTRY,
        practice_id,
        entry.waitlist_entry_id,
        entry.contact_kind,
        entry.contact_value,
        entry.wish,
        entry.windows,
        entry.until,
        entry.joined_at,
    )


COLUMNS = "waitlist_entry_id, contact_kind, contact_value, wish, windows, until, state, joined_at"

ENTRY = f"SELECT {COLUMNS} FROM waitlist_entry WHERE practice_id = $1 AND waitlist_entry_id = $2"


async def entry_by_id(conn: Connection, practice_id: UUID, entry_id: UUID) -> Entry | None:
    """Find an entry."""
    return one(await conn.fetchrow(ENTRY, practice_id, entry_id), Entry)


LOCK_ENTRY = f"{ENTRY} FOR UPDATE"


async def lock_entry(conn: Connection, practice_id: UUID, entry_id: UUID) -> Entry | None:
    """Find an entry that is to be changed in this transaction."""
    return one(await conn.fetchrow(LOCK_ENTRY, practice_id, entry_id), Entry)


SET_ENTRY_STATE = "UPDATE waitlist_entry SET state = $3 WHERE practice_id = $1 AND waitlist_entry_id = $2"


async def set_entry_state(conn: Connection, practice_id: UUID, entry_id: UUID, state: State) -> None:
    """Say how an entry stands."""
    await conn.execute(SET_ENTRY_STATE, practice_id, entry_id, state)


LINE = f"""
SELECT {COLUMNS} FROM waitlist_entry WHERE practice_id = $1 AND state = 'waiting' ORDER BY position LIMIT 500
"""


async def line(conn: Connection, practice_id: UUID) -> list[Entry]:
    """Return those who wait and have no offer, in the order in which they joined."""
    return many(await conn.fetch(LINE, practice_id), Entry)


END_ENTRIES = """
UPDATE waitlist_entry SET state = 'ended' WHERE practice_id = $1 AND state = 'waiting' AND until < $2
"""


async def end_entries(conn: Connection, practice_id: UUID, today: date) -> None:
    """End the entries whose date has passed."""
    await conn.execute(END_ENTRIES, practice_id, today)


INSERT_OFFER = """
INSERT INTO waitlist_offer (practice_id, waitlist_offer_id, waitlist_entry_id, hold_id, secret_hash, starts_at, ends_at,
  offered_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def insert_offer(conn: Connection, practice_id: UUID, offer: Offer, secret_hash: bytes) -> None:
    """Add an offer. The constraint `waitlist_offer_start_once` refuses a start that was offered before."""
    await conn.execute(
        INSERT_OFFER,
        practice_id,
        offer.waitlist_offer_id,
        offer.waitlist_entry_id,
        offer.hold_id,
        secret_hash,
        offer.starts_at,
        offer.ends_at,
        offer.offered_at,
        offer.expires_at,
    )


OFFER_COLUMNS = "waitlist_offer_id, waitlist_entry_id, hold_id, starts_at, ends_at, offered_at, expires_at"

OPEN_OFFER = f"""
SELECT {OFFER_COLUMNS} FROM waitlist_offer
WHERE practice_id = $1 AND waitlist_entry_id = $2 AND state = 'open' AND expires_at > $3
"""


async def open_offer(conn: Connection, practice_id: UUID, entry_id: UUID, now: datetime) -> Offer | None:
    """Return the time that is kept for an entry, if one is."""
    return one(await conn.fetchrow(OPEN_OFFER, practice_id, entry_id, now), Offer)


ENTRY_OF_OFFER = "SELECT waitlist_entry_id FROM waitlist_offer WHERE practice_id = $1 AND secret_hash = $2"


async def entry_of_secret(conn: Connection, practice_id: UUID, secret_hash: bytes) -> UUID | None:
    """Return whose offer a secret is."""
    row = await conn.fetchrow(ENTRY_OF_OFFER, practice_id, secret_hash)
    return None if row is None else row["waitlist_entry_id"]


OFFERED_STARTS = "SELECT starts_at FROM waitlist_offer WHERE practice_id = $1 AND waitlist_entry_id = $2"


async def offered_starts(conn: Connection, practice_id: UUID, entry_id: UUID) -> set[datetime]:
    """Return the starts that an entry was offered already."""
    return {row["starts_at"] for row in await conn.fetch(OFFERED_STARTS, practice_id, entry_id)}


SETTLE_OFFER = "UPDATE waitlist_offer SET state = $3 WHERE practice_id = $1 AND waitlist_offer_id = $2"


async def settle_offer(
    conn: Connection, practice_id: UUID, offer_id: UUID, state: Literal["accepted", "declined"]
) -> None:
    """Say what became of an offer."""
    await conn.execute(SETTLE_OFFER, practice_id, offer_id, state)


KEEP_HOLD = """
UPDATE hold SET expires_at = greatest(expires_at, $3), extended = true WHERE practice_id = $1 AND hold_id = $2
"""


async def keep_hold(conn: Connection, practice_id: UUID, hold_id: UUID, until: datetime) -> None:
    """Keep an accepted offer's hold at least until an instant, so that there is time to book."""
    await conn.execute(KEEP_HOLD, practice_id, hold_id, until)


LAPSE_OFFERS = """
WITH lapsed AS (
  UPDATE waitlist_offer SET state = 'lapsed' WHERE practice_id = $1 AND state = 'open' AND expires_at <= $2
  RETURNING waitlist_entry_id
)
UPDATE waitlist_entry e SET state = 'waiting' FROM lapsed
WHERE e.practice_id = $1 AND e.waitlist_entry_id = lapsed.waitlist_entry_id AND e.state = 'offered'
"""


async def lapse_offers(conn: Connection, practice_id: UUID, now: datetime) -> None:
    """End the offers whose time has run out; who let one pass keeps their place for other times."""
    await conn.execute(LAPSE_OFFERS, practice_id, now)


# Across practices: a worker serves them all. $2, $3: a practice that nobody looked at since then is due in any case, or
# where its schedule changed. Offers are made between two times of the practice's own day.
DUE = """
SELECT w.practice_id FROM waitlist w JOIN practice p ON p.practice_id = w.practice_id
WHERE (w.leased_until IS NULL OR w.leased_until <= $1)
  AND ($1 AT TIME ZONE p.timezone)::time >= $4 AND ($1 AT TIME ZONE p.timezone)::time < $5
  AND (w.looked_at IS NULL OR w.looked_at <= $2
    OR w.schedule_version <> p.schedule_version AND w.looked_at <= $3
    OR EXISTS (SELECT FROM waitlist_offer o
      WHERE o.practice_id = w.practice_id AND o.state = 'open' AND o.expires_at <= $1))
  AND EXISTS (SELECT FROM waitlist_entry e WHERE e.practice_id = w.practice_id AND e.state IN ('waiting', 'offered'))
LIMIT 1000
"""


async def practices_due(
    conn: Connection, now: datetime, *, quiet_since: datetime, changed_since: datetime, opens: time, closes: time
) -> list[UUID]:
    """Return the practices whose waitlist should be looked through."""
    return [row["practice_id"] for row in await conn.fetch(DUE, now, quiet_since, changed_since, opens, closes)]


LEASE = """
UPDATE waitlist SET leased_until = $3 WHERE practice_id = $1 AND (leased_until IS NULL OR leased_until <= $2)
"""


async def lease(conn: Connection, practice_id: UUID, *, now: datetime, until: datetime) -> bool:
    """Take a practice's waitlist for this worker alone, until the lease runs out; False where another was faster."""
    return affected(await conn.execute(LEASE, practice_id, now, until)) == 1


LOOKED = "UPDATE waitlist SET leased_until = NULL, looked_at = $2, schedule_version = $3 WHERE practice_id = $1"


async def looked(conn: Connection, practice_id: UUID, now: datetime, schedule_version: int) -> None:
    """Remember that the waitlist was looked through under a version of the schedule."""
    await conn.execute(LOOKED, practice_id, now, schedule_version)


# Across practices: housekeeping.
FORGET_OLD_ENTRIES = "DELETE FROM waitlist_entry WHERE until < $1"


async def forget_old_entries(conn: Connection, before: date) -> int:
    """Delete entries that ended long ago and, by cascade, their offers; how many there were."""
    return affected(await conn.execute(FORGET_OLD_ENTRIES, before))
