"""A practice's own system that is told of events: it keeps what arrives and answers as it was told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = "204 No Content"


@dataclass
class Received:
    """One request, as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: str


@dataclass
class Receiver:
    """What has arrived, and the next answers: a status line and headers, one a request; then `OK`."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    silent: bool = False
    floods: bool = False
    hears: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = (await reader.readexactly(int(headers["content-length"]))).decode()
            self.received.append(Received(head[0].split()[1], headers, body))
            self.hears.set()
            if self.silent:
                await self.may_answer.wait()
            writer.write(f"HTTP/1.1 {self.answers.pop(0) if self.answers else OK}\r\n\r\n".encode())
            while self.floods:
                writer.write(b"x" * 100_000)
                await writer.drain()
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def running_receiver(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port of this machine."""
    receiver = Receiver()
    listening = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = listening.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver.floods = False
        receiver.may_answer.set()
        listening.close()
