"""A proxy in front of PostgreSQL that ends a conversation at a chosen round trip, as a bad network or a crash would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

When = Literal["asked", "answered"]
STARTUP = 196608
ENDS_A_ROUND_TRIP = (ord("Q"), ord("S"))  # a simple query, or the Sync after an extended one


class CuttingProxy:
    """Relays until `cut_at` says otherwise; `round_trips` are counted from then on.

    `asked`: the request of that round trip never arrives. `answered`: it is done, and its answer never arrives.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server_at = host, port
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_cut: Callable[[], None] = lambda: None
        self._cut_at = 0
        self._when: When = "asked"
        self._swallowing = False
        self.round_trips = 0
        self.has_cut = False

    def cut_at(self, round_trip: int, when: When, *, on_cut: Callable[[], None] = lambda: None) -> None:
        """Cut the n-th round trip from now on (0: none, only count), and do something at that very moment."""
        self._cut_at, self._when, self._on_cut = round_trip, when, on_cut
        self.round_trips = 0

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        server_reader, server_writer = await asyncio.open_connection(*self._server_at)
        self._writers |= {writer, server_writer}
        answers = asyncio.create_task(self._relay_answers(server_reader, writer))
        self._tasks.add(answers)
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._relay_requests(reader, server_writer)
        self._close(writer, server_writer)

    async def _relay_requests(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        started = False
        while True:
            kind = await reader.readexactly(1) if started else b""
            size = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(size) - 4)
            ends = started and kind[0] in ENDS_A_ROUND_TRIP
            started = started or int.from_bytes(body[:4]) == STARTUP
            if ends:
                self.round_trips += 1
                if self.round_trips == self._cut_at and self._when == "asked":
                    self.cut()
                    return
                self._swallowing = self.round_trips == self._cut_at
            server.write(kind + size + body)

    async def _relay_answers(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                if self._swallowing:
                    self.cut()
                    return
                client.write(chunk)
        self._close(client)

    def cut(self) -> None:
        """End every connection, without a word to either side."""
        self.has_cut = True
        self._swallowing = False
        self._on_cut()
        self._close(*self._writers)

    def _close(self, *writers: asyncio.StreamWriter) -> None:
        for writer in writers:
            writer.transport.abort()
            self._writers.discard(writer)


@asynccontextmanager
async def cutting_proxy(database_url: str) -> AsyncIterator[tuple[CuttingProxy, str]]:
    """Run a proxy, and return it with the URL that leads through it."""
    to = urlsplit(database_url)
    proxy = CuttingProxy(to.hostname or "", to.port or 0)
    server = await asyncio.start_server(proxy.relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    credentials = to.netloc.rpartition("@")[0]
    try:
        yield proxy, to._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl()
    finally:
        server.close()
