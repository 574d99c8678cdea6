"""Live slot changes as they go over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from litestar import Litestar

from booking.db import practices
from booking.db.pool import Pool, across_practices
from tests.widget.oak_lane import OakLane, browser_of, open_oak_lane, settings_of
from widget.app import create_app


@pytest.fixture
async def oak_lane(pool: Pool) -> OakLane:
    return await open_oak_lane(pool)


@asynccontextmanager
async def stream_of(app: Litestar, *, last_event: str = "") -> AsyncGenerator[asyncio.Queue[Any], None]:
    """Ask for the stream as a server would, and hang up in the end."""
    sent: asyncio.Queue[Any] = asyncio.Queue()
    hung_up = asyncio.Event()
    asked = asyncio.Event()

    async def receive() -> Any:  # noqa: ANN401
        if not asked.is_set():
            asked.set()
            return {"type": "http.request", "body": b"", "more_body": False}
        await hung_up.wait()
        return {"type": "http.disconnect"}

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/api/v1/practices/oak-lane/slots/live",
        "raw_path": b"/api/v1/practices/oak-lane/slots/live",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"testserver.local"), *([(b"last-event-id", last_event.encode())] if last_event else [])],
        "client": ("192.0.2.1", 1),
        "server": ("testserver.local", 80),
    }
    serving = asyncio.create_task(app(scope, receive, sent.put))
    async with asyncio.timeout(20):
        yield sent
        hung_up.set()
        await asyncio.wait([serving], timeout=5)
        assert serving.done()


async def event(sent: asyncio.Queue[Any]) -> dict[str, str]:
    """Return the next event's fields; comments and `retry` alone are none."""
    while True:
        message = await sent.get()
        lines = message.get("body", b"").decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines if line and not line.startswith(":"))
        if "event" in fields:
            return fields


async def test_a_page_hears_the_version_and_each_rise_and_hanging_up_ends_the_stream(
    oak_lane: OakLane, database_url: str, redis_url: str
) -> None:
    app = create_app(settings_of(database_url, redis_url))
    async with app.lifespan():
        async with stream_of(app) as sent:
            start = await sent.get()
            headers = {name.decode(): value.decode() for name, value in start["headers"]}
            assert (start["status"], headers["content-type"].split(";")[0]) == (200, "text/event-stream")
            assert b"retry: 5000" in (await sent.get())["body"]
            first = await event(sent)
            assert first["event"] == "schedule"
            assert first["data"] == f'{{"version":{first["id"]}}}'
            async with across_practices(oak_lane.pool) as conn:
                await practices.raise_schedule_version(conn, oak_lane.practice.practice_id)
            second = await event(sent)
            assert int(second["id"]) == int(first["id"]) + 1
        assert app.state.schedule_watch.streams == 0
        async with stream_of(app, last_event=first["id"]) as sent:
            assert await event(sent) == second


async def test_the_stream_of_a_practice_that_is_not_there_is_not_found(
    oak_lane: OakLane, database_url: str, redis_url: str
) -> None:
    async with browser_of(settings_of(database_url, redis_url)) as browser:
        answer: httpx.Response = await browser.get("/api/v1/practices/nowhere/slots/live")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
