"""The token that opens an ezyVet site: asked for once, kept until it says it ends or ezyVet refuses it."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

LONGEST = 12 * 3600.0
"""A token lives 12 hours; `expires_in` of the vendor's sample says 14 days, the token's own claims say 12 hours."""
SOONER = 60.0
"""It is asked for anew so long before it ends."""


class Granted(Struct, frozen=True):
    """The answer to the credentials."""

    access_token: str
    expires_in: float | str | None = None

    def lasts(self) -> float:
        """Return for how many seconds it is good: by its own claims, and where it has none by what was said."""
        try:
            payload = self.access_token.split(".")[1]
            claims = msgspec.json.decode(
                base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims, strict=False
            )
            return min(max(claims.exp - claims.iat, 0.0), LONGEST)
        except (IndexError, binascii.Error, ValueError, msgspec.MsgspecError):
            pass  # not one that tells
        try:
            return min(max(float(self.expires_in or LONGEST), 0.0), LONGEST)
        except ValueError:
            return LONGEST


class _Claims(Struct, frozen=True):
    iat: float
    exp: float


class Token:
    """The one token of a connection; callers that need it at once share one request for it."""

    def __init__(self, ask: Callable[[], Awaitable[Granted]]) -> None:
        self._ask = ask
        self._value: str | None = None
        self._ends = 0.0
        self._lock = asyncio.Lock()

    async def value(self) -> str:
        """Return a token that is good, as far as anybody can know."""
        async with self._lock:
            loop = asyncio.get_running_loop()
            if self._value is None or loop.time() >= self._ends:
                granted = await self._ask()
                self._value = granted.access_token
                self._ends = loop.time() + max(granted.lasts() - SOONER, 1.0)
            return self._value

    def refused(self, value: str) -> None:
        """Forget a token that ezyVet no longer takes."""
        if self._value == value:
            self._value = None
