"""HTTP to vetslot: what goes wrong there becomes one of a few errors, and what is personal stays out of all of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

import httpx
import msgspec
from msgspec import Struct

from pims_adapters._agent.protocol import (
    Bye,
    Call,
    Calls,
    Done,
    Fetch,
    Hello,
    Page,
    PageKept,
    Result,
    Welcome,
)

TIMEOUT = 30.0
LONGEST_WAIT = timedelta(minutes=5)
T = TypeVar("T")


class LineError(Exception):
    """Vetslot did not take what was said."""


class OutOfReach(LineError):
    """Vetslot did not answer, or cannot now. Say it again later, after `wait` where it says so."""

    def __init__(self, reason: str, wait: timedelta | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class TokenRefused(LineError):
    """The token lets nobody in."""


class VersionRefused(LineError):
    """Vetslot speaks another version of the protocol."""


class NotFitting(LineError):
    """The PIMS or its settings do not fit the connection; the message says how."""


class AnotherSpeaks(LineError):
    """Another agent has the line; ask again after `wait`."""

    def __init__(self, reason: str, wait: timedelta | None) -> None:
        super().__init__(reason)
        self.wait = wait


class HelloFirst(LineError):
    """The line was given up meanwhile."""


class Refused(LineError):
    """Vetslot understood, and saying the same again would be refused again."""


class Said(Struct, frozen=True, kw_only=True, rename="camel"):
    """A problem document, as far as it matters here."""

    code: str = ""
    detail: str = ""
    title: str = ""


class Line:
    """The line to one server with one token."""

    def __init__(self, server: str, token: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport`: what carries requests, where that is not the network."""
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(base_url=server, timeout=TIMEOUT, headers=headers, transport=transport)

    async def hello(self, hello: Hello) -> Welcome:
        return await self._post("hello", hello, Welcome)

    async def push(self, page: Page) -> PageKept:
        """Push a page. Where another one is to come first, the answer names the cursor to go on from."""
        return await self._post("pages", page, PageKept)

    async def fetch(self, fetch: Fetch) -> tuple[Call, ...]:
        return (await self._post("calls/fetch", fetch, Calls, wait=fetch.wait_seconds)).calls

    async def report(self, result: Result) -> None:
        await self._post("calls/result", result, Done)

    async def bye(self, instance: str) -> None:
        await self._post("bye", Bye(instance=instance), Done)

    async def close(self) -> None:
        await self._http.aclose()

    async def _post(self, path: str, body: Struct, type_: type[T], *, wait: float = 0) -> T:
        headers = {"Content-Type": "application/json"}
        try:
            answer = await self._http.post(
                f"/agent/v1/{path}", content=msgspec.json.encode(body), headers=headers, timeout=TIMEOUT + wait
            )
        except httpx.HTTPError as error:
            raise OutOfReach(f"vetslot is out of reach ({type(error).__name__}).") from None
        if answer.is_success:
            return _decoded(answer, type_)
        said = _said(answer)
        if said.code == "another-cursor":
            return _decoded(answer, type_)
        raise _error(answer, said)


def _decoded(answer: httpx.Response, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.content, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise OutOfReach("vetslot's answer cannot be read.") from None


def _said(answer: httpx.Response) -> Said:
    try:
        return msgspec.json.decode(answer.content, type=Said)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Said()


def _error(answer: httpx.Response, said: Said) -> LineError:
    wait = _retry_after(answer)
    reason = said.detail or said.title or f"vetslot answered {answer.status_code}."
    match answer.status_code, said.code:
        case 401, _:
            return TokenRefused(reason)
        case _, "protocol-refused":
            return VersionRefused(reason)
        case _, "agent-refused":
            return NotFitting(reason)
        case _, "another-agent":
            return AnotherSpeaks(reason, wait)
        case _, "hello-first":
            return HelloFirst(reason)
        case status, _ if status in (408, 425, 429) or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return OutOfReach(reason, wait)
    return Refused(reason)


def _retry_after(answer: httpx.Response) -> timedelta | None:
    """Return how long vetslot asks to wait, within reason."""
    asked = answer.headers.get("retry-after", "")
    return min(timedelta(seconds=int(asked)), LONGEST_WAIT) if asked.isascii() and asked.isdigit() else None
