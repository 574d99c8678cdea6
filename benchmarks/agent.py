"""How long until a booking stands in an on-premises PIMS, through its agent; `make bench` runs it.

Everything is real and on this machine: PostgreSQL, Valkey, the web server, a worker, the agent, and the clinic
simulator as the PIMS, each a process of its own. The PIMS shows at once what is written; its own lag is not ours. A
booking that is lost or doubled in the PIMS ends the run with exit status 1.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import statistics
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from benchmarks.bookings import running_worker
from booking.db.migrate import migrate
from booking.db.pool import across_practices, connect
from booking.local_days import local_date
from pims_adapters._agent.marker import marker
from tests.agent import agent_process, opened_agent
from tests.booking.api.serving import served
from tests.clinic import Simulator, running_simulator
from tests.lake_road import LakeRoad, now, open_lake_road, read_and_configure
from tests.widget.oak_lane import SECRET_KEY
from widget.embedded import PostgresServer, ValkeyServer, remove_state

BOOKINGS = 60
EVERY_SECONDS = 1.0
WRITTEN_GOAL_SECONDS = 3.0
CHANGES = 3
SEEN_GOAL_SECONDS = 60.0


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
        with running_simulator("avimark", now=datetime.now(UTC), options="--real-time") as clinic:
            asyncio.run(measure(postgres.url, valkey.url, clinic, state))
    finally:
        valkey.stop()
        postgres.stop()
        remove_state(state)
        shutil.rmtree(state, ignore_errors=True)


async def measure(database_url: str, redis_url: str, clinic: Simulator, state: Path) -> None:
    async with await connect(database_url, max_size=20) as pool, served(database_url, redis_url) as address:
        lake_road = await open_lake_road(pool, clinic)
        async with opened_agent(address, lake_road.token, clinic, state / "first") as agent:
            await agent.run_once()
        await read_and_configure(lake_road, clinic)
        with (
            running_worker(database_url, redis_url, secret_key=SECRET_KEY.decode()),
            agent_process(address, lake_road.token, clinic, state / "agent", options="--log-level=warning"),
        ):
            await asyncio.sleep(5)  # the worker and the agent are there when the first client comes
            print(f"Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
            print(f"Load: {BOOKINGS} bookings by new clients, one every {EVERY_SECONDS:g} s: three records each\n")
            for number in range(BOOKINGS):
                began = perf_counter()
                await lake_road.book(number)
                await asyncio.sleep(max(0.0, EVERY_SECONDS - (perf_counter() - began)))
            seconds = await until_written(lake_road)
            row("commit to read back, through the agent", seconds, goal=WRITTEN_GOAL_SECONDS)
            await check_pims(lake_road, clinic)
            row("a block-off in the PIMS until it is out", await seen(lake_road, clinic), goal=SEEN_GOAL_SECONDS)
        await lake_road.adapters.close()


async def until_written(lake_road: LakeRoad) -> list[float]:
    """Wait until every appointment is written; the seconds that each took from its booking on."""
    async with asyncio.timeout(120):
        while True:
            async with across_practices(lake_road.pool) as conn:
                rows = await conn.fetch(
                    """SELECT state, extract(epoch FROM written_at - queued_at)::float AS seconds
                       FROM write_back WHERE kind = 'appointment'"""
                )
            if all(one["state"] == "written" for one in rows):
                return [one["seconds"] for one in rows]
            await asyncio.sleep(0.2)


async def check_pims(lake_road: LakeRoad, clinic: Simulator) -> None:
    """Ask the PIMS itself: each booking once."""
    async with across_practices(lake_road.pool) as conn:
        references = [
            row["reference"] for row in await conn.fetch("SELECT reference FROM appointment WHERE source = 'online'")
        ]
    notes = [row.notes for row in clinic.appointments()]
    found = [sum(marker(reference) in each for each in notes) for reference in references]
    if len(references) != BOOKINGS or set(found) != {1}:
        raise Wrong(f"{BOOKINGS} bookings are {len(references)} appointments with us and {sum(found)} in the PIMS.")


async def seen(lake_road: LakeRoad, clinic: Simulator) -> list[float]:
    """Let staff block off one time after another; the seconds until each is offered no more."""
    seconds = []
    day = local_date(now(), lake_road.practice.timezone) + timedelta(days=3)
    for _ in range(CHANGES):
        start = (await lake_road.slots(day))[0].start
        began = perf_counter()
        for provider in clinic.providers():
            clinic.block_off(lake_road.local(start), 30, staff=provider.id)
        async with asyncio.timeout(120):
            while start in [slot.start for slot in await lake_road.slots(day, 1)]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        seconds.append(perf_counter() - began)
    return seconds


def row(name: str, seconds: list[float], *, goal: float) -> None:
    """Print one line of the table."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    p50, p95 = cuts[49], cuts[94]
    print(
        f"{name:42} p50 {p50:6.2f} s  p95 {p95:6.2f} s  p95 is {p95 / goal:.2f} of the goal of {goal:g} s", flush=True
    )


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"WRONG: {wrong}")
