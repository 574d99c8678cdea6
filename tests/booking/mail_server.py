"""A mail server that speaks as much SMTP (RFC 5321) as a client needs, and keeps or refuses what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class MailServer:
    """What has arrived, and how to refuse it: `refuses` is the answer to every recipient."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[str] = []
        self.refuses: str | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        say("220 mail.example ready")
        while command := (await reader.readline()).decode().strip().upper():
            if command.startswith("RCPT"):
                say(self.refuses or "250 OK")
            elif command == "DATA":
                say("354 go on")
                self.received.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                say("250 kept")
            else:
                say("221 bye" if command == "QUIT" else "250 OK")
        writer.close()


@asynccontextmanager
async def running_mail_server() -> AsyncIterator[MailServer]:
    """Run a mail server on a free port of this machine."""
    server = MailServer()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"smtp://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
