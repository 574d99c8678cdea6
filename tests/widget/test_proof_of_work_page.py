"""Where codes cost a proof of work, a real browser does it by itself, and whoever has no scripts is told what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import async_playwright
from redis.asyncio import Redis

from booking.db.pool import Pool
from booking.identify import PER_ADDRESS
from tests.widget.oak_lane import FROM_HERE, SECRET_KEY, OakLane, open_oak_lane
from tests.widget.test_embed import BROWSERS, served
from widget.embedded.process import free_port
from widget.flow import Flow, begin

CODES = "/api/v1/practices/oak-lane/verifications"


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@pytest.fixture
async def site(oak_lane: OakLane, database_url: str, redis_url: str) -> AsyncIterator[str]:
    """Return the address of the web server, at which very many codes were asked for from here."""
    port = free_port()
    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PORT": str(port),
        "SECRET_KEY": SECRET_KEY.decode(),
        "DEV_MAILBOX": "1",
    }
    address = f"http://localhost:{port}"
    with served(address, settings):
        async with httpx.AsyncClient(base_url=address) as client:
            for n in range(PER_ADDRESS.free or 0):
                assert (await client.post(CODES, json={"email": f"a{n}@example.com"})).status_code == 202
        yield address


async def who_page(oak_lane: OakLane, redis: Redis) -> str:
    """Choose and hold a time; the path of the next step."""
    held = await oak_lane.hold()
    flow = Flow(
        key=str(uuid4()),
        wish=oak_lane.wish(),
        starts_at=held.hold.starts_at,
        hold_id=held.hold.hold_id,
        hold_secret=held.secret,
    )
    return f"/book/oak-lane/f/{await begin(redis, oak_lane.practice, flow)}/who"


async def test_a_browser_works_for_the_code_by_itself(site: str, oak_lane: OakLane, redis: Redis) -> None:
    path = await who_page(oak_lane, redis)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(f"{site}{path}")
        await page.get_by_label("Phone number or email").fill("noor@example.com")
        await page.get_by_role("button", name="Send me a code").click()
        await page.get_by_role("heading", name="We sent you a code").wait_for(timeout=120_000)
        await browser.close()


async def test_who_has_no_scripts_is_told_what_to_do(site: str, oak_lane: OakLane, redis: Redis) -> None:
    path = await who_page(oak_lane, redis)
    async with httpx.AsyncClient(base_url=site) as client:
        answer = await client.post(path, data={"contact": "noor@example.com"}, headers=FROM_HERE)
    assert answer.status_code == 429
    assert "Try again in ten minutes, or call" in answer.text
    assert "noor@example.com" in answer.text


def chromium() -> str:
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail("These tests need a browser: install Chromium, or name one as in CHROMIUM=/path/to/chromium.")
    return path
