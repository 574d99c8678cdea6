"""The line to one ezyVet site: a bounded answer, or one of the contract's errors (and `Refused`, which stays here)."""

from __future__ import annotations

import asyncio
import re
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import NoReturn, TypeVar
from urllib.parse import urlencode

import httpx
import msgspec
from msgspec import Struct

from pims_adapters.contract import PimsMisconfigured, PimsUnavailable
from pims_adapters.ezyvet.pace import BRIEFLY, Pace
from pims_adapters.ezyvet.settings import Settings
from pims_adapters.ezyvet.token import Granted, Token

CONNECT_SECONDS = 3.0
MOST_ANSWER_BYTES = 8 * 1024 * 1024
NOT_YET_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
TOKEN_PATH = "/v1/oauth/access_token"  # noqa: S105 - an address
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
AN_EPOCH = 1_000_000_000
"""`x-ratelimit-reset` above this is an instant, below it a number of seconds; which it sends is not documented."""

T = TypeVar("T")


class Message(Struct, frozen=True):
    """One of the messages of ezyVet's answers from 400 on."""

    type: str = ""
    text: str = ""
    fields: list[str | int] = []


class Messages(Struct, frozen=True):
    """The body of ezyVet's answers from 400 on."""

    messages: list[Message] = []


class Refused(Exception):
    """EzyVet understood and refused, or has no such thing at this address; stays inside this folder."""

    def __init__(self, status: int, messages: list[Message]) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.types = {one.type for one in messages}
        self.words = " ".join(one.text for one in messages).casefold()
        self.fields = sorted({str(field) for one in messages for field in one.fields})


class Answer(Struct, frozen=True):
    """A status, a body, and the time by ezyVet's clock."""

    status: int
    body: bytes
    at: datetime | None
    wait: float | None


