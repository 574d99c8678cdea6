"""Waitlist: who wants an earlier time, or any, is offered what comes free, one person at a time.

An offer is a hold, so it goes through `claim` like everything else, with a message to the one for whom it is kept.
Accepting gives them the hold to book with; declining it, or letting it run out, passes the time on to the next.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from datetime import datetime, time, timedelta
from typing import Literal
from uuid import UUID, uuid4

import msgspec
import structlog
from msgspec import Struct

from booking.claims import NotFree, claim
from booking.contacts import Contact
from booking.db import holds, practices
from booking.db import waitlist as waitlist_db
from booking.db.claims import Holder
from booking.db.holds import Hold, Wish
from booking.db.messages import Message, queue_message
from booking.db.pool import Connection, Pool, of_practice
from booking.db.practices import Practice
from booking.db.waitlist import Entry, Offer, Window
from booking.db.who_books import who_books
from booking.db.write_backs import wake_workers
from booking.local_days import day_start, in_zone, local_date, spoken_time
from booking.offers import MOST_DAYS, NotBookableOnline, OfferedSlot, slots_between, wished_types
from booking.once import KeyReused, keep, once
from booking.policies import client_has_few_bookings, new_clients_are_welcome, nobody_is_blocked
from booking.site import Site
from booking.tokens import digest, sealed

MOST_OF_A_CONTACT = 3
MOST_WAITING = 500
LONGEST_WAIT = timedelta(days=90)
OPENS, CLOSES = time(8), time(20)
"""Nobody is written to at night: between these times of the practice's day an offer can still be read and answered."""
LOOK_AGAIN = timedelta(minutes=10)
"""Some time comes free by itself: an expired hold, a rule that releases it, a day that comes within reach."""
PAUSE = timedelta(seconds=30)
"""Between two looks at a schedule that changes all the time."""
LEASE = timedelta(minutes=2)
TRIES = 5

log = structlog.get_logger()


class WaitlistUnknown(Exception):
    """There is no such place on the waitlist, or it is not yours. Please join the waitlist again."""


class NothingOffered(Exception):
    """No time is kept for you at the moment. You keep your place, and we tell you when another comes free."""


class WaitlistFull(Exception):
    """You cannot join this waitlist more often at the moment. Please leave another one first, or call the practice."""


class WaitRefused(Exception):
    """Please say which days would suit you, from today on and within the next 90 days."""


class Joining(Struct, frozen=True, kw_only=True):
    """What somebody waits for. The contact must have been proven by the one who sends this."""

    contact: Contact
    wish: Wish
    windows: tuple[Window, ...]


class Accepted(Struct, frozen=True, kw_only=True):
    """The hold to book with."""

    hold_id: UUID
    hold_secret: str
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime


async def join(pool: Pool, practice: Practice, joining: Joining, *, key: str, now: datetime) -> Entry:
    """Join the line, once per key. It ends with the last day that would suit.

    Raises `WaitRefused`, `WaitlistFull`, `NotBookableOnline`, `KeyReused`, `Refused` as booking would.
    """
    practice_id = practice.practice_id
    today = local_date(now, practice.timezone)
    until = max((window.last for window in joining.windows), default=today)
    if not joining.windows or any(
        window.last < max(window.first, today) or window.opens >= window.closes or not window.weekdays
        for window in joining.windows
    ) or until > today + LONGEST_WAIT:  # fmt: skip
        raise WaitRefused(WaitRefused.__doc__)
    entry = Entry(
        waitlist_entry_id=uuid4(),
        contact_kind=joining.contact.kind,
        contact_value=joining.contact.value,
        wish=joining.wish,
        windows=joining.windows,
        until=until,
        state="waiting",
        joined_at=now,
    )
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        kept = await once(conn, practice_id, key, joining, now)
        if kept is not None:
            known = await waitlist_db.entry_by_id(conn, practice_id, UUID(kept))
            if known is None:
                raise KeyReused(KeyReused.__doc__)
            return known
        await wished_types(conn, practice, joining.wish)
        await _may_book(conn, practice, joining, now)
        await waitlist_db.lock_waitlist(conn, practice_id)
        if (
            await waitlist_db.count_waiting(conn, practice_id, joining.contact) >= MOST_OF_A_CONTACT
            or await waitlist_db.count_waiting(conn, practice_id) >= MOST_WAITING
        ):
            raise WaitlistFull(WaitlistFull.__doc__)
        await waitlist_db.insert_entry(conn, practice_id, entry)
        await keep(conn, practice_id, key, str(entry.waitlist_entry_id))
    return entry


