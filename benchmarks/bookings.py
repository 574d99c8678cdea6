"""How long a booking takes, and how long until it stands in the PIMS; `make bench` runs it.

Everything is real and on this machine: PostgreSQL, Valkey, a worker and the demo PIMS, each a process of its own.
Clients come evenly spread, one after the other, and then fifty at once for one time. A booking that is lost or doubled
in the PIMS, or a time given twice, ends the run with exit status 1.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from booking.book import Booked, Booking, NewClient, NewPatient, book
from booking.contacts import Contact
from booking.db import appointment_types, practices
from booking.db.holds import Wish
from booking.db.migrate import migrate
from booking.db.pool import Pool, across_practices, connect
from booking.db.practices import Practice
from booking.holds import Held, SlotTaken, hold
from booking.local_days import local_date
from booking.offers import offer
from booking.site import Site
from tests.demo_clinic import DemoClinic, running_clinic
from widget.demo.riverside import PRACTICE_ID, set_up
from widget.embedded import PostgresServer, ValkeyServer, remove_state

ROOT = Path(__file__).parents[1]
SECRET_KEY = "a key for a benchmark, of enough length"  # noqa: S105 - guards nothing
BOOKINGS = 60
EVERY_SECONDS = 0.5
RACERS = 50
PIMS_GOAL_SECONDS = 2.0


class Wrong(Exception):
    """An answer was wrong; nothing that was measured counts."""


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
            asyncio.run(
                set_up(
                    database_url=postgres.url,
                    pims_url=clinic.url,
                    pims_key=clinic.settings["key"],
                    host_origins=[],
                    progress=lambda _line: None,
                )
            )
            with running_worker(postgres.url, valkey.url):
                asyncio.run(measure(postgres.url, clinic))
    finally:
        valkey.stop()
        postgres.stop()
        remove_state(state)
        shutil.rmtree(state, ignore_errors=True)


@contextmanager
def running_worker(database_url: str, redis_url: str, *, secret_key: str = SECRET_KEY) -> Iterator[None]:
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": secret_key,
        "DEV_MAILBOX": "1",
        "SYNC_SECONDS": "5",
        "LOG_LEVEL": "error",
    }
    worker = subprocess.Popen([sys.executable, "-m", "widget", "work"], cwd=ROOT, env=environment)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(20)


async def measure(database_url: str, clinic: DemoClinic) -> None:
    async with await connect(database_url, max_size=20) as pool:
        async with across_practices(pool) as conn:
            practice = await practices.practice_by_id(conn, PRACTICE_ID)
            types = await appointment_types.appointment_types(conn, PRACTICE_ID)
        if practice is None:
            raise Wrong("The practice was not set up.")
        wellness = next(one for one in types if one.pims_id == "type-wellness")
        wish = Wish(appointment_type_id=wellness.appointment_type_id, patients=("dog",), new_client=True)
        await asyncio.sleep(5)  # the worker is there when the first client comes

        print(f"Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
        print(f"Load: {BOOKINGS} bookings by new clients, one every {EVERY_SECONDS} s; then {RACERS} clients at once\n")
        offers, holds, books = await book_evenly(pool, practice, wish)
        row("offer of 14 days", offers)
        row("hold", holds)
        row("book", books)
        seconds = await until_written(pool)
        row("commit to read back from the PIMS", seconds, goal=PIMS_GOAL_SECONDS)
        await check_pims(pool, clinic)
        row(f"hold, {RACERS} at once for one time", await stampede(pool, practice, wish))


async def book_evenly(pool: Pool, practice: Practice, wish: Wish) -> tuple[list[float], list[float], list[float]]:
    """Book one after the other; the seconds of each step."""
    offers, holds, books = [], [], []
    for number in range(BOOKINGS):
        began = perf_counter()
        now = datetime.now(UTC)
        today = local_date(now, practice.timezone)
        days = (await offer(pool, practice, wish, today, today + timedelta(days=13), now=now)).days
        offers.append(perf_counter() - began)
        start = [slot for day in days for slot in day.slots][-1].start

        before = perf_counter()
        held = await hold(pool, practice, wish, start, now=now)
        holds.append(perf_counter() - before)
        if not isinstance(held, Held):
            raise Wrong("A time that was offered could not be held, and nobody else was there.")

        before = perf_counter()
        booked = await book(
            pool,
            practice,
            Booking(
                hold_id=held.hold.hold_id,
                hold_secret=held.secret,
                contact=Contact(kind="email", value=f"client{number}@example.com"),
                client=NewClient(given_name="Client", family_name=f"Number {number}"),
                patients=(NewPatient(name="Zuzu", species="dog"),),
            ),
            key=str(uuid4()),
            site=Site(public_url="https://book.example", secret_key=SECRET_KEY.encode()),
            now=datetime.now(UTC),
        )
        books.append(perf_counter() - before)
        if not isinstance(booked, Booked):
            raise Wrong("A time that was held could not be booked.")
        await asyncio.sleep(max(0.0, EVERY_SECONDS - (perf_counter() - began)))
    return offers, holds, books


async def until_written(pool: Pool) -> list[float]:
    """Wait until every appointment is written; the seconds that each took from its booking on."""
    async with asyncio.timeout(120):
        while True:
            async with across_practices(pool) as conn:
                rows = await conn.fetch(
                    """SELECT state, extract(epoch FROM written_at - queued_at)::float AS seconds
                       FROM write_back WHERE kind = 'appointment'"""
                )
            if all(one["state"] == "written" for one in rows):
                return [one["seconds"] for one in rows]
            await asyncio.sleep(0.2)


async def check_pims(pool: Pool, clinic: DemoClinic) -> None:
    """Ask the PIMS itself: each booking once."""
    async with across_practices(pool) as conn:
        references = [
            row["reference"] for row in await conn.fetch("SELECT reference FROM appointment WHERE source = 'online'")
        ]
    found = [len(clinic.with_key("appointments", reference)) for reference in references]
    if len(references) != BOOKINGS or set(found) != {1}:
        raise Wrong(f"{BOOKINGS} bookings are {len(references)} appointments with us and {sum(found)} in the PIMS.")


async def stampede(pool: Pool, practice: Practice, wish: Wish) -> list[float]:
    """Let everybody want one time; the seconds until each knows."""
    now = datetime.now(UTC)
    today = local_date(now, practice.timezone)
    days = (await offer(pool, practice, wish, today, today + timedelta(days=13), now=now)).days
    start = [slot for day in days for slot in day.slots][-1].start

    async def want() -> tuple[float, Held | SlotTaken]:
        before = perf_counter()
        outcome = await hold(pool, practice, wish, start, now=now)
        return perf_counter() - before, outcome

    outcomes = await asyncio.gather(*(want() for _ in range(RACERS)))
    won = [outcome.hold.resources["veterinarian"][0] for _, outcome in outcomes if isinstance(outcome, Held)]
    if not won or len(won) != len(set(won)):
        raise Wrong("Nobody got the time, or two got the same veterinarian.")
    return [seconds for seconds, _ in outcomes]


def row(name: str, seconds: list[float], *, goal: float | None = None) -> None:
    """Print one line of the table."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    p50, p95, p99 = cuts[49], cuts[94], cuts[98]
    compared = f"  p95 is {p95 / goal:.2f} of the goal of {goal:g} s" if goal else ""
    print(
        f"{name:36} p50 {p50 * 1000:8.1f} ms  p95 {p95 * 1000:8.1f} ms  p99 {p99 * 1000:8.1f} ms{compared}", flush=True
    )


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"WRONG: {wrong}")
