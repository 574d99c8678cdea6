"""The waitlist: what comes free is offered to one person at a time, in line, and never claimed twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec
import pytest

from booking.book import Booked
from booking.contacts import Contact, read_contact
from booking.db import waitlist as waitlist_db
from booking.db.pool import across_practices, of_practice
from booking.db.practices import Practice, practice_by_id
from booking.db.waitlist import Entry, Window
from booking.holds import Held, find_hold, hold
from booking.local_days import local_date
from booking.offers import NotBookableOnline
from booking.policies import NewClientsNotWelcome, NotOnline, TooManyBookings
from booking.site import Site
from booking.tokens import unsealed
from booking.waitlist import (
    CLOSES,
    LEASE,
    LOOK_AGAIN,
    MOST_OF_A_CONTACT,
    OPENS,
    PAUSE,
    Joining,
    NothingOffered,
    WaitlistFull,
    WaitlistUnknown,
    WaitRefused,
    accept,
    decline,
    join,
    leave,
    look_through,
    place,
    suits,
    whose,
)
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import SECRET_KEY, olivias_booking, send

SITE = Site(public_url="https://book.example", secret_key=SECRET_KEY)
KEPT = timedelta(minutes=30)
LATER = timedelta(minutes=1)


@pytest.fixture
async def one_time(riverside: Riverside) -> datetime:
    """Return the first time that can be booked, and see to it that the PIMS is fresh throughout."""
    async with across_practices(riverside.pool) as conn:
        await conn.execute("UPDATE connection SET as_of = $1", NOW + timedelta(days=2))
    return (await riverside.slots(riverside.wish()))[0].start


def fortnight(riverside: Riverside) -> Window:
    today = local_date(NOW, riverside.practice.timezone)
    return Window(first=today, last=today + timedelta(days=13))


async def only_then(riverside: Riverside) -> Window:
    """Return a window in which nothing but the first time can start."""
    local = (await riverside.slots(riverside.wish()))[0].start.astimezone(ZoneInfo(riverside.practice.timezone))
    return Window(
        first=local.date(), last=local.date(), opens=local.time(), closes=(local + timedelta(minutes=1)).time()
    )


def phone(number: int) -> Contact:
    return read_contact(f"+1212555{number:04}", "US")


async def joined(riverside: Riverside, number: int, *windows: Window, now: datetime = NOW) -> Entry:
    joining = Joining(contact=phone(number), wish=riverside.wish(), windows=windows or (await only_then(riverside),))
    return await join(riverside.pool, riverside.practice, joining, key=str(uuid4()), now=now)


async def look(riverside: Riverside, *, now: datetime = NOW) -> int:
    return await look_through(riverside.pool, SITE, riverside.practice.practice_id, now=now)


async def offered(riverside: Riverside, entry: Entry, *, now: datetime = NOW) -> datetime | None:
    """Return the start that is kept for somebody."""
    _, offer = await place(
        riverside.pool, riverside.practice.practice_id, entry.waitlist_entry_id, entry.contact, now=now
    )
    return offer.starts_at if offer else None


async def claims_at(riverside: Riverside, start: datetime) -> int:
    """Count who has a provider's time then: holds that live and appointments, of those made here."""
    async with across_practices(riverside.pool) as conn:
        count: int = await conn.fetchval(
            """SELECT count(DISTINCT coalesce(c.hold_id, c.appointment_id)) FROM claim c
               LEFT JOIN hold h ON h.practice_id = c.practice_id AND h.hold_id = c.hold_id
               LEFT JOIN appointment a ON a.practice_id = c.practice_id AND a.appointment_id = c.appointment_id
               WHERE h.starts_at = $1 AND h.expires_at > $2 OR a.starts_at = $1 AND a.source = 'online'""",
            start,
            NOW,
        )
    return count


async def messages_of(riverside: Riverside) -> list[tuple[str, str]]:
    async with across_practices(riverside.pool) as conn:
        rows = await conn.fetch(
            "SELECT recipient, body FROM message WHERE purpose = 'waitlist_offer' ORDER BY position"
        )
    return [(row["recipient"], row["body"]) for row in rows]