async def _may_book(conn: Connection, practice: Practice, joining: Joining, now: datetime) -> None:
    """Refuse whom the practice would not let book what they wait for, in the same words. Raises `Refused`."""
    if joining.wish.new_client:
        new_clients_are_welcome(practice)
    who = await who_books(conn, practice.practice_id, joining.contact, now, patient_ids=[])
    nobody_is_blocked(who)
    client_has_few_bookings(practice, who)


async def place(
    pool: Pool, practice_id: UUID, entry_id: UUID, contact: Contact, *, now: datetime
) -> tuple[Entry, Offer | None]:
    """Return how somebody's entry stands, and the time kept for them. Raises `WaitlistUnknown`."""
    async with of_practice(pool, practice_id) as conn:
        entry = await waitlist_db.entry_by_id(conn, practice_id, entry_id)
        if entry is None or entry.contact != contact:
            raise WaitlistUnknown(WaitlistUnknown.__doc__)
        return entry, await waitlist_db.open_offer(conn, practice_id, entry_id, now)


async def entry_of_offer(pool: Pool, practice_id: UUID, secret: str) -> Entry | None:
    """Return whose offer a secret was sent for."""
    async with of_practice(pool, practice_id) as conn:
        entry_id = await waitlist_db.entry_of_secret(conn, practice_id, digest(secret))
        return await waitlist_db.entry_by_id(conn, practice_id, entry_id) if entry_id else None


async def whose(pool: Pool, practice_id: UUID, secret: str) -> Contact | None:
    """Return whom an offer's secret was sent to: having it proves as much as a code would."""
    entry = await entry_of_offer(pool, practice_id, secret)
    return entry.contact if entry else None


async def accept(
    pool: Pool, site: Site, practice: Practice, entry_id: UUID, contact: Contact, *, now: datetime
) -> Accepted:
    """Take the time that is kept: from now on it is a hold like any other, and the wait is over.

    Raises `WaitlistUnknown`, `NothingOffered`.
    """
    practice_id = practice.practice_id
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        offer = await _answered(conn, practice_id, entry_id, contact, "accepted", now)
        until = max(offer.expires_at, now + practice.hold_for)
        await waitlist_db.keep_hold(conn, practice_id, offer.hold_id, until)
        await waitlist_db.set_entry_state(conn, practice_id, entry_id, "accepted")
    return Accepted(
        hold_id=offer.hold_id,
        hold_secret=_secret(site, "hold", practice_id, offer.waitlist_offer_id),
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        expires_at=until,
    )


async def decline(pool: Pool, practice_id: UUID, entry_id: UUID, contact: Contact, *, now: datetime) -> None:
    """Let the time pass on to the next, and keep waiting. Raises `WaitlistUnknown`, `NothingOffered`."""
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        offer = await _answered(conn, practice_id, entry_id, contact, "declined", now)
        await _free(conn, practice_id, offer)
        await waitlist_db.set_entry_state(conn, practice_id, entry_id, "waiting")


