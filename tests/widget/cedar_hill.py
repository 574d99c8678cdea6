"""Cedar Hill: two providers who share one room, Sam Field with a dog, a cat and a rabbit, and a person at its pages."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from availability import Grid
from booking.db import appointment_types, clients, mirror, practices
from booking.db.appointment_types import AppointmentType, Audience, Mode, RoleNeed, TypeStep
from booking.db.clients import Patient
from booking.db.holds import Wish
from booking.db.pool import Pool, across_practices
from booking.db.practices import Practice, WhoMayBook
from booking.local_days import local_date
from pims_adapters import contract as pims
from tests.widget.oak_lane import FROM_HERE

SAMS_PHONE = "+12125550123"
STRANGERS_PHONE = "+12125550199"
WEBSITE = "https://www.cedarhill.example"


@dataclass(frozen=True)
class CedarHill:
    """The practice, its types by their PIMS ids, and Sam's pets by name."""

    pool: Pool
    practice: Practice
    types: dict[str, UUID]
    pets: dict[str, UUID]
    sam: UUID

    async def fetchrow(self, query: str) -> Any:  # noqa: ANN401 - what a row is, its test knows
        """Return the first row of whatever a test wants to know."""
        async with across_practices(self.pool) as conn:
            return await conn.fetchrow(query)

    async def fetchval(self, query: str) -> Any:  # noqa: ANN401 - as above
        """Return the first column of that row."""
        async with across_practices(self.pool) as conn:
            return await conn.fetchval(query)

    async def execute(self, statement: str) -> None:
        """Change what a test wants to be otherwise."""
        async with across_practices(self.pool) as conn:
            await conn.execute(statement)

    @property
    def today(self) -> date:
        return local_date(datetime.now(UTC), self.practice.timezone)

    def wish(self, pims_id: str = "wellness") -> Wish:
        return Wish(appointment_type_id=self.types[pims_id], patients=("dog",), new_client=False)

    async def set_who_may_book(self, who: WhoMayBook) -> None:
        async with across_practices(self.pool) as conn:
            await practices.set_who_may_book(conn, self.practice.practice_id, who)

    async def code(self) -> str:
        """Return the newest code that was sent, to whomever."""
        body = await self.fetchval("SELECT body FROM message WHERE purpose = 'code' ORDER BY position DESC LIMIT 1")
        return str(body)[:6]

    async def count(self, table: str) -> int:
        return int(await self.fetchval(f"SELECT count(*) FROM {table}"))

    async def ask(self, label: str, kind: str = "text", *, required: bool = True, who: Audience = "everyone") -> UUID:
        """Let the practice ask something before a visit."""
        question_id = uuid4()
        async with across_practices(self.pool) as conn:
            await conn.execute(
                """INSERT INTO question (practice_id, question_id, position, label, kind, choices, required, who)
                   SELECT $1, $2, count(*), $3, $4, $5, $6, $7 FROM question""",
                self.practice.practice_id,
                question_id,
                label,
                kind,
                ["Dry food", "Wet food"] if kind == "choice" else [],
                required,
                who,
            )
        return question_id

    async def expire_holds(self) -> None:
        await self.execute("UPDATE hold SET expires_at = now() - interval '1 minute'")


async def open_cedar_hill(pool: Pool, slug: str = "cedar-hill") -> CedarHill:
    """Add the practice. It is open day and night, so that tests have times whenever they run."""
    practice = Practice(
        practice_id=uuid4(),
        slug=slug,
        name="Cedar Hill Pets",
        timezone="America/New_York",
        region="US",
        phone="(212) 555-0142",
        emergency_text="In an emergency call (212) 555-0143.",
        address="3 Cedar Hill Road",
        languages=["en"],
        allowed_origins=[WEBSITE],
        who_may_book="everyone",
        hours=(),
        hold_for=timedelta(minutes=10),
        freshness_limit=timedelta(minutes=15),
        stale_notice=timedelta(hours=48),
    )
    id_ = practice.practice_id
    offered = [
        _type("wellness", "Wellness exam"),
        _type("recheck", "Recheck", who="existing"),
        _type("first", "First visit", who="new"),
        _type("goodbye", "Saying goodbye", mode="callback"),
    ]
    sam = uuid4()
    pets = [_pet(sam, "Bo", "dog"), _pet(sam, "Mia", "cat"), _pet(sam, "Hops", "rabbit"), _pet(sam, "Rex", "dog")]
    async with across_practices(pool) as conn, conn.transaction():
        await practices.insert_practice(conn, practice)
        for pims_id, name in (("ada", "Dr. Ada Okoye"), ("lin", "Dr. Lin Wu")):
            record = pims.Resource(pims_id=pims_id, name=name, resource_kind="provider")
            await mirror.put_resource(conn, id_, uuid4(), record)
            await mirror.set_roles(conn, id_, pims_id, ["veterinarian"])
        room = pims.Resource(pims_id="room", name="Exam room", resource_kind="room")
        await mirror.put_resource(conn, id_, uuid4(), room)
        await mirror.set_roles(conn, id_, "room", ["exam room"])
        for position, one in enumerate(offered):
            mirrored = pims.AppointmentType(pims_id=one.pims_id or "", name=one.name, duration=timedelta(minutes=30))
            await mirror.put_appointment_type(conn, id_, one.appointment_type_id, mirrored)
            await appointment_types.configure_appointment_type(conn, id_, one, position=position)
        await clients.insert_client(conn, id_, sam, "Sam", "Field", datetime.now(UTC))
        await conn.execute("INSERT INTO client_contact VALUES ($1, $2, 'phone', $3, $3)", id_, sam, SAMS_PHONE)
        await clients.insert_patients(conn, id_, pets)
        await conn.execute("UPDATE patient SET status = 'deceased' WHERE name = 'Rex'")
    types = {one.pims_id or "": one.appointment_type_id for one in offered}
    return CedarHill(pool, practice, types, {pet.name: pet.patient_id for pet in pets}, sam)


