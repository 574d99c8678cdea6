"""A small HTTP/1.1 server on asyncio: thousands of requests a second, and able to drop, delay or break off an answer.

It serves one request of a connection after the other and knows only what this simulator needs: a method, a path with a
query, a body with its length. An application server would not let anyone drop a connection instead of answering.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, cast
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

MOST_HEAD_BYTES = 16 * 1024
MOST_BODY_BYTES = 8 * 1024 * 1024
REASONS = {200: "OK", 400: "Bad Request", 413: "Content Too Large"}


class Request(Struct, frozen=True):
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes


class Answer(Struct, frozen=True, kw_only=True):
    """What is sent, and how: after some seconds, whole, half of it, or nothing but the end of the connection."""

    status: int = 200
    body: bytes = b""
    after: float = 0
    sent: Literal["whole", "half", "nothing"] = "whole"


Answers = Callable[[Request], Answer]


class Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no `asyncio.Transport`.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        if self._waiting is not None:
            self._waiting.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._serve()

    def _serve(self) -> None:
        """Answer what has come in whole, unless an answer is being delayed."""
        while self._transport is not None and self._waiting is None:
            request = self._next()
            if request is None:
                return
            answer = request if isinstance(request, Answer) else self._answers(request)
            if answer.after > 0:
                self._waiting = asyncio.get_running_loop().call_later(answer.after, self._send_late, answer)
            else:
                self._send(answer)

    def _next(self) -> Request | Answer | None:
        """Take a whole request off what has come in; None while there is none, an answer where it cannot be read."""
        head_ends = self._received.find(b"\r\n\r\n")
        if head_ends < 0:
            return Answer(status=413) if len(self._received) > MOST_HEAD_BYTES else None
        first, *lines = self._received[:head_ends].decode("latin-1").split("\r\n")
        length = next((line.split(":", 1)[1] for line in lines if line.lower().startswith("content-length:")), "0")
        words = first.split(" ")
        if len(words) != 3 or not length.strip().isdigit() or int(length) > MOST_BODY_BYTES:
            self._received.clear()
            return Answer(status=400)
        body_ends = head_ends + 4 + int(length)
        if len(self._received) < body_ends:
            return None
        body = bytes(self._received[head_ends + 4 : body_ends])
        del self._received[:body_ends]
        address = urlsplit(words[1])
        query = dict(parse_qsl(address.query, keep_blank_values=True)) if address.query else {}
        return Request(words[0], address.path, query, body)

    def _send_late(self, answer: Answer) -> None:
        self._waiting = None
        self._send(answer)
        self._serve()

    def _send(self, answer: Answer) -> None:
        if self._transport is None:
            return
        if answer.sent == "nothing":
            self._transport.abort()
            return
        head = f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Refused')}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(answer.body)}\r\n\r\n"
        body = answer.body
        if answer.sent == "half":
            body = body[: len(body) // 2]
        self._transport.write(head.encode() + body)
        if answer.sent == "half":
            self._transport.close()


async def listen(answers: Answers, host: str, port: int) -> asyncio.Server:
    """Serve until the server is closed."""
    return await asyncio.get_running_loop().create_server(lambda: Connection(answers), host, port)
