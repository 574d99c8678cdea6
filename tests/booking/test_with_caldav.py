"""A practice that lives in a calendar: what staff enter there is not offered, and what clients book stands there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from availability import Grid
from booking.book import Booked
from booking.change import cancel, reschedule
from booking.db import appointment_types, connections, mirror, practices
from booking.db.appointment_types import AppointmentType, RoleNeed, TypeStep
from booking.db.connections import Connection
from booking.db.pool import Pool, across_practices
from booking.db.practices import Practice
from booking.local_days import in_zone
from booking.sync import sync
from pims_adapters import contract as pims
from pims_adapters.caldav import ours
from tests.booking.conftest import NOW, Riverside
from tests.booking.outbox_of import deliver_by, states
from tests.booking.steps import SITE, hold_first, send, strangers_booking
from tests.pims_adapters.caldav.peer import CalDavPeer

VISIT = AppointmentType(
    appointment_type_id=uuid4(),
    pims_id="house-call",
    pims_name="House call",
    name="House call",
    description="",
    category="Checkups",
    species=["dog", "cat"],
    steps=(TypeStep(duration=timedelta(minutes=30), needs=(RoleNeed(role="vet"), RoleNeed(role="room"))),),
    grid=Grid(every=timedelta(minutes=30)),
    buffer_before=timedelta(),
    buffer_after=timedelta(),
    bookable_online=True,
    mode="instant",
    who_may_book="everyone",
    notice=timedelta(hours=2),
    horizon=timedelta(days=60),
    max_per_day=None,
)


@pytest.fixture
async def calendar() -> AsyncIterator[CalDavPeer]:
    async with CalDavPeer.running() as peer:
        yield peer


@pytest.fixture
async def mobile_vet(pool: Pool, database_url: str, calendar: CalDavPeer) -> Riverside:
    """Return a practice that is connected to the calendar, has read it once, and offers a type of its own."""
    practice = Practice(
        practice_id=uuid4(),
        slug="mobile-vet",
        name="Mobile Vet",
        timezone="America/New_York",
        region="US",
        phone="(212) 555-0150",
        emergency_text="In an emergency call (212) 555-0151.",
        address="",
        languages=["en"],
        allowed_origins=[],
        who_may_book="everyone",
        hours=(),
        hold_for=timedelta(minutes=10),
        freshness_limit=timedelta(minutes=15),
        stale_notice=timedelta(hours=48),
    )
    connection = Connection(
        practice_id=practice.practice_id,
        connection_id=uuid4(),
        adapter="caldav",
        settings=calendar.settings,
        status="live",
        as_of=None,
        failing_since=None,
        failure=None,
    )
    id_ = practice.practice_id
    mirrored = pims.AppointmentType(pims_id="house-call", name="House call", duration=timedelta(minutes=30))
    async with across_practices(pool) as conn, conn.transaction():
        await practices.insert_practice(conn, practice)
        await connections.put_connection(conn, connection)
        await mirror.put_appointment_type(conn, id_, VISIT.appointment_type_id, mirrored)
        await appointment_types.configure_appointment_type(conn, id_, VISIT, position=0)
        await conn.execute("UPDATE appointment_type SET pims_id = NULL")  # a calendar knows no types
    types = {"house-call": VISIT}
    mobile_vet = Riverside(pool, practice, types, calendar, database_url)  # type: ignore[arg-type]  # no demo clinic
    await sync_now(mobile_vet, calendar)
    async with across_practices(pool) as conn, conn.transaction():
        for calendar_id, role in (("dr-lee", "vet"), ("room-1", "room")):
            await mirror.set_roles(conn, id_, calendar_id, [role])
    return mobile_vet


async def sync_now(mobile_vet: Riverside, calendar: CalDavPeer) -> None:
    async with across_practices(mobile_vet.pool) as conn:
        connection = await connections.connection_of(conn, mobile_vet.practice.practice_id)
    assert connection is not None
    async with calendar.connected() as adapter:
        assert (await sync(mobile_vet.pool, adapter, connection, clock=lambda: NOW)).complete


async def book_stranger(mobile_vet: Riverside) -> Booked:
    held = await hold_first(mobile_vet, mobile_vet.wish("house-call", new_client=True))
    booked = await send(mobile_vet, strangers_booking(held), str(uuid4()))
    assert isinstance(booked, Booked)
    return booked


async def test_what_staff_enter_in_the_calendar_is_offered_no_more(mobile_vet: Riverside, calendar: CalDavPeer) -> None:
    wish = mobile_vet.wish("house-call", new_client=True)
    first, second = (await mobile_vet.slots(wish))[:2]
    await calendar.staff_book(first.start, first.end, ("dr-lee",), "Walk-in")
    local = in_zone(second.start, mobile_vet.practice.timezone)
    weekly = (f"DTSTART;TZID=America/New_York:{local:%Y%m%dT%H%M%S}", "DURATION:PT30M", "RRULE:FREQ=WEEKLY")
    calendar.radicale.put_event("room-1", "cleaning.ics", *weekly)
    await sync_now(mobile_vet, calendar)
    starts = {slot.start for slot in await mobile_vet.slots(wish)}
    assert not starts & {first.start, second.start, second.start + timedelta(days=7)}
    assert first.start + timedelta(days=7) in starts


async def test_a_booking_is_written_moved_and_cancelled_in_the_calendar(
    mobile_vet: Riverside, calendar: CalDavPeer
) -> None:
    booked = await book_stranger(mobile_vet)
    reference = booked.appointment.reference
    await deliver_by(mobile_vet, calendar.connect())
    assert (await states(mobile_vet))["appointment", "create"] == "written"
    assert await calendar.count("appointment", reference) == 1
    uid = ours.uid_of(reference)
    text = calendar.radicale.text("dr-lee", f"{uid}.ics") or ""
    assert "SUMMARY:Zuzu (Noor Haddad)" in text
    assert "X-VETSLOT-TYPE:House%20call" in text

    pool, practice = mobile_vet.pool, mobile_vet.practice
    other = (await mobile_vet.slots(mobile_vet.wish("house-call", new_client=True)))[-1].start
    await reschedule(pool, practice, reference, other, by="staff", site=SITE, now=NOW)
    await deliver_by(mobile_vet, calendar.connect())
    for place in ("dr-lee", "room-1"):
        assert f"DTSTART:{other:%Y%m%dT%H%M%SZ}" in (calendar.radicale.text(place, f"{uid}.ics") or "")
    await sync_now(mobile_vet, calendar)

    await cancel(pool, practice, reference, by="staff", site=SITE, now=NOW)
    await deliver_by(mobile_vet, calendar.connect())
    assert "STATUS:CANCELLED" in (calendar.radicale.text("dr-lee", f"{uid}.ics") or "")
    assert set((await states(mobile_vet)).values()) <= {"written", "superseded"}
    async with across_practices(pool) as conn:
        assert await conn.fetchval("SELECT count(*)::int FROM appointment WHERE reference IS NOT NULL") == 1


async def test_lost_answers_leave_one_appointment_in_the_calendar(mobile_vet: Riverside, calendar: CalDavPeer) -> None:
    booked = await book_stranger(mobile_vet)
    await calendar.order("answer_lost", "write")
    await deliver_by(mobile_vet, calendar.connect())
    assert (await states(mobile_vet))["appointment", "create"] == "unknown"
    for minutes in (2, 10):
        await deliver_by(mobile_vet, calendar.connect(), timedelta(minutes=minutes))
    assert (await states(mobile_vet))["appointment", "create"] == "written"
    assert await calendar.count("appointment", booked.appointment.reference) == 1
