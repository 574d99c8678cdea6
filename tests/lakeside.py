"""Lakeside: a practice whose PIMS is simulated, with the real agent beside it, the application, and a worker's hands.

Nobody looks or writes unless a test says so: `sync` lets the agent push and reads that, `write_back` delivers what is
due.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import httpx
from litestar import Litestar

from availability import Grid
from booking.adapters import Adapters
from booking.agents.tokens import issue_token
from booking.api_keys import NewKey, make_key
from booking.db import appointment_types, connections, mirror, practices
from booking.db.appointment_types import AppointmentType, RoleNeed, TypeStep
from booking.db.connections import Connection
from booking.db.feeds import Feed, feeds_of
from booking.db.pool import Pool, across_practices, connect, of_practice
from booking.db.practices import Practice
from booking.local_days import local_date
from booking.scopes import EVERYTHING
from booking.sync import sync
from booking.sync.silence import list_feed
from booking.write_back import deliver_due
from pims_adapters._agent import protocol
from pims_adapters._agent.agent.run import Agent
from tests.agent import opened_agent
from tests.booking.steps import SITE
from tests.clinic import Dialect, Simulator, running_simulator
from tests.copies import copy_of
from tests.widget.oak_lane import SECRET_KEY, running, settings_of
from widget.embedded import PostgresServer, ValkeyServer

ZONE = ZoneInfo("America/New_York")
V1 = "/api/v1"
HERE = "http://testserver.local"
ACTING: dict[Dialect, str] = {"cornerstone": "acting_staff", "avimark": "default_exporter"}
_addresses = itertools.count(1)
_known = itertools.count()


def now() -> datetime:
    return datetime.now(UTC)


def within(app: Litestar) -> httpx.ASGITransport:
    """Return the way to an application in this process."""
    return httpx.ASGITransport(app, client=("192.0.2.7", 50_000))  # type: ignore[arg-type]  # narrower words for ASGI


@dataclass(frozen=True)
class Lakeside:
    """The practice with everything around it."""

    pool: Pool
    practice: Practice
    connection: Connection
    clinic: Simulator
    adapters: Adapters
    app: Litestar
    token: str
    folder: Path
    database_url: str
    type_id: UUID

    # What happens without anybody waiting for it

    async def adapter(self) -> Any:  # noqa: ANN401 - a test knows what its system can do
        return await self.adapters.of(self.connection)

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[Agent]:
        """Lend an agent that does nothing by itself."""
        transport = within(self.app)
        async with opened_agent(HERE, self.token, self.clinic, self.folder, transport=transport) as agent:
            yield agent

    async def look(self) -> None:
        """Let the agent push what is new and leave."""
        async with self.agent() as agent:
            await agent.run_once()

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Keep the agent running meanwhile."""
        async with self.agent() as agent:
            running = asyncio.create_task(agent.run())
            try:
                async with asyncio.timeout(30):
                    while not await self.value("SELECT coalesce(leased_until > now(), false) FROM agent"):
                        await asyncio.sleep(0.02)
                yield
            finally:
                agent.stop()
                await running

    async def sync(self) -> None:
        """Let the agent push what is new, and read it."""
        await self.look()
        await sync(self.pool, await self.adapter(), self.connection, clock=now)

    async def write_back(self) -> None:
        """Deliver what is due, with an agent to ask."""
        async with self.beside():
            await self.execute("UPDATE write_back SET due_at = now() WHERE state IN ('queued', 'unknown')")
            await deliver_due(self.pool, await self.adapter(), self.practice.practice_id, site=SITE, clock=now)

    # What stands with us

    async def fetch(self, query: str, *of: object) -> list[Any]:
        async with of_practice(self.pool, self.practice.practice_id) as conn:
            return list(await conn.fetch(query, *of))

    async def value(self, query: str, *of: object) -> Any:  # noqa: ANN401 - whatever it selects
        (row,) = await self.fetch(query, *of)
        return row[0]

    async def execute(self, statement: str, *of: object) -> None:
        async with of_practice(self.pool, self.practice.practice_id) as conn:
            await conn.execute(statement, *of)

    async def states(self) -> dict[str, str]:
        """Return the states of the newest booking's write-backs by kind and action."""
        rows = await self.fetch("SELECT kind, action, state FROM write_back ORDER BY position DESC LIMIT 10")
        return {f"{row['kind']} {row['action']}": row["state"] for row in reversed(rows)}

    # What is in the PIMS

    def known(self, nth: int = 0) -> tuple[protocol.Client, protocol.Patient]:
        """Return a client with a phone and an email that are theirs alone, and an active dog or cat of theirs."""
        clients = self.clinic.clients()
        phones = [phone for one in clients for phone in one.phones]
        pets = [one for one in self.clinic.patients() if one.status == "" and one.species.lower() in PETS]
        found = (
            (client, pet)
            for client in clients
            if client.status == "" and client.emails and client.phones and phones.count(client.phones[0]) == 1
            for pet in pets
            if pet.client == client.id
        )
        return next(itertools.islice(found, nth, None))

    def written(self, reference: str) -> list[protocol.Appointment]:
        """Return the appointments in the PIMS that carry a booking's reference."""
        return [row for row in self.clinic.appointments() if f"#{reference}]" in row.notes]

    # What a client does

    async def call(self, method: str, path: str, **what: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        async with httpx.AsyncClient(transport=within(self.app), base_url=HERE) as http:
            return await http.request(method, path, **what)

    async def ok(self, method: str, path: str, **what: Any) -> Any:  # noqa: ANN401 - JSON
        answer = await self.call(method, path, **what)
        assert answer.is_success, f"{path}: {answer.text}"
        return answer.json()

    @property
    def path(self) -> str:
        return f"{V1}/practices/{self.practice.slug}"

    async def slots(self, *, days_from: int = 3, days: int = 10) -> list[dict[str, Any]]:
        """Return the times that are offered, some days from today."""
        first = local_date(now(), self.practice.timezone) + timedelta(days=days_from)
        query = {"appointmentType": str(self.type_id), "from": str(first), "to": str(first + timedelta(days=days - 1))}
        found = await self.ok("GET", f"{self.path}/slots", params=query)
        return [slot for day in found["days"] for slot in day["slots"]]

    async def prove(self, **contact: str) -> dict[str, Any]:
        """Prove a phone or an email; what the check says."""
        asked = await self.ok("POST", f"{self.path}/verifications", json=contact)
        body = await self.value("SELECT body FROM message WHERE purpose = 'code' ORDER BY position DESC LIMIT 1")
        proven: dict[str, Any] = await self.ok(
            "POST", f"{V1}/verifications/{asked['id']}/check", json={"code": str(body)[:6]}
        )
        return proven

    async def hold(self, nth: int | None = None) -> dict[str, Any]:
        """Hold one of the times, each time another."""
        slots = await self.slots()
        slot = slots[next(_addresses) * 3 % len(slots) if nth is None else nth]
        held: dict[str, Any] = await self.ok("POST", f"{self.path}/holds", json={"slotToken": slot["token"]})
        return held

    async def send(self, proven: dict[str, Any], held: dict[str, Any], **body: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {proven['session']}", "Idempotency-Key": str(uuid4())}
        sent = {"hold": held["id"], "holdSecret": held["secret"], **body}
        return await self.call("POST", f"{self.path}/bookings", json=sent, headers=headers)

    async def book(self, proven: dict[str, Any], **body: object) -> dict[str, Any]:
        """Book one of the times for the account's first patient, unless said otherwise."""
        if not body:
            account = proven["client"]["accounts"][0]
            patient = {"type": "existing", "id": account["patients"][0]["id"]}
            body = {"client": account["id"], "patients": [patient]}
        answer = await self.send(proven, await self.hold(), **body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def new_clients_booking(self, phone: str, family_name: str = "Haddad") -> dict[str, Any]:
        return await self.book(
            await self.prove(phone=phone),
            newClient={"givenName": "Noor", "familyName": family_name},
            patients=[{"type": "new", "name": "Zuzu", "species": "dog"}],
        )

    async def known_clients_booking(self) -> dict[str, Any]:
        """Book for somebody the PIMS knows, each time for another."""
        client, pet = self.known(next(_known) % 12 + 1)
        proven = await self.prove(email=client.emails[0])
        (account,) = proven["client"]["accounts"]
        patient = next(one["id"] for one in account["patients"] if one["name"] == pet.name)
        return await self.book(proven, client=account["id"], patients=[{"type": "existing", "id": patient}])

    async def change(self, made: dict[str, Any], what: str, **body: object) -> Any:  # noqa: ANN401 - JSON
        """Move, cancel or confirm a booking, as whoever has its manage token."""
        headers = {"Authorization": f"Bearer {made['manageToken']}", "Idempotency-Key": str(uuid4())}
        return await self.ok("POST", f"{V1}/bookings/{made['reference']}/{what}", json=body, headers=headers)

    async def at_staff(self, method: str, path: str, **body: object) -> Any:  # noqa: ANN401 - JSON
        """Do something by the staff's part of the API, with a key that may do anything."""
        practice_id = self.practice.practice_id
        new = NewKey(name="a test", scopes=sorted(EVERYTHING))
        async with of_practice(self.pool, practice_id) as conn, conn.transaction():
            _, token = await make_key(
                conn, practice_id, uuid4(), new, by=uuid4(), may=EVERYTHING, secret_key=SECRET_KEY, now=now()
            )
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
        what = {"json": body} if body else {}
        return await self.ok(method, f"{V1}/staff{path}", headers=headers, **what)

    async def offered(self, start: datetime) -> bool:
        """Say whether a time is offered."""
        return start in {datetime.fromisoformat(one["start"]) for one in await self.slots()}

    async def free_time(self) -> datetime:
        """Return a time that is offered, each time another."""
        slots = await self.slots()
        return datetime.fromisoformat(slots[next(_addresses) * 3 % len(slots)]["start"])

    def take(self, start: datetime) -> list[str]:
        """Put an appointment on every provider's schedule, so that a time is no longer free."""
        return [self.clinic.book(local(start), staff=one.id) for one in self.clinic.providers()]

    async def list_near(self, *, later: timedelta = timedelta()) -> None:
        """Compare the near days with what the PIMS lists, as a worker does some time later."""
        async with self.beside():
            (feed,) = [one for one in await self.feeds() if one.listing == "near"]
            await list_feed(self.pool, await self.adapter(), feed, clock=lambda: now() + later)

    async def feeds(self) -> list[Feed]:
        async with of_practice(self.pool, self.practice.practice_id) as conn:
            return await feeds_of(conn, self.practice.practice_id, self.connection.connection_id)

    async def reason(self) -> str:
        """Return why the newest write-back is where it is."""
        found = await self.fetch("SELECT reason FROM write_back ORDER BY position DESC LIMIT 1")
        return str(found[0]["reason"])


def local(instant: datetime) -> datetime:
    """Return an instant as the practice's clocks show it."""
    return instant.astimezone(ZONE).replace(tzinfo=None)


PETS = ("canine", "feline")


@asynccontextmanager
async def open_lakeside(
    postgres: PostgresServer, template: str, valkey: ValkeyServer, dialect: Dialect, folder: Path
) -> AsyncIterator[Lakeside]:
    """Open the practice and read its PIMS once."""
    name = f"lakeside_{dialect}_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(postgres.url)
    await admin.execute(copy_of(template, name))
    url = f"{postgres.url.rsplit('/', 1)[0]}/{name}"
    today = now().replace(minute=0, second=0, microsecond=0)
    pool = await connect(url, max_size=20)
    adapters = Adapters(pool, secret_key=SECRET_KEY, clock=now)
    try:
        with running_simulator(dialect, now=today, options="--weeks=2") as clinic:
            async with running(settings_of(url, valkey.url)) as app:
                yield await _set_up(pool, clinic, adapters, app, folder, url)
    finally:
        await adapters.close()
        await pool.close()
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def _set_up(pool: Pool, clinic: Simulator, adapters: Adapters, app: Litestar, folder: Path, url: str) -> Lakeside:
    about = clinic.ask("about").json()
    practice = _practice(clinic.dialect, about["timezone"])
    practice_id, connection_id = practice.practice_id, uuid4()
    settings = {"practice": about["practice"], ACTING[clinic.dialect]: clinic.providers()[0].id}
    async with across_practices(pool) as conn, conn.transaction():
        await practices.insert_practice(conn, practice)
        made = Connection(
            practice_id=practice_id,
            connection_id=connection_id,
            adapter=clinic.dialect,
            settings=settings,
            status="live",
            as_of=None,
            failing_since=None,
            failure=None,
        )
        await connections.put_connection(conn, made)
        _, token = await issue_token(conn, practice_id, connection_id, by=uuid4(), secret_key=SECRET_KEY, now=now())
        connection = await connections.connection_of(conn, practice_id)
    assert connection is not None
    lakeside = Lakeside(pool, practice, connection, clinic, adapters, app, token, folder, url, UUID(int=0))
    await lakeside.sync()
    offered = await appointment_types_of(lakeside)
    wellness = _wellness(offered["Wellness exam"], clinic.types()[0].id)
    async with of_practice(pool, practice_id) as conn, conn.transaction():
        for one in clinic.providers():
            await mirror.set_roles(conn, practice_id, f"staff/{one.id}", ["veterinarian"])
        for room in clinic.rows("room"):
            await mirror.set_roles(conn, practice_id, f"room/{getattr(room, 'id', '')}", ["exam room"])
        await appointment_types.configure_appointment_type(conn, practice_id, wellness, position=1)
    type_id = wellness.appointment_type_id
    return Lakeside(pool, practice, connection, clinic, adapters, app, token, folder, url, type_id)


async def appointment_types_of(lakeside: Lakeside) -> dict[str, UUID]:
    rows = await lakeside.fetch("SELECT pims_name, appointment_type_id FROM appointment_type")
    return {row["pims_name"]: row["appointment_type_id"] for row in rows}


def _practice(dialect: str, timezone: str) -> Practice:
    return Practice(
        practice_id=uuid4(),
        slug=f"lakeside-{dialect}",
        name="Lakeside Veterinary Clinic",
        timezone=timezone,
        region="US",
        phone="+12125550142",
        emergency_text="",
        address="7 Shore Road",
        languages=["en"],
        allowed_origins=[],
        who_may_book="everyone",
        hours=(),
        hold_for=timedelta(minutes=10),
        freshness_limit=timedelta(minutes=45 if dialect == "cornerstone" else 10),
        stale_notice=timedelta(hours=48),
    )


def _wellness(type_id: UUID, pims_id: str) -> AppointmentType:
    needs = (RoleNeed(role="veterinarian"), RoleNeed(role="exam room"))
    return AppointmentType(
        appointment_type_id=type_id,
        pims_id=pims_id,
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
