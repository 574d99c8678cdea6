"""Oak Lane, a practice of one provider and one room with staff of every role: what tests of the console look at."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import httpx
from litestar import Litestar

from availability import Grid
from booking.book import Booked, Booking, NewClient, NewPatient, book
from booking.contacts import read_contact
from booking.db import appointment_types, mirror, practices
from booking.db.appointment_types import AppointmentType, RoleNeed, TypeStep
from booking.db.holds import Wish
from booking.db.pool import Pool, across_practices
from booking.db.practices import Practice
from booking.db.staff import Role, Staff, put_staff
from booking.holds import Held, hold
from booking.local_days import local_date
from booking.offers import Offer, offer
from booking.sign_in import hash_password
from booking.site import Site
from pims_adapters import contract as pims
from widget.app import create_app
from widget.settings import Settings
from widget.state import site_of

PASSWORD = "correct horse battery"
PASSWORD_HASH = hash_password(PASSWORD)
SECRET_KEY = b"a key of thirty-two bytes or more"
FROM_HERE = {"Sec-Fetch-Site": "same-origin"}
ROLES: tuple[Role, ...] = ("owner", "manager", "front_desk", "read_only")


@dataclass(frozen=True)
class OakLane:
    """A practice, with its one type."""

    pool: Pool
    practice: Practice
    type_id: UUID
    provider_id: UUID

    @property
    def tomorrow(self) -> date:
        return local_date(datetime.now(UTC), self.practice.timezone) + timedelta(days=1)

    def wish(self) -> Wish:
        return Wish(appointment_type_id=self.type_id, patients=("dog",), new_client=True)

    async def offer(self) -> Offer:
        """Return what a client is offered tomorrow."""
        return await offer(self.pool, self.practice, self.wish(), self.tomorrow, self.tomorrow, now=datetime.now(UTC))

    async def hold(self, nth: int = 20) -> Held:
        """Hold one of tomorrow's times."""
        slot = (await self.offer()).days[0].slots[nth]
        held = await hold(self.pool, self.practice, self.wish(), slot.start, now=datetime.now(UTC))
        assert isinstance(held, Held)
        return held

    async def book(self, *, patient: str = "Zuzu", family_name: str = "Haddad", nth: int = 20) -> Booked:
        """Book one of tomorrow's times."""
        held = await self.hold(nth)
        booking = Booking(
            hold_id=held.hold.hold_id,
            hold_secret=held.secret,
            contact=read_contact("+12125550777", "US"),
            client=NewClient(given_name="Noor", family_name=family_name),
            patients=(NewPatient(name=patient, species="dog"),),
        )
        booked = await book(
            self.pool,
            self.practice,
            booking,
            key=str(uuid4()),
            site=Site(public_url="http://testserver.local", secret_key=SECRET_KEY),
            now=datetime.now(UTC),
        )
        assert isinstance(booked, Booked)
        return booked


async def open_oak_lane(pool: Pool, slug: str = "oak-lane", *, allowed_origins: tuple[str, ...] = ()) -> OakLane:
    """Add a practice. Its staff sign in as `owner@<slug>.example` and so on, by their roles."""
    practice = Practice(
        practice_id=uuid4(),
        slug=slug,
        name=f"Practice {slug}",
        timezone="America/New_York",
        region="US",
        phone="+12125550100",
        emergency_text="",
        address="1 Oak Lane",
        languages=["en"],
        allowed_origins=list(allowed_origins),
        who_may_book="everyone",
        hours=(),
        hold_for=timedelta(minutes=10),
        freshness_limit=timedelta(minutes=15),
        stale_notice=timedelta(hours=48),
    )
    practice_id, provider_id = practice.practice_id, uuid4()
    async with across_practices(pool) as conn, conn.transaction():
        await practices.insert_practice(conn, practice)
        provider = pims.Resource(pims_id="ada", name="Dr. Ada Okoye", resource_kind="provider")
        room = pims.Resource(pims_id="room", name="Exam room 1", resource_kind="room")
        await mirror.put_resource(conn, practice_id, provider_id, provider)
        await mirror.put_resource(conn, practice_id, uuid4(), room)
        await mirror.set_roles(conn, practice_id, "ada", ["veterinarian"])
        await mirror.set_roles(conn, practice_id, "room", ["exam_room"])
        wellness = _wellness()
        record = pims.AppointmentType(pims_id="wellness", name="Wellness exam", duration=timedelta(minutes=30))
        await mirror.put_appointment_type(conn, practice_id, wellness.appointment_type_id, record)
        await appointment_types.configure_appointment_type(conn, practice_id, wellness, position=1)
        for role in ROLES:
            email = f"{role}@{slug}.example"
            member = Staff(staff_id=uuid4(), email=email, name=role, password_hash=PASSWORD_HASH, role=role)
            await put_staff(conn, practice_id, member)
    return OakLane(pool, practice, wellness.appointment_type_id, provider_id)


def _wellness() -> AppointmentType:
    needs = (RoleNeed(role="veterinarian"), RoleNeed(role="exam_room"))
    return AppointmentType(
        appointment_type_id=uuid4(),
        pims_id="wellness",
        pims_name="Wellness exam",
        name="Wellness exam",
        description="",
        category="wellness",
        species=["dog", "cat"],
        steps=(TypeStep(duration=timedelta(minutes=30), needs=needs),),
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


def settings_of(
    database_url: str, redis_url: str, *, public_url: str = "http://testserver.local", dev_mailbox: bool = True
) -> Settings:
    """Return what an administrator would set."""
    return Settings.from_environment(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "PUBLIC_URL": public_url,
            "SECRET_KEY": SECRET_KEY.decode(),
            "DEV_MAILBOX": "1" if dev_mailbox else "0",
        }
    )


_idle: defaultdict[bool, list[Litestar]] = defaultdict(list)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Litestar]:
    """Return the real application with its stores open. Making one takes a second: a test is lent a used one."""
    idle = _idle[settings.dev_mailbox]
    app = idle.pop() if idle else create_app(settings)
    app.state.settings, app.state.site = settings, site_of(settings)
    started, done = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await done.wait()

    # A task of its own: the lifespan must end in the task it began in, which a fixture cannot promise.
    living = asyncio.create_task(live())
    living.add_done_callback(lambda _: started.set())
    await started.wait()
    yield app
    done.set()
    await living
    idle.append(app)


@asynccontextmanager
async def browser_of(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Return somebody without scripts at the real application, whose cookies are kept from page to page."""
    async with running(settings) as app:
        transport = httpx.ASGITransport(app, client=("192.0.2.7", 50_000))  # type: ignore[arg-type]  # narrower words for ASGI
        async with httpx.AsyncClient(transport=transport, base_url=settings.public_url) as browser:
            yield browser


async def sign_in_as(role: Role, browser: httpx.AsyncClient, oak_lane: OakLane) -> None:
    """Sign a member of staff in."""
    slug = oak_lane.practice.slug
    answer = await send(browser, f"/console/{slug}/sign-in", email=f"{role}@{slug}.example", password=PASSWORD)
    assert answer.status_code == httpx.codes.SEE_OTHER


async def send(browser: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    """Send a form of our own pages; where it leads is not followed."""
    return await browser.post(path, data=fields, headers=FROM_HERE, follow_redirects=False)