async def test_what_is_free_is_kept_for_the_first_in_line_and_nobody_else(
    riverside: Riverside, one_time: datetime
) -> None:
    first, second = await joined(riverside, 1), await joined(riverside, 2)
    assert await look(riverside) == 1
    assert await offered(riverside, first) == one_time
    assert await offered(riverside, second) is None
    assert one_time not in {slot.start for slot in await riverside.slots(riverside.wish())}
    ((recipient, body),) = await messages_of(riverside)
    assert recipient == first.contact.value
    until = (NOW + KEPT).astimezone(ZoneInfo(riverside.practice.timezone))
    assert f"is kept for you until {until:%-I:%M %p}" in body
    assert "https://book.example/waitlist/riverside/wo_" in body


async def test_who_accepts_books_with_the_hold_and_waits_no_more(riverside: Riverside, one_time: datetime) -> None:
    entry = await joined(riverside, 101)
    await look(riverside)
    accepted = await accept(
        riverside.pool, SITE, riverside.practice, entry.waitlist_entry_id, entry.contact, now=NOW + LATER
    )
    found = await find_hold(riverside.pool, riverside.practice, accepted.hold_id, accepted.hold_secret)
    assert found is not None
    booking = await olivias_booking(riverside, Held(hold=found, secret=accepted.hold_secret))
    booked = await send(riverside, booking, "k", now=NOW + LATER)
    assert isinstance(booked, Booked)
    assert booked.appointments[0].starts_at == one_time
    assert await look(riverside, now=NOW + LOOK_AGAIN) == 0
    entry, _ = await place(
        riverside.pool, riverside.practice.practice_id, entry.waitlist_entry_id, entry.contact, now=NOW
    )
    assert entry.state == "accepted"


async def test_who_accepts_in_the_last_minute_still_has_time_to_book(riverside: Riverside, one_time: datetime) -> None:
    entry = await joined(riverside, 1)
    await look(riverside)
    late = NOW + KEPT - LATER
    accepted = await accept(riverside.pool, SITE, riverside.practice, entry.waitlist_entry_id, entry.contact, now=late)
    assert accepted.expires_at == late + riverside.practice.hold_for
    assert accepted.starts_at == one_time


async def test_an_offer_that_runs_out_passes_to_the_next_and_comes_back_to_nobody(
    riverside: Riverside, one_time: datetime
) -> None:
    first, second = await joined(riverside, 1), await joined(riverside, 2)
    await look(riverside)
    lapsed = NOW + KEPT
    with pytest.raises(NothingOffered):
        await accept(riverside.pool, SITE, riverside.practice, first.waitlist_entry_id, first.contact, now=lapsed)
    assert await look(riverside, now=lapsed) == 1
    assert await offered(riverside, first, now=lapsed) is None
    assert await offered(riverside, second, now=lapsed) == one_time
    assert await look(riverside, now=lapsed + KEPT) == 0
    assert one_time in {slot.start for slot in await riverside.slots(riverside.wish(), now=lapsed + KEPT)}


async def test_who_declines_keeps_waiting_and_the_next_is_asked(riverside: Riverside, one_time: datetime) -> None:
    first, second = await joined(riverside, 1), await joined(riverside, 2)
    await look(riverside)
    practice_id = riverside.practice.practice_id
    await decline(riverside.pool, practice_id, first.waitlist_entry_id, first.contact, now=NOW)
    assert await look(riverside) == 1
    assert await offered(riverside, second) == one_time
    entry, _ = await place(riverside.pool, practice_id, first.waitlist_entry_id, first.contact, now=NOW)
    assert entry.state == "waiting"
    with pytest.raises(NothingOffered):
        await decline(riverside.pool, practice_id, first.waitlist_entry_id, first.contact, now=NOW)


async def test_who_leaves_lets_go_of_what_is_kept(riverside: Riverside, one_time: datetime) -> None:
    first, second = await joined(riverside, 1), await joined(riverside, 2)
    await look(riverside)
    for _ in range(2):
        await leave(riverside.pool, riverside.practice.practice_id, first.waitlist_entry_id, first.contact, now=NOW)
    assert await look(riverside) == 1
    assert await offered(riverside, second) == one_time


async def test_an_offer_and_an_ordinary_hold_at_one_time_never_both_succeed(
    riverside: Riverside, one_time: datetime
) -> None:
    for number in range(12):
        entry = await joined(riverside, number)
        made, taken = await asyncio.gather(
            look(riverside), hold(riverside.pool, riverside.practice, riverside.wish(), one_time, now=NOW)
        )
        assert made + isinstance(taken, Held) == 1
        assert await claims_at(riverside, one_time) == 1
        await leave(riverside.pool, riverside.practice.practice_id, entry.waitlist_entry_id, entry.contact, now=NOW)
        async with across_practices(riverside.pool) as conn:
            await conn.execute("DELETE FROM hold WHERE starts_at = $1", one_time)


