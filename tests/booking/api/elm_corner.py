"""Elm Corner, a practice so small that everybody is in everybody's way: two mornings, two vets, one room, one kennel.

`World` is what surrounds it: the real application, a network in front of its database that can be cut, its PIMS.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import httpx
from litestar import Litestar
from redis.asyncio import Redis
from structlog.testing import capture_logs

from availability import Grid
from booking.api_keys import NewKey, make_key
from booking.client_session import start_session
from booking.contacts import Contact
from booking.db import appointment_types, clients, connections, mirror, practices
from booking.db.appointment_types import AppointmentType, RoleNeed, TypeStep
from booking.db.clients import Patient
from booking.db.pool import Pool, across_practices, connect
from booking.db.practices import Practice
from booking.local_days import day_start, local_date
from booking.scopes import EVERYTHING
from booking.site import Site
from booking.sync import sync
from booking.write_back import deliver_due
from pims_adapters import contract as pims
from tests.booking.api.calls import V1, with_token
from tests.booking.api.tiny_pims import TinyPims
from tests.booking.cutting_proxy import CuttingProxy, cutting_proxy
from tests.widget.oak_lane import SECRET_KEY, running, settings_of

T = TypeVar("T")

ZONE = "America/Phoenix"  # whose days are all alike
OPENS, MORNING = timedelta(hours=9), timedelta(hours=3)
DAYS = 2
COLUMNS = ("ada", "lin", "room")
MINUTES = timedelta(minutes=1)


@dataclass(frozen=True)
class ElmCorner:
    """The practice: its types by name, its resources by name, its client with a dog, its PIMS, keys to it."""

    practice: Practice
    first_day: date
    types: dict[str, UUID]
    resources: dict[str, UUID]
    sam: UUID
    bo: UUID
    pims: TinyPims
    staff_key: str

    @property
    def path(self) -> str:
        return f"{V1}/practices/{self.practice.slug}"

    def at(self, day: int, minutes: int) -> datetime:
        """Return the instant so many minutes after the practice opens on one of its days."""
        return day_start(self.first_day + timedelta(days=day), ZONE) + OPENS + minutes * MINUTES

    def id(self, number: int) -> UUID:
        return UUID(int=self.practice.practice_id.int + number)


@dataclass(frozen=True)
class Answer:
    """What a call came to."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))


@dataclass
class Declared:
    """The OpenAPI document, asked whether an answer is one of those it names."""

    paths: dict[str, Any]

    def check(self, method: str, path: str, answer: httpx.Response) -> None:
        """Fail where the document does not name the answer's status and code."""
        templates = [one for one in self.paths if re.fullmatch(re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(one)), path)]
        assert templates, path
        said = self.paths[min(templates, key=lambda one: one.count("{"))][method.lower()]["responses"]
        assert str(answer.status_code) in said, f"{method} {path}: {answer.status_code} {answer.text}"
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert f"`{answer.json()['code']}`" in said[str(answer.status_code)]["description"], answer.text