class Line:
    """The connections to one site, its token and its pace."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._pace = Pace(per_endpoint=settings.endpoint_calls_per_minute, overall=settings.calls_per_minute)
        self._token = Token(self._ask_for_token)
        self._http = httpx.AsyncClient(
            headers={"Accept": "application/json"},
            timeout=httpx.Timeout(settings.timeout_seconds, connect=min(CONNECT_SECONDS, settings.timeout_seconds)),
            limits=httpx.Limits(max_connections=4),
            follow_redirects=False,
            trust_env=False,
            verify=_trusted(),
        )

    def call(self) -> Call:
        """Begin one call of the contract: all its exchanges together take no longer than the settings say."""
        return Call(self, self._token, self._pace, asyncio.get_running_loop().time() + self.settings.timeout_seconds)

    async def send(
        self, method: str, url: str, *, by: float, token: str | None, content: bytes | None, content_type: str
    ) -> Answer:
        """Send once. Raises what httpx raises, and `TimeoutError`."""
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        if content is not None:
            headers["Content-Type"] = content_type
        # httpx bounds each wait; a server that sends a byte now and then would pass all of them.
        async with (
            asyncio.timeout_at(by),
            self._http.stream(method, url, content=content, headers=headers) as response,
        ):
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MOST_ANSWER_BYTES:
                    raise httpx.DecodingError("answer too long")
            at = _date(response.headers.get("Date"))
            return Answer(response.status_code, bytes(body), at, _wait(response.headers, at))

    async def _ask_for_token(self) -> Granted:
        entered = self.settings
        fields = {
            "partner_id": entered.partner_id,
            "client_id": entered.client_id,
            "client_secret": entered.client_secret,
            "grant_type": "client_credentials",
            "scope": entered.scope,
            "site_uid": entered.site_uid,
        }
        try:
            answer = await self.send(
                "POST",
                f"{entered.url.rstrip('/')}{TOKEN_PATH}",
                by=asyncio.get_running_loop().time() + entered.timeout_seconds,
                token=None,
                content=msgspec.json.encode(fields),
                content_type="application/json",
            )
        except (httpx.HTTPError, TimeoutError) as error:
            raise PimsUnavailable(f"No token from ezyVet: {_short(error)}.", outcome_unknown=False) from None
        if answer.status == httpx.codes.TOO_MANY_REQUESTS or answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise PimsUnavailable(f"No token from ezyVet: status {answer.status}.", outcome_unknown=False)
        if not httpx.codes.is_success(answer.status):
            raise PimsMisconfigured(f"ezyVet does not accept these credentials: status {answer.status}.")
        try:
            return msgspec.json.decode(answer.body, type=Granted)
        except UNREADABLE:
            raise PimsUnavailable("ezyVet's token cannot be read.", outcome_unknown=False) from None

    async def close(self) -> None:
        await self._http.aclose()


class Call:
    """One call of the contract. Once its write has left, whatever fails leaves the outcome unknown."""

    def __init__(self, line: Line, token: Token, pace: Pace, by: float) -> None:
        self._line = line
        self._token = token
        self._pace = pace
        self._by = by
        self.wrote = False
        self.at: datetime | None = None

    @property
    def half_over(self) -> bool:
        """Whether more than half of the time for this call is gone."""
        return asyncio.get_running_loop().time() > self._by - self._line.settings.timeout_seconds / 2

    async def get(self, path: str, type_: type[T], query: list[tuple[str, str]], *, base: str = "") -> T:
        """Read; asks again once after a token that had ended, or after a short wait that ezyVet asked for."""
        url = f"{(base or self._line.settings.url).rstrip('/')}{path}?{urlencode(query)}"
        answer = await self._read(path, url)
        if answer.status == httpx.codes.UNAUTHORIZED or (
            answer.status == httpx.codes.TOO_MANY_REQUESTS and answer.wait is not None and answer.wait <= BRIEFLY
        ):
            answer = await self._read(path, url)
        if not httpx.codes.is_success(answer.status):
            self._fail(answer, writes=False)
        self.at = answer.at or self.at
        try:
            return msgspec.json.decode(answer.body, type=type_, strict=False)
        except UNREADABLE as error:
            raise PimsUnavailable(f"ezyVet's answer cannot be read: {error}.", outcome_unknown=self.wrote) from None

    async def write(self, method: str, path: str, body: object, type_: type[T], *, base: str = "") -> T:
        """Write, with exactly one request. Whatever goes wrong after it may have left makes the outcome unknown."""
        endpoint = re.sub(r"/\d+$", "", path)
        url = f"{(base or self._line.settings.url).rstrip('/')}{path}"
        await self._pace.turn(endpoint, by=self._by, unknown=self.wrote)
        token = await self._open()
        content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            answer = await self._line.send(
                method, url, by=self._by, token=token, content=msgspec.json.encode(body), content_type=content_type
            )
        except NOT_YET_SENT as error:
            raise PimsUnavailable(f"No connection to ezyVet: {_short(error)}.", outcome_unknown=self.wrote) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise PimsUnavailable(f"No answer from ezyVet: {_short(error)}.", outcome_unknown=True) from None
        self._note(endpoint, answer, token)
        if answer.status == httpx.codes.UNAUTHORIZED:
            # Nothing was done; the next try brings another token, or learns that there is none to be had.
            raise PimsUnavailable("ezyVet's token had ended; nothing was written.", outcome_unknown=self.wrote)
        if not httpx.codes.is_success(answer.status):
            self._fail(answer, writes=True)
        self.wrote = True
        try:
            return msgspec.json.decode(answer.body, type=type_, strict=False)
        except UNREADABLE:
            raise PimsUnavailable("ezyVet's answer to a write cannot be read.", outcome_unknown=True) from None

    async def _read(self, path: str, url: str) -> Answer:
        await self._pace.turn(path, by=self._by, unknown=self.wrote)
        token = await self._open()
        try:
            answer = await self._line.send("GET", url, by=self._by, token=token, content=None, content_type="")
        except NOT_YET_SENT as error:
            raise PimsUnavailable(f"No connection to ezyVet: {_short(error)}.", outcome_unknown=self.wrote) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise PimsUnavailable(f"No answer from ezyVet: {_short(error)}.", outcome_unknown=self.wrote) from None
        self._note(path, answer, token)
        return answer

    async def _open(self) -> str:
        try:
            async with asyncio.timeout_at(self._by):
                return await self._token.value()
        except TimeoutError:
            raise PimsUnavailable("No token from ezyVet in time.", outcome_unknown=self.wrote) from None

    def _note(self, endpoint: str, answer: Answer, token: str) -> None:
        if answer.status == httpx.codes.UNAUTHORIZED:
            self._token.refused(token)
        if answer.status == httpx.codes.TOO_MANY_REQUESTS:
            self._pace.close(endpoint, BRIEFLY if answer.wait is None else answer.wait)

    def _fail(self, answer: Answer, *, writes: bool) -> NoReturn:
        """Say in the contract's words what a status means, without ezyVet's own text, which may name people."""
        unknown = self.wrote
        match answer.status:
            case 429:
                raise PimsUnavailable("ezyVet asks us to slow down.", outcome_unknown=unknown)
            case status if status >= httpx.codes.INTERNAL_SERVER_ERROR:
                raise PimsUnavailable(f"ezyVet failed: status {status}.", outcome_unknown=unknown or writes)
            case status if status < httpx.codes.BAD_REQUEST and writes:
                raise PimsUnavailable("ezyVet answered a write with a redirect.", outcome_unknown=True)
            case 400 | 404 | 409 | 410 | 422:
                raise Refused(answer.status, _messages(answer.body))
            case status:
                # 401 twice, 403 and redirects: something is there, but it is not ezyVet, or not for this integration.
                raise PimsMisconfigured(f"ezyVet does not accept this connection: status {status}.")


def _messages(body: bytes) -> list[Message]:
    try:
        return msgspec.json.decode(body, type=Messages).messages
    except UNREADABLE:
        return []


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None


def _wait(headers: httpx.Headers, at: datetime | None) -> float | None:
    """Return the seconds until ezyVet may be asked again, by `Retry-After`, else by `x-ratelimit-reset`."""
    for name in ("Retry-After", "x-ratelimit-reset"):
        try:
            seconds = float(headers[name])
        except (KeyError, ValueError):
            continue
        if seconds < AN_EPOCH:
            return seconds
        if at is not None:
            return max(seconds - at.timestamp(), 0.0)
    return None


@cache
def _trusted() -> ssl.SSLContext:
    """Return what every connection trusts; reading the certificates takes a tenth of a second."""
    return httpx.create_ssl_context(trust_env=False)


def _short(error: Exception) -> str:
    return type(error).__name__
