"""A NewPims of our own making, for tests: it keeps visits in memory, and misbehaves on request."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from tests.pims_adapters.peers import DONE, Fault

KEY = "a key of NewPims"
SLOW_SECONDS = 1.5
COLUMNS = [{"id": "lee", "name": "Dr. Lee"}, {"id": "room", "name": "Room"}]
PRACTICE = {"id": "practice", "name": "Acme Animal Care", "zone": "America/Chicago"}

Answer = tuple[int, object]


class Double:
    """What NewPims holds. `log`: the ids of visits in the order of their last change."""

    def __init__(self) -> None:
        self.visits: dict[str, dict[str, Any]] = {}
        self.log: list[str] = []
        self.began = 0
        self.faults: dict[Literal["read", "write"], Fault] = {}

    def put(self, id_: str, visit: dict[str, Any] | None) -> None:
        """Keep a visit, or forget it."""
        self.log = [*self.log, id_]
        if visit is None:
            del self.visits[id_]
        else:
            self.visits[id_] = visit

    def book(self, visit: dict[str, Any]) -> str:
        id_ = f"visit-{len(self.log) + 1}"
        self.put(id_, {**visit, "id": id_})
        return id_

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; the connection ends with it."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?i)content-length: (\d+)", head)
            body = await reader.readexactly(int(length.group(1)) if length else 0)
            writer.write(await self._answer(head, body))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side hung up
        finally:
            writer.close()

    async def _answer(self, head: str, body: bytes) -> bytes:
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        fault = self.faults.pop("write" if method == "POST" else "read", None)
        if f"Bearer {KEY}" not in head:
            return _http(401, {})
        if fault is not None and fault not in DONE:
            return {"refused": _http(422, {}), "rate_limited": _http(429, {}), "unavailable": _http(503, {})}.get(
                fault, b""
            )
        answer = self._act(
            method, urlsplit(target).path, parse_qs(urlsplit(target).query, keep_blank_values=True), body
        )
        if fault == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        spoiled: dict[Fault, bytes] = {
            "answer_lost": b"",
            "error_after": _http(500, {}),
            "broken_answer": _http(200, 0),
        }
        return spoiled[fault] if fault in spoiled else _http(*answer)

    def _act(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> Answer:
        if path == "/practice":
            return 200, PRACTICE
        if path == "/changes":
            return self._changes(query["cursor"][0] if "cursor" in query else None)
        if path == "/visits" and method == "POST":
            return self._create(msgspec.json.decode(body))
        if path == "/visits":
            return 200, {"visits": [one for one in self.visits.values() if one.get("key") == query["key"][0]]}
        id_ = unquote(path.removeprefix("/visits/"))
        return (200, self.visits[id_]) if id_ in self.visits else (404, {})

    def _changes(self, cursor: str | None) -> Answer:
        known = {str(at): at for at in range(self.began, len(self.log) + 1)}
        if cursor is not None and cursor not in known:
            return 410, {}
        changed = dict.fromkeys(self.log[0 if cursor is None else known[cursor] :])
        return 200, {
            "practice": [PRACTICE] if cursor is None else [],
            "columns": COLUMNS if cursor is None else [],
            "visits": [self.visits[id_] for id_ in changed if id_ in self.visits],
            "deleted": [id_ for id_ in changed if id_ not in self.visits and cursor is not None],
            "cursor": str(len(self.log)),
            "more": False,
            "now": datetime.now(UTC),
        }

    def _create(self, visit: dict[str, Any]) -> Answer:
        if not set(visit["columns"]) <= {column["id"] for column in COLUMNS}:
            return 422, {}
        start, end = (datetime.fromisoformat(visit[edge]) for edge in ("start", "end"))
        for other in self.visits.values():
            overlaps = datetime.fromisoformat(other["start"]) < end and datetime.fromisoformat(other["end"]) > start
            if overlaps and not other.get("cancelled") and set(other["columns"]) & set(visit["columns"]):
                return 409, {}
        return 201, {"id": self.book(visit)}


def _http(status: int, value: object) -> bytes:
    body = msgspec.json.encode(value)
    return f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
