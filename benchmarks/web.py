"""How the JSON API holds up: slots kept and computed anew, holds and bookings, a stampede, codes, a thousand practices.

`make bench` runs it. Web server, PostgreSQL, Valkey and the requests themselves share this machine; requests arrive
whether or not the ones before were answered. A wrong answer ends the run with exit status 1.
"""

from __future__ import annotations

import asyncio
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from uuid import UUID

import asyncpg
from msgspec import Struct
from redis.asyncio import Redis

from benchmarks.copies import copied_id, copy_practices
from benchmarks.open_load import Client, arrive, client_of, expect, percentile
from benchmarks.wrong import Wrong
from booking.client_session import start_session
from booking.contacts import Contact
from booking.db.migrate import migrate
from tests.demo_clinic import running_clinic
from widget.demo.riverside import PRACTICE_ID, set_up
from widget.embedded import PostgresServer, ValkeyServer, remove_state
from widget.embedded.process import free_port

ROOT = Path(__file__).parents[1]
SECRET_KEY = "a key for a benchmark, of enough length"  # noqa: S105 - guards nothing
PRACTICES = int(os.environ.get("PRACTICES", "1000"))
SPREAD_OVER = 50
RACERS = 50
V1 = "/api/v1"
VETS = "SELECT count(*) FROM resource WHERE practice_id = $1 AND active AND 'veterinarian' = ANY(roles)"
WELLNESS = "SELECT appointment_type_id FROM appointment_type WHERE pims_id = 'type-wellness' AND practice_id = $1"
GOES_ON_LEAVE = """
INSERT INTO claim (practice_id, resource_id, lane, during, appointment_id)
SELECT r.practice_id, r.resource_id, 99, tstzrange(now(), now() + interval '70 days'),
  (SELECT appointment_id FROM appointment WHERE practice_id = $1 LIMIT 1)
FROM resource r WHERE r.practice_id = $1 AND r.active AND 'veterinarian' = ANY(r.roles) ORDER BY r.name LIMIT 1
"""
CHANCE = random.Random(4)


class Bench(Struct, frozen=True):
    """Everything that a scenario needs."""

    client: Client
    conn: asyncpg.Connection
    redis: Redis
    wellness: UUID


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
        asyncio.run(measure(postgres.url, valkey.url))
    finally:
        valkey.stop()
        postgres.stop()
        remove_state(state)
        shutil.rmtree(state, ignore_errors=True)


@contextmanager
def running_web(database_url: str, redis_url: str) -> Iterator[int]:
    """Run the web server as an administrator would; the port it listens on."""
    port = free_port(None)
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": SECRET_KEY,
        "PORT": str(port),
        "DEV_MAILBOX": "1",
        "TRUSTED_PROXIES": "127.0.0.1",
        "LOG_LEVEL": "error",
    }
    web = subprocess.Popen([sys.executable, "-m", "widget", "serve"], cwd=ROOT, env=environment)
    try:
        yield port
    finally:
        web.terminate()
        web.wait(20)


@asynccontextmanager
async def bench_of(database_url: str, redis_url: str, port: int) -> AsyncIterator[Bench]:
    """Open what a scenario needs, once the server answers."""
    conn = await asyncpg.connect(database_url)
    await conn.execute("SET vetslot.practice_id = '*'")
    wellness = await conn.fetchval(
        "SELECT appointment_type_id FROM appointment_type WHERE pims_id = 'type-wellness' AND practice_id = $1",
        PRACTICE_ID,
    )
    async with client_of(port) as client, Redis.from_url(redis_url) as redis:
        async with asyncio.timeout(30):
            while True:
                try:
                    expect(await client.get("/ready"), 200)
                    break
                except OSError:
                    await asyncio.sleep(0.2)
        yield Bench(client, conn, redis, wellness)
    await conn.close()


