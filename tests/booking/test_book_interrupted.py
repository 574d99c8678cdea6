"""A booking that is interrupted anywhere: whoever sends it again with the same key has exactly one in the end.

The connection is lost at every round trip to the database; a process is killed at two of them, and at every one with
`VETSLOT_PROVE=1` (`make prove`).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from booking.book import Booked, Booking, NewPatient, book
from booking.db.pool import across_practices, connect
from booking.holds import Held, hold
from booking.out_of_reach import OUT_OF_REACH
from tests.booking.book_once import Order
from tests.booking.conftest import NOW, Riverside
from tests.booking.cutting_proxy import CuttingProxy, When, cutting_proxy
from tests.booking.steps import SITE, send, strangers_booking
from tests.booking.test_claims import overlaps

ROOT = Path(__file__).parents[2]
PROVE = os.environ.get("VETSLOT_PROVE") == "1"
WHEN: tuple[When, ...] = ("asked", "answered")


async def bookings(riverside: Riverside) -> AsyncIterator[tuple[str, Booking]]:
    """Hold one time after the other, and say what a new client books there for two new pets."""
    wish = riverside.wish("type-wellness", "dog", "cat", new_client=True)
    for number, slot in enumerate(await riverside.slots(wish, days=60)):
        held = await hold(riverside.pool, riverside.practice, wish, slot.start, now=NOW)
        if isinstance(held, Held):
            booking = strangers_booking(held, contact=f"client{number}@example.com")
            pets = (NewPatient(name="Zuzu", species="dog"), NewPatient(name="Ada", species="cat"))
            yield f"key {number}", msgspec.structs.replace(booking, patients=pets)


async def once_more(riverside: Riverside, booking: Booking, key: str) -> None:
    """Send a booking again over a healthy connection, and look at what there is of it."""
    booked = await send(riverside, booking, key)
    assert isinstance(booked, Booked)
    assert booked == await send(riverside, booking, key)
    reference = booked.appointment.reference
    async with across_practices(riverside.pool) as conn:
        online = await conn.fetch(
            """SELECT a.reference FROM appointment a JOIN client_contact k USING (practice_id, client_id)
               WHERE k.value = $1 ORDER BY visit""",
            booking.contact.value,
        )
        keys = await conn.fetch("SELECT key FROM write_back WHERE key LIKE $1 || '%' ORDER BY position", reference)
        bodies = await conn.fetch("SELECT body FROM message WHERE recipient = $1", booking.contact.value)
        held = await conn.fetchval("SELECT count(*) FROM hold WHERE hold_id = $1", booking.hold_id)
    assert [row["reference"] for row in online] == [reference, reference]
    assert [row["key"] for row in keys] == [f"{reference}{end}" for end in ("-C", "-P", "", "-2-P", "-2")]
    assert len(bodies) == 1
    assert reference in bodies[0]["body"]
    assert held == 0


async def book_through(
    riverside: Riverside, proxy: CuttingProxy, url: str, booking: Booking, key: str, cut_at: int, when: When
) -> object:
    """Book over the proxy; what came of it, or the error that the caller sees."""
    pool = await connect(url, max_size=1)
    proxy.cut_at(cut_at, when)
    try:
        return await book(pool, riverside.practice, booking, key=key, site=SITE, now=NOW)
    except OUT_OF_REACH as failure:
        return failure
    finally:
        pool.terminate()


@pytest.mark.parametrize("when", WHEN)
async def test_a_connection_lost_anywhere_in_a_booking_leads_to_one_booking_when_it_is_sent_again(
    riverside: Riverside, when: When
) -> None:
    to_come = bookings(riverside)
    key, booking = await anext(to_come)
    async with cutting_proxy(riverside.database_url) as (counting, url):
        assert isinstance(await book_through(riverside, counting, url, booking, key, 0, when), Booked)
    await once_more(riverside, booking, key)
    assert counting.round_trips > 10
    for round_trip in range(1, counting.round_trips + 1):
        key, booking = await anext(to_come)
        async with cutting_proxy(riverside.database_url) as (proxy, url):
            outcome = await book_through(riverside, proxy, url, booking, key, round_trip, when)
        assert proxy.has_cut
        assert isinstance(outcome, OUT_OF_REACH), round_trip
        await once_more(riverside, booking, key)
    assert await overlaps(riverside.pool) == 0


async def book_and_be_killed(riverside: Riverside, booking: Booking, key: str, cut_at: int, when: When) -> int:
    """Let a process of its own book, and kill it in the middle; how many round trips it came to."""
    async with cutting_proxy(riverside.database_url) as (proxy, url):
        command = (sys.executable, "-m", "tests.booking.book_once")
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        practice_id = riverside.practice.practice_id
        order = Order(database_url=url, practice_id=practice_id, booking=booking, key=key, now=NOW)
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        assert await process.stdout.readline() == b"ready\n"
        proxy.cut_at(cut_at, when, on_cut=process.kill)
        process.stdin.write(b"go\n")
        said, _ = await process.communicate()
        assert (process.returncode, said) == ((-9, b"") if cut_at else (0, b"booked\n"))
        return proxy.round_trips


@pytest.mark.parametrize("when", WHEN)
async def test_a_process_killed_anywhere_in_a_booking_leads_to_one_booking_when_it_is_sent_again(
    riverside: Riverside, when: When
) -> None:
    to_come = bookings(riverside)
    key, booking = await anext(to_come)
    round_trips = await book_and_be_killed(riverside, booking, key, 0, when)
    await once_more(riverside, booking, key)
    # The commit is the last one.
    for round_trip in range(1, round_trips + 1) if PROVE else (round_trips // 2, round_trips):
        key, booking = await anext(to_come)
        await book_and_be_killed(riverside, booking, key, round_trip, when)
        await once_more(riverside, booking, key)
    assert await overlaps(riverside.pool) == 0
