"""Silence: notice what vanished from the PIMS without a word, by listing all that it has.

Only a complete listing says anything by what it does not have, and once is not enough: what we have and it does not is
`missing` first, with its time kept, and gone when another listing confirms it some minutes later. It comes back as soon
as it shows again. What a listing shows otherwise than we have it is put right on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from msgspec import Struct

from availability.recurrence import RecurrenceError, occurrences
from booking.db import connections, feeds, mirrored_appointments, mirrored_people, missing, practices, staff_tasks
from booking.db import mirror as mirror_db
from booking.db.feeds import Feed, ListedDays
from booking.db.mirror import ClosedTime
from booking.db.mirrored_appointments import Mirrored
from booking.db.pool import Connection as Conn
from booking.db.pool import Pool, of_practice
from booking.local_days import day_start, local_date, spoken_time
from booking.site import Site
from booking.sync import gone
from booking.sync.apply import apply_changes
from booking.sync.appointments import FREES_ITS_TIME
from booking.sync.losses import TooMuchLost, check_loss, check_losses, hold_back, settled
from booking.sync.mirror import MOST_LOST, Bound, Mirror, mirror_of
from booking.sync.told import tell
from pims_adapters import contract as pims

NEAR = timedelta(days=14)
FAR = timedelta(days=186)
ONE_LISTING = timedelta(days=62)
LIST_NEAR_EVERY = timedelta(minutes=5)
LIST_FAR_AT = "02:30"
CONFIRMED_AFTER = timedelta(minutes=10)
MOST_TRIES = 3
BY_DAYS: tuple[pims.RecordKind, ...] = ("appointment", "blockoff")
SET_UP: tuple[pims.RecordKind, ...] = ("resource", "appointmenttype", "closure", "planningrule")
PEOPLE: tuple[pims.RecordKind, ...] = ("client", "patient")

log = structlog.get_logger()


def listing_feeds(adapter: pims.PimsAdapter) -> dict[ListedDays, pims.Feed]:
    """Return how often an adapter that can list is asked to: for the near days often, for all that is ahead nightly."""
    if not isinstance(adapter, pims.ListsRecords):
        return {}
    read = {kind for feed in adapter.feeds for kind in feed.kinds}
    near = tuple(kind for kind in BY_DAYS if kind in read)
    far = tuple(kind for kind in (*SET_UP, *PEOPLE, *BY_DAYS) if kind in read)
    found: dict[ListedDays, pims.Feed] = {}
    if near:
        found["near"] = pims.Feed(name="near listing", kinds=near, every=LIST_NEAR_EVERY)
    if far:
        found["far"] = pims.Feed(name="far listing", kinds=far, at=LIST_FAR_AT)
    return found


async def list_feed(
    pool: Pool,
    adapter: pims.PimsAdapter,
    feed: Feed,
    *,
    clock: Callable[[], datetime],
    site: Site | None = None,
    bound: Bound | None = MOST_LOST,
    confirmed_after: timedelta = CONFIRMED_AFTER,
) -> bool:
    """List what the PIMS has in a feed's days and follow it. Raises the adapter's `PimsError`s.

    False: a listing broke off, was overtaken by pages again and again, or showed more losses than are plausible.
    """
    if not isinstance(adapter, pims.ListsRecords):
        return True
    async with of_practice(pool, feed.practice_id) as conn:
        practice = await practices.practice_by_id(conn, feed.practice_id)
    if practice is None:
        raise LookupError("A connection's practice is kept as long as the connection.")
    oldest, broke_off = None, False
    for kind, first, last in _windows(feed, local_date(clock(), practice.timezone)):
        asked = Asked(kind=kind, first=first, last=last, timezone=practice.timezone)
        for _ in range(MOST_TRIES):
            before = await _before(pool, feed, asked)
            try:
                listing = await adapter.listing(kind, first, last)
            except pims.PimsRejected:
                break  # this system does not list records of this kind
            now = clock()
            if not listing.complete:
                broke_off = True
                break
            try:
                async with of_practice(pool, feed.practice_id) as conn, conn.transaction():
                    mirror = await mirror_of(conn, feed, now, site, bound)
                    if await _stand(conn, feed) != before.stand:
                        continue  # what was listed may be older than what was read meanwhile
                    await _follow(conn, mirror, feed, asked, before, listing, confirmed_after + _lag(adapter))
            except TooMuchLost as too_much:
                async with of_practice(pool, feed.practice_id) as conn, conn.transaction():
                    await hold_back(conn, feed, too_much, now)
                log.warning("sync.held_back", connection=str(feed.connection_id), feed=feed.name)
                return False
            oldest = min(oldest or listing.as_of, listing.as_of, now)
            break
        else:
            return False
    async with of_practice(pool, feed.practice_id) as conn, conn.transaction():
        if broke_off:
            await feeds.record_failure(conn, feed, "The PIMS broke off while listing what it has.", clock())
        else:
            await settled(conn, feed, clock())
            await feeds.advance(conn, feed, None, oldest, clock())
    return not broke_off


class Asked(Struct, frozen=True, kw_only=True):
    """What was asked for: of appointments and block-offs those of some local days, of others all."""

    kind: pims.RecordKind
    first: date
    last: date
    timezone: str

    @property
    def start(self) -> datetime:
        return day_start(self.first, self.timezone)

    @property
    def end(self) -> datetime:
        return day_start(self.last + timedelta(days=1), self.timezone)


class _Before(Struct, frozen=True, kw_only=True):
    """How it stood before the PIMS was asked: how far all feeds had come, and what we had of what was asked for."""

    stand: tuple[object, ...]
    had: set[str]


def _windows(feed: Feed, today: date) -> Iterator[tuple[pims.RecordKind, date, date]]:
    ahead = NEAR if feed.listing == "near" else FAR
    for kind in feed.kinds:
        if kind not in BY_DAYS:
            yield kind, today, today + ONE_LISTING - timedelta(days=1)
            continue
        first = today
        while first < today + ahead:
            last = min(first + ONE_LISTING, today + ahead) - timedelta(days=1)
            yield kind, first, last
            first = last + timedelta(days=1)


def _lag(adapter: pims.PimsAdapter) -> timedelta:
    return adapter.write_lag if isinstance(adapter, pims.CreatesAppointments) else timedelta()


async def _stand(conn: Conn, feed: Feed) -> tuple[object, ...]:
    """Return how far the connection's feeds have come, and how often the PIMS did something on our word."""
    found = await feeds.feeds_of(conn, feed.practice_id, feed.connection_id)
    cursors = tuple((one.name, one.cursor) for one in found if one.listing is None)
    return *cursors, await connections.changes_written(conn, feed.practice_id)


