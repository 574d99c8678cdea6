"""Signing in to the console: who gets in, who does not, and what neither can learn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from argon2 import PasswordHasher

from booking.db.pool import Pool, across_practices
from tests.widget.oak_lane import PASSWORD, OakLane, browser_of, open_oak_lane, send, settings_of, sign_in_as

Browser = httpx.AsyncClient


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@pytest.fixture
async def browser(database_url: str, redis_url: str) -> AsyncIterator[Browser]:
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        yield browser


async def test_staff_sign_in_and_out_again(oak_lane: OakLane, browser: Browser) -> None:
    await sign_in_as("owner", browser, oak_lane)
    assert (await browser.get("/console/schedule", follow_redirects=False)).status_code == 200
    secret = browser.cookies["vetslot-staff"]

    assert (await send(browser, "/console/sign-out")).headers["location"] == "/console"
    browser.cookies.set("vetslot-staff", secret, domain="testserver.local")
    ended = await browser.get("/console/schedule", follow_redirects=False)
    assert ended.status_code == 303, "a session that was ended stays ended, whoever kept its cookie"


async def test_an_unknown_email_and_a_wrong_password_get_the_same_answer(oak_lane: OakLane, browser: Browser) -> None:
    wrong = await send(browser, "/console/oak-lane/sign-in", email="owner@oak-lane.example", password="no")
    unknown = await send(browser, "/console/oak-lane/sign-in", email="nobody@oak-lane.example", password=PASSWORD)
    assert wrong.status_code == unknown.status_code == 422
    assert wrong.text.replace("owner@", "nobody@") == unknown.text
    assert "do not belong together" in wrong.text
    assert "set-cookie" not in wrong.headers


async def test_guessing_is_stopped(oak_lane: OakLane, browser: Browser) -> None:
    for _ in range(10):
        await send(browser, "/console/oak-lane/sign-in", email="owner@oak-lane.example", password="no")
    stopped = await send(browser, "/console/oak-lane/sign-in", email="owner@oak-lane.example", password=PASSWORD)
    assert stopped.status_code == 429
    assert "tried too often" in stopped.text


async def test_others_are_served_while_a_password_is_checked(pool: Pool, oak_lane: OakLane, browser: Browser) -> None:
    slow = PasswordHasher(time_cost=40).hash(PASSWORD)
    async with across_practices(pool) as conn:
        await conn.execute("UPDATE staff SET password_hash = $1", slow)
    email = "owner@oak-lane.example"
    signing_in = asyncio.create_task(
        send(browser, "/console/oak-lane/sign-in", email=email, password=PASSWORD), name="sign in"
    )
    served = 0
    while not signing_in.done():
        assert (await browser.get("/health")).status_code == 200
        served += 1
        await asyncio.sleep(0.005)
    assert (await signing_in).status_code == 303
    assert served > 10


async def test_staff_of_one_practice_cannot_sign_in_to_another(pool: Pool, oak_lane: OakLane, browser: Browser) -> None:
    await open_oak_lane(pool, "elm-road")
    answer = await send(browser, "/console/elm-road/sign-in", email="owner@oak-lane.example", password=PASSWORD)
    assert answer.status_code == 422


@pytest.mark.parametrize("page", ["schedule", "appointment-types", "requests"])
async def test_without_a_session_every_page_leads_to_the_sign_in(browser: Browser, page: str) -> None:
    answer = await browser.get(f"/console/{page}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    assert "Which practice is yours?" in (await browser.get("/console")).text


async def test_a_browser_remembers_its_practice_but_not_its_staff(oak_lane: OakLane, browser: Browser) -> None:
    await sign_in_as("owner", browser, oak_lane)
    del browser.cookies["vetslot-staff"]
    answer = await browser.get("/console/schedule", follow_redirects=False)
    assert answer.headers["location"] == "/console/oak-lane/sign-in"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
async def test_a_form_of_another_website_is_refused(
    oak_lane: OakLane, browser: Browser, headers: dict[str, str]
) -> None:
    await sign_in_as("owner", browser, oak_lane)
    path = f"/console/appointment-types/{oak_lane.type_id}"
    form = {"name": "Taken over", "length": "30", "who_may_book": "everyone"}
    assert (await browser.post(path, data=form, headers=headers)).status_code == 403
    assert "Taken over" not in (await browser.get("/console/appointment-types")).text


async def test_a_form_of_ours_is_known_by_its_origin_in_browsers_without_fetch_metadata(
    oak_lane: OakLane, browser: Browser
) -> None:
    form = {"email": "owner@oak-lane.example", "password": PASSWORD}
    path = "/console/oak-lane/sign-in"
    origin = {"Origin": "http://testserver.local"}
    answer = await browser.post(path, data=form, headers=origin, follow_redirects=False)
    assert answer.status_code == 303
    assert (await browser.get(path)).headers["referrer-policy"] == "same-origin", "else Origin would be `null`"


async def test_the_session_cookie_stays_with_this_host_and_with_https(
    oak_lane: OakLane, database_url: str, redis_url: str
) -> None:
    async with browser_of(settings_of(database_url, redis_url, public_url="https://book.example")) as browser:
        form = {"email": "owner@oak-lane.example", "password": PASSWORD}
        answer = await send(browser, "/console/oak-lane/sign-in", **form)
    (cookie,) = [one for one in answer.headers.get_list("set-cookie") if "staff" in one]
    name, *rest = cookie.split("; ")
    assert name.startswith("__Host-vetslot-staff=")
    assert {"httponly", "secure", "samesite=strict", "path=/"} <= {part.lower() for part in rest}
    assert not any(part.lower().startswith("domain") for part in rest)


async def test_pages_of_the_console_are_kept_nowhere(oak_lane: OakLane, browser: Browser) -> None:
    await sign_in_as("owner", browser, oak_lane)
    answer = await browser.get("/console/schedule")
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
