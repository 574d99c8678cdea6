"""A practice connected to ezyVet: its schedule is offered, a booking is written there once, lost answers are found."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import time, timedelta
from uuid import NAMESPACE_DNS, uuid4, uuid5

import asyncpg
import pytest

from availability import Grid
from booking.book import Booked
from booking.db import appointment_types, connections, mirror, practices
from booking.db.appointment_types import AppointmentType, RoleNeed, TypeStep
from booking.db.connections import Connection
from booking.db.holds import Wish
from booking.db.pool import across_practices, connect
from booking.db.practices import Practice
from booking.local_days import in_zone
from booking.sync import sync
from booking.write_back import deliver_due
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import SITE, hold_first, send, strangers_booking
from tests.copies import copy_of
from tests.ezyvet_double import EzyVetDouble, opened, running_double
from tests.pims_adapters.ezyvet.double import seed
from widget.embedded import PostgresServer

TEMPLATE = "template_willow"
_numbers = itertools.count(1)
PRACTICE_ID = uuid5(NAMESPACE_DNS, "willow-creek.example")
CONNECTION_ID = uuid5(PRACTICE_ID, "ezyVet")
DOCTOR, ROOM = "veterinarian", "exam room"
ROLES = {seed.LANG: DOCTOR, seed.KELLER: DOCTOR, seed.WEI: DOCTOR, seed.ROOM_1: ROOM, seed.ROOM_2: ROOM}
WILLOW = Practice(
    practice_id=PRACTICE_ID,
    slug="willow-creek",
    name="Willow Creek Veterinary",
    timezone="America/New_York",
    region="US",
    phone="(518) 555-0190",
    email="front@willow-creek.example",
    emergency_text="Call Capital Pet ER, (518) 555-0199.",
    address="1 Willow Lane, Albany, NY 12207",
    languages=["en"],
    allowed_origins=[],
    who_may_book="everyone",
    hours=(),
    hold_for=timedelta(minutes=10),
    freshness_limit=timedelta(minutes=15),
    stale_notice=timedelta(hours=48),
)


@dataclass(frozen=True)
class Willow(Riverside):
    """The practice, in a database of this test's own, and the ezyVet that it is connected to."""

    ezyvet: EzyVetDouble

    async def sync(self) -> None:
        async with across_practices(self.pool) as conn:
            connection = await connections.connection_of(conn, PRACTICE_ID)
        assert connection is not None
        adapter = opened(self.ezyvet.settings | {"planning_days": "14"})
        try:
            assert (await sync(self.pool, adapter, connection, clock=lambda: NOW)).complete
        finally:
            await adapter.close()

    async def deliver(self, *, after: timedelta = timedelta()) -> None:
        adapter = opened(self.ezyvet.settings)
        try:
            await deliver_due(self.pool, adapter, PRACTICE_ID, site=SITE, clock=lambda: NOW + after)
        finally:
            await adapter.close()

    async def states(self) -> list[tuple[str, str]]:
        async with across_practices(self.pool) as conn:
            rows = await conn.fetch("SELECT kind, state FROM write_back ORDER BY position")
        return [(row["kind"], row["state"]) for row in rows]

    def written(self, booked: Booked) -> tuple[int, int, int]:
        """Count the contacts, animals and appointments of a booking in ezyVet, by looking there."""
        reference = booked.appointment.reference
        details = self.ezyvet.carrying("contactdetail", "name", f"{reference}-C")
        return (
            len({one["contact_id"] for one in details}),
            len(self.ezyvet.carrying("animal", "notes", f"{reference}-P")),
            len(self.ezyvet.carrying("appointment", "description", reference)),
        )


@pytest.fixture
def ezyvet() -> Iterator[EzyVetDouble]:
    with running_double(NOW) as double:
        yield double


@pytest.fixture(scope="session")
async def willow_template(postgres: PostgresServer, migrated_template: str) -> str:
    """Return the name of a database with the practice as it stands after its first sync.

    Every double that starts at `NOW` holds the same, so each test connects a copy to one of its own.
    """
    await _run(postgres.url, copy_of(migrated_template, TEMPLATE))
    url = f"{postgres.url.rsplit('/', 1)[0]}/{TEMPLATE}"
    pool = await connect(url, max_size=4)
    with running_double(NOW) as double:
        connection = Connection(
            practice_id=PRACTICE_ID,
            connection_id=CONNECTION_ID,
            adapter="ezyvet",
            settings=double.settings | {"planning_days": "14"},
            status="live",
            as_of=None,
            failing_since=None,
            failure=None,
        )
        async with across_practices(pool) as conn, conn.transaction():
            await practices.insert_practice(conn, WILLOW)
            await connections.put_connection(conn, connection)
        before = Willow(pool, WILLOW, {}, double, url, double)  # type: ignore[arg-type]  # no demo clinic
        await before.sync()
        await before.sync()  # time on columns that came after it is read once more
    async with across_practices(pool) as conn, conn.transaction():
        for number, role in ROLES.items():
            await mirror.set_roles(conn, PRACTICE_ID, str(number), [role])
        await appointment_types.configure_appointment_type(conn, PRACTICE_ID, consultation(), position=0)
    await pool.close()
    return TEMPLATE