async def test_many_workers_make_one_offer(riverside: Riverside, one_time: datetime) -> None:
    entries = [await joined(riverside, number) for number in range(4)]
    assert sum(await asyncio.gather(*(look(riverside) for _ in range(8)))) == 1
    assert await offered(riverside, entries[0]) == one_time
    assert await claims_at(riverside, one_time) == 1
    assert len(await messages_of(riverside)) == 1


async def test_a_worker_that_died_keeps_others_away_for_its_lease_only(
    riverside: Riverside, one_time: datetime
) -> None:
    entry = await joined(riverside, 1)
    practice_id = riverside.practice.practice_id
    async with of_practice(riverside.pool, practice_id) as conn:
        assert await waitlist_db.lease(conn, practice_id, now=NOW, until=NOW + LEASE)
    assert await look(riverside, now=NOW + LEASE - LATER) == 0
    assert await look(riverside, now=NOW + LEASE) == 1
    assert await offered(riverside, entry, now=NOW + LEASE) == one_time


async def test_nobody_is_offered_what_does_not_suit_them(riverside: Riverside, one_time: datetime) -> None:
    local = one_time.astimezone(ZoneInfo(riverside.practice.timezone))
    fits = await only_then(riverside)
    day_before = local.date() - timedelta(days=1)
    windows = [
        msgspec.structs.replace(fits, weekdays=tuple(day for day in range(1, 8) if day != local.isoweekday())),
        msgspec.structs.replace(fits, opens=time(0), closes=local.time()),
        msgspec.structs.replace(fits, opens=fits.closes, closes=(local + timedelta(minutes=2)).time()),
        msgspec.structs.replace(fits, first=day_before, last=day_before),
    ]
    for number, window in enumerate(windows):
        await joined(riverside, number, window)
    assert await look(riverside) == 0
    suited = await joined(riverside, 9, *windows, fits)
    assert await look(riverside) == 1
    assert await offered(riverside, suited) == one_time


def test_a_window_is_read_on_the_practices_clock() -> None:
    day = NOW.date()
    window = Window(first=day, last=day, opens=time(9), closes=time(10))
    nine = datetime(day.year, day.month, day.day, 9, tzinfo=ZoneInfo("America/New_York"))
    assert suits((window,), nine, "America/New_York")
    assert not suits((window,), nine + timedelta(hours=1), "America/New_York")
    assert not suits((window,), nine, "America/Los_Angeles")


async def test_a_wait_ends_with_its_last_day(riverside: Riverside, one_time: datetime) -> None:
    today = local_date(NOW, riverside.practice.timezone)
    entry = await joined(riverside, 1, Window(first=today, last=today, closes=time(0, 1)))
    await look(riverside, now=NOW + timedelta(days=1))
    entry, _ = await place(
        riverside.pool, riverside.practice.practice_id, entry.waitlist_entry_id, entry.contact, now=NOW
    )
    assert entry.state == "ended"
    assert one_time > NOW


async def test_a_contact_waits_three_times_at_most(riverside: Riverside) -> None:
    waits = await asyncio.gather(*(joined(riverside, 1) for _ in range(6)), return_exceptions=True)
    assert len([one for one in waits if isinstance(one, Entry)]) == MOST_OF_A_CONTACT
    assert len([one for one in waits if isinstance(one, WaitlistFull)]) == 6 - MOST_OF_A_CONTACT
    assert (await joined(riverside, 2)).state == "waiting"


async def test_a_wait_for_what_cannot_be_booked_or_for_no_time_at_all_is_refused(riverside: Riverside) -> None:
    today = local_date(NOW, riverside.practice.timezone)
    for windows in (
        (Window(first=today - timedelta(days=2), last=today - timedelta(days=1)),),
        (Window(first=today + timedelta(days=2), last=today),),
        (Window(first=today, last=today + timedelta(days=91)),),
        (Window(first=today, last=today, opens=time(10), closes=time(10)),),
        (Window(first=today, last=today, weekdays=()),),
    ):
        with pytest.raises(WaitRefused):
            await joined(riverside, 1, *windows)
    joining = Joining(contact=phone(1), wish=riverside.wish("type-wellness", "dragon"), windows=(fortnight(riverside),))
    with pytest.raises(NotBookableOnline):
        await join(riverside.pool, riverside.practice, joining, key="k", now=NOW)


