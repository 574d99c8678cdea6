"""The other end of an agent's line, as small as it can be: what the protocol says of it, in memory, over HTTP.

It stands in for vetslot where a test has to decide which answer is lost; `tests/booking` has the agent and vetslot.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from pims_adapters._agent.protocol import (
    AnyRow,
    Call,
    CallName,
    Calls,
    Done,
    FeedState,
    Fetch,
    Hello,
    Page,
    PageKept,
    Result,
    Welcome,
)
from tests.clinic_simulator.http import Answer, Request, listen

FEEDS = (
    FeedState(name="schedule", tables=("block", "appointment"), cursor=None, every_seconds=1),
    FeedState(name="people", tables=("client", "patient"), cursor=None, every_seconds=1),
)
Lost = Literal["before", "after", "unreadable", "busy"]


class LineEnd:
    """One end of a line, with a queue of calls and a cursor for each feed."""

    def __init__(self, feeds: tuple[FeedState, ...] = FEEDS) -> None:
        self.url = ""
        self.feeds = {feed.name: feed for feed in feeds}
        self.hellos: list[Hello] = []
        self.goodbyes = 0
        self.pages: list[Page] = []
        self.rows: dict[tuple[str, str], AnyRow] = {}
        self.results: dict[str, Result] = {}
        self.handed_out: list[str] = []
        self.refusals: list[tuple[int, str]] = []
        self.losing: list[tuple[str, Lost]] = []
        self._waiting: list[Call] = []
        self._instance = ""

    def ask(self, call: CallName, body: Struct, *, key: str | None = None, id_: str = "", within: float = 60) -> str:
        """Queue a call; its identifier."""
        id_ = id_ or f"call-{len(self.handed_out) + len(self._waiting) + 1}"
        deadline = datetime.now(UTC) + timedelta(seconds=within)
        self._waiting.append(Call(id=id_, call=call, key=key, deadline=deadline, body=Raw(msgspec.json.encode(body))))
        return id_

    def lose(self, path: str, what: Lost = "after") -> None:
        """Let the next request of this path get lost before it is heard, or its answer after."""
        self.losing.append((path, what))

    async def result(self, id_: str, within: float = 10) -> Result:
        """Wait until a call is reported."""
        async with asyncio.timeout(within):
            while id_ not in self.results:
                await asyncio.sleep(0.01)
        return self.results[id_]

    async def quiet(self, within: float = 10) -> None:
        """Wait until every feed was pushed to its end at least once from now."""
        seen = len(self.pages)
        async with asyncio.timeout(within):
            while {page.feed for page in self.pages[seen:] if not page.more} != set(self.feeds):
                await asyncio.sleep(0.01)

    def answer(self, request: Request) -> Answer:
        path = request.path.removeprefix("/agent/v1/")
        lost = next((each for each in self.losing if each[0] == path), None)
        if lost is not None:
            self.losing.remove(lost)
            if lost[1] == "before":
                return Answer(sent="nothing")
            if lost[1] == "busy":
                return Answer(status=503, body=b"{}")
        answer = self._answered(path, request.body)
        if lost is not None:
            return Answer(sent="nothing") if lost[1] == "after" else Answer(body=b"<html>")
        return answer

    def _answered(self, path: str, body: bytes) -> Answer:
        match path:
            case "hello":
                return self._hello(msgspec.json.decode(body, type=Hello))
            case "pages":
                return self._page(msgspec.json.decode(body, type=Page))
            case "calls/fetch":
                return self._fetch(msgspec.json.decode(body, type=Fetch))
            case "calls/result":
                result = msgspec.json.decode(body, type=Result)
                self.results.setdefault(result.id, result)
                return _json(Done())
            case "bye":
                self.goodbyes += 1
                return _json(Done())
        return Answer(status=404)

    def _hello(self, hello: Hello) -> Answer:
        if self.refusals:
            status, code = self.refusals.pop(0)
            return _problem(status, code)
        self.hellos.append(hello)
        self._instance = hello.instance
        return _json(Welcome(feeds=tuple(self.feeds.values()), lease_seconds=45, server_time=datetime.now(UTC)))

    def _page(self, page: Page) -> Answer:
        if page.instance != self._instance:
            return _problem(409, "hello-first")
        feed = self.feeds[page.feed]
        if page.after != feed.cursor:
            if page.cursor == feed.cursor:
                return _json(PageKept(cursor=feed.cursor))
            return _problem(409, "another-cursor", cursor=feed.cursor)
        self.pages.append(page)
        for row in page.rows:
            self.rows[type(row).__name__, row.id] = row
        self.feeds[page.feed] = msgspec.structs.replace(feed, cursor=page.cursor)
        return _json(PageKept(cursor=page.cursor))

    def _fetch(self, fetch: Fetch) -> Answer:
        if fetch.instance != self._instance:
            return _problem(409, "hello-first")
        if not self._waiting:
            return msgspec.structs.replace(_json(Calls(calls=())), after=min(fetch.wait_seconds, 0.02))
        calls = tuple(self._waiting[: fetch.most])
        del self._waiting[: fetch.most]
        self.handed_out += [call.id for call in calls]
        return _json(Calls(calls=calls))


@asynccontextmanager
async def line_end(feeds: tuple[FeedState, ...] = FEEDS) -> AsyncIterator[LineEnd]:
    """Listen until the block is left."""
    end = LineEnd(feeds)
    server = await listen(end.answer, "127.0.0.1", 0)
    end.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield end
    server.close()


def _json(value: Struct) -> Answer:
    return Answer(body=msgspec.json.encode(value))


def _problem(status: int, code: str, **more: object) -> Answer:
    return Answer(status=status, body=msgspec.json.encode({"code": code, "detail": f"It is {code}.", **more}))
