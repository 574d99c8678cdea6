"""One HTTP exchange with the demo PIMS: a bounded answer, or one of the contract's errors and never anything else."""

import asyncio
import ssl
from functools import cache
from typing import Literal, NoReturn, TypeVar

import httpx
import msgspec

from pims_adapters.contract import CursorExpired, PimsMisconfigured, PimsRejected, PimsUnavailable

CONNECT_SECONDS = 3.0
TOTAL_SECONDS = 10.0
MOST_ANSWER_BYTES = 8 * 1024 * 1024
NOT_YET_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

T = TypeVar("T")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the practice enters to connect."""

    url: str
    key: str
    timeout_seconds: float = TOTAL_SECONDS


class Refusal(msgspec.Struct, frozen=True):
    """The body of the PIMS's answers from 400 on."""

    error: str
    reason: str


class NoSuchRecord(Exception):
    """The PIMS answered that it does not hold the record; stays inside this folder."""


class Exchange:
    """The connections to one PIMS."""

    def __init__(self, settings: Settings) -> None:
        self._seconds = settings.timeout_seconds
        self._http = httpx.AsyncClient(
            base_url=settings.url,
            headers={"Authorization": f"Bearer {settings.key}", "Accept": "application/json"},
            timeout=httpx.Timeout(self._seconds, connect=min(CONNECT_SECONDS, self._seconds)),
            limits=httpx.Limits(max_connections=4),
            trust_env=False,
            verify=_trusted(),
        )

    @classmethod
    def of(cls, settings: dict[str, str]) -> "Exchange":
        """Check the settings before anything is sent; `PimsMisconfigured` says what is wrong with them."""
        try:
            found = msgspec.convert(settings, Settings, strict=False)
            address = httpx.URL(found.url)
        except (msgspec.ValidationError, httpx.InvalidURL) as error:
            raise PimsMisconfigured(f"The settings of the demo PIMS do not fit: {error}.") from None
        if address.scheme not in {"http", "https"} or not address.host:
            raise PimsMisconfigured("The setting `url` must be a whole address such as http://127.0.0.1:8100.")
        if not found.key or not found.key.isascii() or not found.key.isprintable():
            raise PimsMisconfigured("The setting `key` is empty or has characters no key has.")
        if not found.timeout_seconds > 0:
            raise PimsMisconfigured("The setting `timeout_seconds` must be above zero.")
        return cls(found)

    async def get(self, path: str, type_: type[T], **query: str) -> T:
        """Read; no failure leaves an outcome unknown. `NoSuchRecord` is the one error beyond the contract."""
        return await self._ask("GET", path, type_, query=query)

    async def post(self, path: str, body: object, type_: type[T]) -> T:
        """Write, once. Whatever goes wrong after the request may have left makes the outcome unknown."""
        return await self._ask("POST", path, type_, content=msgspec.json.encode(body))

    async def close(self) -> None:
        await self._http.aclose()

    async def _ask(
        self,
        method: Literal["GET", "POST"],
        path: str,
        type_: type[T],
        *,
        query: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> T:
        writes = method == "POST"
        try:
            # httpx bounds each wait; a PIMS that sends a byte now and then would pass all of them.
            async with asyncio.timeout(self._seconds):
                status, answer = await self._send(method, path, query, content)
        except NOT_YET_SENT as error:
            raise PimsUnavailable(f"No connection to the PIMS: {_short(error)}.", outcome_unknown=False) from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise PimsUnavailable(f"No answer from the PIMS: {_short(error)}.", outcome_unknown=writes) from error
        if not httpx.codes.is_success(status):
            _fail(status, answer, writes=writes)
        try:
            return msgspec.json.decode(answer, type=type_)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise PimsUnavailable(f"The PIMS's answer cannot be read: {error}.", outcome_unknown=writes) from error

    async def _send(
        self, method: str, path: str, query: dict[str, str] | None, content: bytes | None
    ) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} if content is not None else {}
        async with self._http.stream(method, path, params=query, content=content, headers=headers) as response:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MOST_ANSWER_BYTES:
                    raise httpx.DecodingError("answer too long")
            return response.status_code, bytes(body)


def _fail(status: int, answer: bytes, *, writes: bool) -> NoReturn:
    """Say in the contract's words what a status means."""
    try:
        refusal = msgspec.json.decode(answer, type=Refusal)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        refusal = Refusal(error="", reason=f"status {status}")
    match status:
        case 404 if refusal.error == "no_such_record":
            raise NoSuchRecord
        case 409 | 422:
            raise PimsRejected(refusal.reason, taken=refusal.error == "taken")
        case 410:
            raise CursorExpired(refusal.reason)
        case 429:
            raise PimsUnavailable(f"The PIMS asks us to slow down: {refusal.reason}", outcome_unknown=False)
        case _ if status >= 500:  # noqa: PLR2004 - the server's own failures
            raise PimsUnavailable(f"The PIMS failed: {refusal.reason}", outcome_unknown=writes)
        case _:
            # 401, 403, 404 and redirects: something is there, but it is not the PIMS, or not for this key.
            raise PimsMisconfigured(f"The PIMS does not accept this connection: {refusal.reason}")


@cache
def _trusted() -> ssl.SSLContext:
    """Return what every connection trusts; reading the certificates takes a tenth of a second."""
    return httpx.create_ssl_context(trust_env=False)


def _short(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