@dataclass
class World:
    """The application over a network that can be cut, and a connection of our own that sees what is really there."""

    pool: Pool
    redis: Redis
    proxy: CuttingProxy
    app: Litestar
    loop: asyncio.AbstractEventLoop
    transport: httpx.ASGITransport = field(init=False)
    client: httpx.AsyncClient = field(init=False)
    declared: Declared = field(init=False)
    numbers: int = 0
    calls: int = 0

    def __post_init__(self) -> None:
        """Open the way to the application."""
        self.transport = httpx.ASGITransport(self.app)  # type: ignore[arg-type]  # narrower words for ASGI
        self.client = httpx.AsyncClient(transport=self.transport, base_url="http://testserver.local")

    def run(self, work: Awaitable[T]) -> T:
        """Do something, in the loop in which the application lives."""

        async def bounded() -> T:
            async with asyncio.timeout(60):
                return await work

        return self.loop.run_until_complete(bounded())

    async def call(
        self, method: str, path: str, body: object = None, *, token: str = "", key: str = "", crash: bool = False
    ) -> Answer:
        """Call the API from an address that nobody called from before; only in a crash may it be out of reach."""
        self.calls += 1
        self.transport.client = f"10.{self.calls >> 16 & 255}.{self.calls >> 8 & 255}.{self.calls & 255}", 50_000
        headers = with_token(token) | ({"Idempotency-Key": key} if key else {})
        answer = await self.client.request(method, path, json=body, headers=headers)
        self.declared.check(method, path.partition("?")[0], answer)
        assert answer.status_code < 500 or (crash and answer.status_code == 503), answer.text
        return Answer(answer.status_code, answer.json() if answer.content else {})

    async def rows(self, query: str, elm: ElmCorner) -> list[asyncpg.Record]:
        """Return what stands in one practice, past the application; `$1` is the practice."""
        async with across_practices(self.pool) as conn:
            return await conn.fetch(query, elm.practice.practice_id)

    async def execute(self, statement: str, *arguments: object) -> None:
        """Change what is there, past the application."""
        async with across_practices(self.pool) as conn:
            await conn.execute(statement, *arguments)

    async def session(self, elm: ElmCorner, contact: Contact) -> str:
        """Return the session of whoever has proven a contact."""
        return await start_session(self.redis, elm.practice.practice_id, contact)

    async def sync(self, elm: ElmCorner) -> None:
        """Read what the PIMS has to tell, to the end."""
        async with across_practices(self.pool) as conn:
            connection = await connections.connection_of(conn, elm.practice.practice_id)
        assert connection is not None
        synced = await sync(self.pool, elm.pims, connection, clock=lambda: datetime.now(UTC))
        assert synced.complete

    async def deliver(self, elm: ElmCorner) -> None:
        """Write back whatever is due."""
        await deliver_due(
            self.pool,
            elm.pims,
            elm.practice.practice_id,
            site=Site(public_url="https://book.example", secret_key=SECRET_KEY),
            clock=lambda: datetime.now(UTC),
        )

    async def drop_connections(self) -> None:
        """Let PostgreSQL end every other session, as an administrator or a failover would."""
        async with across_practices(self.pool) as conn:
            await conn.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"""
            )

    async def open_elm_corner(self) -> ElmCorner:
        """Add one more Elm Corner, with ids that sort alike each time, and forget what earlier ones left in Redis."""
        await self.redis.flushall()
        self.numbers += 1
        elm = await open_elm_corner(self.pool, self.numbers)
        await self.sync(elm)
        return elm


@contextmanager
def world_around(database_url: str, redis_url: str) -> Iterator[World]:
    """Run the application in a loop of its own: a state machine is told in plain calls."""
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()

    async def begin() -> World:
        proxy, url = await stack.enter_async_context(cutting_proxy(database_url))
        pool = await connect(database_url, max_size=4)
        stack.push_async_callback(pool.close)
        redis = await stack.enter_async_context(Redis.from_url(redis_url))
        app = await stack.enter_async_context(running(settings_of(url, redis_url)))
        world = World(pool, redis, proxy, app, loop)
        await stack.enter_async_context(world.client)
        world.declared = Declared((await world.client.get("/api/openapi.json")).json()["paths"])
        return world

    try:
        with capture_logs():  # of what is cut on purpose; telling it takes longer than the cutting
            yield loop.run_until_complete(begin())
    finally:
        loop.run_until_complete(stack.aclose())
        loop.run_until_complete(asyncio.sleep(0.1))
        loop.close()


async def open_elm_corner(pool: Pool, number: int) -> ElmCorner:
    """Add the practice: open 9 to 12 on two days that no window of hours before a visit reaches."""
    id_ = UUID(int=number << 64)
    first_day = local_date(datetime.now(UTC), ZONE) + timedelta(days=5)
    practice = Practice(
        practice_id=id_,
        slug=f"elm-corner-{number}",
        name="Elm Corner",
        timezone=ZONE,
        region="US",
        phone="+16025550100",
        emergency_text="",
        address="5 Elm Corner",
        languages=["en"],
        allowed_origins=[],
        who_may_book="everyone",
        hours=(),
        hold_for=timedelta(minutes=10),
        freshness_limit=timedelta(minutes=15),
        stale_notice=timedelta(hours=48),
    )
    starts = datetime.combine(first_day, datetime.min.time()) + OPENS
    mornings = (pims.RecurringTime(starts=starts, duration=MORNING, rrule=f"FREQ=DAILY;COUNT={DAYS}"),)
    elm = ElmCorner(
        practice=practice,
        first_day=first_day,
        types={name: UUID(int=id_.int + 10 + n) for n, name in enumerate(("exam", "dental", "boarding"))},
        resources={name: UUID(int=id_.int + 20 + n) for n, name in enumerate((*COLUMNS, "kennel"))},
        sam=UUID(int=id_.int + 30),
        bo=UUID(int=id_.int + 31),
        pims=TinyPims(),
        staff_key="",
    )
    async with across_practices(pool) as conn, conn.transaction():
        await practices.insert_practice(conn, practice)
        many = "UPDATE practice SET open_bookings_per_client = 50, open_bookings_per_patient = 50"
        await conn.execute(f"{many} WHERE practice_id = $1", id_)
        for name, kind, role in (("ada", "provider", "vet"), ("lin", "provider", "vet"), ("room", "room", "room")):
            record = pims.Resource(pims_id=name, name=name, resource_kind=kind, hours=mornings)  # type: ignore[arg-type]
            await mirror.put_resource(conn, id_, elm.resources[name], record)
            await mirror.set_roles(conn, id_, name, [role])
        # The kennel is the practice's own with us: its PIMS has no column for it.
        await conn.execute(
            """INSERT INTO resource (practice_id, resource_id, name, kind, roles, capacity, hours)
               VALUES ($1, $2, 'kennel', 'room', '{kennel}', 2, $3)""",
            id_,
            elm.resources["kennel"],
            mornings,
        )
        for position, one in enumerate(_types(elm)):
            mirrored = pims.AppointmentType(pims_id=one.pims_id or "", name=one.name, duration=timedelta(minutes=30))
            await mirror.put_appointment_type(conn, id_, one.appointment_type_id, mirrored)
            await appointment_types.configure_appointment_type(conn, id_, one, position=position)
        await clients.insert_client(conn, id_, elm.sam, "Sam", "Field", datetime.now(UTC))
        await conn.execute("INSERT INTO client_contact VALUES ($1, $2, 'email', $3, $3)", id_, elm.sam, SAM.value)
        await clients.insert_patients(conn, id_, [_bo(elm)])
        await conn.execute("UPDATE client SET pims_id = 'sam' WHERE practice_id = $1", id_)
        await conn.execute("UPDATE patient SET pims_id = 'bo' WHERE practice_id = $1", id_)
        await conn.execute(
            """INSERT INTO connection (practice_id, connection_id, adapter, settings, status)
               VALUES ($1, $2, 'tiny', '{}', 'live')""",
            id_,
            UUID(int=id_.int + 40),
        )
        new = NewKey(name="desk", scopes=sorted(EVERYTHING), expires_at=None)
        _, token = await make_key(
            conn, id_, uuid4(), new, by=uuid4(), may=EVERYTHING, secret_key=SECRET_KEY, now=datetime.now(UTC)
        )
    return ElmCorner(**(vars(elm) | {"staff_key": token}))


SAM = Contact(kind="email", value="sam@example.com")


def _types(elm: ElmCorner) -> list[AppointmentType]:
    """An exam takes a vet and the room; a dental visit a vet and 15 minutes after it, twice a day; boarding a place."""
    return [
        _type(elm, "exam", 30, "vet", "room"),
        _type(elm, "dental", 45, "vet", buffer_after=15, max_per_day=2),
        _type(elm, "boarding", 60, "kennel"),
    ]


def _type(
    elm: ElmCorner, name: str, minutes: int, *roles: str, buffer_after: int = 0, max_per_day: int | None = None
) -> AppointmentType:
    step = TypeStep(duration=minutes * MINUTES, needs=tuple(RoleNeed(role=one) for one in roles))
    return AppointmentType(
        appointment_type_id=elm.types[name],
        pims_id=name,
        pims_name=name,
        name=name,
        description="",
        category="other",
        species=["dog", "cat"],
        steps=(step,),
        grid=Grid(every=15 * MINUTES),
        buffer_before=timedelta(),
        buffer_after=buffer_after * MINUTES,
        bookable_online=True,
        mode="instant",
        who_may_book="everyone",
        notice=timedelta(hours=2),
        horizon=timedelta(days=30),
        max_per_day=max_per_day,
    )


def _bo(elm: ElmCorner) -> Patient:
    return Patient(
        patient_id=elm.bo,
        client_id=elm.sam,
        pims_id=None,
        name="Bo",
        species="dog",
        breed="",
        sex="",
        birth_date=None,
        status="active",
    )