async def test_the_same_request_joins_once(riverside: Riverside) -> None:
    joining = Joining(contact=phone(1), wish=riverside.wish(), windows=(fortnight(riverside),))
    first = await join(riverside.pool, riverside.practice, joining, key="k", now=NOW)
    assert await join(riverside.pool, riverside.practice, joining, key="k", now=NOW) == first


async def test_nobody_sees_or_answers_for_another(riverside: Riverside, one_time: datetime) -> None:
    entry = await joined(riverside, 1)
    await look(riverside)
    practice_id, stranger = riverside.practice.practice_id, phone(2)
    for act in (
        place(riverside.pool, practice_id, entry.waitlist_entry_id, stranger, now=NOW),
        accept(riverside.pool, SITE, riverside.practice, entry.waitlist_entry_id, stranger, now=NOW),
        decline(riverside.pool, practice_id, entry.waitlist_entry_id, stranger, now=NOW),
        leave(riverside.pool, practice_id, entry.waitlist_entry_id, stranger, now=NOW),
        place(riverside.pool, practice_id, uuid4(), entry.contact, now=NOW),
    ):
        with pytest.raises(WaitlistUnknown):
            await act
    assert await offered(riverside, entry) == one_time


async def test_the_link_of_an_offer_stands_for_the_one_it_was_sent_to(riverside: Riverside, one_time: datetime) -> None:
    entry = await joined(riverside, 1)
    await look(riverside)
    ((_, body),) = await messages_of(riverside)
    read = unsealed("wo", body.rsplit("/", 1)[1])
    assert read is not None
    assert await whose(riverside.pool, *read) == entry.contact
    assert await whose(riverside.pool, read[0], "x" * 32) is None
    assert one_time.tzinfo is not None


async def due(riverside: Riverside, now: datetime) -> list[UUID]:
    async with across_practices(riverside.pool) as conn:
        return await waitlist_db.practices_due(
            conn, now, quiet_since=now - LOOK_AGAIN, changed_since=now - PAUSE, opens=OPENS, closes=CLOSES
        )


async def test_a_practice_is_looked_at_when_something_changed_when_an_offer_lapsed_and_now_and_then(
    riverside: Riverside,
) -> None:
    zone = ZoneInfo(riverside.practice.timezone)
    noon = datetime(NOW.year, NOW.month, NOW.day, 12, tzinfo=zone)
    practice_id = riverside.practice.practice_id
    assert await due(riverside, noon) == []
    await joined(riverside, 1, fortnight(riverside))
    assert await due(riverside, noon) == [practice_id]
    async with of_practice(riverside.pool, practice_id) as conn:
        practice: Practice | None = await practice_by_id(conn, practice_id)
        assert practice is not None
        await waitlist_db.looked(conn, practice_id, noon, practice.schedule_version)
        assert await due(riverside, noon + PAUSE) == []
        await waitlist_db.looked(conn, practice_id, noon, practice.schedule_version - 1)
    assert await due(riverside, noon) == []
    assert await due(riverside, noon + PAUSE) == [practice_id]
    assert await due(riverside, noon + LOOK_AGAIN) == [practice_id]


async def test_nobody_is_written_to_at_night(riverside: Riverside) -> None:
    await joined(riverside, 1)
    day = datetime(NOW.year, NOW.month, NOW.day, tzinfo=ZoneInfo(riverside.practice.timezone))
    assert [hour for hour in range(24) if await due(riverside, day + timedelta(hours=hour))] == list(range(8, 20))


async def test_who_may_not_book_may_not_wait_either(riverside: Riverside) -> None:
    async with across_practices(riverside.pool) as conn:
        await conn.execute(
            "INSERT INTO blocked_contact (practice_id, kind, value, created_at) VALUES ($1, 'phone', $2, now())",
            riverside.practice.practice_id,
            phone(1).value,
        )
    with pytest.raises(NotOnline):
        await joined(riverside, 1)
    closed = replace(riverside, practice=msgspec.structs.replace(riverside.practice, who_may_book="existing_clients"))
    wish = closed.wish(new_client=True)
    joining = Joining(contact=phone(2), wish=wish, windows=(fortnight(riverside),))
    with pytest.raises(NewClientsNotWelcome):
        await join(closed.pool, closed.practice, joining, key="k", now=NOW)
    full = msgspec.structs.replace(riverside.practice, open_bookings_per_client=0)
    with pytest.raises(TooManyBookings):
        await join(riverside.pool, full, msgspec.structs.replace(joining, wish=riverside.wish()), key="k2", now=NOW)
