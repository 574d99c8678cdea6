"""The calendar feed: what staff see in their own calendars, and nobody else anywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from icalendar import Calendar, Event

from booking.calendar_feed import read_feed
from booking.db import practices
from booking.db.pool import Pool, across_practices
from booking.tokens import sealed
from tests.booking.conftest import NOW, Riverside
from tests.widget.oak_lane import FROM_HERE, OakLane, browser_of, open_oak_lane, settings_of, sign_in_as

FEEDS = "/api/v1/staff/calendar-feeds"


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@pytest.fixture
async def manager(oak_lane: OakLane, database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        await sign_in_as("manager", browser, oak_lane)
        browser.headers.update(FROM_HERE)
        yield browser


async def made(manager: httpx.AsyncClient, *, key: str | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    asked = {"name": "Oak Lane", **more}
    answer = await manager.post(FEEDS, json=asked, headers={"Idempotency-Key": key or str(uuid4())})
    assert answer.status_code == 201, answer.text
    feed: dict[str, Any] = answer.json()
    return feed


def path_of(feed: dict[str, Any]) -> str:
    return httpx.URL(feed["url"]).path


async def events(browser: httpx.AsyncClient, feed: dict[str, Any]) -> list[Event]:
    answer = await browser.get(path_of(feed))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    return list(Calendar.from_ical(answer.content).events)


async def cancel_all(oak_lane: OakLane) -> None:
    async with across_practices(oak_lane.pool) as conn, conn.transaction():
        await conn.execute("UPDATE appointment SET status = 'cancelled', calendar_sequence = calendar_sequence + 1")
        await conn.execute("DELETE FROM claim")
        await practices.raise_schedule_version(conn, oak_lane.practice.practice_id)


async def test_a_feed_shows_patient_and_type_under_a_stable_uid_and_no_contact(
    manager: httpx.AsyncClient, oak_lane: OakLane
) -> None:
    feed = await made(manager)
    appointment = (await oak_lane.book()).appointments[0]
    (event,) = await events(manager, feed)
    assert event["uid"] == f"{appointment.appointment_id}@vetslot"
    assert event["summary"] == "Zuzu: Wellness exam"
    assert (event.start, event.end) == (appointment.starts_at, appointment.ends_at)
    text = (await manager.get(path_of(feed))).text
    for word in ("Haddad", "Noor", "777"):
        assert word not in text


async def test_a_cancelled_visit_stays_as_cancelled_in_its_providers_feed_too(
    manager: httpx.AsyncClient, oak_lane: OakLane
) -> None:
    whole, providers = await made(manager), await made(manager, provider=str(oak_lane.provider_id))
    await oak_lane.book()
    await cancel_all(oak_lane)
    for feed in (whole, providers):
        (event,) = await events(manager, feed)
        assert (event["status"], event["sequence"]) == ("CANCELLED", 1)


async def test_a_providers_feed_shows_their_visits_only(manager: httpx.AsyncClient, oak_lane: OakLane) -> None:
    await oak_lane.book()
    assert len(await events(manager, await made(manager, provider=str(oak_lane.provider_id)))) == 1
    headers = {"Idempotency-Key": "k"}
    refused = await manager.post(FEEDS, json={"name": "x", "provider": str(uuid4())}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "provider-unknown")


async def test_a_feed_that_has_not_changed_is_not_sent_again(manager: httpx.AsyncClient, oak_lane: OakLane) -> None:
    path = path_of(await made(manager))
    first = await manager.get(path)
    etag = first.headers["etag"]
    again = await manager.get(path, headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    await oak_lane.book()
    changed = await manager.get(path, headers={"If-None-Match": f"W/{etag}"})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


async def test_a_revoked_feed_cannot_be_told_from_one_that_never_was(
    manager: httpx.AsyncClient, oak_lane: OakLane
) -> None:
    feed = await made(manager)
    practice_id = oak_lane.practice.practice_id
    where = f"{FEEDS}/{feed['feed']['id']}/revoke"
    assert [(await manager.post(where)).status_code for _ in range(2)] == [204, 204]
    guesses = [
        path_of(feed),
        *(f"/api/v1/calendar/{sealed('cf', one, 'x' * 32)}.ics" for one in (practice_id, uuid4())),
    ]
    answers = [await manager.get(path) for path in [*guesses, "/api/v1/calendar/x.ics", "/api/v1/calendar/x"]]
    assert {one.status_code for one in answers} == {404}
    assert len({one.content for one in answers}) == 1
    assert (await manager.get(FEEDS)).json()["items"] == []
    assert (await manager.post(f"{FEEDS}/{uuid4()}/revoke")).status_code == 404


async def test_a_feeds_address_is_made_once_a_key_and_not_stored(manager: httpx.AsyncClient, oak_lane: OakLane) -> None:
    first, again = await made(manager, key="k"), await made(manager, key="k")
    assert first == again
    assert first["url"] not in (await manager.get(FEEDS)).text
    secret = first["url"].removesuffix(".ics")[-32:]
    async with across_practices(oak_lane.pool) as conn:
        rows = await conn.fetch("SELECT f::text, (SELECT string_agg(a::text, '') FROM audit a) FROM calendar_feed f")
    assert secret not in str(rows)


async def test_the_front_desk_makes_no_feeds(oak_lane: OakLane, database_url: str, redis_url: str) -> None:
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        await sign_in_as("front_desk", browser, oak_lane)
        headers = {**FROM_HERE, "Idempotency-Key": "k"}
        assert (await browser.post(FEEDS, json={"name": "x"}, headers=headers)).status_code == 403


async def test_a_feed_reaches_from_two_weeks_ago_to_ninety_days_ahead(riverside: Riverside) -> None:
    async with across_practices(riverside.pool) as conn, conn.transaction():
        await conn.execute("INSERT INTO calendar_feed (practice_id, calendar_feed_id, secret_hash, name, created_at)"
                           " VALUES ($1, gen_random_uuid(), sha256('s'), 'All', $2)",
                           riverside.practice.practice_id, NOW)  # fmt: skip
        far = await conn.fetchval("UPDATE appointment SET starts_at = $1, ends_at = $2 WHERE appointment_id ="
                                  " (SELECT appointment_id FROM appointment LIMIT 1) RETURNING appointment_id",
                                  NOW + timedelta(days=91), NOW + timedelta(days=92))  # fmt: skip
        total = await conn.fetchval("SELECT count(*) FROM appointment WHERE starts_at BETWEEN $1 AND $2",
                                    NOW - timedelta(days=13), NOW + timedelta(days=89))  # fmt: skip
    feed = await read_feed(riverside.pool, sealed("cf", riverside.practice.practice_id, "s"), has=None, now=NOW)
    assert feed is not None
    assert feed.body is not None
    uids = {str(event["uid"]) for event in Calendar.from_ical(feed.body).events}
    assert f"{far}@vetslot" not in uids
    assert len(uids) >= total > 20
