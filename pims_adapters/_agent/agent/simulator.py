"""The clinic simulator as a source (`tests/clinic_simulator/README.md` describes its HTTP interface)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

import httpx
import msgspec
from msgspec import Struct

from pims_adapters._agent.agent.source import About, Changes, Listed, Write
from pims_adapters._agent.protocol import AnyRow, FindClients, Table
from pims_adapters.contract import CursorExpired, PimsMisconfigured, PimsRejected, PimsUnavailable

TIMEOUT = 10.0
T = TypeVar("T")


class SaidAbout(Struct, frozen=True):
    """What it says of itself."""

    system: str
    version: str
    practice: str
    practice_name: str
    timezone: str
    write_lag_seconds: float
    skew_seconds: float


class SaidRows(Struct, frozen=True, kw_only=True):
    """Its pages, of the log and of lists."""

    rows: tuple[AnyRow, ...]
    cursor: str = ""
    more: bool = False
    next: str | None = None
    age_seconds: float = 0
    skew_seconds: float = 0


class SaidId(Struct, frozen=True):
    """What it created or found."""

    id: str | None


class SaidRefusal(Struct, frozen=True):
    """Why it did not."""

    error: str
    reason: str


class SimulatorSource:
    """One clinic simulator. See `Source` for what each call promises."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False)
        self._skew = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._skew

    async def about(self) -> About:
        said = await self._get("about", SaidAbout)
        self._skew = timedelta(seconds=said.skew_seconds)
        return About(
            system=said.system,
            version=said.version,
            practice=said.practice,
            practice_name=said.practice_name,
            timezone=said.timezone,
            write_lag=timedelta(seconds=said.write_lag_seconds),
        )

    async def changes(self, tables: tuple[Table, ...], after: str | None, most: int) -> Changes:
        query = {"tables": ",".join(tables), "most": str(most)} | ({"after": after} if after is not None else {})
        said = await self._get("changes", SaidRows, query)
        self._skew = timedelta(seconds=said.skew_seconds)
        return Changes(rows=said.rows, cursor=said.cursor, more=said.more, age=timedelta(seconds=said.age_seconds))

    async def listing(self, table: Table, first: date, last: date, after: str | None, most: int) -> Listed:
        query = {"table": table, "first": first.isoformat(), "last": last.isoformat(), "most": str(most)}
        said = await self._get("list", SaidRows, query | ({"after": after} if after is not None else {}))
        return Listed(rows=said.rows, next=said.next, age=timedelta(seconds=said.age_seconds))

    async def find_clients(self, wanted: FindClients) -> tuple[AnyRow, ...]:
        return (await self._ask("POST", "find_clients", SaidRows, body=msgspec.json.encode(wanted))).rows

    async def find(self, table: Table, marker: str) -> str | None:
        return (await self._get("find", SaidId, {"table": table, "marker": marker})).id

    async def find_conversation(self, marker: str) -> str | None:
        return (await self._get("find_conversation", SaidId, {"marker": marker})).id

    async def read(self, table: Table, id_: str) -> AnyRow | None:
        rows = (await self._get("read", SaidRows, {"table": table, "id": id_})).rows
        return rows[0] if rows else None

    async def write(self, call: str, body: Write) -> str | None:
        return (await self._ask("POST", call, SaidId, body=msgspec.json.encode(body), writes=True)).id

    async def close(self) -> None:
        await self._http.aclose()

    async def _get(self, call: str, type_: type[T], query: dict[str, str] | None = None) -> T:
        return await self._ask("GET", call, type_, query=query)

    async def _ask(
        self,
        method: str,
        call: str,
        type_: type[T],
        *,
        query: dict[str, str] | None = None,
        body: bytes | None = None,
        writes: bool = False,
    ) -> T:
        try:
            answer = await self._http.request(method, f"/agent/{call}", params=query, content=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise PimsUnavailable("The practice system does not answer.", outcome_unknown=False) from None
        except httpx.HTTPError as error:
            raise PimsUnavailable(
                f"The practice system's answer was lost ({type(error).__name__}).", outcome_unknown=writes
            ) from None
        try:
            text = _decoded(answer.content)
            if answer.is_success:
                return msgspec.json.decode(text, type=type_)
            refusal = msgspec.json.decode(text, type=SaidRefusal)
        except msgspec.MsgspecError:
            raise PimsUnavailable("The practice system's answer cannot be read.", outcome_unknown=writes) from None
        raise _error(answer.status_code, refusal)


def _decoded(content: bytes) -> str:
    """Return the text of an answer: what is not UTF-8 is the code page of older Windows."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _error(status: int, refusal: SaidRefusal) -> Exception:
    if status == httpx.codes.GONE:
        return CursorExpired(refusal.reason)
    if refusal.error in ("read_only", "unsupported"):
        return PimsMisconfigured(refusal.reason)
    return PimsRejected(refusal.reason, taken=refusal.error == "taken")