def _type(pims_id: str, name: str, *, who: Audience = "everyone", mode: Mode = "instant") -> AppointmentType:
    needs = (RoleNeed(role="veterinarian"), RoleNeed(role="exam room"))
    return AppointmentType(
        appointment_type_id=uuid4(),
        pims_id=pims_id,
        pims_name=name,
        name=name,
        description=f"What {name} is.",
        category="Checkups",
        species=["dog", "cat"],
        steps=(TypeStep(duration=timedelta(minutes=30), needs=needs),),
        grid=Grid(every=timedelta(minutes=30)),
        buffer_before=timedelta(),
        buffer_after=timedelta(),
        bookable_online=True,
        mode=mode,
        who_may_book=who,
        notice=timedelta(hours=2),
        horizon=timedelta(days=60),
        max_per_day=None,
    )


def _pet(client_id: UUID, name: str, species: str) -> Patient:
    return Patient(
        patient_id=uuid4(),
        client_id=client_id,
        pims_id=None,
        name=name,
        species=species,
        breed="",
        sex="",
        birth_date=None,
        status="active",
    )


@dataclass
class Person:
    """Somebody at the booking pages, without scripts: the page they see, and where it is."""

    browser: httpx.AsyncClient
    cedar_hill: CedarHill
    answer: httpx.Response = field(default_factory=lambda: httpx.Response(200))

    @property
    def start(self) -> str:
        return f"/book/{self.cedar_hill.practice.slug}"

    @property
    def path(self) -> str:
        return self.answer.url.path

    @property
    def step(self) -> str:
        """The last part of the address: the step they are at."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def flow(self) -> str:
        """The beginning of the flow's addresses."""
        return self.path.rsplit("/", 1)[0]

    @property
    def text(self) -> str:
        return self.answer.text

    async def open(self, path: str) -> Person:
        self.answer = await self.browser.get(path, follow_redirects=True)
        return self

    async def send(self, path: str, **fields: str) -> Person:
        self.answer = await self.browser.post(path, data=fields, headers=FROM_HERE, follow_redirects=True)
        return self

    async def choose(self, pims_id: str = "wellness", *, client: str = "existing", reason: str = "") -> Person:
        type_ = str(self.cedar_hill.types[pims_id])
        return await self.send(self.start, species="dog", client=client, type=type_, reason=reason)

    def times(self) -> list[str]:
        return re.findall(r'name="start" value="([^"]+)"', self.text)

    async def hold(self, nth: int = -1) -> Person:
        """Keep one of the times on the page."""
        return await self.send(f"{self.flow}/times", start=self.times()[nth], provider="")

    async def prove(self, contact: str) -> Person:
        await self.send(f"{self.flow}/who", contact=contact)
        return await self.send(f"{self.flow}/code", code=await self.cedar_hill.code())

    async def pick(self, pet: str) -> Person:
        patient = self.cedar_hill.pets[pet]
        return await self.send(f"{self.flow}/pet", pet=f"{self.cedar_hill.sam}/{patient}")

    async def introduce(self, **changed: str) -> Person:
        details = {"given_name": "Noor", "family_name": "Haddad", "pet_name": "Zuzu", "species": "dog", "sex": ""}
        return await self.send(f"{self.flow}/details?client=new", **(details | changed))

    async def sam_books(self) -> Person:
        """Come to the page of a visit that Sam has booked for Bo; it is some days ahead."""
        await self.choose()
        await self.open(f"{self.path}?from={self.cedar_hill.today + timedelta(days=5)}")
        await self.hold(0)
        await self.prove(SAMS_PHONE)
        await self.pick("Bo")
        return await self.send(f"{self.flow}/check")

    async def wait(self) -> Person:
        """Go from the times into the waitlist, as Sam."""
        action = re.search(r'action="([^"]+/wait[^"]*)"', self.text)
        assert action is not None
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', self.text))
        await self.send(action[1], **fields)
        return await self.prove(SAMS_PHONE) if self.step == "who" else self

    async def sam_at_check(self) -> Person:
        """Come to the last page as Sam with Bo."""
        await self.choose(reason="Limps a little")
        await self.hold()
        await self.prove(SAMS_PHONE)
        return await self.pick("Bo")