async def leave(pool: Pool, practice_id: UUID, entry_id: UUID, contact: Contact, *, now: datetime) -> None:
    """Leave the line; a time that is kept passes on. Again is no error. Raises `WaitlistUnknown`."""
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        entry = await waitlist_db.lock_entry(conn, practice_id, entry_id)
        if entry is None or entry.contact != contact:
            raise WaitlistUnknown(WaitlistUnknown.__doc__)
        if entry.state not in ("waiting", "offered"):
            return
        offer = await waitlist_db.open_offer(conn, practice_id, entry_id, now)
        if offer is not None:
            await waitlist_db.settle_offer(conn, practice_id, offer.waitlist_offer_id, "declined")
            await _free(conn, practice_id, offer)
        await waitlist_db.set_entry_state(conn, practice_id, entry_id, "left")


async def _answered(
    conn: Connection,
    practice_id: UUID,
    entry_id: UUID,
    contact: Contact,
    answer: Literal["accepted", "declined"],
    now: datetime,
) -> Offer:
    entry = await waitlist_db.lock_entry(conn, practice_id, entry_id)
    if entry is None or entry.contact != contact:
        raise WaitlistUnknown(WaitlistUnknown.__doc__)
    offer = await waitlist_db.open_offer(conn, practice_id, entry_id, now)
    if offer is None:
        raise NothingOffered(NothingOffered.__doc__)
    await waitlist_db.settle_offer(conn, practice_id, offer.waitlist_offer_id, answer)
    return offer


async def _free(conn: Connection, practice_id: UUID, offer: Offer) -> None:
    await holds.end_hold(conn, practice_id, offer.hold_id)
    await practices.raise_schedule_version(conn, practice_id)


async def look_through(pool: Pool, site: Site, practice_id: UUID, *, now: datetime) -> int:
    """Offer what is free to those who wait, in the order in which they joined; how many offers were made.

    One worker at a time looks at a practice. One that dies leaves its lease to run out, and what it offered stands.
    """
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        if not await waitlist_db.lease(conn, practice_id, now=now, until=now + LEASE):
            return 0
        practice = await practices.practice_by_id(conn, practice_id)
        if practice is None:
            return 0
        await waitlist_db.lapse_offers(conn, practice_id, now)
        await waitlist_db.end_entries(conn, practice_id, local_date(now, practice.timezone))
        waiting = await waitlist_db.line(conn, practice_id)
    free: dict[bytes, list[OfferedSlot]] = {}
    made = 0
    for entry in waiting:
        wish = msgspec.json.encode(entry.wish)
        if wish not in free:
            free[wish] = await _free_times(pool, practice, entry.wish, now)
        made += await _offer_first(pool, site, practice, entry, free[wish], now)
    async with of_practice(pool, practice_id) as conn:
        await waitlist_db.looked(conn, practice_id, now, practice.schedule_version)
    log.info("waitlist.looked", practice=str(practice_id), waiting=len(waiting), offered=made)
    return made


async def _free_times(pool: Pool, practice: Practice, wish: Wish, now: datetime) -> list[OfferedSlot]:
    """Return the times that would be offered to whoever wishes so: none where the type is no longer bookable."""
    start = now + practice.waitlist_hold_for  # until then it is kept, and could be booked no more
    try:
        async with of_practice(pool, practice.practice_id) as conn:
            types = await wished_types(conn, practice, wish)
    except NotBookableOnline:
        return []
    end = day_start(local_date(now, practice.timezone) + timedelta(days=MOST_DAYS), practice.timezone)
    return await slots_between(pool, practice, types, wish, start, end, now=now, own=())


async def _offer_first(
    pool: Pool, site: Site, practice: Practice, entry: Entry, free: list[OfferedSlot], now: datetime
) -> bool:
    """Offer the first time that suits and was not offered to them before; others may have been faster at some."""
    async with of_practice(pool, practice.practice_id) as conn:
        before = await waitlist_db.offered_starts(conn, practice.practice_id, entry.waitlist_entry_id)
    suiting = [
        slot for slot in free if slot.start not in before and suits(entry.windows, slot.start, practice.timezone)
    ]
    for slot in suiting[:TRIES]:
        try:
            return await _offer(pool, site, practice, entry, slot.start, now)
        except _NotFree:
            free.remove(slot)
    return False