async def measure(database_url: str, redis_url: str) -> None:
    """Measure one practice, then the same among a thousand."""
    print(f"Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()},"
          f" load {os.getloadavg()[0]:.1f} when it began\n")  # fmt: skip
    print("| what | practices | per second: asked | reached | goal p99 ms | p50 | p99 | p99/goal |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    conn = await asyncpg.connect(database_url)
    await conn.execute("SET vetslot.practice_id = '*'")
    # Nobody syncs here: the schedule counts as fresh throughout.
    await conn.execute("UPDATE connection SET as_of = now() + interval '1 day'")
    await copy_practices(conn, PRACTICE_ID, range(SPREAD_OVER))
    await conn.close()
    for practices in sorted({SPREAD_OVER, PRACTICES}):
        if practices > SPREAD_OVER:
            conn = await asyncpg.connect(database_url)
            await copy_practices(conn, PRACTICE_ID, range(SPREAD_OVER, practices))
            await conn.close()
        with running_web(database_url, redis_url) as port:
            async with bench_of(database_url, redis_url, port) as bench:
                for scenario in SCENARIOS:
                    await scenario(bench, practices)
                    await at_rest(bench)


def row(
    what: str,
    practices: int,
    took: list[float],
    *,
    goal: float,
    asked: float | None = None,
    reached: float | None = None,
) -> None:
    """Print one line of the table."""
    p50, p99 = percentile(took, 50) * 1000, percentile(took, 99) * 1000
    rates = f"{asked:g} | {reached:.0f}" if asked and reached else "at once | "
    print(f"| {what} | {practices} | {rates} | {goal:g} | {p50:.1f} | {p99:.1f} | {p99 / goal:.2f} |", flush=True)


def somebody() -> str:
    """Return the network address of somebody else: limits count by it."""
    return f"10.{CHANCE.randrange(256)}.{CHANCE.randrange(256)}.{CHANCE.randrange(256)}"


def slots_path(bench: Bench, number: int) -> str:
    """Ask for sixty days of a copy's wellness visits."""
    today = datetime.now(UTC).date() + timedelta(days=1)
    return (
        f"{V1}/practices/copy-{number}/slots?appointmentType={copied_id(bench.wellness, number)}"
        f"&from={today}&to={today + timedelta(days=59)}"
    )


async def slots_from_cache(bench: Bench, practices: int) -> None:
    """Ask few questions often."""

    async def ask(number: int) -> None:
        reply = await bench.client.get(
            slots_path(bench, number % 10), x_forwarded_for=somebody(), accept_encoding="gzip"
        )
        if len(expect(reply, 200).body) < 5_000:
            raise Wrong("Sixty days of the demo practice offered next to nothing.")

    for number in range(10):
        await ask(number)
    took, reached = await arrive(ask, per_second=300, seconds=10)
    row("slots of 60 days, kept", practices, took, asked=300, reached=reached, goal=50)


async def slots_anew(bench: Bench, practices: int) -> None:
    """Ask after each change of the schedule: every other time a veterinarian goes on leave, or comes back, throughout.

    So each answer differs from the one before on all of its days, and none can be put together from what was.
    """
    away: set[int] = set()
    lengths: defaultdict[int, set[int]] = defaultdict(set)
    lock = asyncio.Lock()

    async def ask(number: int) -> None:
        copy = number % SPREAD_OVER
        practice = UUID(copied_id(PRACTICE_ID, copy))
        async with lock:
            if copy in away:
                await bench.conn.execute("DELETE FROM claim WHERE practice_id = $1 AND lane = 99", practice)
            else:
                await bench.conn.execute(GOES_ON_LEAVE, practice)
            away.symmetric_difference_update({copy})
            await bench.conn.execute(
                "UPDATE practice SET schedule_version = schedule_version + 1 WHERE practice_id = $1", practice
            )
        path = slots_path(bench, copy)
        reply = expect(await bench.client.get(path, x_forwarded_for=somebody(), accept_encoding="gzip"), 200, 503)
        lengths[copy].add(len(reply.body))

    for number in range(2 * SPREAD_OVER):  # what stands is read, and both answers are known to differ
        await ask(number)
    if any(len(one) < 2 for one in lengths.values()):
        raise Wrong("A practice offered the same with a veterinarian more and less.")
    took, reached = await arrive(ask, per_second=50, seconds=10)
    row("slots of 60 days, computed anew", practices, took, asked=50, reached=reached, goal=60)


async def starts_of(bench: Bench, number: int) -> list[str]:
    """Return every start that a copy offers, in random order."""
    reply = expect(await bench.client.get(slots_path(bench, number), x_forwarded_for=somebody()), 200)
    starts = [slot["start"] for day in reply.json()["days"] for slot in day["slots"]]
    CHANCE.shuffle(starts)
    return starts


async def hold(bench: Bench, number: int, start: str, *statuses: int) -> tuple[int, dict[str, str]]:
    """Hold a time of a copy as an existing client's dog would."""
    wanted = {"appointmentType": copied_id(bench.wellness, number), "start": start, "client": "new"}
    path = f"{V1}/practices/copy-{number}/holds"
    reply = expect(await bench.client.post(path, wanted, x_forwarded_for=somebody()), *statuses)
    return reply.status, reply.json()


async def holds_and_bookings(bench: Bench, practices: int) -> None:
    """Book as new clients do who have proven their email."""
    per_second, seconds = 150, 8
    starts = {number: await starts_of(bench, number) for number in range(SPREAD_OVER)}
    sessions = [
        await start_session(
            bench.redis,
            UUID(copied_id(PRACTICE_ID, number % SPREAD_OVER)),
            Contact(kind="email", value=f"client{practices}-{number}@example.com"),
        )
        for number in range(per_second * seconds)
    ]
    booked: set[tuple[int, str]] = set()
    lost = away = 0

    async def come(number: int) -> None:
        nonlocal lost, away
        copy = number % SPREAD_OVER
        status, held = await hold(bench, copy, starts[copy].pop(), 201, 409, 503)
        if status == 503:
            away += 1
            return
        if status == 409:  # the start was another's whose visit overlaps it
            lost += 1
            return
        reply = await bench.client.post(
            f"{V1}/practices/copy-{copy}/bookings",
            {
                "hold": held["id"],
                "holdSecret": held["secret"],
                "newClient": {"givenName": "Client", "familyName": f"Number {number}"},
                "patients": [{"type": "new", "name": "Zuzu", "species": "dog"}],
            },
            authorization=f"Bearer {sessions[number]}",
            idempotency_key=f"bench-{practices}-{number}",
            x_forwarded_for=somebody(),
        )
        if expect(reply, 201, 503).status == 503:
            away += 1
            return
        reference = reply.json()["reference"]
        if (copy, reference) in booked:
            raise Wrong("Two bookings have one reference.")
        booked.add((copy, reference))

    before = await count_online(bench)
    took, reached = await arrive(come, per_second=per_second, seconds=seconds)
    if await count_online(bench) - before != len(booked) or lost > len(took) // 2:
        raise Wrong(f"{len(booked)} bookings were answered, {await count_online(bench) - before} stand, {lost} lost.")
    row(f"hold and book ({away} told to come again)", practices, took, asked=per_second, reached=reached, goal=250)


async def count_online(bench: Bench) -> int:
    """Return how many appointments were booked online."""
    return int(await bench.conn.fetchval("SELECT count(*) FROM appointment WHERE source = 'online'"))


async def stampede(bench: Bench, practices: int) -> None:
    """Let fifty want one time at once, ten times over."""
    vets = await bench.conn.fetchval(VETS, PRACTICE_ID)
    took: list[float] = []
    for round_ in range(10):
        copy = round_ % SPREAD_OVER
        start = (await starts_of(bench, copy))[0]
        began = perf_counter()

        async def want(copy: int = copy, start: str = start, began: float = began) -> int:
            status, _ = await hold(bench, copy, start, 201, 409)
            took.append(perf_counter() - began)
            return status

        statuses = await asyncio.gather(*(want() for _ in range(RACERS)))
        if not 1 <= statuses.count(201) <= vets:
            raise Wrong(f"{statuses.count(201)} of {RACERS} got one time of {vets} veterinarians.")
    row("hold, 50 at once for one time", practices, took, goal=300)


async def codes(bench: Bench, practices: int) -> None:
    """Ask for codes, half of them for contacts that are clients'."""
    known = [
        row_["value"]
        for row_ in await bench.conn.fetch(
            "SELECT DISTINCT value FROM client_contact WHERE kind = 'email' AND practice_id = $1", PRACTICE_ID
        )
    ]

    async def ask(number: int) -> None:
        email = known[number % len(known)] if number % 2 else f"nobody{number}@example.com"
        path = f"{V1}/practices/copy-{number % SPREAD_OVER}/verifications"
        expect(await bench.client.post(path, {"email": email}, x_forwarded_for=somebody()), 202, 429)

    took, reached = await arrive(ask, per_second=30, seconds=5)
    row("code asked for", practices, took, asked=30, reached=reached, goal=100)


SCENARIOS = (codes, slots_from_cache, stampede, holds_and_bookings, slots_anew)


async def at_rest(bench: Bench) -> None:
    """Wait until what came last is answered, so that no scenario pays for another."""
    async with asyncio.timeout(60):
        quick = 0
        while quick < 20:
            began = perf_counter()
            await bench.client.get("/ready")
            quick = quick + 1 if perf_counter() - began < 0.02 else 0
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"WRONG: {wrong}")
