"""Appointment types at the console: a change reaches the next client and the audit log, from those who may make it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from booking.db.pool import Pool, across_practices
from booking.db.requests import AppointmentRequest, insert_request
from booking.db.staff import Role
from tests.widget.oak_lane import OakLane, browser_of, open_oak_lane, send, settings_of, sign_in_as

CHANGE = {
    "name": "Yearly check-up",
    "bookable_online": "yes",
    "length": "45",
    "who_may_book": "new",
    "notice_hours": "3",
    "notice_minutes": "15",
}


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@pytest.fixture
async def browser(database_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        yield browser


def page_of(oak_lane: OakLane) -> str:
    return f"/console/appointment-types/{oak_lane.type_id}"


async def test_a_change_is_in_the_next_offer_and_in_the_audit_log(
    oak_lane: OakLane, browser: httpx.AsyncClient
) -> None:
    before = (await oak_lane.offer()).days[0].slots[0]
    assert (before.end - before.start).total_seconds() == 30 * 60
    await sign_in_as("manager", browser, oak_lane)
    saved = await send(browser, page_of(oak_lane), **CHANGE)
    assert saved.status_code == 303
    assert "Saved." in (await browser.get(saved.headers["location"])).text

    after = (await oak_lane.offer()).days[0].slots[0]
    assert (after.end - after.start).total_seconds() == 45 * 60
    listed = (await browser.get("/console/appointment-types")).text
    for words in ("Yearly check-up", "45 minutes", "New clients only", "3 hours 15 minutes"):
        assert words in listed
    async with across_practices(oak_lane.pool) as conn:
        (row,) = await conn.fetch("SELECT * FROM audit JOIN staff ON staff_id = actor_id")
    assert (row["role"], row["what"], row["subject_id"]) == ("manager", "appointment_type", oak_lane.type_id)
    assert (row["before"]["name"], row["after"]["name"]) == ("Wellness exam", "Yearly check-up")


async def test_a_type_taken_offline_is_not_offered_any_more(oak_lane: OakLane, browser: httpx.AsyncClient) -> None:
    await sign_in_as("owner", browser, oak_lane)
    assert "Wellness exam" in (await browser.get("/book/oak-lane?species=dog&client=new", follow_redirects=True)).text
    await send(browser, page_of(oak_lane), **{**CHANGE, "name": "Wellness exam", "bookable_online": ""})
    assert "not bookable" in (await browser.get("/console/appointment-types")).text
    with pytest.raises(Exception, match="cannot be booked online"):
        await oak_lane.offer()


@pytest.mark.parametrize("role", ["front_desk", "read_only"])
async def test_whoever_may_not_change_types_sees_no_form_and_is_refused(
    oak_lane: OakLane, browser: httpx.AsyncClient, role: Role
) -> None:
    await sign_in_as(role, browser, oak_lane)
    page = (await browser.get(page_of(oak_lane))).text
    assert "Owners and managers can change this." in page
    assert "<input" not in page
    assert (await send(browser, page_of(oak_lane), **CHANGE)).status_code == 403
    assert "Yearly check-up" not in (await browser.get("/console/appointment-types")).text


async def test_another_practice_s_type_is_not_found(oak_lane: OakLane, browser: httpx.AsyncClient, pool: Pool) -> None:
    elm_road = await open_oak_lane(pool, "elm-road")
    await sign_in_as("owner", browser, oak_lane)
    assert (await browser.get(page_of(elm_road))).status_code == 404
    assert (await send(browser, page_of(elm_road), **CHANGE)).status_code == 404
    async with across_practices(pool) as conn:
        names = await conn.fetch("SELECT name FROM appointment_type")
    assert {row["name"] for row in names} == {"Wellness exam"}


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("name", "  ", "enter a name"),
        ("length", "half an hour", "whole minutes"),
        ("length", "²", "whole minutes"),
        ("length", "1", "from 5 minutes to 12 hours"),
        ("who_may_book", "nobody", "who may book"),
        ("notice_hours", "-1", "whole hours and minutes"),
        ("notice_hours", "99999", "from 0 minutes to a year"),
        ("name", "x" * 61, "1 to 60 letters"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_lost_or_saved(
    oak_lane: OakLane, browser: httpx.AsyncClient, field: str, typed: str, words: str
) -> None:
    await sign_in_as("owner", browser, oak_lane)
    answer = await send(browser, page_of(oak_lane), **{**CHANGE, field: typed})
    assert answer.status_code == 422
    assert words in answer.text
    assert "Nothing was saved yet" in answer.text
    assert 'value="15"' in answer.text, "what was typed in the other fields is still there"
    assert "Wellness exam" in (await browser.get("/console/appointment-types")).text


async def test_open_requests_are_listed_and_escaped(oak_lane: OakLane, browser: httpx.AsyncClient) -> None:
    await sign_in_as("read_only", browser, oak_lane)
    assert "Nobody is waiting" in (await browser.get("/console/requests")).text
    asked = AppointmentRequest(
        appointment_request_id=uuid4(),
        appointment_type_id=oak_lane.type_id,
        contact_kind="phone",
        contact_value="+12125550188",
        name="<b>Ada</b>",
        patient_name="Nibbles",
        species="rabbit",
        preferred_times="Weekday afternoons",
        message="She stopped eating.",
        created_at=datetime.now(UTC),
    )
    async with across_practices(oak_lane.pool) as conn:
        await insert_request(conn, oak_lane.practice.practice_id, asked)
    page = (await browser.get("/console/requests")).text
    assert "&lt;b&gt;Ada&lt;/b&gt;" in page
    assert 'href="tel:+12125550188"' in page
    assert "Weekday afternoons" in page
