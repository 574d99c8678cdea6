"""One HTTP exchange with NewPims: a bounded answer, or one of the contract's errors."""

import asyncio
from typing import NoReturn, Self, TypeVar

import httpx
import msgspec

from pims_adapters.contract import CursorExpired, PimsMisconfigured, PimsRejected, PimsUnavailable

TOTAL_SECONDS = 10.0
MOST_ANSWER_BYTES = 8 * 1024 * 1024
NOT_YET_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

T = TypeVar("T")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the practice enters to connect."""

    url: str
    key: str
    timeout_seconds: float = TOTAL_SECONDS


class Absent(Exception):
    """NewPims does not hold the record; stays inside this folder."""


class Exchange:
    """The connections to one NewPims."""

    def __init__(self, settings: Settings) -> None:
        self._seconds = settings.timeout_seconds
        self._http = httpx.AsyncClient(
            base_url=settings.url,
            headers={"Authorization": f"Bearer {settings.key}"},
            timeout=self._seconds,
            trust_env=False,
        )

    @classmethod
    def of(cls, settings: dict[str, str]) -> Self:
        """Check the settings before anything is sent; `PimsMisconfigured` says what is wrong with them."""
        try:
            found = msgspec.convert(settings, Settings, strict=False)
            address = httpx.URL(found.url)
        except (msgspec.ValidationError, httpx.InvalidURL) as error:
            raise PimsMisconfigured(f"The settings of NewPims do not fit: {error}.") from None
        if address.scheme not in {"http", "https"} or not address.host:
            raise PimsMisconfigured("The setting `url` must be a whole address such as https://pims.example.com.")
        if not found.key or not found.key.isascii() or not found.key.isprintable():
            raise PimsMisconfigured("The setting `key` is empty or has characters no key has.")
        if not found.timeout_seconds > 0:
            raise PimsMisconfigured("The setting `timeout_seconds` must be above zero.")
        return cls(found)

    async def get(self, path: str, type_: type[T], **query: str) -> T:
        """Read; no failure leaves an outcome unknown. `Absent` is the one error beyond the contract."""
        return await self._ask("GET", path, type_, query=query)

    async def post(self, path: str, body: object, type_: type[T]) -> T:
        """Write, once. Whatever goes wrong after the request may have left makes the outcome unknown."""
        return await self._ask("POST", path, type_, content=msgspec.json.encode(body))

    async def close(self) -> None:
        await self._http.aclose()

    async def _ask(
        self, method: str, path: str, type_: type[T], *, query: dict[str, str] | None = None, content: bytes = b""
    ) -> T:
        writes = method == "POST"
        try:
            async with asyncio.timeout(self._seconds):
                status, answer = await self._send(method, path, query, content)
        except NOT_YET_SENT as error:
            name = type(error).__name__
            raise PimsUnavailable(f"No connection to NewPims: {name}.", outcome_unknown=False) from None
        except (httpx.HTTPError, TimeoutError) as error:
            name = type(error).__name__
            raise PimsUnavailable(f"No answer from NewPims: {name}.", outcome_unknown=writes) from None
        if not httpx.codes.is_success(status):
            _fail(status, writes=writes)
        try:
            return msgspec.json.decode(answer, type=type_)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            reason = f"NewPims's answer cannot be read: {error}."
            raise PimsUnavailable(reason, outcome_unknown=writes) from None

    async def _send(self, method: str, path: str, query: dict[str, str] | None, content: bytes) -> tuple[int, bytes]:
        async with self._http.stream(method, path, params=query, content=content) as response:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MOST_ANSWER_BYTES:
                    raise httpx.DecodingError("answer too long")
            return response.status_code, bytes(body)


def _fail(status: int, *, writes: bool) -> NoReturn:
    """Say in the contract's words what a status means. Texts of the PIMS may name people, so none is passed on."""
    match status:
        case 404:
            raise Absent
        case 409:
            raise PimsRejected("NewPims says that the time is not free.", taken=True)
        case 410:
            raise CursorExpired("NewPims no longer knows the cursor.")
        case 422:
            raise PimsRejected("NewPims says that the appointment does not fit.")
        case 429:
            raise PimsUnavailable("NewPims asks us to slow down.", outcome_unknown=False)
        case _ if status >= 500:  # noqa: PLR2004 - the server's own failures
            raise PimsUnavailable(f"NewPims failed with status {status}.", outcome_unknown=writes)
        case _:
            raise PimsMisconfigured(f"NewPims does not accept this connection: status {status}.")
