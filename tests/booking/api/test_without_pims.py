"""A practice without a PIMS: our schedule is the truth, so it is never old, and nothing waits to be written."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx

from booking.db import connections
from booking.db.connections import Connection
from booking.db.pool import across_practices
from booking.site import Site
from booking.sync.rounds import Keeping
from booking.write_back import deliver_due
from pims_adapters import open_adapter
from pims_adapters.contract import PimsAdapter
from tests.booking.api.calls import V1, slots_of, with_token
from tests.booking.api.test_bookings import far, sams_booking
from tests.widget.cedar_hill import CedarHill

SETTINGS = {"name": "Cedar Hill Pets", "timezone": "America/New_York"}
SITE = Site(public_url="https://book.example", secret_key=b"a key of thirty-two bytes or more")


def clock() -> datetime:
    return datetime.now(UTC)


async def connect_to_nothing(cedar_hill: CedarHill) -> None:
    """Connect the practice to no PIMS, and let a worker get to know it: there is nothing to import, so it is live."""
    practice_id = cedar_hill.practice.practice_id
    connection = Connection(
        practice_id=practice_id,
        connection_id=uuid4(),
        adapter="no_pims",
        settings=SETTINGS,
        status="importing",
        as_of=None,
        failing_since=None,
        failure=None,
    )
    async with across_practices(cedar_hill.pool) as conn:
        await connections.put_connection(conn, connection)

    async def opened(connection: Connection) -> PimsAdapter:
        return open_adapter(connection.adapter, connection.settings)

    keeping = Keeping(cedar_hill.pool, opened, site=SITE, clock=clock, most=timedelta(seconds=1))
    async with asyncio.timeout(10):
        await keeping.round()
        while await cedar_hill.fetchval("SELECT status FROM connection") != "live":
            await asyncio.sleep(0.01)


async def deliver(cedar_hill: CedarHill) -> None:
    adapter = open_adapter("no_pims", SETTINGS)
    await deliver_due(cedar_hill.pool, adapter, cedar_hill.practice.practice_id, site=SITE, clock=clock)


async def outbox(cedar_hill: CedarHill) -> set[tuple[str, str]]:
    """Return how what was to be written stands, and why."""
    async with across_practices(cedar_hill.pool) as conn:
        return {(row["state"], row["reason"]) for row in await conn.fetch("SELECT state, reason FROM write_back")}


async def test_its_schedule_is_true_as_of_now_however_long_nothing_was_read(
    api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    await connect_to_nothing(cedar_hill)
    found = await slots_of(api, cedar_hill)
    assert found["mode"] == "instant"
    age = datetime.now(UTC) - datetime.fromisoformat(found["asOf"])
    assert age.total_seconds() < 60


async def test_it_books_moves_and_cancels_and_nothing_waits_to_be_written(
    api: httpx.AsyncClient, cedar_hill: CedarHill
) -> None:
    await connect_to_nothing(cedar_hill)
    session, made = await sams_booking(api, cedar_hill)
    await deliver(cedar_hill)
    path, headers = f"{V1}/bookings/{made['reference']}", with_token(session)
    slots = await far(api, cedar_hill)
    assert made["start"] not in {slot["start"] for slot in slots[:1]}
    moved = await api.post(f"{path}/reschedule", json={"start": slots[-1]["start"]}, headers=headers)
    assert (moved.status_code, moved.json()["start"]) == (200, slots[-1]["start"])
    await deliver(cedar_hill)
    cancelled = await api.post(f"{path}/cancel", headers=headers)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    await deliver(cedar_hill)
    assert made["start"] in {slot["start"] for slot in await far(api, cedar_hill)}
    said = await outbox(cedar_hill)
    assert {state for state, _ in said} <= {"superseded"}
    assert all(reason.endswith(".") for _, reason in said)
