"""Our copy of the PIMS at the API: how fresh, what is held back, how it compared; tasks of staff; reading anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from booking.db import connections, drift, feeds, held_back, staff_tasks
from booking.db.connections import Connection
from booking.db.drift import Difference, DriftReport
from booking.db.held_back import HeldBack
from booking.db.pool import Pool, across_practices
from pims_adapters import contract as pims
from tests.widget.oak_lane import FROM_HERE, OakLane, browser_of, open_oak_lane, settings_of, sign_in_as

STAFF = "/api/v1/staff"
NOW = datetime.now(UTC)
SCHEDULE = pims.Feed(name="schedule", kinds=("appointment",))


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@pytest.fixture
async def connection_id(oak_lane: OakLane) -> UUID:
    """Return a live connection with one feed."""
    practice_id, connection_id = oak_lane.practice.practice_id, uuid4()
    connection = Connection(
        practice_id=practice_id,
        connection_id=connection_id,
        adapter="demo",
        settings={},
        status="live",
        as_of=None,
        failing_since=None,
        failure=None,
    )
    async with across_practices(oak_lane.pool) as conn, conn.transaction():
        await connections.put_connection(conn, connection)
        await feeds.put_feeds(conn, practice_id, connection_id, [(SCHEDULE, None)], NOW)
    return connection_id


@pytest.fixture
async def owner(oak_lane: OakLane, database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        await sign_in_as("owner", browser, oak_lane)
        browser.headers.update(FROM_HERE)
        yield browser


async def test_what_is_held_back_is_shown_and_accepted(
    owner: httpx.AsyncClient, oak_lane: OakLane, connection_id: UUID
) -> None:
    practice_id = oak_lane.practice.practice_id
    refused = await owner.post(f"{STAFF}/connection/feeds/schedule/accept-losses")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing-held-back")
    async with across_practices(oak_lane.pool) as conn:
        held = HeldBack(feed="schedule", losing=40, of=50, since=NOW)
        await held_back.put(conn, practice_id, connection_id, held)
    (shown,) = (await owner.get(f"{STAFF}/connection/feeds")).json()["items"]
    assert (shown["name"], shown["losing"], shown["of"]) == ("schedule", 40, 50)
    accepted = await owner.post(f"{STAFF}/connection/feeds/schedule/accept-losses")
    assert accepted.status_code == 202, accepted.text
    async with across_practices(oak_lane.pool) as conn:
        found = await held_back.of_feed(conn, practice_id, connection_id, "schedule")
    assert found is not None
    assert found.accepted == 40


async def test_the_whole_pims_is_read_again_on_request(
    owner: httpx.AsyncClient, oak_lane: OakLane, connection_id: UUID
) -> None:
    async with across_practices(oak_lane.pool) as conn:
        await conn.execute("UPDATE feed SET cursor = '77', due_at = $1", NOW + timedelta(hours=1))
    assert (await owner.post(f"{STAFF}/connection/read-again")).status_code == 202
    async with across_practices(oak_lane.pool) as conn:
        (feed,) = await feeds.feeds_of(conn, oak_lane.practice.practice_id, connection_id)
    assert feed.cursor is None
    assert feed.due_at <= datetime.now(UTC)


async def test_what_differs_from_the_pims_is_shown(
    owner: httpx.AsyncClient, oak_lane: OakLane, connection_id: UUID
) -> None:
    assert (await owner.get(f"{STAFF}/connection/drift")).status_code == 404
    report = DriftReport(
        at=NOW,
        first=date(2026, 11, 26),
        last=date(2026, 12, 26),
        complete=True,
        compared=300,
        differing=1,
        differences=[Difference(kind="appointment", pims_id="a-1", fields=["start"])],
    )
    async with across_practices(oak_lane.pool) as conn:
        await drift.put_report(conn, oak_lane.practice.practice_id, connection_id, report)
    shown = (await owner.get(f"{STAFF}/connection/drift")).json()
    assert shown["differing"] == 1
    assert shown["differences"] == [{"kind": "appointment", "pimsId": "a-1", "fields": ["start"], "only": None}]


async def test_tasks_are_listed_newest_first_and_done_once(owner: httpx.AsyncClient, oak_lane: OakLane) -> None:
    async with across_practices(oak_lane.pool) as conn:
        for subject in ("appointment 1", "appointment 2"):
            await staff_tasks.open_task(
                conn, oak_lane.practice.practice_id, "missing", subject, f"Look for {subject}.", NOW
            )
    page = (await owner.get(f"{STAFF}/tasks", params={"limit": 1})).json()
    assert [one["words"] for one in page["items"]] == ["Look for appointment 2."]
    rest = (await owner.get(f"{STAFF}/tasks", params={"after": page["next"]})).json()
    assert [one["words"] for one in rest["items"]] == ["Look for appointment 1."]
    done = f"{STAFF}/tasks/{rest['items'][0]['id']}/done"
    assert (await owner.post(done)).json()["words"] == "Look for appointment 1."
    assert (await owner.post(done)).status_code == 404
    assert len((await owner.get(f"{STAFF}/tasks")).json()["items"]) == 1


async def test_without_a_connection_there_is_no_copy(owner: httpx.AsyncClient) -> None:
    assert (await owner.get(f"{STAFF}/connection/feeds")).json()["code"] == "connection-unknown"
    assert (await owner.post(f"{STAFF}/connection/read-again")).json()["code"] == "connection-unknown"
