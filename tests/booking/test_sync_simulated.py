"""Both sides edit, with the clinic simulator as the other side: a system behind an agent, through its adapter."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest

from booking.book import KnownClient, KnownPatient
from booking.db import connections, practices
from booking.db.connections import Connection
from booking.db.drift import DriftReport
from booking.db.holds import Wish
from booking.db.pool import Pool, across_practices
from booking.db.practices import Practice
from booking.local_days import local_date
from booking.offers import slots_between, wished_types
from booking.staff_book import StaffBooking, book_for_client
from booking.sync import sync
from booking.sync.drift import compare
from booking.sync.pages import known_feeds
from booking.sync.silence import list_feed
from booking.write_back import deliver_due
from pims_adapters import contract as pims
from tests.booking.two_sides import MINUTE, SITE, STAFF
from tests.clinic import Simulator
from tests.pims_adapters.avimark.peer import AvimarkPeer
from tests.pims_adapters.cornerstone.peer import CornerstonePeer

PROVE = os.environ.get("VETSLOT_PROVE") == "1"
SEEDS, STEPS = (range(20), 2_000) if PROVE else (range(1), 40)
ZONE = "America/New_York"
ID = UUID(int=5)
FAULTS = ("half_page", "duplicate_page", "out_of_order_times", "refused", "reset_after_commit")


class Simulated:
    """A practice and its simulated PIMS; a seed decides what is done on either side."""

    def __init__(self, pool: Pool, clinic: Simulator, adapter: pims.PimsAdapter, seed: int) -> None:
        self.pool, self.clinic, self.adapter = pool, clinic, adapter
        self.random = random.Random(seed)
        self.now = clinic.now
        self.practice = Practice(
            practice_id=ID,
            slug="lakeside",
            name="Lakeside",
            timezone=ZONE,
            region="US",
            phone="+12125550100",
            emergency_text="",
            address="1 Lakeside",
            languages=["en"],
            allowed_origins=[],
            who_may_book="everyone",
            hours=(),
            hold_for=10 * MINUTE,
            freshness_limit=15 * MINUTE,
            stale_notice=timedelta(hours=48),
        )
        self.connection = Connection(
            practice_id=ID,
            connection_id=UUID(int=6),
            adapter=clinic.dialect,
            settings={},
            status="live",
            as_of=None,
            failing_since=None,
            failure=None,
        )

    def clock(self) -> datetime:
        return self.now

    async def open(self) -> None:
        """Add the practice, read its PIMS, and let its providers see patients for half an hour each."""
        async with across_practices(self.pool) as conn:
            await practices.insert_practice(conn, self.practice)
            await connections.put_connection(conn, self.connection)
        await self.cycle()
        async with across_practices(self.pool) as conn:
            await conn.execute("UPDATE resource SET roles = '{vet}' WHERE kind = 'provider'")
            await conn.execute(
                """UPDATE appointment_type SET bookable_online = true, species = '{dog,cat}',
                     steps = '[{"duration": "PT1800S", "needs": [{"role": "vet"}]}]'"""
            )

    async def cycle(self) -> None:
        """Let everything pass once: write back, read, list; what these systems write shows three minutes later."""
        self.now = self.clinic.advance(minutes=15)
        await deliver_due(self.pool, self.adapter, ID, clock=self.clock, site=SITE)
        await sync(self.pool, self.adapter, self.connection, clock=self.clock, site=SITE)
        for feed in await known_feeds(self.pool, self.adapter, self.connection, self.now):
            if feed.listing is not None:
                assert await list_feed(self.pool, self.adapter, feed, clock=self.clock, site=SITE)

    async def drift(self) -> DriftReport:
        first = local_date(self.now, ZONE)
        return await compare(
            self.pool, self.adapter, self.connection, first, first + timedelta(days=13), clock=self.clock
        )

    def some_time(self) -> datetime:
        day = local_date(self.now, ZONE) + timedelta(days=self.random.randrange(1, 6))
        return datetime.combine(day, time(9)) + 15 * MINUTE * self.random.randrange(28)

    async def book_here(self) -> None:
        async with across_practices(self.pool) as conn:
            rows = await conn.fetch(
                """SELECT patient_id, client_id FROM patient WHERE status = 'active' AND pims_id IS NOT NULL
                   ORDER BY pims_id LIMIT 30"""
            )
            type_id = await conn.fetchval("SELECT appointment_type_id FROM appointment_type ORDER BY pims_id LIMIT 1")
            wish = Wish(appointment_type_id=type_id, patients=("dog",), new_client=False, by_staff=True)
            types = await wished_types(conn, self.practice, wish)
        start = self.some_time().replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC)
        slots = await slots_between(
            self.pool, self.practice, types, wish, start, start + timedelta(days=1), now=self.now, own=()
        )
        if slots:
            who = self.random.choice(rows)
            booking = StaffBooking(
                appointment_type_id=type_id,
                start=slots[0].start,
                client=KnownClient(client_id=who["client_id"]),
                patients=(KnownPatient(patient_id=who["patient_id"]),),
            )
            await book_for_client(
                self.pool, self.practice, booking, key=str(uuid4()), actor=STAFF, site=SITE, now=self.now
            )

    async def staff_there(self) -> None:
        clinic = self.clinic
        there = sorted(one.id for one in clinic.appointments())[-30:]
        one, provider = self.random.choice(there), self.random.choice(clinic.providers()).id
        clients = sorted(each.id for each in clinic.clients())
        deeds: dict[str, dict[str, object]] = {
            "book": {"starts": self.some_time(), "staff": provider},
            "move": {"id": one, "starts": self.some_time()},
            "cancel": {"id": one},
            "confirm": {"id": one},
            "delete": {"id": one},
            "block_off": {"starts": self.some_time(), "minutes": 30, "staff": provider},
            "merge_clients": dict(zip(("id", "into"), self.random.sample(clients, 2), strict=True)),
            "mark_deceased": {"id": self.random.choice([each.id for each in clinic.patients()])},
        }
        deed = self.random.choice([*deeds])
        try:
            clinic.staff(deed, **deeds[deed])
        except httpx.HTTPStatusError:
            return  # a refusal of the PIMS: staff see why, and leave it

    async def between(self) -> None:
        self.now = self.clinic.advance(minutes=1)
        try:
            await sync(self.pool, self.adapter, self.connection, clock=self.clock, site=SITE)
            await deliver_due(self.pool, self.adapter, ID, clock=self.clock, site=SITE)
        except pims.PimsUnavailable:
            return

    async def step(self) -> None:
        deed = self.random.choices([self.book_here, self.staff_there, self.between, self.fault], [2, 5, 3, 1])[0]
        await deed()

    async def fault(self) -> None:
        on = {"refused": "write", "reset_after_commit": "write"}
        name = self.random.choice(FAULTS)
        self.clinic.order(name, on=on.get(name, "any"), times=1)


@pytest.fixture(params=["avimark", "cornerstone"])
async def peer(request: pytest.FixtureRequest) -> AsyncIterator[AvimarkPeer | CornerstonePeer]:
    kind: type[AvimarkPeer | CornerstonePeer] = AvimarkPeer if request.param == "avimark" else CornerstonePeer
    async with kind.running() as running:
        yield running


@pytest.mark.parametrize("seed", SEEDS)
async def test_we_and_a_system_behind_an_agent_agree_within_two_cycles(
    pool: Pool, peer: AvimarkPeer | CornerstonePeer, seed: int
) -> None:
    sides = Simulated(pool, peer.clinic, peer.connect(), seed)
    await sides.open()
    assert (await sides.drift()).differences == []
    for _ in range(STEPS):
        await sides.step()
    peer.clinic.reset_faults()
    await sides.cycle()
    await sides.cycle()
    report = await sides.drift()
    assert report.complete
    assert report.compared > 20
    assert report.differences == []
