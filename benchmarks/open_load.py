"""Requests that arrive whether or not the ones before were answered, as people do, and how long each had to wait.

An open loop: a request's time counts from when it was due, so that a server that stalls is charged for everybody who
came meanwhile. The client speaks just enough HTTP/1.1 to cost little on the machine that it measures.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import msgspec
from msgspec import Struct

from benchmarks.wrong import Wrong

MOST_CONNECTIONS = 200


class Reply(Struct, frozen=True):
    """What the server said."""

    status: int
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever it was
        """Return the body's values."""
        return msgspec.json.decode(self.body)


class Client:
    """Connections to one server, kept open and lent one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)

    async def get(self, path: str, **headers: str) -> Reply:
        """Ask."""
        return await self.send("GET", path, None, headers)

    async def post(self, path: str, body: object, **headers: str) -> Reply:
        """Send JSON. `idempotency_key=…` becomes the header `idempotency-key`."""
        return await self.send("POST", path, body, headers)

    async def send(self, method: str, path: str, body: object, headers: dict[str, str]) -> Reply:
        """Send one request and read its answer whole."""
        content = b"" if body is None else msgspec.json.encode(body)
        lines = [f"{method} {path} HTTP/1.1", f"host: {self._host}", f"content-length: {len(content)}"]
        if content:
            lines.append("content-type: application/json")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        async with self._room:
            reader, writer = self._idle.pop() if self._idle else await self._connect()
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
            reply = await _read(reader)
            self._idle.append((reader, writer))
        return reply

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port, limit=4 * 1024 * 1024)

    def close(self) -> None:
        """Close what is open."""
        for _, writer in self._idle:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    if "chunked" in fields.get("transfer-encoding", ""):
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    else:
        body = await reader.readexactly(int(fields.get("content-length", "0")))
    return Reply(int(head[0].split(" ")[1]), body)


@asynccontextmanager
async def client_of(port: int) -> AsyncIterator[Client]:
    """Lend a client of the server on this machine."""
    client = Client("127.0.0.1", port)
    try:
        yield client
    finally:
        client.close()


async def arrive(
    work: Callable[[int], Awaitable[None]], *, per_second: float, seconds: float
) -> tuple[list[float], float]:
    """Start `work(n)` at even distances; how long each took from when it was due, and the rate that was reached."""
    total = int(per_second * seconds)
    took: list[float] = []
    began = perf_counter()

    async def one(number: int) -> None:
        due = began + number / per_second
        await asyncio.sleep(max(0.0, due - perf_counter()))
        await work(number)
        took.append(perf_counter() - due)

    await asyncio.gather(*(one(number) for number in range(total)))
    return took, total / (perf_counter() - began)


def expect(reply: Reply, *statuses: int) -> Reply:
    """Return the reply, or end the run: nothing measured counts where an answer was wrong."""
    if reply.status not in statuses:
        raise Wrong(f"Status {reply.status}: {reply.body[:300].decode(errors='replace')}")
    return reply


def percentile(values: Iterable[float], percent: int) -> float:
    """Return the value that so many percent do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
