"""A real calendar server, Radicale, in a process of its own, and between it and the adapter a line that can break.

The line (`Line`) hands each request on and its answer back, one connection each, and spoils the next one that it was
told to spoil.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Literal

import httpx

from tests.pims_adapters.peers import DONE, Fault

USER, PASSWORD = "front-desk", "correct horse"
WRITES = ("PUT", "DELETE")
SLOW_SECONDS = 1.5
REFUSAL = (
    b'<?xml version="1.0"?><D:error xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
    b"<C:valid-calendar-object-resource/></D:error>"
)


class Radicale:
    """A running server with two people and a room; the methods are what staff do with their calendar programs."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.home = f"{url}/{USER}/"
        self.http = httpx.Client(auth=(USER, PASSWORD), trust_env=False, timeout=10)

    def make_calendar(self, id_: str, name: str) -> None:
        body = f"""<?xml version="1.0"?>
            <C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
              <D:set><D:prop>
                <D:displayname>{name}</D:displayname>
                <C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>
              </D:prop></D:set>
            </C:mkcalendar>""".strip()
        self.http.request("MKCALENDAR", f"{self.home}{id_}/", content=body.encode()).raise_for_status()

    def put_event(self, calendar: str, name: str, *lines: str) -> str:
        """Store an event that has these lines; its pims_id."""
        self.put(calendar, name, _text(name, lines))
        return f"{calendar}/{name}"

    def put(self, calendar: str, name: str, text: str) -> None:
        self.http.put(f"{self.home}{calendar}/{name}", content=text.encode()).raise_for_status()

    def put_file(self, calendar: str, name: str, *lines: str) -> None:
        """Store an event past the server, which is quicker for many."""
        file = self.folder / "collection-root" / USER / calendar / name
        file.write_text(_text(name, lines), newline="")

    def text(self, calendar: str, name: str) -> str | None:
        answer = self.http.get(f"{self.home}{calendar}/{name}")
        return None if answer.status_code == 404 else answer.raise_for_status().text

    def delete(self, calendar: str, name: str) -> None:
        self.http.delete(f"{self.home}{calendar}/{name}").raise_for_status()

    def files(self) -> Iterator[Path]:
        """Yield the stored events, as Radicale keeps them."""
        yield from sorted((self.folder / "collection-root" / USER).glob("*/*.ics"))

    def forget_tokens(self) -> None:
        for kept in self.folder.rglob("sync-token/*"):
            kept.unlink()


def _text(name: str, lines: tuple[str, ...]) -> str:
    event = ["BEGIN:VEVENT", f"UID:{name.removesuffix('.ics')}", "DTSTAMP:20261126T090000Z", *lines, "END:VEVENT"]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//staff//EN", *event, "END:VCALENDAR", ""])


@contextmanager
def running_radicale(folder: Path) -> Iterator[Radicale]:
    """Start a server that keeps its calendars in this folder."""
    port = _free_port()
    (folder / "users").write_text(f"{USER}:{PASSWORD}\n")
    (folder / "config").write_text(
        f"""[server]
hosts = 127.0.0.1:{port}
[auth]
type = htpasswd
htpasswd_filename = {folder / "users"}
htpasswd_encryption = plain
delay = 0
[storage]
filesystem_folder = {folder}
[logging]
level = error
"""
    )
    process = subprocess.Popen([sys.executable, "-m", "radicale", "--config", str(folder / "config")])
    radicale = Radicale(f"http://127.0.0.1:{port}", folder)
    try:
        _wait(radicale, process)
        for id_, name in (
            ("dr-lee", "Dr. Lee"),
            ("dr-okafor", "Dr. Okafor"),
            ("room-1", "Room 1"),
            ("room-2", "Room 2"),
        ):
            radicale.make_calendar(id_, name)
        yield radicale
    finally:
        radicale.http.close()
        process.terminate()
        process.wait(timeout=10)


def _wait(radicale: Radicale, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        with suppress(httpx.TransportError):
            radicale.http.request("PROPFIND", radicale.home, headers={"Depth": "0"})
            return
        time.sleep(0.05)
    raise AssertionError("Radicale did not start; its error stands above.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Line:
    """The line to the server. `orders`: the next request that reads, or writes, meets this fault.

    `before_writes`: what happens before the next request that writes reaches the server, before the one after it, and
    so on: somebody else is quicker, or orders a fault for it.
    """

    def __init__(self, port_behind: int) -> None:
        self.orders: dict[Literal["read", "write"], Fault] = {}
        self.before_writes: list[Callable[[], object]] = []
        self.url = ""
        self._port_behind = port_behind

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._hand_on(reader, writer)
        writer.close()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        lengths = [int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")]
        body = await reader.readexactly(lengths[0] if lengths else 0)
        writes = lines[0].startswith(WRITES)
        if writes and self.before_writes:
            self.before_writes.pop(0)()
        fault = self.orders.pop("write" if writes else "read", None)
        if fault is None or fault in DONE:
            answer = await self._ask(lines, body)
            if fault == "slow":
                await asyncio.sleep(SLOW_SECONDS)
            writer.write(_spoiled(fault, answer))
        else:
            writer.write(_INSTEAD[fault])
        await writer.drain()

    async def _ask(self, lines: list[str], body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port_behind)
        kept = [line for line in lines if line and not line.lower().startswith("connection:")]
        writer.write("\r\n".join([*kept, "Connection: close", "", ""]).encode("latin-1") + body)
        answer = await reader.read()
        writer.close()
        return answer


def _said(status: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


_INSTEAD: dict[Fault, bytes] = {
    "refused": _said("403 Forbidden", REFUSAL),
    "rate_limited": _said("429 Too Many Requests", b"Zebulon Quillfeather asks too often"),
    "unavailable": _said("503 Service Unavailable", b"Zebulon Quillfeather cannot be served"),
    "reset_before": b"",
}


def _spoiled(fault: Fault | None, answer: bytes) -> bytes:
    match fault:
        case "answer_lost":
            return b""
        case "error_after":
            return _said("500 Internal Server Error", b"Zebulon Quillfeather broke it")
        case "broken_answer":
            return b"HTTP/1.1 2oo What\r\nContent-Length: 5\r\n\r\n<Zebulon"
        case _:
            return answer


@asynccontextmanager
async def running_line(port_behind: int) -> AsyncIterator[Line]:
    line = Line(port_behind)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    async with server:
        line.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield line
