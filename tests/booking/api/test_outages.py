"""Stores that go away in the middle and come back: slower or not now, never wrong, and nobody has to restart us."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from booking.db.migrate import migrate
from booking.db.pool import across_practices, connect
from booking.messages import mailbox
from tests.booking.api.calls import V1, all_slots, practice_path, slots_query, with_token
from tests.booking.api.serving import ROOT
from tests.booking.api.test_bookings import send, session_of
from tests.booking.test_claims import overlaps
from tests.widget.cedar_hill import SAMS_PHONE, CedarHill, open_cedar_hill
from tests.widget.live_connection import connect_pims
from tests.widget.oak_lane import SECRET_KEY, browser_of, settings_of
from widget.embedded import PostgresServer, ValkeyServer, remove_state

# Where one dependency of a request fails, Litestar forgets about those that it had not begun with.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine 'resolve_dependency' was never awaited:RuntimeWarning")

TOGETHER = 12
PATIENCE = 90


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder for servers of this test's own."""
    folder = Path(tempfile.mkdtemp(prefix="vetslot-outage-"))
    folder.chmod(0o755)
    yield folder
    remove_state(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_valkey(folder: Path) -> Iterator[ValkeyServer]:
    """Return a Valkey to stop and to empty."""
    server = ValkeyServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_postgres(folder: Path) -> Iterator[PostgresServer]:
    """Return a PostgreSQL to restart, which keeps what it promised to keep."""
    server = PostgresServer(folder)
    server.start()
    yield server
    server.stop()


@asynccontextmanager
async def quiet_browser(database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return a program at the application, which says nothing of the outages to come."""
    with capture_logs():
        async with browser_of(settings_of(database_url, redis_url)) as client:
            yield client


def is_out_of_reach(answer: httpx.Response) -> bool:
    """Say whether an answer is the one that asks to come again; any other failure is a failure."""
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    if answer.status_code != 503:
        return False
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["retryable"]) == ("unavailable", True)
    assert "Nothing is lost" in problem["detail"]
    assert answer.headers["retry-after"]
    return True


async def until_served(client: httpx.AsyncClient, path: str, **how: Any) -> httpx.Response:  # noqa: ANN401 - passed on
    """Ask again and again, as whoever is told to come again; the first answer that is one."""
    async with asyncio.timeout(PATIENCE):
        while is_out_of_reach(answer := await client.get(path, **how)):
            await asyncio.sleep(0.1)
    return answer


COME_AGAIN = ("idempotency-key-busy", "rate-limited")


async def booked_in_the_end(client: httpx.AsyncClient, cedar_hill: CedarHill, session: str, held: Any, key: str) -> str:  # noqa: ANN401
    """Send a booking with one key until it is answered for good; its reference."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await send(client, cedar_hill, session, held, key)
            if answer.status_code == 201:
                return str(answer.json()["reference"])
            assert is_out_of_reach(answer) or answer.json()["code"] in COME_AGAIN, answer.text
            await asyncio.sleep(0.3)


async def hold_some(client: httpx.AsyncClient, cedar_hill: CedarHill, count: int) -> list[Any]:
    """Hold so many times, one after the other."""
    slots = all_slots((await client.get(f"{practice_path(cedar_hill)}/slots", params=slots_query(cedar_hill))).json())
    held = []
    for slot in slots[-2 * count :: 2]:
        answer = await client.post(f"{practice_path(cedar_hill)}/holds", json={"slotToken": slot["token"]})
        assert answer.status_code == 201, answer.text
        held.append(answer.json())
    return held


async def test_without_redis_times_are_found_and_held_and_what_needs_it_says_to_come_again(
    cedar_hill: CedarHill, database_url: str, own_valkey: ValkeyServer
) -> None:
    path, query = f"{practice_path(cedar_hill)}/slots", slots_query(cedar_hill)
    async with quiet_browser(database_url, own_valkey.url) as client:
        session = await session_of(client, cedar_hill, SAMS_PHONE)
        (held,) = await hold_some(client, cedar_hill, 1)
        with_redis = await client.get(path, params=query)
        own_valkey.stop()

        without = await client.get(path, params=query)
        assert without.status_code == 200
        starts = [one["start"] for one in all_slots(without.json())]
        assert starts == [one["start"] for one in all_slots(with_redis.json())]
        assert held["start"] in starts or len(starts) > 0
        (other,) = await hold_some(client, cedar_hill, 1)
        assert (
            await client.post(f"{V1}/holds/{other['id']}/extend", headers=with_token(other["secret"]))
        ).status_code == 200
        again = all_slots((await client.get(path, params=query)).json())
        assert len(again) < len(starts), "What was held without Redis is offered no more."

        for refused in (
            await client.post(f"{practice_path(cedar_hill)}/verifications", json={"phone": SAMS_PHONE}),
            await client.post(f"{V1}/verifications/vf_x/check", json={"code": "123456"}),
            await client.get(f"{V1}/session", headers=with_token(session)),
            await send(client, cedar_hill, session, held, "k"),
        ):
            assert is_out_of_reach(refused), refused.text

        own_valkey.start()
        await until_served(client, f"{V1}/session", headers=with_token(session))
        session = await session_of(client, cedar_hill, SAMS_PHONE)
        first = await booked_in_the_end(client, cedar_hill, session, held, "k")
        assert first == await booked_in_the_end(client, cedar_hill, session, held, "k")
    assert await cedar_hill.count("appointment") == 1


async def test_redis_emptied_in_the_middle_loses_sessions_and_no_booking(
    cedar_hill: CedarHill, database_url: str, own_valkey: ValkeyServer
) -> None:
    async with quiet_browser(database_url, own_valkey.url) as client:
        session = await session_of(client, cedar_hill, SAMS_PHONE)
        first, second = await hold_some(client, cedar_hill, 2)
        reference = await booked_in_the_end(client, cedar_hill, session, first, "first")
        async with Redis.from_url(own_valkey.url) as redis:
            await redis.flushall()
        lost = await send(client, cedar_hill, session, second, "second")
        assert (lost.status_code, lost.json()["code"]) == (401, "not-proven")
        session = await session_of(client, cedar_hill, SAMS_PHONE)
        assert reference == await booked_in_the_end(client, cedar_hill, session, first, "first")
        assert reference != await booked_in_the_end(client, cedar_hill, session, second, "second")
    assert await cedar_hill.count("appointment") == 2


async def test_redis_stopped_among_many_bookings_leaves_each_exactly_once(
    cedar_hill: CedarHill, database_url: str, own_valkey: ValkeyServer
) -> None:
    await cedar_hill.execute("UPDATE practice SET open_bookings_per_client = 99, open_bookings_per_patient = 99")
    async with quiet_browser(database_url, own_valkey.url) as client:
        held = await hold_some(client, cedar_hill, TOGETHER)
        session = await session_of(client, cedar_hill, SAMS_PHONE)
        async with Redis.from_url(own_valkey.url) as redis:
            kept = {key: (await redis.dump(key), await redis.pttl(key)) for key in await redis.keys("*session*")}

        async def restart() -> None:
            await asyncio.sleep(0.1)
            own_valkey.stop()
            await asyncio.sleep(1)
            own_valkey.start()
            async with Redis.from_url(own_valkey.url) as redis:  # so that the same session can send the same again
                for key, (value, lives) in kept.items():
                    await redis.restore(key, max(lives, 0), value or b"")

        async def book(number: int) -> str:
            await asyncio.sleep(0.05 * number)
            while True:
                answer = await send(client, cedar_hill, session, held[number], f"key {number}")
                if answer.status_code == 201:
                    return str(answer.json()["reference"])
                assert is_out_of_reach(answer) or answer.status_code == 401, answer.text
                await asyncio.sleep(0.1)

        async with asyncio.timeout(PATIENCE):
            *references, _ = await asyncio.gather(*(book(number) for number in range(TOGETHER)), restart())
    assert len(set(references)) == TOGETHER == await cedar_hill.count("appointment")


@asynccontextmanager
async def practice_on(server: PostgresServer) -> AsyncIterator[CedarHill]:
    """Return a practice on a server of this test's own."""
    await migrate(server.url)
    pool = await connect(server.url, max_size=4)
    try:
        yield await open_cedar_hill(pool)
    finally:
        pool.terminate()


async def test_postgresql_restarted_in_the_middle_is_told_plainly_and_then_all_is_well(
    own_postgres: PostgresServer, redis_url: str
) -> None:
    async with practice_on(own_postgres) as cedar_hill, quiet_browser(own_postgres.url, redis_url) as client:
        path, query = f"{practice_path(cedar_hill)}/slots", slots_query(cedar_hill)
        offered = all_slots((await client.get(path, params=query)).json())
        own_postgres.stop()
        for answer in (
            await client.get(path, params=query),
            await client.get(practice_path(cedar_hill)),
            await client.post(f"{practice_path(cedar_hill)}/holds", json={"slotToken": offered[-1]["token"]}),
            await client.post(f"{practice_path(cedar_hill)}/verifications", json={"phone": SAMS_PHONE}),
        ):
            assert is_out_of_reach(answer), answer.text
        assert (await client.get("/ready")).status_code == 503
        own_postgres.start()
        back = await until_served(client, path, params=query)
        assert all_slots(back.json())
        (held,) = await hold_some(client, cedar_hill, 1)
        assert held["id"]
        assert (await client.get("/ready")).status_code == 200


async def test_many_bookings_across_a_restart_of_postgresql_end_each_exactly_once(
    own_postgres: PostgresServer, redis_url: str
) -> None:
    async with practice_on(own_postgres) as cedar_hill, quiet_browser(own_postgres.url, redis_url) as client:
        await connect_pims(cedar_hill.pool, cedar_hill.practice.practice_id)
        await cedar_hill.execute("UPDATE practice SET open_bookings_per_client = 99, open_bookings_per_patient = 99")
        session = await session_of(client, cedar_hill, SAMS_PHONE)
        held = await hold_some(client, cedar_hill, TOGETHER)

        async def book(number: int) -> str:
            await asyncio.sleep(0.06 * number)
            first = await booked_in_the_end(client, cedar_hill, session, held[number], f"key {number}")
            assert first == await booked_in_the_end(client, cedar_hill, session, held[number], f"key {number}")
            return first

        async def restart() -> None:
            await asyncio.sleep(0.25)
            await asyncio.to_thread(own_postgres.stop)
            own_postgres.start()

        *references, _ = await asyncio.gather(*(book(number) for number in range(TOGETHER)), restart())
        assert len(set(references)) == TOGETHER
        pool = await connect(own_postgres.url, max_size=2)
        assert await overlaps(pool) == 0
        async with across_practices(pool) as conn:
            assert await conn.fetchval("SELECT count(*) FROM appointment") == TOGETHER
            assert await conn.fetchval("SELECT count(*) FROM write_back") == TOGETHER
        await pool.close()


@asynccontextmanager
async def working(database_url: str, redis_url: str) -> AsyncIterator[None]:
    """Run the worker as an administrator would."""
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": SECRET_KEY.decode()}
    environment = {**os.environ, **settings, "DEV_MAILBOX": "1", "LOG_LEVEL": "error"}
    command = [sys.executable, "-m", "widget", "work"]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
        assert process.returncode is None, "The worker ended."
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def test_a_worker_goes_on_after_a_restart_of_postgresql(
    own_postgres: PostgresServer, redis_url: str, redis: Redis
) -> None:
    async with practice_on(own_postgres) as cedar_hill, quiet_browser(own_postgres.url, redis_url) as client:
        path = f"{practice_path(cedar_hill)}/verifications"
        async with working(own_postgres.url, redis_url):
            for sent in (1, 2):
                async with asyncio.timeout(PATIENCE):
                    while is_out_of_reach(await client.post(path, json={"phone": SAMS_PHONE})):
                        await asyncio.sleep(0.1)
                    while len(await mailbox(redis)) < sent:
                        await asyncio.sleep(0.1)
                own_postgres.stop()
                await asyncio.sleep(3)
                own_postgres.start()


async def test_sessions_that_are_ended_at_any_moment_are_told_as_out_of_reach(
    cedar_hill: CedarHill, database_url: str, redis_url: str
) -> None:
    """The driver words it differently at each moment; none of them is a fault of ours."""
    async with quiet_browser(database_url, redis_url) as client:
        slots = all_slots(
            (await client.get(f"{practice_path(cedar_hill)}/slots", params=slots_query(cedar_hill))).json()
        )

        async def want(number: int) -> bool:
            slot = slots[-1 - number % 40]
            answer = await client.post(f"{practice_path(cedar_hill)}/holds", json={"slotToken": slot["token"]})
            return is_out_of_reach(answer)

        own = await asyncpg.connect(database_url)
        told = []
        for number in range(29):  # an address may hold sixty times in ten minutes
            calls = [asyncio.create_task(want(2 * number + n)) for n in (0, 1)]
            await asyncio.sleep(number / 1500)
            await own.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"""
            )
            told += await asyncio.gather(*calls)
        await own.close()
    assert any(told)
