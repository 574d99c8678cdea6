"""HTTP with the calendar server: bounded answers, one origin, and the contract's errors for whatever goes wrong."""

import ssl
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import NoReturn

import httpx
from msgspec import Struct

from pims_adapters.caldav import xml
from pims_adapters.caldav.settings import Settings
from pims_adapters.contract import CursorExpired, PimsMisconfigured, PimsRejected, PimsUnavailable

CONNECT_SECONDS = 3.0
MOST_ANSWER_BYTES = 32 * 1024 * 1024
MOST_REDIRECTS = 3
NOT_YET_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
REDIRECTS = {301, 302, 303, 307, 308}
ABSENT = {404, 410}
PRECONDITION_FAILED = 412


class Answer(Struct, frozen=True):
    """An answer that is no failure: also absent (404) and otherwise than expected (412), which callers decide on."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def absent(self) -> bool:
        return self.status in ABSENT

    @property
    def stands_otherwise(self) -> bool:
        """The condition (`If-Match`, `If-None-Match`) did not hold, so nothing was done."""
        return self.status == PRECONDITION_FAILED

    @property
    def at(self) -> datetime:
        """The server's time when it answered."""
        try:
            found = parsedate_to_datetime(self.headers.get("date", ""))
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise PimsUnavailable("The calendar server does not tell the time.", outcome_unknown=False)
        return found


class Exchange:
    """The connections to one calendar server. Whoever calls bounds the time of all it does together.

    `clock`: the time by the server's clock, as of its last answer to a question.
    """

    clock: datetime

    def __init__(self, settings: Settings) -> None:
        self.start = httpx.URL(settings.url)
        seconds = settings.timeout_seconds
        self._http = httpx.AsyncClient(
            auth=httpx.BasicAuth(settings.user, settings.password),
            headers={"User-Agent": "vetslot"},
            timeout=httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
            limits=httpx.Limits(max_connections=4),
            follow_redirects=False,
            trust_env=False,
            verify=_trusted(),
        )

    async def ask(self, method: str, path: str, body: bytes, *, depth: int = 0) -> Answer:
        """Read by PROPFIND or REPORT; redirects are followed within the origin."""
        for _ in range(MOST_REDIRECTS + 1):
            headers = {"Depth": str(depth), "Content-Type": "application/xml; charset=utf-8"}
            answer = await self._exchange(method, path, body, headers, writes=False)
            if answer.status not in REDIRECTS:
                self.clock = answer.at
                return answer
            path = self.path_of(answer.headers.get("location", ""), base=path)
        raise PimsMisconfigured("The calendar server sends us from one address to the next.")

    async def put(self, path: str, text: bytes, *, etag: str | None) -> Answer:
        """Write an event: a new one, or instead of the one that has this ETag (RFC 4791, 5.3.2)."""
        condition = {"If-None-Match": "*"} if etag is None else {"If-Match": etag}
        headers = {"Content-Type": "text/calendar; charset=utf-8", **condition}
        return await self._exchange("PUT", path, text, headers, writes=True)

    async def delete(self, path: str, *, etag: str | None) -> Answer:
        headers = {} if etag is None else {"If-Match": etag}
        return await self._exchange("DELETE", path, b"", headers, writes=True)

    def path_of(self, href: str, *, base: str = "/") -> str:
        """Return the path of an address that the server gave. Raises `PimsMisconfigured` where it leads elsewhere."""
        try:
            found = self.start.join(base).join(href)
        except httpx.InvalidURL:
            raise PimsMisconfigured("The calendar server names an address that is none.") from None
        if (found.scheme, found.host, found.port) != (self.start.scheme, self.start.host, self.start.port):
            raise PimsMisconfigured("The calendar server sends us to another server; enter that one's address instead.")
        return found.raw_path.decode("ascii")

    async def close(self) -> None:
        await self._http.aclose()

    async def _exchange(self, method: str, path: str, body: bytes, headers: dict[str, str], *, writes: bool) -> Answer:
        try:
            answer = await self._send(method, self.start.join(path), body, headers)
        except NOT_YET_SENT as error:
            raise PimsUnavailable(
                f"No connection to the calendar server: {_name(error)}.", outcome_unknown=False
            ) from None
        except httpx.HTTPError as error:
            raise PimsUnavailable(
                f"No answer from the calendar server: {_name(error)}.", outcome_unknown=writes
            ) from None
        if httpx.codes.is_success(answer.status) or answer.absent or answer.stands_otherwise:
            return answer
        if answer.status not in REDIRECTS or writes:
            _fail(answer, writes=writes)
        return answer

    async def _send(self, method: str, url: httpx.URL, content: bytes, headers: dict[str, str]) -> Answer:
        async with self._http.stream(method, url, content=content, headers=headers) as response:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MOST_ANSWER_BYTES:
                    raise httpx.DecodingError("answer too long")
            return Answer(response.status_code, response.headers, bytes(body))


def _fail(answer: Answer, *, writes: bool) -> NoReturn:
    """Say in the contract's words what a status means; what the server wrote beside it may name people."""
    said = f"The calendar server answers with status {answer.status}"
    unmet = xml.preconditions(answer.body)
    match answer.status:
        case 401 | 407:
            raise PimsMisconfigured(f"{said}: user or password is wrong.")
        case 403 | 409 if "valid-sync-token" in unmet:
            raise CursorExpired("The calendar server no longer knows the sync token.")
        case 429:
            raise PimsUnavailable(f"{said}: it asks us to slow down.", outcome_unknown=False)
        case 507:
            raise PimsRejected(f"{said}: the calendar is full.")
        case status if status >= 500:  # noqa: PLR2004 - the server's own failures
            raise PimsUnavailable(f"{said}.", outcome_unknown=writes)
        case 400 | 409 | 413 | 415 | 422 if writes:
            raise PimsRejected(f"{said}{_reasons(unmet)}.")
        case 403 if writes and unmet and "need-privileges" not in unmet:
            raise PimsRejected(f"{said}{_reasons(unmet)}.")
        case 403:
            raise PimsMisconfigured(f"{said}: this user may not do that there.")
        case _:
            raise PimsMisconfigured(f"{said}: there is no calendar at this address.")


def _reasons(unmet: set[str]) -> str:
    known = sorted(name for name in unmet if name.replace("-", "").isalpha() and len(name) < 60)  # noqa: PLR2004
    return f": {', '.join(known)}" if known else ""


@cache
def _trusted() -> ssl.SSLContext:
    """Return what every connection trusts; reading the certificates takes a tenth of a second."""
    return httpx.create_ssl_context(trust_env=False)


def _name(error: Exception) -> str:
    # An error's text may hold an address, and an address the name of a calendar.
    return type(error).__name__
