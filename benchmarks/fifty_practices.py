"""Whether one worker keeps up with fifty practices of ten bookings a minute each; `make bench` runs it.

Every booking is a new client's, so that three records go into the PIMS and are read back. The bookings are put into
the database as `book` does at its end, at times of their own: what is measured is the worker, one process with the real
demo PIMS over HTTP. A booking that is lost or doubled, or a queue that grows, ends the run with exit status 1.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from uuid import UUID, uuid4

from msgspec import Struct
from msgspec.structs import replace

from availability import Span
from benchmarks.bookings import Wrong, row, running_worker
from booking.claims import Claimed
from booking.contacts import Contact
from booking.db import appointment_types, claims, connections, mirror, practices
from booking.db.appointment_types import AppointmentType
from booking.db.claims import Claim, Holder
from booking.db.clients import Client, Patient
from booking.db.connections import Connection, Writes
from booking.db.migrate import migrate
from booking.db.pool import Connection as DbConnection
from booking.db.pool import Pool, across_practices, connect
from booking.db.practices import Practice
from booking.db.write_backs import wake_workers
from booking.enter import Agreed, Party, enter
from booking.site import Site
from pims_adapters import contract as pims
from tests.demo_clinic import DemoClinic, running_clinic
from widget.demo.riverside import RIVERSIDE
from widget.embedded import PostgresServer, ValkeyServer, remove_state

PRACTICES = 50
BOOKINGS_A_MINUTE = 10
SECONDS = 60
OLDEST_SECONDS = 10.0
"""A line that waits longer than this at the end of the load, with nothing failing, waits in a queue that grows."""
GOAL_SECONDS = 2.0
SITE = Site(public_url="https://book.example", secret_key=b"a key for a benchmark, of enough length")
COLUMNS = ("prov-lee", "prov-okafor", "prov-martinez", "prov-nguyen", "prov-rossi")
NIGHT = 300


class Served(Struct, frozen=True, kw_only=True):
    """A practice that is connected, the resource it books and its one type."""

    practice: Practice
    provider_id: UUID
    appointment_type: AppointmentType


def main() -> None:
    """Measure and print."""
    state = Path(tempfile.mkdtemp(prefix="vetslot-bench-"))
    state.chmod(0o755)
    postgres, valkey = PostgresServer(state), ValkeyServer(state)
    try:
        postgres.start()
        valkey.start()
        asyncio.run(migrate(postgres.url))
        with running_clinic(seed_date=datetime.now(UTC).date()) as clinic:
            served = asyncio.run(open_practices(postgres.url, clinic))
            with running_worker(postgres.url, valkey.url):
                asyncio.run(measure(postgres.url, clinic, served))
    finally:
        valkey.stop()
        postgres.stop()
        remove_state(state)
        shutil.rmtree(state, ignore_errors=True)


async def open_practices(database_url: str, clinic: DemoClinic) -> list[Served]:
    """Add the practices. Their mirrors are not read meanwhile: the worker has nothing else to do."""
    async with await connect(database_url) as pool, across_practices(pool) as conn:
        return [await _open_practice(conn, clinic, number) for number in range(PRACTICES)]


async def _open_practice(conn: DbConnection, clinic: DemoClinic, number: int) -> Served:
    practice = replace(RIVERSIDE, practice_id=uuid4(), slug=f"practice-{number}")
    practice_id, provider_id = practice.practice_id, uuid4()
    await practices.insert_practice(conn, practice)
    column = pims.Resource(pims_id=COLUMNS[number % len(COLUMNS)], name="Doctor", resource_kind="provider")
    await mirror.put_resource(conn, practice_id, provider_id, column)
    kind = pims.AppointmentType(pims_id="type-wellness", name="Wellness exam", duration=timedelta(minutes=30))
    await mirror.put_appointment_type(conn, practice_id, uuid4(), kind)
    connection = Connection(
        practice_id=practice_id,
        connection_id=uuid4(),
        adapter="demo",
        settings=clinic.settings,
        status="live",
        as_of=None,
        failing_since=None,
        failure=None,
    )
    await connections.put_connection(conn, connection)
    await conn.execute(
        "INSERT INTO feed (practice_id, connection_id, name, kinds, every, due_at)"
        " VALUES ($1, $2, 'everything', '{}', '1 day', now() + interval '1 day')",
        practice_id,
        connection.connection_id,
    )
    type_id = await conn.fetchval(
        "SELECT appointment_type_id FROM appointment_type WHERE practice_id = $1", practice_id
    )
    found = await appointment_types.any_appointment_type(conn, practice_id, type_id)
    if found is None:
        raise Wrong("The type was not set up.")
    return Served(practice=practice, provider_id=provider_id, appointment_type=found)


async def measure(database_url: str, clinic: DemoClinic, served: list[Served]) -> None:
    async with await connect(database_url, max_size=20) as pool:
        await asyncio.sleep(5)  # the worker is there when the first client comes
        number = PRACTICES * BOOKINGS_A_MINUTE * SECONDS // 60
        print(
            f"\nLoad: {PRACTICES} practices, {BOOKINGS_A_MINUTE} bookings a minute each, for {SECONDS} s; one worker\n"
        )
        before = perf_counter()
        references, waiting = [], []
        for n in range(number):
            references.append(await book(pool, served[n % PRACTICES], n))
            await asyncio.sleep(max(0.0, before + (n + 1) * SECONDS / number - perf_counter()))
            if n % (number // 10) == 0:
                waiting.append(await queue_of(pool))
        oldest = await oldest_of(pool)
        seconds = await until_written(pool)
        row("commit to read back, 3 records each", seconds, goal=GOAL_SECONDS)
        print(
            f"lines in the queue, six seconds apart   {' '.join(map(str, waiting))}; the oldest {oldest:.1f} s at last"
        )
        found = [len(clinic.with_key("appointments", one)) for one in references]
        if set(found) != {1}:
            raise Wrong(f"{number} bookings are {sum(found)} appointments in the PIMS.")
        if oldest > OLDEST_SECONDS:
            raise Wrong("The queue grows.")


async def book(pool: Pool, at: Served, number: int) -> str:
    """Enter a booking of a new client, at a time of its own."""
    practice_id = at.practice.practice_id
    night, minute = divmod(number // len(COLUMNS), NIGHT)
    day = datetime.now(UTC).replace(hour=3, minute=0, second=0, microsecond=0) + timedelta(days=20 + night)
    start = day + timedelta(minutes=minute)
    client = Client(client_id=uuid4(), pims_id=None, given_name="Client", family_name=f"Number {number}")
    patient = Patient(
        patient_id=uuid4(),
        client_id=client.client_id,
        pims_id=None,
        name="Zuzu",
        species="dog",
        breed="",
        sex="",
        birth_date=None,
        status="active",
    )
    party = Party(
        client=client,
        new_client=True,
        patients=(patient,),
        new_patients=frozenset({patient.patient_id}),
        contacts=(Contact(kind="email", value=f"client{number}@example.com"),),
    )
    agreed = Agreed(
        party=party,
        appointment_type=at.appointment_type,
        appointment_ids=[uuid4()],
        claimed=Claimed(
            visits=(Span(start=start, end=start + timedelta(minutes=1)),),
            resources={"veterinarian": [str(at.provider_id)]},
        ),
        source="online",
        contact=None,
        writes=Writes(abilities=None, asks=[]),
    )
    async with across_practices(pool) as conn:
        async with conn.transaction():
            (visit,) = await enter(conn, at.practice, agreed, site=SITE, now=datetime.now(UTC))
            lane = Claim(resource_id=at.provider_id, lane=1, starts_at=start, ends_at=start + timedelta(minutes=1))
            await claims.insert_claims(conn, practice_id, [(Holder(appointment_id=visit.appointment_id), lane)])
        await wake_workers(conn, "write_back")
    return visit.reference


async def queue_of(pool: Pool) -> int:
    async with across_practices(pool) as conn:
        return int(await conn.fetchval("SELECT count(*) FROM write_back WHERE state <> 'written'"))


async def oldest_of(pool: Pool) -> float:
    async with across_practices(pool) as conn:
        oldest = "SELECT extract(epoch FROM now() - min(queued_at)) FROM write_back WHERE state <> 'written'"
        return float(await conn.fetchval(oldest) or 0.0)


async def until_written(pool: Pool) -> list[float]:
    """Wait until every appointment is written; the seconds that each took from its booking on."""
    async with asyncio.timeout(180):
        while True:
            left = await queue_of(pool)
            if not left:
                break
            await asyncio.sleep(0.2)
    seconds = "SELECT extract(epoch FROM written_at - queued_at)::float FROM write_back WHERE kind = 'appointment'"
    async with across_practices(pool) as conn:
        return [each[0] for each in await conn.fetch(seconds)]


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"WRONG: {wrong}")
