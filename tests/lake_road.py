"""Lake Road: a practice whose PIMS, the clinic simulator, speaks through its agent; booked by functions, not requests.

All of it is real but the PIMS: the web server that the agent talks to, the line through PostgreSQL, sync, write-back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec

from availability import Grid
from booking.adapters import Adapters
from booking.agents.tokens import issue_token
from booking.book import Booked, Booking, NewClient, NewPatient, book
from booking.contacts import read_contact
from booking.db import appointment_types, connections, mirror, practices
from booking.db.appointment_types import RoleNeed, TypeStep
from booking.db.connections import Connection
from booking.db.holds import Wish
from booking.db.pool import Pool, across_practices
from booking.db.practices import Practice
from booking.holds import Held, hold
from booking.local_days import local_date
from booking.offers import Offer, OfferedSlot, offer
from booking.site import Site
from booking.sync import Synced, sync
from booking.sync.pages import known_feeds
from booking.sync.silence import list_feed
from booking.write_back import deliver_due
from pims_adapters import contract as pims
from pims_adapters._agent.marker import marker
from tests.clinic import Simulator
from tests.widget.oak_lane import SECRET_KEY

VETERINARIAN, ROOM = "veterinarian", "exam_room"
SITE = Site(public_url="https://book.example", secret_key=SECRET_KEY)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class LakeRoad:
    """The practice, and what a worker has open for it."""

    pool: Pool
    practice: Practice
    connection_id: UUID
    token: str
    adapters: Adapters
    type_id: UUID

    async def connection(self) -> Connection:
        async with across_practices(self.pool) as conn:
            found = await connections.connection_of(conn, self.practice.practice_id)
        assert found is not None
        return found

    async def adapter(self) -> pims.PimsAdapter:
        return await self.adapters.of(await self.connection())

    async def sync(self, *, after: timedelta = timedelta()) -> Synced:
        """Read what the agent has pushed, as a worker does; `after`: so much later."""
        return await sync(self.pool, await self.adapter(), await self.connection(), clock=lambda: now() + after)

    async def list_near(self, *, after: timedelta = timedelta()) -> None:
        """Compare the near days with what the PIMS lists, as a worker does so much later."""
        adapter = await self.adapter()
        for feed in await known_feeds(self.pool, adapter, await self.connection(), now() + after):
            if feed.listing == "near":
                await list_feed(self.pool, adapter, feed, clock=lambda: now() + after, site=SITE)

    async def deliver(self, *, after: timedelta = timedelta()) -> int:
        """Write back what is due, as a worker does; `after`: so much later."""
        practice_id = self.practice.practice_id
        return await deliver_due(self.pool, await self.adapter(), practice_id, site=SITE, clock=lambda: now() + after)

    async def written(self, rounds: int = 20) -> dict[str, list[str]]:
        """Write back, later and later, until nothing is open; the states of all write-backs by their kind."""
        for _ in range(rounds):
            await self.deliver()
            states = await self.states()
            if not {"queued", "sending", "unknown"} & {state for each in states.values() for state in each}:
                break
            await self.let_pass(timedelta(minutes=6))
        return await self.states()

    async def let_pass(self, time: timedelta) -> None:
        """Let what waits in the outbox and on the agent's line be so much older."""
        async with across_practices(self.pool) as conn:
            await conn.execute(
                "UPDATE write_back SET due_at = due_at - $1::interval, sent_at = sent_at - $1::interval", time
            )
            await conn.execute(
                """UPDATE agent_call SET asked_at = asked_at - $1::interval, deadline = deadline - $1::interval,
                   fetched_at = fetched_at - $1::interval""",
                time,
            )

    async def states(self) -> dict[str, list[str]]:
        async with across_practices(self.pool) as conn:
            rows = await conn.fetch("SELECT kind, state FROM write_back ORDER BY position")
        states: dict[str, list[str]] = {}
        for row in rows:
            states.setdefault(row["kind"], []).append(row["state"])
        return states

    def wish(self) -> Wish:
        return Wish(appointment_type_id=self.type_id, patients=("dog",), new_client=True)

    async def offer(self, first: date | None = None, days: int = 7, *, at: datetime | None = None) -> Offer:
        at = at or now()
        first = first or local_date(at, self.practice.timezone)
        return await offer(self.pool, self.practice, self.wish(), first, first + timedelta(days=days - 1), now=at)

    async def slots(self, first: date | None = None, days: int = 7, *, at: datetime | None = None) -> list[OfferedSlot]:
        return [slot for day in (await self.offer(first, days, at=at)).days for slot in day.slots]

    async def book(self, number: int = 0, *, start: datetime | None = None) -> Booked:
        """Book a time, the first of tomorrow or later, for a client and a patient whom nobody knows yet."""
        tomorrow = local_date(now(), self.practice.timezone) + timedelta(days=1)
        start = start or (await self.slots(tomorrow))[0].start
        held = await hold(self.pool, self.practice, self.wish(), start, now=now())
        assert isinstance(held, Held)
        booking = Booking(
            hold_id=held.hold.hold_id,
            hold_secret=held.secret,
            contact=read_contact(f"client{number}@example.org", "US"),
            client=NewClient(given_name="Noor", family_name=f"Haddad{number}"),
            patients=(NewPatient(name="Zuzu", species="dog", breed="Mixed"),),
        )
        booked = await book(self.pool, self.practice, booking, key=str(uuid4()), site=SITE, now=now(), wait=True)
        assert isinstance(booked, Booked)
        return booked

    def local(self, instant: datetime) -> datetime:
        """Return an instant as the practice's PIMS writes it."""
        return instant.astimezone(ZoneInfo(self.practice.timezone)).replace(tzinfo=None)

    def in_pims(self, clinic: Simulator, booked: Booked) -> tuple[int, int, int]:
        """Count the clients, patients and appointments of a booking in the PIMS, by asking it."""
        reference = booked.appointment.reference
        return (
            len(clinic.with_marker(marker(f"{reference}-C"), "client")),
            len(clinic.with_marker(marker(f"{reference}-P"), "patient")),
            len(clinic.with_marker(marker(reference))),
        )


