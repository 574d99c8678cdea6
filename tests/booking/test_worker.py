"""The worker as a process of its own: quick when all is well, and to be killed at the worst moment."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis.asyncio import Redis

from booking.book import Booked
from booking.db.pool import across_practices
from booking.messages import mailbox
from booking.site import Site
from booking.webhooks import NewWebhook, add_webhook
from booking.write_back import LEASE
from tests.booking.conftest import NOW, Riverside
from tests.booking.steps import SECRET_KEY, hold_first, olivias_booking, send, strangers_booking
from tests.booking.webhook_receiver import running_receiver

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def running_worker(riverside: Riverside, redis_url: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "DATABASE_URL": riverside.database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "a key of thirty-two bytes or more",
        "DEV_MAILBOX": "1",
        "SYNC_SECONDS": "1",
    }
    process = subprocess.Popen([sys.executable, "-m", "widget", "work"], cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


async def until_written(riverside: Riverside, *, within: float) -> float:
    """Wait until everything is written; the seconds that the slowest record took, or fail."""
    async with asyncio.timeout(within):
        while True:
            async with across_practices(riverside.pool) as conn:
                row = await conn.fetchrow(
                    """SELECT bool_and(state = 'written') AS done,
                       max(extract(epoch FROM written_at - queued_at))::float AS seconds FROM write_back"""
                )
            assert row is not None
            if row["done"]:
                return float(row["seconds"])
            await asyncio.sleep(0.1)


async def until_in_pims(riverside: Riverside, booked: Booked, *, within: float) -> None:
    async with asyncio.timeout(within):
        while not riverside.clinic.with_key("appointments", booked.appointment.reference):
            await asyncio.sleep(0.05)


async def test_a_worker_killed_between_the_pims_and_our_commit_leaves_one_appointment(
    connected: Riverside, redis_url: str
) -> None:
    held = await hold_first(connected, connected.wish())
    connected.clinic.order_fault("create_appointment", "slow_answer", seconds=8)
    with running_worker(connected, redis_url) as worker:
        booked = await send(connected, await olivias_booking(connected, held), "k")
        assert isinstance(booked, Booked)
        await until_in_pims(connected, booked, within=60)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    async with across_practices(connected.pool) as conn:
        assert await conn.fetchval("SELECT state FROM write_back") == "sending"
    with running_worker(connected, redis_url):
        await until_written(connected, within=LEASE.total_seconds() + 60)
    assert len(connected.clinic.with_key("appointments", booked.appointment.reference)) == 1


async def test_a_booking_wakes_the_worker_which_writes_it_and_sends_the_confirmation(
    connected: Riverside, redis_url: str, redis: Redis
) -> None:
    with running_worker(connected, redis_url):
        held = await hold_first(connected, connected.wish(new_client=True))
        booked = await send(connected, strangers_booking(held, contact="noor@example.com"), "k")
        assert isinstance(booked, Booked)
        await until_written(connected, within=60)
        async with asyncio.timeout(30):
            while not (sent := await mailbox(redis)):
                await asyncio.sleep(0.1)
    assert sent[0].recipient == "noor@example.com"
    assert booked.appointment.reference in sent[0].body
    assert "BEGIN:VCALENDAR" in (sent[0].attachment or "")
    async with across_practices(connected.pool) as conn:
        kept = await conn.fetchrow("SELECT state, recipient, body FROM message")
    assert kept is not None
    assert tuple(kept) == ("sent", None, None)


async def test_two_workers_write_each_booking_once(connected: Riverside, redis_url: str) -> None:
    with running_worker(connected, redis_url), running_worker(connected, redis_url):
        booked = []
        for number in range(6):
            held = await hold_first(connected, connected.wish(new_client=True))
            booking = strangers_booking(held, contact=f"+1212555071{number}")
            booked.append(await send(connected, booking, f"k{number}"))
        await until_written(connected, within=90)
    references = [one.appointment.reference for one in booked if isinstance(one, Booked)]
    assert len(references) == 6
    assert {len(connected.clinic.with_key("appointments", one)) for one in references} == {1}


async def test_a_booking_is_told_to_the_practices_own_system(connected: Riverside, redis_url: str) -> None:
    practice_id = connected.practice.practice_id
    site = Site(public_url="https://book.example", secret_key=SECRET_KEY, private_webhooks=True)
    async with running_receiver() as receiver:
        new = NewWebhook(url=receiver.url, events=["appointment.booked", "write_back.written"])
        await add_webhook(connected.pool, site, practice_id, new, key="k", by=practice_id, now=NOW)
        with running_worker(connected, redis_url):
            held = await hold_first(connected, connected.wish())
            booked = await send(connected, await olivias_booking(connected, held), "k2")
            assert isinstance(booked, Booked)
            async with asyncio.timeout(60):
                while len(receiver.received) < 2:
                    await asyncio.sleep(0.05)
    told = [json.loads(one.body) for one in receiver.received]
    assert {one["type"] for one in told} == {"appointment.booked", "write_back.written"}
    assert {one["data"]["reference"] for one in told} == {booked.appointments[0].reference}