@pytest.fixture
async def willow(postgres: PostgresServer, willow_template: str, ezyvet: EzyVetDouble) -> AsyncIterator[Willow]:
    """Return a copy of the practice, connected to an ezyVet of its own."""
    name = f"willow_{os.getpid()}_{next(_numbers)}"
    await _run(postgres.url, copy_of(willow_template, name))
    url = f"{postgres.url.rsplit('/', 1)[0]}/{name}"
    pool = await connect(url, max_size=20)
    async with across_practices(pool) as conn:
        await conn.execute("UPDATE connection SET settings = $1", ezyvet.settings)
        types = await appointment_types.appointment_types(conn, PRACTICE_ID)
        practice = await practices.practice_by_id(conn, PRACTICE_ID)
    assert practice is not None
    by_number = {one.pims_id or "": one for one in types}
    yield Willow(pool, practice, by_number, ezyvet, url, ezyvet)  # type: ignore[arg-type]  # no demo clinic
    await pool.close()
    await _run(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


async def _run(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


def consultation() -> AppointmentType:
    needs = (RoleNeed(role=DOCTOR), RoleNeed(role=ROOM))
    return AppointmentType(
        appointment_type_id=uuid4(),
        pims_id=str(seed.CONSULTATION),
        pims_name="Consultation",
        name="Consultation",
        description="",
        category="Checkups",
        species=["dog", "cat"],
        steps=(TypeStep(duration=timedelta(minutes=30), needs=needs),),
        grid=Grid(every=timedelta(minutes=15)),
        buffer_before=timedelta(),
        buffer_after=timedelta(),
        bookable_online=True,
        mode="instant",
        who_may_book="everyone",
        notice=timedelta(hours=2),
        horizon=timedelta(days=60),
        max_per_day=None,
    )


def wish(willow: Willow) -> Wish:
    return willow.wish(str(seed.CONSULTATION), new_client=True)


async def book_stranger(willow: Willow) -> Booked:
    held = await hold_first(willow, wish(willow))
    booked = await send(willow, strangers_booking(held), str(uuid4()))
    assert isinstance(booked, Booked)
    return booked


async def test_the_schedule_comes_and_its_planning_guides_decide_what_is_offered(willow: Willow) -> None:
    async with across_practices(willow.pool) as conn:
        clients = await conn.fetchval("SELECT count(*)::int FROM client")
    assert clients == seed.CONTACTS
    slots = await willow.slots(wish(willow))
    assert slots
    for slot in slots:
        start = in_zone(slot.start, willow.practice.timezone)
        end = start + timedelta(minutes=30)
        assert start.weekday() < 5
        assert (time(9) <= start.time() and end.time() <= time(12)) or (
            time(13) <= start.time() and end.time() <= time(17)
        )


async def test_what_staff_block_off_in_ezyvet_is_offered_no_more(willow: Willow) -> None:
    first = (await willow.slots(wish(willow)))[0]
    doctors = [seed.LANG, seed.KELLER, seed.WEI]
    willow.ezyvet.act("appointments", start=first.start.isoformat(), minutes=30, columns=doctors, kind=seed.BLOCK)
    await willow.sync()
    assert first.start not in [slot.start for slot in await willow.slots(wish(willow))]


async def test_a_booking_is_written_once_read_back_and_recognized_when_it_returns(willow: Willow) -> None:
    booked = await book_stranger(willow)
    await willow.deliver()
    assert await willow.states() == [("client", "written"), ("patient", "written"), ("appointment", "written")]
    assert willow.written(booked) == (1, 1, 1)
    (row,) = willow.ezyvet.carrying("appointment", "description", booked.appointment.reference)
    assert row["start_at"] == int(booked.appointment.starts_at.timestamp())
    await willow.sync()
    async with across_practices(willow.pool) as conn:
        ours = await conn.fetch("SELECT pims_id FROM appointment WHERE source = 'online'")
        names = await conn.fetchval("SELECT count(*)::int FROM client WHERE family_name = 'Haddad'")
    assert [one["pims_id"] for one in ours] == [str(row["id"])]
    assert names == 1


async def test_lost_answers_are_settled_by_looking_and_nothing_is_written_twice(willow: Willow) -> None:
    booked = await book_stranger(willow)
    willow.ezyvet.order("answer_lost", "write")
    await willow.deliver()
    assert (await willow.states())[0] == ("client", "unknown")
    for minute in range(1, 5):
        willow.ezyvet.order("answer_lost", "/ezycab/booking")
        await willow.deliver(after=timedelta(minutes=minute))
    for minute in range(5, 15):
        willow.ezyvet.act("calm")
        await willow.deliver(after=timedelta(minutes=minute))
    assert {state for _, state in await willow.states()} == {"written"}
    assert willow.written(booked) == (1, 1, 1)
