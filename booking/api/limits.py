"""Rate limits of the API: a guard for any route, and the headers that tell callers how much is left.

    @get("/practices/{slug:str}/slots", guards=[limited("slots", times=300, per=timedelta(minutes=1))])

It costs one round trip to Redis, before anything of the request is read. Staff and API keys are counted by who they
are (`Needs` does that), everybody else by the block of network addresses they come from.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from hashlib import sha256
from math import ceil
from typing import Any, Literal, TypeAlias

from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.handlers import BaseRouteHandler
from litestar.types import Message, Scope
from msgspec import Struct

from booking.limits import Counted, Limit, Tally, address_block, tally
from booking.out_of_reach import OUT_OF_REACH

Asking: TypeAlias = ASGIConnection[Any, Any, Any, Any]
WAIT_SECONDS = 0.5
STATE = "rate_limit"


class RateLimited(Exception):
    """That was asked for very often in a short time. Please wait a little and try again."""

    def __init__(self, wait: timedelta) -> None:
        """Say for how long to wait."""
        super().__init__(self.__doc__)
        self.headers = {"retry-after": str(max(1, ceil(wait.total_seconds())))}


class Limited(Struct, frozen=True, kw_only=True):
    """The guard of a route that may be called only so often. Raises `RateLimited`."""

    limit: Limit
    without_redis: Literal["serve", "refuse"]

    async def __call__(self, connection: Asking, _: BaseRouteHandler) -> None:
        """Let the request in if it is within the limit, and remember what to say about that."""
        by = _counted_by(connection)
        connection.scope["state"][STATE] = self.limit, None
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                counted = [Counted(limit=self.limit, by=by)]
                found = await tally(connection.app.state.redis, sha256(by.encode()).hexdigest()[:16], counted)
        except OUT_OF_REACH:
            if self.without_redis == "refuse":
                raise
            return
        connection.scope["state"][STATE] = self.limit, found
        if found.verdict == "exceeded":
            raise RateLimited(found.wait)


def limited(name: str, *, times: int, per: timedelta, without_redis: Literal["serve", "refuse"] = "serve") -> Limited:
    """Return a guard that lets so many requests in. `without_redis`: what happens when nobody can count.

    Reading goes on then, from PostgreSQL alone. What sends messages, or tries secrets, must refuse.
    """
    return Limited(limit=Limit(name=name, times=times, per=per), without_redis=without_redis)


async def add_rate_limit_headers(message: Message, scope: Scope) -> None:
    """Add `RateLimit-Policy` and `RateLimit` to the answer of a route that is limited.

    As structured fields by the IETF draft "RateLimit header fields for HTTP", from its version 08 on.
    """
    told: tuple[Limit, Tally | None] | None = scope["state"].get(STATE)
    if message["type"] != "http.response.start" or told is None:
        return
    limit, found = told
    headers = MutableScopeHeaders.from_message(message)
    headers["ratelimit-policy"] = f'"{limit.name}";q={limit.times};w={ceil(limit.per.total_seconds())}'
    if found is not None:
        left, resets = max(0, limit.times - found.used[0]), ceil(found.resets[0].total_seconds())
        headers["ratelimit"] = f'"{limit.name}";r={left};t={resets}'


def _counted_by(connection: Asking) -> str:
    state = connection.scope["state"]
    if "counted_by" in state:
        return str(state["counted_by"])
    return address_block(connection.client.host if connection.client else "0.0.0.0")  # noqa: S104 - all share one