def suits(windows: tuple[Window, ...], start: datetime, timezone: str) -> bool:
    """Say whether a visit may start then."""
    local = in_zone(start, timezone)
    return any(
        window.first <= local.date() <= window.last
        and local.isoweekday() in window.weekdays
        and window.opens <= local.time() < window.closes
        for window in windows
    )


class _NotFree(Exception):
    """Rolls the offer back."""


async def _offer(pool: Pool, site: Site, practice: Practice, entry: Entry, start: datetime, now: datetime) -> bool:
    """Keep a time for one of those who wait and tell them, all of it or nothing. Raises `_NotFree`."""
    practice_id, offer_id, hold_id = practice.practice_id, uuid4(), uuid4()
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        # Whoever left, or has an offer since they were listed, gets none.
        locked = await waitlist_db.lock_entry(conn, practice_id, entry.waitlist_entry_id)
        if locked is None or locked.state != "waiting":
            return False
        types = await wished_types(conn, practice, entry.wish)
        holders = [Holder(hold_id=hold_id)] * len(types)
        claimed = await claim(conn, practice, types, entry.wish, start, now=now, holders=holders)
        if isinstance(claimed, NotFree):
            raise _NotFree
        hold = Hold(
            hold_id=hold_id,
            wish=entry.wish,
            starts_at=claimed.starts_at,
            ends_at=claimed.ends_at,
            resources=claimed.resources,
            expires_at=now + practice.waitlist_hold_for,
            extended=False,
        )
        offer = Offer(
            waitlist_offer_id=offer_id,
            waitlist_entry_id=entry.waitlist_entry_id,
            hold_id=hold_id,
            starts_at=hold.starts_at,
            ends_at=hold.ends_at,
            offered_at=now,
            expires_at=hold.expires_at,
        )
        secret = _secret(site, "offer", practice_id, offer_id)
        await holds.insert_hold(conn, practice_id, hold, digest(_secret(site, "hold", practice_id, offer_id)))
        await waitlist_db.insert_offer(conn, practice_id, offer, digest(secret))
        await waitlist_db.set_entry_state(conn, practice_id, entry.waitlist_entry_id, "offered")
        message = offer_message(practice, entry.contact, offer, types[0].name, link_of(site, practice, secret))
        await queue_message(conn, message, now)
        await wake_workers(conn, "message")
    return True


def link_of(site: Site, practice: Practice, secret: str) -> str:
    """Return the link that an offer is answered with."""
    return f"{site.public_url}/waitlist/{practice.slug}/{sealed('wo', practice.practice_id, secret)}"


def offer_message(practice: Practice, contact: Contact, offer: Offer, type_name: str, link: str) -> Message:
    """Write the message that says that a time came free, and until when it is kept."""
    when = spoken_time(offer.starts_at, practice.timezone)
    until = f"{in_zone(offer.expires_at, practice.timezone):%-I:%M %p}"
    return Message(
        practice_id=practice.practice_id,
        message_id=uuid4(),
        channel="text" if contact.kind == "phone" else "email",
        purpose="waitlist_offer",
        recipient=contact.value,
        subject=f"A time came free: {when}",
        body=(
            f"A time for {type_name} with {practice.name} came free: {when}. It is kept for you until {until}."
            f" To take it or let it go: {link}"
        ),
    )


def _secret(site: Site, what: Literal["offer", "hold"], practice_id: UUID, offer_id: UUID) -> str:
    """Return a secret of an offer, which can be made again, so it is not stored."""
    named = f"waitlist {what}/".encode() + practice_id.bytes + offer_id.bytes
    return urlsafe_b64encode(hmac.digest(site.secret_key, named, "sha256")[:24]).decode()