async def _before(pool: Pool, feed: Feed, asked: Asked) -> _Before:
    async with of_practice(pool, feed.practice_id) as conn, conn.transaction():
        return _Before(stand=await _stand(conn, feed), had={*await had(conn, feed.practice_id, asked)})


async def had(conn: Conn, practice_id: UUID, asked: Asked) -> dict[str, Mirrored | ClosedTime | None]:
    """Return what we have of what was asked for and a complete listing must have, by the PIMS's identifiers.

    Cancelled appointments may be left out of a listing, and one that we are moving may stand on another day there.
    """
    if asked.kind == "appointment":
        found = await mirrored_appointments.mirrored_between(conn, practice_id, asked.start, asked.end)
        return {pims_id: one for pims_id, one in found.items() if _must_be_there(one, asked)}
    if asked.kind == "blockoff":
        block_offs = await mirror_db.block_offs(conn, practice_id)
        return {one.pims_id: one for one in block_offs if _touches(one, asked)}
    if asked.kind in PEOPLE:
        return dict.fromkeys(await mirrored_people.standing(conn, practice_id, asked.kind))
    return dict.fromkeys(await mirror_db.standing_set_up(conn, practice_id, asked.kind, asked.first))


def _must_be_there(one: Mirrored, asked: Asked) -> bool:
    if not one.ahead:
        return one.status not in FREES_ITS_TIME
    there = one.said
    return (
        there is not None and there.status not in FREES_ITS_TIME and there.start < asked.end and there.end > asked.start
    )


def _touches(one: ClosedTime, asked: Asked) -> bool:
    """Say whether a block-off touches the local days; one that began before may still go on."""
    zone = ZoneInfo(asked.timezone)
    earliest = asked.first - timedelta(days=one.time.duration // timedelta(days=1) + 1)
    try:
        starts = occurrences(one.time, zone, earliest, asked.last)
    except RecurrenceError:
        return False
    ends = (start.replace(tzinfo=zone).astimezone(UTC) + one.time.duration for start in starts)
    return any(end > asked.start for end in ends)


async def _follow(
    conn: Conn,
    mirror: Mirror,
    feed: Feed,
    asked: Asked,
    before: _Before,
    listing: pims.Listing,
    confirmed_after: timedelta,
) -> None:
    """Put right what the listing shows otherwise, and take note of what it does not show."""
    shown = {one.pims_id for one in listing.records}
    silent = before.had - shown
    if asked.kind == "appointment" and silent:
        silent -= await mirrored_appointments.written_since(conn, mirror.practice_id, mirror.now - confirmed_after)
    await check_loss(conn, mirror, feed.name, len(silent), len(before.had))
    await check_losses(conn, mirror, feed.name, listing.records)
    await apply_changes(conn, mirror, listing.records)
    if not silent:
        return
    since = await missing.since(conn, mirror.practice_id, asked.kind, sorted(silent))
    await missing.put(conn, mirror.practice_id, asked.kind, sorted(silent - since.keys()), mirror.now)
    if asked.kind == "appointment":
        await _ask_staff(conn, mirror, silent - since.keys())
    confirmed = sorted(pims_id for pims_id, at in since.items() if at + confirmed_after <= mirror.now)
    if confirmed:
        if asked.kind == "appointment":
            await mirrored_appointments.lock_mirrored(
                conn, mirror.practice_id, confirmed, of_clients=[], of_patients=[]
            )
        put = await gone.forget(conn, mirror, [pims.Gone(of=asked.kind, pims_id=one) for one in confirmed])
        await tell(conn, mirror, put.facts)
        if put.changed:
            await practices.raise_schedule_version(conn, mirror.practice_id)
    log.info("sync.silence", kind=asked.kind, missing=len(silent), confirmed=len(confirmed))


async def _ask_staff(conn: Conn, mirror: Mirror, silent: set[str]) -> None:
    """Ask staff about bookings of ours that the PIMS does not show; clients are told nothing."""
    found = await mirrored_appointments.mirrored(conn, mirror.practice_id, sorted(silent))
    for one in found.values():
        if one.source != "pims" and one.ends_at > mirror.now:
            when = spoken_time(one.starts_at, mirror.practice.timezone)
            await staff_tasks.open_task(
                conn,
                mirror.practice_id,
                "missing",
                f"appointment {one.pims_id}",
                f"Booking {one.reference} ({when}) is not found in the PIMS any more. Its time is kept for now, and its"
                " client was not told. Please look there: cancel it there, or enter it again.",
                mirror.now,
                appointment_id=one.appointment_id,
            )