async def open_lake_road(pool: Pool, clinic: Simulator) -> LakeRoad:
    """Add the practice with its connection and its agent's token; nothing has been read of its PIMS."""
    practice_id, connection_id = uuid4(), uuid4()
    practice = Practice(
        practice_id=practice_id,
        slug="lake-road",
        name="Lake Road Animal Clinic",
        timezone="America/New_York",
        region="US",
        phone="+12125550100",
        emergency_text="",
        address="1 Lake Road",
        languages=["en"],
        allowed_origins=[],
        who_may_book="everyone",
        hours=(),
        hold_for=timedelta(minutes=10),
        freshness_limit=timedelta(minutes=15),
        stale_notice=timedelta(hours=48),
    )
    connection = Connection(
        practice_id=practice_id,
        connection_id=connection_id,
        adapter=clinic.dialect,
        settings={"practice": "1234|1"},
        status="live",
        as_of=None,
        failing_since=None,
        failure=None,
    )
    async with across_practices(pool) as conn, conn.transaction():
        await practices.insert_practice(conn, practice)
        await connections.put_connection(conn, connection)
        _, token = await issue_token(conn, practice_id, connection_id, by=uuid4(), secret_key=SECRET_KEY, now=now())
    adapters = Adapters(pool, secret_key=SECRET_KEY, clock=now)
    return LakeRoad(pool, practice, connection_id, token, adapters, UUID(int=0))


async def read_and_configure(lake_road: LakeRoad, clinic: Simulator) -> None:
    """Read the PIMS once through its agent, and say with us who can do what and what may be booked."""
    practice_id = lake_road.practice.practice_id
    await lake_road.sync()
    async with across_practices(lake_road.pool) as conn, conn.transaction():
        for provider in clinic.providers():
            await mirror.set_roles(conn, practice_id, f"staff/{provider.id}", [VETERINARIAN])
        for room in clinic.rows("room"):
            await mirror.set_roles(conn, practice_id, f"room/{room.id}", [ROOM])
        types = await appointment_types.appointment_types(conn, practice_id)
        wellness = next(one for one in types if one.pims_name == "Wellness exam")
        needs = (RoleNeed(role=VETERINARIAN), RoleNeed(role=ROOM))
        await appointment_types.configure_appointment_type(
            conn,
            practice_id,
            msgspec.structs.replace(
                wellness,
                species=["dog", "cat"],
                steps=(TypeStep(duration=timedelta(minutes=30), needs=needs),),
                grid=Grid(every=timedelta(minutes=30)),
                bookable_online=True,
                mode="instant",
                who_may_book="everyone",
                notice=timedelta(hours=2),
                horizon=timedelta(days=60),
            ),
            position=1,
        )
    lake_road.type_id = wellness.appointment_type_id
